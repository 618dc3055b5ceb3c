"""The rules of the house for every DAG, and a bad DAG that breaks each of them."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
BAD = Path(__file__).parent / "fixtures" / "bad_dag.py"
HEAVY = {"pyspark", "delta", "dbt", "spark_jobs", "polars", "pyarrow"}
PARSE_SECONDS = 2.0


def dag_files() -> list[Path]:
    ignored = (DAGS / ".airflowignore").read_text().split()
    return [file for file in sorted(DAGS.glob("*.py")) if file.name not in ignored]


def faults_of_dag(dag, file: Path) -> set[str]:
    """Rules of a DAG as Airflow sees it."""
    from dag_tags import Tag

    found = set()
    if dag.dag_id != file.stem and not dag.dag_id.startswith(f"{file.stem}__"):
        found.add("name: a DAG is called as its file")
    if not dag.tags or not set(dag.tags) <= set(Tag):
        found.add("tags: from dag_tags.Tag, at least one")
    if "**If it fails:**" not in (dag.doc_md or ""):
        found.add("docs: two sentences, then what to do if it fails")
    if any(task.owner == "airflow" for task in dag.tasks):
        found.add("owner: somebody of ours")
    if any(task.retries < 1 or not task.retry_delay for task in dag.tasks):
        found.add("retries: with a delay")
    if not dag.deadline:
        found.add("deadline: somebody is told when it takes too long")
    elif any(type(alert.reference).__name__ == "DagRunQueuedAtDeadline" for alert in dag.deadline):
        found.add("deadline: not from the start of the run, or no task of it can be cleared (Airflow 3.3.2)")
    if dag.catchup or dag.max_active_runs > 1:
        found.add("runs: one at a time, none invented for the past")
    return found


def faults_of_file(file: Path) -> set[str]:
    """Rules of a DAG file as Python reads it."""
    found = set()
    if any(isinstance(node, ast.If | ast.IfExp | ast.Match) for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        found.add("wiring: no `if`; decisions stand in the `lake` commands")
    first = probe(file)
    if first["errors"] or not first["dags"]:
        found.add("loads: without errors, at least one DAG")
    if HEAVY & set(first["imported"]):
        found.add("imports: nothing of " + ", ".join(sorted(HEAVY)))
    # a second try: another process may have had the processor the first time
    if first["seconds"] > PARSE_SECONDS and probe(file)["seconds"] > PARSE_SECONDS:
        found.add(f"speed: parsed in under {PARSE_SECONDS:.0f} s")
    return found


def probe(file: Path) -> dict:
    command = [sys.executable, str(Path(__file__).parent / "parse_probe.py"), str(file)]
    # The root of the checkout is on the path, so that an import of spark_jobs would succeed, and be seen.
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS)


def test_every_dag_loads(bag):
    regions = sorted((ROOT / "config" / "regions").glob("*.yaml"))
    assert regions
    assert bag.import_errors == {}
    of_regions = {f"{what}_region__{file.stem}" for file in regions for what in ("ingest", "publish")}
    assert set(bag.dags) == of_regions | {"backfill", "build_marts", "maintain_tables", "refresh_masters", "roll_back", "roll_out"}


def test_every_dag_keeps_the_rules_of_the_house(bag):
    assert len(bag.dags) >= 6
    assert {dag.dag_id: faults_of_dag(dag, Path(dag.fileloc)) for dag in bag.dags.values()} == {dag: set() for dag in bag.dags}


def test_every_dag_file_only_wires_and_parses_fast():
    names = ["backfill", "build_marts", "ingest_region", "maintain_tables", "publish_region", "refresh_masters", "roll_back", "roll_out"]
    assert [file.stem for file in dag_files()] == names
    assert {file.name: faults_of_file(file) for file in dag_files()} == {file.name: set() for file in dag_files()}


def test_a_bad_dag_breaks_every_rule_of_a_file():
    kinds = {fault.split(":")[0] for fault in faults_of_file(BAD)}
    assert kinds == {"wiring", "imports", "speed"}


def test_a_file_that_does_not_load_is_found(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module  # airflow dag\n")
    assert {fault.split(":")[0] for fault in faults_of_file(broken)} == {"loads"}


def test_a_bad_dag_breaks_every_rule_of_a_dag():
    from airflow.dag_processing.dagbag import DagBag

    bad = DagBag(BAD).dags["does_things"]
    kinds = {fault.split(":")[0] for fault in faults_of_dag(bad, BAD)}
    assert kinds == {"name", "tags", "docs", "owner", "retries", "deadline", "runs"}


def test_the_whole_country_parses_fast(tmp_path, monkeypatch):
    """141 regions of `lake config sample`, with 3,290 insurers in them."""
    sample = tmp_path / "nation"
    subprocess.run([ROOT / ".venv" / "bin" / "lake", "config", "sample", sample], check=True, capture_output=True, cwd=ROOT)
    for file in (sample / "regions").glob("kokuho_*.yaml"):
        numbers = ", ".join(f'"{file.stem[-2:]}{n:04}"' for n in range(67))
        file.write_text(file.read_text(encoding="utf-8").replace("insurers: [", f"insurers: [{numbers}, "), encoding="utf-8")
    monkeypatch.setenv("LAKE_CONFIG", str(sample))
    first, again = ({file.stem: probe(file) for file in dag_files()} for _ in range(2))
    assert (first["ingest_region"]["dags"], first["publish_region"]["dags"]) == (141, 141)
    assert {name: min(found["seconds"], again[name]["seconds"]) < PARSE_SECONDS for name, found in first.items()} == dict.fromkeys(
        first, True
    )
