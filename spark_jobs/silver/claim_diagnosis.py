"""silver.claim_diagnosis: one row per diagnosis of a claim (SY; SB in a DPC block, which has no dates)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.claim_format.codes import MAIN_OF_DPC, SUSPECTED_MODIFIER
from spark_jobs.silver.japanese_date import to_date
from spark_jobs.silver.receipt import explode_lines, field
from spark_jobs.tables import CLAIM_DIAGNOSIS

SUSPECTED = "疑い"  # all that bronze keeps of an uncoded name


def read(claims: DataFrame) -> DataFrame:
    line = f.col("line")
    is_dpc = line["record_type"] == "SB"

    def either(name: str) -> Column:
        return f.when(is_dpc, field(line, "SB", name)).otherwise(field(line, "SY", name))

    modifiers = either("modifier_codes")
    is_main_of_dpc = f.coalesce(field(line, "SB", "disease_class") == MAIN_OF_DPC, f.lit(False))
    return CLAIM_DIAGNOSIS.shaped(
        explode_lines(claims, ("SY", "SB")).withColumns(
            {
                "line_no": line["line_no"],
                "disease_code": either("disease_code"),
                "modifier_codes": modifiers,
                "start_date": f.when(~is_dpc, to_date(field(line, "SY", "start_date"))),
                "outcome": f.when(~is_dpc, field(line, "SY", "outcome")),
                "is_main": f.when(is_dpc, is_main_of_dpc).otherwise(field(line, "SY", "main_disease").isNotNull()),
                "is_suspected": f.coalesce(modifiers.rlike(f"^(.{{4}})*{SUSPECTED_MODIFIER}"), f.lit(False))
                | f.coalesce(either("disease_name") == SUSPECTED, f.lit(False)),
            }
        )
    )
