"""The DAGs with the true `lake`: an insurer of the invented consortium, two months, from the inbox to the report."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

VENV = Path(__file__).resolve().parents[2] / ".venv" / "bin"
INSURER = "06019905"
# The two months stand on both sides of the price revision of 2025-04-01.
INVENTED = ("--members", "300", "--first-service-month", "202503", "--months", "2", "--seed", "1")
MARTS = ("fct_biosimilar_share", "fct_saving_realised", "fct_completeness")
COUNT_ROWS = """
import json, sys
from pathlib import Path
from deltalake import DeltaTable
marts = Path(sys.argv[1]) / "warehouse" / "marts.db"
print(json.dumps({name: DeltaTable(marts / name).count() for name in sys.argv[2:]}))
"""


@pytest.fixture
def lake_home(tmp_path, monkeypatch, consortium) -> Path:
    """A lake with keys and masters, and an inbox with the deliveries of the insurer; nothing taken in yet."""
    region = consortium(INSURER) / "regions" / "tiny.yaml"
    # of two months of 300 people one unknown code weighs more than in a region
    insurer = region.parents[1] / "insurers" / f"{INSURER}.yaml"
    insurer.write_text(
        insurer.read_text(encoding="utf-8").replace("start_claim_month: 202411", "start_claim_month: 202504"), encoding="utf-8"
    )
    region.write_text(region.read_text(encoding="utf-8") + "gates: {code_coverage: {limit: 0.9}}\n", encoding="utf-8")
    for name, value in {
        "LAKE_HOME": tmp_path / "lake",
        "LAKE_SECRETS": tmp_path / "secrets",
        "LAKE_INBOX": tmp_path / "consortium" / "inbox",
        "LAKE_DRIVER_MEMORY_GIB": "2",
        "LAKE_SHUFFLE_PARTITIONS": "1",
        "LAKE_SPARK": '["spark.sql.codegen.wholeStage=false"]',  # many plans on few rows, in processes that live for a minute
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("LAKE_BIN", raising=False)
    for command in (("synthesize", str(tmp_path / "consortium"), *INVENTED), ("keys", "create"), ("masters", "load", "shipped")):
        done = subprocess.run([VENV / "lake", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "lake"


@pytest.mark.timeout(1200, method="thread")  # Airflow resets the alarm signal when it parses
def test_a_region_goes_from_the_inbox_to_the_approved_report(lake_home, run_dag, answering):
    taken = run_dag("ingest_region__tiny")
    assert taken.states == {"take_in.deliver[0]": "success", "take_in.ingest[0]": "success"}
    assert taken.partitions == {("region_claims", "tiny|202504"), ("region_claims", "tiny|202505")}
    assert run_dag("build_marts").states["build"] == "success"
    asked = answering("Approve")
    run = run_dag("publish_region__tiny")
    ended = dict.fromkeys(("gates", "preview", "questions", "approve", "publish", "notify"), "success")
    assert run.states == ended | {"approve_insurer": "skipped"}  # a first publication moves nothing that was published
    assert "受領の完全性 | 合格" in asked[0][1]
    counted = subprocess.run([VENV / "python", "-c", COUNT_ROWS, str(lake_home), *MARTS], capture_output=True, text=True, check=True)
    rows = json.loads(counted.stdout)
    assert all(rows[mart] > 0 for mart in MARTS), rows
    report = (lake_home / "reports" / "tiny" / "report.html").read_text(encoding="utf-8")
    assert "小さな地域" in report
    said = subprocess.run([VENV / "lake", "publications"], capture_output=True, text=True, check=True).stdout
    assert "Airflow: committee" in said
    # nothing new: nothing is taken in, nobody is asked
    assert run_dag("ingest_region__tiny").states["take_in.ingest[0]"] == "skipped"
    assert run_dag("publish_region__tiny").states["approve"] == "skipped"
