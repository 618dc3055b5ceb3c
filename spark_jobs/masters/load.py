"""`lake masters load`: official lists → the `masters.*` tables. Every load is one atomic write per table and can be repeated."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from spark_jobs import tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import ndb_open_data, shipped
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHIPPED: dict[tables.Table, Callable[[], Sequence[object]]] = {
    tables.DRUG: shipped.drugs,
    tables.DRUG_PRICE: shipped.drug_prices,
    tables.BIOSIMILAR_INGREDIENT: shipped.biosimilar_ingredients,
    tables.BIOSIMILAR_PRODUCT: shipped.biosimilar_products,
    tables.GENERIC_CLASS: shipped.generic_classes,
    tables.PREFECTURE: shipped.prefectures,
    tables.STRUCTURAL_BREAK: shipped.structural_breaks,
}
NDB = tables.NDB_QUANTITY
SCOPE = ("ndb_round", "route", "setting", "cell_kind")  # what a workbook replaces as a whole

ARROW_TYPES = {"string": pa.string(), "date": pa.date32(), "boolean": pa.bool_(), "int": pa.int32()}


def _arrow_schema(table: tables.Table) -> pa.Schema:
    def arrow_type(name: str) -> pa.DataType:
        if not name.startswith("decimal"):
            return ARROW_TYPES[name]
        precision, scale = name.removeprefix("decimal(").rstrip(")").split(",")
        return pa.decimal128(int(precision), int(scale))

    return pa.schema([(column.name, arrow_type(column.type)) for column in table.columns])


def _last_mark(spark: "SparkSession", table: tables.Table) -> str | None:
    """What the last write of a table said it holds; any other write (a workbook, a truncation) leaves another mark or none."""
    return spark.sql(f"describe history {table.name} limit 1").collect()[0]["userMetadata"]


def _replace(spark: "SparkSession", table: tables.Table, rows: pa.Table, mark: str, where: str | None = None) -> None:
    """Put rows in place of those that satisfy `where` (default: all), in one commit."""
    frame = table.shaped(spark.createDataFrame(rows)).coalesce(1)
    options = {"userMetadata": mark} | ({"replaceWhere": where} if where else {})
    frame.write.format("delta").mode("overwrite").options(**options).saveAsTable(table.name)


def _load_shipped(spark: "SparkSession") -> str:
    """All lists that this project carries; a table whose content is there already is left alone."""
    written, skipped = [], []
    for table, read in SHIPPED.items():
        rows = read()
        mark = "shipped " + hashlib.sha256(repr(rows).encode()).hexdigest()
        if _last_mark(spark, table) == mark:
            skipped.append(table.name)
            continue
        arrow = pa.Table.from_pylist([vars(row) for row in rows], schema=_arrow_schema(table))
        _replace(spark, table, arrow, mark)
        written.append(f"{table.name} {len(rows):,}")
    (written if (extract := _load_extract(spark)) else skipped).append(extract or NDB.name)
    return "; ".join(f"{word} {', '.join(names)}" for word, names in (("wrote", written), ("already there, skipped:", skipped)) if names)


def _load_extract(spark: "SparkSession") -> str | None:
    """The biologics' rows of NDB Open Data, but for what has been loaded from a workbook. None if they are there already."""
    own_source = f"endswith(source, '{ndb_open_data.EXTRACT_MARK}')"
    loaded = pl.DataFrame(
        [tuple(row) for row in spark.table(NDB.name).where(f"not {own_source}").select(*SCOPE).distinct().collect()],
        schema={name: ndb_open_data.SCHEMA[name] for name in SCOPE},
        orient="row",
    ).sort(SCOPE)
    mark = "shipped " + hashlib.sha256(ndb_open_data.EXTRACT.read_bytes() + repr(loaded.rows()).encode()).hexdigest()
    if _last_mark(spark, NDB) == mark:
        return None
    rows = ndb_open_data.read_extract().join(loaded, on=SCOPE, how="anti")
    _replace(spark, NDB, rows.to_arrow().cast(_arrow_schema(NDB)), mark, None if loaded.is_empty() else own_source)
    return f"{NDB.name} {rows.height:,} (the biologics' rows)"


def _load_workbook(spark: "SparkSession", path: Path) -> str:
    """One workbook: replaces its round, route, settings and cell kinds, so that a reload changes nothing."""
    rows = ndb_open_data.read_workbook(path)

    def one_of(name: str) -> str:
        return f"{name} in ({', '.join(repr(value) for value in rows[name].unique().sort())})"

    _replace(spark, NDB, rows.to_arrow().cast(_arrow_schema(NDB)), f"workbook {path.name}", " and ".join(map(one_of, SCOPE)))
    hidden = rows["is_hidden"].sum()
    return f"{path.name}: fiscal year {rows['fiscal_year'][0]}, {rows.height:,} cells, {hidden:,} of them hidden"


def _load_workbooks(spark: "SparkSession", path: Path) -> str:
    """A workbook or a folder of them; one that can't be read stops no other and is told at the end."""
    done, wrong = [], []
    for workbook in ndb_open_data.workbooks(path):
        try:
            done.append(_load_workbook(spark, workbook))
        except LakeError as error:
            wrong.append(error)
    if len(wrong) > 1 or (wrong and done):
        raise LakeError(
            str(path), f"{len(wrong)} workbooks that can not be read: {' | '.join(map(str, wrong))}", "NDB workbooks only",
            f"The other {len(done)} are loaded.",
        )  # fmt: skip
    if wrong:
        raise wrong[0]
    return "\n".join(done)


def run(spark: "SparkSession", settings: Settings, kind: str, path: Path | None = None) -> str:
    """Load one kind of list; says what was written and what was there already."""
    if kind == "shipped":
        return _load_shipped(spark)
    if kind != "ndb-open-data":
        raise LakeError("masters load", f"kind {kind}", "shipped or ndb-open-data", "Give one of these.", ExitCode.USAGE)
    if path is None:
        raise LakeError("masters load ndb-open-data", "no path", "a workbook or a folder of them", "Give its path.", ExitCode.USAGE)
    return _load_workbooks(spark, path)
