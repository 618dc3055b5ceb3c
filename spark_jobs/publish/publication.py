"""A publication: what moved since the last one, the marts into the serving store, the region's report; what did not change is skipped."""

from datetime import UTC, datetime

from spark_jobs import config
from spark_jobs.publish import figure_change, marts, serving
from spark_jobs.publish.report import page
from spark_jobs.settings import Settings


def run(settings: Settings, region_key: str) -> str:
    """Publish one region; says what was done and where it stands."""
    config.region(settings, region_key)
    versions = {name: mart.version for name, mart in marts.read(settings).items() if name != figure_change.NAME}
    moved = figure_change.write(settings, marts.read(settings))
    store = serving.load(settings)
    path, is_new = page.write(settings, region_key)
    figure_change.record(settings, versions, datetime.now(UTC))
    return f"{moved}\n{store}\nreport: {'written' if is_new else 'skipped, nothing changed'}: {path}"
