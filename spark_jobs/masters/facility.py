"""Facility list of the joint office → `masters.facility`. The contract stands in docs/input_contracts.md."""

import re
from datetime import date
from pathlib import Path

import polars as pl

from spark_jobs import input_file, tables
from spark_jobs.contract import Contract, Field, matching
from spark_jobs.masters import edition

SOURCE = "facility list"
SCOPE = ("prefecture_code",)  # what a file replaces as a whole


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,5}", text) else None


def _yes(text: str) -> bool | None:
    return {"1": True, "0": False}.get(text)


PREFECTURE = r"0[1-9]|[1-3]\d|4[0-7]"
DAY = "a date: 20260401, 2026-04-01 or R8.4.1"
CONTRACT = Contract(
    "Facility list (医療機関・薬局の名簿)",
    (
        Field("facility_code", "医療機関コード", "string", matching(rf"(?:{PREFECTURE})[1346]\d{{7}}"), "1310000001",
              "10 digits: prefecture 2, fee table 1 (1 医科, 3 歯科, 4 調剤, 6 訪問看護), number 7"),
        Field("facility_name", "名称", "string", str, "見本病院", "the name"),
        Field("prefecture_code", "都道府県コード", "string", matching(PREFECTURE), "13", "01-47, first two digits of the facility code"),
        Field("secondary_area_code", "二次医療圏コード", "string", matching(r"\d{4}"), "1301", "4 digits", is_required=False),
        Field("secondary_area_ja", "二次医療圏名", "string", str, "区中央部", "the name", is_required=False),
        Field("municipality_code", "市町村コード", "string", matching(r"\d{5}"), "13101", "5 digits, no check digit", is_required=False),
        Field("owner_ja", "設置主体", "string", str, "医療法人", "as the list names it", is_required=False),
        Field("bed_count", "病床数", "int", _count, "300", "a whole number; empty for a pharmacy", is_required=False),
        Field("is_dpc_hospital", "DPC対象病院", "boolean", _yes, "1", "1 or 0; empty = not known", is_required=False),
        Field("valid_from", "適用開始日", "date", input_file.day, "2024-04-01", DAY),
        Field("valid_to", "適用終了日", "date", input_file.day, "", f"last day, {DAY}; empty = still", is_required=False),
    ),
)  # fmt: skip


def read(path: Path, given: date | None = None) -> pl.DataFrame:
    """Rows of a list; the validities of one facility must not overlap."""
    dated = edition.date_of(path, given)
    rows = CONTRACT.read(path).to_dicts()
    faults = input_file.Faults(path, "The joint office mends the list; nothing of it was loaded.")
    seen: dict[str, date | None] = {}
    for row in sorted(rows, key=lambda r: (r["facility_code"], r["valid_from"])):
        code, start, end = row["facility_code"], row["valid_from"], row["valid_to"]
        if row["prefecture_code"] != code[:2]:
            faults.add(row["line"], f"都道府県コード {row['prefecture_code']}", f"{code[:2]} as in 医療機関コード {code}")
        if end and end < start:
            faults.add(row["line"], f"適用終了日 {end}", f"{start} or later")
        if code in seen and start <= (seen[code] or date.max):
            faults.add(row["line"], f"適用開始日 {start} of {code}", "a day after its row before has ended")
        seen[code] = end
    faults.stop()
    return edition.frame(tables.FACILITY_LIST, [row | {"source": f"{SOURCE} ({path.name})", "source_date": dated} for row in rows])
