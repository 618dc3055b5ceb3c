"""landing.delivery_finding: what was found on a delivered file, what was expected, what to do. One row per rule and file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import polars as pl

from spark_jobs import delta, tables
from spark_jobs.landing.rule import RULES
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile

DELIVERY_RULES = (
    "empty_file", "not_a_receipt_file", "several_providers", "name_contradicts", "second_file_of_month",
)  # fmt: skip
LOST_RULES = ("file_missing", "file_changed")
PARTIAL = {  # rows that bundles give; `added_up` adds those of one file and rule together
    "file_sha256": pl.String,
    "insurer_number": pl.String,
    "rule": pl.String,
    "what": pl.String,
    "count": pl.Int64,
    "receipts": pl.Int64,
    "line_no": pl.Int64,
    "receipt_seq": pl.Int64,
}


@dataclass(frozen=True)
class Finding:
    """One finding; `found` never holds a person's data."""

    insurer_number: str
    file_sha256: str
    rule: str
    found: str
    line_no: int | None = None
    receipt_seq: int | None = None
    severity: str = ""  # that of the rule, unless given
    expected: str = ""

    def row(self) -> dict[str, object]:
        rule = RULES[self.rule]
        own = {column.name: getattr(self, column.name) for column in fields(self)}
        return own | {"severity": self.severity or rule.severity, "expected": self.expected or rule.expected, "action": rule.action}

    def __str__(self) -> str:
        row = self.row()
        line = f" line {self.line_no}" if self.line_no else ""
        return f"{row['severity']} {self.rule}{line}: {self.found}; expected {row['expected']}. {row['action']}"


def replace(settings: Settings, findings: list[Finding], files: Iterable["DeliveredFile"], rules: tuple[str, ...]) -> None:
    """Write the findings of these files under these rules in place of the earlier ones."""
    where = _of(files) | {"rule": rules}
    if findings or not delta.is_empty(settings, tables.DELIVERY_FINDING, where):
        delta.replace(settings, tables.DELIVERY_FINDING, [finding.row() for finding in findings], where)


def count(settings: Settings, files: Iterable["DeliveredFile"]) -> int:
    """How many findings these files have."""
    return delta.read(settings, tables.DELIVERY_FINDING, _of(files)).height


def _of(files: Iterable["DeliveredFile"]) -> dict[str, Collection[str]]:
    keys = [(file.insurer_number, file.file_sha256) for file in files]
    return {"insurer_number": {number for number, _ in keys}, "file_sha256": {sha for _, sha in keys}}


def added_up(partial: pl.DataFrame) -> list[Finding]:
    """The findings of files whose bundles counted apart (silver.finding.PARTIAL)."""
    found: list[Finding] = []
    by_rule = partial.sort("file_sha256", "rule", "line_no", "receipt_seq", nulls_last=True).partition_by(
        "insurer_number", "file_sha256", "rule", as_dict=True, maintain_order=True
    )
    for (number, sha256, rule), rows in by_rule.items():
        first = rows.row(0, named=True)
        place = {"line_no": first["line_no"], "receipt_seq": first["receipt_seq"] or None}
        count, receipts = int(rows["count"].sum()), int(rows["receipts"].sum())
        if rule == "go_said":
            sums = by_rule.get((number, sha256, "go_sum"))
            added = (sums["count"].sum(), sums["receipts"].sum()) if sums is not None else (0, 0)
            if added != (first["count"], first["receipts"]):
                told = f"GO says {first['count']} and {first['receipts']}"
                wanted = f"{added[0]} receipts by payer, {added[1]} points, as its receipts add up"
                found.append(Finding(number, sha256, "go_total", told, line_no=place["line_no"], expected=wanted))
        elif rule == "check_digit":
            found.append(Finding(number, sha256, rule, f"{_count(receipts, 'receipt')} with {_names(rows['what'])}", **place))
        elif rule == "insurer_mismatch" and first["what"] is not None:
            told = f"{_count(receipts, 'receipt')} of {_names(rows['what'])}"
            found.append(Finding(number, sha256, rule, told, expected=f"HO {number}", **place))
        elif rule == "jy_target_missing":
            found.append(Finding(number, sha256, rule, f"{count} JY lines that name no line of their receipt", **place))
        elif rule == "points_identity":
            found.append(Finding(number, sha256, rule, f"{count} claims of which the lines do not add up to 合計点数", **place))
        elif rule in RULES:
            detail = f"; the first: {first['what']}" if first["what"] else ""
            told = f"{_count(count, 'line')} of {_count(receipts, 'receipt')} kept out{detail}"
            found.append(Finding(number, sha256, rule, told, severity="stop", **place))
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _names(numbers: Iterable[str]) -> str:
    """Up to three payer numbers; what is no number is not quoted."""
    named = sorted({number if number and number.isascii() and number.isdigit() else "(no number)" for number in numbers})
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
