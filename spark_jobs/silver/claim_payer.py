"""silver.claim_payer: one row per payer of a claim: the insurer (HO) first, then public payers (KO) in the order of legal precedence."""

import polars as pl

from spark_jobs.silver.fields import cells
from spark_jobs.silver.item import number

COLUMNS = {
    "rid": pl.UInt32,
    "payer_order": pl.Int32,
    "payer_number": pl.String,
    "treatment_days": pl.Int32,
    "points_billed": pl.Int64,
    "points_decided": pl.Int64,
    "copay_amount_yen": pl.Int64,
}


def read(groups: dict[str, pl.DataFrame], kind: str, form: str, first_block: pl.DataFrame | None) -> pl.DataFrame:
    """Payers of receipts: `rid`, `payer_order` and what they pay; a line as sent and the line that took its place are one payer.

    A payer that the review took out bears 0 points. The details of a DPC receipt (総括) repeat the payers of its header: only those of
    the first block count (`first_block`: rid, end_of_block).
    """
    names = {
        "HO": {"insurer_number": "payer_number", "copay_amount": "copay_amount_yen"},
        "KO": {"public_payer_number": "payer_number", "public_copay_amount": "copay_amount_yen"},
    }
    frames = []
    for record_id, renamed in names.items():
        if record_id in groups:
            lines = cells(groups[record_id], kind, form, record_id).rename(renamed)
            frames.append(lines.select(
                "rid", "line_no", "position", "slot", "is_sent", "is_decided", "is_corrected", "payer_number",
                number("treatment_days").cast(pl.Int32), number("total_points"), number("copay_amount_yen"),
                is_insurer=pl.lit(record_id == "HO"),
            ))  # fmt: skip
    if not frames:
        return pl.DataFrame(schema=COLUMNS)
    lines = pl.concat(frames)
    if first_block is not None:
        lines = lines.join(first_block, on="rid", how="left").filter(pl.col("position") < pl.col("end_of_block"))
    plain, corrected = lines.filter(~pl.col("is_corrected")), lines.filter(pl.col("is_corrected"))
    rows = plain.with_columns(points_billed=pl.col("total_points"), points_decided=pl.col("total_points"))
    if corrected.height:
        rows = pl.concat([rows, _of_slots(corrected).select(rows.columns)])
    ordered = rows.sort(pl.col("rid").cast(pl.UInt64) * 2**33 + pl.col("is_insurer").not_() * 2**32 + pl.col("position"))
    begins = pl.col("rid") != pl.col("rid").shift(1, fill_value=2**32 - 1)
    public = (~pl.col("is_insurer")).cum_sum()  # of all receipts: what stands before a receipt is taken off
    before = pl.when(begins).then(public - pl.col("is_insurer").not_()).forward_fill()
    return (
        ordered.with_columns(begins=begins, payer_order=pl.when("is_insurer").then(0).otherwise(public - before))
        .filter(~pl.col("is_insurer") | pl.col("begins"))
        .select(*COLUMNS)
        .cast(COLUMNS)  # type: ignore[arg-type]
    )


def _of_slots(lines: pl.DataFrame) -> pl.DataFrame:
    """Corrected receipts: the line that began a slot, with what the decided line of it says."""
    start = lines.filter(pl.col("slot") == pl.col("line_no"))
    decided = lines.filter(pl.col("is_decided")).unique(["rid", "slot"], keep="first", maintain_order=True)
    both = start.join(decided, on=["rid", "slot"], how="left", suffix="_decided")
    has_decided = pl.col("total_points_decided").is_not_null() | pl.col("line_no_decided").is_not_null()

    def now(name: str) -> pl.Expr:
        return pl.when(has_decided).then(f"{name}_decided").otherwise(name).alias(name)

    return both.with_columns(
        points_billed=pl.when("is_sent").then("total_points"),
        points_decided=pl.when(has_decided).then("total_points_decided").otherwise(0),
    ).with_columns(now("payer_number"), now("treatment_days"), now("copay_amount_yen"))
