"""Whole lakes of several seeds (random_lake.py), their marts built one after the other on one Spark, so that its start and Java's compilers
are paid once.

usage: random_lakes.py PLACE SEED…        makes PLACE/SEED for each, PLACE/SEED/made when all is there
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import random_lake

CATALOG = "catalog"  # of the session that goes on
BUILT = ("staging", "intermediate", "marts")


def put_aside(home: Path, target: Path) -> None:
    """The lake to its own place; the session forgets what dbt made of it."""
    from pyspark.sql import SparkSession

    target.mkdir()
    for part in home.iterdir():
        if part.name != CATALOG:
            shutil.move(part, target / part.name)
    spark = SparkSession.active()
    for schema in BUILT:
        spark.sql(f"drop schema if exists {schema} cascade")
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]


def main(place: Path, seeds: list[str]) -> None:
    from spark_jobs import build, session
    from spark_jobs.settings import Settings

    home = place / "home"
    for seed in seeds:
        own = place / seed
        subprocess.run([sys.executable, random_lake.__file__, str(own), seed, str(home)], check=True)
        os.environ |= random_lake.environment(own, home)
        settings = Settings()
        with session.hold_lake(settings, "test"):
            print(seed, build.run(settings), flush=True)
        put_aside(home, own / "home")
        (own / "made").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
