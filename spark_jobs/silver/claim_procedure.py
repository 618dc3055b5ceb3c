"""silver.claim_procedure: one row per procedure of a claim, corrections applied: SI, 歯科 SS, of DPC also what the bundle pays (CD), of
調剤 the fees of CZ and KI (a line of theirs holds several: `place_in_line`)."""

import polars as pl

from spark_jobs.claim_format.japanese_calendar import to_date
from spark_jobs.silver.claim_drug import first_day, in_block
from spark_jobs.silver.fields import FEES, cells
from spark_jobs.silver.item import number, pays_insurer

PROCEDURE = "1"  # レセ電コード of 診療行為 begin so


def read(
    groups: dict[str, pl.DataFrame], items: pl.DataFrame, fees: dict[str, pl.DataFrame], blocks: pl.DataFrame | None, kind: str, form: str
) -> pl.DataFrame:  # fmt: skip
    """Decided procedures by `rid`."""
    frames = []
    if items.height:
        lines = items.filter(pl.col("record_type").is_in(["SI", "SS"]) & pl.col("is_decided"))
        frames.append(lines.select(
            "rid", "line_no", "procedure_code", "treatment_class", "burden_class", place_in_line=pl.lit(1),
            quantity=number("quantity_data"), points=number("points"), times=number("times"), days=first_day(pl.col("days")),
            first_date=pl.lit(None, pl.Date),
            is_bundled=pl.lit(False),
        ))  # fmt: skip
        if kind == "dpc" and "CD" in groups:
            paid = in_block(lines, blocks).select("rid", "block_no", receipt_code="procedure_code").unique()
            frames.append(_of_bundle(groups, blocks, paid, kind, form))
    for record_id, dates in (("CZ", "dispensing_date"), ("KI", "charge_date")):
        if record_id in fees:
            lines = fees[record_id].filter(pl.col("is_decided"))
            for place, (code, points) in enumerate(FEES[record_id].values(), start=1):
                frames.append(lines.filter(pl.col(code).is_not_null()).select(
                    "rid", "line_no", procedure_code=code, treatment_class=pl.lit(None, pl.String), burden_class=pl.lit(None, pl.String),
                    place_in_line=pl.lit(place), quantity=pl.lit(None, pl.Int64), points=number(points), times=pl.lit(None, pl.Int64),
                    days=pl.lit(None, pl.Int64), first_date=to_date(pl.col(dates)), is_bundled=pl.lit(False),
                ))  # fmt: skip
    return pl.concat(frames) if frames else pl.DataFrame()


def _of_bundle(groups: dict[str, pl.DataFrame], blocks: pl.DataFrame | None, paid: pl.DataFrame, kind: str, form: str) -> pl.DataFrame:
    """Procedures of CD that no SI of the same block pays."""
    coded = in_block(cells(groups["CD"].filter(pl.col("is_decided")), kind, form, "CD"), blocks)
    return (
        coded.filter(pl.col("receipt_code").str.starts_with(PROCEDURE))
        .join(paid, on=["rid", "block_no", "receipt_code"], how="anti")
        .select(
            "rid", "line_no", procedure_code="receipt_code", treatment_class="treatment_class", burden_class=pl.lit(None, pl.String),
            place_in_line=pl.lit(1), quantity=number("quantity_data"), points=pl.lit(None, pl.Int64), times=number("times"),
            days=pl.lit(None, pl.Int64), first_date=to_date(pl.col("performed_date")), is_bundled=pl.lit(True),
        )
    )  # fmt: skip


def of_claims(procedures: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """The procedures with what their claim says."""
    month = pl.col("service_month").cast(pl.String)
    on_day = pl.concat_str(month, pl.col("days").cast(pl.String).str.zfill(2)).str.to_date("%Y%m%d", strict=False)
    is_own = pl.when(pl.col("burden_class").is_null()).then(pl.col("insurer_number").is_not_null()).otherwise(pays_insurer())
    return procedures.join(claims, on="rid", maintain_order="left").with_columns(
        first_date=pl.coalesce("first_date", on_day), is_paid_by_insurer=is_own
    )
