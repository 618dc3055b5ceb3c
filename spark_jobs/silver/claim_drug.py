"""silver.claim_drug: one row per drug line (IY) of a claim, corrections applied (receipt-formats §6).

医科: 使用量 × 回数. 調剤: 使用量 × Σ 調剤数量 of the dispensings of its 処方 (SH). A line without 使用量 stays, its quantity null.
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


def read(claims: DataFrame) -> DataFrame:
    line, is_med = f.col("line"), f.col("claim_kind") == "med"
    burden = field(line, "IY", "burden_class")
    dispensings = f.filter("dispensings", lambda x: x.group_no == line["group_no"])
    times = f.when(is_med, field(line, "IY", "times").try_cast("bigint")).otherwise(dispensed(dispensings))
    drugs = claims.withColumn("dispensings", f.filter("lines", lambda x: x.record_type == "CZ"))
    return CLAIM_DRUG.shaped(
        explode_lines(drugs, "IY", "dispensings")
        .withColumns(
            {
                "line_no": line["line_no"],
                "drug_code": field(line, "IY", "drug_code"),
                "quantity_claim_unit": (field(line, "IY", "quantity").try_cast(LINE_QUANTITY) * times).try_cast(QUANTITY),
                "bundle_kind": bundle_kind(is_med),
                "treatment_class": f.when(is_med, line["treatment_class"]),
                "burden_class": burden,
                "is_paid_by_insurer": f.coalesce(burden.isin(*INSURER_PAYS), f.lit(False)),
                "first_use_date": f.when(is_med, first_day(f.get(line["cells"], f.lit(DAYS)))).otherwise(first_dispensing(dispensings)),
            }
        )
        .where(f.col("drug_code").startswith(DRUG))
    )


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


def bundle_kind(is_med: Column) -> Column:
    """包括: which fee may pay the drug. Lines do not say, so all drugs of a claim with a dialysis fee (J038) are `dialysis`;
    other inpatient drugs may be paid by an admission fee that silver does not read yet: `unknown`."""
    return f.when(is_med & f.col("has_dialysis"), "dialysis").when(is_med & (f.col("setting") == "inpatient"), "unknown").otherwise("none")
