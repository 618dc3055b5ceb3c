"""A region moves only where it may, and only when it is ready."""

import io

import pytest
import yaml
from rich.console import Console

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.rollout import baseline, rollout_state
from tests.spark_jobs.rollout.conftest import CHIBA, OSAKA, TOKYO

BY = ("運営委員会", "合意")


def states(settings) -> list[tuple[str, int, str]]:
    rows = delta.read(settings, tables.ROLLOUT_STATE).sort("recorded_at")
    return list(rows.select("region_key", "event_no", "state").iter_rows())


@pytest.fixture
def ready(place, arrive, build_marts):
    """12 months of all, marts built."""
    for number, kinds in ((TOKYO, ("med", "dpc", "den", "pha")), (OSAKA, ("med", "dpc", "den", "pha")), (CHIBA, ("med", "den", "pha"))):
        arrive(number, months=13, kinds=kinds)
    build_marts(last=202510)
    return place


def move(settings, *states_: str, region: str = "first") -> None:
    for state in states_:
        rollout_state.move(settings, region, state, *BY)


def test_a_region_goes_from_joined_to_evaluating_and_each_step_is_kept(ready):
    move(ready, "joined", "baseline")
    baseline.freeze(ready, "first", "事務局", 202510)
    move(ready, "acting", "evaluating")
    assert states(ready) == [("first", 1, "joined"), ("first", 2, "baseline"), ("first", 3, "acting"), ("first", 4, "evaluating")]
    row = delta.read(ready, tables.ROLLOUT_STATE).row(0, named=True)
    assert (row["decided_by"], row["reason"]) == BY and row["os_user"]


@pytest.mark.parametrize(
    ("steps", "state", "expected"),
    [
        ([], "baseline", "the region is not joined; expected joined"),
        (["joined"], "acting", "the region is joined; expected baseline or paused or withdrawn"),
        (["joined"], "joined", "the region is joined"),
        (["joined", "paused"], "baseline", "the region is paused; expected joined or withdrawn"),
        (["joined", "withdrawn"], "joined", "the region is withdrawn; expected nothing: it is the end"),
    ],
)
def test_a_step_that_is_not_allowed_is_refused_and_leaves_no_trace(ready, steps, state, expected):
    move(ready, *steps)
    before = states(ready)
    with pytest.raises(LakeError, match=expected) as error:
        move(ready, state)
    assert error.value.code == ExitCode.NOT_READY
    assert states(ready) == before


def test_a_pause_ends_where_it_began(ready):
    move(ready, "joined", "baseline", "paused", "baseline")
    assert states(ready)[-1] == ("first", 4, "baseline")


def test_baseline_asks_for_twelve_months_of_every_insurer(place, arrive):
    arrive(TOKYO, months=12)
    arrive(OSAKA, months=11)
    move(place, "joined")
    with pytest.raises(LakeError, match=f"11 months of claims of {OSAKA} without a gap; expected 12"):
        move(place, "baseline")
    arrive(OSAKA, months=1, first=202510)
    move(place, "baseline")


def test_a_month_without_one_kind_of_file_is_a_gap(place, arrive):
    arrive(TOKYO, months=13)
    arrive(OSAKA, months=6)
    arrive(OSAKA, months=1, first=202505, kinds=("med", "den", "pha"))  # no DPC
    arrive(OSAKA, months=6, first=202506)
    move(place, "joined")
    with pytest.raises(LakeError, match=f"6 months of claims of {OSAKA} without a gap"):
        move(place, "baseline")


def test_months_of_a_region_are_those_that_all_its_insurers_have(place, arrive):
    arrive(TOKYO, months=12)
    arrive(OSAKA, months=12, first=202503)
    rollout = rollout_state.Rollout.now(place)
    assert rollout.common_run(config.region(place, "first")) == list(range(202503, 202511))
    move(place, "joined")
    with pytest.raises(LakeError, match="8 months that all 2 insurers have; expected 12"):
        move(place, "baseline")


def test_acting_asks_for_a_baseline_of_this_round(ready):
    move(ready, "joined", "baseline")
    with pytest.raises(LakeError, match=f"no frozen baseline of {TOKYO}, {OSAKA}"):
        move(ready, "acting")
    baseline.freeze(ready, "first", "事務局", 202510)
    move(ready, "acting", "evaluating", "baseline")
    with pytest.raises(LakeError, match="no frozen baseline"):
        move(ready, "acting")


def test_a_pause_leaves_the_frozen_baseline_in_force(ready):
    move(ready, "joined", "baseline")
    baseline.freeze(ready, "first", "事務局", 202510)
    move(ready, "paused", "baseline", "acting")


def test_a_new_round_freezes_anew_even_where_the_figures_are_the_same(ready):
    move(ready, "joined", "baseline")
    baseline.freeze(ready, "first", "事務局", 202510)
    move(ready, "acting", "evaluating", "baseline")
    assert all("figures of 202411-202510 frozen" in line for line in baseline.freeze(ready, "first", "事務局", 202510))
    move(ready, "acting")
    assert delta.read(ready, tables.BASELINE).height == 4
    assert set(baseline.verify(ready).values()) == {None}


def test_a_later_wave_waits_and_a_pause_lets_it_pass(ready):
    move(ready, "joined", "baseline", region="second")
    baseline.freeze(ready, "second", "事務局", 202510)
    with pytest.raises(LakeError, match="first of wave 1 is not joined; expected earlier waves that act"):
        move(ready, "acting", region="second")
    move(ready, "joined", "paused")
    move(ready, "acting", region="second")
    move(ready, "joined", "baseline")
    baseline.freeze(ready, "first", "事務局", 202510)
    with pytest.raises(LakeError, match="the comparison region second is acting"):
        move(ready, "acting")


def test_acting_asks_for_an_approver_of_each_insurer(ready):
    file = ready.config / "insurers" / f"{OSAKA}.yaml"
    entry = yaml.safe_load(file.read_text(encoding="utf-8"))
    del entry["approver_role_ja"]
    file.write_text(yaml.safe_dump(entry, allow_unicode=True), encoding="utf-8")
    config.insurers.cache_clear(), config._insurers.cache_clear()
    move(ready, "joined", "baseline")
    baseline.freeze(ready, "first", "事務局", 202510)
    with pytest.raises(LakeError, match=f"no approver_role_ja of {OSAKA}; expected one for each insurer"):
        move(ready, "acting")


@pytest.mark.parametrize(("by", "reason"), [(" ", "合意"), ("運営委員会", "")])
def test_who_and_why_are_asked_for(ready, by, reason):
    with pytest.raises(LakeError, match="no --by or --reason"):
        rollout_state.move(ready, "first", "joined", by, reason)


def test_the_table_shows_where_each_region_stands_and_what_it_lacks(ready):
    move(ready, "joined", "baseline")
    out = io.StringIO()
    Console(file=out, width=220).print(rollout_state.table(ready))
    first, second = (" ".join(line.split()) for line in out.getvalue().splitlines() if "見本地域" in line)
    assert "baseline 基準期間" in first and "13 acting no frozen baseline of" in first
    assert "planned 予定" in second and second.endswith(" joined")
