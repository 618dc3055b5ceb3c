"""What a workbook becomes, and what is refused. Figures of the true workbooks: tests/official."""

from decimal import Decimal

import polars as pl
import pytest

from spark_jobs import tables
from spark_jobs.errors import LakeError
from spark_jobs.masters import ndb_open_data

REMICADE = "640462006"


def cell_of(rows: pl.DataFrame, key: str) -> dict:
    return rows.row(by_predicate=pl.col("cell_key") == key, named=True)


def test_the_columns_are_those_of_the_table():
    assert list(ndb_open_data.SCHEMA) == tables.NDB_QUANTITY.column_names
    assert tuple(ndb_open_data.KEY) == tables.NDB_QUANTITY.key


def test_period_route_setting_and_threshold_are_read_from_the_workbook(ndb_workbook):
    rows = ndb_open_data.read_workbook(ndb_workbook([(REMICADE, 1000, {"13": 1000})], name="renamed.xlsx"))
    assert cell_of(rows, "13") == {
        "fiscal_year": 2022,
        "ndb_round": 9,
        "route": "injection",
        "setting": "inpatient",
        "cell_kind": "prefecture",
        "cell_key": "13",
        "drug_code": REMICADE,
        "drug_name_ja": "レミケード点滴静注用１００",
        "yakka_code_12": "2399401F1026",
        "quantity_claim_unit": Decimal("1000.00000"),
        "is_hidden": False,
        "hidden_below": 400,
        "source": "renamed.xlsx",
    }


@pytest.mark.parametrize("dash", ["-", "‐", "－", "―", "ー", " - "])
def test_a_dash_of_any_kind_is_hidden_and_never_zero(ndb_workbook, dash):
    rows = ndb_open_data.read_workbook(ndb_workbook([(REMICADE, 900, {"13": dash, "27": dash, "14": 500})]))
    assert cell_of(rows, "13")["quantity_claim_unit"] is None
    assert cell_of(rows, "13")["is_hidden"]


def test_a_printed_zero_stays_zero(ndb_workbook):
    rows = ndb_open_data.read_workbook(ndb_workbook([(REMICADE, 900, {"13": 900})]))
    assert cell_of(rows, "01")["quantity_claim_unit"] == 0
    assert not cell_of(rows, "01")["is_hidden"]


@pytest.mark.parametrize("code", [REMICADE, 640462006, 640462006.0])
def test_codes_as_text_or_number_are_the_same(ndb_workbook, code):
    assert ndb_open_data.read_workbook(ndb_workbook([(code, 900, {"13": 900})]))["drug_code"].unique().to_list() == [REMICADE]


@pytest.mark.parametrize(
    ("title", "year"),
    [("診療年月：H26年04月～H27年03月", 2014), ("診療年月：H31年04月～R02年03月", 2019), ("診療年月：R02年04月～R03年03月", 2020)],
)
def test_japanese_years(ndb_workbook, title, year):
    rows = ndb_open_data.read_workbook(ndb_workbook([(REMICADE, 1000, {"13": 1000})], title=title))
    assert rows["fiscal_year"].unique().to_list() == [year]
    assert rows["hidden_below"].unique().to_list() == [1000]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": "令和4年度 人口動態統計"}, "令和4年度人口動態統計 in cell A1; expected 診療年月：…年04月～…年03月"),
        ({"sheet": "グラフ"}, "a sheet named グラフ; expected a name such as 注射薬 外来 (院内)"),
        ({"header": ["薬効分類", "都道府県", "値"]}, "no column 医薬品コード; expected a header row"),
        ({"names": ["青森県"] * 47}, "青森県 under 01; expected 北海道"),
    ],
)
def test_a_workbook_of_another_kind_is_refused(ndb_workbook, change, message):
    path = ndb_workbook([(REMICADE, 900, {"13": 900})], **change)
    with pytest.raises(LakeError, match=r"any\.xlsx, sheet .*Give an NDBオープンデータ workbook") as caught:
        ndb_open_data.read_workbook(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("drugs", "message"),
    [
        ([(REMICADE, 900, {"13": "n.a."})], "row 5, column 22: cell 'n.a.'; expected a number or a dash"),
        ([(REMICADE, 900, {"13": ""})], "row 5, column 22: cell ''; expected a number or a dash"),
        ([("合計", 900, {})], "row 5: 医薬品コード '合計'; expected 9 digits"),
        ([(REMICADE, 900, {}), (REMICADE, 800, {})], f"医薬品コード {REMICADE} twice"),
        ([], "no rows"),
    ],
)
def test_a_broken_cell_stops_the_load_and_says_where(ndb_workbook, drugs, message):
    with pytest.raises(LakeError, match=r"any\.xlsx, sheet 注射薬 入院") as caught:
        ndb_open_data.read_workbook(ndb_workbook(drugs))
    assert message in str(caught.value)


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    (tmp_path / "a.xlsx").write_text("no workbook")
    with pytest.raises(LakeError, match=r"a\.xlsx: a file that can not be opened"):
        ndb_open_data.read_workbook(tmp_path / "a.xlsx")
    with pytest.raises(LakeError, match="no such file or folder"):
        ndb_open_data.workbooks(tmp_path / "nothing")


def test_the_extract_holds_biologics_only_and_round_trips(ndb_workbook, tmp_path):
    ndb_workbook([(REMICADE, 900.12345, {"13": "-", "14": 500.5}), ("620000199", 5000, {"13": 5000})])
    made = tmp_path / "extract.csv.gz"
    assert ndb_open_data.write_extract(tmp_path, made) == 48
    rows = ndb_open_data.read_extract(made)
    assert rows["drug_code"].unique().to_list() == [REMICADE]
    assert rows["source"].unique().to_list() == ["any.xlsx (抜粋)"]
    assert [cell_of(rows, key)["quantity_claim_unit"] for key in ("all", "13", "14", "01")] == [
        Decimal("900.12345"),
        None,
        Decimal("500.5"),
        0,
    ]
    assert cell_of(rows, "13")["is_hidden"]
    classes = ndb_open_data.read_class_extract(tmp_path / "ndb_class.csv")
    assert classes.select("fiscal_year", "setting", "row_count", "unlisted_at_most").rows() == [(2022, "inpatient", 2, Decimal(0))]


@pytest.mark.parametrize(
    ("ndb_round", "totals", "at_most"),
    [
        (1, [5000.5] * 29, 0),  # fewer than the limit: listed whole
        (1, [5000.5] * 29 + [2485.0], 2485),
        (1, [5000.5] * 29 + [None], 1000),  # the last total is hidden: below its threshold
        (2, [5000.5] * 30, 0),
        (7, [5000.5] * 102 + [None], 400),  # ties at the last place
        (7, [5000.5] * 104, 0),
        (9, [5000.5] * 256, 0),  # a class of 300: all 256 that are injections
        (9, [5000.5] * 299 + [411.0], 411),
    ],
)
def test_a_drug_that_is_not_listed_had_at_most_the_last_total_of_a_full_class(ndb_round, totals, at_most):
    rows = pl.DataFrame({
        "fiscal_year": 2013 + ndb_round, "ndb_round": ndb_round, "route": "injection", "setting": "inpatient", "cell_kind": "total",
        "yakka_code_12": [f"399{n:09}" for n in range(len(totals))], "quantity_claim_unit": pl.Series(totals, dtype=pl.Float64).cast(pl.Decimal(24, 5)),
        "hidden_below": 1000 if ndb_round < 3 else 400, "source": "s",
    })  # fmt: skip
    (found,) = ndb_open_data.classes(rows).to_dicts()
    assert (found["yakko_class_3"], found["row_count"], found["unlisted_at_most"]) == ("399", len(totals), at_most)
