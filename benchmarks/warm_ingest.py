"""Two ingests in one process; prints the seconds of the second and how long a stage of Spark was running in it.

usage: python -m benchmarks.warm_ingest WARM_UP_INBOX INBOX    settings from the environment, LAKE_EVENT_LOG among them
"""

import json
import sys
import time
from pathlib import Path

from spark_jobs import ingest, session
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings


def take_in(settings: Settings, inbox: Path) -> tuple[float, float]:
    """(begin, end) of the ingest alone, Unix time."""
    for folder in sorted(path for path in inbox.iterdir() if path.is_dir()):
        delivery.deliver(settings, folder, folder.name)
    begin = time.time()
    ingest.run(settings)
    return begin, time.time()


def stage_seconds(event_log: Path, begin: float, end: float) -> float:
    """Seconds between `begin` and `end` in which at least one stage was running."""
    spans = []
    for path in event_log.rglob("*"):
        if path.is_file() and not path.name.startswith((".", "appstatus")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if '"SparkListenerStageCompleted"' in line:
                        info = json.loads(line)["Stage Info"]
                        spans.append((info["Submission Time"] / 1000, info["Completion Time"] / 1000))
    total, covered = 0.0, begin
    for first, last in sorted(spans):
        first, last = max(first, covered), min(last, end)
        if last > first:
            total, covered = total + last - first, last
    return total


def main(warm_up: Path, inbox: Path) -> None:
    settings = Settings()
    with session.hold_lake(settings, "bench"):
        keys.create(settings, None)
        take_in(settings, warm_up)
        begin, end = take_in(settings, inbox)
    if "pyspark" in sys.modules:
        from pyspark.sql import SparkSession

        if running := SparkSession.getActiveSession():
            running.stop()  # ends the event log
    stages = stage_seconds(settings.event_log, begin, end) if settings.event_log and settings.event_log.exists() else 0.0
    print(json.dumps({"seconds": round(end - begin, 2), "stage_seconds": round(stages, 2)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
