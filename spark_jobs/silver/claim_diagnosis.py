"""silver.claim_diagnosis: one row per diagnosis (SY) of a claim."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.claim_format.codes import SUSPECTED_MODIFIER
from spark_jobs.silver.japanese_date import to_date
from spark_jobs.silver.receipt import explode_lines, field
from spark_jobs.tables import CLAIM_DIAGNOSIS

SUSPECTED = "疑い"  # all that bronze keeps of an uncoded name


def read(claims: DataFrame) -> DataFrame:
    line = f.col("line")
    modifiers = field(line, "SY", "modifier_codes")
    return CLAIM_DIAGNOSIS.shaped(
        explode_lines(claims, "SY").withColumns(
            {
                "line_no": line["line_no"],
                "disease_code": field(line, "SY", "disease_code"),
                "modifier_codes": modifiers,
                "start_date": to_date(field(line, "SY", "start_date")),
                "outcome": field(line, "SY", "outcome"),
                "is_main": field(line, "SY", "main_disease").isNotNull(),
                "is_suspected": f.coalesce(modifiers.rlike(f"^(.{{4}})*{SUSPECTED_MODIFIER}"), f.lit(False))
                | f.coalesce(field(line, "SY", "disease_name") == SUSPECTED, f.lit(False)),
            }
        )
    )
