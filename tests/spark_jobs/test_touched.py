"""What changed between two versions of silver: by contents, not by commits."""

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs import delta, tables, touched
from tests.lakes import lake_at

TOKYO, OSAKA = "06139901", "06279905"
months = st.integers(2015, 2035).flatmap(lambda year: st.integers(1, 12).map(lambda month: year * 100 + month))


@given(months)
def test_a_month_is_part_of_each_period_that_it_touches(month):
    for kind, found in touched.periods({month}).items():
        assert all(month in touched.months_of(kind, period) for period in found), kind
        assert len(found) == (12 if kind == "rolling_12" else 1)


@pytest.fixture
def lake(tmp_path):
    settings = lake_at(tmp_path)
    delta.create_all(settings)
    delta.append(settings, tables.CLAIM, [claim("c1", TOKYO, 202504), claim("c2", TOKYO, 202505)])
    delta.append(settings, tables.CLAIM, [claim("c3", OSAKA, 202505)])
    delta.append(settings, tables.PERSON_LINK, [link(TOKYO, "p", "p", 202504, 202505)])
    built(settings, 202504, 202505)
    return settings


def built(settings, *months: int) -> None:
    """The months that a build made figures of."""
    write_deltalake(settings.table_path(touched.SERVICE_MONTH), pl.DataFrame({"service_month": months}), mode="overwrite")


def claim(key: str, insurer: str, month: int, **more) -> dict:
    return {
        "claim_key": key, "insurer_number": insurer, "depositor_number": insurer, "claim_month": month + 1, "service_month": month,
        "file_sha256": f"{insurer}{month}", "receipt_seq": 1, "known_to_claim_month": 999912,
    } | more  # fmt: skip


def link(insurer: str, person_id1: str, person_id: str, first: int, last: int) -> dict:
    return {
        "insurer_number": insurer, "person_id1": person_id1, "person_id": person_id, "valid_from_service_month": first,
        "valid_to_service_month": last,
    }  # fmt: skip


def versions(settings) -> dict[str, int]:
    months = DeltaTable(settings.table_path(touched.SERVICE_MONTH)).version()
    return {table.name: delta.version(settings, table) for table in touched.FOLLOWED} | {touched.SERVICE_MONTH: months}


def test_nothing_changed(lake):
    assert touched.since(lake, versions(lake)) == touched.Touched(frozenset(), frozenset(), frozenset())


def test_new_claims_touch_their_insurer_and_months(lake):
    before = versions(lake)
    delta.append(lake, tables.CLAIM, [claim("c4", OSAKA, 202506), claim("c5", OSAKA, 202503, claim_month=202507)])
    assert touched.since(lake, before) == touched.Touched(frozenset({OSAKA}), frozenset({202506, 202503}), frozenset({202507}))


def test_rows_written_again_touch_nothing(lake):
    before = versions(lake)
    delta.append(lake, tables.CLAIM, [claim("c4", OSAKA, 202506)])
    DeltaTable(lake.table_path(tables.CLAIM.name)).optimize.compact()
    assert touched.since(lake, before).service_months == {202506}


def test_a_claim_that_ends_touches_its_month(lake):
    before = versions(lake)
    where = {"insurer_number": [TOKYO]}
    delta.replace(lake, tables.CLAIM, [claim("c1", TOKYO, 202504), claim("c2", TOKYO, 202505, known_to_claim_month=202507)], where)
    assert touched.since(lake, before) == touched.Touched(frozenset({TOKYO}), frozenset({202505}), frozenset({202506}))


def test_a_claim_that_leaves_touches_its_month(lake):
    before = versions(lake)
    delta.delete(lake, tables.CLAIM, {"file_sha256": [f"{TOKYO}202504"]})
    assert touched.since(lake, before).service_months == {202504}


def test_a_person_linked_to_another_touches_all_his_months(lake):
    delta.append(lake, tables.PERSON_LINK, [link(TOKYO, "q", "q", 202501, 202503)])
    before = versions(lake)
    delta.replace(lake, tables.PERSON_LINK, [link(TOKYO, "p", "p", 202504, 202506), link(TOKYO, "q", "p", 202501, 202503)])
    found = touched.since(lake, before)
    assert found.insurers == {TOKYO} and found.service_months == {202501, 202502, 202503}


def test_a_version_that_is_gone_is_not_guessed(lake):
    assert touched.since(lake, versions(lake) | {tables.CLAIM.name: 99}) is None
    assert touched.since(lake, {}) is None


def test_deliveries_touch_their_claim_month(lake):
    before = versions(lake)
    delta.append(lake, tables.DELIVERY, [{"insurer_number": OSAKA, "file_sha256": "bad", "event_no": 1, "state": "rejected"}])
    delta.append(lake, tables.DELIVERY_FINDING, [{"insurer_number": OSAKA, "file_sha256": "bad", "severity": "stop", "rule": "x"}])
    assert touched.since(lake, before) == touched.Touched(frozenset(), frozenset(), frozenset({0}))


def test_a_later_claim_month_touches_those_between_which_all_are_expected_to_deliver(lake):
    delivery = {"insurer_number": OSAKA, "event_no": 1, "state": "silver"}
    delta.append(lake, tables.DELIVERY, [delivery | {"file_sha256": "a", "claim_month": 202506}])
    before = versions(lake)
    delta.append(lake, tables.DELIVERY, [delivery | {"file_sha256": "b", "claim_month": 202509}])
    assert touched.since(lake, before).claim_months == {202507, 202508, 202509}


def test_a_month_that_comes_or_goes_concerns_all_populations(lake):
    before = versions(lake)
    delta.append(lake, tables.CLAIM, [claim("c4", OSAKA, 202506)])
    assert "population_key" not in touched.since(lake, before).variables(lake)
    built(lake, 202504, 202505, 202506)  # by a build that was killed before it made the rest: nothing was recorded
    assert "population_key" not in touched.since(lake, before).variables(lake)
    before = versions(lake)
    delta.delete(lake, tables.CLAIM, {"file_sha256": [f"{OSAKA}202506"]})
    assert "population_key" not in touched.since(lake, before).variables(lake)


def test_variables_name_the_populations_of_the_insurers(lake):
    before = versions(lake)
    delta.append(lake, tables.CLAIM, [claim("c4", TOKYO, 202504, claim_month=202506)])
    values = touched.since(lake, before).variables(lake)
    assert values["population_key"] == [TOKYO, "all", "kenpo"]
    assert values["period"]["fiscal_year"] == [2025] and values["period"]["month"] == [202504, 202505], "a new start looks back"
    assert min(values["month_of_period"]) == 202405 and max(values["month_of_period"]) == 202604


def test_figures_look_back_on_a_touched_month_for_a_year_and_what_a_new_start_uses_for_eleven_months_more(lake):
    months = [touched.later(202301, no) for no in range(60)]
    found = touched.Touched(frozenset({OSAKA}), frozenset({202401}), frozenset(), frozenset(months)).variables(lake)
    assert found["month_of_figure"] == [touched.later(202401, no) for no in range(24)]
    assert found["first_month_of_past"] == 202301
    assert found["first_month_of_last_year"] == touched.later(months[-1], -11)
    newest = touched.Touched(frozenset({OSAKA}), frozenset({months[-1]}), frozenset(), frozenset(months)).variables(lake)
    assert newest["first_month_of_last_year"] == touched.later(months[-2], -11), "the month may go, then its year begins earlier"
    earlier = touched.Touched(frozenset({OSAKA}), frozenset({202212}), frozenset(), frozenset(months)).variables(lake)
    assert earlier["month_of_figure"] == [202212, *months]
