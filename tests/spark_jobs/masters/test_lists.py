"""Price list, generic list, supply status, facility list: what is read, what is refused, what editions say together."""

import itertools
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from small_workbook import write_xlsx

from spark_jobs import delta, tables
from spark_jobs.errors import LakeError
from spark_jobs.masters import edition, facility, generic_list, load, price_list, shipped, supply_status

PRICE_HEADS = ["区分", "薬価基準収載\n医薬品コード", "成分名", "規格", "", "", "", "品名", "メーカー名",
               "診療報酬において加算等の算定対象となる後発医薬品", "先発医薬品", "同一剤形・規格の後発医薬品がある先発医薬品", "薬価",
               "経過措置による使用期限", "備考"]  # fmt: skip
GENERIC_HEADS = ["薬価基準収載医薬品コード", "成分名", "品名", "各先発医薬品の後発医薬品の有無に関する情報", "収載年月日(YYYYMMDD)\n【例】\n2016年4月1日",
                 "経過措置による使用期限", "備考", "診療報酬における加算等の算定対象から除外する品目", "カットオフ値の計算に含める品目"]  # fmt: skip
SUPPLY_HEADS = ["①薬剤区分", "②薬効分類\r\n（保険薬収載時点の薬効分類を記載）", "③成分名", "④規格単位\r\n※全角", "⑤YJコード",
                "⑥品名\r\n（承認書に記載の正式名称）\r\n※全角", "⑦製造販売業者名", "⑧製品区分", "⑨基礎的\r\n医薬品", "⑩安定確保医薬品", "⑪薬価収載年月日",
                "⑫製造販売業者の\r\n「出荷対応」の状況", "⑬当該品目の⑫の情報を更新した日", "⑭限定出荷/供給停止の理由\r\n",
                "⑮限定出荷の解除見込み／\r\n供給停止の解消見込み", "⑯限定出荷の解除見込み／\r\n供給停止の解消見込み／\r\n販売中止品の在庫消尽時期",
                "⑰製造販売業者の\r\n「出荷量」の現在の状況", "⑱製造販売業者の「出荷量」の改善（増加）見込み時期"]  # fmt: skip
OINTMENT, TABLET = "2646700M1023", "1179038F8036"


def price_row(
    code: str = TABLET,
    price: float | str = 18.7,
    section: str = "内用薬",
    spec: str = "３ｍｇ１錠",
    name: str = "見本錠３ｍｇ",
    until: str = "",
) -> list:
    return [section, code, "見本", spec, "局", "", "", name, "見本製薬", "後発品", "", "", price, until, ""]


def generic_row(code: str = TABLET, class_: str = "3", until: str = "", remark: str = "", excluded: str = "", cutoff: str = "") -> list:
    return [code, "見本", "見本錠", class_, "", until, remark, excluded, cutoff]


def supply_row(code: str = TABLET, status: str = "①通常出荷", name: str = "見本錠３ｍｇ", maker: str = "見本製薬") -> list:
    return [
        "内用薬",
        "117",
        "見本",
        "３ｍｇ１錠",
        code,
        name,
        maker,
        "後発品",
        "",
        "",
        "2006/7/7",
        status,
        "2025/6/11",
        "１．需要増",
        "ウ．未定",
        "",
        "A．出荷量通常",
        "",
    ]


def write(path: Path, *rows: list, encoding: str = "utf-8") -> Path:
    """A workbook or a CSV, by the name."""
    if path.suffix == ".xlsx":
        return write_xlsx(path, {"Sheet1": [list(row) for row in rows]})
    quote = lambda cell: '"' + str(cell) + '"'  # noqa: E731
    path.write_bytes("\r\n".join(",".join(map(quote, row)) for row in rows).encode(encoding))
    return path


@pytest.mark.parametrize(("suffix", "encoding"), [("xlsx", ""), ("csv", "utf-8"), ("csv", "cp932")])
def test_a_price_list_as_workbook_or_csv_is_one(tmp_path, suffix, encoding):
    path = write(tmp_path / f"tp20250401-01_01.{suffix}", PRICE_HEADS, price_row(until="R9.3.31まで"), encoding=encoding)
    row = price_list.read(path).row(0, named=True)
    assert (row["yakka_code_12"], row["spec_ja"], row["price_yen"], row["maker_ja"]) == (TABLET, "３ｍｇ１錠", Decimal("18.7"), "見本製薬")
    assert (row["valid_from"], row["valid_to"], row["addon_mark"], row["has_generic"]) == (
        date(2025, 4, 1),
        date(2027, 3, 31),
        "後発品",
        False,
    )


def test_a_product_past_its_last_day_is_left_out(tmp_path):
    path = write(tmp_path / "20250401.csv", PRICE_HEADS, price_row(until="R7.3.31まで"), price_row(OINTMENT))
    assert price_list.read(path)["yakka_code_12"].to_list() == [OINTMENT]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (price_row(section="薬"), "line 3: 区分 '薬'; expected 内用薬 or 注射薬"),
        (price_row("12345"), "line 3: 薬価基準収載医薬品コード '12345'; expected 12 characters"),
        (price_row(OINTMENT, "-"), "line 3: 薬価 '-'; expected an amount"),
        (price_row(OINTMENT, until="未定"), "line 3: 経過措置による使用期限 '未定'; expected a day"),
        (price_row(), f"line 3: {TABLET} 見本錠３ｍｇ again, first in line 2"),
    ],
)
def test_a_bad_row_of_a_price_list_says_where(tmp_path, row, message):
    with pytest.raises(LakeError) as caught:
        price_list.read(write(tmp_path / "20250401.xlsx", PRICE_HEADS, price_row(), row))
    assert message in str(caught.value)


def test_a_file_of_another_kind_names_the_heads_that_it_lacks(tmp_path):
    with pytest.raises(LakeError, match="no header with 区分, 規格"):
        price_list.read(write(tmp_path / "20250401.csv", GENERIC_HEADS, generic_row()))


def test_a_byte_that_is_no_character_is_told_with_its_line(tmp_path):
    path = tmp_path / "20250401.csv"
    path.write_bytes("区分,薬価\n内用薬,1\n".encode("cp932") + b"\x81\xff\n")
    with pytest.raises(LakeError, match="line 3: a byte that is no character"):
        price_list.read(path)


@pytest.mark.parametrize(
    ("spec", "unit", "ratio"),
    [
        ("３ｍｇ１錠", "錠", 1),
        ("５％１０ｇ", "ｇ", 10),
        ("０．１％１ｍＬ", "ｍＬ", 1),
        ("５．３３ｍｇ１筒（溶解液付）", "筒", 1),
        ("１％１０ｍＬ１瓶", "ｍＬ", None),
        ("１キット", "回分", None),
    ],
)
def test_the_ratio_that_a_specification_states(spec, unit, ratio):
    assert price_list.stated_ratio(spec, unit) == ratio


def drug(code: str, yakka: str, unit: str) -> shipped.Drug:
    return shipped.Drug(code, "見本", unit, yakka, yakka[:3], None, False, date(2014, 4, 1), None, "x", date(2026, 1, 1))


def priced(code: str, yen: str, *, is_assumed: bool = False) -> shipped.DrugPrice:
    return shipped.DrugPrice(code, Decimal(yen), date(2022, 4, 1), None, is_assumed, "x", date(2026, 1, 1))


def test_list_prices_reach_claims_only_where_text_and_prices_agree_on_the_ratio(tmp_path):
    codes = {"610000001": ("ｇ", "8.40"), "610000002": ("ｇ", "84"), "610000003": ("本", "84"), "610000004": ("ｇ", None)}
    items = price_list.read(
        write(
            tmp_path / "20220401.csv", PRICE_HEADS, *(price_row(f"2646700M{n}023", 84, "外用薬", "０．０５％１０ｇ", str(n)) for n in range(1, 5))
        )
    )  # fmt: skip
    drugs = [drug(code, f"2646700M{code[-1]}023", unit) for code, (unit, _) in codes.items()]
    found = price_list.claim_prices(items, drugs, [priced(code, yen) for code, (_, yen) in codes.items() if yen])
    assert [(p.drug_code, p.price_yen) for p in found] == [("610000001", Decimal("8.4"))]


def test_an_assumed_price_proves_a_ratio_in_its_own_year_only(tmp_path):
    known = [priced("610000001", "18.7", is_assumed=True)]
    for day, count in (("20220401", 1), ("20250401", 0)):
        items = price_list.read(write(tmp_path / f"{day}.csv", PRICE_HEADS, price_row()))
        assert len(price_list.claim_prices(items, [drug("610000001", TABLET, "錠")], known)) == count


def test_editions_of_a_price_list_close_each_other_by_section_in_any_order(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "drugs", lambda: ())
    monkeypatch.setattr(shipped, "drug_prices", lambda: ())
    paths = [
        write(tmp_path / "20240401_01.csv", PRICE_HEADS, price_row(price=30)),
        write(tmp_path / "20240401_02.csv", PRICE_HEADS, price_row(OINTMENT, 50, "外用薬", "１ｇ")),
        write(tmp_path / "20250401_01.csv", PRICE_HEADS, price_row(price=20)),
        write(tmp_path / "20260401_01.csv", PRICE_HEADS, price_row(price=10, until="R9.3.31まで")),
    ]
    seen = set()
    for order in itertools.islice(itertools.permutations(paths), 0, None, 5):
        delta.replace(lake, tables.PRICE_LIST_ITEM, [])
        for path in order:
            load.run(lake, "price-list", path)
        held = delta.read(lake, tables.PRICE_LIST_ITEM).sort("yakka_code_12", "valid_from")
        seen.add(repr(held.rows()))
    assert len(seen) == 1
    assert held.filter(yakka_code_12=TABLET).select(pl.col("price_yen").cast(int), "valid_from", "valid_to").rows() == [
        (30, date(2024, 4, 1), date(2025, 3, 31)),
        (20, date(2025, 4, 1), date(2026, 3, 31)),
        (10, date(2026, 4, 1), date(2027, 3, 31)),
    ]
    assert held.filter(yakka_code_12=OINTMENT)["valid_to"].to_list() == [None]
    before = delta.version(lake, tables.PRICE_LIST_ITEM)
    assert set(load.run(lake, "price-list", tmp_path).split("\n")) == {f"{path.name}: already there, skipped" for path in paths}
    assert delta.version(lake, tables.PRICE_LIST_ITEM) == before


def test_generic_classes_of_a_list_and_the_change_that_a_remark_announces(tmp_path):
    rows = [
        generic_row(),
        generic_row(OINTMENT, "1", remark="R7.10.1から「2」に変更", until="R8.3.31まで", excluded="1", cutoff="1"),
        generic_row("2646700M1031", "★"),
    ]
    found = generic_list.read(write(tmp_path / "tp20250716-01_05.xlsx", GENERIC_HEADS, *rows))
    assert [(g.yakka_code_12, g.availability_class, g.valid_from, g.valid_to) for g in found] == [
        (TABLET, "3", date(2025, 7, 16), None),
        (OINTMENT, "1", date(2025, 7, 16), date(2025, 9, 30)),
        (OINTMENT, "2", date(2025, 10, 1), date(2026, 3, 31)),
        ("2646700M1031", "★", date(2025, 7, 16), None),
    ]
    assert [(g.is_excluded_from_addon, g.is_counted_in_cutoff) for g in found[:2]] == [(False, False), (True, True)]


def test_an_unknown_class_is_refused(tmp_path):
    with pytest.raises(LakeError, match=r"line 2: 後発医薬品の有無 '4'; expected 1, 2, 3"):
        generic_list.read(write(tmp_path / "20250716.xlsx", GENERIC_HEADS, generic_row(class_="4")))


def test_a_generic_list_ends_the_shipped_one_whichever_came_first(lake, tmp_path):
    path = write(tmp_path / "20250801.csv", GENERIC_HEADS, generic_row("1124001F1022", "2"))
    results = []
    for kinds in (("generic-list", "shipped"), ("shipped", "generic-list"), ("shipped", "generic-list", "shipped", "generic-list")):
        delta.replace(lake, tables.GENERIC_CLASS, [])
        for kind in kinds:
            load.run(lake, kind, path)
        results.append(delta.read(lake, tables.GENERIC_CLASS).sort(tables.GENERIC_CLASS.key))
    assert results[0].equals(results[1]) and results[0].equals(results[2])
    assert results[0].filter(yakka_code_12="1124001F1022").select("availability_class", "valid_from", "valid_to").rows() == [
        ("☆", date(2025, 7, 16), date(2025, 7, 31)),
        ("2", date(2025, 8, 1), None),
    ]
    assert results[0].filter(pl.col("valid_to").is_null()).height == 1  # what the newer list lacks is over, the announced changes too


def test_a_supply_list_is_dated_by_its_title_and_keeps_the_status_as_a_number(tmp_path):
    title = ["医療用医薬品供給状況　令和7年10月24日時点"]
    rows = [supply_row(), supply_row(OINTMENT, "③限定出荷（他社品の影響）"), supply_row("2646700M1031", ""), supply_row(), ["※ 注記"]]
    found = supply_status.read(write(tmp_path / "001587395.xlsx", title, SUPPLY_HEADS, *rows))
    assert found.select("yj_code", "status_code", "valid_from").rows() == [
        (TABLET, 1, date(2025, 10, 24)),
        (OINTMENT, 3, date(2025, 10, 24)),
        ("2646700M1031", None, date(2025, 10, 24)),
    ]
    assert found.select("reason_ja", "outlook_ja", "volume_ja", "maker_ja").row(0) == (
        "１．需要増",
        "ウ．未定",
        "A．出荷量通常",
        "見本製薬",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (supply_row("x"), "line 3: YJコード 'x'; expected 12 characters"),
        (supply_row(status="出荷中"), "line 3: 出荷対応の状況 '出荷中'; expected ①通常出荷"),
        (supply_row(status="⑤供給停止"), "line 3: 1179038F8036 見本錠３ｍｇ twice, with another status"),
    ],
)
def test_a_bad_row_of_a_supply_list_says_where(tmp_path, row, message):
    with pytest.raises(LakeError) as caught:
        supply_status.read(write(tmp_path / "20251024.xlsx", SUPPLY_HEADS, supply_row(), row))
    assert message in str(caught.value)


def test_a_status_holds_until_the_next_publication(lake, tmp_path):
    for day, status in (("20251024", "①通常出荷"), ("20251010", "⑤供給停止"), ("20251017", "⑤供給停止")):
        load.run(lake, "supply-status", write(tmp_path / f"{day}.csv", SUPPLY_HEADS, supply_row(status=status)))
    assert delta.read(lake, tables.SUPPLY_STATUS).sort("valid_from").select("status_code", "valid_from", "valid_to").rows() == [
        (5, date(2025, 10, 10), date(2025, 10, 16)),
        (5, date(2025, 10, 17), date(2025, 10, 23)),
        (1, date(2025, 10, 24), None),
    ]


FACILITY = {f.head_ja: f.example for f in facility.CONTRACT.fields}


def facilities(path: Path, *changes: dict[str, str]) -> Path:
    return write(path, list(FACILITY), *([*(FACILITY | change).values()] for change in changes))


def test_the_template_of_the_facility_list_is_a_facility_list(tmp_path):
    path = tmp_path / "facilities_20250401.csv"
    path.write_text(facility.CONTRACT.template(), encoding="utf-8")
    assert facility.read(path).row(0)[:11] == (
        "1310000001", "見本病院", "13", "1301", "区中央部", "13101", "医療法人", 300, True, date(2024, 4, 1), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"医療機関コード": "131000"}, "line 3: 医療機関コード '131000'; expected 10 digits"),
        ({"都道府県コード": "14"}, "line 3: 都道府県コード 14; expected 13 as in"),
        ({"適用開始日": ""}, "line 3: no 適用開始日; expected a date"),
        ({"病床数": "many"}, "line 3: 病床数 'many'; expected a whole number"),
        ({"適用開始日": "2025-01-01"}, "line 3: 適用開始日 2025-01-01 of 1310000001; expected a day after its row before has ended"),
    ],
)
def test_a_bad_row_of_the_facility_list_says_where(tmp_path, change, message):
    with pytest.raises(LakeError) as caught:
        facility.read(facilities(tmp_path / "20250401.csv", {}, change))
    assert message in str(caught.value)


def test_a_facility_list_replaces_the_prefectures_it_holds(lake, tmp_path):
    osaka = {"医療機関コード": "2710000001", "都道府県コード": "27"}
    load.run(lake, "facilities", facilities(tmp_path / "20250401.csv", {}, osaka))
    path = facilities(tmp_path / "20250501.csv", {"名称": "新名称"})
    load.run(lake, "facilities", path)
    assert dict(delta.read(lake, tables.FACILITY_LIST).select("facility_code", "facility_name").rows()) == {
        "1310000001": "新名称",
        "2710000001": "見本病院",
    }
    assert load.run(lake, "facilities", path).endswith("already there, skipped")


@pytest.mark.parametrize("text", ["tp20250716-01_05", "list 2025-07-16", "令和7年7月16日現在", "R7.7.16", "２０２５年７月１６日"])
def test_the_date_of_an_edition_in_any_writing(text):
    assert edition.date_of(Path("x.csv"), None, [text]) == date(2025, 7, 16)
    assert edition.date_of(Path("x.csv"), date(2025, 8, 1), [text]) == date(2025, 8, 1)
