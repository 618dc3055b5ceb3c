"""Deliveries → bronze → silver, for what is new: pending files in batches of bounded size, an event for each step of each file.

Killed anywhere and run again, it goes on where it stopped and ends with the same tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_jobs import session
from spark_jobs.bronze import claim_line
from spark_jobs.landing import delivery, finding
from spark_jobs.landing.delivery import DeliveredFile, Event
from spark_jobs.landing.finding import Finding
from spark_jobs.progress import console
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BATCH_BYTES = 200 * 2**20  # one commit per table and batch
BATCH_FILES = 2000


@dataclass
class IngestSummary:
    """What `lake ingest` did."""

    files: int = 0
    receipts: int = 0
    lines: int = 0
    quarantined: int = 0
    rejected: int = 0
    findings: int = 0

    def __rich__(self) -> str:
        if not self.files and not self.rejected:
            return "nothing new to ingest"
        text = f"{self.files} files: {self.receipts:,} receipts, {self.lines:,} lines, {self.quarantined:,} of them in quarantine"
        if self.rejected:
            text += f"; {self.rejected} files rejected"
        return text + (f"; {self.findings} findings: see lake status" if self.findings else "")

    __str__ = __rich__


def run(settings: Settings, insurer_number: str | None = None, claim_month: int | None = None) -> IngestSummary:
    """Take in all pending files (of an insurer, of a claim month)."""
    from spark_jobs.silver import batch as silver

    summary = IngestSummary()
    if not (pending := delivery.pending(settings, insurer_number, claim_month)):
        return summary
    spark = session.start(settings)
    total, done = sum(file.file_bytes for file in pending), 0
    for files in _batches(pending):
        taken = [file for file in files if file.state == "bronze"]
        if received := [file for file in files if file.state == "received"]:
            taken += _to_bronze(spark, settings, received, summary)
        silver.run(spark, settings, taken)
        delivery.record(settings, [Event(file, "silver") for file in taken])
        summary.files += len(taken)
        done += sum(file.file_bytes for file in files)
        if done < total:
            console.print(f"  {done / 2**20:,.0f} of {total / 2**20:,.0f} MB")
        summary.findings += finding.count(settings, files)
    return summary


def _to_bronze(spark: "SparkSession", settings: Settings, files: list[DeliveredFile], summary: IngestSummary) -> list[DeliveredFile]:
    """Write bronze and its events; returns the files that are there now."""
    counts, lost = claim_line.run(spark, settings, files)
    taken = [Event(count.file, "bronze", count.receipt_count, count.line_count, count.quarantine_count) for count in counts]
    gone = [Event(error.file, "rejected", detail=f"{error.rule}: {error.found}") for error in lost]
    found = [
        Finding(error.file.insurer_number, error.file.file_sha256, error.rule, f"{error.file.file_path}: {error.found}") for error in lost
    ]
    finding.replace(settings, found, files, finding.LOST_RULES)
    summary.receipts += sum(count.receipt_count for count in counts)
    summary.lines += sum(count.line_count for count in counts)
    summary.quarantined += sum(count.quarantine_count for count in counts)
    summary.rejected += len(lost)
    return [file for file in delivery.record(settings, [*taken, *gone]) if file.state == "bronze"]


def _batches(files: list[DeliveredFile]) -> Iterator[list[DeliveredFile]]:
    batch: list[DeliveredFile] = []
    size = 0
    for file in files:
        if batch and (size + file.file_bytes > BATCH_BYTES or len(batch) == BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.file_bytes
    if batch:
        yield batch
