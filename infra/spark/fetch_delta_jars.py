"""Fetch the two Delta jars once, by Spark's own resolver (no Maven needed), check them, put them beside Spark's jars.

usage: fetch_delta_jars.py FOLDER. The jars and their sha256 stand in delta_jars.sha256; a jar that differs is refused and not kept.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
# Spark ships what these would bring, in newer versions
EXCLUDES = (
    ",".join(
        f"{group}:*"
        for group in (
            "org.apache.hadoop",
            "org.apache.parquet",
            "org.apache.logging.log4j",
            "org.apache.commons",
            "com.fasterxml.jackson.core",
            "com.fasterxml.jackson.datatype",
            "io.unitycatalog",
            "org.roaringbitmap",
            "org.locationtech.jts",
            "commons-logging",
            "javax.annotation",
            "org.slf4j",
        )
    )
    + ",io.delta:delta-kernel-*"
)


def main(place: Path) -> None:
    wanted = {name: sha for sha, name in (line.split() for line in (HERE / "delta_jars.sha256").read_text().splitlines() if line)}
    with tempfile.TemporaryDirectory() as ivy:
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars.ivy", ivy).config(
            "spark.jars.packages", "io.delta:delta-spark_4.2_2.13:4.4.0"
        ).config("spark.jars.excludes", EXCLUDES).getOrCreate().stop()
        for name, sha in wanted.items():
            fetched = Path(ivy, "jars", f"io.delta_{name}")
            found = hashlib.sha256(fetched.read_bytes()).hexdigest()
            if found != sha:
                sys.exit(f"{name}: sha256 is {found}; expected {sha} (infra/spark/delta_jars.sha256). Not installed.")
            shutil.copy2(fetched, place / f".{name}")
            (place / f".{name}").replace(place / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
