"""The demo region from dropped deliveries to the approved publication, on real services, driven through Airflow's API with its scheduler;
readers get the figures that embedded mode makes of the same files."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from spark_jobs.publish.postgres import running
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SERVICES = ROOT / "infra" / "services" / "services.py"
INVENTED = ("--members", "300", "--first-service-month", "202503", "--months", "3", "--seed", "1")
REGION = "demo"
MINUTES = 60


def call(place: Path, *command: str | Path, wanted: int = 0) -> str:
    env = os.environ | {
        "LAKE_HOME": str(place / "lake"), "LAKE_SECRETS": str(place / "secrets"), "LAKE_CONFIG": str(place.parent / "config"),
        "LAKE_INBOX": str(place.parent / "files" / "inbox"), "LAKE_DRIVER_MEMORY_GIB": "2", "LAKE_SPARK": "[]",
    }  # fmt: skip
    done = subprocess.run(list(map(str, command)), env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == wanted, done.stdout + done.stderr
    return done.stdout


def lake(place: Path, *words: str | Path) -> str:
    return call(place, BIN / "python", "-m", "spark_jobs.cli", *words)


class Airflow:
    """Its API, as one of its users."""

    def __init__(self, place: Path, user: str):
        kept = place / "lake" / "services" / "ports.json"
        self.url = f"http://127.0.0.1:{json.loads(kept.read_text())['airflow']}"
        password = (place / "secrets" / "services" / f"user_{user}.password").read_text()
        self.token = ""
        self.token = self("POST", "/auth/token", {"username": user, "password": password})["access_token"]

    def __call__(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def runs(self, dag: str) -> list[dict]:
        return self("GET", f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after")["dag_runs"]

    def wait(self, told: str, found, minutes: int = 20):
        """What `found` gives, once it gives something."""
        until = time.monotonic() + minutes * 60
        while not (result := found()):
            assert time.monotonic() < until, f"{told}: not in {minutes} minutes; {self.states()}"
            time.sleep(3)
        return result

    def ended(self, dag: str, run_id: str | None = None) -> str:
        """The state of a run (the newest), when it has ended."""

        def state():
            found = [run for run in self.runs(dag) if run_id in (None, run["dag_run_id"])]
            return found[0]["state"] if found and found[0]["state"] in ("success", "failed") else None

        return self.wait(f"{dag} ends", state)

    def states(self) -> dict:
        dags = (f"ingest_region__{REGION}", "build_marts", f"publish_region__{REGION}")
        tasks = lambda dag, run: self("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]  # noqa: E731
        return {dag: [(t["task_id"], t["state"]) for run in self.runs(dag)[:1] for t in tasks(dag, run["dag_run_id"])] for dag in dags}


def figures(place: Path) -> dict[str, list[tuple]]:
    """Every published table, its rows in order; the record of the publication apart."""
    settings = Settings(home=place / "lake", secrets=place / "secrets", config=place.parent / "config")
    with running(settings) as cluster, cluster.connect() as connection:
        names = [name for (name,) in connection.execute("select table_name from information_schema.tables where table_schema = 'marts'")]
        read = lambda name: connection.execute(f"select row_to_json(t)::text from marts.{name} t order by 1").fetchall()  # noqa: E731
        return {name: read(name) for name in sorted(names) if name != "publication"}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What the insurers have dropped, and config/."""
    place = tmp_path_factory.mktemp("services")
    shutil.copytree(ROOT / "config", place / "config")
    for insurer in (place / "config" / "insurers").glob("*.yaml"):  # expected from the first month on that there is
        told = insurer.read_text(encoding="utf-8")
        insurer.write_text(told.replace("start_claim_month: 202411", "start_claim_month: 202504"), encoding="utf-8")
    lake(place / "made", "synthesize", place / "files", *INVENTED)
    return place


@pytest.fixture(scope="module")
def embedded(files: Path) -> dict[str, list[tuple]]:
    """The figures of embedded mode."""
    place = files / "embedded"
    lake(place, "keys", "create")
    lake(place, "masters", "load", "shipped")
    for inbox in sorted((files / "files" / "inbox").iterdir()):
        lake(place, "deliver", inbox, "--insurer", inbox.name)
    for words in (("ingest",), ("build",), ("publish", "--region", REGION)):
        lake(place, *words)
    return figures(place)


@pytest.fixture(scope="module")
def served(files: Path):
    """Services on a lake with keys and lists, nothing delivered."""
    if not (ROOT / ".venv-airflow").exists() or not (ROOT / ".jars").exists():
        pytest.skip("make setup-services was not run")
    place = files / "served"
    lake(place, "keys", "create")
    lake(place, "masters", "load", "shipped")
    try:
        call(place, BIN / "python", SERVICES, "start")
        yield place
    finally:
        call(place, BIN / "python", SERVICES, "stop")


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60)
def test_a_region_is_published_through_airflow_and_figures_equal_embedded_mode(embedded, served):
    engineer, committee = Airflow(served, "engineer"), Airflow(served, "committee")
    ingest, publish = f"ingest_region__{REGION}", f"publish_region__{REGION}"
    engineer.wait("the DAGs are there", lambda: engineer("GET", "/api/v2/dags?limit=100")["total_entries"] >= 6)
    for dag in (ingest, "build_marts", publish):
        engineer("PATCH", f"/api/v2/dags/{dag}?update_mask=is_paused", {"is_paused": False})

    run = engineer("POST", f"/api/v2/dags/{ingest}/dagRuns", {"logical_date": None})["dag_run_id"]
    assert engineer.ended(ingest, run) == "success", engineer.states()
    # marts and publication follow by themselves, up to the question
    asked = engineer.wait(
        "the committee is asked",
        lambda: engineer("GET", f"/api/v2/dags/{publish}/dagRuns/~/hitlDetails?response_received=false")["hitl_details"],
    )
    assert len(asked) == 1 and "受領の完全性 | 合格" in asked[0]["body"]
    task = asked[0]["task_instance"]
    path = f"/api/v2/dags/{publish}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/-1/hitlDetails"
    # People take longer: on a busy machine Airflow 3.3.2 takes an answer within seconds of the question for a lost task, and asks once more.
    time.sleep(60)
    committee("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    assert engineer.ended(publish, task["dag_run_id"]) == "success", engineer.states()

    found = figures(served)
    assert sorted(found) == sorted(embedded) and sum(map(len, found.values())) > 1000
    assert {name for name in found if found[name] != embedded[name]} == set()
    assert "committee" in lake(served, "publications")

    # a night without anything new: nothing is built, nobody is asked
    builds = len(engineer.runs("build_marts"))
    run = engineer("POST", f"/api/v2/dags/{ingest}/dagRuns", {"logical_date": None})["dag_run_id"]
    assert engineer.ended(ingest, run) == "success"
    time.sleep(20)
    assert len(engineer.runs("build_marts")) == builds
