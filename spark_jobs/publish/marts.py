"""The marts as readers outside Spark open them: Delta tables under `$LAKE_HOME/warehouse/marts.db`."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError
from upath import UPath

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

CHANGES = "fct_figure_change"  # made by a publication, not by a build


@dataclass(frozen=True)
class MartColumn:
    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Mart:
    """One published table, pinned to one Delta version."""

    name: str
    table: DeltaTable

    @property
    def version(self) -> int:
        return self.table.version()

    @property
    def comment(self) -> str:
        return self.table.metadata().description or ""

    @property
    def columns(self) -> list[MartColumn]:
        return [MartColumn(f.name, _type_name(f.type), str(f.metadata.get("comment", ""))) for f in self.table.schema().fields]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in batches."""
        reader = QueryBuilder().register("mart", self.table).execute("select * from mart")
        for batch in reader:
            yield pa.record_batch(batch)

    def frame(self) -> pl.DataFrame:
        batches = list(self.batches())
        return pl.from_arrow(pa.Table.from_batches(batches)) if batches else self._empty()  # type: ignore[return-value]

    def _empty(self) -> pl.DataFrame:
        empty = pa.schema(self.table.schema().to_arrow()).empty_table()
        return pl.from_arrow(empty)  # type: ignore[return-value]


def _type_name(kind: Any) -> str:
    """`string`, `decimal(18,4)` …; a nested type has no name here and is refused by the loader."""
    return str(getattr(kind, "type", kind))


def read(settings: Settings, pinned: Mapping[str, int] | None = None) -> dict[str, Mart]:
    """All marts by name; or those of a publication, at its versions. A column-mapped table is refused: readers outside Spark would see
    nulls without an error."""
    folder = settings.warehouse / "marts.db"
    names = sorted(pinned) if pinned else [path.parent.name for path in sorted(folder.glob("*/_delta_log"))]
    found = {name: _open(folder / name, pinned[name] if pinned else None) for name in names}
    if not found:
        raise LakeError(str(folder), "no table", "the marts", "Run lake build first.", ExitCode.NOT_READY)
    return found


def _open(path: UPath, version: int | None = None) -> Mart:
    try:
        table = DeltaTable(str(path), version=version)
    except DeltaError as error:
        raise LakeError(str(path), f"no readable Delta table ({error})", "a table", "Run lake build again.", ExitCode.NOT_READY) from None
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise LakeError(str(path), "column mapping is on", "a table without it", "Take delta.columnMapping.mode out of the model.")
    return Mart(path.name, table)


def versions(marts: Mapping[str, Mart]) -> dict[str, int]:
    """Delta version of each mart that a build makes."""
    return {name: mart.version for name, mart in marts.items() if name != CHANGES}


def key(marts: Mapping[str, Mart]) -> str:
    """Which figures these are: what was previewed, approved and published is one if this is one."""
    return hashlib.sha256(json.dumps(versions(marts), sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(marts: dict[str, Mart], *more: str | bytes) -> str:
    """What a publication was made from: id and version of each table, and whatever else decides the result."""
    digest = hashlib.sha256()
    for mart in marts.values():
        digest.update(f"{mart.name} {mart.table.metadata().id} {mart.version}\n".encode())
    for part in more:
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()
