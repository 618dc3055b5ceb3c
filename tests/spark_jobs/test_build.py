"""dbt in the process of the lake: a tiny silver becomes marts; again does nothing; a wrong figure stops it with a clear line."""

import re
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from deltalake import DeltaTable

from spark_jobs import build, delta, tables
from spark_jobs.errors import ExitCode, LakeError

TOKYO, OSAKA = "06139901", "06279905"
REF, BS, DEAR_BS, LONELY_BS, SAME, DOSE = "600000001", "600000002", "600000003", "600000004", "600000005", "600000006"
PRICES = {REF: ("100", "90"), BS: ("60", "50"), DEAR_BS: ("110", "120"), LONELY_BS: ("40", "40"), SAME: ("99", "99"), DOSE: ("3.5", "3")}


def put(settings, table: tables.Table, *rows: dict) -> None:
    delta.append(settings, table, rows)


def fill_masters(settings) -> None:
    def product(code: str, role: str, reference: str | None = None, units: int = 1) -> dict:
        return {
            "drug_code": code, "ingredient_key": "somatropin", "product_role": role, "claim_units_per_price_list_unit": Decimal(units),
            "reference_drug_code": reference, "reference_units_per_unit": Decimal(1) if reference else None, "valid_from": date(2014, 4, 1),
        }  # fmt: skip

    put(
        settings, tables.BIOSIMILAR_PRODUCT, product(REF, "REF"), product(BS, "BS", REF), product(DEAR_BS, "bioAG", REF),
        product(LONELY_BS, "BS"), product(SAME, "SAME"), product(DOSE, "BS", BS, 28),
    )  # fmt: skip
    revision = date(2025, 4, 1)
    before = {"valid_from": date(2014, 4, 1), "valid_to": date(2025, 3, 31)}
    prices = [
        validity | {"drug_code": code, "price_yen": Decimal(price)}
        for code, both in PRICES.items()
        for validity, price in zip((before, {"valid_from": revision}), both, strict=True)
    ]
    put(settings, tables.DRUG_PRICE, *prices)
    put(settings, tables.DRUG, *({"drug_code": code, "valid_from": date(2014, 4, 1)} for code in PRICES))
    ingredient = {"reference_brand_ja": "先行品", "therapeutic_area_ja": "領域", "is_in_kpi_denominator": True}
    somatropin = {"ingredient_key": "somatropin", "ingredient_ja": "ソマトロピン", "first_bs_listing_month": 200909}
    put(settings, tables.BIOSIMILAR_INGREDIENT, ingredient | somatropin)
    names = (("13", "東京都", "東京", "Tokyo"), ("27", "大阪府", "大阪", "Osaka"))
    put(settings, tables.PREFECTURE, *(dict(zip(tables.PREFECTURE.column_names, (*n, 1, 1), strict=True)) for n in names))
    words = {"break_kind": "price_revision", "title_ja": "薬価改定", "title_en": "NHI price revision", "source": "S"}
    put(settings, tables.STRUCTURAL_BREAK, *(words | {"break_date": d} for d in (date(2024, 4, 1), revision)))
    ndb = {"fiscal_year": 2022, "ndb_round": 9, "route": "injection", "setting": "inpatient", "cell_kind": "total", "cell_key": "all"}
    put(settings, tables.NDB_QUANTITY, *(
        ndb | {"drug_code": code, "quantity_claim_unit": Decimal(amount), "is_hidden": False, "hidden_below": 400}
        for code, amount in ((REF, 300), (BS, 100))
    ))  # fmt: skip


def fill_silver(settings) -> None:
    claims: list[dict] = []
    drugs: list[dict] = []

    def claim(no: int, insurer: str, person: str, month: int, kind: str, *lines: tuple[str, int], setting: str = "outpatient") -> None:
        head = {
            "claim_key": f"c{no}", "insurer_number": insurer, "claim_month": 202505, "service_month": month, "claim_kind": kind, "setting": setting,
            "facility_code": "1340000001" if kind == "pha" else "1310000001", "prescriber_facility_code": "2710000001" if kind == "pha" else None,
            "person_id1": person, "file_sha256": f"{insurer}{kind}",
        }  # fmt: skip
        claims.append(head | {"depositor_number": insurer, "known_from_claim_month": 202505, "known_to_claim_month": 999912})
        drugs.extend(head | {"line_no": i, "drug_code": code, "quantity_claim_unit": Decimal(q)} for i, (code, q) in enumerate(lines))

    claim(1, TOKYO, "p", 202503, "med", (REF, 4), (SAME, 50))
    claim(2, TOKYO, "p", 202504, "pha", (BS, 3), (DEAR_BS, 2))
    claim(3, OSAKA, "q", 202504, "med", (REF, 5), (LONELY_BS, 1), setting="inpatient")
    claim(4, OSAKA, "r", 202504, "pha", (DOSE, 14))
    claim(5, "99999999", "s", 202504, "med", (REF, 1000))  # an insurer without a file in config/insurers
    put(settings, tables.CLAIM, *claims)
    put(settings, tables.CLAIM_DRUG, *drugs)
    events = [{"insurer_number": TOKYO, "file_sha256": "bad", "event_no": 1, "state": "rejected"}]
    for insurer, kind in ((TOKYO, "med"), (TOKYO, "pha"), (OSAKA, "med"), (OSAKA, "pha")):
        event = {"insurer_number": insurer, "file_sha256": f"{insurer}{kind}", "claim_kind": kind, "claim_month": 202505}
        events.append(event | {"event_no": 1, "state": "bronze", "line_count": 9})
        events.append(event | {"event_no": 2, "state": "silver"})
    put(settings, tables.DELIVERY, *events)
    person = {"insurer_number": TOKYO, "residence_municipality": "13101"}  # five members in March, ten in April, p among them
    members = [(f"{n}" if n else "p", month) for month, count in ((202503, 5), (202504, 10)) for n in range(count)]
    put(settings, tables.MEMBER_MONTH, *(person | {"person_id1": name, "service_month": month} for name, month in members))


@pytest.fixture(scope="module")
def built(empty_lake):
    """(settings, what the first build said) on a handful of claims."""
    settings = empty_lake()
    fill_masters(settings)
    fill_silver(settings)
    return settings, build.run(settings)


@pytest.fixture
def one(built, held):
    """The one row of a mart that satisfies `where`."""

    def read(table: str, where: str, *columns: str) -> tuple:
        (row,) = held(f"marts.{table}", where)
        return tuple(getattr(row, name) for name in columns)

    return read


TOP = "population_kind = 'all' and place_level = 'nation' and geography = 'prescriber' and ingredient_key = 'all'"


def test_all_tests_pass_and_claims_of_unknown_insurers_are_told(built):
    assert re.fullmatch(r"\d+ models built, \d+ tests passed, 1 to look at: claims_are_of_known_insurers", built[1])


def test_shares_count_units_yen_and_patients(one):
    year = f"{TOP} and scope = 'brand' and setting = 'all' and period_kind = 'fiscal_year' and period = 2025 and convention = "
    # BS 3 + bioAG 2 + 1 without reference + 14/28 kit; REF 5. SAME, March and the unknown insurer are not in it.
    assert one("fct_biosimilar_share", year + "'claims_units'", "numerator", "denominator") == (Decimal("6.5"), Decimal("11.5"))
    yen = 3 * 50 + 2 * 120 + 1 * 40 + 14 * 3
    assert one("fct_biosimilar_share", year + "'value'", "numerator", "denominator") == (yen, yen + 5 * 90)
    # p: BS only in this year; q: REF and BS, once in each; r: BS
    assert one("fct_biosimilar_share", year + "'patients'", "numerator", "denominator", "patient_count") == (3, 3, 3)


def test_place_of_the_prescriber_is_the_hospital(one, held):
    where = "population_key = '{}' and place_key = '27' and geography = '{}' and ingredient_key = 'all' and setting = 'all' and period = 202504 and convention = 'claims_units'"
    assert one("fct_biosimilar_share", where.format(TOKYO, "prescriber"), "denominator") == (5,)
    assert not held("marts.fct_biosimilar_share", where.format(TOKYO, "facility_of_use"))


def test_savings_keep_the_negative_and_count_what_cannot_be_computed(one):
    saved = one(
        "fct_saving_realised", f"{TOP} and setting = 'all' and period = 202504",
        "price_vintage", "quantity", "saving_yen", "uncomputable_quantity",
    )  # fmt: skip
    assert saved == ("2025-04", Decimal("5.5"), 3 * (90 - 50) + 2 * (90 - 120) + 14 * (50 - 3), 1)


def test_rates_are_of_the_members_of_the_period(one, held):
    """p used 5 units in April, one of ten members; OSAKA gives no members."""
    rate = ("patient_count", "member_patient_count", "member_months", "patients_per_1000_members", "units_per_1000_members")
    where = "place_key = '{}' and geography = 'residence' and ingredient_key = 'all' and period_kind = 'month' and period = 202504 and population_key = '{}'"
    assert one("fct_biosimilar_use", where.format("13", TOKYO), *rate) == (1, 1, 10, 100, 500)
    assert one("fct_biosimilar_use", where.format("all", "all"), *rate) == (3, 1, 10, 100, 500)
    assert one("fct_biosimilar_use", where.format("all", OSAKA), *rate) == (2, 0, None, None, None)


def test_partial_year_says_its_months(one):
    assert one("dim_period", "period_kind = 'fiscal_year' and period = 2025", "months_in_period", "is_complete") == (1, False)


def test_kpi_stands_over_both_denominators(one):
    where = f"{TOP.replace(' and ingredient_key = ' + repr('all'), '')} and period_kind = 'fiscal_year' and period = 2025 and denominator_kind = 'listed'"
    assert one("fct_biosimilar_kpi", where, "ingredient_count", "reached_ingredient_count") == (1, 0)


def test_completeness_knows_missing_rejected_and_foreign(one):
    assert one("fct_completeness", f"insurer_number = '{TOKYO}' and claim_month = 202505 and claim_kind = 'med'", "status") == ("arrived",)
    assert one("fct_completeness", f"insurer_number = '{TOKYO}' and claim_month = 202504 and claim_kind = 'med'", "status") == ("missing",)
    assert one("fct_completeness", f"insurer_number = '{TOKYO}' and claim_month = 0", "status", "claim_kind") == (
        "rejected",
        "unknown",
    )


def test_ndb_nation_is_the_printed_total(one):
    assert one("fct_ndb_share", "setting = 'inpatient' and place_level = 'nation'", "share_ratio") == (Decimal("0.25"),)


def test_ours_stands_beside_the_official_value_of_the_nearest_year(one):
    """BS 1 of 6 units in hospital in FY2025, NDB 100 of 400 in FY2022."""
    where = "place_level = 'nation' and setting = 'inpatient' and ingredient_key = 'somatropin' and convention = 'claims_units'"
    found = one("fct_reconciliation", where, "official_kind", "year_distance", "difference_point")
    assert found == ("ndb", -3, Decimal("-8.3333"))


def test_measures_and_targets_come_from_config(one):
    assert one("dim_measure", "measure_key = 'biosimilar_quantity_share'", "model_name", "row_filter") == (
        "fct_biosimilar_share",
        "scope = 'brand' and convention = 'claims_units'",
    )
    assert one("dim_target", "target_key = 'biosimilar_kpi'", "value_ratio", "due_date") == (Decimal("0.6"), date(2030, 3, 31))


def test_every_published_column_is_described_in_japanese_and_english(built):
    marts = [DeltaTable(log.parent) for log in (built[0].warehouse / "marts.db").glob("*/_delta_log")]
    assert len(marts) > 5
    for mart in marts:
        comments = {field.name: field.metadata.get("comment", "") for field in mart.schema().fields}
        bad = [
            name for name, comment in comments.items() if not (re.search(r"[ぁ-ヿ一-鿿]", comment) and re.search(r"[A-Za-z]{4}", comment))
        ]
        assert not bad, (mart.table_uri, bad)
        assert mart.metadata().description.startswith("One row per "), mart.table_uri


def test_second_build_says_that_nothing_changed(built):
    settings, _ = built
    assert build.run(settings).startswith("nothing changed")


def test_wrong_figure_stops_the_build_and_the_next_one_is_not_skipped(built, tmp_path: Path, monkeypatch):
    settings, _ = built
    project = shutil.copytree(build.PROJECT, tmp_path / "dbt_project")
    model = project / "models/marts/shares/fct_biosimilar_share.sql"
    right = model.read_text()
    model.write_text(
        right.replace("'level.bs_share_quantity', 'level.share_quantity'", "'level.bs_share_quantity', '2 * level.share_quantity'")
    )
    assert model.read_text() != right
    monkeypatch.setattr(build, "PROJECT", project)
    with pytest.raises(LakeError, match=r"dbt test \w+: \d+ rows? against it; expected none \(.+\)\. .+ not to be published\.") as stopped:
        build.run(settings, select="fct_biosimilar_share")
    assert stopped.value.code == ExitCode.FAILED
    monkeypatch.undo()
    assert build.run(settings, select="fct_biosimilar_share").startswith("1 models built")
    assert (settings.home_path / "dbt" / "unfinished").exists()


def test_build_key_follows_the_sources(built):
    settings, _ = built
    before = build.Inputs.now(settings)
    put(settings, tables.DELIVERY_FINDING, {"insurer_number": TOKYO, "file_sha256": "bad", "severity": "stop", "rule": "x"})
    assert build.Inputs.now(settings).build_key != before.build_key
    assert build.Inputs.now(settings).code_key == before.code_key


def test_unit_tests_of_the_models(built):
    assert build.unit_tests(built[0]) >= 9
