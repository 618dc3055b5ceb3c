"""An Airflow of its own for these tests, in a temporary folder. Under .venv (no Airflow) nothing here is collected."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["test_*.py"]
else:  # Airflow reads these when it is imported
    home = tempfile.TemporaryDirectory(prefix="airflow-")
    os.environ |= {
        "AIRFLOW_HOME": home.name,
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }
    sys.path.insert(0, str(DAGS))

STUB = """#!/bin/sh
echo "$*" >> "{calls}"
case "$*" in
{cases}
esac
"""


@pytest.fixture(scope="session")
def airflow_database() -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture
def consortium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a small LAKE_CONFIG: the named insurers of config/, in one region."""

    def make(*insurers: str, region: str = "tiny") -> Path:
        config = tmp_path / "config"
        shutil.copytree(ROOT / "config", config)
        for file in [*config.glob("insurers/*.yaml"), *config.glob("regions/*.yaml")]:
            if file.stem not in insurers:
                file.unlink()
        (config / "regions" / f"{region}.yaml").write_text(
            f"region_key: {region}\nname_ja: 小さな地域\nplace_level: nation\nplace_keys: [all]\n"
            f"insurers: [{', '.join(repr(number) for number in insurers)}]\ningredients: all\nis_synthetic: true\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("LAKE_CONFIG", str(config))
        return config

    return make


@pytest.fixture
def stub_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A `lake` that only notes how it was called, and its inbox. `answer({pattern of arguments: exit code, or (code, last line)})` makes it
    answer."""
    calls, executable, inbox = tmp_path / "calls", tmp_path / "lake", tmp_path / "inbox"
    inbox.mkdir()
    calls.touch()
    monkeypatch.setenv("LAKE_BIN", str(executable))
    monkeypatch.setenv("LAKE_INBOX", str(inbox))

    def answer(answers: dict[str, int | tuple[int, str]]) -> None:
        full = {pattern.replace(" ", "\\ "): said if isinstance(said, tuple) else (said, "") for pattern, said in answers.items()}
        cases = "\n".join(f"  {pattern}) echo '{said}'; exit {code};;" for pattern, (code, said) in full.items())
        executable.write_text(STUB.format(calls=calls, cases=cases))
        executable.chmod(0o755)

    answer({})
    return SimpleNamespace(answer=answer, inbox=inbox, calls=lambda: calls.read_text().splitlines())


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was told, by (subject, text)."""
    import notices

    told: list[tuple[str, str]] = []
    monkeypatch.setattr(notices, "_to_webhook", lambda subject, text: told.append((subject, text)))
    return told


@pytest.fixture
def bag_of(airflow_database) -> Callable[[], object]:
    def bag():
        from airflow.dag_processing.dagbag import DagBag

        found = DagBag(DAGS)
        assert not found.import_errors
        return found

    return bag


@pytest.fixture
def run_dag(bag_of) -> Callable[..., SimpleNamespace]:
    """Runs a DAG as `dag.test()` does: every task in this process, in order; the first failure is the answer."""
    from airflow import settings
    from airflow.models.asset import AssetEvent

    def run(dag_id: str, **how) -> SimpleNamespace:
        dag = bag_of().dags[dag_id]
        dag.deadline = None  # dag.test() of Airflow 3.3.2 looks for it in the database, where only the DAG processor writes it
        for task in dag.tasks:
            task.retries = 0
        done = dag.test(**how)
        instances = done.get_task_instances()
        with settings.Session() as session:
            events = session.query(AssetEvent).filter(AssetEvent.source_run_id == done.run_id, AssetEvent.source_dag_id == dag_id).all()
            partitions = {(event.asset.name, event.partition_key) for event in events}
        return SimpleNamespace(
            state=done.state,
            run_id=done.run_id,
            partitions=partitions,
            states={f"{t.task_id}[{t.map_index}]" if t.map_index >= 0 else t.task_id: t.state for t in instances},
            labels={t.task_id: {other.rendered_map_index for other in instances if other.task_id == t.task_id} for t in instances},
        )

    return run


@pytest.fixture
def answering(monkeypatch):
    """Who approves chooses this option at once."""
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    asked = []

    def answer(option: str, by_subject: dict[str, str] | None = None) -> list:
        def execute(self, context):
            asked.append((self.subject, self.body))
            event = {
                "chosen_options": [(by_subject or {}).get(self.subject, option)],
                "params_input": {},
                "responded_at": context["ti"].start_date,
            }
            return self.execute_complete(context, event | {"responded_by_user": {"id": "1", "name": "committee"}})

        monkeypatch.setattr(ApprovalOperator, "execute", execute)
        return asked

    return answer
