"""`lake maintain`: few right-sized files, none that no version needs, a short log. Contents stay; run again it does nothing.

A closed fiscal year (年度) of an insurer is folded into few files, an open month only where it has many: whoever reads one month opens
files of that month alone.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from upath import UPath

from spark_jobs import delta, log, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import figure_change
from spark_jobs.settings import Settings
from spark_jobs.tables import Table

KEEP_DAYS = 7  # readers of an older version have ended by then
TARGET_BYTES = 256 * 2**20
SETTLED_MONTHS = 3  # a fiscal year is closed when claim months so far behind its end were delivered
FEW_OF_MONTH = 8  # files of an open month that are left alone
COMMITS_PER_CHECKPOINT = 10
MONTH = "claim_month"


@dataclass
class Care:
    """What was done to one table."""

    table: str
    files_before: int
    files_after: int = 0
    folded: list[str] = field(default_factory=list)
    removed: int = 0
    bytes_freed: int = 0
    checkpoint: bool = False

    def __str__(self) -> str:
        done = [f"{self.files_before} files folded into {self.files_after} ({', '.join(self.folded)})"] if self.folded else []
        done += [f"{self.removed} old files removed, {self.bytes_freed / 1e6:,.1f} MB"] if self.removed else []
        done += ["checkpoint"] if self.checkpoint else []
        return f"{self.table}: {'; '.join(done)}"


@dataclass(frozen=True)
class Part:
    """Files of one period of one insurer (or of a whole partition) that are written as one."""

    insurer_number: str | None
    first: int
    last: int
    files: int
    bytes: int

    def __str__(self) -> str:
        period = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.insurer_number or 'no insurer'} {period}"


def run(settings: Settings, keep_days: int = KEEP_DAYS) -> list[Care]:
    """Care for every table of the lake; the tables of dbt are written anew by every build, here only their old files go."""
    own = {settings.table_path(table.name): table for table in tables.ALL}
    kept, marts = (figure_change.last(settings), figure_change.before_last(settings)), settings.warehouse / "marts.db"
    done = []
    for path in sorted(log_folder.parent for log_folder in settings.warehouse.glob("*.db/*/_delta_log")):
        pinned = {publication.versions[path.name] for publication in kept if publication and path.name in publication.versions}
        care = _care(path, own.get(path), keep_days, sorted(pinned) if path.parent == marts else [])
        if care.folded or care.removed or care.checkpoint:
            done.append(care)
    log.write(
        settings,
        [
            {"event": "maintain"} | {name: getattr(care, name) for name in ("table", "files_before", "files_after", "bytes_freed")}
            for care in done
        ],
    )
    return done


def _care(path: UPath, table: Table | None, keep_days: int, pinned: list[int]) -> Care:
    care = Care(f"{path.parent.name.removesuffix('.db')}.{path.name}", len(DeltaTable(str(path)).file_uris()))
    if table is not None:
        care.folded = _fold_months(path, table) if MONTH in table.column_names and table.partition_by else _compact(path)
    care.files_after = len(DeltaTable(str(path)).file_uris())
    care.removed, care.bytes_freed = _vacuum(path, keep_days, pinned)
    care.checkpoint = _checkpoint(path, is_pinned=bool(pinned))
    return care


def _fold_months(path: UPath, table: Table) -> list[str]:
    """Write each period that lies in too many files anew, its months in order; one commit for each."""
    return [_fold(path, table, part) for part in parts(DeltaTable(str(path)), table)]


def parts(held: DeltaTable, table: Table) -> list[Part]:
    """What is worth folding, by the statistics of the files alone."""
    (partition,) = table.partition_by
    files = pl.DataFrame(pa.table(held.get_add_actions(flatten=True)))
    if not {f"min.{MONTH}", f"max.{MONTH}"} <= set(files.columns):
        return []
    files = files.select(
        insurer_number=pl.col(f"partition.{partition}"), first=pl.col(f"min.{MONTH}"), last=pl.col(f"max.{MONTH}"), bytes="size_bytes"
    ).drop_nulls(["first", "last"])
    newest = dict(files.group_by("insurer_number").agg(pl.col("last").max()).iter_rows())
    found: dict[tuple[str | None, int, int], list[int]] = defaultdict(list)
    for row in files.iter_rows(named=True):
        first, last = _period(row["first"], newest[row["insurer_number"]])
        if row["last"] <= last:
            found[row["insurer_number"], first, last].append(row["bytes"])
    made = (Part(*key, len(sizes), sum(sizes)) for key, sizes in found.items())
    return sorted((part for part in made if _is_worth(part)), key=str)


def _period(month: int, newest: int) -> tuple[int, int]:
    """The fiscal year of a month (April to March) where it is closed, else the month."""
    start = (month // 100 - (month % 100 < 4)) * 100 + 4
    end = start + 99
    return (start, end) if newest >= end + SETTLED_MONTHS else (month, month)


def _is_worth(part: Part) -> bool:
    fewest = max(1, ceil(part.bytes / TARGET_BYTES))
    return part.files > (2 * fewest if part.first != part.last else FEW_OF_MONTH * fewest)


def _fold(path: UPath, table: Table, part: Part) -> str:
    held = DeltaTable(str(path))
    (partition,) = table.partition_by
    rows, version = held.count(), held.version()
    is_of_insurer = pl.col(partition).is_null() if part.insurer_number is None else pl.col(partition) == part.insurer_number
    predicate = f"{partition} is null" if part.insurer_number is None else delta.condition({partition: [part.insurer_number]})
    schema = delta.arrow_schema(table)

    def batches() -> Iterator[pa.RecordBatch]:
        for month in range(part.first, part.last + 1):
            if 1 <= month % 100 <= 12:
                yield from pl.scan_delta(held).filter(is_of_insurer, pl.col(MONTH) == month).collect().to_arrow().cast(schema).to_batches()

    write_deltalake(
        held, pa.RecordBatchReader.from_batches(schema, batches()), mode="overwrite",
        predicate=f"{predicate} and {MONTH} between {part.first} and {part.last}", target_file_size=TARGET_BYTES,
    )  # fmt: skip
    if (now := DeltaTable(str(path)).count()) != rows:
        DeltaTable(str(path)).restore(version)
        raise LakeError(str(path), f"{now} rows after folding {part}", f"{rows}", "The table was put back; report this.", ExitCode.FAILED)
    return str(part)


def _compact(path: UPath) -> list[str]:
    """Tables without months: small files of a partition become one."""
    held = DeltaTable(str(path))
    files = pl.DataFrame(pa.table(held.get_add_actions(flatten=True)))
    partitions = [name for name in files.columns if name.startswith("partition.")]
    sizes = files.group_by(partitions or pl.lit(1)).agg(files=pl.len(), bytes=pl.col("size_bytes").sum())
    if not any(files > 2 * max(1, ceil(size / TARGET_BYTES)) for files, size in sizes.select("files", "bytes").iter_rows()):
        return []
    held.optimize.compact(target_size=TARGET_BYTES, commit_properties=_mark(held))
    return ["small files"]


def _vacuum(path: UPath, keep_days: int, pinned: list[int]) -> tuple[int, int]:
    """Remove files that no version of the last days and no pinned one needs, and parts of killed runs: their number, their bytes."""
    held = DeltaTable(str(path))
    hours = int(timedelta(days=keep_days).total_seconds() // 3600)
    old = held.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True, keep_versions=pinned)
    if not old:
        return 0, 0
    size = _bytes(path / name for name in old)
    held.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=pinned, commit_properties=_mark(held))
    return len(old), size


def _bytes(files: Iterable[UPath]) -> int:
    return sum(file.stat().st_size for file in files if file.exists())


def _checkpoint(path: UPath, is_pinned: bool) -> bool:
    held, pointer = DeltaTable(str(path)), path / "_delta_log" / "_last_checkpoint"
    last = json.loads(pointer.read_text())["version"] if pointer.exists() else 0
    if held.version() - last < COMMITS_PER_CHECKPOINT:
        return False
    held.create_checkpoint()
    if not is_pinned:  # the log of a published version stays with it
        held.cleanup_metadata()
    return True


def _mark(held: DeltaTable) -> CommitProperties | None:
    """What the last commit said the table holds, kept on."""
    mark = held.history(1)[0].get(delta.MARK)
    return CommitProperties(custom_metadata={delta.MARK: mark}) if mark else None
