"""Dates of receipts: Western now, 和暦 (an era digit first) until about spring 2020.

The length decides: 5 or 7 digits are 和暦, 6 or 8 Western.
"""

import polars as pl

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


def western_expr(text: pl.Expr) -> pl.Expr:
    """The same as an expression; null for anything else."""
    base = text.str.slice(0, 1).replace_strict(ERA_BASE, default=None, return_dtype=pl.Int32)
    year = base + text.str.slice(1, 2).cast(pl.Int32, strict=False)
    return (
        pl.when(text.str.contains(r"^(?:[0-9]{6}|[0-9]{8})$"))
        .then(text)
        .when(text.str.contains(r"^[1-5](?:[0-9]{4}|[0-9]{6})$"))
        .then(pl.concat_str(year.cast(pl.String), text.str.slice(3)))
    )


def to_date(text: pl.Expr) -> pl.Expr:
    """年月日 → date; what is no date becomes null, never an error."""
    return western_expr(text).str.to_date("%Y%m%d", strict=False)


def to_month(text: pl.Expr) -> pl.Expr:
    """年月 (or 年月日) → int YYYYMM."""
    return western_expr(text).str.slice(0, 6).cast(pl.Int32, strict=False)
