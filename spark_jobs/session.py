"""The one Spark session of an embedded lake, and the lock that says who holds it.

Only what also exists on Spark Connect is used by the jobs (DataFrames and SQL), so that the same code runs against a lake server.
"""

import atexit
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
from filelock import FileLock, Timeout

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PYSPARK_VERSION = "4.2.0"
JAVA_VERSION = 17
CONNECT_SECONDS = 10
DELTA_JAR = "delta-spark_4.2_2.13-4.4.0.jar"
LATE_COMPILATION = (  # Java's second compiler takes a third of a small build: for what runs four times as often as by default
    "-XX:Tier4InvocationThreshold=20000", "-XX:Tier4MinInvocationThreshold=3000", "-XX:Tier4CompileThreshold=60000",
    "-XX:Tier4BackEdgeThreshold=200000",
)  # fmt: skip
LOG4J = Path(__file__).resolve().parent / "log4j2.properties"
STORAGE_JARS = Path(__file__).resolve().parents[1] / ".jars" / "storage"  # make setup-storage


def check_environment() -> None:
    """Stop at once, with one line, on a wrong Python, Java or PySpark, or without the Delta jars."""
    import importlib.metadata
    import importlib.util
    import shutil

    def wrong(what: str, found: str, expected: str, action: str = "Run make setup.") -> LakeError:
        return LakeError(what, f"found {found}", expected, action, ExitCode.NOT_READY)

    if sys.version_info[:2] != (3, 11):
        raise wrong("Python", sys.version.split()[0], "3.11")
    if (pyspark := importlib.metadata.version("pyspark")) != PYSPARK_VERSION:
        raise wrong("PySpark", pyspark, f"{PYSPARK_VERSION} (a newer one breaks Delta)")
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / "jars" / DELTA_JAR).exists():
        raise wrong("Delta", "no jar", DELTA_JAR)
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else shutil.which("java")
    if not java or not Path(java).exists():
        raise wrong("Java", "none", str(JAVA_VERSION), "Install a Java 17 runtime or set JAVA_HOME.")
    text = subprocess.run([str(java), "-version"], capture_output=True, text=True).stderr
    match = re.search(r'version "(\d+)', text)
    if not match or int(match[1]) != JAVA_VERSION:
        raise wrong("Java", match[1] if match else "unknown", str(JAVA_VERSION), "Set JAVA_HOME to a Java 17.")


@contextmanager
def hold_lake(settings: Settings, purpose: str) -> Iterator[None]:
    """The lake with its tables, for one process at a time: waits `wait_seconds`, then leaves with the holder's name."""
    settings.home_path.mkdir(parents=True, exist_ok=True)
    holder = settings.home_path / "lock.json"
    lock = FileLock(settings.home_path / "lake.lock")
    try:
        lock.acquire(timeout=settings.wait_seconds)
    except Timeout:
        held = json.loads(holder.read_text()) if holder.exists() else {}
        raise LakeError(
            str(settings.home_path),
            f"held by `lake {held.get('purpose', '?')}`, process {held.get('process', '?')}",
            "a free lake (embedded mode: one process at a time)",
            "Wait for it to end, or raise LAKE_WAIT_SECONDS.",
            ExitCode.BUSY,
        ) from None
    try:
        holder.write_text(json.dumps({"purpose": purpose, "process": os.getpid()}))
        delta.create_all(settings)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def storage_conf(settings: Settings) -> dict[str, str]:
    """Tables on S3-compatible storage, by Hadoop's S3A. Who we are stands in the environment of each process, never in a configuration."""
    if not settings.storage:
        return {}
    conf = {
        "spark.driver.extraClassPath": f"{STORAGE_JARS}/*",
        "spark.executor.extraClassPath": f"{STORAGE_JARS}/*",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    of_environment = {"fs.s3a.endpoint": "AWS_ENDPOINT_URL", "fs.s3a.endpoint.region": "AWS_REGION"}
    return conf | {f"spark.hadoop.{name}": os.environ[variable] for name, variable in of_environment.items() if variable in os.environ}


def lake_conf(settings: Settings) -> dict[str, str]:
    """What every Spark that serves a lake is told, embedded or a server."""
    return storage_conf(settings) | {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(settings.warehouse),
        "spark.executorEnv.POLARS_MAX_THREADS": "1",  # a task is a core's work
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "Asia/Tokyo",
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        "spark.sql.files.openCostInBytes": "65536",  # many small receipt files: few tasks
        "spark.sql.maxConcurrentOutputFileWriters": "32",  # write a few insurers at once instead of sorting all lines by insurer
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        # away from UTC Delta verifies the list of files in each commit's checksum by reading the whole log again, twice
        "spark.databricks.delta.allFilesInCrc.enabled": "false",
        "spark.sql.legacy.javaCharsets": "true",  # windows-31j
        "spark.sql.legacy.codingErrorAction": "true",  # a broken byte becomes U+FFFD, which goes to quarantine
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }


def connect_token(settings: Settings) -> Path:
    """Where the token of the lake server stands; made by make services."""
    return settings.secrets_path / "services" / "connect.password"


def _connect(settings: Settings) -> "SparkSession":
    """A session on the lake server, which has the lake's tables in its own metastore."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        token = connect_token(settings).read_text(encoding="utf-8")
        place = urlsplit(str(settings.spark_remote))
        socket.create_connection(
            (place.hostname or "localhost", place.port or 15002), CONNECT_SECONDS
        ).close()  # Spark would try for minutes
        # dbt asks for a session by itself: by the variable it gets this one
        os.environ["SPARK_REMOTE"] = f"{settings.spark_remote}/;user_id=lake;token={token}"
        spark = SparkSession.builder.getOrCreate()
        spark.sql("select 1").collect()
    except Exception as error:
        raise LakeError(
            str(settings.spark_remote), f"no lake server that lets us in ({type(error).__name__})", "a running one and its token",
            "make services-status says what runs; unset LAKE_SPARK_REMOTE to use embedded Spark.", ExitCode.NOT_READY,
        ) from None  # fmt: skip
    _register_tables(spark, settings)
    return spark


def start(settings: Settings) -> "SparkSession":
    """A Spark session that knows the lake's tables, by its own catalog (Derby under the lake folder); the running one if there is one. With
    `spark_remote`: one on the lake server.

    It takes some 20 seconds: ask for it where there is work for it.
    """
    from pyspark.sql import SparkSession

    if settings.spark_remote:
        return _connect(settings)
    if running := SparkSession.getActiveSession():
        return running
    check_environment()
    if settings.storage and not STORAGE_JARS.exists():
        raise LakeError(
            str(STORAGE_JARS), "no jars of S3A", "them, since LAKE_STORAGE is set", "Run make setup-storage.", ExitCode.NOT_READY
        )
    logs = settings.home_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    logging.getLogger("SQLQueryContextLogger").disabled = True
    cores = settings.cores or (psutil.cpu_count() or 2)
    derby = settings.home_path / "catalog"
    java_options = " ".join(
        (
            f"-Dlog4j2.configurationFile=file:{LOG4J}",
            f"-Dlake.log.dir={logs}",
            f"-Dderby.system.home={derby}",
            f"-Dderby.stream.error.file={logs / 'derby.log'}",
            "-XX:+UseParallelGC",
            *LATE_COMPILATION,
            "-Xss8m",  # long plans of the wide claim records
        )
    )
    conf = lake_conf(settings) | {
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={derby}/metastore;create=true",
        "spark.driver.memory": f"{settings.driver_memory_gib}g",
        "spark.driver.extraJavaOptions": java_options,
    }
    if settings.event_log:
        settings.event_log.mkdir(parents=True, exist_ok=True)
        conf |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",  # it is kept to be read and searched
            "spark.eventLog.dir": settings.event_log.resolve().as_uri(),
        }
    conf |= dict(option.split("=", 1) for option in settings.spark)
    builder = SparkSession.builder.master(settings.spark_master or f"local[{cores}]").appName("lake")
    for key, value in conf.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    atexit.register(spark.stop)
    _register_tables(spark, settings)
    return spark


def _register_tables(spark: "SparkSession", settings: Settings) -> None:
    """Let the catalog know every table that stands under the lake folder."""
    schemas = sorted({table.name.split(".")[0] for table in tables.ALL})
    present = {row.namespace for row in spark.sql("show schemas").collect()}
    for schema in schemas:
        known = {row.tableName for row in spark.sql(f"show tables in {schema}").collect()} if schema in present else set()
        if schema not in present:
            spark.sql(f"create schema {schema}")
        for table in tables.ALL:
            if table.name.split(".")[0] == schema and table.name.split(".")[1] not in known:
                spark.sql(f"create table if not exists {table.name} using delta location '{settings.table_path(table.name).as_uri()}'")
