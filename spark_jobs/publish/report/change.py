"""Part 7, 前回からの変化: which published figures moved since the last publication, and why."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.publish import disclosure
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.subject import Row, Subject
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import NO_DATA, Cell

MOST_ROWS = 15
LEADING = {  # mart → name of its figure here, and which of its rows are told one by one
    "fct_biosimilar_share": ("数量シェア", "scope=brand, convention=claims_units"),
    "fct_biosimilar_kpi": ("目標に達した成分の割合", "denominator_kind=listed"),
    "fct_saving_realised": ("医療費適正効果額", ""),
    "fct_generic_share": ("後発医薬品の使用割合", "yakko_class_2=all, scope=mhlw_insurer, variant=quantity"),
}


@dataclass(frozen=True)
class Change:
    sentence: str
    causes: Table
    table: Table


def build(subject: Subject) -> Change:
    frame = subject.frames["fct_figure_change"]
    ours = pl.concat([frame.filter(pl.col("population_kind") == "all") if subject.is_whole else frame.clear(), subject.insurer_rows(frame)])
    header = ["数値", "成分", "期間", "前回", "今回", "差", "原因"]
    table = Table("change", "動いた主な値（全保険者計、年度の値）", header, _leading(subject, ours))
    by_cause = ours.group_by("causes_ja").agg(pl.len()).sort("len", "causes_ja", descending=[True, False])
    causes = Table("change-causes", "原因別の件数（集計のすべての値）", ["原因", "動いた値の数"],
                   [[Cell(cause), wording.count(number)] for cause, number in by_cause.iter_rows()])  # fmt: skip
    if ours.is_empty():
        return Change("前回の公表から動いた値はない（初回の公表には比べるものがない）。", causes, table)
    before = ours["published_before_at"].max()
    since = f"前回の公表（{wording.day(before.date())}）" if before is not None else "前回の公表"  # type: ignore[union-attr]
    return Change(
        f"{since}から、公表済みの期間の値が {ours.height:,}件動いた。最も多い原因は「{by_cause['causes_ja'][0]}」。", causes, table
    )


def _leading(subject: Subject, ours: pl.DataFrame) -> list[list[Cell]]:
    """The region's figures by fiscal year, all ingredients first; what is hidden now is not told of before."""
    rows = subject.here(ours).filter(
        (pl.col("population_kind") == "all") & (pl.col("period_kind") == "fiscal_year") & (pl.col("setting") == "all")
    )
    told = subject.share.filter((pl.col("convention") == "claims_units") & pl.col("hidden_ja").is_null())
    rows = rows.join(told.select("ingredient_key", *disclosure.PERIOD), ["ingredient_key", *disclosure.PERIOD], "semi")
    chosen = [row for row in rows.to_dicts() if row["mart"] in LEADING and _is_leading(row)]
    order = ["all", *subject.ingredients]
    chosen = [row for row in chosen if row["ingredient_key"] in order]
    chosen.sort(key=lambda row: (order.index(row["ingredient_key"]), -row["period"], list(LEADING).index(row["mart"])))
    return [_cells(subject, row) for row in chosen[:MOST_ROWS]]


def _is_leading(row: Row) -> bool:
    wanted = LEADING[row["mart"]][1]
    return not wanted or row["variant"] == wanted


def _cells(subject: Subject, row: Row) -> list[Cell]:
    is_money = row["figure"].endswith("_yen")
    before, now = row["value_before"], row["value_now"]
    shown = [Cell(NO_DATA) if value is None else wording.yen(value) if is_money else wording.share(value) for value in (before, now)]
    gap = Cell("—") if before is None or now is None else wording.yen(now - before) if is_money else wording.difference(now - before)
    return [
        Cell(LEADING[row["mart"]][0]),
        Cell(subject.name(row["ingredient_key"])),
        Cell(f"{row['period']}年度"),
        *shown,
        gap,
        Cell(row["causes_ja"]),
    ]
