"""How build_marts and publish_region wire the `lake` commands, with a stub in their place; who approves answers by a stand-in."""

import json

import pytest

pytestmark = pytest.mark.airflow

INSURER = "06019905"


@pytest.fixture
def previewed(stub_lake, tmp_path):
    """A lake with something new to publish."""
    summary = tmp_path / "approval.md"
    summary.write_text("関門と変動", encoding="utf-8")
    answers = {"publish --preview*": (0, json.dumps({"marts": "k1", "is_new": True, "summary": str(summary), "of_insurers": {}}))}
    stub_lake.answer(answers)
    return answers


def test_what_was_approved_is_published_and_told(consortium, stub_lake, previewed, answering, run_dag, notices):
    consortium(INSURER)
    asked = answering("Approve")
    run = run_dag("publish_region__tiny")
    assert run.state == "success"
    assert stub_lake.calls() == [
        "gates --region tiny",
        "publish --preview --region tiny",
        "publish --region tiny --marts k1 --by Airflow: committee",
    ]
    assert asked == [("小さな地域: 公表の承認", "関門と変動")]
    assert [subject for subject, _ in notices] == ["小さな地域: 公表した"]


def test_a_rejection_leaves_the_published_version_as_it_was(consortium, stub_lake, previewed, answering, run_dag):
    consortium(INSURER)
    answering("Reject")
    run = run_dag("publish_region__tiny")
    assert (run.state, run.states["approve"], run.states["publish"], run.states["notify"]) == ("success", "success", "skipped", "skipped")
    assert stub_lake.calls()[-1] == "publish --preview --region tiny"


@pytest.fixture
def moved(stub_lake, previewed, tmp_path):
    """And the figures of two insurers moved that were published before."""
    said, of_insurers = json.loads(previewed["publish --preview*"][1]), {}
    for number in (INSURER, "06119903"):
        of_insurers[number] = str(tmp_path / f"approval_{number}.md")
        (tmp_path / f"approval_{number}.md").write_text(f"変動 {number}", encoding="utf-8")
    stub_lake.answer({"publish --preview*": (0, json.dumps(said | {"of_insurers": of_insurers}))})


def test_insurers_are_asked_for_what_concerns_them_beside_the_committee(consortium, stub_lake, moved, answering, run_dag):
    consortium(INSURER)
    asked = answering("Approve")
    assert run_dag("publish_region__tiny").state == "success"
    assert sorted(asked) == [
        ("06019905: 自保険者の数値の承認", "変動 06019905"),
        ("06119903: 自保険者の数値の承認", "変動 06119903"),
        ("小さな地域: 公表の承認", "関門と変動"),
    ]
    assert stub_lake.calls()[-1] == "publish --region tiny --marts k1 --by Airflow: committee, 06019905 committee, 06119903 committee"


def test_an_insurer_that_rejects_stops_the_publication_and_the_office_is_told(consortium, stub_lake, moved, answering, run_dag, notices):
    consortium(INSURER)
    answering("Approve", {"06119903: 自保険者の数値の承認": "Reject"})
    run = run_dag("publish_region__tiny")
    assert (run.state, run.states["approve"], run.states["publish"]) == ("failed", "success", "upstream_failed")
    assert stub_lake.calls()[-1] == "publish --preview --region tiny"
    assert [subject for subject, _ in notices] == ["publish_region__tiny: approve_insurer failed"]


def test_who_does_not_answer_is_on_record_as_such(bag_of, consortium):
    consortium(INSURER)
    decided_by = bag_of().dags["publish_region__tiny"].user_defined_macros["decided_by"]
    pulled = {"preview": {"insurers": [INSURER]}, "approve": {"responded_by_user": {"name": "committee"}}}
    pulled["approve_insurer"] = [{"responded_by_user": None}]
    ti = type("TI", (), {"xcom_pull": lambda self, task_ids, map_indexes=None: pulled[task_ids]})()
    assert decided_by(ti) == f"Airflow: committee, {INSURER} without an answer"


def test_a_gate_that_stops_asks_nobody_and_tells(consortium, stub_lake, previewed, run_dag, notices):
    consortium(INSURER)
    stub_lake.answer(previewed | {"gates*": 8})
    run = run_dag("publish_region__tiny")
    assert (run.states["gates"], run.states["preview"], run.states["publish"]) == ("failed", "upstream_failed", "upstream_failed")
    assert stub_lake.calls() == ["gates --region tiny"]
    assert notices[0][0] == "publish_region__tiny: gates failed" and "exit code 8" in notices[0][1]


def test_marts_that_are_older_than_the_claims_wait_for_their_build_and_need_nobody(consortium, stub_lake, previewed, run_dag, notices):
    consortium(INSURER)
    stub_lake.answer(previewed | {"gates*": (9, "marts older than the claims or lists")})
    run = run_dag("publish_region__tiny")
    assert (run.state, set(run.states.values()), notices) == ("success", {"skipped"}, [])


def test_gates_that_need_something_else_first_are_red(consortium, stub_lake, previewed, run_dag, notices):
    consortium(INSURER)
    stub_lake.answer(previewed | {"gates*": (5, "3 tables of an earlier version")})
    run = run_dag("publish_region__tiny")
    assert run.states["gates"] == "failed" and "exit code 5" in notices[0][1]


def test_figures_that_are_published_already_ask_nobody(consortium, stub_lake, previewed, run_dag):
    consortium(INSURER)
    stub_lake.answer({"publish --preview*": (0, '{"marts": "k1", "is_new": false, "summary": ""}')})
    run = run_dag("publish_region__tiny")
    assert (run.state, run.states["preview"], run.states["approve"]) == ("success", "skipped", "skipped")


def test_a_build_asks_each_region_concerned(consortium, stub_lake, bag_of):
    consortium(INSURER)
    dag = bag_of().dags["build_marts"]
    concerned = dag.get_task("concerned").python_callable
    event = type("Event", (), {"partition_key": "tiny|202609"})
    of_tiny = {"trigger_dag_id": "publish_region__tiny", "trigger_run_id": "marts_k1"}  # so that the same marts are asked for once
    assert concerned("k1", triggering_asset_events={"claims": [event, event]}) == [of_tiny]
    event = type("Event", (), {"partition_key": "other|202609"})
    assert concerned("k1", triggering_asset_events={"claims": [event]}) == []
    assert concerned("k1") == [of_tiny]  # by hand: all


def test_the_same_marts_are_asked_for_once(consortium, stub_lake, run_dag):
    from airflow import settings
    from airflow.models.dagrun import DagRun

    consortium(INSURER)
    for marts, wanted in (("k8", "success"), ("k8", "skipped"), ("k9", "success")):
        stub_lake.answer({"build": (0, json.dumps({"marts": marts}))})
        assert run_dag("build_marts").states["publish[0]"] == wanted
    with settings.Session() as session:
        runs = session.query(DagRun).filter(DagRun.dag_id == "publish_region__tiny", DagRun.run_id.like("marts_%")).all()
        assert {run.run_id for run in runs} >= {"marts_k8", "marts_k9"}


def test_a_backfill_builds_and_asks_its_region(consortium, stub_lake, run_dag, bag_of):
    config = consortium(INSURER)
    (config / "backfills").mkdir()
    (config / "backfills" / "2026-11-tiny.yaml").write_text("backfill_key: 2026-11-tiny\nregion_key: tiny\n", encoding="utf-8")
    stub_lake.answer({"build*": (0, '{"marts": "k1"}')})
    run = run_dag("backfill", run_conf={"backfill": "2026-11-tiny"})
    assert run.states["build"] == "success"
    assert stub_lake.calls() == ["build --backfill 2026-11-tiny"]
    concerned = bag_of().dags["backfill"].get_task("concerned").python_callable
    assert concerned("k1", params={"backfill": "2026-11-tiny"}) == [
        {"trigger_dag_id": "publish_region__tiny", "trigger_run_id": "marts_k1"}
    ]


def test_a_roll_back_says_who_and_why(consortium, stub_lake, run_dag):
    consortium(INSURER)
    run = run_dag("roll_back", run_conf={"region": "tiny", "decided_by": "運営委員会", "reason": "誤った納品"})
    assert run.state == "success"
    assert stub_lake.calls() == ["publish --region tiny --by 運営委員会 --roll-back 誤った納品"]


@pytest.mark.parametrize(("answer", "calls"), [("Approve", ["rollout move tiny baseline --by 運営委員会 --reason 揃った"]), ("Reject", [])])
def test_a_region_moves_on_when_the_committee_agrees(consortium, stub_lake, run_dag, answering, answer, calls):
    consortium(INSURER)
    asked = answering(answer)
    run = run_dag("roll_out", run_conf={"region": "tiny", "state": "baseline", "decided_by": "運営委員会", "reason": "揃った"})
    assert run.state == "success" and stub_lake.calls() == calls
    assert asked == [("tiny: baseline への移行の承認", "理由: 揃った")]


def test_lists_are_loaded_where_there_are_some(consortium, stub_lake, run_dag, tmp_path, monkeypatch):
    consortium(INSURER)
    monkeypatch.setenv("LAKE_LISTS", str(tmp_path / "lists"))
    (tmp_path / "lists" / "price-list").mkdir(parents=True)
    run = run_dag("refresh_masters")
    assert run.state == "success"
    assert stub_lake.calls() == [f"masters load price-list {tmp_path}/lists/price-list"]


def test_a_notice_reaches_the_webhook_and_fails_nothing(monkeypatch):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from notices import late

    got = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("LAKE_NOTICE_WEBHOOK", f"http://127.0.0.1:{server.server_port}")
        late("build_marts", 12)
    assert got == [{"text": "build_marts: takes 12 hours longer than usual\nOpen the run in Airflow: what waits, and for whom?"}]
    late("build_marts", 12)  # nobody listens any more
