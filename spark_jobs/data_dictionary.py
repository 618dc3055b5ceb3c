"""docs/data_dictionary.md: every table and column, from the dbt project, spark_jobs/tables.py and the measure registry.

python -m spark_jobs.data_dictionary [PATH]     # writes the page
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from spark_jobs import config, tables
from spark_jobs.build import PROJECT
from spark_jobs.config import Measure
from spark_jobs.publish import figure_change
from spark_jobs.settings import Settings

ROOT = PROJECT.parent
PAGE = ROOT / "docs" / "data_dictionary.md"
FOLDERS = {
    "dimensions": "次元", "shares": "シェア", "savings": "効果額", "generics": "後発医薬品", "comparison": "比較", "patients": "患者",
    "facilities": "医療機関", "operations": "運用", "evaluation": "効果検証", "outreach": "働きかけ",
}  # fmt: skip
SCHEMAS = {
    "landing": "受領", "bronze": "レセプトの行", "silver": "レセプト", "masters": "マスター", "identity": "仮名", "ops": "運用の記録",
}  # fmt: skip


def page() -> str:
    """The whole page."""
    measures = config.measures(Settings(config=ROOT / "config"))
    return "\n".join([*_head(), *_registry(measures), *_marts(measures), *_tables()])


def marts() -> Iterator[tuple[str, dict[str, Any]]]:
    """(folder, declaration) of each mart, in order of folder and name; shared descriptions filled in."""
    blocks = re.findall(r"{% docs (\w+) %}(.*?){% enddocs %}", (PROJECT / "models" / "columns.md").read_text(encoding="utf-8"), re.S)
    shared = {name: text.strip() for name, text in blocks}
    found = []
    for file in (PROJECT / "models" / "marts").rglob("*.yml"):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            for column in model["columns"]:
                doc = re.fullmatch(r"{{ doc\('(\w+)'\) }}", column["description"])
                column["description"] = shared[doc[1]] if doc else column["description"]
            found.append((file.parent.name, model))
    return iter(sorted(found, key=lambda pair: ([*FOLDERS, pair[0]].index(pair[0]), pair[1]["name"])))


def _head() -> list[str]:
    return [
        "# データ辞書\n",
        "すべての表と列。`python -m spark_jobs.data_dictionary` が dbt のモデル、`spark_jobs/tables.py`、`config/measures` から作る",
        "（テストが一致を確かめる）。用語は [glossary.md](glossary.md)、出典は [sources.md](sources.md)。分析には `marts` を使う。",
        "○ は必ず値がある列。年月は `YYYYMM`、比率は 0〜1。",
        "PostgreSQL では、他の保険者を含む集計の表に `hidden_ja`（秘匿の理由）が加わり、",
        "その行の数値は null になる（[privacy.md](privacy.md#small-cells)）。\n",
    ]


def _registry(measures: dict[str, Measure]) -> list[str]:
    lines = ["## 指標（`marts.dim_measure`）\n", "| 指標 | 定義 | 数え方 | 表と列 | 限界 | 状態 |", "|---|---|---|---|---|---|"]
    status = {"in_use": "使用中", "planned": "準備中"}
    for m in measures.values():
        rows = "".join(f"、{column} = {value}" for column, value in m.where.items())
        where = f"`{m.model}.{m.column}`{rows}"
        lines.append(
            _row(f"{m.name_ja} `{m.measure_key}`", m.definition_ja, m.convention_ja, where, " ".join(m.limits_ja), status[m.status])
        )
    return [*lines, ""]


def _marts(measures: dict[str, Measure]) -> list[str]:
    lines = ["## marts\n"]
    before = None
    for folder, model in marts():
        if folder != before:
            lines.append(f"### {FOLDERS.get(folder, folder)}\n")
        before = folder
        keys: list[str] = next((t["one_row_per"]["arguments"]["columns"] for t in model.get("data_tests", []) if "one_row_per" in t), [])
        lines += [f"#### {model['name']}\n", f"{model['description'].strip()}\n", f"鍵: {'、'.join(f'`{k}`' for k in keys) or '—'}\n"]
        lines += ["| 列 | 型 | 必須 | 意味 | 指標 |", "|---|---|---|---|---|"]
        for column in model["columns"]:
            of = [m.name_ja for m in measures.values() if m.model == model["name"] and m.column == column["name"] and m.status == "in_use"]
            required = "○" if column.get("constraints") else ""
            lines.append(_row(f"`{column['name']}`", column["data_type"], required, _japanese(column["description"]), "、".join(of)))
        lines.append("")
    keys_ja = "、".join(f"`{key}`" for key in figure_change.KEY)
    lines += [f"### 公表のたびに作る表\n\n#### {figure_change.NAME}\n", f"{figure_change.DESCRIPTION}\n", f"鍵: {keys_ja}\n"]
    return [*lines, "| 列 | 意味 |", "|---|---|", *(_row(f"`{name}`", text) for name, text in figure_change.COLUMNS.items()), ""]


def _tables() -> list[str]:
    lines = ["## marts の元になる表\n"]
    for schema, name_ja in SCHEMAS.items():
        lines.append(f"### {schema}（{name_ja}）\n")
        for table in sorted((t for t in tables.ALL if t.name.startswith(f"{schema}.")), key=lambda t: t.name):
            lines += [f"#### {table.name}\n", f"{table.comment}\n", f"鍵: {'、'.join(f'`{k}`' for k in table.key)}\n"]
            lines += ["| 列 | 型 | 意味 |", "|---|---|---|", *(_row(f"`{c.name}`", c.type, c.comment) for c in table.columns), ""]
    return lines


def _japanese(description: str) -> str:
    """The Japanese part of `日本語. English.`"""
    return description.split(". ", 1)[0].rstrip(".")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    (Path(sys.argv[1]) if sys.argv[1:] else PAGE).write_text(page(), encoding="utf-8")
