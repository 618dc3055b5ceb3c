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
    """A `lake` that only notes how it was called, and its inbox. `answer({pattern of arguments: exit code})` makes it say no."""
    calls, executable, inbox = tmp_path / "calls", tmp_path / "lake", tmp_path / "inbox"
    inbox.mkdir()
    calls.touch()
    monkeypatch.setenv("LAKE_BIN", str(executable))
    monkeypatch.setenv("LAKE_INBOX", str(inbox))

    def answer(answers: dict[str, int]) -> None:
        cases = "\n".join(f"  {pattern}) exit {code};;" for pattern, code in answers.items())
        executable.write_text(STUB.format(calls=calls, cases=cases))
        executable.chmod(0o755)

    answer({})
    return SimpleNamespace(answer=answer, inbox=inbox, calls=lambda: calls.read_text().splitlines())


@pytest.fixture
def run_region(airflow_database) -> Callable[[str], SimpleNamespace]:
    """Runs ingest_region__<region> as `dag.test()` does: every task in this process, in order; the first failure is the answer."""
    from airflow.dag_processing.dagbag import DagBag

    def run(region: str) -> SimpleNamespace:
        bag = DagBag(DAGS)
        assert not bag.import_errors
        dag = bag.dags[f"ingest_region__{region}"]
        for task in dag.tasks:
            task.retries = 0
        done = dag.test()
        instances = done.get_task_instances()
        return SimpleNamespace(
            state=done.state,
            run_id=done.run_id,
            states={f"{t.task_id}[{t.map_index}]" if t.map_index >= 0 else t.task_id: t.state for t in instances},
            labels={t.rendered_map_index for t in instances if t.task_id == "deliver"},
        )

    return run
