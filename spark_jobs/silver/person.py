"""silver.person: one row per person_id1 of an insurer. Attributes of the latest service month; within one month the greater value, so that
the order of arrival changes nothing. A name pseudonym that the latest claims lack is kept from before."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs.tables import PERSON

KEY = ("insurer_number", "person_id1")
LATEST = ("workplace_id", "sex", "birth_month", "beneficiary_class", "key_version")
IF_GIVEN = ("person_id2_kana", "person_id2_kanji")


def read(spark: SparkSession, claims: DataFrame, insurers: list[str]) -> DataFrame:
    """All persons of these insurers, known ones and those of the batch: a new month touches nearly every data file of an insurer anyway."""
    of_batch = claims.where("insurer_number is not null and person_id1 is not null").select(
        *KEY, *LATEST, *IF_GIVEN, f.col("service_month").alias("first_service_month"), f.col("service_month").alias("last_service_month")
    )
    known = spark.table(PERSON.name).where(f.col("insurer_number").isin(insurers))
    return PERSON.shaped(merge_views(of_batch.unionByName(known.select(of_batch.columns))))


def merge_views(views: DataFrame) -> DataFrame:
    """One row per person from several views of him, each with its first and last month."""
    last = f.col("last_service_month")
    latest = f.max(f.struct(last, *LATEST)).alias("latest")
    given = (f.max(f.when(f.col(name).isNotNull(), f.struct(last, name))).alias(name) for name in IF_GIVEN)
    return (
        views.groupBy(*KEY)
        .agg(latest, *given, f.min("first_service_month").alias("first_service_month"))
        .select(
            *KEY,
            "first_service_month",
            "latest.last_service_month",
            *(f"latest.{name}" for name in LATEST),
            *(f.col(name)[name].alias(name) for name in IF_GIVEN),
        )
    )
