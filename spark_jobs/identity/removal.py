"""Rows of erased persons or of a whole insurer out of every Delta table of the lake, and the old versions that still hold them.

What to remove is looked up in the tables themselves, in an order in which nothing is lost that a later step looks up by: details of
claims, claims, vault, lines, persons. So each step may be repeated after a kill.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable
from pyrage import x25519
from upath import UPath

from spark_jobs import delta, tables
from spark_jobs.identity import people, reidentify
from spark_jobs.settings import Settings

KEPT_SCHEMAS = ("landing", "masters", "ops")  # say what was delivered and done, not about whom; ops.export_key is the exception
LATER = tuple(table.name for table in (tables.CLAIM_LINE, tables.QUARANTINE_LINE, tables.VAULT, tables.SCOPE_PERSON, tables.SCOPE_LINK))
NAMING = ("person_id1", "person_id", "claim_key", "line", "sealed", "insurer_number")  # a table with none of these holds no person
AT_ONCE = 500  # values in one predicate


@dataclass(frozen=True)
class Person:
    """Pseudonyms of those to be removed, in every version that may stand in the lake; all of the insurer where `id1` is None."""

    insurer_number: str
    id1: frozenset[str] | None = None
    id2: frozenset[str] = frozenset()  # of claims that public payers pay alone, which have no ID1

    @property
    def names(self) -> list[str]:
        return sorted((self.id1 or frozenset()) | self.id2)


def table_folders(settings: Settings) -> dict[str, UPath]:
    """Every Delta table on disk, marts too, by `schema.table`."""
    found = sorted(log.parent for log in settings.warehouse.glob("*.db/*/_delta_log"))
    return {f"{folder.parent.name.removesuffix('.db')}.{folder.name}": folder for folder in found}


def from_silver(settings: Settings, who: Person) -> int:
    """Details by the keys of the claims, then the claims, then whatever else names the person. Returns the number of claims."""
    claims, found = _claims(settings, who), receipts(settings, who)
    _delete_reviews(settings, found)
    _delete_receipts(settings, tables.CLAIM_COPY, "depositor_number", found)
    folders = {name: DeltaTable(str(folder)) for name, folder in table_folders(settings).items()}
    for name, table in folders.items():
        if "claim_key" in _columns(table) and name != tables.CLAIM.name:
            _delete_values(table, "claim_key", claims)
    _delete_values(folders[tables.CLAIM.name], "claim_key", claims)
    for name, table in folders.items():
        if _may_name(name, table) and name not in LATER:
            _delete_person(table, who)
    return len(claims)


def from_vault(settings: Settings, who: Person, identity: x25519.Identity | None) -> int:
    """identity.*: vault rows without the persons, sealed anew, where the owner lends its private key; else the rows of their files go as
    a whole. Returns how many other persons went with them."""
    here = {"insurer_number": [who.insurer_number]}
    lost = 0
    if who.id1 is None:
        delta.delete(settings, tables.VAULT, here)
    else:
        files = set(receipts(settings, who)["file_sha256"])
        for row in delta.read(settings, tables.VAULT, here).to_dicts():
            opened = reidentify.open_sealed(row["sealed"], identity) if identity else None
            anew = []
            if identity and opened is not None:
                others = opened.filter(~pl.col("person_id1").is_in(list(who.id1)))
                if others.height == opened.height:
                    continue
                if others.height:
                    anew = [row | {"person_count": others.height, "sealed": people.seal(others, str(identity.to_public()))}]
            elif row["file_sha256"] in files:
                lost += row["person_count"] - 1
            else:
                continue
            part = {"file_sha256": [row["file_sha256"]], "lines_before": [row["lines_before"]]}
            delta.replace(settings, tables.VAULT, anew, here | part)
    for name in (tables.SCOPE_PERSON.name, tables.SCOPE_LINK.name):
        _delete_person(delta.opened(settings, name), who)
    return lost


def from_bronze(settings: Settings, who: Person) -> int:
    """All lines of the receipts, in whichever delivery they came; of an insurer its deliveries as a whole too. Returns the receipts."""
    found = receipts(settings, who)
    _delete_receipts(settings, tables.CLAIM_LINE, "insurer_number", found)
    if who.id1 is None:
        for table in (tables.CLAIM_LINE, tables.QUARANTINE_LINE, tables.DELIVERY_FINDING):
            delta.delete(settings, table, {"insurer_number": [who.insurer_number]})
    return found.height


def receipts(settings: Settings, who: Person) -> pl.DataFrame:
    """(insurer_number of the depositor, file_sha256, receipt_seq) of the receipts: by HO or SN, where there is no HO by the name in RE."""
    place = ["insurer_number", "file_sha256", "receipt_seq"]
    lines = pl.scan_delta(str(settings.table_path(tables.CLAIM_LINE.name))).filter(pl.col("receipt_seq") > 0)
    if who.id1 is None:
        of_insurer = pl.col("line").str.contains(rf"(^|,)HO,[\s　]*(?:00)?{who.insurer_number}[\s　]*,")
        elsewhere = pl.col("insurer_number") != who.insurer_number
        return lines.filter((pl.col("record_type") == "HO") & elsewhere & of_insurer).select(place).unique().sort(place).collect()
    named = lines.filter(pl.col("record_type").is_in(["HO", "SN", "RE"]) & pl.col("line").str.contains_any(who.names))
    hit = named.select(*place, "record_type", "line").collect()
    by_number = hit.filter((pl.col("record_type") != "RE") & pl.col("line").str.contains_any(sorted(who.id1))).select(place)
    by_name = hit.filter((pl.col("record_type") == "RE") & (pl.col("insurer_number") == who.insurer_number)).select(place)
    with_ho = lines.filter((pl.col("record_type") == "HO") & pl.col("file_sha256").is_in(by_name["file_sha256"].unique().to_list()))
    alone = by_name.join(with_ho.select(place).collect(), place, "anti")
    return pl.concat([by_number, alone]).unique().sort(place)


def destroy_history(settings: Settings) -> int:
    """Old versions of every table that names persons: data files, log, statistics. Returns the number of tables."""
    named = [folder for name, folder in table_folders(settings).items() if _may_name(name, DeltaTable(str(folder)))]
    for folder in named:
        _destroy_history(folder)
    return len(named)


def _may_name(name: str, table: DeltaTable) -> bool:
    is_kept = name.split(".")[0] in KEPT_SCHEMAS and name != tables.EXPORT_KEY.name
    return not is_kept and not set(NAMING).isdisjoint(_columns(table))


def destroy_marts(settings: Settings) -> int:
    """Old versions of what dbt builds, once it is built without the persons. Returns the number of tables."""
    built = [folder for name, folder in table_folders(settings).items() if name not in tables.BY_NAME]
    for folder in built:
        _destroy_history(folder)
    return len(built)


def _destroy_history(folder: UPath) -> None:
    """A checkpoint of what is left; then every file of data or log goes that it does not need, leftovers of killed writers included."""
    table = DeltaTable(str(folder))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    table.alter.set_table_description(table.metadata().description or "")  # the last commit's text stays: never that of a delete
    table.create_checkpoint()
    last = table.version()
    for file in (folder / "_delta_log").iterdir():
        version = re.match(r"\.?(\d{20})\.", file.name)
        if file.is_file() and (int(version[1]) < last if version else not file.name.startswith("_last_checkpoint")):
            file.unlink()


def _claims(settings: Settings, who: Person) -> list[str]:
    claims = pl.scan_delta(str(settings.table_path(tables.CLAIM.name)))
    of_insurer = pl.col("insurer_number") == who.insurer_number
    deposited = pl.col("depositor_number") == who.insurer_number
    if who.id1 is None:
        wanted = of_insurer | deposited
    else:
        names = pl.col("person_id2_kana").is_in(list(who.id2)) | pl.col("person_id2_kanji").is_in(list(who.id2))
        wanted = (of_insurer & pl.col("person_id1").is_in(list(who.id1))) | (deposited & pl.col("insurer_number").is_null() & names)
    return sorted(claims.filter(wanted).select("claim_key").unique().collect()["claim_key"])


def _delete_person(table: DeltaTable, who: Person) -> None:
    columns = _columns(table)
    if who.id1 is None:
        if "insurer_number" in columns:
            table.delete(delta.condition({"insurer_number": [who.insurer_number]}))
        return
    for name in ("person_id1", "person_id"):
        if name in columns:
            _delete_values(table, name, who.id1)


def _delete_receipts(settings: Settings, table: tables.Table, depositor: str, found: pl.DataFrame) -> None:
    by_file = found.group_by("insurer_number", "file_sha256", maintain_order=True).agg("receipt_seq")
    for some in by_file.iter_slices(AT_ONCE // 10):
        places = ({depositor: [number], "file_sha256": [file], "receipt_seq": of} for number, file, of in some.iter_rows())
        delta.opened(settings, table.name).delete(" or ".join(f"({delta.condition(place)})" for place in places))


def _delete_reviews(settings: Settings, found: pl.DataFrame) -> None:
    """Results of later reviews of these receipts."""
    copies = delta.scan(settings, tables.CLAIM_COPY, {"file_sha256": found["file_sha256"].unique().to_list()})
    place = ["depositor_number", "file_sha256", "receipt_seq"]
    of_person = copies.join(found.lazy().rename({"insurer_number": "depositor_number"}), on=place, how="semi")
    numbers = of_person.select("depositor_number", pl.concat_list("search_no", "refers_search_no")).explode("search_no").drop_nulls()
    for some in numbers.unique().collect().iter_slices(AT_ONCE):
        where = {"depositor_number": some["depositor_number"].unique().to_list(), "search_no": some["search_no"].to_list()}
        delta.delete(settings, tables.CLAIM_REVIEW, where)


def _delete_values(table: DeltaTable, column: str, values: Collection[str]) -> None:
    ordered = sorted(values)
    for start in range(0, len(ordered), AT_ONCE):
        table.delete(delta.condition({column: ordered[start : start + AT_ONCE]}))


def _columns(table: DeltaTable) -> list[str]:
    return [field.name for field in table.schema().fields]
