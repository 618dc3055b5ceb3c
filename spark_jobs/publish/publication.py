"""A publication: the marts into the serving store, then the region's report; each is skipped when nothing changed."""

from spark_jobs import config
from spark_jobs.publish import report, serving
from spark_jobs.settings import Settings


def run(settings: Settings, region_key: str) -> str:
    """Publish one region; says what was done and where it stands."""
    config.region(settings, region_key)
    store = serving.load(settings)
    path, is_new = report.write(settings, region_key)
    return f"{store}\nreport: {'written' if is_new else 'skipped, nothing changed'}: {path}"
