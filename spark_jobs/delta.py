"""Delta tables without Spark: all that spark_jobs declares are created, read and written so; marts are Spark's (dbt).

Small tables are written in one call. Facts are written in two steps: whoever has rows writes Parquet parts (`write_parts`, in any process),
and one process commits them (`put`): a table has one committer. A commit takes milliseconds and no Java: docs/decisions/0005, 0006.
"""

import json
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, RemoveAction

from spark_jobs import tables
from spark_jobs.settings import Settings
from spark_jobs.tables import Table

DELTA_TYPES = {"int": "integer", "bigint": "long"}  # the others have one name in SQL and in Delta
SKIPPING = ("file_sha256", "claim_month", "service_month")  # statistics of these only: a pseudonym in a log would outlive its row
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
VERSION = "lake.version"  # property of a table: the version of its contents, as declared when it was made; lake migrate
FEW_FILES = 16
CHECKPOINT_INTERVAL = "10"  # commits: a table with a long history opens as fast as a new one
MARK = "userMetadata"  # Spark's name for what a commit says of itself
Where = Mapping[str, Collection[Any]]  # column → values; all must hold


def schema(table: Table) -> Schema:
    """The table's columns with their comments, as Delta keeps them."""
    return Schema([Field(c.name, PrimitiveType(DELTA_TYPES.get(c.type, c.type)), metadata={"comment": c.comment}) for c in table.columns])


def arrow_schema(table: Table) -> pa.Schema:
    return pa.schema(schema(table).to_arrow())


def create_all(settings: Settings) -> None:
    """Create the tables that are missing, empty; nothing else changes."""
    for table in tables.ALL:
        path = settings.table_path(table.name)
        if not DeltaTable.is_deltatable(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                str(path), schema(table), mode="ignore", partition_by=list(table.partition_by), description=table.comment,
                configuration={"delta.dataSkippingStatsColumns": ",".join(_skipping(table)), VERSION: str(table.version),
                               "delta.checkpointInterval": CHECKPOINT_INTERVAL},
                raise_if_key_not_exists=False,
            )  # fmt: skip


def opened(settings: Settings, name: str, version: int | None = None) -> DeltaTable:
    """The table `schema.name` as it is, or as it was."""
    return DeltaTable(str(settings.table_path(name)), version=version)


def read(settings: Settings, table: Table, where: Where | None = None) -> pl.DataFrame:
    """The rows of a table; none where no command has made the lake yet."""
    path = str(settings.table_path(table.name))
    if not DeltaTable.is_deltatable(path):
        return pl.DataFrame(schema=frame_schema(table))
    return pl.scan_delta(path).filter(*(pl.col(name).is_in(list(values)) for name, values in (where or {}).items())).collect()


def scan(settings: Settings, table: Table, where: Where | None = None) -> pl.LazyFrame:
    """The rows of a table, to be read as far as needed."""
    rows = pl.scan_delta(str(settings.table_path(table.name)))
    return rows.filter(*(pl.col(name).is_in(list(values)) for name, values in (where or {}).items()))


@cache
def frame_schema(table: Table) -> dict[str, pl.DataType]:
    """The table's columns as polars types."""
    return dict(pl.Schema(schema(table).to_arrow()))  # not by way of a pyarrow table: that loads pandas, half a second in each process


def shaped(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Exactly this table's columns, in order, of its types; null where the frame has none: the contract of what is written."""
    wanted = frame_schema(table)
    missing = [pl.lit(None, kind).alias(name) for name, kind in wanted.items() if name not in rows.columns]
    return rows.with_columns(*missing).select(*wanted).cast(wanted)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Part:
    """A Parquet file below a table that no commit names yet."""

    table: str
    path: str  # relative to the table
    partition: dict[str, str | None]
    rows: int
    size: int
    stats: str
    files: frozenset[str]  # delivered files that it holds rows of


def write_parts(settings: Settings, table: Table, rows: pl.DataFrame) -> list[Part]:
    """Write rows as Parquet below the table, one part per partition; readers see them when `put` commits them."""
    rows = shaped(table, rows)
    if not rows.height:
        return []
    found = []
    for values, part in rows.partition_by(*table.partition_by, as_dict=True).items() if table.partition_by else [((), rows)]:
        partition = dict(zip(table.partition_by, values, strict=True))
        folder = "/".join(f"{name}={NULL_PARTITION if value is None else value}" for name, value in partition.items())
        path = f"{folder}/{uuid.uuid4()}.parquet".lstrip("/")
        place = settings.table_path(table.name) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        stored = part.drop(table.partition_by)
        stored.write_parquet(str(place), compression="zstd", compression_level=1, statistics=False)
        found.append(Part(table.name, path, partition, part.height, place.stat().st_size, _statistics(table, stored), _files(stored)))
    return found


def scan_part(settings: Settings, part: Part) -> pl.LazyFrame:
    """The rows of a part, its partition included, to be read as far as needed."""
    return _scan(settings, part.table, part.path, part.partition)


def _scan(settings: Settings, table: str, path: str, partition: Mapping[str, str | None]) -> pl.LazyFrame:
    rows = pl.scan_parquet(str(settings.table_path(table) / path), hive_partitioning=False)
    return rows.with_columns(**{name: pl.lit(value, pl.String) for name, value in partition.items()})


def put(settings: Settings, table: Table, parts: Sequence[Part], where: Where) -> None:
    """Commit parts, all at once; rows that `where` names, left by a run that was killed, are taken out before."""
    held = opened(settings, table.name)
    if _that_may_hold(held, where).height:
        delete(settings, table, where)
        held.update_incremental()
    _commit(held, table, parts)


def change(
    settings: Settings, table: Table, where: Where, changed: Callable[[pl.DataFrame], pl.DataFrame], new: pl.DataFrame | None = None
) -> None:
    """Rows as `changed` makes them (all rows of a data file that may hold what `where` names), and new ones beside them, in one commit.

    Each data file has a file of its own in its place. What writes by a condition (delta-rs, Spark) puts what it touches of a partition
    into one file, which then holds more months with every month, and is read and written for each.
    """
    held, removed, parts = opened(settings, table.name), [], list[Part]()
    files = _that_may_hold(held, where)
    for file in files.iter_rows(named=True):
        partition = {name: file[f"partition.{name}"] for name in table.partition_by}
        rows = shaped(table, _scan(settings, table.name, file["path"], partition).collect())
        if not (after := changed(rows)).equals(rows):
            removed.append(RemoveAction(file["path"], True, _now(), file["size_bytes"], partition))
            parts += write_parts(settings, table, after)
    if new is not None:
        parts += write_parts(settings, table, new)
    _commit(held, table, parts, removed)


def _commit(held: DeltaTable, table: Table, parts: Sequence[Part], removed: Sequence[RemoveAction] = ()) -> None:
    added: list[AddAction | RemoveAction] = [AddAction(x.path, x.size, x.partition, _now(), True, x.stats) for x in parts]
    if actions := [*added, *removed]:
        held.create_write_transaction(actions, "append", schema(table), partition_by=list(table.partition_by))


def _now() -> int:
    return int(time.time() * 1000)


def _that_may_hold(held: DeltaTable, where: Where) -> pl.DataFrame:
    """Data files in which a row may satisfy `where`, as far as the partitions and statistics in the table's log tell; none is opened."""
    files = pl.DataFrame(held.get_add_actions(flatten=True))
    for name, values in where.items():
        if not values:
            return files.clear()
        if f"partition.{name}" in files.columns:
            files = files.filter(pl.col(f"partition.{name}").is_in(list(values)))
        elif {f"min.{name}", f"max.{name}"} <= set(files.columns):
            least, most = files[f"min.{name}"], files[f"max.{name}"]
            ordered = pl.Series(sorted(values), dtype=least.dtype)
            next_value = ordered.gather(ordered.search_sorted(least).clip(upper_bound=ordered.len() - 1))
            files = files.filter(next_value.is_between(least, most) | least.is_null() | most.is_null())
    return files


def _statistics(table: Table, rows: pl.DataFrame) -> str:
    bounds = rows.select(
        *(pl.col(name).min().alias(f"min {name}") for name in _skipping(table)),
        *(pl.col(name).max().alias(f"max {name}") for name in _skipping(table)),
    ).row(0, named=True)
    least = {name: bounds[f"min {name}"] for name in _skipping(table) if bounds[f"min {name}"] is not None}
    most = {name: bounds[f"max {name}"] for name in _skipping(table) if bounds[f"max {name}"] is not None}
    nulls = {name: rows[name].null_count() for name in _skipping(table)}
    return json.dumps({"numRecords": rows.height, "minValues": least, "maxValues": most, "nullCount": nulls})


def _files(rows: pl.DataFrame) -> frozenset[str]:
    return frozenset(rows["file_sha256"].unique() if "file_sha256" in rows.columns else ())


def _skipping(table: Table) -> list[str]:
    return [name for name in table.column_names if name in SKIPPING and name not in table.partition_by]


def is_empty(settings: Settings, table: Table, where: Where) -> bool:
    """Whether no row satisfies `where`; files whose statistics say so are not opened."""
    if not _that_may_hold(opened(settings, table.name), where).height:
        return True
    return scan(settings, table, where).select(list(where)).head(1).collect().is_empty()


def append(settings: Settings, table: Table, rows: pl.DataFrame | Sequence[Mapping[str, Any]]) -> None:
    """Add rows in one commit."""
    write_deltalake(str(settings.table_path(table.name)), _arrow(table, rows), mode="append")


def compact(settings: Settings, table: Table) -> None:
    """Few files instead of many small ones, for a table that every command reads whole; the rows stay."""
    held = opened(settings, table.name)
    if len(held.file_uris()) > FEW_FILES:
        held.optimize.compact()


def replace(
    settings: Settings,
    table: Table,
    rows: pa.Table | pa.RecordBatchReader | pl.DataFrame | Sequence[Mapping[str, Any]],
    where: Where | None = None,
    mark: str | None = None,
) -> None:
    """Put rows in place of those that `where` names (default: all) in one commit, which keeps `mark`. The new rows satisfy it too."""
    properties = CommitProperties(custom_metadata={MARK: mark}) if mark else None
    path = str(settings.table_path(table.name))
    write_deltalake(
        path, _arrow(table, rows), mode="overwrite", predicate=condition(where) if where else None, commit_properties=properties
    )


def delete(settings: Settings, table: Table, where: Where) -> None:
    """Take out the rows that `where` names, in one commit; none if there are none."""
    if not is_empty(settings, table, where):
        opened(settings, table.name).delete(condition(where))


def condition(where: Where) -> str:
    """`where` in SQL."""
    return " and ".join(_one_of(name, values) for name, values in where.items()) or "true"


def version(settings: Settings, table: Table) -> int:
    """The number of the last commit; each write makes a new one."""
    return opened(settings, table.name).version()


def last_mark(settings: Settings, table: Table) -> str | None:
    """What the last commit said it holds; any other write leaves another mark or none."""
    return opened(settings, table.name).history(1)[0].get(MARK)


def _arrow(
    table: Table, rows: pa.Table | pa.RecordBatchReader | pl.DataFrame | Sequence[Mapping[str, Any]]
) -> pa.Table | pa.RecordBatchReader:  # fmt: skip
    wanted = arrow_schema(table)
    if isinstance(rows, pa.RecordBatchReader):
        return rows  # too many for memory: of this schema already
    if not isinstance(rows, pa.Table):
        frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(list(rows), frame_schema(table))
        rows = shaped(table, frame).to_arrow()
    return rows.cast(wanted)


def _one_of(name: str, values: Collection[Any]) -> str:
    literals = ("'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value) for value in sorted(values))
    return f"{name} in ({', '.join(literals)})" if values else "false"
