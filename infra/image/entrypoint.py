"""What a container of the image becomes: `master`, `worker`, `lake-server`, `metastore-schema`, or `airflow WORDS`.

Reads secrets from files of SECRETS_DIR (default /run/secrets: spark, connect, thrift, metastore, airflow_url, fernet, api, jwt) and places
from variables: MASTER_HOST, POSTGRES_HOST, BIND, OWN_HOST. Nothing secret is in a variable or an argument.
"""

import os
import sys
from pathlib import Path

import pyspark

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra" / "services"))

import spark_conf  # noqa: E402

from spark_jobs.settings import Settings  # noqa: E402

SPARK = Path(pyspark.__file__).parent
SECRETS = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
CONF = Path(os.environ.get("SPARK_CONF_DIR", "/conf"))
PORTS = {"master": 7077, "master_ui": 8090, "worker_ui": 8091, "connect": 15002, "thrift": 10000}
AIRFLOW_FILES = {  # settings of Airflow that are read from a file
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "airflow_url",
    "AIRFLOW__CORE__FERNET_KEY_CMD": "fernet",
    "AIRFLOW__API__SECRET_KEY_CMD": "api",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD": "jwt",
}


def secret(name: str) -> str:
    return (SECRETS / name).read_text(encoding="utf-8").strip()


def jdbc() -> str:
    return f"jdbc:postgresql://{os.environ.get('POSTGRES_HOST', 'postgres')}:5432/metastore"


def place() -> spark_conf.Place:
    return spark_conf.Place(
        bind=os.environ.get("BIND", "0.0.0.0"), host=os.environ.get("OWN_HOST", os.uname().nodename),
        master=f"spark://{os.environ.get('MASTER_HOST', 'spark-master')}:{PORTS['master']}", connect_port=PORTS["connect"],
        metastore_jdbc=jdbc(), driver_jar=next((ROOT / ".jars").glob("postgresql-*.jar")), classes=ROOT / "classes", logs=Path("/tmp"),
        python=str(ROOT / ".venv" / "bin" / "python"), code=ROOT, thrift_password_file=SECRETS / "thrift", spark_secret=secret("spark"),
        connect_token=secret("connect"), metastore_password=secret("metastore"),
    )  # fmt: skip


def command(role: str, words: list[str]) -> tuple[Path, list[str], dict[str, str]]:
    """(executable, its arguments, variables) of a role; writes spark-defaults.conf where it is one of Spark."""
    if role == "airflow":
        return ROOT / ".venv-airflow" / "bin" / "airflow", ["airflow", *words], {n: f"cat {SECRETS / f}" for n, f in AIRFLOW_FILES.items()}
    if role == "metastore-schema":
        script = str(ROOT / "infra" / "services" / "metastore_schema.py")
        here = place()
        return Path(sys.executable), ["python", script, str(here.driver_jar), jdbc(), "metastore", str(SECRETS / "metastore")], {}
    conf, here = CONF / "spark-defaults.conf", place()
    conf.touch(mode=0o600)
    conf.write_text(spark_conf.text(Settings(), here), encoding="utf-8")
    env = {"SPARK_HOME": str(SPARK), "SPARK_CONF_DIR": str(CONF), "SPARK_NO_DAEMONIZE": "1", "PYSPARK_PYTHON": here.python}
    env["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    match role:
        case "master":
            options = ["--host", here.host, "--port", str(PORTS["master"]), "--webui-port", str(PORTS["master_ui"])]
            return SPARK / "bin" / "spark-class", ["spark-class", spark_conf.MASTER, *options], env
        case "worker":
            options = [here.master, "--cores", "1", "--memory", "1500m", "--webui-port", str(PORTS["worker_ui"])]
            return SPARK / "bin" / "spark-class", ["spark-class", spark_conf.WORKER, *options], env
        case "lake-server":
            words = [*spark_conf.LAKE_SERVER, *spark_conf.thrift_options("127.0.0.1", PORTS["thrift"])]
            return SPARK / "bin" / "spark-submit", words, env
    sys.exit(f"entrypoint: no role {role}; expected master, worker, lake-server, metastore-schema or airflow")


if __name__ == "__main__":
    executable, arguments, more = command(sys.argv[1], sys.argv[2:])
    os.execve(executable, arguments, os.environ | more)
