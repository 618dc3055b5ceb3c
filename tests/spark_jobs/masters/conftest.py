"""A small NDB workbook, written as xlsx by hand (zip of three XML files): no library of the lake writes workbooks."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from spark_jobs.masters import shipped

TITLE = "診療年月：2022年04月～2023年03月　注射薬 入院　※集計結果が400未満の場合は「‐」で表示"
HEADER = ["薬効\n分類", "薬効分類名称", "医薬品\nコード", "医薬品名", "単位", "薬価基準収載\n医薬品コード", "薬価", "後発品\n区分"]
TOTAL = "総計\n(処方数量)"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _sheet_xml(rows: list[list]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'

    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def write_xlsx(path: Path, sheets: dict[str, list[list]]) -> Path:
    names = enumerate(sheets, start=1)
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in names)
    links = "".join(
        f'<Relationship Id="r{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in range(1, len(sheets) + 1)
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r0" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>')
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        for n, rows in enumerate(sheets.values(), start=1):
            book.writestr(f"xl/worksheets/sheet{n}.xml", _sheet_xml(rows))
    return path


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
