"""All services of one machine under supervisord: PostgreSQL, Spark master and workers, the lake server, Airflow.

    services.py start | stop | status | env        (make services, services-stop, services-status)

Everything listens on loopback only and asks for a password or token, made at the first start under LAKE_SECRETS/services, mode 600. Logs of
all of them: LAKE_HOME/services/logs. `run NAME` is what supervisord calls: it waits for what a service needs, then becomes it.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
import pyspark
import spark_conf

from spark_jobs.publish.postgres import DATABASE, HOST, SERVICES, Cluster
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
AIRFLOW = ROOT / ".venv-airflow" / "bin"
SPARK = Path(pyspark.__file__).parent
PREFERRED = {"airflow": 8080, "connect": 15002, "thrift": 10000, "master": 7077, "master_ui": 8090, "worker1_ui": 8091, "worker2_ui": 8092}
USERS = {"engineer": "admin", "committee": "op"}  # of Airflow: the joint office; who approves publications
START_SECONDS = 300
WAIT_SECONDS = 240
SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Services:
    """Where they stand, and how each is reached."""

    settings: Settings

    @cached_property
    def home(self) -> Path:
        return self.settings.home_path / "services"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.settings)

    @property
    def secrets(self) -> Path:
        return self.settings.secrets_path / "services"

    def secret(self, name: str) -> str:
        """Made at first need, mode 600, never under LAKE_HOME."""
        file = self.secret_file(name)
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(32))
        return file.read_text(encoding="utf-8")

    def secret_file(self, name: str) -> Path:
        return self.secrets / f"{name}.password"

    @cached_property
    def ports(self) -> dict[str, int]:
        """Chosen at the first start (the usual one where it is free) and kept."""
        kept = self.home / "ports.json"
        if not kept.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps({name: _free(port) for name, port in PREFERRED.items()}), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))

    @property
    def socket(self) -> Path:
        """Of supervisord: under the lake folder, or, where its path is too long, in the temporary one."""
        own = self.home / "supervisor.sock"
        return own if len(str(own)) < 90 else Path("/tmp") / f"lake-{hashlib.sha256(str(own).encode()).hexdigest()[:12]}.sock"

    @property
    def airflow_url(self) -> str:
        return f"http://{HOST}:{self.ports['airflow']}"

    @property
    def spark_remote(self) -> str:
        return f"sc://localhost:{self.ports['connect']}"  # by name: Spark Connect sends a token without TLS to this name only

    def jdbc(self, database: str) -> str:
        return f"jdbc:postgresql://{HOST}:{self.cluster.port}/{database}"

    @property
    def driver(self) -> Path:
        return next((ROOT / ".jars").glob("postgresql-*.jar"), ROOT / ".jars" / "postgresql.jar")

    def airflow_env(self) -> dict[str, str]:
        """What Airflow's processes, and the `lake` commands they run, are told. Secrets are named by file, never given."""

        def of_file(name: str) -> str:
            return f"cat {self.secret_file(name)}"

        path = [str(AIRFLOW), str(ROOT / ".venv" / "bin"), os.environ.get("PATH", "/usr/bin:/bin")]
        return {
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(ROOT / "dags"),  # callbacks of deadlines are imported by name
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY_CMD": of_file("fernet"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.secrets / "airflow_users.json"),
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.ports["airflow"]),
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY_CMD": of_file("api"),
            "AIRFLOW__API_AUTH__JWT_SECRET_CMD": of_file("jwt"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": of_file("airflow_url"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs / "tasks"),
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "60",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "DO_NOT_TRACK": "1",
            "LAKE_HOME": str(self.settings.home_path),
            "LAKE_CONFIG": str(self.settings.config.resolve()),
            "LAKE_SECRETS": str(self.settings.secrets_path),
            "LAKE_INBOX": str(self.settings.inbox.resolve()),
            "LAKE_SPARK_REMOTE": self.spark_remote,
        } | ({"LAKE_STORAGE": self.settings.storage} if self.settings.storage else {})

    def spark_env(self) -> dict[str, str]:
        return {
            "SPARK_HOME": str(SPARK),
            "SPARK_CONF_DIR": str(self.home / "spark_conf"),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_WORKER_DIR": str(self.home / "spark_work"),
            "PYSPARK_PYTHON": sys.executable,
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '/usr/bin:/bin')}",
        }

    @property
    def spark_place(self) -> spark_conf.Place:
        return spark_conf.Place(
            bind=HOST, host=HOST, master=f"spark://{HOST}:{self.ports['master']}", connect_port=self.ports["connect"],
            metastore_jdbc=self.jdbc("metastore"), driver_jar=self.driver, classes=self.home / "classes", logs=self.logs,
            python=sys.executable, code=ROOT, thrift_password_file=self.secret_file("thrift"), spark_secret=self.secret("spark"),
            connect_token=self.secret("connect"), metastore_password=self.cluster.password("metastore"),
        )  # fmt: skip


# What each service is, what it waits for, and how it is asked whether it is well.


def _postgres(here: Services) -> None:
    """Up until SIGTERM."""
    ended = threading.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: ended.set())
    if not here.cluster.is_running:
        here.cluster.start()
    while not ended.wait(5):
        if not here.cluster.is_running:
            sys.exit("PostgreSQL is gone")  # supervisord starts it again
    here.cluster.stop()


def _spark_class(here: Services, *arguments: str) -> None:
    os.execve(SPARK / "bin" / "spark-class", ["spark-class", *arguments], os.environ | here.spark_env())


def _master(here: Services) -> None:
    ports = here.ports
    _spark_class(
        here, spark_conf.MASTER, "--host", HOST, "--port", str(ports["master"]), "--webui-port",
        str(ports["master_ui"]),
    )  # fmt: skip


def _worker(number: int) -> Callable[[Services], None]:
    def run(here: Services) -> None:
        _spark_class(
            here, spark_conf.WORKER, f"spark://{HOST}:{here.ports['master']}", "--host", HOST, "--cores", "1",
            "--memory", "1500m", "--webui-port", str(here.ports[f"worker{number}_ui"]),
        )  # fmt: skip

    return run


def _lake_server(here: Services) -> None:
    words = [*spark_conf.LAKE_SERVER, *spark_conf.thrift_options(HOST, here.ports["thrift"])]
    os.execve(SPARK / "bin" / "spark-submit", words, os.environ | here.spark_env())


def _airflow(*words: str) -> Callable[[Services], None]:
    def run(here: Services) -> None:
        os.execve(AIRFLOW / "airflow", ["airflow", *words], os.environ | here.airflow_env())

    return run


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _answer(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


def _postgres_is_well(here: Services) -> bool:
    """By the passwords of those who use it."""
    try:
        for name in SERVICES:
            psycopg.connect(
                host=HOST, port=here.cluster.port, dbname=name, user=name, password=here.cluster.password(name), connect_timeout=3
            ).close()
    except psycopg.OperationalError:
        return False
    return True


def _workers(here: Services) -> int:
    try:
        return _answer(f"http://{HOST}:{here.ports['master_ui']}/json/")["aliveworkers"]
    except (OSError, ValueError, KeyError):
        return 0


def _airflow_part(part: str) -> Callable[[Services], bool]:
    def is_well(here: Services) -> bool:
        try:
            health = _answer(f"{here.airflow_url}/api/v2/monitor/health")
        except (OSError, ValueError):
            return False
        return (health.get(part) or {}).get("status") == "healthy"

    return is_well


@dataclass(frozen=True)
class Service:
    run: Callable[[Services], None]
    is_well: Callable[[Services], bool]
    needs: tuple[str, ...] = ()
    stop_seconds: int = 30


ALL: dict[str, Service] = {  # in the order in which they start; stopped the other way round
    "postgres": Service(_postgres, _postgres_is_well, stop_seconds=70),
    "spark-master": Service(_master, lambda here: _is_open(here.ports["master"])),
    "spark-worker1": Service(_worker(1), lambda here: _workers(here) >= 1, ("spark-master",)),
    "spark-worker2": Service(_worker(2), lambda here: _workers(here) >= 2, ("spark-master",)),
    "lake-server": Service(
        _lake_server, lambda here: _is_open(here.ports["connect"]) and _is_open(here.ports["thrift"]), ("postgres", "spark-worker1")
    ),
    "airflow-api": Service(_airflow("api-server"), _airflow_part("metadatabase"), ("postgres",)),
    "airflow-scheduler": Service(_airflow("scheduler", "--skip-serve-logs"), _airflow_part("scheduler"), ("airflow-api",)),
    "airflow-dag-processor": Service(_airflow("dag-processor"), _airflow_part("dag_processor"), ("airflow-api",)),
    "airflow-triggerer": Service(_airflow("triggerer", "--skip-serve-logs"), _airflow_part("triggerer"), ("airflow-api",)),
}


def run(here: Services, name: str) -> None:
    """Wait for what it needs, then become the service."""
    for need in ALL[name].needs:
        _wait(lambda need=need: ALL[need].is_well(here), WAIT_SECONDS, f"{name}: {need} did not come up")
    ALL[name].run(here)


def _wait(is_done: Callable[[], bool], seconds: int, otherwise: str) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            sys.exit(f"services: {otherwise} in {seconds} s")
        time.sleep(1)


def prepare(here: Services) -> None:
    """Passwords, databases, configuration: what is there stays."""
    for folder in (here.logs, here.home / "classes", here.home / "spark_conf", here.home / "spark_work", here.home / "airflow"):
        folder.mkdir(parents=True, exist_ok=True)
    here.home.chmod(0o755)
    for name in ("spark", "connect", "thrift", "api", "jwt", SUPERVISOR, *(f"user_{user}" for user in USERS)):
        here.secret(name)
    _write(here.secrets / "fernet.password", _fernet)
    _write(here.secrets / "airflow_users.json", lambda: json.dumps({user: here.secret(f"user_{user}") for user in USERS}))
    started = not here.cluster.is_running
    here.cluster.folder.mkdir(parents=True, exist_ok=True)
    if started:
        here.cluster.start()
    try:
        _databases(here)
        url = f"postgresql+psycopg://airflow:{here.cluster.password('airflow')}@{HOST}:{here.cluster.port}/airflow"
        _write(here.secret_file("airflow_url"), lambda: url)
        _metastore(here)
        _migrate_airflow(here)
    finally:
        if started:
            here.cluster.stop()
    if not (here.home / "classes" / "LakeAuthentication.class").exists():
        classpath = f"{SPARK / 'jars'}/*"
        _call("javac", "-cp", classpath, "-d", str(here.home / "classes"), str(HERE / "LakeAuthentication.java"))
    conf = here.home / "spark_conf" / "spark-defaults.conf"
    conf.unlink(missing_ok=True)
    _write(conf, lambda: spark_conf.text(here.settings, here.spark_place))


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _write(file: Path, text: Callable[[], str]) -> None:
    """Once, mode 600."""
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
            handle.write(text())


def _databases(here: Services) -> None:
    """A role and a database for each service; the public may enter none."""
    with here.cluster.connect("postgres") as connection:
        connection.autocommit = True
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        databases = {name for (name,) in connection.execute("select datname from pg_database")}
        for name in SERVICES:
            verifier = connection.pgconn.encrypt_password(here.cluster.password(name).encode(), name.encode(), b"scram-sha-256").decode()
            if name not in roles:
                connection.execute(f"create role {name} login nosuperuser nocreatedb nocreaterole password '{verifier}'")
            if name not in databases:
                connection.execute(f"create database {name} owner {name}")
                connection.execute(f"revoke all on database {name} from public")
        connection.execute(f"revoke all on database {DATABASE} from public")


def _metastore(here: Services) -> None:
    made = here.home / "metastore_schema.made"
    if not made.exists():
        password = here.cluster.password_file("metastore")
        _call(sys.executable, str(HERE / "metastore_schema.py"), str(here.driver), here.jdbc("metastore"), "metastore", str(password))
        made.touch()


def _migrate_airflow(here: Services) -> None:
    env = os.environ | here.airflow_env()
    _call(str(AIRFLOW / "airflow"), "db", "migrate", env=env)
    _call(str(AIRFLOW / "airflow"), "pools", "import", str(HERE / "pools.json"), env=env)


def _call(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        sys.exit(f"services: `{Path(command[0]).name} {command[1]}` ended with {done.returncode}: {said[-1] if said else 'no message'}")


def supervisor_conf(here: Services) -> str:
    """supervisord's configuration: each service with its log; started in order, restarted when it ends, stopped with its children."""
    login = f"username=lake\npassword={{SHA}}{hashlib.sha1(here.secret(SUPERVISOR).encode()).hexdigest()}"
    parts = [
        f"[unix_http_server]\nfile={here.socket}\nchmod=0700\n{login}",
        f"[supervisord]\nlogfile={here.logs / 'supervisord.log'}\npidfile={here.home / 'supervisord.pid'}\nchildlogdir={here.logs}\n"
        f"directory={ROOT}\nminfds=4096" + ("\nuser=root" if os.geteuid() == 0 else ""),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for order, (name, service) in enumerate(ALL.items()):
        parts.append(
            f"[program:{name}]\ncommand={sys.executable} {Path(__file__).resolve()} run {name}\npriority={order + 1}\n"
            f"autorestart=true\nstartsecs=3\nstartretries=20\nstopwaitsecs={service.stop_seconds}\n"
            f"stopasgroup={str(name != 'postgres').lower()}\nkillasgroup=true\nredirect_stderr=true\n"
            f"stdout_logfile={here.logs / name}.log\nstdout_logfile_maxbytes=20MB\nstdout_logfile_backups=3"
        )
    return "\n\n".join(parts) + "\n"


def start(here: Services) -> int:
    if not here.driver.exists():
        sys.exit("services: the PostgreSQL driver is missing; run make setup-services")
    if _pid(here):
        print("services: running already", flush=True)
    else:
        print("services: preparing (passwords, databases, metastore: a minute at the first start)", flush=True)
        prepare(here)
        conf = here.home / "supervisord.conf"
        conf.unlink(missing_ok=True)
        text = supervisor_conf(here)
        _write(conf, lambda: text)
        _call(str(AIRFLOW / "supervisord"), "-c", str(conf), env=os.environ | _lake_env(here))
    _wait(lambda: all(service.is_well(here) for service in ALL.values()), START_SECONDS, f"not all came up (logs: {here.logs})")
    return status(here)


def _lake_env(here: Services) -> dict[str, str]:
    """The same lake for every service, wherever supervisord is started from."""
    return {name: value for name, value in here.airflow_env().items() if name in ("LAKE_HOME", "LAKE_CONFIG", "LAKE_SECRETS", "LAKE_INBOX")}


def status(here: Services) -> int:
    """0 if all are well."""
    wells = {name: bool(_pid(here)) and service.is_well(here) for name, service in ALL.items()}
    for name, is_well in wells.items():
        print(f"{'✓' if is_well else '✗'} {name:<22} {here.logs / name}.log")
    if all(wells.values()):
        print(f"Airflow: {here.airflow_url}  users {', '.join(USERS)}, passwords in {here.secrets}/user_*.password")
        print(f"lake server: LAKE_SPARK_REMOTE={here.spark_remote} (token {here.secret_file('connect')})")
        print(f"Thrift: jdbc:hive2://{HOST}:{here.ports['thrift']} user lake, password {here.secret_file('thrift')}")
        print(f"PostgreSQL: {HOST}:{here.cluster.port}, database {DATABASE}, schema marts; logins and passwords as in `lake serve`")
    return 0 if all(wells.values()) else 1


def _pid(here: Services) -> int | None:
    """Of the running supervisord."""
    try:
        pid = int((here.home / "supervisord.pid").read_text())
        return pid if "supervisord" in Path(f"/proc/{pid}/cmdline").read_text() else None
    except (OSError, ValueError):
        return None


def stop(here: Services) -> int:
    """The last started first; PostgreSQL last."""
    pid = _pid(here)
    if pid is None:
        print("services: not running")
        return 0
    os.kill(pid, signal.SIGTERM)
    _wait(lambda: not _pid(here), 180, "supervisord did not end")
    print("services: stopped")
    return 0


def env(here: Services) -> int:
    """Shell lines for `airflow …` and `lake …` by hand against these services: eval "$(services.py env)"."""
    for name, value in here.airflow_env().items():
        print(f"export {name}='{value}'")
    return 0


def _free(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port")


def main() -> int:
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("command", choices=["start", "stop", "status", "env", "run"])
    arg.add_argument("name", nargs="?", choices=list(ALL))
    options = arg.parse_args()
    os.chdir(ROOT)
    here = Services(Settings())
    if options.command == "run":
        run(here, options.name)
        return 0
    return {"start": start, "stop": stop, "status": status, "env": env}[options.command](here)


if __name__ == "__main__":
    sys.exit(main())
