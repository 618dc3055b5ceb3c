"""What the services are told, without starting them: loopback, passwords from files of mode 600, one log each. They start for real in
tests/end_to_end/test_region_on_services.py."""

import configparser
import importlib.util
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

from spark_jobs.publish import postgres
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def load(path: str) -> ModuleType:
    """A script of infra/."""
    file = ROOT / path
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


services = load("infra/services/services.py")
entrypoint = load("infra/image/entrypoint.py")


@pytest.fixture
def here(tmp_path):
    (tmp_path / "lake" / "serving").mkdir(parents=True)
    return services.Services(Settings(home=tmp_path / "lake", secrets=tmp_path / "secrets", config=ROOT / "config"))


def test_secrets_are_made_once_and_closed(here):
    first = here.secret("connect")
    assert len(first) > 40 and here.secret("connect") == first
    assert stat.S_IMODE(here.secret_file("connect").stat().st_mode) == 0o600
    assert stat.S_IMODE(here.secrets.stat().st_mode) == 0o700


def test_ports_are_kept_and_all_listen_on_loopback(here):
    assert here.ports == services.Services(here.settings).ports and len(set(here.ports.values())) == len(services.PREFERRED)
    conf = services.spark_conf.spark_defaults(here.settings, here.spark_place)
    assert {conf[name] for name in ("spark.driver.host", "spark.driver.bindAddress", "spark.connect.grpc.binding.address")} == {"127.0.0.1"}
    assert here.airflow_env()["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert services.spark_conf.thrift_options("127.0.0.1", 1)[1] == "hive.server2.thrift.bind.host=127.0.0.1"


def test_every_door_asks_for_something(here):
    conf = services.spark_conf.spark_defaults(here.settings, here.spark_place)
    assert conf["spark.authenticate"] == "true" and conf["spark.connect.authenticate.token"] == here.secret("connect")
    assert conf["spark.master.rest.enabled"] == "false"
    assert "hive.server2.authentication=CUSTOM" in services.spark_conf.thrift_options("127.0.0.1", 1)
    assert "trust" not in postgres.HBA
    for name in postgres.SERVICES:
        assert f"host {name} {name} 127.0.0.1/32 scram-sha-256\n" in postgres.HBA


def test_no_secret_is_in_a_variable_or_a_command(here):
    shown = services.supervisor_conf(here) + " ".join(here.airflow_env().values()) + " ".join(here.spark_env().values())
    kept = [file.read_text() for file in here.secrets.iterdir()]
    assert kept and not any(secret in shown for secret in kept)


def test_each_service_has_its_log_and_is_started_again(here):
    parsed = configparser.RawConfigParser()
    parsed.read_string(services.supervisor_conf(here))
    programs = {name.removeprefix("program:"): parsed[name] for name in parsed.sections() if name.startswith("program:")}
    assert list(programs) == list(services.ALL)
    for name, program in programs.items():
        assert program["autorestart"] == "true" and program["stdout_logfile"] == str(here.logs / f"{name}.log")
    assert [int(program["priority"]) for program in programs.values()] == sorted(int(p["priority"]) for p in programs.values())
    assert parsed["unix_http_server"]["chmod"] == "0700" and len(parsed["unix_http_server"]["file"]) < 104


def test_a_service_waits_for_one_that_stands_before_it():
    names = list(services.ALL)
    for name, service in services.ALL.items():
        assert all(names.index(need) < names.index(name) for need in service.needs)


def test_what_is_not_there_is_not_well(here):
    assert services.status(here) == 1 and services.stop(here) == 0


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Secrets and folders of a container."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "conf").mkdir()
    for name in ("spark", "connect", "thrift", "metastore", "airflow_url", "fernet", "api", "jwt"):
        (tmp_path / "secrets" / name).write_text(f"secret-{name}\n")
    (tmp_path / "postgresql-1.jar").touch()
    monkeypatch.setattr(entrypoint, "SECRETS", tmp_path / "secrets")
    monkeypatch.setattr(entrypoint, "CONF", tmp_path / "conf")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([tmp_path / "postgresql-1.jar"]))
    return tmp_path


@pytest.mark.parametrize("role", ["master", "worker", "lake-server"])
def test_a_container_of_spark_gets_its_conf_closed_and_no_secret_in_its_command(container, role):
    executable, words, env = entrypoint.command(role, [])
    conf = container / "conf" / "spark-defaults.conf"
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
    assert "spark.connect.authenticate.token secret-connect\n" in conf.read_text()
    assert os.access(executable, os.X_OK) and "secret-" not in " ".join(words) + " ".join(env.values())


def test_a_container_of_airflow_reads_its_secrets_from_files(container):
    _, words, env = entrypoint.command("airflow", ["scheduler"])
    assert words == ["airflow", "scheduler"] and set(env.values()) == {
        f"cat {container}/secrets/{n}" for n in ("airflow_url", "fernet", "api", "jwt")
    }


def test_an_unknown_role_is_refused(container):
    with pytest.raises(SystemExit, match="no role superset; expected master"):
        entrypoint.command("superset", [])
