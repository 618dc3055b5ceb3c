"""`lake keys rotate`: the next version of an insurer's key. New facts carry it; the links of persons are rewritten, facts are not."""

from spark_jobs import delta, tables
from spark_jobs.identity import access, keys, person_link
from spark_jobs.settings import Settings


def run(settings: Settings, insurer_number: str) -> str:
    """Make the key, rewrite the links. A rotation that was killed between the two is finished, not repeated. Says what was done."""
    newest = keys.version(settings, insurer_number)
    held = delta.read(settings, tables.PERSON_LINK, {"insurer_number": [insurer_number]})
    if held.height and int(held["link_version"].min()) < newest:  # type: ignore[arg-type]
        done = f"rotation to version {newest} finished"
    else:
        newest = keys.add_version(settings, insurer_number)
        done = f"key version {newest} made"
    access.record(settings, "keys rotate", insurer_number, held.height, detail=f"version {newest}")
    person_link.refresh(settings, [insurer_number])
    return f"{insurer_number}: {done}; links of {held.height:,} pseudonyms rewritten. The older keys stay: back up all of them."
