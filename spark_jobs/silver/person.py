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
    columns = [*KEY, *LATEST, *IF_GIVEN, "first_service_month", "last_service_month"]
    is_several = pl.struct(KEY).is_duplicated()
    several = seen.filter(is_several)

    def latest(names: list[str], rows: pl.DataFrame) -> pl.DataFrame:
        # the greatest (month, values): nulls are the smallest
        return rows.sort("last_service_month", *names).unique(KEY, keep="last").select(*KEY, *names)

    merged = several.group_by(KEY).agg(pl.col("first_service_month").min(), pl.col("last_service_month").max())
    merged = merged.join(latest(LATEST, several.filter(pl.col("last_service_month").is_not_null())), KEY, "left")
    for name in IF_GIVEN:
        merged = merged.join(latest([name], several.filter(pl.col(name).is_not_null())), KEY, "left")
    return pl.concat([seen.filter(~is_several).select(columns), merged.select(columns)])
