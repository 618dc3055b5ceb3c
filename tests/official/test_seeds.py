"""The seeds hold what the reference lists hold: trimmed columns, no changed value; and our rules give the reference's own answers."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spark_jobs.masters import shipped

TRIMMED = [
    "biosimilar_products",
    "biosimilar_price_history",
    "biosimilar_ingredients",
    "therapeutic_areas",
    "structural_breaks",
    "published_series",
]
TRIMMED += ["generic_availability_2025_07", "drug_master_fy2022"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TRIMMED)
def test_a_seed_is_columns_of_its_reference(reference, name):
    seed, whole = rows_of(shipped.SEEDS / f"{name}.csv"), rows_of(reference / f"{name}.csv")
    assert seed == [{column: row[column] for column in seed[0]} for row in whole]


@pytest.mark.parametrize(("column", "day"), [("2026_08_13", date(2026, 8, 13)), ("2025_07_16", date(2025, 7, 16))])
def test_savings_per_unit_are_those_of_the_reference(reference, column, day):
    prices = {p.drug_code: p.price_yen for p in shipped.drug_prices() if p.valid_from <= day and (p.valid_to is None or day <= p.valid_to)}
    checked = 0
    products = {p.drug_code: p for p in shipped.biosimilar_products()}
    for row in rows_of(reference / "biosimilar_products.csv"):
        code = row["receipt_code_9"].split(";")[0]  # the kit of teriparatide: claim unit = price-list unit
        expected = row[f"saving_yen_per_price_list_unit_{column}"]
        if not code or row["role"] not in ("BS", "bioAG"):
            continue
        product = products[code]
        reference_price = prices.get(product.reference_drug_code)
        if not expected:
            assert reference_price is None or code not in prices, code  # not computable, never 0
            continue
        assert round(reference_price * product.reference_units_per_unit - prices[code], 1) == Decimal(expected), code
        checked += 1
    assert checked > 100


def test_prices_per_claim_unit_agree_with_those_that_ndb_printed_for_fy2022(reference):
    """NDB prints the price per claim unit after the revision of 2022-04-01 (domain.md §2.4); biologics whose price we have from the lists."""
    prices = {p.drug_code: p.price_yen for p in shipped.drug_prices() if p.valid_from <= date(2023, 3, 31) <= (p.valid_to or date.max)}
    biologics = {p.drug_code for p in shipped.biosimilar_products()}
    printed = {r["receipt_code_9"]: Decimal(r["price_yen_per_receipt_unit_fy2022"]) for r in rows_of(reference / "drug_master_fy2022.csv")}
    compared = {code: (prices[code], printed[code]) for code in biologics & set(prices) & set(printed)}
    assert len(compared) > 200
    assert {code: pair for code, pair in compared.items() if pair[0] != pair[1]} == {}


def test_a_reference_of_the_official_generic_name_group_is_the_matched_one(reference):
    """一般名コード of the 医薬品マスター from 2026-06 (domain.md §2.6): where a group holds a reference, its BS are matched with that one."""
    groups: dict[str, dict[str, set[str]]] = {}
    for row in rows_of(reference / "generic_name_groups.csv"):
        groups.setdefault(row["generic_name_code"], {"REF": set(), "BS": set()})[row["role"]].add(row["receipt_code_9"])
    products = {p.drug_code: p for p in shipped.biosimilar_products()}
    found = {(products[bs].reference_drug_code, frozenset(g["REF"])) for g in groups.values() if g["REF"] for bs in g["BS"]}
    assert len(found) >= 2
    assert all(code in references for code, references in found)
