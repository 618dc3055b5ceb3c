"""Dates of receipts: Western now, 和暦 (an era digit first) until about spring 2020.

The length decides: 5 or 7 digits are 和暦, 6 or 8 Western.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

ERA_BASE = {"1": 1867, "2": 1911, "3": 1925, "4": 1988, "5": 2018}  # 明治 大正 昭和 平成 令和: Western year = base + year of the era


def western(text: str) -> str | None:
    """GYYMM → YYYYMM, GYYMMDD → YYYYMMDD; a Western date as it is; None for anything else."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) in (6, 8):
        return text
    if len(text) in (5, 7) and text[0] in ERA_BASE:
        return f"{ERA_BASE[text[0]] + int(text[1:3])}{text[3:]}"
    return None


def western_column(text: "Column") -> "Column":
    """The same as an expression on a string column; null for anything else."""
    from pyspark.sql import functions as f

    base = f.create_map(*(f.lit(part) for pair in ERA_BASE.items() for part in pair))
    year = f.try_element_at(base, text.substr(1, 1)) + f.try_to_number(text.substr(2, 2), f.lit("99")).cast("int")
    return f.when(text.rlike(r"^(\d{6}|\d{8})$"), text).when(
        text.rlike(r"^[1-5](\d{4}|\d{6})$"), f.concat(year.cast("string"), text.substr(4, 4))
    )
