"""silver.person: one row per person_id1 of an insurer. Attributes of the latest service month; within one month the greater value, so that
the order of arrival changes nothing. A name pseudonym that the latest claims lack is kept from before."""

import polars as pl

KEY = ["insurer_number", "person_id1"]
LATEST = ["workplace_id", "sex", "birth_month", "beneficiary_class", "key_version"]
IF_GIVEN = ["person_id2_kana", "person_id2_kanji"]


def views(claims: pl.DataFrame) -> pl.DataFrame:
    """What delivered receipts say of persons, one row each."""
    named = claims.filter(pl.col("insurer_number").is_not_null() & pl.col("person_id1").is_not_null() & (pl.col("event") == "claim"))
    month = pl.col("service_month")
    return merge(named.select(*KEY, *LATEST, *IF_GIVEN, first_service_month=month, last_service_month=month))


def merge(seen: pl.DataFrame) -> pl.DataFrame:
    """One row per person from several views of him, each with its first and last month."""
    last = pl.col("last_service_month")

    def latest(names: list[str], given: pl.Expr) -> pl.Expr:
        # the greatest (month, values): nulls are the smallest
        return pl.struct(*names).filter(given).sort_by(*(pl.col(n).filter(given) for n in ("last_service_month", *names))).last()

    return (
        seen.group_by(KEY)
        .agg(
            latest(LATEST, last.is_not_null()).alias("latest"),
            *(latest([name], pl.col(name).is_not_null()).struct.field(name).alias(name) for name in IF_GIVEN),
            pl.col("first_service_month").min(),
            last.max(),
        )
        .unnest("latest")
    )
