"""How ingest_region wires the `lake` commands, seen with a stub in their place; the true ones run in test_ingest_region_for_real.py."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).resolve().parents[2] / "dags"
LARGE, SMALL = "06139901", "06019905"


def deliver(stub, *insurers: str) -> None:
    for number in insurers:
        (stub.inbox / number).mkdir()


def took_in(*months: int) -> tuple[int, str]:
    return 0, f'{{"claim_months": {list(months)}}}'


def test_each_insurer_that_delivered_is_taken_in_by_itself(consortium, stub_lake, run_dag):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE)
    stub_lake.answer({"ingest*": took_in(202608, 202609)})
    run = run_dag("ingest_region__tiny")
    assert run.state == "success"
    assert stub_lake.calls() == [f"deliver {stub_lake.inbox}/{LARGE} --insurer {LARGE}", f"ingest --insurer {LARGE}"]
    assert (run.states["take_in.deliver[0]"], run.states["take_in.deliver[1]"]) == ("success", "skipped")
    assert run.labels["take_in.deliver"] == {LARGE, f"{SMALL} nothing delivered"}
    assert run.partitions == {("region_claims", "tiny|202608"), ("region_claims", "tiny|202609")}


def test_rejected_files_are_shown_and_stop_nothing(consortium, stub_lake, run_dag):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE, SMALL)
    stub_lake.answer({f"deliver*{SMALL}": 3, "ingest*": took_in(202609)})
    run = run_dag("ingest_region__tiny")
    assert run.state == "success"
    assert run.labels["take_in.deliver"] == {LARGE, f"{SMALL} files rejected"}
    assert f"ingest --insurer {SMALL}" in stub_lake.calls()


def test_a_failed_insurer_stops_no_other(consortium, stub_lake, run_dag):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE, SMALL)
    stub_lake.answer({f"deliver*{LARGE}": 5, "ingest*": took_in(202609)})
    run = run_dag("ingest_region__tiny")
    assert run.state == "failed"
    assert (run.states["take_in.deliver[0]"], run.states["take_in.ingest[0]"]) == ("failed", "upstream_failed")
    assert (run.states["take_in.deliver[1]"], run.states["take_in.ingest[1]"]) == ("success", "success")
    assert run.partitions == {("region_claims", "tiny|202609")}


def test_without_any_delivery_and_without_anything_new_nothing_follows(consortium, stub_lake, run_dag):
    consortium(LARGE, SMALL)
    deliver(stub_lake, LARGE)
    stub_lake.answer({"ingest*": took_in()})
    run = run_dag("ingest_region__tiny")
    assert run.state == "success"
    assert run.states["take_in.ingest[0]"] == run.states["take_in.ingest[1]"] == "skipped"
    assert run.partitions == set()


def test_one_process_at_a_time_holds_the_lake(consortium):
    from airflow.dag_processing.dagbag import DagBag
    from lake_operators import POOL, LakeCommand

    consortium(LARGE, SMALL)
    tasks = [task for dag in DagBag(DAGS).dags.values() for task in dag.tasks if issubclass(task.operator_class, LakeCommand)]
    assert len(tasks) >= 9 and {task.pool for task in tasks} == {POOL}
    urgent = {task.task_id: task.priority_weight for task in tasks}
    assert urgent["take_in.deliver"] > urgent["take_in.ingest"] > urgent["build"]  # what was delivered is in before a build begins


@pytest.mark.parametrize("code", [2, 3, 4, 5, 8])
def test_what_only_a_person_can_mend_is_not_retried(stub_lake, code):
    from airflow.sdk.exceptions import AirflowFailException
    from lake_operators import LakeCommand

    stub_lake.answer({"build": code})
    with pytest.raises(AirflowFailException, match=f"lake build: exit code {code}; expected 0"):
        LakeCommand(task_id="build", arguments=["build"]).execute({})


@pytest.mark.parametrize(("code", "reason"), [(1, "crashed"), (6, "in use"), (137, "crashed")])
def test_a_busy_lake_and_a_crash_are_retried_and_say_why(stub_lake, code, reason):
    from airflow.sdk import RetryAction
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
    from lake_operators import RETRIES, LakeCommand

    stub_lake.answer({"build": code})
    with pytest.raises(AirflowException, match=f"exit code {code}") as raised:
        LakeCommand(task_id="build", arguments=["build"]).execute({})
    assert not isinstance(raised.value, AirflowFailException)
    decision = RETRIES.evaluate(raised.value, 1, 3)
    assert decision.action == RetryAction.RETRY and reason in decision.reason


def test_the_exit_codes_are_those_of_the_lake_command():
    import lake_operators

    from spark_jobs import errors

    assert {code.name: int(code) for code in lake_operators.ExitCode} == {code.name: int(code) for code in errors.ExitCode}
