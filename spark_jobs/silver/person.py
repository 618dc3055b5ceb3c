"""silver.person: one row per person_id1 of an insurer. Attributes of the latest service month; within one month the greater value, so that
the order of arrival changes nothing. A name pseudonym that the latest claims lack is kept from before."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs.tables import PERSON

KEY = ("insurer_number", "person_id1")
LATEST = ("workplace_id", "sex", "birth_month", "beneficiary_class", "key_version")
IF_GIVEN = ("person_id2_kana", "person_id2_kanji")


def read(spark: SparkSession, claims: DataFrame, insurers: list[str]) -> DataFrame:
    """The persons of the batch, together with what is known of them."""
    of_batch = claims.where("insurer_number is not null and person_id1 is not null").select(
        *KEY, *LATEST, *IF_GIVEN, f.col("service_month").alias("first_service_month"), f.col("service_month").alias("last_service_month")
    )
    batch = merge_views(of_batch)
    known = spark.table(PERSON.name).where(f.col("insurer_number").isin(insurers)).join(batch.select(*KEY), list(KEY), "left_semi")
    return PERSON.shaped(merge_views(batch.unionByName(known)))


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


def write(spark: SparkSession, persons: DataFrame, insurers: list[str]) -> None:
    if not insurers:
        return
    persons.createOrReplaceTempView("persons_of_batch")
    names = ", ".join(f"'{number}'" for number in insurers)
    known, seen = (", ".join(f"{side}.{name}" for name in PERSON.column_names) for side in ("known", "seen"))
    spark.sql(f"""
        merge into {PERSON.name} known using persons_of_batch seen
        on known.insurer_number = seen.insurer_number and known.person_id1 = seen.person_id1 and known.insurer_number in ({names})
        when matched and not (struct({known}) <=> struct({seen})) then update set *
        when not matched then insert *
    """)
    spark.catalog.dropTempView("persons_of_batch")
