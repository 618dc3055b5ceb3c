"""One bundle of delivered bytes, or of lines in bronze, into Parquet parts of bronze and silver: the work of one task.

Polars reads and types the lines; no row passes through Python but those of corrected receipts (JY), distinct texts to be pseudonymised, and
lines to be sealed. Nothing is committed here. A Spark cluster, where one is named, spreads the bundles over its executors; else processes
of this machine share them (docs/decisions/0006).
"""

import gc
import os
import pickle
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import polars as pl
import psutil

from spark_jobs import delta, tables
from spark_jobs.bronze import claim_line, finding, line, quarantine_line
from spark_jobs.bronze.claim_line import Keys
from spark_jobs.bronze.piece import Bundle
from spark_jobs.claim_format import data_id, layouts
from spark_jobs.delta import Part
from spark_jobs.identity import erasure, keys
from spark_jobs.identity import people as identity_people
from spark_jobs.landing.finding import PARTIAL
from spark_jobs.settings import Settings
from spark_jobs.silver import frames

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from spark_jobs.landing.delivery import DeliveredFile

FOR_PROCESSES = 2**26  # bytes to be read from which processes are worth their start, about a second each
OF_PROCESS = {  # environment of a process that converts
    "POLARS_MAX_THREADS": "1",
    # polars keeps what memory it had for the next bundle; its peak is no greater
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:-1,background_thread:false,oversize_threshold:0",
}


@dataclass
class Converted:
    """What came of a bundle. Counts: one row per file."""

    parts: list[Part] = field(default_factory=list)
    counts: pl.DataFrame = field(default_factory=pl.DataFrame)
    reviews: pl.DataFrame = field(default_factory=pl.DataFrame)  # rows of silver.claim_review, of which there is one part for all
    persons: pl.DataFrame = field(default_factory=pl.DataFrame)
    facilities: pl.DataFrame = field(default_factory=pl.DataFrame)
    findings: pl.DataFrame = field(default_factory=pl.DataFrame)


def delivered(settings: Settings, bundle: Bundle) -> Converted:
    """Bronze and silver of a bundle of delivered files."""
    numbers = keys.versions(settings)
    chains = Keys({number: keys.chain(settings, number) for number in sorted(numbers)})
    lines, receipts = line.read(bundle, set(numbers))
    groups, people = claim_line.replaced(lines, receipts, bundle, chains)
    lines, groups, people = _without_erased(settings, lines, groups, people, bundle)
    out = quarantine_line.table(lines, bundle, keys.recipients(settings))
    files = _files(bundle)
    found = [finding.quarantined(out)] if out.height else []
    found.append(finding.payers(groups, files, bundle.claim_kind, bundle.claim_form))
    if bundle.claim_form == "claim":
        found.append(finding.totals(groups, files, bundle.claim_kind))
    done = Converted(counts=_counts(lines, files))
    del lines  # not held while silver is made
    done.parts += delta.write_parts(settings, tables.CLAIM_LINE, claim_line.table(groups, receipts, bundle, chains))
    done.parts += delta.write_parts(settings, tables.QUARANTINE_LINE, out)
    done.parts += _vault(settings, people, bundle)
    if bundle.claim_kind in layouts.SILVER_KINDS and "RE" in groups:
        owners = receipts.select("rid", "file_no", "receipt_seq", "sent", "owner").join(files, on="file_no", maintain_order="left")
        versions = {number: chains.version(number) for number in chains.chains}
        version = pl.col("owner").replace_strict(versions, default=None, return_dtype=pl.Int32)
        known = owners.with_columns(key_version=version).drop("owner").rename({"insurer_number": "depositor_number"})
        if out.height:  # else every receipt is in bronze
            in_bronze = pl.concat([group.select("rid").unique() for group in groups.values()]).unique()
            known = known.join(in_bronze, on="rid", how="semi", maintain_order="left")
        _silver(settings, done, frames.read(groups, known, bundle.claim_kind, bundle.claim_form))
    done.findings = pl.concat([*found, done.findings] if done.findings.height else found or [pl.DataFrame(schema=PARTIAL)])
    return done


def _without_erased(
    settings: Settings, lines: pl.DataFrame, groups: dict[str, pl.DataFrame], people: pl.DataFrame, bundle: Bundle
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame], pl.DataFrame]:
    """Receipts of erased persons and of withdrawn insurers stay out; their lines are counted, not kept."""
    stones = erasure.tombstones(settings)
    if not stones.height:
        return lines, groups, people
    kept = []
    for (number,), of_piece in people.partition_by("file_no", as_dict=True, maintain_order=True).items():
        kept.append(erasure.without(of_piece, stones, bundle.pieces[number].file.insurer_number))
    gone = people.join(pl.concat(kept or [people.clear()]), on=people.columns, how="anti", nulls_equal=True).select("rid").unique()
    if not gone.height:
        return lines, groups, people
    is_gone = pl.col("rid").is_in(gone["rid"].implode())
    lines = lines.with_columns(rule=pl.when(is_gone).then(pl.lit("erased")).otherwise("rule"), detail=pl.when(~is_gone).then("detail"))
    groups = {record_id: left for record_id, group in groups.items() if (left := group.filter(~is_gone)).height}
    return lines, groups, people.filter(~is_gone)


def _vault(settings: Settings, people: pl.DataFrame, bundle: Bundle) -> list[Part]:
    """What stays of the people of each file: sealed to their insurers, linked inside a scope of joint use (identity.people)."""
    named = people.filter(pl.col("person_id1").is_not_null() & pl.col("insurer_number").is_not_null())
    distinct = named.unique(["file_no", "person_id1", "branch_no", "patient_name", "patient_name_kana"], keep="first")
    parts = [(number, x.file.file_sha256, x.lines_before, x.file.claim_month) for number, x in enumerate(bundle.pieces)]
    schema = {"file_no": pl.UInt32, "file_sha256": pl.String, "lines_before": pl.Int32, "claim_month": pl.Int32}
    of_part = distinct.join(pl.DataFrame(parts, schema, orient="row"), on="file_no")
    return [part for table, rows in identity_people.rows(settings, of_part).items() for part in delta.write_parts(settings, table, rows)]


def from_bronze(settings: Settings, files: "Sequence[DeliveredFile]", receipts: pl.DataFrame | None = None) -> Converted:
    """Silver of files of one kind and form whose lines stand in bronze; if given, of these `receipts` only (file_sha256,
    depositor_number, receipt_seq)."""
    kind, form = files[0].claim_kind, files[0].claim_form
    if kind not in layouts.SILVER_KINDS:
        return Converted()
    where: delta.Where = {
        "insurer_number": {x.insurer_number for x in files},
        "claim_month": {x.claim_month for x in files},
        "file_sha256": {x.file_sha256 for x in files},
    }
    stored = delta.scan(settings, tables.CLAIM_LINE, where).rename({"insurer_number": "depositor_number"})
    if receipts is not None:
        wanted = receipts.select("file_sha256", "depositor_number", pl.col("receipt_seq").cast(pl.Int32)).unique()
        whole = pl.concat([wanted, wanted.select("file_sha256", "depositor_number").unique().with_columns(receipt_seq=pl.lit(0, pl.Int32))])
        stored = stored.join(whole.lazy(), on=["file_sha256", "depositor_number", "receipt_seq"], how="semi")
    lines = stored.collect().sort("depositor_number", "file_sha256", "line_no")
    done = Converted()
    if not lines.height:
        return done
    of_file = ["depositor_number", "file_sha256"]
    lines = lines.with_columns(prefix=pl.col("line").str.splitn(",", 4))
    prefix = pl.col("prefix").struct
    is_insurer = form == "insurer"
    lines = lines.with_columns(
        file_no=pl.struct(of_file).rle_id().cast(pl.UInt32),
        rid=pl.struct(*of_file, "receipt_seq").rle_id().cast(pl.UInt32),
        line_no=pl.col("line_no").cast(pl.UInt32),
        data_id=prefix[0].cast(pl.Int8, strict=False) if is_insurer else pl.lit(data_id.SENT, pl.Int8),
        place=prefix[1].cast(pl.Int64, strict=False) * 1000 + prefix[2].cast(pl.Int64, strict=False)
        if is_insurer
        else pl.lit(None, pl.Int64),
    )
    heads = lines.filter(pl.col("record_type") == "RE").group_by("rid").agg(
        sent=pl.when((pl.col("data_id") == data_id.SENT).any()).then(data_id.SENT).otherwise(data_id.RETURNED).cast(pl.Int8)
    )  # fmt: skip
    known = lines.unique("rid", keep="first", maintain_order=True).select(
        "rid", "file_no", "receipt_seq", *of_file, "claim_form", "claim_kind", "claim_month", "key_version"
    )
    known = known.join(heads, on="rid", how="left", maintain_order="left")
    named = lines.select("rid", "file_no", "receipt_seq", "line_no", "data_id", "place", "record_type", "line")
    groups = {key: group for (key,), group in named.partition_by("record_type", as_dict=True, maintain_order=True).items()}
    _silver(settings, done, frames.read(groups, known, kind, form))
    return done


def _silver(settings: Settings, done: Converted, silver: frames.Silver) -> None:
    for table, rows in silver.tables.items():
        if table is tables.CLAIM_REVIEW:
            done.reviews = delta.shaped(table, rows)
        else:
            done.parts += delta.write_parts(settings, table, rows)
    done.persons, done.facilities, done.findings = silver.persons, silver.facilities, silver.findings


def _files(bundle: Bundle) -> pl.DataFrame:
    names = ("insurer_number", "file_sha256", "claim_form", "claim_kind", "claim_month")
    rows = [(number, *(getattr(piece.file, name) for name in names)) for number, piece in enumerate(bundle.pieces)]
    return pl.DataFrame(rows, schema=["file_no", *names], orient="row").cast({"file_no": pl.UInt32, "claim_month": pl.Int32})


def _counts(lines: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """Per file: lines, lines in quarantine, receipts in bronze."""
    kept = pl.col("rule").is_null()
    counted = lines.group_by("file_no").agg(
        lines=pl.len(), quarantined=(~kept).sum(), receipts=pl.col("receipt_seq").filter(kept & (pl.col("receipt_seq") > 0)).n_unique()
    )
    return counted.join(files, on="file_no").select("insurer_number", "file_sha256", "lines", "quarantined", "receipts")


def by_spark(bundles: list[Bundle], settings: Settings, spark: "SparkSession") -> Iterator[tuple[Bundle, Converted]]:
    """Each bundle, converted by Spark's executors, whose working folder is not ours."""
    places = {"config": settings.config.resolve(), "home": settings.home_path, "secrets": settings.secrets_path}
    settings = settings.model_copy(update=places)
    rows = [(number, pickle.dumps((settings, bundle))) for number, bundle in enumerate(bundles)]
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", len(rows))  # one bundle a task
    work = spark.createDataFrame(rows, "number int, work binary")
    for row in work.mapInArrow(_task, "number int, done binary").collect():
        yield bundles[row.number], pickle.loads(row.done)  # noqa: S301 (made by our own task)


@contextmanager
def executor(settings: Settings, byte_count: int) -> Iterator[Executor]:
    """What converts bundles here: processes with one polars thread each, or threads where so little is not worth the start of processes.
    What is not begun when the block is left by an error is not begun any more."""
    cores = settings.cores or psutil.cpu_count() or 1
    if cores == 1 or byte_count < FOR_PROCESSES:
        found: Executor = ThreadPoolExecutor(cores)
    else:
        found = ProcessPoolExecutor(cores, get_context("spawn"), _begin)
        with _inherited():
            for _ in range(cores):
                found.submit(os.getpid)  # each job that finds no idle process starts one
    try:
        yield found
    finally:
        found.shutdown(cancel_futures=True)


@contextmanager
def _inherited() -> Iterator[None]:
    """What a process has from its first moment on, before it loads anything: its environment, deaf to interrupts."""
    before, is_main = {name: os.environ.get(name) for name in OF_PROCESS}, threading.current_thread() is threading.main_thread()
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    os.environ.update(OF_PROCESS)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        if is_main:
            signal.signal(signal.SIGINT, heard)


def _begin() -> None:
    """Of a process that converts: an interrupt is its parent's to see, and it ends with its parent, however that one ended. What it has
    loaded stays, and need not be looked through for garbage."""
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _task(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    for batch in batches:
        for row in batch.to_pylist():
            settings, bundle = pickle.loads(row["work"])  # noqa: S301
            done = pickle.dumps(delivered(settings, bundle))
            yield pa.RecordBatch.from_pydict({"number": pa.array([row["number"]], pa.int32()), "done": pa.array([done], pa.binary())})
