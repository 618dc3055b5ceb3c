"""silver.claim_drug: one row per drug line of a claim, corrections applied (receipt-formats §6).

医科: 使用量 × 回数 of IY. 調剤: 使用量 × Σ 調剤数量 of the dispensings of its 処方 (SH). DPC: 使用量 × 回数 of CD, which holds once more
what is paid apart (IY); only a 医科 inpatient detail has no CD. A line without 使用量 stays, its quantity null.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.claim_format.codes import INSURER_PAYS
from spark_jobs.silver.cell import place
from spark_jobs.silver.japanese_date import to_date
from spark_jobs.silver.receipt import explode_lines, field
from spark_jobs.tables import CLAIM_DRUG, QUANTITY

DRUG = "6"  # レセ電コード of drugs begin so
DAYS = place("med", "IY", "day_1")  # one string from here to the end of the line
LINE_QUANTITY = "decimal(10,5)"  # 5 + 5 digits
WITHOUT_CD = "3"  # 総括区分: 医科 inpatient detail


def read(claims: DataFrame) -> DataFrame:
    line, kind = f.col("line"), f.col("claim_kind")
    is_pharmacy, is_coded = kind == "pha", line["record_type"] == "CD"
    burden = f.when(~is_coded, field(line, "IY", "burden_class"))
    dispensings = f.filter("dispensings", lambda x: x.group_no == line["group_no"])

    def either(of_cd: str, of_iy: str) -> Column:
        return f.when(is_coded, field(line, "CD", of_cd)).otherwise(field(line, "IY", of_iy))

    treatment_class = f.when(is_coded, field(line, "CD", "treatment_class")).otherwise(line["treatment_class"])
    times = f.when(is_pharmacy, dispensed(dispensings)).otherwise(either("times", "times").try_cast("bigint"))
    first_use = (
        f.when(is_pharmacy, first_dispensing(dispensings))
        .when(is_coded, to_date(field(line, "CD", "performed_date")))
        .otherwise(first_day(f.get(line["cells"], f.lit(DAYS))))
    )
    drugs = claims.withColumns(
        {
            "dispensings": f.filter("lines", lambda x: x.record_type == "CZ"),
            "paid_apart": f.transform(
                f.filter("lines", lambda x: is_beside_cd(x)),
                lambda x: f.struct(x.block_no, x.treatment_class, field(x, "IY", "drug_code").alias("drug_code")),
            ),
        }
    )
    return CLAIM_DRUG.shaped(
        explode_lines(drugs, ("IY", "CD"), "dispensings", "paid_apart")
        .where(~is_beside_cd(line))
        .withColumns(
            {
                "line_no": line["line_no"],
                "drug_code": either("receipt_code", "drug_code"),
                "quantity_claim_unit": (either("quantity", "quantity").try_cast(LINE_QUANTITY) * times).try_cast(QUANTITY),
                "treatment_class": f.when(~is_pharmacy, treatment_class),
                "burden_class": burden,
                "is_paid_by_insurer": f.when(is_coded, f.col("insurer_number").isNotNull()).otherwise(
                    f.coalesce(burden.isin(*INSURER_PAYS), f.lit(False))
                ),
                "first_use_date": first_use,
            }
        )
        .where(f.col("drug_code").startswith(DRUG))
        .withColumn("bundle_kind", bundle_kind(is_coded))
    )


def is_beside_cd(line: Column) -> Column:
    """A drug line of a DPC block: CD holds it too."""
    return (f.col("claim_kind") == "dpc") & (line.record_type == "IY") & (f.coalesce(line.summary_class, f.lit("0")) != WITHOUT_CD)


def dispensed(dispensings: Column) -> Column:
    """Σ 調剤数量; null without a dispensing."""
    quantities = f.transform(dispensings, lambda x: field(x, "CZ", "dispensed_quantity").try_cast("bigint"))
    return f.when(f.size(dispensings) > 0, f.aggregate(quantities, f.lit(0).cast("bigint"), lambda total, x: total + x))


def first_dispensing(dispensings: Column) -> Column:
    return f.array_min(f.transform(dispensings, lambda x: to_date(field(x, "CZ", "dispensing_date"))))


def first_day(days: Column) -> Column:
    """The first of the day fields (1日の情報 …) that is not empty or 0; null where the line has none, as lines before 2012 do."""
    used = f.ltrim(days, f.lit(",0"))
    skipped = f.substring(days, f.lit(1), f.length(days) - f.length(used))
    day = f.length(skipped) - f.length(f.replace(skipped, f.lit(","), f.lit(""))) + 1
    return f.when(
        used != "", f.try_to_date(f.concat(f.col("service_month").cast("string"), f.lpad(day.cast("string"), 2, "0")), "yyyyMMdd")
    )


def bundle_kind(is_coded: Column) -> Column:
    """包括: which fee may pay the drug. In a DPC block what is not paid apart (the same drug under the same 診療識別 in IY) is `dpc`.

    Other lines do not say, so all drugs of a claim with a dialysis fee (J038) are `dialysis`; other inpatient drugs may be paid by an
    admission fee that silver does not read yet: `unknown`.
    """
    own = f.struct(f.col("line.block_no"), f.col("treatment_class"), f.col("drug_code"))
    return (
        f.when(f.col("claim_kind") == "pha", "none")
        .when(is_coded & ~f.array_contains("paid_apart", own), "dpc")
        .when(is_coded, "none")
        .when(f.col("has_dialysis"), "dialysis")
        .when(f.col("setting") == "inpatient", "unknown")
        .otherwise("none")
    )
