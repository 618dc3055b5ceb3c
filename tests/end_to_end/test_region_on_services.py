"""The demo region from dropped deliveries to the approved publication, on real services, driven through Airflow's API with its scheduler;
readers get the figures that embedded mode makes of the same files, also where everything that serves them is killed on the way."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import psutil
import pytest
from airflow_api import INGEST, PUBLISH, REGION, Airflow, approve, asked, started
from served import ROOT, call, lake, services

from spark_jobs.publish.postgres import running
from spark_jobs.settings import Settings

INVENTED = ("--members", "300", "--first-service-month", "202503", "--months", "3", "--seed", "1")
LATER = "202506"  # 請求年月 from which on all comes after the first publication
BACKFILL = "2026-11-demo"
MINUTES = 60


def figures(place: Path) -> dict[str, list[tuple]]:
    """Every published table, its rows in order; the record of the publication, and when the one before was, apart."""
    settings = Settings(home=place / "lake", secrets=place / "secrets", config=place.parent / "config")
    with running(settings) as cluster, cluster.connect() as connection:
        names = [name for (name,) in connection.execute("select table_name from information_schema.tables where table_schema = 'marts'")]
        rows = "select (to_jsonb(t) - 'published_before_at')::text from marts.{} t order by 1"
        return {name: connection.execute(rows.format(name)).fetchall() for name in sorted(names) if name != "publication"}


def users(place: Path) -> tuple[Airflow, Airflow]:
    engineer, committee = (Airflow(place / "lake", place / "secrets", user) for user in ("engineer", "committee"))
    return engineer, committee


def drop(files: Path, is_wanted: Callable[[str], bool]) -> None:
    """The insurers drop what they have of these claim months."""
    for month in sorted((files / "made").glob("inbox/*/20*")):
        if is_wanted(month.name):
            target = files / "files" / "inbox" / month.parent.name / month.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(month, target)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What the insurers have, nothing of it dropped yet, and config/."""
    place = tmp_path_factory.mktemp("services")
    shutil.copytree(ROOT / "config", place / "config")
    for insurer in (place / "config" / "insurers").glob("*.yaml"):  # expected from the first month on that there is
        told = insurer.read_text(encoding="utf-8")
        insurer.write_text(told.replace("start_claim_month: 202411", "start_claim_month: 202504"), encoding="utf-8")
    demo = place / "config" / "regions" / "demo.yaml"  # so few people that one month moves a share by much
    demo.write_text(demo.read_text(encoding="utf-8").replace("gates:", "gates:\n  change_within_limits: {on_breach: tell}"), "utf-8")
    lake(place / "made", "synthesize", place / "made", *INVENTED)
    return place


@dataclass
class Embedded:
    """The figures of embedded mode: of the first months, then of all."""

    files: Path

    def publish(self) -> dict[str, list[tuple]]:
        place = self.files / "embedded"
        for inbox in sorted((self.files / "files" / "inbox").iterdir()):
            lake(place, "deliver", inbox, "--insurer", inbox.name)
        for words in (("ingest",), ("build",), ("publish", "--region", REGION)):
            lake(place, *words)
        return figures(place)


@pytest.fixture(scope="module")
def embedded(files: Path) -> Embedded:
    place = files / "embedded"
    lake(place, "keys", "create")
    lake(place, "masters", "load", "shipped")
    drop(files, lambda month: month < LATER)
    return Embedded(files)


@pytest.fixture(scope="module")
def collector() -> Iterator[ThreadingHTTPServer]:
    """Takes what Airflow's exporter of metrics sends."""

    class Taken(BaseHTTPRequestHandler):
        def do_POST(self):
            server.taken += self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taken)
    server.taken = b""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def served(files: Path, collector: ThreadingHTTPServer) -> Iterator[Path]:
    """Services on a lake with keys and lists, nothing delivered."""
    place = files / "served"
    lake(place, "keys", "create")
    lake(place, "masters", "load", "shipped")
    metrics = {
        "AIRFLOW__METRICS__OTEL_ON": "True", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
    }  # fmt: skip
    with services(place, **metrics):
        yield place


def delta_rows(place: Path, name: str, column: str) -> list:
    """A column of a table of ops, the oldest row first."""
    rows = pl.read_delta(str(place / "lake" / "warehouse" / "ops.db" / name))
    return rows.sort("published_at" if name == "publication" else "recorded_at")[column].to_list()


def publications(place: Path) -> int:
    return len(delta_rows(place, "publication", "event"))


def pid_of(place: Path, service: str) -> int:
    home, password = place / "lake" / "services", (place / "secrets" / "services" / "supervisor.password").read_text()
    conf = (home / "supervisord.conf").read_text()
    socket = next(line.partition("=")[2] for line in conf.splitlines() if line.startswith("file="))
    said = call(place, ROOT / ".venv-airflow/bin/supervisorctl", "-s", f"unix://{socket}", "-u", "lake", "-p", password, "pid", service)
    return int(said)


def kill_service(service: str) -> Callable[[Path], None]:
    """SIGKILL to all processes of a service, as where its container dies."""
    return lambda place: os.killpg(pid_of(place, service), signal.SIGKILL)


def kill_postgres(place: Path) -> None:
    """SIGKILL to the server itself and to each of its connections; supervisord sees that it is gone."""
    file = next((place / "lake").rglob("postmaster.pid"))
    postmaster = psutil.Process(int(file.read_text().splitlines()[0]))
    for process in (*postmaster.children(recursive=True), postmaster):
        process.kill()


def command_of(place: Path, word: str) -> psutil.Process | None:
    """The running `lake WORD` of these services."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if len(words) > 2 and words[1].endswith("bin/lake") and words[2] == word:
            try:
                if process.environ().get("LAKE_HOME") == str(place / "lake"):
                    return process
            except psutil.Error:
                continue
    return None


def kill_command(word: str) -> Callable[[Path], None]:
    def kill(place: Path) -> None:
        if process := command_of(place, word):
            process.kill()

    return kill


MOMENT = float(os.environ.get("KILL_MOMENT", "1"))  # the same kills earlier or later in each command: docs/verification.md has all runs
KILLS = (  # while which command runs, after how many seconds, what
    ("ingest", 1, "the task", kill_command("ingest")),
    ("ingest", 2, "the scheduler", kill_service("airflow-scheduler")),
    ("build", 25, "the lake server", kill_service("lake-server")),
    ("build", 40, "a worker", kill_service("spark-worker1")),
    ("build", 15, "the task", kill_command("build")),
    ("publish", 3, "PostgreSQL", kill_postgres),
)


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60)
def test_a_region_is_published_through_airflow_and_figures_equal_embedded_mode(embedded, served, collector):
    wanted = embedded.publish()
    engineer, committee = users(served)
    engineer.wait("the DAGs are there", lambda: engineer("GET", "/api/v2/dags?limit=100")["total_entries"] >= 6)
    for dag in (INGEST, "build_marts", PUBLISH):
        engineer("PATCH", f"/api/v2/dags/{dag}?update_mask=is_paused", {"is_paused": False})

    run = started(engineer)
    assert engineer.ended(INGEST, run) == "success", engineer.states()
    # marts and publication follow by themselves, up to the question
    question = asked(engineer)
    assert "受領の完全性 | 合格" in question["body"]
    run = approve(committee, question)
    assert engineer.ended(PUBLISH, run) == "success", engineer.states()

    found = figures(served)
    assert sorted(found) == sorted(wanted) and sum(map(len, found.values())) > 1000
    assert {name for name in found if found[name] != wanted[name]} == set()
    assert "committee" in lake(served, "publications")
    assert b"scheduler_heartbeat" in collector.taken

    # a night without anything new: nothing is built, nobody is asked
    builds = len(engineer.runs("build_marts"))
    assert engineer.ended(INGEST, started(engineer)) == "success"
    time.sleep(20)
    assert len(engineer.runs("build_marts")) == builds


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60)
def test_a_backfill_waits_beside_the_old_figures_until_it_is_accepted(files, served):
    """After the test above. Months that are made anew without any change give the same figures."""
    (files / "config" / "backfills").mkdir(exist_ok=True)
    (files / "config" / "backfills" / f"{BACKFILL}.yaml").write_text(
        f"backfill_key: {BACKFILL}\nregion_key: {REGION}\nfirst_service_month: 202503\nlast_service_month: 202504\n"
        "reason_ja: 薬価リストの確認後の再計算\nrequested_by: 共同事業事務局\nreviewed_by: データ品質担当\n",
        encoding="utf-8",
    )
    engineer, committee = users(served)
    before, published = figures(served), publications(served)
    engineer("PATCH", "/api/v2/dags/backfill?update_mask=is_paused", {"is_paused": False})
    run = engineer("POST", "/api/v2/dags/backfill/dagRuns", {"logical_date": None, "conf": {"backfill": BACKFILL}})["dag_run_id"]
    assert engineer.ended("backfill", run) == "success"
    question = asked(engineer)
    assert (publications(served), figures(served)) == (published, before)
    assert engineer.ended(PUBLISH, approve(committee, question)) == "success", engineer.states()
    assert publications(served) == published + 1
    assert f"backfill {BACKFILL}" in delta_rows(served, "build_run", "detail")[-1]
    after = figures(served)
    assert {name for name in after if after[name] != before[name]} == set()


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60)
def test_whatever_is_killed_the_next_month_ends_as_if_nothing_had_happened(files, embedded, served, record_property):
    """After the tests above: the later months are dropped, and each service and a task is killed on their way."""
    published = publications(served)
    drop(files, lambda month: month >= LATER)
    engineer, committee = users(served)

    def kill_during(command: str) -> None:
        for no, (word, seconds, what, kill) in enumerate(KILLS):
            if word != command:
                continue
            engineer.wait(f"lake {word} runs", lambda word=word: command_of(served, word))
            time.sleep(seconds * MOMENT)
            kill(served)
            record_property("kills", 1)
            print(f"{no}: killed {what} {seconds * MOMENT:g} s into lake {word}", flush=True)

    started(engineer)
    kill_during("ingest")
    kill_during("build")
    approve(committee, asked(engineer))
    kill_during("publish")
    engineer.wait("it is published", lambda: publications(served) > published)
    wanted, found = embedded.publish(), figures(served)
    assert {name for name in found if found[name] != wanted[name]} == set()
    assert publications(served) == published + 1
