"""silver.claim_diagnosis: one row per diagnosis of a claim (SY; SB in a DPC block, which has no dates; HS of 歯科)."""

import polars as pl

from spark_jobs.claim_format.codes import MAIN_OF_DPC, SUSPECTED_MODIFIER
from spark_jobs.claim_format.japanese_calendar import to_date
from spark_jobs.silver.fields import cells

SUSPECTED = "疑い"  # all that bronze keeps of an uncoded name


def read(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """Decided diagnoses by `rid`."""
    frames = []
    for record_id in ("SY", "SB", "HS"):
        if record_id not in groups:
            continue
        lines = cells(groups[record_id].filter(pl.col("is_decided")), kind, form, record_id)
        is_dpc = record_id == "SB"
        is_named_suspected = (pl.col("disease_name") == SUSPECTED).fill_null(False)
        is_modified = pl.col("modifier_codes").str.contains(f"^(?:.{{4}})*{SUSPECTED_MODIFIER}").fill_null(False)
        frames.append(
            lines.select(
                "rid",
                "line_no",
                "disease_code",
                "modifier_codes",
                start_date=pl.lit(None, pl.Date) if is_dpc else to_date(pl.col("start_date")),
                outcome=pl.lit(None, pl.String) if is_dpc else pl.col("outcome"),
                is_main=(pl.col("disease_class") == MAIN_OF_DPC).fill_null(False) if is_dpc else pl.col("main_disease").is_not_null(),
                is_suspected=is_modified | is_named_suspected,
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame()
