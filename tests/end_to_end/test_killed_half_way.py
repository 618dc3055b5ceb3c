"""An ingest that is killed and called again leaves the same rows as one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

from spark_jobs import config, ingest
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

INGEST = """
from pathlib import Path
import sys
from spark_jobs import ingest, session, tables
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings

settings = Settings()
with session.hold_lake(settings, "test"):
    spark = session.start(settings)
    tables.create_all(spark)
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        delivery.deliver(spark, settings, folder, folder.name)
    ingest.run(spark, settings)
"""
TABLES = [
    "bronze.claim_line",
    *(f"silver.{name}" for name in ("claim", "claim_drug", "claim_diagnosis", "claim_payer", "person", "facility")),
]


def contents(settings: Settings) -> dict[str, list[tuple]]:
    """Rows of each table, in one order."""
    return {name: sorted(pl.read_delta(str(settings.table_path(name))).rows(), key=str) for name in TABLES}


def start(settings: Settings, inbox: Path) -> subprocess.Popen:
    """The same ingest in a process of its own, on a lake of its own."""
    env = os.environ | {
        "LAKE_HOME": str(settings.home), "LAKE_SECRETS": str(settings.secrets), "LAKE_CONFIG": str(settings.config), "LAKE_DRIVER_MEMORY_GIB": "1"
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", INGEST, str(inbox)], env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def test_killed_and_called_again_gives_the_same_rows(lake, tmp_path: Path):
    spark, settings = lake
    consortium.write(settings, tmp_path, members=700, least_members=60, biologic_use=40.0, first_service_month=202503, months=1, seed=5)
    inbox = tmp_path / "inbox"
    keys.create(settings, None)
    for number in config.insurers(settings):
        delivery.deliver(spark, settings, inbox / number, number)
    ingest.run(spark, settings)
    undisturbed = contents(settings)
    assert all(undisturbed.values())

    other = Settings(home=tmp_path / "home", secrets=settings.secrets, config=settings.config)
    first = start(other, inbox)
    commit = other.table_path("silver.claim") / "_delta_log" / f"{1:020}.json"
    until = time.monotonic() + 240
    while not commit.exists() and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert first.poll() is None, f"ended before it could be killed: {first.stderr.read().decode()[-2000:]}"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = start(other, inbox)
    _, said = second.communicate(timeout=240)
    assert second.returncode == 0, said.decode()[-2000:]
    assert contents(other) == undisturbed
