"""Part 8, データの状態: can I trust it? What was expected, what arrived, what could not be read."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.claim_format.words import KIND_JA
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.subject import ARRIVED, Row, Subject
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import Cell

COUNTED = {
    "receipt_count": "レセプト（件）", "line_count": "行", "quarantine_line_count": "隔離した行", "drug_line_count": "医薬品の行",
    "unknown_drug_line_count": "マスターにない医薬品の行",
}  # fmt: skip


@dataclass(frozen=True)
class Arrival:
    sentence: str
    names: list[str]
    months: list[int]
    states: list[list[str]]  # insurer × month
    table: Table


def build(subject: Subject) -> Arrival:
    frame = subject.frames["fct_completeness"].filter(pl.col("insurer_number").is_in(subject.region.insurers))
    months = sorted(set(frame["claim_month"]))
    kinds: dict[tuple[str, int], list[Row]] = {}
    for row in frame.to_dicts():
        kinds.setdefault((row["insurer_number"], row["claim_month"]), []).append(row)
    states, rows, total_missing = [], [], 0
    for number in subject.by_size:
        states.append([_state(kinds.get((number, month), [])) for month in months])
        expected = [row for month in months for row in kinds.get((number, month), []) if row["is_expected"]]
        missing = [row for row in expected if row["status"] not in ARRIVED]
        total_missing += len(missing)
        which = "、".join(f"{wording.month(row['claim_month'])} {_kind(row)} {row['status_ja']}" for row in missing) or "なし"
        counted = frame.filter(pl.col("insurer_number") == number).select(pl.col(*COUNTED).sum()).row(0)
        rows.append([
            Cell(subject.short(number)), wording.count(len(expected)), wording.count(len(expected) - len(missing)), Cell(which),
            *map(wording.count, counted),
        ])  # fmt: skip
    if total_missing:
        sentence = f"予定した提出のうち {total_missing}件が届いていない。その月の値は低めに出る。"
    else:
        sentence = f"予定した提出は {wording.months(months[0], months[-1])}請求分まですべて届いている。"
    sums = frame.select(pl.col(*COUNTED).sum()).row(0, named=True)
    sentence += f"読めずに隔離した行は {_part(sums['quarantine_line_count'], sums['line_count'])}、"
    sentence += f"マスターにない医薬品の行は {_part(sums['unknown_drug_line_count'], sums['drug_line_count'])}。"
    header = ["保険者", "予定（月×種別）", "到着（月×種別）", "未着", *COUNTED.values()]
    table = Table("arrival", "レセプトの到着状況（請求年月）", header, rows)
    return Arrival(sentence, [subject.short(number) for number in subject.by_size], months, states, table)


def _part(part: int, whole: int) -> str:
    return f"{part:,} / {whole:,}行"


def _kind(row: Row) -> str:
    return KIND_JA.get(row["claim_kind"], str(row["claim_kind"]))


def _state(rows: list[Row]) -> str:
    expected = [row for row in rows if row["is_expected"]]
    arrived = [row for row in expected if row["status"] in ARRIVED]
    if not expected:
        return "none"
    return "arrived" if len(arrived) == len(expected) else "partly" if arrived else "missing"
