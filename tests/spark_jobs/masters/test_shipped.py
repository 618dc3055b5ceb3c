"""Prices, roles and references as rows: pure Python."""

from collections import defaultdict
from dataclasses import fields
from datetime import date
from decimal import Decimal

import pytest

from spark_jobs import tables
from spark_jobs.masters import load, shipped

PRODUCTS = {p.drug_code: p for p in shipped.biosimilar_products()}
PRICES = defaultdict(list)
for row in shipped.drug_prices():
    PRICES[row.drug_code].append(row)

ESPO_750, EPOETIN_BS_750 = "640408136", "621972601"
EPOETIN_SYRINGES = {"621972301", "621972401", "621972501"}
MIRIOPEN_LILLY, FFP, SOLOSTAR = "622411001", "622484801", "620007536"
FORTEO, FORTEO_DOSE, TERIPARATIDE_BS, TERIPARATIDE_BS_DOSE = "622007102", "630011001", "629903201", "630011002"


def price(drug_code: str, day: date) -> Decimal | None:
    found = [p.price_yen for p in PRICES[drug_code] if p.valid_from <= day and (p.valid_to is None or day <= p.valid_to)]
    assert len(found) <= 1
    return found[0] if found else None


def saving(drug_code: str, day: date) -> Decimal | None:
    """Reference price × units − own price, as the marts will have it; None = not computable."""
    product = PRODUCTS[drug_code]
    if not product.reference_drug_code:
        return None
    reference, own = price(product.reference_drug_code, day), price(drug_code, day)
    return None if reference is None or own is None else reference * product.reference_units_per_unit - own


@pytest.mark.parametrize("table", list(load.SHIPPED), ids=lambda t: t.name)
def test_rows_have_the_columns_of_their_table_and_a_unique_key(table):
    rows = load.SHIPPED[table]()
    assert [f.name for f in fields(rows[0])] == table.column_names
    assert len({tuple(getattr(r, k) for k in table.key) for r in rows}) == len(rows) > 0


@pytest.mark.parametrize("table", [tables.DRUG, tables.DRUG_PRICE, tables.BIOSIMILAR_PRODUCT, tables.GENERIC_CLASS], ids=lambda t: t.name)
def test_validities_never_overlap_and_end_with_a_month(table):
    periods = defaultdict(list)
    for row in load.SHIPPED[table]():
        periods[getattr(row, table.key[0])].append((row.valid_from, row.valid_to))
    for code, spans in periods.items():
        spans.sort()
        for (start, end), following in zip(spans, [*spans[1:], None], strict=True):
            assert end is None or start <= end, code
            assert end is None or (date.fromordinal(end.toordinal() + 1)).day == 1, code
            assert following is None or (end is not None and end < following[0]), code


def test_a_dose_of_teriparatide_is_a_28th_of_a_kit_to_a_tenth_of_a_yen():
    day = date(2022, 6, 30)
    assert price(FORTEO, day) == 32253
    assert price(FORTEO_DOSE, day) == Decimal("1151.9")
    assert price(TERIPARATIDE_BS, day) == 21577
    assert price(TERIPARATIDE_BS_DOSE, day) == Decimal("770.6")


def test_a_dose_is_compared_with_a_dose_and_a_kit_with_a_kit():
    for own, reference in ((TERIPARATIDE_BS, FORTEO), (TERIPARATIDE_BS_DOSE, FORTEO_DOSE)):
        assert PRODUCTS[own].reference_drug_code == reference
        assert PRODUCTS[own].reference_units_per_unit == 1
    assert PRODUCTS[TERIPARATIDE_BS_DOSE].claim_units_per_price_list_unit == 28


@pytest.mark.parametrize(
    ("drug_code", "yen"),
    [
        (EPOETIN_BS_750, "-418"),
        (MIRIOPEN_LILLY, "-109"),
        (FFP, "-82"),
    ],
)
def test_a_biosimilar_may_cost_more_than_its_reference(drug_code, yen):
    """★ of 2026-08-13, domain.md §2.5."""
    assert saving(drug_code, date(2026, 8, 13)) == Decimal(yen)


def test_the_sign_of_a_saving_is_that_of_its_month():
    assert saving(MIRIOPEN_LILLY, date(2026, 3, 31)) > 0 > saving(MIRIOPEN_LILLY, date(2026, 4, 30))


def test_references_of_another_strength_are_scaled_by_content():
    ustekinumab_90, somatropin_5, somatropin_10 = "629940701", "622461501", "622461601"
    assert PRODUCTS[ustekinumab_90].reference_units_per_unit == 2
    assert saving(ustekinumab_90, date(2026, 8, 13)) == 131088
    assert PRODUCTS[somatropin_5].reference_units_per_unit == Decimal("0.93808630")  # 5 / 5.33
    assert round(saving(somatropin_5, date(2026, 8, 13)), 1) == Decimal("517.9")
    assert round(saving(somatropin_10, date(2026, 8, 13)), 1) == Decimal("1606.7")


def test_epoetin_syringes_have_no_reference_left_so_no_saving():
    without = {p.drug_code for p in PRODUCTS.values() if p.product_role in ("BS", "bioAG") and p.reference_drug_code is None}
    assert without == EPOETIN_SYRINGES
    assert all(saving(code, date(2026, 8, 13)) is None for code in without)


def test_a_reference_is_an_originator_of_the_same_ingredient():
    for product in PRODUCTS.values():
        if product.reference_drug_code:
            reference = PRODUCTS[product.reference_drug_code]
            assert (reference.product_role, reference.ingredient_key) == ("REF", product.ingredient_key)
            assert product.reference_units_per_unit > 0
            assert product.match_kind
        else:
            assert product.reference_units_per_unit is None
            assert product.match_kind is None


def test_prices_change_on_the_days_of_revision():
    days = (date(2025, 3, 31), date(2025, 4, 1), date(2026, 3, 31), date(2026, 4, 1))
    assert [price(SOLOSTAR, day) for day in days] == [1189, 1049, 1049, 888]


def test_somatropin_bs_has_the_price_of_the_code_that_its_claims_stood_under():
    days = (date(2022, 3, 31), date(2022, 4, 1), date(2024, 3, 31), date(2024, 4, 1))
    assert [price("622461501", day) for day in days] == [15732, 14741, 13917, 13001]


def test_a_product_of_2026_has_no_price_before_its_listing():
    golimumab_bs = "629940601"
    assert price(golimumab_bs, date(2026, 5, 19)) is None
    assert price(golimumab_bs, date(2026, 5, 20)) == 67615


def test_prices_of_the_last_list_before_2026_end_with_march():
    bevacizumab_daiichi = next(p.drug_code for p in PRODUCTS.values() if p.yakka_code_12 == "4291450A1023")
    assert price(bevacizumab_daiichi, date(2026, 3, 31)) == 6901
    assert price(bevacizumab_daiichi, date(2026, 4, 1)) is None


def test_only_drugs_other_than_biologics_have_an_assumed_price():
    assert {code for code, rows in PRICES.items() if not rows[0].is_assumed} == set(PRODUCTS)
    assert all(len({r.is_assumed for r in rows}) == 1 for rows in PRICES.values())
    assert price("610406170", date(2025, 1, 31)) == Decimal("5.9")


def test_an_ingredient_enters_the_kpi_with_its_first_listing():
    def denominator(month: int) -> int:
        counted = [i.first_bs_listing_month for i in shipped.biosimilar_ingredients() if i.is_in_kpi_denominator]
        return sum(first is not None and first <= month for first in counted)

    assert [denominator(m) for m in (202310, 202311, 202405, 202510, 202511, 202604, 202605)] == [16, 17, 18, 18, 20, 20, 23]
    natalizumab = next(i for i in shipped.biosimilar_ingredients() if i.ingredient_key == "natalizumab")
    assert (natalizumab.is_in_kpi_denominator, natalizumab.first_bs_listing_month) == (False, None)


def test_three_items_turn_to_class_2_in_october_2025():
    changed = [g for g in shipped.generic_classes() if g.valid_from == date(2025, 10, 1)]
    assert [g.availability_class for g in changed] == ["2", "2", "2"]
    before = {g.yakka_code_12: g for g in shipped.generic_classes() if g.valid_to == date(2025, 9, 30)}
    assert all(before[g.yakka_code_12].availability_class != "2" for g in changed)


def test_every_prefecture_has_a_tile_of_its_own():
    found = shipped.prefectures()
    assert [p.prefecture_code for p in found] == [f"{n:02}" for n in range(1, 48)]
    assert len({(p.tile_column, p.tile_row) for p in found}) == 47
    assert all(p.prefecture_ja.startswith(p.prefecture_short_ja) for p in found)


def test_a_break_concerns_the_ingredients_that_its_title_names():
    found = {(b.break_date.isoformat(), b.ingredient_keys) for b in shipped.structural_breaks() if b.ingredient_keys}
    assert len(found) == 17
    assert {
        ("2023-11-22", "pegfilgrastim"),  # ペグフィルグラスチム, not フィルグラスチム
        ("2023-04-01", "trastuzumab"),  # ハーセプチン
        ("2024-04-01", "insulin_aspart"),  # ノボラピッド
        ("2025-11-12", "aflibercept,tocilizumab"),
    } <= found


def test_caps_of_a_month_are_one_row_per_band_and_none_is_known_from_2027_08():
    """高額療養費: the 13 bands from 2027-08 need the 標準報酬月額, which no receipt shows."""
    for day, bands in ((date(2026, 7, 31), 14), (date(2026, 8, 1), 12), (date(2027, 8, 1), 2)):
        valid = [c for c in shipped.high_cost_caps() if c.valid_from <= day and (c.valid_to is None or day <= c.valid_to)]
        assert len({(c.age_group, c.band) for c in valid}) == len(valid) == bands
    assert all(c.is_provisional == (c.valid_from == date(2026, 8, 1)) for c in shipped.high_cost_caps())
