"""Fetch jars once, by Spark's own resolver (no Maven needed), check them, put them into a folder.

usage: fetch_jars.py FOLDER delta|service|storage. The jars and their sha256 stand in delta_jars.sha256 (two, beside Spark's own),
service_jars.sha256 (the PostgreSQL driver of the services' metastore) and storage_jars.sha256 (S3A, for tables on S3-compatible storage);
a jar that differs is refused and not kept.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "delta": "io.delta:delta-spark_4.2_2.13:4.4.0",
    "service": "org.postgresql:postgresql:42.7.8",
    "storage": "org.apache.hadoop:hadoop-aws:3.5.0,software.amazon.awssdk:bundle:2.35.4,"
    "software.amazon.s3.analyticsaccelerator:analyticsaccelerator-s3:1.3.1",
}
# Spark ships what these would bring, in newer versions
EXCLUDES = (
    ",".join(
        f"{group}:*"
        for group in (
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
            "org.checkerframework",
        )
    )
    + ",io.delta:delta-kernel-*"
)
HADOOP = "org.apache.hadoop:*"


def main(place: Path, what: str) -> None:
    listed = HERE / f"{what}_jars.sha256"
    wanted = {name: sha for sha, name in (line.split() for line in listed.read_text().splitlines() if line)}
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as ivy:
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars.ivy", ivy).config(
            "spark.jars.packages", PACKAGES[what]
        ).config("spark.jars.excludes", EXCLUDES if what == "storage" else f"{EXCLUDES},{HADOOP}").getOrCreate().stop()
        for name, sha in wanted.items():
            (fetched,) = Path(ivy, "jars").glob(f"*_{name}")
            found = hashlib.sha256(fetched.read_bytes()).hexdigest()
            if found != sha:
                sys.exit(f"{name}: sha256 is {found}; expected {sha} (infra/spark/{listed.name}). Not installed.")
            shutil.copy2(fetched, place / f".{name}")
            (place / f".{name}").replace(place / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
