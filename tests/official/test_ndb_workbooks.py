"""The twelve true workbooks: what domain.md §3 says of them, and national shares by hand. No Spark but in the last test."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import delta, tables
from spark_jobs.masters import load, ndb_open_data, shipped

QUANTITY = pl.col("quantity_claim_unit")
ROW = ["ndb_round", "route", "setting", "kind", "drug_code"]


@pytest.fixture(scope="module")
def folder(reference: Path) -> Path:
    return reference / "ndb_open_data"


@pytest.fixture(scope="module")
def books(folder: Path) -> dict[str, pl.DataFrame]:
    return {path.name: ndb_open_data.read_workbook(path) for path in ndb_open_data.workbooks(folder)}


@pytest.fixture(scope="module")
def drug_rows(books: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per workbook row: total, and what its 47 prefecture (or 12 month) cells come to."""
    cells = pl.col("cell_kind") != "total"
    shown = QUANTITY.filter(cells)
    threshold = pl.col("hidden_below").first().cast(pl.Decimal(24, 5))
    return (
        pl.concat(book.with_columns(pl.lit("month" if "monthly" in name else "prefecture").alias("kind")) for name, book in books.items())
        .group_by(ROW)
        .agg(
            QUANTITY.filter(~cells).first().alias("total"),
            shown.sum().alias("shown"),
            shown.filter(shown > 0).min().alias("smallest"),
            cells.sum().alias("cells"),
            (cells & pl.col("is_hidden")).sum().alias("hidden"),
            threshold.alias("threshold"),
        )
        .with_columns((pl.col("total") - pl.col("shown")).alias("hidden_mass"))
    )


def test_all_twelve_load_with_the_rows_that_their_publisher_lists(books, drug_rows):
    rows = drug_rows.group_by("ndb_round", "route", "kind").len()
    assert len(books) == 12
    assert {(r, route, kind): n for r, route, kind, n in rows.rows()} == {
        (1, "injection", "prefecture"): 4468,
        (2, "injection", "prefecture"): 8275,
        (3, "injection", "prefecture"): 8143,
        (4, "injection", "prefecture"): 8076,
        (5, "injection", "prefecture"): 8032,
        (6, "injection", "prefecture"): 7961,
        (7, "injection", "prefecture"): 8061,
        (9, "injection", "prefecture"): 9657,
        (9, "oral", "prefecture"): 8387,
        (10, "injection", "prefecture"): 9091,
        (10, "injection", "month"): 9091,
        (11, "injection", "month"): 10296,
    }
    assert set(drug_rows.select("kind", "cells").unique().rows()) == {("prefecture", 47), ("month", 12)}


def test_the_threshold_is_read_from_each_workbook(drug_rows):
    found = set(drug_rows.select("ndb_round", "route", "threshold").unique().rows())
    assert {(r, route) for r, route, threshold in found if threshold == 1000} == {(1, "injection"), (2, "injection"), (9, "oral")}
    assert {threshold for _, _, threshold in found} == {400, 1000}


def test_the_total_is_the_sum_of_the_cells_where_nothing_is_hidden(drug_rows):
    open_rows = drug_rows.filter(pl.col("hidden") == 0)
    assert open_rows.height > 5000
    assert open_rows["hidden_mass"].abs().max() <= Decimal("0.0005")  # 47 cells, each rounded to 5 decimals


def test_hidden_mass_is_never_negative(drug_rows):
    assert drug_rows["hidden_mass"].min() >= Decimal("-0.0005")


def test_no_visible_value_lies_below_its_threshold(drug_rows):
    assert drug_rows.filter(pl.col("smallest") < pl.col("threshold")).is_empty()
    assert drug_rows.filter(pl.col("total") < pl.col("threshold")).is_empty()


def test_no_dash_became_zero(books):
    """Rounds 1-8 print no zero at all; from round 9 on a zero is printed as one, and a dash stays hidden."""
    for name, book in books.items():
        assert book["is_hidden"].equals(book["quantity_claim_unit"].is_null()), name
        assert book["is_hidden"].any(), name
        zeros = book.filter(QUANTITY == 0)
        assert zeros.is_empty() == (book["ndb_round"][0] < 9), name


def test_one_hidden_cell_alone_is_a_true_zero_until_round_6_and_never_later(drug_rows):
    one = drug_rows.filter((pl.col("hidden") == 1) & (pl.col("kind") == "prefecture"))
    assert one["ndb_round"].max() <= 6
    assert one["hidden_mass"].abs().max() <= Decimal("0.0005")


def test_two_hidden_cells_are_less_than_the_smallest_shown_and_the_threshold(drug_rows):
    two = drug_rows.filter((pl.col("hidden") == 2) & (pl.col("ndb_round") >= 5) & (pl.col("kind") == "prefecture"))
    assert two.height > 0
    odd = two.filter(pl.col("hidden_mass") >= pl.col("smallest") + pl.col("threshold"))
    # パドセブ of round 10: 837.338 hidden in two prefectures beside a visible 408.658; as published, no biologic of ours
    assert odd.select("ndb_round", "drug_code", "hidden_mass").rows() == [(10, "629917001", Decimal("837.33800"))]


def test_round_9_hides_a_total_only_with_two_cells_or_more(drug_rows):
    hidden = drug_rows.filter((pl.col("ndb_round") >= 9) & (pl.col("kind") == "prefecture") & pl.col("total").is_null())
    assert hidden.height > 0
    assert hidden["hidden"].min() >= 2


def test_the_two_workbooks_of_round_10_print_the_same_totals(books):
    totals = [books[f"ndb10_injection_{kind}.xlsx"].filter(pl.col("cell_kind") == "total").drop("source") for kind in ("pref", "monthly")]
    assert totals[0].sort(ndb_open_data.KEY).equals(totals[1].sort(ndb_open_data.KEY))


# National shares by hand. 総計 of every row of the ingredient, typed from the workbooks: 外来(院内) + 外来(院外) + 入院; a dash is left out.
HAND = {
    # infliximab: REF レミケード点滴静注用100; BS 「NK」, from round 6 also 「CTH」「日医工」「ファイザー」「あゆみ」
    ("infliximab", 3): ([23944.322, 2865.203], [864755.117, 70505.871]),
    ("infliximab", 6): (
        [86815.97 + 11693.1 + 7883.4 + 4684.5 + 2813.4, 5936.145 + 3284.8 + 580.3],  # 入院「ファイザー」「あゆみ」: -
        [775771.126, 48276.2],
    ),
    ("infliximab", 9): (
        [182895.514 + 37406.617 + 17054.24 + 14985.24 + 4237.35, 9339.38 + 3837.3 + 2657.25 + 512.4],  # 入院「あゆみ」: -
        [634326.745, 30525.575],
    ),
    # insulin glargine: REF ランタス注 ソロスター + カート + 100単位/mL (not ランタスXR); BS ミリオペン「リリー」+ カート「リリー」+ キット「FFP」
    ("insulin_glargine", 3): (
        [344402.23045 + 27370.694 + 37817.93566, 1244082 + 84414 + 51704, 132541.04525 + 1592.97361 + 1647.00262],
        [726341.57588 + 28213.8741 + 7879.616, 3076207.5 + 104901 + 9630, 142130.93958 + 939.45905 + 20692.2304],
    ),
    ("insulin_glargine", 6): (
        [409931.08368 + 28608.565 + 76155.743, 1988811.02 + 110695 + 125123, 175529.76829 + 1990.96026 + 8877.47285],
        [232798.63257 + 11984.59002 + 3367.513, 1340731 + 55103 + 7921, 26844.29336 + 429.09187 + 19697.589],
    ),
    ("insulin_glargine", 9): (
        [385959.24673 + 26042.964 + 67737.437, 2375686.01 + 118553 + 130653, 153538.30141 + 2911.5987 + 6040.14695],
        [153648.49746 + 8075.60672 + 2603.718, 929214 + 35836 + 5747, 15314.58449 + 29206.9735],  # 入院 カート: -
    ),
}
PUBLISHED = {  # domain-supplement-drugs.md §G, %
    ("infliximab", 3): 2.8,
    ("infliximab", 6): 13.1,
    ("infliximab", 9): 29.1,
    ("insulin_glargine", 3): 31.9,
    ("insulin_glargine", 6): 63.3,
    ("insulin_glargine", 9): 73.5,
}


@pytest.mark.parametrize(("ingredient", "ndb_round"), list(HAND))
def test_national_shares_equal_hand_arithmetic(books, ingredient, ndb_round):
    roles = {p.drug_code: p.product_role for p in shipped.biosimilar_products() if p.ingredient_key == ingredient}
    book = next(b for name, b in books.items() if b["ndb_round"][0] == ndb_round and "injection_pref" in name)
    totals = book.filter((pl.col("cell_kind") == "total") & pl.col("drug_code").is_in(list(roles)))
    role = pl.col("drug_code").replace_strict(roles, return_dtype=pl.String)
    bs, ref = (totals.filter(role.is_in(names))["quantity_claim_unit"].sum() for names in (["BS", "bioAG"], ["REF"]))

    hand_bs, hand_ref = (sum(part) for part in HAND[ingredient, ndb_round])
    assert float(bs) == pytest.approx(hand_bs, abs=0.001)
    assert float(ref) == pytest.approx(hand_ref, abs=0.001)
    assert float(100 * bs / (bs + ref)) == pytest.approx(PUBLISHED[ingredient, ndb_round], abs=0.1)


def test_the_shipped_extract_is_what_the_workbooks_give(books):
    rebuilt = ndb_open_data.extract(books.values())
    assert ndb_open_data.read_extract().equals(rebuilt)
    assert ndb_open_data.EXTRACT.stat().st_size < 1_500_000


def test_a_workbook_in_the_lake_has_the_figures_of_the_workbook(lake, folder, books):
    name = "ndb09_injection_pref_001258716.xlsx"
    assert "fiscal year 2022, 463,536 cells" in load.run(lake, "ndb-open-data", folder / name)
    found, expected = (
        cells.group_by("cell_kind").agg(pl.len(), pl.col("is_hidden").sum(), QUANTITY.sum().alias("q")).sort("cell_kind").rows()
        for cells in (delta.read(lake, tables.NDB_QUANTITY), books[name])
    )
    assert found == expected
