"""医薬品の供給状況 (MHLW 医療用医薬品供給状況) → `masters.supply_status`. Its columns are found by their words: the circled
numbers before them moved over time."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from spark_jobs import input_file, tables
from spark_jobs.masters import edition

SOURCE = "医療用医薬品供給状況"
NUMBER = r"\d*"  # ⑫ after NFKC
HEADS = {
    "yj_code": rf"{NUMBER}YJコード.*",
    "product_name_ja": rf"{NUMBER}品名.*",
    "maker_ja": rf"{NUMBER}製造販売(業者|会社).?",
    "product_class_ja": rf"{NUMBER}製品区分.*",
    "status_ja": rf"{NUMBER}(製造販売業者の)?出荷対応の状況.*",
    "reason_ja": rf"{NUMBER}限定出荷/供給停止の理由.*",
    "outlook_ja": rf"{NUMBER}.*(解除|解消)の?見込み",
    "volume_ja": rf"{NUMBER}(製造販売業者の)?出荷量の(現在の)?状況.*",
}
KEY = ("yj_code", "product_name_ja", "maker_ja")


def read(path: Path, given: date | None = None) -> pl.DataFrame:
    """Rows of one publication, dated by its file name, its title or as given."""
    found = input_file.lines(path)
    top, places = input_file.header(path, found, HEADS)
    valid_from = edition.date_of(path, given, (text for _, cells in found[:top] for text in cells))
    faults = input_file.Faults(path)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for line, cells in found[top + 1 :]:
        text = {name: input_file.cell(cells, place) for name, place in places.items()}
        if not text["yj_code"] and not text["product_name_ja"]:
            continue  # a note below the table
        status = re.match("[1-5]", input_file.plain(text["status_ja"]))
        if not re.fullmatch(r"[0-9A-Z]{12}", text["yj_code"]):
            faults.add(line, f"YJコード {text['yj_code'][:15]!r}", "12 characters")
        if text["status_ja"] and not status:
            faults.add(line, f"出荷対応の状況 {text['status_ja'][:20]!r}", "①通常出荷 … ⑤供給停止, or nothing")
        row = {
            **{name: value or None for name, value in text.items()},
            **{name: text[name] for name in KEY},
            "status_code": int(status[0]) if status else None,
            "valid_from": valid_from,
            "valid_to": None,
            "source": f"{SOURCE} ({path.name})",
            "source_date": valid_from,
        }
        if rows.setdefault(tuple(text[name] for name in KEY), row) != row:
            faults.add(line, f"{text['yj_code']} {text['product_name_ja'][:20]} twice, with another status", "each product of a maker once")
    faults.stop()
    return edition.frame(tables.SUPPLY_STATUS, list(rows.values()))
