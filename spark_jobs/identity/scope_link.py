"""identity.scope_link: one person at several insurers, only inside a scope of joint use (共同利用, 個人情報保護法 27条5項3号).

Under entrustment (委託, 27条5項1号) persons of two insurers must not be matched, nor statistics be made from a match: no scope, no link.
Two persons are one if a name, birth date and sex are equal and their months meet in one month, that of the move, at most.
"""

import polars as pl

from spark_jobs import config, delta, tables
from spark_jobs.identity import access
from spark_jobs.identity.person_link import grouped
from spark_jobs.settings import Settings

NAMES = ("scope_id_kana", "scope_id_kanji")
PERSON = ("insurer_number", "person_id")


def run(settings: Settings, scope: str) -> str:
    """Write the links of a scope anew; refuses what is no scope. Rows of insurers that left it are removed first."""
    here = {"scope_key": [scope]}
    known = delta.read(settings, tables.SCOPE_PERSON, here)
    takes_part = [number for number, entry in config.insurers(settings).items() if entry.joint_use_scope == scope]
    if left := sorted(set(known["insurer_number"]) - set(takes_part)):
        delta.delete(settings, tables.SCOPE_PERSON, {"insurer_number": left, **here})
        delta.delete(settings, tables.SCOPE_LINK, here)
    insurers = config.scope(settings, scope)
    links_of = delta.read(settings, tables.PERSON_LINK, {"insurer_number": insurers})
    found = links(known.filter(pl.col("insurer_number").is_in(insurers)), links_of)
    people = found["scope_person_id"].n_unique()
    access.record(settings, "persons link", None, people, detail=f"scope {scope}")
    delta.replace(settings, tables.SCOPE_LINK, found.to_arrow(), here)
    return f"scope {scope}: {people:,} persons seen at two or more of {len(insurers)} insurers"


def links(scope_persons: pl.DataFrame, person_links: pl.DataFrame) -> pl.DataFrame:
    """The persons of identity.scope_person who were at two or more insurers; where it is unclear who is who, none of them."""
    months = person_links.group_by(PERSON).agg(pl.min("valid_from_service_month"), pl.max("valid_to_service_month"))
    of_number = person_links.select(*PERSON, "person_id1")
    named = (
        scope_persons.select("scope_key", "insurer_number", "person_id1", *NAMES).unique().join(of_number, ["insurer_number", "person_id1"])
    )
    named = grouped(named.with_columns(group="person_id"), PERSON, *(("scope_key", name) for name in NAMES))
    group = ("scope_key", "group")
    before = pl.col("valid_to_service_month").cum_max().shift(1).over(*group)
    sure = (
        named.select(*group, *PERSON)
        .unique()
        .join(months, PERSON)
        .sort("valid_from_service_month", "valid_to_service_month", *PERSON)
        .with_columns(
            is_at_once=(pl.col("valid_from_service_month") < before).fill_null(False),
            is_twice=pl.len().over(*group, "insurer_number") > 1,
        )
        .filter(~(pl.col("is_at_once") | pl.col("is_twice")).any().over(*group))
        .filter(pl.col("insurer_number").n_unique().over(*group) > 1)
        .select(*PERSON, "scope_key", scope_person_id=pl.first("person_id").over(*group))
    )
    return sure.join(of_number, PERSON).select(tables.SCOPE_LINK.column_names).sort(tables.SCOPE_LINK.key)
