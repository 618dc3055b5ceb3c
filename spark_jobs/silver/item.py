"""Lines that carry points, in order: 診療識別 carried forward, 剤 and 調剤 groups marked, what each adds to the total (§7: 1, 4, 8, 9)."""

import polars as pl

from spark_jobs.claim_format.codes import INSURER_PAYS, J038
from spark_jobs.silver.fields import FEES, cells

ITEMS = ("SI", "IY", "TO", "CO", "SS")  # the lines that carry 診療識別
NO_POINTS = "97"  # 食事療養・生活療養: yen, not points
GROUP_BORDERS = ("SH", "TK", "KI", "ST")  # 調剤: each ends the group of the SH before it (§6.4)
ADDED_LATER = tuple(name for name in FEES["CZ"] if name in ("support_fee2", "management_fee", "after_hours"))


def number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)


def pays_insurer(burden_class: str = "burden_class") -> pl.Expr:
    """Whether 負担区分 includes medical insurance."""
    return pl.col(burden_class).is_in(INSURER_PAYS).fill_null(False)


def items(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """Lines of 医科, DPC and 歯科 with their fields as text, in order; `treatment_class` carried forward within the receipt;
    `unit_points`, the points of the 剤 that the line belongs to (on its last line only, as sent); `line_points`."""
    frames = [cells(groups[name], kind, form, name) for name in ITEMS if name in groups]
    frames = [frame for frame in frames if frame.height]
    if not frames:
        return pl.DataFrame()
    lines = pl.concat(frames, how="diagonal")
    for name in ("points", "times", "procedure_code", "drug_code", "quantity", "quantity_data", "days", "burden_class"):
        if name not in lines.columns:
            lines = lines.with_columns(pl.lit(None, pl.String).alias(name))
    lines = lines.sort(pl.col("rid").cast(pl.UInt64) * 2**32 + pl.col("position"))
    begins = pl.col("rid") != pl.col("rid").shift(1)
    ends = pl.col("rid") != pl.col("rid").shift(-1)
    stated = pl.when(begins.fill_null(True)).then(pl.col("treatment_class").fill_null("")).otherwise("treatment_class")
    below = pl.when(ends.fill_null(True)).then(number("points").fill_null(0)).otherwise(number("points"))
    return lines.with_columns(
        treatment_class=stated.forward_fill().replace("", None),
        unit_points=below.backward_fill(),
        line_points=number("points") * number("times"),
    )


def fees(groups: dict[str, pl.DataFrame], kind: str, form: str) -> dict[str, pl.DataFrame]:
    """CZ, KI and ST of 調剤 with `line_points`, and of CZ `has_newer_fees`: how those fees enter the total is not confirmed (§7)."""
    found = {}
    for record_id in ("CZ", "KI", "ST"):
        if record_id not in groups:
            continue
        lines = cells(groups[record_id], kind, form, record_id)
        if record_id == "ST":
            total = number("split_result_points").fill_null(0) - number("split_target_points").fill_null(0)
        else:
            names = [points for name, (_, points) in FEES[record_id].items() if name not in ADDED_LATER]
            total = pl.sum_horizontal(*(number(name) for name in names), *([number("drug_points")] if record_id == "CZ" else []))
        lines = lines.with_columns(line_points=total)
        if record_id == "CZ":
            newer = pl.any_horizontal(*(pl.col(name).is_not_null() for fee in ADDED_LATER for name in FEES["CZ"][fee]))
            lines = lines.with_columns(has_newer_fees=newer)
        found[record_id] = lines
    return found


def groups_of_pharmacy(groups: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """rid, line_no → group_no: the SH above, within the receipt (§6.4)."""
    records = (*GROUP_BORDERS, "RE", "CZ", "IY")
    lines = [groups[name].select("rid", "position", "line_no", "record_type") for name in records if name in groups]
    ordered = pl.concat(lines).sort("rid", "position", "line_no")
    is_border = pl.col("record_type").is_in([*GROUP_BORDERS, "RE"])
    return ordered.select("rid", "line_no", group_no=is_border.cum_sum())


def totals(items_: pl.DataFrame, fees_: dict[str, pl.DataFrame], gt: pl.DataFrame | None) -> pl.DataFrame:
    """Per receipt: points_of_lines (null where newer fees stand in the lines) and has_dialysis (an item of J038)."""
    parts = []
    if items_.height:
        counted = items_.filter(pl.col("is_decided"))
        is_meal = pl.col("treatment_class").fill_null("") == NO_POINTS
        parts.append(
            counted.select(
                "rid",
                points=pl.when(is_meal).then(0).otherwise(pl.col("line_points").fill_null(0)),
                has_dialysis=pl.col("procedure_code").is_in(J038).fill_null(False),
                has_newer_fees=pl.lit(False),
            )
        )
    for lines in fees_.values():
        newer = pl.col("has_newer_fees") if "has_newer_fees" in lines.columns else pl.lit(False)
        parts.append(
            lines.filter(pl.col("is_decided")).select("rid", points="line_points", has_dialysis=pl.lit(False), has_newer_fees=newer)
        )
    if gt is not None:
        points = number("bundled_total_points").fill_null(0)
        parts.append(gt.filter(pl.col("is_decided")).select("rid", points=points, has_dialysis=pl.lit(False), has_newer_fees=pl.lit(False)))
    schema = {"rid": pl.UInt32, "points": pl.Int64, "has_dialysis": pl.Boolean, "has_newer_fees": pl.Boolean}
    lines = pl.concat([part.cast(schema) for part in parts]) if parts else pl.DataFrame(schema=schema)  # type: ignore[arg-type]
    return lines.group_by("rid").agg(
        points_of_lines=pl.when(~pl.col("has_newer_fees").any()).then(pl.col("points").sum()), has_dialysis=pl.col("has_dialysis").any()
    )
