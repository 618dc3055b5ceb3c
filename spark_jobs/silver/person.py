"""silver.person: one row per person_id1 of an insurer. Attributes of the latest service month; within one month the greater value. A name
pseudonym that the latest claims lack is kept from before, with its own month: so the order of arrival changes nothing."""

import polars as pl

KEY = ["insurer_number", "person_id1"]
LATEST = ["workplace_id", "sex", "birth_month", "beneficiary_class", "key_version"]
IF_GIVEN = {"person_id2_kana": "kana_service_month", "person_id2_kanji": "kanji_service_month"}


def views(claims: pl.DataFrame) -> pl.DataFrame:
    """What delivered receipts say of persons, one row each."""
    named = claims.filter(pl.col("insurer_number").is_not_null() & pl.col("person_id1").is_not_null() & (pl.col("event") == "claim"))
    month = pl.col("service_month")
    given = {seen: pl.when(pl.col(name).is_not_null()).then(month) for name, seen in IF_GIVEN.items()}
    return merge(named.select(*KEY, *LATEST, *IF_GIVEN, **given, first_service_month=month, last_service_month=month))


def merge(seen: pl.DataFrame) -> pl.DataFrame:
    """One row per person from several views of him, each with its first and last month."""
    month_of = {name: pl.col(month).fill_null(0) for name, month in IF_GIVEN.items()}
    latest = {name: pl.col(name).filter(month == month.max()).max() for name, month in month_of.items()}
    return (
        seen.sort("last_service_month", *LATEST)  # nulls are the smallest
        .group_by(KEY)
        .agg(
            pl.col(LATEST).last(),
            pl.col("first_service_month").min(),
            pl.max("last_service_month", *IF_GIVEN.values()),
            **latest,
        )
    )
