"""Delta tables without Spark: all are created so, and the small ones that steer the lake (landing, masters, ops) are read and written so.

A commit takes milliseconds and no Java starts, so that `lake deliver` and `lake masters load` answer at once and a lake where nothing is
new never starts Spark. These tables have this one writer, facts (bronze, silver, marts) have Spark: docs/decisions/0005.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType

from spark_jobs import tables
from spark_jobs.settings import Settings
from spark_jobs.tables import Table

DELTA_TYPES = {"int": "integer", "bigint": "long"}  # the others have one name in SQL and in Delta
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
            DeltaTable.create(path, schema(table), mode="ignore", partition_by=list(table.partition_by), description=table.comment)


def read(settings: Settings, table: Table, where: Where | None = None) -> pl.DataFrame:
    """The rows of a table; none where no command has made the lake yet."""
    path = str(settings.table_path(table.name))
    if not DeltaTable.is_deltatable(path):
        return pl.DataFrame(arrow_schema(table).empty_table())
    return pl.scan_delta(path).filter(*(pl.col(name).is_in(list(values)) for name, values in (where or {}).items())).collect()


def is_empty(settings: Settings, table: Table, where: Where) -> bool:
    """Whether no row satisfies `where`; files whose statistics say so are not opened."""
    rows = DeltaTable(settings.table_path(table.name)).to_pyarrow_dataset()
    values = {name: pa.array(sorted(of_name), rows.schema.field(name).type) for name, of_name in where.items()}
    wanted = reduce(and_, (ds.field(name).isin(of_name) for name, of_name in values.items()), ds.scalar(True))
    return rows.head(1, columns=list(where), filter=wanted).num_rows == 0


def append(settings: Settings, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows in one commit."""
    write_deltalake(settings.table_path(table.name), _arrow(table, rows), mode="append")


def replace(
    settings: Settings, table: Table, rows: pa.Table | Sequence[Mapping[str, Any]], where: Where | None = None, mark: str | None = None
) -> None:
    """Put rows in place of those that `where` names (default: all) in one commit, which keeps `mark`. The new rows satisfy it too."""
    properties = CommitProperties(custom_metadata={MARK: mark}) if mark else None
    path = settings.table_path(table.name)
    write_deltalake(
        path, _arrow(table, rows), mode="overwrite", predicate=condition(where) if where else None, commit_properties=properties
    )


def condition(where: Where) -> str:
    """`where` in SQL."""
    return " and ".join(_one_of(name, values) for name, values in where.items()) or "true"


def version(settings: Settings, table: Table) -> int:
    """The number of the last commit; each write makes a new one."""
    return DeltaTable(settings.table_path(table.name)).version()


def last_mark(settings: Settings, table: Table) -> str | None:
    """What the last commit said it holds; any other write leaves another mark or none."""
    return DeltaTable(settings.table_path(table.name)).history(1)[0].get(MARK)


def _arrow(table: Table, rows: pa.Table | Sequence[Mapping[str, Any]]) -> pa.Table:
    wanted = arrow_schema(table)
    return rows.cast(wanted) if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=wanted)


def _one_of(name: str, values: Collection[Any]) -> str:
    literals = ("'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value) for value in sorted(values))
    return f"{name} in ({', '.join(literals)})" if values else "false"
