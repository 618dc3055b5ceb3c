"""`lake masters load`: official lists → the `masters.*` tables. Every load is one atomic write per table and can be repeated."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from spark_jobs import delta, input_file, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import drug_master, edition, facility, generic_list, ndb_open_data, price_list, shipped, supply_status
from spark_jobs.settings import Settings

Load = Callable[[Settings, Path, date | None], str]
SHIPPED: dict[tables.Table, Callable[[], Sequence[object]]] = {
    tables.DRUG: shipped.drugs,
    tables.DRUG_PRICE: shipped.drug_prices,
    tables.BIOSIMILAR_INGREDIENT: shipped.biosimilar_ingredients,
    tables.BIOSIMILAR_PRODUCT: shipped.biosimilar_products,
    tables.BIOSIMILAR_FORM: shipped.biosimilar_forms,
    tables.THERAPEUTIC_AREA: shipped.therapeutic_areas,
    tables.BIOSIMILAR_INDICATION: shipped.biosimilar_indications,
    tables.GENERIC_CLASS: shipped.generic_classes,
    tables.PREFECTURE: shipped.prefectures,
    tables.STRUCTURAL_BREAK: shipped.structural_breaks,
    tables.PUBLISHED_SERIES: shipped.published_figures,
    tables.HIGH_COST_CAP: shipped.high_cost_caps,
}
NDB, NDB_CLASS = tables.NDB_QUANTITY, tables.NDB_CLASS
SCOPE = ("ndb_round", "route", "setting", "cell_kind")  # what a workbook replaces as a whole


def _load_shipped(settings: Settings) -> str:
    """All lists that this project carries, under what was downloaded; a table whose content is there already is left alone."""
    written: list[str] = []
    skipped: list[str] = []
    for table in SHIPPED:
        said = _write(settings, table, _rows(settings, table))
        (written if said else skipped).append(said or table.name)
    (written if (extract := _load_extract(settings)) else skipped).append(extract or NDB.name)
    return "; ".join(f"{word} {', '.join(names)}" for word, names in (("wrote", written), ("already there, skipped:", skipped)) if names)


def _rows(settings: Settings, table: tables.Table) -> Sequence[object]:
    """What a table holds by the shipped list and the editions loaded, whichever came first."""
    if table is tables.DRUG:
        return drug_master.drugs(delta.read(settings, tables.DRUG_MASTER_ITEM), shipped.drugs())
    if table is tables.DRUG_PRICE:
        items = delta.read(settings, tables.DRUG_MASTER_ITEM)
        bare = drug_master.prices(items, (), shipped.drug_prices())
        of_lists = price_list.claim_prices(delta.read(settings, tables.PRICE_LIST_ITEM), drug_master.drugs(items, shipped.drugs()), bare)
        return drug_master.prices(items, of_lists, shipped.drug_prices()) if of_lists else bare
    if table is tables.GENERIC_CLASS:
        held = delta.read(settings, table).filter(pl.col("source") != shipped.GENERIC_LIST)
        if held.height:
            carried = edition.frame(table, [vars(row) for row in shipped.generic_classes()])
            carried = carried.join(held.select("source_date").unique(), on="source_date", how="anti")
            return [shipped.GenericClass(**row) for row in edition.close(pl.concat([carried, held])).sort(table.key).to_dicts()]
    return SHIPPED[table]()


def _write(settings: Settings, table: tables.Table, rows: Sequence[object]) -> str | None:
    """Put rows in place of all; None if they are there already."""
    mark = "shipped " + hashlib.sha256(repr(rows).encode()).hexdigest()
    if delta.last_mark(settings, table) == mark:
        return None
    delta.replace(settings, table, [vars(row) for row in rows], mark=mark)
    return f"{table.name} {len(rows):,}"


def _load_drug_master(settings: Settings, path: Path, dated: date | None) -> str:
    """One edition of the 医薬品マスター; `masters.drug` and `masters.drug_price` are made anew of all editions."""
    new = drug_master.read(path, dated)
    said = [_put(settings, tables.DRUG_MASTER_ITEM, new, {"edition_key": set(new["edition_key"])})]
    said += [_write(settings, table, _rows(settings, table)) for table in (tables.DRUG, tables.DRUG_PRICE)]
    kind = "全件" if new["is_whole"][0] else f"an excerpt or 変更分 (fewer than {drug_master.WHOLE:,} rows)"
    return f"{path.name}: edition of {new['edition_date'][0]}, in force from {new['in_force_from'][0]}, {kind}; {_told(said)}"


def _load_price_list(settings: Settings, path: Path, dated: date | None) -> str:
    """薬価基準収載品目リスト; prices per claim unit follow where the ratio of units is certain."""
    said = _load_editions(settings, tables.PRICE_LIST_ITEM, price_list.read(path, dated), price_list.SCOPE)
    return f"{path.name}: {_told([said, _write(settings, tables.DRUG_PRICE, _rows(settings, tables.DRUG_PRICE))])}"


def _load_generic_list(settings: Settings, path: Path, dated: date | None) -> str:
    """後発医薬品に関する情報; it stands in place of the shipped list of the same date."""
    table = tables.GENERIC_CLASS
    new = edition.frame(table, [vars(row) for row in generic_list.read(path, dated)])
    rows = edition.put(delta.read(settings, table), new).sort(table.key).to_dicts()
    return f"{path.name}: {_told([_write(settings, table, tuple(shipped.GenericClass(**row) for row in rows))])}"


def _load_supply_status(settings: Settings, path: Path, dated: date | None) -> str:
    """医薬品の供給状況 of one publication."""
    return f"{path.name}: {_told([_load_editions(settings, tables.SUPPLY_STATUS, supply_status.read(path, dated), ())])}"


def _load_facilities(settings: Settings, path: Path, dated: date | None) -> str:
    """The facility list; a file replaces the prefectures that it holds."""
    new = facility.read(path, dated)
    return f"{path.name}: {_told([_put(settings, tables.FACILITY_LIST, new, {name: set(new[name]) for name in facility.SCOPE})])}"


def _load_editions(settings: Settings, table: tables.Table, new: pl.DataFrame, scope: tuple[str, ...]) -> str | None:
    """Put an edition among those held and close the rows before it; None if nothing changes by it."""
    held = delta.read(settings, table)
    rows = edition.put(held, new, scope)
    if rows.sort(table.column_names).equals(held.sort(table.column_names)):
        return None
    delta.replace(settings, table, rows.to_arrow(), mark=f"edition {new['source_date'][0]}")
    return f"{table.name} {new.height:,} of {rows.height:,}"


def _put(settings: Settings, table: tables.Table, new: pl.DataFrame, where: delta.Where) -> str | None:
    """Rows in place of those that `where` names; None if they are there already."""
    if delta.read(settings, table, where).sort(table.column_names).equals(new.sort(table.column_names)):
        return None
    delta.replace(settings, table, new.to_arrow(), where)
    return f"{table.name} {new.height:,}"


def _told(said: Sequence[str | None]) -> str:
    return f"wrote {', '.join(name for name in said if name)}" if any(said) else "already there, skipped"


def _load_extract(settings: Settings) -> str | None:
    """The biologics' rows of NDB Open Data, but for what has been loaded from a workbook. None if they are there already."""
    is_own = pl.col("source").str.ends_with(ndb_open_data.EXTRACT_MARK)
    said = []
    for table, path, read, scope in (
        (NDB, ndb_open_data.EXTRACT, ndb_open_data.read_extract, SCOPE),
        (NDB_CLASS, ndb_open_data.CLASS_EXTRACT, ndb_open_data.read_class_extract, SCOPE[:3]),
    ):
        held = delta.read(settings, table)
        loaded = held.filter(~is_own).select(scope).unique().sort(scope)
        mark = "shipped " + hashlib.sha256(path.read_bytes() + repr(loaded.rows()).encode()).hexdigest()
        if delta.last_mark(settings, table) != mark:
            rows = read().join(loaded, on=scope, how="anti")
            delta.replace(settings, table, rows.to_arrow(), {"source": {*held.filter(is_own)["source"], *rows["source"]}}, mark)
            said.append(f"{table.name} {rows.height:,} (the biologics' rows)")
    return ", ".join(said) or None


def _load_workbook(settings: Settings, path: Path, _: date | None) -> str:
    """One workbook, which dates itself: replaces its round, route, settings and cell kinds, so that a reload changes nothing."""
    rows = ndb_open_data.read_workbook(path)
    delta.replace(settings, NDB, rows.to_arrow(), {name: set(rows[name]) for name in SCOPE}, f"workbook {path.name}")
    classes = ndb_open_data.classes(rows)
    delta.replace(settings, NDB_CLASS, classes.to_arrow(), {name: set(rows[name]) for name in SCOPE[:3]}, f"workbook {path.name}")
    hidden = rows["is_hidden"].sum()
    return f"{path.name}: fiscal year {rows['fiscal_year'][0]}, {rows.height:,} cells, {hidden:,} of them hidden"


def _files(path: Path) -> list[Path]:
    """The file, or all tables of a folder in order of name."""
    found = sorted(p for p in path.glob("*") if p.suffix.lower() in {".csv", *input_file.WORKBOOKS} and not p.name.startswith("~$"))
    return found if path.is_dir() and found else [path]


def _each(settings: Settings, load: Load, path: Path, files: list[Path], dated: date | None) -> str:
    """Load each file; one that can't be read stops no other and is told at the end."""
    done, wrong = [], []
    for file in files:
        try:
            done.append(load(settings, file, dated))
        except LakeError as error:
            wrong.append(error)
    if len(wrong) > 1 or (wrong and done):
        raise LakeError(
            str(path), f"{len(wrong)} files that can not be read: {' | '.join(map(str, wrong))}", "files of this kind only",
            f"The other {len(done)} are loaded.",
        )  # fmt: skip
    if wrong:
        raise wrong[0]
    return "\n".join(done)


LISTS: dict[str, Load] = {
    "drug-master": _load_drug_master,
    "price-list": _load_price_list,
    "generic-list": _load_generic_list,
    "supply-status": _load_supply_status,
    "facilities": _load_facilities,
    "ndb-open-data": _load_workbook,
}
KINDS = ("shipped", *LISTS)


def run(settings: Settings, kind: str, path: Path | None = None, dated: date | None = None) -> str:
    """Load one kind of list; says what was written and what was there already."""
    if kind == "shipped":
        return _load_shipped(settings)
    if kind not in LISTS:
        raise LakeError("masters load", f"kind {kind}", f"{', '.join(KINDS[:-1])} or {KINDS[-1]}", "Give one of these.", ExitCode.USAGE)
    if path is None:
        raise LakeError(f"masters load {kind}", "no path", "a file or a folder as downloaded", "Give its path.", ExitCode.USAGE)
    files = ndb_open_data.workbooks(path) if kind == "ndb-open-data" else _files(path)
    return _each(settings, LISTS[kind], path, files, dated)
