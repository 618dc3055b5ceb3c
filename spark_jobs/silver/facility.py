"""silver.facility: one row per facility and name, valid from the claim month in which the name first came.

A facility's own name (IR, YK) goes before the one that pharmacies write for it (RE of 調剤), which differs from pharmacy to pharmacy:
of those only the first is kept. A return to an earlier name is not seen. Of two names of one month the later in order is valid; the other
stands with an end before its beginning.
"""

import polars as pl

from spark_jobs.silver.claim import STILL

COLUMNS = ["facility_code", "facility_name", "facility_address", "valid_from_claim_month", "is_own_name"]


def names(claims: pl.DataFrame) -> pl.DataFrame:
    """The names of facilities on delivered receipts, each with its first month."""
    own = claims.select(
        "facility_code", "facility_name", "facility_address", valid_from_claim_month="claim_month", is_own_name=pl.lit(True)
    )
    named = claims.select(
        facility_code="prescriber_facility_code",
        facility_name="prescriber_name",
        facility_address="prescriber_address",
        valid_from_claim_month="claim_month",
        is_own_name=pl.lit(False),
    )
    return merge(pl.concat([own, named]))


def merge(seen: pl.DataFrame) -> pl.DataFrame:
    """One row per facility and name."""
    return (
        seen.filter(pl.col("facility_code").is_not_null())
        .with_columns(pl.col("facility_name").fill_null(""))
        .group_by("facility_code", "is_own_name", "facility_name")
        .agg(pl.col("facility_address").max(), pl.col("valid_from_claim_month").min())
        .select(COLUMNS)
    )


def read(seen: pl.DataFrame) -> pl.DataFrame:
    """Rows of silver.facility."""
    code = pl.col("facility_code")
    own = pl.col("is_own_name")
    ranked = merge(seen).filter(own | ~own.any().over("facility_code")).sort("facility_code", "valid_from_claim_month", "facility_name")
    is_first = pl.int_range(pl.len()).over("facility_code") == 0
    following = pl.col("valid_from_claim_month").shift(-1).over("facility_code")
    return ranked.filter(own | is_first).with_columns(
        pl.when(pl.col("facility_name") != "").then("facility_name").alias("facility_name"),
        prefecture_code=code.str.slice(0, 2),
        fee_table=code.str.slice(2, 1),
        valid_to_claim_month=(following - pl.when(following % 100 == 1).then(89).otherwise(1)).fill_null(STILL),
    )
