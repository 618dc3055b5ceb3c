"""Each gate stops what it should, and lets it pass after the repair: marts written by hand, no Spark."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from deltalake import write_deltalake

from spark_jobs import build, config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import figure_change, marts, publication, serving
from spark_jobs.publish.report import page
from spark_jobs.rollout import gate_result
from spark_jobs.rollout.gate import GATES
from tests.spark_jobs.rollout.conftest import CHIBA, OSAKA, TOKYO

MONTH = 202510


def put(place, name: str, rows: list[dict]) -> None:
    write_deltalake(place.table_path(f"marts.{name}"), pl.DataFrame(rows).to_arrow(), mode="overwrite", schema_mode="overwrite")


def arrivals(**of_osaka) -> list[dict]:
    """fct_completeness: two insurers of the region and one of another, one month and kind each."""
    row = {"claim_month": 202511, "claim_kind": "med", "is_expected": True, "status": "arrived", "status_ja": "受領済"}
    counts = {"claim_count": 100, "points_mismatch_claim_count": 0}
    other = {"status": "missing", "status_ja": "未着", "points_mismatch_claim_count": 100}
    rows = [row | counts | {"insurer_number": number} for number in (TOKYO, OSAKA, CHIBA)]
    return [rows[0], rows[1] | of_osaka, rows[2] | other]


def lines(unknown: int) -> list[dict]:
    row = {"population_kind": "insurer", "population_key": TOKYO, "service_month": MONTH, "drug_code": "all", "all_line_count": 1000}
    return [row | {"line_count": unknown}, row | {"line_count": 1, "service_month": 202509}, row | {"line_count": 9, "drug_code": "6"}]


def shares(share: str, patients: int = 30, period: int = MONTH) -> list[dict]:
    """fct_biosimilar_share: the leading share of an insurer of the region and of the region; and shares that do not lead."""
    row = {
        "population_kind": "insurer", "population_key": TOKYO, "place_level": "prefecture", "place_key": "13", "ingredient_key": "all",
        "geography": "facility_of_use", "setting": "all", "period_kind": "rolling_12", "period": period, "scope": "brand",
        "convention": "claims_units", "share_ratio": Decimal(share), "patient_count": patients,
    }  # fmt: skip
    steady = {"population_kind": "all", "population_key": "all", "share_ratio": Decimal("0.2")}
    rows = [row, row | steady, row | {"ingredient_key": "infliximab"}, row | {"convention": "value"}, row | {"place_key": "27"}]
    return [pl_row | {"share_ratio": pl_row["share_ratio"].quantize(Decimal("0.00000001"))} for pl_row in rows]


def model_run(place, outcome: str, name: str = "a_test") -> None:
    code = build.Inputs.now(place).code_key
    row = {"build_no": "1", "code_key": code, "node_name": name, "node_kind": "test", "outcome": outcome, "recorded_at": datetime.now(UTC)}
    delta.append(place, tables.MODEL_RUN, [row])


def price(place, day: date, is_assumed: bool = False) -> None:
    delta.append(place, tables.DRUG_PRICE, [{"drug_code": "600000001", "valid_from": day, "is_assumed": is_assumed}])


def built(place) -> None:
    """The record of a build from what is in the lake."""
    inputs = build.Inputs.now(place)
    run = {"build_key": inputs.build_key, "code_key": inputs.code_key, "source_versions": json.dumps(inputs.versions)}
    delta.append(place, tables.BUILD_RUN, [run | {"recorded_at": datetime.now(UTC), "detail": ""}])


@pytest.fixture
def sound(place):
    """A lake of which every gate holds; 被保険者総数 is known."""
    file = place.config / "regions" / "first.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "insured_count: 1000000\n", encoding="utf-8")
    build.write_config(place)
    price(place, date(2025, 4, 1))
    put(place, "fct_completeness", arrivals())
    put(place, "fct_unknown_code", lines(5))
    put(place, "fct_biosimilar_share", shares("0.25"))
    model_run(place, "pass")
    built(place)
    return place


def outcomes(place) -> dict[str, str]:
    return {result.gate_key: result.outcome for result in gate_result.measure(place, "first")}


def not_passed(place) -> dict[str, str]:
    return {key: outcome for key, outcome in outcomes(place).items() if outcome != "passed"}


def published(place) -> None:
    figure_change.record(place, marts.versions(marts.read(place)), datetime.now(UTC))


def test_all_gates_hold_and_are_kept(sound):
    assert outcomes(sound) == dict.fromkeys(GATES, "passed")
    kept = delta.read(sound, tables.GATE_RESULT)
    assert sorted(kept["gate_key"]) == sorted(GATES) and set(kept["marts_key"]) == {marts.key(marts.read(sound))}
    assert gate_result.refusal("first", gate_result.measure(sound, "first")) is None
    assert delta.read(sound, tables.GATE_RESULT).height == 2 * len(GATES)  # append-only


FAULTS: dict[str, tuple[Callable, Callable, str]] = {  # gate → fault, repair, what is said
    "completeness": (
        lambda p: put(p, "fct_completeness", arrivals(status="missing", status_ja="未着")),
        lambda p: put(p, "fct_completeness", arrivals()),
        f"1 of 2 expected are not in: {OSAKA} 202511 med missing",
    ),
    "code_coverage": (
        lambda p: put(p, "fct_unknown_code", lines(6)),
        lambda p: put(p, "fct_unknown_code", lines(5)),
        "6 of 1000 drug lines of 202510 have a code that no master knows",
    ),
    "points_reconciliation": (
        lambda p: put(p, "fct_completeness", arrivals(points_mismatch_claim_count=3)),
        lambda p: put(p, "fct_completeness", arrivals(points_mismatch_claim_count=2)),
        "lines of 3 of 200 claims of 202511 do not add up",
    ),
    "masters_fresh": (
        lambda p: (delta.replace(p, tables.DRUG_PRICE, []), price(p, date(2024, 4, 1)), price(p, date(2025, 4, 1), True),
                   price(p, date(2026, 4, 1)), built(p)),
        lambda p: (price(p, date(2025, 4, 1)), built(p)),
        "the newest prices are of 2024-04-01, the newest service month is 202510",
    ),
    "dbt_tests": (
        lambda p: (model_run(p, "fail"), model_run(p, "warn", "another")),
        lambda p: model_run(p, "pass"),
        "1 of 2 tests did not pass: a_test",
    ),
    "change_within_limits": (
        lambda p: (published(p), put(p, "fct_biosimilar_share", shares("0.36"))),
        lambda p: put(p, "fct_biosimilar_share", shares("0.35")),
        f"largest change: {TOKYO} 202510 0.2500 -> 0.3600",
    ),
}  # fmt: skip


@pytest.mark.parametrize("gate", FAULTS)
def test_a_gate_stops_its_fault_alone_and_passes_after_the_repair(sound, gate):
    fault, repair, said = FAULTS[gate]
    fault(sound)
    results = gate_result.measure(sound, "first")
    assert {r.gate_key: r.outcome for r in results if r.outcome != "passed"} == {gate: "stopped"}
    refused = gate_result.refusal("first", results)
    assert refused is not None and refused.code == ExitCode.GATE and said in refused.found
    kept = delta.read(sound, tables.GATE_RESULT, {"outcome": ["stopped"]}).row(0, named=True)
    assert kept["action_ja"] == GATES[gate].action_ja and kept["found_ja"]
    repair(sound)
    assert not_passed(sound) == {}


def test_coverage_tells_and_stops_only_where_the_region_says_so(sound):
    file = sound.config / "regions" / "first.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "gates: {place_coverage: {limit: 0.9}}\n", encoding="utf-8")
    forget()
    assert not_passed(sound) == {"place_coverage": "told"}
    file.write_text(text + "gates: {place_coverage: {limit: 0.9, on_breach: stop}}\n", encoding="utf-8")
    forget()
    assert not_passed(sound) == {"place_coverage": "stopped"}
    file.write_text(text.replace("insured_count: 1000000\n", ""), encoding="utf-8")
    forget()
    assert not_passed(sound) == {"place_coverage": "told"}  # nothing to measure it against


def forget() -> None:
    """config/ is read once in a process."""
    for read in (config._regions, config.regions):
        read.cache_clear()


def test_who_approves_reads_gates_and_what_moved(sound, store):
    publication.run(sound, "first")
    put(sound, "fct_biosimilar_share", shares("0.3"))
    gate_result.measure(sound, "first")
    shown = publication.preview(sound, "first")
    text = shown.summary.read_text(encoding="utf-8")
    assert shown.is_new and shown.marts_key in text
    assert "| 受領の完全性 | 合格 | 100.00% | 100.00% |" in text
    assert "| 25.0% | 30.0% | 原因不明（要確認） |" in text
    publication.run(sound, "first")
    assert not publication.preview(sound, "first").is_new


def test_an_insurer_is_asked_only_for_what_moved_of_its_own(sound, store):
    gate_result.measure(sound, "first")
    assert publication.preview(sound, "first").of_insurers == {}  # nothing is published yet
    publication.run(sound, "first")
    put(
        sound,
        "fct_biosimilar_share",
        [row | {"share_ratio": Decimal("0.21000000")} for row in shares("0.25") if row["population_key"] == "all"],
    )
    assert publication.preview(sound, "first").of_insurers.keys() == {TOKYO}  # what was published of it is gone
    put(sound, "fct_biosimilar_share", shares("0.3"))
    (text,) = (path.read_text(encoding="utf-8") for path in publication.preview(sound, "first").of_insurers.values())
    assert "保健事業の担当部長" in text and "| 25.0% | 30.0% | 原因不明（要確認） |" in text and "全参加保険者" not in text
    assert f"population_key = '{TOKYO}'" in text
    put(
        sound,
        "fct_biosimilar_share",
        [row | ({"share_ratio": Decimal("0.3")} if row["population_key"] == "all" else {}) for row in shares("0.25")],
    )
    assert publication.preview(sound, "first").of_insurers == {}


def test_a_new_month_is_compared_with_the_newest_that_was_published(sound):
    published(sound)
    put(sound, "fct_biosimilar_share", shares("0.25") + shares("0.36", period=202511))
    assert not_passed(sound) == {"change_within_limits": "stopped"}


def test_a_jump_among_few_patients_is_no_jump(sound):
    published(sound)
    put(sound, "fct_biosimilar_share", shares("0.9", patients=9))
    assert not_passed(sound) == {}


def test_gates_are_not_measured_on_marts_older_than_the_lake(sound):
    price(sound, date(2025, 10, 1))
    with pytest.raises(LakeError, match="marts older than the claims or lists") as error:
        gate_result.measure(sound, "first")
    assert error.value.code == ExitCode.OUTDATED


@pytest.fixture
def store(sound, monkeypatch):
    """Serving store and report that note the versions they were given."""
    shown: list[dict[str, int]] = []
    monkeypatch.setattr(serving, "load", lambda settings, found: shown.append(marts.versions(found)) or "store")
    sound.reports.mkdir()
    monkeypatch.setattr(page, "write", lambda settings, region, found, name="report": (settings.reports / f"{name}.html", True))
    return shown


def records(place) -> list[tuple]:
    rows = delta.read(place, tables.PUBLICATION).sort("published_at")
    return list(rows.select("region_key", "event", "decided_by", "reason").iter_rows())


def test_a_stopped_gate_leaves_the_published_version_as_it_was(sound, store):
    publication.run(sound, "first", decided_by="運営委員会")
    put(sound, "fct_completeness", arrivals(status="missing", status_ja="未着"))
    with pytest.raises(LakeError, match="completeness: 1 of 2 expected are not in") as error:
        publication.run(sound, "first")
    assert error.value.code == ExitCode.GATE
    assert len(store) == 1 and records(sound) == [("first", "published", "運営委員会", None)]


def test_despite_publishes_and_the_reason_is_kept(sound, store):
    put(sound, "fct_completeness", arrivals(status="missing", status_ja="未着"))
    with pytest.raises(LakeError, match="--despite without a reason"):
        publication.run(sound, "first", despite=" ")
    said = publication.run(sound, "first", decided_by="運営委員会", despite="翌月に再公表する")
    assert said.startswith("published despite its gates (completeness")
    assert records(sound) == [("first", "published", "運営委員会", "翌月に再公表する")]


def test_only_what_was_previewed_is_published(sound, store):
    shown = publication.preview(sound, "first")
    assert store == [] and records(sound) == []  # readers see nothing of a preview
    put(sound, "fct_biosimilar_share", shares("0.26"))
    with pytest.raises(LakeError, match="built since the preview"):
        publication.run(sound, "first", marts_key=shown.marts_key)
    assert store == []
    publication.run(sound, "first", marts_key=publication.preview(sound, "first").marts_key)
    assert len(store) == 1


def test_an_insurer_that_left_is_on_record(sound, store):
    publication.run(sound, "second", despite="見本")
    (sound.config / "insurers" / "06019905.yaml").unlink()
    config._insurers.cache_clear()
    config.insurers.cache_clear()
    build.write_config(sound)
    built(sound)
    assert "without 06019905, in the publication before" in publication.run(sound, "second", despite="見本")
    rows = delta.read(sound, tables.PUBLICATION).sort("published_at")
    assert rows["left_insurers"].to_list() == [None, "06019905"] and "06019905" not in rows["insurers"][1]
    put(sound, "fct_biosimilar_share", shares("0.26"))
    publication.run(sound, "second", despite="見本")
    put(sound, "fct_biosimilar_share", shares("0.27"))
    publication.run(sound, "second", despite="見本")
    publication.roll_back(sound, "second", "運営委員会", "誤り")  # to one without it


def test_a_roll_back_shows_nothing_of_an_insurer_that_left(sound, store):
    publication.run(sound, "first")
    put(sound, "fct_biosimilar_share", shares("0.26"))
    publication.run(sound, "first")
    (sound.config / "insurers" / "06019905.yaml").unlink()
    config._insurers.cache_clear()
    config.insurers.cache_clear()
    with pytest.raises(LakeError, match="figures of 06019905, which left since"):
        publication.roll_back(sound, "first", "運営委員会", "誤り")
    assert len(store) == 2


def test_a_roll_back_shows_the_publication_before_and_says_who_and_why(sound, store):
    with pytest.raises(LakeError, match="no earlier publication"):
        publication.roll_back(sound, "first", "運営委員会", "誤り")
    publication.run(sound, "first")
    put(sound, "fct_biosimilar_share", shares("0.26"))
    publication.run(sound, "first")
    with pytest.raises(LakeError, match="no reason or no --by"):
        publication.roll_back(sound, "first", None, "誤り")
    publication.roll_back(sound, "first", "運営委員会", "誤り")
    assert store[2] == store[0] != store[1]
    assert records(sound)[2] == ("first", "rolled_back", "運営委員会", "誤り")
    assert publication.table(sound).row_count == 3
    put(sound, "fct_biosimilar_share", shares("0.27"))
    assert "1 figures moved" not in publication.run(sound, "first")  # beside what readers saw last: the first publication
    moved = marts.read(sound)[marts.CHANGES].frame()
    assert set(moved["value_before"]) <= {Decimal("0.25"), Decimal("0.2")}
