"""Deliveries → bronze → silver, for what is new: pending files in batches of bounded size, an event for each step of each file.

Killed anywhere and run again, it goes on where it stopped and ends with the same tables.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from typing import TypeVar

import polars as pl

from spark_jobs import convert, delta, progress, session, tables
from spark_jobs.bronze import finding as bronze_finding
from spark_jobs.bronze import piece
from spark_jobs.convert import Converted
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys
from spark_jobs.landing import delivery, finding
from spark_jobs.landing.delivery import DeliveredFile, Event
from spark_jobs.landing.finding import PARTIAL, Finding
from spark_jobs.settings import Settings
from spark_jobs.silver import batch
from spark_jobs.silver import finding as silver_finding

T = TypeVar("T")
BATCH_BYTES = 2**29  # one commit per table and batch
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
    claim_months: set[int] = field(default_factory=set)  # 請求年月 of what came in or left; 0 = not known

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
    left = take_out(settings)
    summary = take_in(settings, delivery.pending(settings, insurer_number, claim_month))
    summary.claim_months |= {file.claim_month or 0 for file in left}
    return summary


def take_in(settings: Settings, pending: list[DeliveredFile]) -> IngestSummary:
    """Bronze and silver of these files, batch after batch."""
    summary = IngestSummary()
    size = sum(file.file_bytes for file in pending)
    with progress.files(size) as advance, convert.executor(settings, size) as executor:
        for files, begun in _one_ahead(_begun(settings, files, executor) for files in _batches(pending)):
            if waiting := [file for file in files if file.state == "bronze"]:  # of a run that was killed
                batch.run(settings, waiting)
                delivery.record(settings, [Event(file, "silver") for file in waiting])
                summary.files += len(waiting)
                advance(sum(file.file_bytes for file in waiting))
            if begun:
                _commit(settings, begun, summary, advance)
            summary.findings += finding.count(settings, files)
            summary.claim_months |= {file.claim_month or 0 for file in files}
    return summary


def take_out(settings: Settings) -> list[DeliveredFile]:
    """Rows of files that were withdrawn or superseded leave silver, then bronze and the vault; what they beat counts again."""
    leaving = [file for file in delivery.files(settings) if file.state == delivery.LEAVING]
    if not leaving:
        return []
    batch.withdraw(settings, leaving)
    for table in (tables.VAULT, tables.SCOPE_PERSON, tables.CLAIM_LINE, tables.QUARANTINE_LINE):
        delta.delete(
            settings, table, _of(leaving) if table.name.startswith("bronze.") else {"file_sha256": {x.file_sha256 for x in leaving}}
        )
    finding.replace(settings, [], leaving, (*bronze_finding.WRITTEN_RULES, *silver_finding.RULES))
    done = [(file, (file.detail or "withdrawn: ").partition(": ")) for file in leaving]
    delivery.record(settings, [Event(file, state, detail=reason) for file, (state, _, reason) in done])
    return leaving


@dataclass
class _Begun:
    """A batch of files while their bundles are being converted."""

    files: list[DeliveredFile]
    lost: list[piece.LostFileError]
    bundles: list[piece.Bundle]
    jobs: dict[Future[Converted], piece.Bundle]

    def results(self, settings: Settings) -> Iterator[tuple[piece.Bundle, Converted]]:
        """Each bundle, converted, as they get done."""
        if self.bundles and settings.has_executors:
            yield from convert.by_spark(self.bundles, settings, session.start(settings))
        for job in as_completed(self.jobs):
            yield self.jobs[job], job.result()


def _begun(settings: Settings, files: list[DeliveredFile], executor: Executor) -> tuple[list[DeliveredFile], _Begun | None]:
    received = [file for file in files if file.state == "received"]
    for number in {file.insurer_number for file in received}:
        keys.key_file(settings, number)
    bundles, lost = piece.bundles(received)
    here = bundles if not settings.has_executors else []
    jobs = {executor.submit(convert.delivered, settings, bundle): bundle for bundle in here}
    return files, _Begun(received, lost, bundles, jobs) if received else None


def _one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, each given when the next one is there: workers go on while a batch is committed."""
    held: list[T] = []
    for item in items:
        held.append(item)
        if len(held) > 1:
            yield held.pop(0)
    yield from held


def _commit(settings: Settings, begun: _Begun, summary: IngestSummary, advance: progress.Advance) -> None:
    """Bronze and its events, then silver and its events, from one reading of the files."""
    files, lost = begun.files, begun.lost
    converted = []
    for bundle, done in begun.results(settings):
        converted.append(done)
        advance(sum(part.length for part in bundle.pieces), int(done.counts["receipts"].sum()))
    present = [file for file in files if file not in {error.file for error in lost}]
    counts = _counts(converted)
    for table in (tables.VAULT, tables.SCOPE_PERSON, tables.CLAIM_LINE, tables.QUARANTINE_LINE):
        where = _of(present) if table.name.startswith("bronze.") else {"file_sha256": {x.file_sha256 for x in present}}
        delta.put(settings, table, [part for done in converted for part in done.parts if part.table == table.name], where)
    found = pl.concat([done.findings for done in converted if done.findings.height] or [pl.DataFrame(schema=PARTIAL)])
    told = finding.added_up(found.filter(~pl.col("rule").is_in(["jy_target_missing", "points_identity"])))
    finding.replace(settings, told, present, bronze_finding.WRITTEN_RULES)
    gone = [Finding(e.file.insurer_number, e.file.file_sha256, e.rule, f"{e.file.file_path}: {e.found}") for e in lost]
    finding.replace(settings, gone, files, finding.LOST_RULES)
    events = [Event(file, "bronze", *counts[file.insurer_number, file.file_sha256]) for file in present]
    events += [Event(error.file, "rejected", detail=f"{error.rule}: {error.found}") for error in lost]
    taken = [file for file in delivery.record(settings, events) if file.state == "bronze"]
    batch.write(settings, taken, converted)
    delivery.record(settings, [Event(file, "silver") for file in taken])
    summary.files += len(taken)
    summary.receipts += sum(count[0] for count in counts.values())
    summary.lines += sum(count[1] for count in counts.values())
    summary.quarantined += sum(count[2] for count in counts.values())
    summary.rejected += len(lost)


def _counts(converted: list[Converted]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(depositor, file) → receipts in bronze, lines, lines in quarantine. A line in neither would be a fault of the lake."""
    counts = pl.concat([done.counts for done in converted if done.counts.height] or [pl.DataFrame(schema=COUNTS)])
    files = counts.group_by("insurer_number", "file_sha256").agg(
        pl.col("receipts").sum(), pl.col("lines").sum(), pl.col("quarantined").sum()
    )
    lines = files["lines"].sum()
    written = sum(part.rows for done in converted for part in done.parts if part.table.startswith("bronze."))
    if written != lines:
        raise LakeError(
            "ingest", f"{written} lines in bronze and quarantine", f"{lines} lines, as the files have",
            "This is a fault of the lake: keep the files and report it. Nothing was committed.", ExitCode.FAILED,
        )  # fmt: skip
    return {(number, sha256): values for number, sha256, *values in files.iter_rows()}  # type: ignore[misc]


COUNTS = {"insurer_number": pl.String, "file_sha256": pl.String, "lines": pl.Int64, "quarantined": pl.Int64, "receipts": pl.Int64}


def _of(files: list[DeliveredFile]) -> delta.Where:
    """Exactly these files; insurer and month first, so that other data files are not opened."""
    return {
        "insurer_number": {file.insurer_number for file in files},
        "claim_month": {file.claim_month for file in files},
        "file_sha256": {file.file_sha256 for file in files},
    }


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
