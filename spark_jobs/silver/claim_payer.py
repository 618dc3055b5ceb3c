"""silver.claim_payer: one row per payer of a claim: the insurer (HO) first, then public payers (KO) in the order of legal precedence."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.silver.receipt import OF_CLAIM, field
from spark_jobs.tables import CLAIM_PAYER

NAMES = {"treatment_days": ("treatment_days", "prescription_count")}  # 診療実日数; 調剤 処方箋受付回数


def payers() -> Column:
    """Payers from the nested lines; a line as sent and the line that took its place are one payer.

    A payer that the review took out bears 0 points. The details of a DPC receipt (総括) repeat the payers of its header: only these count.
    """

    def starts(record_id: str) -> Column:
        """As sent, or added by the review: not those that take the place of another."""
        return f.filter("lines", lambda x: (x.record_type == record_id) & (x.slot == x.line_no) & (x.block_no <= 1))

    def payer(start: Column, index: Column) -> Column:
        decided = f.get(f.filter("lines", lambda x: (x.slot == start.slot) & x.is_decided), f.lit(0))
        line = f.coalesce(decided, start)
        is_insurer = line.record_type == "HO"

        def value(name: str, public_name: str, line: Column = line) -> Column:
            return f.when(is_insurer, field(line, "HO", *NAMES.get(name, (name,)))).otherwise(
                field(line, "KO", *NAMES.get(public_name, (public_name,)))
            )

        return f.struct(
            (index + f.when(f.size(starts("HO")) > 0, 0).otherwise(1)).alias("payer_order"),
            value("insurer_number", "public_payer_number").alias("payer_number"),
            value("treatment_days", "treatment_days").try_cast("int").alias("treatment_days"),
            f.when(start.is_sent, value("total_points", "total_points", start).try_cast("decimal(18,0)")).alias("points_billed"),
            f.when(decided.isNull(), 0)
            .otherwise(value("total_points", "total_points").try_cast("decimal(18,0)"))
            .cast("decimal(18,0)")
            .alias("points_decided"),
            value("copay_amount", "public_copay_amount").try_cast("decimal(18,0)").alias("copay_amount_yen"),
        )

    return f.transform(f.concat(f.slice(starts("HO"), 1, 1), starts("KO")), payer)


def read(claims: DataFrame) -> DataFrame:
    number = f.col("payer_number")
    return CLAIM_PAYER.shaped(
        claims.select(*OF_CLAIM, f.inline("payers")).withColumn("law_number", f.when(f.length(number) == 8, f.substring(number, 1, 2)))
    )
