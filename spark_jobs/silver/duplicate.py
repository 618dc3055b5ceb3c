"""A claim that was delivered twice, or in both forms, counts once, whatever came first: `claim.precedence` decides.

Only the insurers and service months of the batch are looked up.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs.silver.claim import precedence
from spark_jobs.tables import CLAIM, SILVER_OF_FILE


def of_lake(spark: SparkSession, claims: DataFrame, scope: str, files: list[str]) -> DataFrame | None:
    """Claims of the batch that the lake has from another file; `is_beaten`: the lake's counts. None if the lake has no such months."""
    known = spark.table(CLAIM.name).where(scope).where(~f.col("file_sha256").isin(*files))
    if known.isEmpty():
        return None
    held = known.select("claim_key", precedence().alias("held"))
    both = claims.select("claim_key", precedence().alias("brought")).join(held, "claim_key")
    return both.select("claim_key", "held.file_sha256", (f.col("held") < f.col("brought")).alias("is_beaten")).persist()


def remove(spark: SparkSession, replaced: DataFrame, scope: str) -> None:
    """Take the deliveries that no longer count out of all tables of claims."""
    if replaced.isEmpty():
        return
    replaced.createOrReplaceTempView("claims_replaced")
    for table in SILVER_OF_FILE:
        spark.sql(f"""
            merge into {table.name} using claims_replaced gone
            on {table.name}.claim_key = gone.claim_key and {table.name}.file_sha256 = gone.file_sha256 and {scope}
            when matched then delete
        """)
    spark.catalog.dropTempView("claims_replaced")
