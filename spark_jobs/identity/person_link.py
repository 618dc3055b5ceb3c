"""silver.person_link: person_id1 → person, over key versions and over a changed number inside one insurer.

A number changes with a job or a 任意継続. Two numbers are one person if name (kana or kanji; both pseudonyms hold birth date and sex),
birth month and sex are equal and no service month has both. Where that leaves a choice (three numbers of one name, two of them at once),
nobody is linked. Nothing is compared between insurers. A pure function of silver.person.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from spark_jobs import delta, tables
from spark_jobs.identity import keys
from spark_jobs.settings import Settings

Chains = Mapping[str, Sequence[bytes]]
NAMES = ("person_id2_kana", "person_id2_kanji")
SAME = ("insurer_number", "sex", "birth_month")  # never linked where one of them differs


def advance(pseudonym: str, version: int, chain: Sequence[bytes]) -> str:
    """The pseudonym of a key version, by the newest key of the chain."""
    for key in chain[version:]:
        pseudonym = hmac.digest(key, pseudonym.encode(), "sha256").hex()
    return pseudonym


def links(persons: pl.DataFrame, chains: Chains) -> pl.DataFrame:
    """One row per row of silver.person. An insurer without keys (seen in deliveries of others) keeps its pseudonyms as they are."""
    newest_version = {insurer: len(chain) for insurer, chain in chains.items()}
    newest = persons.with_columns(advanced(persons, name, chains).alias(name) for name in NAMES).with_columns(
        number=advanced(persons, "person_id1", chains),
        link_version=pl.max_horizontal("key_version", pl.col("insurer_number").replace_strict(newest_version, default=0)),
    )
    joined = newest.select("insurer_number", "number").unique().join(_joined(_numbers(newest)), ["insurer_number", "number"], "left")
    return (
        newest.join(joined, ["insurer_number", "number"], "left")
        .with_columns(person_id=pl.coalesce("person_id", "number"))
        .with_columns(is_linked=pl.len().over("insurer_number", "person_id") > 1)
        .rename({"first_service_month": "valid_from_service_month", "last_service_month": "valid_to_service_month"})
        .select(tables.PERSON_LINK.column_names)
        .sort("insurer_number", "person_id1")
    )


def advanced(persons: pl.DataFrame, name: str, chains: Chains) -> pl.Series:
    """A column of pseudonyms by the newest keys of their `insurer_number`."""
    newest = {insurer: len(chain) for insurer, chain in chains.items()}
    is_older = persons.select(pl.col("key_version") < pl.col("insurer_number").replace_strict(newest, default=0)).to_series()
    older = persons.filter(is_older)  # mostly nobody: a key is seldom rotated
    columns = (older["insurer_number"], older["key_version"], older[name])
    found = [text and advance(text, version, chains.get(insurer, ())) for insurer, version, text in zip(*columns, strict=True)]
    return persons[name].cast(pl.String).scatter(is_older.arg_true(), pl.Series(found, dtype=pl.String))


def _numbers(newest: pl.DataFrame) -> pl.DataFrame:
    """One row per number (ID1 by the newest key) and name that it was seen with, with the months of the number."""
    months = (pl.min("first_service_month").over("insurer_number", "number"), pl.max("last_service_month").over("insurer_number", "number"))
    return newest.with_columns(*months).select(*SAME, "number", *NAMES, "first_service_month", "last_service_month").unique()


def _joined(numbers: pl.DataFrame) -> pl.DataFrame:
    """(insurer_number, number, person_id) of the numbers that share a name, if no two of them were seen at once."""
    named = numbers.filter(pl.all_horizontal(pl.col(SAME).is_not_null())).with_columns(
        group="number", **{name: pl.when(pl.col(name) != "").then(name) for name in NAMES}
    )
    named = grouped(named, *((*SAME, same) for same in ("number", *NAMES)))
    group = ("insurer_number", "sex", "birth_month", "group")
    once = named.select(*group, "number", "first_service_month", "last_service_month").unique()
    ordered = once.sort("first_service_month", "last_service_month", "number")
    before = pl.col("last_service_month").cum_max().shift(1).over(*group)
    return (
        ordered.with_columns(is_at_once=(pl.col("first_service_month") <= before).fill_null(False))
        .filter(~pl.col("is_at_once").any().over(*group))
        .select("insurer_number", "number", person_id=pl.first("number").over(*group))
        .unique(["insurer_number", "number"], keep="none")  # one number under two birth months or sexes: nothing is known of it
    )


def grouped(rows: pl.DataFrame, *equal: Sequence[str]) -> pl.DataFrame:
    """Rows that are equal in one of these sets of columns (null is equal to nothing), directly or over others, get one `group`."""
    while True:  # the least group spreads over equal rows until nothing moves
        spread = rows
        for columns in equal:
            least = pl.when(pl.all_horizontal(pl.col(columns).is_not_null())).then(pl.min("group").over(columns))
            spread = spread.with_columns(group=pl.coalesce(least, "group"))
        if spread.equals(rows):
            return rows
        rows = spread


def refresh(settings: Settings, insurers: Iterable[str]) -> None:
    """Write the links of these insurers anew from silver.person."""
    where = {"insurer_number": sorted(set(insurers))}
    known = keys.versions(settings)
    chains = {number: keys.chain(settings, number) for number in where["insurer_number"] if number in known}
    found = links(delta.read(settings, tables.PERSON, where), chains)
    if found.height or not delta.is_empty(settings, tables.PERSON_LINK, where):
        delta.replace(settings, tables.PERSON_LINK, found.to_arrow(), where)
