"""A frozen baseline holds the figures before a region acts, and a change of any of them is seen."""

import hashlib
import json
from decimal import Decimal

import polars as pl
import pytest

from spark_jobs import delta, tables
from spark_jobs.errors import LakeError
from spark_jobs.publish import marts
from spark_jobs.rollout import baseline, rollout_state
from tests.spark_jobs.rollout.conftest import CHIBA, OSAKA, TOKYO


@pytest.fixture
def waiting(place, arrive, build_marts):
    """The region stands in the state baseline, marts are built; claims of 13 請求年月 are there."""
    for number in (TOKYO, OSAKA):
        arrive(number, months=13)
    build_marts()
    for state in ("joined", "baseline"):
        rollout_state.move(place, "first", state, "運営委員会", "合意")
    return place


def test_it_holds_the_twelve_months_of_the_regions_insurers_place_and_ingredients(waiting):
    said = baseline.freeze(waiting, "first", "事務局")
    assert len(said) == 2 and "figures of 202411-202510 frozen" in said[0]
    figures = delta.read(waiting, tables.BASELINE_FIGURE)
    assert set(figures["insurer_number"]) == {TOKYO, OSAKA}
    assert set(figures.select("place_level", "place_key").iter_rows()) == {("nation", "all"), ("prefecture", "13")}
    assert set(figures["ingredient_key"]) == {"infliximab"}
    assert set(figures.select("period_kind", "period").iter_rows()) == {("rolling_12", 202510)}
    share = figures.filter(figure="share_ratio", insurer_number=TOKYO, place_level="nation")
    assert share["value"].to_list() == [Decimal("0.25")] and share["variant"].to_list() == ["scope=brand, convention=claims_units"]
    assert set(figures["figure"]) == {"numerator", "denominator", "share_ratio", "patient_count", "quantity", "saving_yen"}
    row = delta.read(waiting, tables.BASELINE).filter(insurer_number=OSAKA).row(0, named=True)
    assert (row["first_service_month"], row["last_service_month"], row["figure_count"]) == (202411, 202510, 12)
    assert json.loads(row["mart_versions"]) == {name: marts.read(waiting)[name].version for name in baseline.MARTS}


def test_the_hash_is_that_of_the_rows_as_text(waiting):
    baseline.freeze(waiting, "first", "事務局")
    row = delta.read(waiting, tables.BASELINE).filter(insurer_number=TOKYO).row(0, named=True)
    lines = [
        "\t".join(["first", TOKYO, r["mart"], r["place_level"], r["place_key"], r["geography"], r["ingredient_key"], r["setting"],
                   r["period_kind"], str(r["period"]), r["variant"], r["figure"], f"{r['value']:.8f}"]) + "\n"
        for r in delta.read(waiting, tables.BASELINE_FIGURE).filter(insurer_number=TOKYO).to_dicts()
    ]  # fmt: skip
    assert hashlib.sha256("".join(sorted(lines)).encode()).hexdigest() == row["sha256"]


def test_twice_is_once_and_later_marts_leave_it_as_it_was(waiting, build_marts):
    baseline.freeze(waiting, "first", "事務局")
    assert all("frozen already" in line for line in baseline.freeze(waiting, "first", "事務局"))
    build_marts(share="0.5")
    assert delta.read(waiting, tables.BASELINE).height == 2
    assert baseline.verify(waiting) == {("first", TOKYO): None, ("first", OSAKA): None}
    assert set(delta.read(waiting, tables.BASELINE_FIGURE).filter(figure="share_ratio")["value"]) == {Decimal("0.25")}


def test_a_changed_lost_or_added_figure_is_seen_and_stops_the_region(waiting):
    baseline.freeze(waiting, "first", "事務局")
    sound = delta.read(waiting, tables.BASELINE_FIGURE)
    is_one = (pl.col("insurer_number") == OSAKA) & (pl.col("figure") == "saving_yen") & (pl.col("place_level") == "nation")
    moved = sound.with_columns(value=pl.when(is_one).then(pl.col("value") + Decimal("0.00000001")).otherwise("value"))
    for rows, told in (
        (moved, "figures that differ from what was frozen"),
        (sound.filter(~is_one), "11 figures of 12"),
        (pl.concat([sound, sound.filter(is_one)]), "13 figures of 12"),
    ):
        delta.replace(waiting, tables.BASELINE_FIGURE, rows)
        assert baseline.verify(waiting, "first") == {("first", TOKYO): None, ("first", OSAKA): told}
        with pytest.raises(LakeError, match=f"a baseline that was changed .{OSAKA}: {told}"):
            rollout_state.move(waiting, "first", "acting", "運営委員会", "合意")
    delta.replace(waiting, tables.BASELINE_FIGURE, sound)
    rollout_state.move(waiting, "first", "acting", "運営委員会", "合意")


def test_a_region_that_acts_has_no_figures_of_before(waiting):
    baseline.freeze(waiting, "first", "事務局")
    rollout_state.move(waiting, "first", "acting", "運営委員会", "合意")
    with pytest.raises(LakeError, match="the region is acting; expected a region in the state baseline"):
        baseline.freeze(waiting, "first", "事務局")


def test_months_that_have_not_arrived_are_not_frozen(waiting):
    with pytest.raises(LakeError, match="claim months without all files: 202512; expected those of 12 service months up to 202511"):
        baseline.freeze(waiting, "first", "事務局", 202511)
    with pytest.raises(LakeError, match="claim months without all files: 202410"):
        baseline.freeze(waiting, "first", "事務局", 202508)


def test_marts_older_than_the_claims_are_not_frozen(waiting, build_marts):
    delta.append(waiting, tables.CLAIM, [{"claim_key": "c", "insurer_number": CHIBA, "service_month": 202510, "claim_month": 202511}])
    with pytest.raises(LakeError, match=r"marts older than the claims or lists.* Run lake build"):
        baseline.freeze(waiting, "first", "事務局")
    build_marts()
    baseline.freeze(waiting, "first", "事務局")


def test_figures_of_each_insurer_are_asked_for(waiting, build_marts):
    build_marts(last=202509)
    with pytest.raises(LakeError, match=f"no shares of {TOKYO}, {OSAKA} for the 12 months up to 202510"):
        baseline.freeze(waiting, "first", "事務局")
