"""医薬品マスター: what is read, and what many editions say together."""

import itertools
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import delta, tables
from spark_jobs.errors import LakeError
from spark_jobs.masters import drug_master, edition, load, shipped

GASTER, NEW = "610406079", "629999901"
SHIPPED_DRUG = next(d for d in shipped.drugs() if d.drug_code == GASTER)


def y_row(code: str = GASTER, price: str = "9.50", changed: str = "20250401", *, yakka: str = "2325003B2029", name: str = "ガスター散２％",
          old: str = "0", abolished: str = "99999999", until: str = "0", listed: str = "0", change: str = "0", generic: str = "0",
          columns: int = 42) -> list[str]:  # fmt: skip
    row = ["0"] * 35 + [listed, "", "", "0", "0", "0", "0"]
    values = {0: change, 1: "Y", 2: code, 4: name, 6: "ｶﾞｽﾀｰｻﾝ2%", 7: "33", 9: "ｇ", 10: "1", 11: price, 16: generic, 23: "1", 24: old, 28: "",
              29: changed, 30: abolished, 31: yakka, 33: until, 34: name}  # fmt: skip
    for place, value in values.items():
        row[place] = value
    return row[:columns]


def write(path: Path, *rows: list[str], quoted: bool = True, encoding: str = "cp932", header: bool = False, end: str = "\r\n") -> Path:
    mark = '"' if quoted else ""
    lines = [",".join(f"{mark}{cell}{mark}" for cell in row) for row in rows]
    heads = ["変更区分,マスター種別,医薬品コード" + ",x" * (len(rows[0]) - 3)] if header else []
    path.write_bytes((end.join([*heads, *lines]) + end).encode(encoding))
    return path


@pytest.fixture
def small_editions_are_whole(monkeypatch):
    monkeypatch.setattr(drug_master, "WHOLE", 1)


@pytest.mark.parametrize("columns", [35, 42])
@pytest.mark.parametrize(
    ("quoted", "encoding", "header"), [(True, "cp932", False), (False, "utf-8", True), (False, "utf-8-sig", True), (True, "utf-8", False)]
)
def test_quoted_or_not_with_or_without_header_35_or_42_columns_are_one(tmp_path, columns, quoted, encoding, header):
    path = write(tmp_path / "y_20250401.csv", y_row(columns=columns, old="15.10"), quoted=quoted, encoding=encoding, header=header)
    row = drug_master.read(path).row(0, named=True)
    assert (row["drug_code"], row["drug_name_ja"], row["unit_ja"], row["price_yen"], row["old_price_yen"], row["yakka_code_12"]) == (
        GASTER, "ガスター散２％", "ｇ", Decimal("9.5"), Decimal("15.1"), "2325003B2029",
    )  # fmt: skip
    assert (row["edition_date"], row["changed_on"], row["abolished_on"], row["listed_on"]) == (
        date(2025, 4, 1),
        date(2025, 4, 1),
        None,
        None,
    )


@pytest.mark.parametrize(
    ("name", "rows", "old"), [("y_rows_42col_quoted_20260116", 10, Decimal("16.5")), ("y_rows_42col_unquoted_R8", 5, None)]
)
def test_the_published_samples_are_read(reference, name, rows, old):
    items = drug_master.read(reference / "samples" / f"{name}.csv", date(2026, 4, 20))
    assert items.height == rows
    gaster = items.filter(drug_code=GASTER).row(0, named=True)
    assert gaster["price_yen"] == (Decimal("15.1") if old else Decimal("9.5"))
    assert gaster["old_price_yen"] == old
    assert gaster["generic_name_code"] == "2325003B2ZZZ"


def test_the_two_samples_together_give_the_price_of_each_year(reference):
    samples = (("y_rows_42col_quoted_20260116", date(2026, 1, 16)), ("y_rows_42col_unquoted_R8", date(2026, 4, 1)))
    items = pl.concat(drug_master.read(reference / "samples" / f"{name}.csv", day) for name, day in samples)
    found = [(str(p.price_yen), p.valid_from, p.valid_to) for p in drug_master.prices(items, (), ()) if p.drug_code == GASTER]
    assert found == [
        ("16.5000", date(2024, 4, 1), date(2025, 3, 31)),
        ("15.1000", date(2025, 4, 1), date(2026, 3, 31)),
        ("9.5000", date(2026, 4, 1), None),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (y_row()[:40], "line 2: 40 fields; expected 35 or 42"),
        (y_row(code="12"), "line 2: 医薬品コード '12'; expected 9 digits"),
        (y_row(code=GASTER), "line 2: 医薬品コード 610406079 again, first in line 1"),
        (y_row(code=NEW, price="x"), "line 2: price_yen 'x'; expected an amount"),
        (y_row(code=NEW, changed="20251301"), "line 2: changed_on '20251301'; expected a date"),
        (y_row(code=NEW, yakka="232"), "line 2: 薬価基準収載医薬品コード '232'; expected 12 characters"),
    ],
)
def test_a_bad_row_stops_the_file_and_says_where(tmp_path, row, message):
    with pytest.raises(LakeError, match=r"y_20250401\.csv") as caught:
        drug_master.read(write(tmp_path / "y_20250401.csv", y_row(), row))
    assert message in str(caught.value)


def test_every_bad_row_is_told_the_first_in_full_the_last_as_a_number(tmp_path):
    rows = [y_row(code=str(number)) for number in range(8)]
    with pytest.raises(LakeError, match=r"line 1: .*Also line 2: .*line 5: .*; and 3 more"):
        drug_master.read(write(tmp_path / "y_20250401.csv", *rows))


def test_a_file_without_a_date_must_be_given_one(tmp_path):
    path = write(tmp_path / "y.csv", y_row())
    with pytest.raises(LakeError, match=r"no date in the file's name.*give --date"):
        drug_master.read(path)
    assert drug_master.read(path, date(2025, 5, 1))["edition_date"][0] == date(2025, 5, 1)


EDITIONS = {
    "y_20250415": [y_row(price="15.10", old="16.50"), y_row(NEW, "100.00", "20250401", name="見本錠", yakka="1124001F1022")],
    "y_20251014": [
        y_row(price="15.10", old="16.50"),
        y_row(NEW, "100.00", "20250401", name="見本錠", yakka="1124001F1022", until="20260331"),
    ],
    "y_20260305": [y_row(price="9.50", changed="20260401")],  # published ahead
    "y_20260317": [
        y_row(price="15.10", old="16.50"),
        y_row(NEW, "100.00", "20250401", name="見本錠", yakka="1124001F1022", until="20260331"),
    ],
    "y_20260414": [y_row(price="9.50", changed="20260401")],
}


def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / f"{name}.csv", *rows) for name, rows in EDITIONS.items()]


def test_any_order_of_editions_gives_the_same_tables(lake, tmp_path, small_editions_are_whole, monkeypatch):
    monkeypatch.setattr(shipped, "drugs", lambda: (SHIPPED_DRUG,))
    monkeypatch.setattr(shipped, "drug_prices", lambda: ())
    paths, results = files(tmp_path), set()
    for order in itertools.islice(itertools.permutations(paths), 0, None, 29):
        delta.replace(lake, tables.DRUG_MASTER_ITEM, [])
        for path in order:
            load.run(lake, "drug-master", path)
        held = [delta.read(lake, table).sort(table.key).rows() for table in (tables.DRUG, tables.DRUG_PRICE)]
        results.add(repr(held))
    assert len(results) == 1
    prices = {(row[0], str(row[1]), row[2], row[3]) for row in held[1]}
    assert prices == {
        (GASTER, "16.5000", date(2024, 4, 1), date(2025, 3, 31)),
        (GASTER, "15.1000", date(2025, 4, 1), date(2026, 3, 31)),
        (GASTER, "9.5000", date(2026, 4, 1), None),
        (NEW, "100.0000", date(2025, 4, 1), date(2026, 3, 31)),
    }


def test_the_same_edition_twice_writes_nothing(lake, tmp_path):
    path = files(tmp_path)[0]
    assert "wrote" in load.run(lake, "drug-master", path)
    changed = (tables.DRUG_MASTER_ITEM, tables.DRUG, tables.DRUG_PRICE)
    before = [delta.version(lake, table) for table in changed]
    assert load.run(lake, "drug-master", path).endswith("already there, skipped")
    assert [delta.version(lake, table) for table in changed] == before


def test_shipped_before_or_after_an_edition_is_the_same_and_the_edition_wins_from_its_days_on(lake, tmp_path):
    path = files(tmp_path)[4]
    load.run(lake, "drug-master", path)
    load.run(lake, "shipped")
    after = {t.name: delta.read(lake, t).sort(t.key) for t in (tables.DRUG, tables.DRUG_PRICE)}
    for table in (tables.DRUG, tables.DRUG_PRICE, tables.DRUG_MASTER_ITEM):
        delta.replace(lake, table, [])
    load.run(lake, "shipped")
    load.run(lake, "drug-master", path)
    for table in (tables.DRUG, tables.DRUG_PRICE):
        assert delta.read(lake, table).sort(table.key).equals(after[table.name])
    gaster = after["masters.drug_price"].filter(drug_code=GASTER)
    assert gaster.select("valid_to", "is_assumed").rows() == [(date(2026, 3, 31), True), (None, False)]
    others = after["masters.drug_price"].filter(pl.col("drug_code") != GASTER)
    assert others.height == len([p for p in shipped.drug_prices() if p.drug_code != GASTER])  # an excerpt ends no other code
    assert load.run(lake, "shipped").startswith("already there")


def items(*of_editions: tuple[str, list[list[str]]], tmp_path: Path) -> pl.DataFrame:
    return pl.concat(drug_master.read(write(tmp_path / f"y_{day}.csv", *rows)) for day, rows in of_editions)


def test_a_code_that_a_whole_edition_lacks_ends_the_day_before(tmp_path, small_editions_are_whole):
    held = items(("20250415", EDITIONS["y_20250415"]), ("20250520", [y_row()]), tmp_path=tmp_path)
    ends = {row.drug_code: row.valid_to for row in drug_master.drugs(held, ())}
    assert ends == {GASTER: None, NEW: date(2025, 5, 19)}


def test_a_code_that_an_excerpt_lacks_goes_on(tmp_path):
    held = items(("20250415", EDITIONS["y_20250415"]), ("20250520", [y_row()]), tmp_path=tmp_path)
    assert {row.valid_to for row in drug_master.drugs(held, ())} == {None}


def test_shipped_codes_end_before_the_first_whole_edition_that_lacks_them(tmp_path, small_editions_are_whole):
    other = next(d for d in shipped.drugs() if d.drug_code != GASTER)
    held = items(("20250415", [y_row()]), tmp_path=tmp_path)
    assert [(d.drug_code, d.valid_to) for d in drug_master.drugs(held, (other,))] == [(GASTER, None), (other.drug_code, date(2025, 4, 14))]


def test_an_abolished_row_ends_on_its_day_even_where_it_was_changed_after_it(tmp_path):
    held = items(("20260414", [y_row(changed="20260401", abolished="20260331", change="9")]), tmp_path=tmp_path)
    (price,) = drug_master.prices(held, (), ())
    assert (price.valid_from, price.valid_to) == (date(2025, 4, 1), date(2026, 3, 31))


def test_a_new_product_is_known_from_its_listing_and_an_old_one_from_the_first_day_of_all(tmp_path):
    rows = [y_row(changed="20260401"), y_row(NEW, changed="20260401", listed="20251112", name="見本錠")]
    found = {d.drug_code: d.valid_from for d in drug_master.drugs(items(("20260414", rows), tmp_path=tmp_path), ())}
    assert found == {GASTER: shipped.FIRST_DAY, NEW: date(2025, 11, 12)}


def test_prices_of_lists_stand_over_shipped_ones_and_the_old_amount_over_assumed_ones_only(tmp_path):
    held = items(("20260414", [y_row(changed="20260401", old="15.10")]), tmp_path=tmp_path)
    day = date(2014, 4, 1)
    assumed = shipped.DrugPrice(GASTER, Decimal(20), day, None, True, "x", day)
    exact = shipped.DrugPrice(GASTER, Decimal(16), date(2025, 10, 1), None, False, "x", day)
    listed = shipped.DrugPrice(GASTER, Decimal(17), date(2026, 1, 1), date(2026, 2, 28), False, "x", day)
    found = drug_master.prices(held, [listed], [assumed, exact])
    assert [(str(p.price_yen.normalize()), p.valid_from, p.valid_to) for p in found] == [
        ("2E+1", day, date(2025, 3, 31)),
        ("15.1", date(2025, 4, 1), date(2025, 9, 30)),
        ("16", date(2025, 10, 1), date(2025, 12, 31)),
        ("17", date(2026, 1, 1), date(2026, 2, 28)),
        ("16", date(2026, 3, 1), date(2026, 3, 31)),
        ("9.5", date(2026, 4, 1), None),
    ]


def test_validities_never_overlap(tmp_path, small_editions_are_whole):
    held = pl.concat(drug_master.read(path) for path in files(tmp_path))
    for rows in (drug_master.drugs(held, shipped.drugs()), drug_master.prices(held, (), shipped.drug_prices())):
        for before, after in itertools.pairwise(rows):
            assert before.drug_code < after.drug_code or (before.valid_to is not None and before.valid_to < after.valid_from)


def test_without_an_edition_the_shipped_rows_are_as_they_are():
    none = edition.frame(tables.DRUG_MASTER_ITEM, [])
    assert drug_master.drugs(none, shipped.drugs()) == shipped.drugs()
    assert drug_master.prices(none, (), shipped.drug_prices()) == shipped.drug_prices()
