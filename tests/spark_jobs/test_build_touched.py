"""A build of what the deliveries touched ends with the same marts as a build of all, and leaves other rows where they are."""

import re
import shutil
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml
from deltalake import DeltaTable

from spark_jobs import build, delta, session, tables
from spark_jobs.errors import LakeError
from tests.spark_jobs.test_build import BS, DEAR_BS, OSAKA, REF, SAME, TOKYO, fill_masters, fill_silver, put

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ("intermediate", "marts")
BY_PERIOD = ("fct_biosimilar_share", "fct_biosimilar_kpi", "fct_saving_realised")


def contents(settings) -> dict[str, pl.DataFrame]:
    """Every table that dbt makes, its rows in one order."""
    found = {}
    for log in sorted(settings.warehouse.glob("*.db/*/_delta_log")):
        if log.parent.parent.stem in SCHEMAS:
            rows = pl.read_delta(str(log.parent))
            found[f"{log.parent.parent.stem}.{log.parent.name}"] = rows.select(sorted(rows.columns)).sort(pl.all())
    return found


def claim(key: str, insurer: str, person: str, service_month: int, claim_month: int, *lines: tuple[str, int]) -> tuple[dict, list[dict]]:
    head = {
        "claim_key": key, "insurer_number": insurer, "claim_month": claim_month, "service_month": service_month, "claim_kind": "med",
        "setting": "outpatient", "facility_code": "2710000001", "person_id1": person, "file_sha256": f"{insurer}{claim_month}",
    }  # fmt: skip
    row = head | {"depositor_number": insurer, "known_from_claim_month": claim_month, "known_to_claim_month": 999912}
    return row, [head | {"line_no": i, "drug_code": code, "quantity_claim_unit": Decimal(q)} for i, (code, q) in enumerate(lines)]


def take_in(settings, *claims: tuple[dict, list[dict]]) -> None:
    put(settings, tables.CLAIM_DRUG, *(line for _, lines in claims for line in lines))
    put(settings, tables.CLAIM, *(row for row, _ in claims))
    for row, _ in claims:
        event = {"insurer_number": row["insurer_number"], "file_sha256": row["file_sha256"], "claim_kind": "med", "state": "silver"}
        put(settings, tables.DELIVERY, event | {"event_no": 3, "claim_month": row["claim_month"], "line_count": 5})


@pytest.fixture(scope="module")
def lake(empty_lake):
    settings = empty_lake()
    fill_masters(settings)
    fill_silver(settings)
    build.run(settings)
    return settings


def version(settings, mart: str) -> int:
    return DeltaTable(settings.warehouse / "marts.db" / mart).version()


def test_late_claims_touch_rows_of_their_insurer_and_months(lake):
    before = {mart: version(lake, mart) for mart in (*BY_PERIOD, "fct_ndb_share")}
    # a late claim, a claim that left, a person who turns out to be another
    take_in(lake, claim("n1", OSAKA, "t", 202503, 202506, (DEAR_BS, 2), (BS, 9)))
    gone = {"insurer_number": [OSAKA], "claim_key": ["c3"]}
    delta.delete(lake, tables.CLAIM_DRUG, gone)
    delta.delete(lake, tables.CLAIM, gone)
    link = {
        "insurer_number": OSAKA,
        "person_id1": "r",
        "person_id": "t",
        "valid_from_service_month": 202504,
        "valid_to_service_month": 202504,
    }
    put(lake, tables.PERSON_LINK, link)
    assert build.run(lake).startswith("1 insurers, months 202503-202504: ")
    for mart in BY_PERIOD:
        (commit,) = DeltaTable(lake.warehouse / "marts.db" / mart).history(version(lake, mart) - before[mart])
        predicate = str(commit["operationParameters"])
        assert OSAKA in predicate and TOKYO not in predicate and "202504" in predicate, (mart, commit)
    assert version(lake, "fct_ndb_share") == before["fct_ndb_share"]
    # what a line could save follows the price that all insurers pay in its month
    for table in ("intermediate.db/int_saving_line", "intermediate.db/int_payer_gain", "intermediate.db/int_saving_cell"):
        (commit,) = DeltaTable(lake.warehouse / table).history(1)
        assert re.search(r"202503\b.*202504\b", str(commit["operationParameters"])), (table, commit)


def months_of_new_starts(settings) -> set[int]:
    shares = pl.read_delta(str(settings.warehouse / "marts.db/fct_biosimilar_share"))
    return set(shares.filter(convention="new_starts", period_kind="month")["period"])


def test_a_late_claim_ends_a_new_start_of_the_year_after(lake):
    take_in(lake, claim("n3", OSAKA, "w", 202410, 202411, (REF, 1)), claim("n4", OSAKA, "v", 202511, 202512, (BS, 1)))
    build.run(lake)
    assert months_of_new_starts(lake) == {202511}
    take_in(lake, claim("n5", OSAKA, "v", 202501, 202512, (SAME, 1)))
    assert build.run(lake).startswith("1 insurers, months 202501-202501: ")
    assert months_of_new_starts(lake) == set()


def test_after_a_new_month_all_is_as_if_all_were_built(lake):
    take_in(lake, claim("n2", OSAKA, "r", 202505, 202506, (REF, 7), (BS, 1)))
    assert build.run(lake).startswith("1 insurers, months 202505-202505: ")
    touched = contents(lake)
    (lake.home_path / "dbt" / "unfinished").write_text("all")
    assert re.match(r"\d+ models built", build.run(lake))
    whole = contents(lake)
    assert touched.keys() == whole.keys()
    assert [name for name in whole if not touched[name].equals(whole[name])] == []


def test_rejected_delivery_touches_no_figure(lake):
    before = DeltaTable(lake.warehouse / "marts.db/fct_biosimilar_share").version()
    put(lake, tables.DELIVERY, {"insurer_number": TOKYO, "file_sha256": "worse", "event_no": 1, "state": "rejected"})
    assert build.run(lake).startswith("0 insurers, no claims: ")
    assert DeltaTable(lake.warehouse / "marts.db/fct_biosimilar_share").version() == before
    assert build.run(lake).startswith("nothing changed")


def test_backfill_makes_its_months_and_insurers_anew_and_no_others(lake, tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("regions"))
    region = {"region_key": "osaka", "name_ja": "大阪", "place_level": "nation", "place_keys": ["all"], "insurers": [OSAKA]}
    order = {
        "backfill_key": "2026-11-osaka", "region_key": "osaka", "first_service_month": 202504, "last_service_month": 202506,
        "reason_ja": "試験", "requested_by": "事務局", "reviewed_by": "運営委員会",
    }  # fmt: skip
    for folder, name, entry in (("regions", "osaka", region), ("backfills", "2026-11-osaka", order)):
        (tmp_path / "config" / folder).mkdir()
        (tmp_path / "config" / folder / f"{name}.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), encoding="utf-8")
    settings = lake.model_copy(update={"config": tmp_path / "config"})
    build.run(lake)
    before = contents(lake)
    doubted = "update marts.fct_biosimilar_share set observability = 'doubted' where period_kind = 'month' and population_key = 'all'"
    session.start(lake).sql(doubted)  # as by a fault of the past
    assert build.backfill(settings, "2026-11-osaka").startswith("backfill 2026-11-osaka: 1 insurers, months 202504-20250")
    after, key = contents(lake), "marts.fct_biosimilar_share"
    assert [name for name in before if name != key and not after[name].equals(before[name])] == []
    wrong = after[key].filter(observability="doubted")
    assert set(wrong["period"]) and not set(wrong["period"]) & {202504, 202505}
    with pytest.raises(LakeError, match="no file config/backfills/other"):
        build.backfill(settings, "other")
