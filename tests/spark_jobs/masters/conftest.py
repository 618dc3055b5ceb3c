"""A small NDB workbook."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_workbook import write_xlsx

from spark_jobs.masters import shipped

TITLE = "診療年月：2022年04月～2023年03月　注射薬 入院　※集計結果が400未満の場合は「‐」で表示"
HEADER = ["薬効\n分類", "薬効分類名称", "医薬品\nコード", "医薬品名", "単位", "薬価基準収載\n医薬品コード", "薬価", "後発品\n区分"]
TOTAL = "総計\n(処方数量)"


@pytest.fixture
def ndb_workbook(tmp_path: Path) -> Callable[..., Path]:
    """Write a workbook of round 9 by prefecture: `drugs` = rows of (code, total, {prefecture: cell}); other cells are 0."""

    def write(drugs: list[tuple], title: str = TITLE, sheet: str = "注射薬 入院", name: str = "any.xlsx", **change: object) -> Path:
        numbers = [f"{n:02}" for n in range(1, 48)]
        rows = [
            [title],
            [""],
            change.get("header", [*HEADER, TOTAL, *numbers]),
            [""] * 9 + change.get("names", [p.prefecture_ja for p in shipped.prefectures()]),
        ]
        for code, total, cells in drugs:
            given = [cells.get(number, 0) for number in numbers]
            rows.append(["", "", code, "レミケード点滴静注用１００", "瓶", "2399401F1026", 60233, 0, total, *given])
        return write_xlsx(tmp_path / name, {sheet: rows})

    return write
