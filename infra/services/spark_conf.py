"""spark-defaults.conf of master, workers and lake server: one machine (services.py) and containers (infra/image/entrypoint.py) alike."""

from dataclasses import dataclass
from pathlib import Path

from spark_jobs import session
from spark_jobs.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where this Spark runs, and what it is let in with."""

    bind: str  # address that it listens on
    host: str  # name by which the others reach it
    master: str
    connect_port: int
    metastore_jdbc: str
    driver_jar: Path
    classes: Path
    logs: Path
    python: str
    code: Path
    thrift_password_file: Path
    spark_secret: str
    connect_token: str
    metastore_password: str


def spark_defaults(settings: Settings, place: Place) -> dict[str, str]:
    """It holds passwords: to be written with mode 600."""
    lake = session.lake_conf(settings)
    classes = ":".join(filter(None, (str(place.driver_jar), str(place.classes), lake.get("spark.driver.extraClassPath"))))
    return lake | {
        "spark.driver.host": place.host,
        "spark.driver.bindAddress": place.bind,
        "spark.authenticate": "true",
        "spark.authenticate.secret": place.spark_secret,
        "spark.master": place.master,
        "spark.master.rest.enabled": "false",  # a second door, without a password
        "spark.ui.killEnabled": "false",
        "spark.driver.memory": f"{settings.driver_memory_gib}g",
        "spark.executor.memory": "1g",
        "spark.executor.cores": "1",
        "spark.driver.extraClassPath": classes,
        "spark.driver.extraJavaOptions": (
            f"-Dlog4j2.configurationFile=file:{session.LOG4J} -Dlake.log.dir={place.logs} -Xss8m "
            f"-Dlake.thrift.password={place.thrift_password_file}"
        ),
        "spark.executorEnv.PYTHONPATH": str(place.code),
        "spark.executorEnv.PYSPARK_PYTHON": place.python,
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": place.bind,
        "spark.connect.grpc.binding.port": str(place.connect_port),
        "spark.connect.authenticate.token": place.connect_token,
        "spark.hadoop.javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
        "spark.hadoop.javax.jdo.option.ConnectionURL": place.metastore_jdbc,
        "spark.hadoop.javax.jdo.option.ConnectionUserName": "metastore",
        "spark.hadoop.javax.jdo.option.ConnectionPassword": place.metastore_password,
        "spark.hadoop.datanucleus.schema.autoCreateAll": "false",  # it locks itself out on PostgreSQL
        "spark.hadoop.datanucleus.schema.autoCreateTables": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
    }


def text(settings: Settings, place: Place) -> str:
    return "".join(f"{name} {value}\n" for name, value in spark_defaults(settings, place).items())


def thrift_options(bind: str, port: int) -> list[str]:
    """Of the Thrift door: where it listens, and that it asks for a password."""
    options = {
        "hive.server2.thrift.bind.host": bind,
        "hive.server2.thrift.port": port,
        "hive.server2.authentication": "CUSTOM",
        "hive.server2.custom.authentication.class": "LakeAuthentication",
    }
    return [part for name, value in options.items() for part in ("--hiveconf", f"{name}={value}")]


LAKE_SERVER = ["spark-submit", "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"]
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
