"""What who approves a publication reads (公表の承認), in Japanese, as Markdown; small enough for Airflow's page: the committee gates and
what moved, an insurer's approver what moved of its own figures."""

from pathlib import Path

import polars as pl

from spark_jobs import config
from spark_jobs.config import Region
from spark_jobs.rollout import gate_result
from spark_jobs.rollout.gate import GATES
from spark_jobs.settings import Settings

LARGEST = 10  # changes that are shown one by one


def text(settings: Settings, region: Region, marts_key: str, moved: pl.DataFrame, preview: Path) -> str:
    """`moved`: rows of fct_figure_change."""
    gates = gate_result.of_marts(settings, region.region_key, marts_key)
    return "\n".join([
        f"公表前の確認: **{region.name_ja}**。承認するまで、公表中の数値は変わらない。\n",
        f"プレビュー: `{preview}`（版 {marts_key}）\n",
        "### 関門", *_gates(gates), "",
        "### 前回公表からの変動", *_moved(settings, moved.filter(pl.col("population_key").is_in(["all", *region.insurers]))), "",
    ])  # fmt: skip


def of_insurers(settings: Settings, region: Region, moved: pl.DataFrame) -> dict[str, str]:
    """Insurer number → what its approver (`approver_role_ja`) is asked, of each insurer of which a published figure moved."""
    texts = {}
    for number in region.insurers:
        if (own := moved.filter(pl.col("population_key") == number)).height:
            insurer = config.insurer(settings, number)
            approver = insurer.approver_role_ja or "承認者は未登録"
            texts[number] = "\n".join([
                f"**{insurer.short_name_ja}**（{approver}）: 公表済みの自保険者の数値が次のとおり変わる。",
                "誤りがあれば却下する。地域の公表全体が止まり、事務局に知らせが届く。\n",
                *_moved(settings, own), "", f"明細: `fct_figure_change`（`population_key = '{number}'`）。事務局が渡す。", "",
            ])  # fmt: skip
    return texts


def _gates(rows: pl.DataFrame) -> list[str]:
    if rows.is_empty():
        return ["この版では測っていない: `lake gates`"]
    lines = ["| 関門 | 結果 | 実測値 | 基準 | 所見 |", "|---|---|---|---|---|"]
    for row in rows.to_dicts():
        gate, word = GATES[row["gate_key"]], gate_result.OUTCOMES[row["outcome"]][0]
        values = [gate_result.in_words(row[name], gate.unit) for name in ("measured_value", "limit_value")]
        lines.append(f"| {gate.title_ja} | {word} | {values[0]} | {values[1]} | {row['found_ja']} |")
    return lines


def _moved(settings: Settings, own: pl.DataFrame) -> list[str]:
    if own.is_empty():
        return ["公表済みの数値に変動はない（初回の公表、または新しい月だけ）。"]
    causes = own.group_by("causes_ja").len().sort("len", "causes_ja", descending=[True, False])
    lines = [f"{own.height:,}件: " + "、".join(f"{cause} {count:,}件" for cause, count in causes.iter_rows()), ""]
    leading = {name: value for name, value in gate_result.LEADING.items() if name in own.columns}
    shown = own.filter(
        *(pl.col(name) == value for name, value in leading.items()), pl.col("mart") == gate_result.SHARE,
        *(pl.col("variant").str.contains(f"{name}={gate_result.LEADING[name]}", literal=True) for name in ("convention", "scope")),
    ).with_columns(change=(pl.col("value_now") - pl.col("value_before")).abs())  # fmt: skip
    if shown.is_empty():
        return [*lines, "主指標（全成分のBS割合、直近12か月）の公表値に変動はない。"]
    lines += ["| 集団 | 期間（直近12か月） | 前回 | 今回 | 原因 |", "|---|---|---|---|---|"]
    names = {number: insurer.short_name_ja for number, insurer in config.insurers(settings).items()}
    for row in shown.sort("change", "period", descending=True, nulls_last=True).head(LARGEST).to_dicts():
        values = ["—" if row[name] is None else f"{row[name]:.1%}" for name in ("value_before", "value_now")]
        name = names.get(row["population_key"], "全参加保険者")
        lines.append(f"| {name} | {row['period']} | {values[0]} | {values[1]} | {row['causes_ja']} |")
    return lines
