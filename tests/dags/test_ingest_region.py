"""How ingest_region wires the `lake` commands, seen with a stub in their place; the true ones run in test_ingest_region_for_real.py."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).resolve().parents[2] / "dags"
LARGE, SMALL = "06139901", "06019905"


def deliver(stub, *insurers: str) -> None:
    for number in insurers:
        (stub.inbox / number).mkdir()


def test_each_insurer_that_delivered_then_one_step_for_all(consortium, stub_lake, run_region):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE)
    run = run_region("tiny")
    assert run.state == "success"
    assert stub_lake.calls() == [
        f"deliver {stub_lake.inbox}/{LARGE} --insurer {LARGE}",
        "ingest",
        "build",
        "publish --region tiny",
    ]
    assert (run.states["deliver[0]"], run.states["deliver[1]"]) == ("success", "skipped")
    assert run.labels == {LARGE, f"{SMALL} nothing delivered"}


def test_rejected_files_are_shown_and_stop_nothing(consortium, stub_lake, run_region):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE, SMALL)
    stub_lake.answer({f"deliver*{SMALL}": 3})
    run = run_region("tiny")
    assert run.state == "success"
    assert run.labels == {LARGE, f"{SMALL} files rejected"}
    assert stub_lake.calls()[2:] == ["ingest", "build", "publish --region tiny"]


def test_a_failed_insurer_stops_the_region_but_no_other_delivery(consortium, stub_lake, run_region):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE, SMALL)
    stub_lake.answer({f"deliver*{LARGE}": 5})
    run = run_region("tiny")
    assert run.state == "failed"
    assert (run.states["deliver[0]"], run.states["deliver[1]"]) == ("failed", "success")
    assert run.states["ingest"] == run.states["build"] == run.states["publish"] == run.states["announce"] == "upstream_failed"


def test_without_any_delivery_nothing_is_built(consortium, stub_lake, run_region):
    consortium(LARGE, SMALL)
    run = run_region("tiny")
    assert run.state == "success"
    assert set(run.states.values()) == {"skipped"}
    assert stub_lake.calls() == []


def test_the_region_is_announced_as_a_partition(consortium, stub_lake, run_region):
    from airflow import settings
    from airflow.models.asset import AssetEvent

    consortium(LARGE, region="here")
    deliver(stub_lake, LARGE)
    run = run_region("here")
    with settings.Session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == run.run_id).all()
        assert [(event.asset.name, event.partition_key) for event in events] == [("region_marts", "here")]


def test_one_insurer_at_a_time_holds_the_lake(consortium):
    from airflow.dag_processing.dagbag import DagBag

    consortium(LARGE, SMALL)
    dag = DagBag(DAGS).dags["ingest_region__tiny"]
    assert dag.max_active_tasks == dag.max_active_runs == 1


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_what_only_a_person_can_mend_is_not_retried(stub_lake, code):
    from airflow.sdk.exceptions import AirflowFailException
    from lake_operators import LakeCommand

    stub_lake.answer({"build": code})
    with pytest.raises(AirflowFailException, match=f"lake build: exit code {code}; expected 0"):
        LakeCommand(task_id="build", arguments=["build"]).execute({})


@pytest.mark.parametrize("code", [1, 6, 137])
def test_a_busy_lake_and_a_crash_are_retried(stub_lake, code):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
    from lake_operators import LakeCommand

    stub_lake.answer({"build": code})
    with pytest.raises(AirflowException, match=f"exit code {code}") as raised:
        LakeCommand(task_id="build", arguments=["build"]).execute({})
    assert not isinstance(raised.value, AirflowFailException)


def test_the_exit_codes_are_those_of_the_lake_command():
    import lake_operators

    from spark_jobs import errors

    assert {code.name: int(code) for code in lake_operators.ExitCode} == {code.name: int(code) for code in errors.ExitCode}
