"""One row per receipt, its lines nested: everything that silver writes is a view of this, so bronze is read and sorted once.

`lines` holds the header, payers, diagnoses, drugs and dispensings in order; procedures and materials are only summed.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.silver.cell import cell, place
from spark_jobs.silver.final_line import NO_POINTS, RECEIPT, SENT

OF_CLAIM = (
    "claim_key", "insurer_number", "claim_month", "service_month", "claim_kind", "setting", "facility_code", "prescriber_facility_code",
    "person_id1", "sex", "age", "has_dialysis", "file_sha256",
)  # fmt: skip
NESTED = ("MN", "IR", "YK", "RE", "HO", "KO", "SN", "MF", "SY", "SB", "IY", "CD", "CZ")
IDENTITY_8 = slice(place("pha", "CZ", "support_fee2_burden_class"), place("pha", "CZ", "public_4_drug_reduction_points") + 1)


def nest(lines: DataFrame, numbered: DataFrame) -> DataFrame:
    """Receipts with their `lines`, `points_of_lines`, `is_corrected`, `has_dialysis`, and what is known of their file."""
    record = f.col("record_type")
    line = f.struct(
        "position",
        "line_no",
        "record_type",
        (f.col("data_id") == SENT).alias("is_sent"),
        "is_decided",
        "slot",
        "treatment_class",
        "group_no",
        "block_no",
        "summary_class",
        "cells",
    )
    newer_fees = f.array_join(f.slice("cells", IDENTITY_8.start + 1, IDENTITY_8.stop - IDENTITY_8.start), "") != ""
    counted = f.col("is_decided") & (f.coalesce("treatment_class", f.lit("")) != NO_POINTS)
    return (
        lines.groupBy(*RECEIPT)
        .agg(
            f.array_sort(f.collect_list(f.when(record.isin(*NESTED), line))).alias("lines"),
            f.sum(f.when(counted, f.col("line_points"))).alias("sum_of_points"),
            f.bool_or(f.when(f.col("is_decided") & (record == "CZ"), newer_fees)).alias("has_newer_fees"),
            f.bool_or("is_corrected").alias("is_corrected"),
            f.coalesce(f.bool_or(f.when(f.col("is_decided"), f.col("is_dialysis"))), f.lit(False)).alias("has_dialysis"),
            f.max("key_version").alias("key_version"),
        )
        .withColumn("points_of_lines", f.when(~f.coalesce("has_newer_fees", f.lit(False)), f.coalesce("sum_of_points", f.lit(0))))
        .join(f.broadcast(numbered), "file_no")
        .drop("sum_of_points", "has_newer_fees")
    )


def lines_of(record_id: str, state: str) -> Column:
    """The lines of a record, `is_sent` (as billed) or `is_decided` (after the review), in order."""
    return f.filter("lines", lambda x: (x.record_type == record_id) & x[state])


def field(line: Column, record_id: str, *names: str) -> Column:
    """A field of a nested line; a second name is that of another kind of claim."""
    return cell(line.cells, f.col("claim_kind"), record_id, *names)


def explode_lines(claims: DataFrame, record_ids: tuple[str, ...], *more: str) -> DataFrame:
    """One row per line of these records: `line`, with what the tables of lines repeat from the claim."""
    kept = f.filter("lines", lambda x: x.record_type.isin(*record_ids))
    return claims.select(*OF_CLAIM, *more, f.explode(kept).alias("line"))
