"""`lake masters load`: official lists → the `masters.*` tables. Every load is one atomic write per table and can be repeated."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import ndb_open_data, shipped
from spark_jobs.settings import Settings

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


def _load_shipped(settings: Settings) -> str:
    """All lists that this project carries; a table whose content is there already is left alone."""
    written, skipped = [], []
    for table, read in SHIPPED.items():
        rows = read()
        mark = "shipped " + hashlib.sha256(repr(rows).encode()).hexdigest()
        if delta.last_mark(settings, table) == mark:
            skipped.append(table.name)
            continue
        delta.replace(settings, table, [vars(row) for row in rows], mark=mark)
        written.append(f"{table.name} {len(rows):,}")
    (written if (extract := _load_extract(settings)) else skipped).append(extract or NDB.name)
    return "; ".join(f"{word} {', '.join(names)}" for word, names in (("wrote", written), ("already there, skipped:", skipped)) if names)


def _load_extract(settings: Settings) -> str | None:
    """The biologics' rows of NDB Open Data, but for what has been loaded from a workbook. None if they are there already."""
    held = delta.read(settings, NDB)
    is_own = pl.col("source").str.ends_with(ndb_open_data.EXTRACT_MARK)
    loaded = held.filter(~is_own).select(SCOPE).unique().sort(SCOPE)
    mark = "shipped " + hashlib.sha256(ndb_open_data.EXTRACT.read_bytes() + repr(loaded.rows()).encode()).hexdigest()
    if delta.last_mark(settings, NDB) == mark:
        return None
    rows = ndb_open_data.read_extract().join(loaded, on=SCOPE, how="anti")
    delta.replace(settings, NDB, rows.to_arrow(), {"source": {*held.filter(is_own)["source"], *rows["source"]}}, mark)
    return f"{NDB.name} {rows.height:,} (the biologics' rows)"


def _load_workbook(settings: Settings, path: Path) -> str:
    """One workbook: replaces its round, route, settings and cell kinds, so that a reload changes nothing."""
    rows = ndb_open_data.read_workbook(path)
    delta.replace(settings, NDB, rows.to_arrow(), {name: set(rows[name]) for name in SCOPE}, f"workbook {path.name}")
    hidden = rows["is_hidden"].sum()
    return f"{path.name}: fiscal year {rows['fiscal_year'][0]}, {rows.height:,} cells, {hidden:,} of them hidden"


def _load_workbooks(settings: Settings, path: Path) -> str:
    """A workbook or a folder of them; one that can't be read stops no other and is told at the end."""
    done, wrong = [], []
    for workbook in ndb_open_data.workbooks(path):
        try:
            done.append(_load_workbook(settings, workbook))
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


def run(settings: Settings, kind: str, path: Path | None = None) -> str:
    """Load one kind of list; says what was written and what was there already."""
    if kind == "shipped":
        return _load_shipped(settings)
    if kind != "ndb-open-data":
        raise LakeError("masters load", f"kind {kind}", "shipped or ndb-open-data", "Give one of these.", ExitCode.USAGE)
    if path is None:
        raise LakeError("masters load ndb-open-data", "no path", "a workbook or a folder of them", "Give its path.", ExitCode.USAGE)
    return _load_workbooks(settings, path)
