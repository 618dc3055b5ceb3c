"""silver.facility: one row per facility and name, valid from the claim month in which the name first came.

A facility's own name (IR, YK) goes before the one that pharmacies write for it (RE of 調剤), which differs from pharmacy to pharmacy:
of those only the first is kept. A return to an earlier name is not seen.
"""

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from spark_jobs.silver.claim import STILL
from spark_jobs.tables import FACILITY


def read(spark: SparkSession, claims: DataFrame) -> DataFrame:
    """All facilities: those known and those of the batch."""
    code, month = f.col("facility_code"), f.col("valid_from_claim_month")
    from_month = f.col("claim_month").alias("valid_from_claim_month")
    own = claims.select("facility_code", "facility_name", "facility_address", from_month, f.lit(True).alias("is_own_name"))
    named = claims.select(
        f.col("prescriber_facility_code").alias("facility_code"),
        f.col("prescriber_name").alias("facility_name"),
        f.col("prescriber_address").alias("facility_address"),
        from_month,
        f.lit(False).alias("is_own_name"),
    )
    known = spark.table(FACILITY.name).select(own.columns)
    names = (
        known.unionByName(own)
        .unionByName(named)
        .where(code.isNotNull())
        .groupBy("facility_code", "is_own_name", f.coalesce("facility_name", f.lit("")).alias("facility_name"))
        .agg(f.min(month).alias("valid_from_claim_month"), f.max("facility_address").alias("facility_address"))
    )
    facility = Window.partitionBy("facility_code")
    one_a_month = Window.partitionBy("facility_code", "valid_from_claim_month").orderBy("facility_name")
    in_time = facility.orderBy("valid_from_claim_month")
    has_own = f.bool_or("is_own_name").over(facility)
    next_from = f.lead("valid_from_claim_month").over(in_time)
    ranked = names.withColumn("has_own", has_own).where("is_own_name or not has_own").withColumn("rank", f.row_number().over(one_a_month))
    return FACILITY.shaped(
        ranked.where("rank = 1")
        .withColumn("first", f.row_number().over(in_time))
        .where("is_own_name or first = 1")
        .withColumns(
            {
                "facility_name": f.nullif("facility_name", f.lit("")),
                "prefecture_code": code.substr(1, 2),
                "fee_table": code.substr(3, 1),
                "valid_to_claim_month": f.coalesce(next_from - f.when(next_from % 100 == 1, 89).otherwise(1), f.lit(STILL)),
            }
        )
    )
