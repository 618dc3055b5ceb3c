"""What silver finds on delivered files: one finding per file and rule, with count and first place. It keeps no file out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.landing.finding import Finding, replace
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile

RULES = ("jy_target_missing", "points_identity")


def missing_targets(corrected: DataFrame, numbered: DataFrame) -> Iterator[Finding]:
    """JY lines that name a line that their receipt does not have (receipt-formats §4.4); the receipt goes on without them."""
    missing = corrected.where(f.size("missing") > 0).select("file_no", "receipt_seq", f.explode("missing").alias("line_no"))
    first = f.min_by(f.struct("receipt_seq", "line_no"), "line_no").alias("first")
    for row in missing.groupBy("file_no").agg(f.count("*").alias("lines"), first).join(numbered, "file_no").collect():
        found = f"{row.lines} JY lines that name no line of their receipt"
        yield Finding(row.depositor_number, row.file_sha256, "jy_target_missing", found, row.first.line_no, row.first.receipt_seq)


def points(claims: DataFrame) -> Iterator[Finding]:
    """Claims whose lines do not add up to the decided total (§7, identities 1, 2, 8, 9)."""
    off = claims.where("points_of_lines <> points_decided").groupBy("depositor_number", "file_sha256")
    for row in off.agg(f.count("*").alias("claims"), f.min("receipt_seq").alias("receipt_seq")).collect():
        found = f"{row.claims} claims of which the lines do not add up to 合計点数"
        yield Finding(row.depositor_number, row.file_sha256, "points_identity", found, receipt_seq=row.receipt_seq)


def write(settings: Settings, findings: list[Finding], files: "Sequence[DeliveredFile]") -> None:
    replace(settings, findings, files, RULES)
