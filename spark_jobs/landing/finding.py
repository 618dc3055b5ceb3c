"""landing.delivery_finding: what was found on a delivered file, what was expected, what to do. One row per rule and file."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from spark_jobs import tables
from spark_jobs.landing.rule import RULES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_jobs.landing.delivery import DeliveredFile

DELIVERY_RULES = (
    "empty_file", "not_a_receipt_file", "kind_not_read", "several_providers", "name_contradicts", "second_file_of_month",
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


def replace(spark: "SparkSession", findings: list[Finding], files: Iterable["DeliveredFile"], rules: tuple[str, ...]) -> None:
    """Write the findings of these files under these rules in place of the earlier ones."""
    keys = {(file.insurer_number, file.file_sha256) for file in files}
    if not keys:
        return
    condition = f"{_of(keys)} and rule in ({_literals(rules)})"
    table = tables.DELIVERY_FINDING
    if not findings and spark.table(table.name).where(condition).isEmpty():
        return
    types = ", ".join(f"{c.name} {c.type}" for c in table.columns)
    rows = spark.createDataFrame([finding.row() for finding in findings], types)
    table.shaped(rows).write.format("delta").mode("overwrite").option("replaceWhere", condition).saveAsTable(table.name)


def count(spark: "SparkSession", files: Iterable["DeliveredFile"]) -> int:
    """How many findings these files have."""
    keys = {(file.insurer_number, file.file_sha256) for file in files}
    return spark.table(tables.DELIVERY_FINDING.name).where(_of(keys)).count() if keys else 0


def _of(keys: Iterable[tuple[str, str]]) -> str:
    return f"insurer_number in ({_literals(number for number, _ in keys)}) and file_sha256 in ({_literals(sha for _, sha in keys)})"


def _literals(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(set(values)))
