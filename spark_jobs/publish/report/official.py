"""Part 2, 公式値との照合: is it right? Our share beside the official one of the nearest year, and why they may differ."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.publish.report import wording
from spark_jobs.publish.report.chance import differs
from spark_jobs.publish.report.subject import Row, Subject, patients, shared
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import NO_DATA, NOT_COMPUTABLE, Cell

CONVENTIONS = {"claims_units": "請求単位", "value": "金額"}
BEYOND, WITHIN = "偶然を超える差", "偶然の範囲"
KINDS = {"ndb": "NDB", "published": "公表値"}


@dataclass(frozen=True)
class Official:
    sentence: str
    reasons: str  # that all rows share
    striking: Table  # differences beyond chance
    table: Table


def build(subject: Subject) -> Official:
    """Of the region's place, all settings, the main year."""
    found = subject.here(subject.frames["fct_reconciliation"]).filter(
        (pl.col("period_kind") == "fiscal_year") & (pl.col("period") == subject.fiscal_year) & (pl.col("setting") == "all")
    )
    official = sorted(found.to_dicts(), key=lambda row: _order(subject, row))
    common = _common([row["reasons_ja"].split("、") for row in official])
    rows, striking, compared = [], [], 0
    for row in official:
        cells, gap = _cells(subject, row, common)
        rows.append(cells)
        compared += gap is not None
        if gap is not None and cells[5].text == BEYOND:
            striking.append((abs(gap), cells))
    known = {row["ingredient_key"] for row in official}
    for key in subject.ingredients:
        if key not in known:
            own = subject.own_year.get(key)
            rows.append(
                [Cell(subject.name(key)), shared(own), patients(own), Cell(NO_DATA), Cell(NOT_COMPUTABLE), Cell("公式値がない"), Cell("—")]
            )
    header = ["成分", f"本地域（{subject.fiscal_year}年度）", "患者数（人）", "公式値（年度）", "差", "読み方", "この行だけの理由"]
    sentence = f"公式値と比べられる {compared}行のうち、{BEYOND}は {len(striking)}行。" if compared else (
        f"公式値は{NO_DATA}（NDBオープンデータが未取込、または比べられる成分がない）。"
    )  # fmt: skip
    striking.sort(key=lambda pair: -pair[0])
    of_year = f"数量シェア：本地域と公式値（{subject.year_text}）"
    beyond = Table("official-striking", f"{BEYOND}（大きい順）", header, [cells for _, cells in striking], is_prose=True)
    return Official(sentence, "、".join(common), beyond, Table("official", of_year, header, rows, is_prose=True))


def _order(subject: Subject, row: Row) -> tuple[bool, int, str, str]:
    keys = ["all", *subject.ingredients]
    key = row["ingredient_key"]
    return key not in keys, keys.index(key) if key in keys else 0, row["convention"], row["official_kind"]


def _common(reasons: list[list[str]]) -> list[str]:
    return [reason for reason in reasons[0] if all(reason in others for others in reasons)] if reasons else []


def _cells(subject: Subject, row: Row, common: list[str]) -> tuple[list[Cell], float | None]:
    """The cells of a row, and the difference where both are told."""
    own = subject.year(subject.share, row["ingredient_key"], row["convention"]).to_dicts()
    ours = own[0] if own else None
    name = subject.name(row["ingredient_key"]) + ("" if row["convention"] == "claims_units" else f"（{CONVENTIONS[row['convention']]}）")
    share = wording.share(row["official_share_ratio"])
    official = Cell(f"{share}（{KINDS[row['official_kind']]} {row['official_fiscal_year']}年度）", share.value)
    own_reasons = Cell("、".join(reason for reason in row["reasons_ja"].split("、") if reason not in common) or "—")
    value = shared(ours)
    if ours is None or value.value is None or share.value is None:
        return [
            Cell(name),
            value,
            patients(ours),
            official,
            Cell(value.text if value.value is None else share.text),
            Cell("比べない"),
            own_reasons,
        ], None
    gap = float(ours["share_ratio"]) - float(row["official_share_ratio"])
    low, high = float(row["official_share_ratio_low"]), float(row["official_share_ratio_high"])
    nearest = min(max(float(ours["share_ratio"]), low), high)  # hidden cells leave the official value open
    is_real = differs(float(ours["share_ratio"]), ours["patient_count"], nearest)
    words = Cell(BEYOND if is_real else WITHIN)
    return [Cell(name), value, patients(ours), official, wording.difference(gap), words, own_reasons], gap
