"""What silver finds on delivered files: one finding per file and rule, with count and first place. It keeps no file out."""

import polars as pl

from spark_jobs.landing.finding import PARTIAL

RULES = ("jy_target_missing", "points_identity")


def missing_targets(missing: pl.DataFrame, receipts: pl.DataFrame) -> pl.DataFrame:
    """JY lines that name a line that their receipt does not have (receipt-formats §4.4); the receipt goes on without them."""
    lines = missing.join(receipts, on="rid").sort("receipt_seq", "line_no")
    return lines.group_by("file_sha256", "depositor_number", maintain_order=True).agg(
        count=pl.len(), receipts=pl.col("rid").n_unique(), line_no=pl.col("line_no").first(), receipt_seq=pl.col("receipt_seq").first()
    ).select("file_sha256", insurer_number="depositor_number", rule=pl.lit("jy_target_missing"), what=pl.lit(""), count="count",
             receipts="receipts", line_no="line_no", receipt_seq="receipt_seq").cast(PARTIAL)  # type: ignore[arg-type] # fmt: skip


def points(claims: pl.DataFrame) -> pl.DataFrame:
    """Claims whose lines do not add up to the decided total (§7, identities 1, 2, 4, 8, 9)."""
    off = claims.filter((pl.col("points_of_lines") != pl.col("points_decided")) & (pl.col("event") == "claim"))
    return off.group_by("file_sha256", "depositor_number").agg(
        count=pl.len(), receipts=pl.len(), receipt_seq=pl.col("receipt_seq").min()
    ).select("file_sha256", insurer_number="depositor_number", rule=pl.lit("points_identity"), what=pl.lit(""), count="count",
             receipts="receipts", line_no=pl.lit(None), receipt_seq="receipt_seq").cast(PARTIAL)  # type: ignore[arg-type] # fmt: skip
