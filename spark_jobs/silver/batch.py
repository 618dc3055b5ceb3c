"""Silver of a batch of files: parts of all tables committed, `silver.claim` last; what the batch changes among earlier claims changed too.

Every table is replaced for exactly these files, so that a run that was killed is repeated with the same result. Which copies of a claim
count is worked out anew for the claims that the batch touches (`claim_copy.resolve`), before and after; the difference is applied.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from spark_jobs import convert, delta, tables
from spark_jobs.convert import Converted
from spark_jobs.delta import Part
from spark_jobs.identity import keys, person_link
from spark_jobs.landing import finding as landing_finding
from spark_jobs.settings import Settings
from spark_jobs.silver import claim, claim_copy, claim_review, facility, finding, person
from spark_jobs.silver.claim import STILL
from spark_jobs.silver.claim_copy import COPY, KNOWN, NEVER, SEEDS, SEEN
from spark_jobs.tables import CLAIM, CLAIM_COPY, CLAIM_REVIEW, FACILITY, LINES_OF_CLAIM, PERSON, Table

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile


def run(settings: Settings, files: "Sequence[DeliveredFile]") -> None:
    """Silver of these files from their lines in bronze."""
    kinds: dict[tuple[str, str], list[DeliveredFile]] = {}
    for file in files:
        kinds.setdefault((file.claim_kind, file.claim_form), []).append(file)
    write(settings, files, [convert.from_bronze(settings, group) for group in kinds.values()])


def write(settings: Settings, files: "Sequence[DeliveredFile]", converted: Sequence[Converted]) -> None:
    """Commit what was converted of these files, and what follows from it for others."""
    reviews = pl.concat([done.reviews for done in converted if done.reviews.height] or [delta.shaped(CLAIM_REVIEW, pl.DataFrame())])
    parts = [part for done in converted for part in done.parts]
    copies = [part for part in parts if part.table == CLAIM_COPY.name]
    rows = [delta.scan_part(settings, part).select(CLAIM_COPY.column_names) for part in copies]
    now, changed = _changes(settings, pl.concat([*rows, claim_review.as_copies(reviews).lazy()]), files)
    _replace(settings, CLAIM_COPY, copies, files)
    _replace(settings, CLAIM_REVIEW, delta.write_parts(settings, CLAIM_REVIEW, reviews), files)
    for table in LINES_OF_CLAIM:
        _replace(settings, table, _counting(settings, table, parts, now), files)
    claims = _counting(settings, CLAIM, parts, now)
    _apply(settings, changed, now)
    _persons(settings, [done.persons for done in converted if done.persons.height])
    _facilities(settings, [done.facilities for done in converted if done.facilities.height])
    _replace(settings, CLAIM, claims, files)
    found = pl.concat([done.findings for done in converted if done.findings.height] or [pl.DataFrame(schema=landing_finding.PARTIAL)])
    found = found.filter(pl.col("rule").is_in(finding.RULES))
    landing_finding.replace(settings, landing_finding.added_up(found), files, finding.RULES)
    claim_review.tell(settings)


def review(settings: Settings, file: "DeliveredFile", results: pl.DataFrame) -> None:
    """Results of later reviews (silver.claim_review) of one file that is no receipt file, in place of what it said before."""
    now, changed = _changes(settings, claim_review.as_copies(results).lazy(), [file])
    _replace(settings, CLAIM_REVIEW, delta.write_parts(settings, CLAIM_REVIEW, results), [file])
    _apply(settings, changed, now)
    claim_review.tell(settings)


def withdraw(settings: Settings, files: "Sequence[DeliveredFile]") -> None:
    """Take these files out of silver; claims that they kept from counting count again."""
    now, changed = _changes(settings, delta.shaped(CLAIM_COPY, pl.DataFrame()).lazy(), files)
    _apply(settings, changed, now)
    for table in (CLAIM, *LINES_OF_CLAIM, CLAIM_REVIEW, CLAIM_COPY):
        delta.delete(settings, table, _of(files, table))
    claim_review.tell(settings)


def _of(files: "Sequence[DeliveredFile]", table: Table) -> delta.Where:
    """Exactly these files; the month first, so that other data files are not opened."""
    where: dict[str, set] = {
        "claim_month": {x.claim_month for x in files},
        "file_sha256": {x.file_sha256 for x in files},
        "depositor_number": {x.insurer_number for x in files},
    }
    return {name: values for name, values in where.items() if name in table.column_names}


def _replace(settings: Settings, table: Table, parts: list[Part], files: "Sequence[DeliveredFile]") -> None:
    """Commit the parts; where a killed run left rows of these files, take them out first."""
    delta.put(settings, table, parts, _of(files, table))


def _changes(settings: Settings, copies: pl.LazyFrame, files: "Sequence[DeliveredFile]") -> tuple[pl.DataFrame, pl.DataFrame]:
    """(all copies concerned, resolved with these files in; copies of other files whose resolution these files change, with the keys and
    last months that they may have had before)."""
    held = {CLAIM_COPY: delta.scan(settings, CLAIM_COPY), CLAIM_REVIEW: claim_review.as_copies(delta.read(settings, CLAIM_REVIEW)).lazy()}

    def is_of_files(table: Table) -> pl.Expr:
        return pl.all_horizontal(*(pl.col(name).is_in(list(values)) for name, values in _of(files, table).items()))

    of_files = pl.concat([rows.filter(is_of_files(table)) for table, rows in held.items()])
    removed = _by_newest_keys(settings, of_files).select(SEEN).collect()
    seeds = pl.concat([_by_newest_keys(settings, copies).select(SEEDS).collect(), removed.select(SEEDS)])
    months, insurers = seeds["service_month"].unique().to_list(), seeds["insurer_number"].unique().to_list()
    in_scope = pl.col("service_month").is_in(months) & (pl.col("insurer_number").is_in(insurers) | pl.col("insurer_number").is_null())
    of_others = pl.concat([rows.filter(in_scope & ~is_of_files(table)) for table, rows in held.items()])
    others = claim_copy.related(_by_newest_keys(settings, of_others).select(SEEN), seeds) if seeds.height else removed
    now = claim_copy.resolve(pl.concat([others, copies.select(SEEN).collect()]))
    if not others.height:
        return now, now.clear()
    # the lake may stand as without these files or, after a killed run or before a withdrawal, as with them
    before = [claim_copy.resolve(others)] + ([claim_copy.resolve(pl.concat([others, removed]))] if removed.height else [])
    states = (
        pl.concat(before).group_by(COPY).agg(keys_before=pl.col("claim_key").unique(), ends_before=pl.col("known_to_claim_month").unique())
    )
    changed = now.filter(pl.col("event") == "claim").join(states, on=COPY)
    is_same = (pl.col("keys_before") == pl.concat_list("claim_key")) & (pl.col("ends_before") == pl.concat_list("known_to_claim_month"))
    return now, changed.filter(~is_same)


def _by_newest_keys(settings: Settings, copies: pl.LazyFrame) -> pl.LazyFrame:
    """Copies with the receipt key that the newest key of their insurer would make: a rotation tears no claim apart."""
    versions = keys.versions(settings)
    owner = pl.when(pl.col("insurer_number").is_in(list(versions))).then("insurer_number").otherwise("depositor_number")
    newest = owner.replace_strict(versions, default=keys.FIRST_VERSION, return_dtype=pl.Int32)
    if max(versions.values(), default=keys.FIRST_VERSION) == keys.FIRST_VERSION:
        return copies
    is_older = (pl.col("key_version") < newest).fill_null(False)  # null: the result of a review, which names no person
    older = copies.filter(is_older).collect()
    named = older.with_columns(insurer_number=owner)
    chains = {number: keys.chain(settings, number) for number in versions}
    persons = [person_link.advanced(named, name, chains) for name in ("person_id1", "person_id2_kana", "person_id2_kanji")]
    again = older.with_columns(receipt_key=claim.receipt_keys(older["header_key"], *persons))
    return pl.concat([copies.filter(~is_older), again.lazy()])


def _counting(settings: Settings, table: Table, parts: list[Part], now: pl.DataFrame) -> list[Part]:
    """The parts of a table, those written again that hold what does not count as it was written: another key, another time, or never."""
    is_off = (pl.col("claim_key") != pl.col("receipt_key")) | (
        pl.col("known_to_claim_month") != STILL if "known_to_claim_month" in table.column_names else pl.col("known_to_claim_month") == NEVER
    )
    off = now.filter((pl.col("event") == "claim") & is_off).select(*COPY, *(pl.col(name).alias(f"{name}_now") for name in KNOWN))
    own = [part for part in parts if part.table == table.name]
    if not off.height:
        return own
    files, kept = set(off["file_sha256"]), []
    for part in own:
        if files.isdisjoint(part.files):
            kept.append(part)
            continue
        kept += delta.write_parts(settings, table, _as_known(delta.scan_part(settings, part).collect(), off))
    return kept


def _as_known(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows of one table as the resolution says: keys and months put right, what never counts left out."""
    names, columns = [name for name in KNOWN if name in rows.columns], rows.columns
    rows = rows.join(known, on=COPY, how="left", maintain_order="left")
    rows = rows.filter(pl.col("known_to_claim_month_now").fill_null(STILL) != NEVER)
    return rows.with_columns(pl.coalesce(f"{name}_now", name).alias(name) for name in names).select(columns)


def _apply(settings: Settings, changed: pl.DataFrame, now: pl.DataFrame) -> None:
    """Change claims of earlier files: a new last month is set; what begins or ends to count, or changes its key, is taken out and, if it
    counts, read again from bronze."""
    if not changed.height:
        return
    counted = pl.col("known_to_claim_month") != NEVER
    counted_before = ~pl.col("ends_before").list.contains(NEVER)
    is_same = counted & counted_before & (pl.col("keys_before") == pl.concat_list("claim_key"))
    _set_last_month(settings, changed.filter(is_same))
    others = changed.filter(~is_same)
    if not others.height:
        return
    new = _read_again(settings, others.filter(counted), now)
    for table in (*LINES_OF_CLAIM, CLAIM):
        _replace_receipts(settings, table, others, new.get(table))


def _replace_receipts(settings: Settings, table: Table, receipts: pl.DataFrame, rows: pl.DataFrame | None) -> None:
    """Rows of exactly these receipts out, others in, in one commit."""
    where = {name: set(receipts[name]) for name in ("claim_month", *COPY)}
    delta.change(settings, table, where, lambda held: held.join(receipts, on=COPY, how="anti", maintain_order="left"), rows)


def _set_last_month(settings: Settings, claims: pl.DataFrame) -> None:
    if not claims.height:
        return
    now = claims.select(*COPY, now="known_to_claim_month")
    known_to = pl.coalesce("now", "known_to_claim_month").alias("known_to_claim_month")
    delta.change(
        settings, CLAIM, {name: set(claims[name]) for name in ("claim_month", "file_sha256")},
        lambda held: held.join(now, on=COPY, how="left", maintain_order="left").with_columns(known_to).drop("now"),
    )  # fmt: skip


def _read_again(settings: Settings, claims: pl.DataFrame, now: pl.DataFrame) -> dict[Table, pl.DataFrame]:
    """Rows of these claims from their lines in bronze."""
    from spark_jobs.landing import delivery

    if not claims.height:
        return {}
    shas = set(claims["file_sha256"])
    kinds: dict[tuple[str, str], list[DeliveredFile]] = {}
    for file in delivery.files(settings):
        if file.file_sha256 in shas:
            kinds.setdefault((file.claim_kind, file.claim_form), []).append(file)
    known = now.filter(pl.col("event") == "claim").select(*COPY, *(pl.col(x).alias(f"{x}_now") for x in KNOWN))
    found: dict[Table, list[pl.DataFrame]] = {}
    for files in kinds.values():
        for part in convert.from_bronze(settings, files, claims.select(COPY)).parts:
            table = tables.BY_NAME[part.table]
            rows = delta.scan_part(settings, part).collect()
            found.setdefault(table, []).append(_as_known(rows, known))
            (settings.table_path(part.table) / part.path).unlink()
    return {table: pl.concat(rows) for table, rows in found.items()}


def _persons(settings: Settings, views: list[pl.DataFrame]) -> None:
    """Persons of the insurers concerned, known ones and those of the batch: a month touches nearly every data file of an insurer anyway."""
    if not views:
        return
    seen = pl.concat(views)
    of_insurers = {"insurer_number": set(seen["insurer_number"])}
    known = delta.scan(settings, PERSON, of_insurers).select(seen.columns).collect()
    merged = person.merge(pl.concat([known, seen.cast(dict(known.schema))])).select(known.columns)  # type: ignore[arg-type]
    if not merged.sort(person.KEY).equals(known.sort(person.KEY)):
        delta.replace(settings, PERSON, merged, of_insurers)
        person_link.refresh(settings, of_insurers["insurer_number"])


def _facilities(settings: Settings, names: list[pl.DataFrame]) -> None:
    if not names:
        return
    seen = pl.concat(names).select(facility.COLUMNS)
    known = delta.read(settings, FACILITY)
    names_known = known.select(facility.COLUMNS)
    rows = delta.shaped(FACILITY, facility.read(pl.concat([names_known, seen.cast(dict(names_known.schema))])))  # type: ignore[arg-type]
    if not rows.sort(pl.all()).equals(known.sort(pl.all())):
        delta.replace(settings, FACILITY, rows)
