"""The twelve true workbooks: what domain.md §3 says of them. No Spark but in the last test."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import delta, tables
from spark_jobs.masters import load, ndb_open_data

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


def test_the_shipped_extract_is_what_the_workbooks_give(books):
    rebuilt = ndb_open_data.extract(books.values())
    assert ndb_open_data.read_extract().equals(rebuilt)
    assert ndb_open_data.EXTRACT.stat().st_size < 1_500_000
    assert ndb_open_data.read_class_extract().equals(ndb_open_data.class_extract(books.values()))


def test_a_class_that_reached_its_limit_bounds_what_it_does_not_list(books):
    """399, 外来(院内): darbepoetin BS of round 6 were cut off below the 100th row; round 9 lists 300 rows, round 11 all."""
    classes = pl.concat(map(ndb_open_data.classes, books.values())).filter(
        (pl.col("route") == "injection") & (pl.col("yakko_class_3") == "399") & (pl.col("setting") == "outpatient_in_hospital")
    )
    found = {n: (rows, str(most)) for n, rows, most in classes.select("ndb_round", "row_count", "unlisted_at_most").unique().rows()}
    assert found[6] == (100, "26757.00000")
    assert found[9] == (300, "400.00000")
    assert found[11] == (338, "0.00000")


def test_a_workbook_in_the_lake_has_the_figures_of_the_workbook(lake, folder, books):
    name = "ndb09_injection_pref_001258716.xlsx"
    assert "fiscal year 2022, 463,536 cells" in load.run(lake, "ndb-open-data", folder / name)
    found, expected = (
        cells.group_by("cell_kind").agg(pl.len(), pl.col("is_hidden").sum(), QUANTITY.sum().alias("q")).sort("cell_kind").rows()
        for cells in (delta.read(lake, tables.NDB_QUANTITY), books[name])
    )
    assert found == expected
