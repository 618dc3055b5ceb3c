"""landing.delivery_finding: what was found on a delivered file, what was expected, what to do. One row per rule and file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from spark_jobs import delta, tables
from spark_jobs.landing.rule import RULES
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile

DELIVERY_RULES = (
    "empty_file", "not_a_receipt_file", "several_providers", "name_contradicts", "second_file_of_month",
)  # fmt: skip
LOST_RULES = ("file_missing", "file_changed")


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
