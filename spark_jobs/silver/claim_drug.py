"""silver.claim_drug: one row per drug line of a claim, corrections applied (receipt-formats §6).

医科 and 歯科: 使用量 × 回数 of IY. 調剤: 使用量 × Σ 調剤数量 of the dispensings of its 処方 (SH). DPC: 使用量 × 回数 of CD, which holds
once more what is paid apart (IY); only a 医科 inpatient detail has no CD. A line without 使用量 stays, its quantity null.
"""

import polars as pl

from spark_jobs.claim_format.codes import RECUPERATION_WARD
from spark_jobs.claim_format.japanese_calendar import to_date
from spark_jobs.silver.fields import cells
from spark_jobs.silver.item import groups_of_pharmacy, number, pays_insurer

DRUG = "6"  # レセ電コード of drugs begin so
LINE_QUANTITY = pl.Decimal(10, 5)  # 5 + 5 digits
QUANTITY = pl.Decimal(18, 5)
WITHOUT_CD = "3"  # 総括区分: 医科 inpatient detail


def read(
    groups: dict[str, pl.DataFrame], items: pl.DataFrame, fees: dict[str, pl.DataFrame], blocks: pl.DataFrame | None, kind: str, form: str
) -> pl.DataFrame:  # fmt: skip
    """Decided drug lines by `rid`; what depends on the claim (`insurer_number`, `service_month` …) is added by `of_claims`."""
    if kind == "pha":
        return _of_pharmacy(groups, fees, kind, form)
    lines = items.filter((pl.col("record_type") == "IY") & pl.col("is_decided")) if items.height else items
    if kind == "dpc":
        return _of_dpc(groups, lines, blocks, kind, form)
    return _of_items(lines) if lines.height else pl.DataFrame()


def _of_items(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(
        "rid", "line_no", "drug_code", "treatment_class", "burden_class", "unit_points",
        quantity_claim_unit=amount("quantity", number("times")), days=first_day(pl.col("days")), first_use_date=pl.lit(None, pl.Date),
        is_coded=pl.lit(False), is_paid_apart=pl.lit(False),
    )  # fmt: skip


def _of_pharmacy(groups: dict[str, pl.DataFrame], fees: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    if "IY" not in groups:
        return pl.DataFrame()
    group = groups_of_pharmacy(groups)
    lines = cells(groups["IY"].filter(pl.col("is_decided")), kind, form, "IY").join(group, on=["rid", "line_no"], maintain_order="left")
    if "CZ" in fees:
        dispensed = fees["CZ"].filter(pl.col("is_decided")).join(group, on=["rid", "line_no"])
        per_group = dispensed.group_by("rid", "group_no").agg(
            dispensed=number("dispensed_quantity").sum(), first_use_date=to_date(pl.col("dispensing_date")).min()
        )
    else:
        per_group = group.select("rid", "group_no").clear().with_columns(dispensed=pl.lit(0), first_use_date=pl.lit(None, pl.Date))
    return lines.join(per_group, on=["rid", "group_no"], how="left", maintain_order="left").select(
        "rid", "line_no", "drug_code", "burden_class", "first_use_date", treatment_class=pl.lit(None, pl.String),
        unit_points=pl.lit(None, pl.Int64), quantity_claim_unit=amount("quantity", pl.col("dispensed")), days=pl.lit(None, pl.Int64),
        is_coded=pl.lit(False), is_paid_apart=pl.lit(False),
    )  # fmt: skip


def _of_dpc(groups: dict[str, pl.DataFrame], lines: pl.DataFrame, blocks: pl.DataFrame | None, kind: str, form: str) -> pl.DataFrame:
    """CD of DPC blocks, marked where the same drug under the same 診療識別 is paid apart (IY); IY of 医科 inpatient details."""
    frames = []
    paid = None
    if lines.height:
        lines = in_block(lines, blocks)
        is_detail = pl.col("summary_class").fill_null("0") == WITHOUT_CD
        frames.append(_of_items(lines.filter(is_detail)))
        paid = lines.filter(~is_detail).select("rid", "block_no", "treatment_class", receipt_code="drug_code", is_paid_apart=True).unique()
    if "CD" in groups:
        coded = cells(groups["CD"].filter(pl.col("is_decided")), kind, form, "CD")
        coded = in_block(coded, blocks).filter(pl.col("receipt_code").str.starts_with(DRUG))
        if paid is not None:
            by = ["rid", "block_no", "treatment_class", "receipt_code"]
            coded = coded.join(paid, on=by, how="left", maintain_order="left", nulls_equal=True)
        else:
            coded = coded.with_columns(is_paid_apart=pl.lit(None, pl.Boolean))
        frames.append(
            coded.select(
                "rid", "line_no", "treatment_class", drug_code="receipt_code", burden_class=pl.lit(None, pl.String),
                unit_points=pl.lit(None, pl.Int64), quantity_claim_unit=amount("quantity", number("times")), days=pl.lit(None, pl.Int64),
                first_use_date=to_date(pl.col("performed_date")), is_coded=pl.lit(True),
                is_paid_apart=pl.col("is_paid_apart").fill_null(False),
            )
        )  # fmt: skip
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


def in_block(lines: pl.DataFrame, blocks: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `block_no` and `summary_class` (総括区分) of the block of a DPC receipt that each line stands in."""
    if blocks is None or not blocks.height:
        return lines.with_columns(block_no=pl.lit(1, pl.Int64), summary_class=pl.lit(None, pl.String))
    return lines.sort("rid", "position").join_asof(
        blocks.select("rid", "position", "block_no", "summary_class").sort("rid", "position"), on="position", by="rid", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip


def of_claims(drugs: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """The drug lines with what their claim says; 9-digit codes of drugs only."""
    month = pl.col("service_month").cast(pl.String)
    on_day = pl.concat_str(month, pl.col("days").cast(pl.String).str.zfill(2)).str.to_date("%Y%m%d", strict=False)
    is_own = pl.when("is_coded").then(pl.col("insurer_number").is_not_null()).otherwise(pays_insurer())
    return (
        drugs.filter(pl.col("drug_code").str.starts_with(DRUG))
        .join(claims, on="rid", maintain_order="left")
        .with_columns(first_use_date=pl.coalesce("first_use_date", on_day), is_paid_by_insurer=is_own, bundle_kind=bundle_kind())
    )


def amount(quantity: str, times: pl.Expr) -> pl.Expr:
    """使用量 × times as a decimal; null without one of them."""
    return (pl.col(quantity).cast(LINE_QUANTITY, strict=False) * times.cast(pl.Decimal(18, 0), strict=False)).cast(QUANTITY, strict=False)


def first_day(days: pl.Expr) -> pl.Expr:
    """The first of the day fields (1日の情報 …) that is not empty or 0; null where the line has none, as lines before 2012 do."""
    used = days.str.strip_chars_start(",0")
    skipped = days.str.head(days.str.len_bytes() - used.str.len_bytes())
    return pl.when(used != "").then(skipped.str.count_matches(",", literal=True).cast(pl.Int64) + 1)


def bundle_kind() -> pl.Expr:
    """包括: which fee may pay the drug. In a DPC block what is not paid apart (the same drug under the same 診療識別 in IY) is `dpc`.

    Other lines do not say, so all drugs of a claim with a dialysis fee (J038) are `dialysis`. Of inpatients, drugs of a 剤 with points
    are paid; those without are `inpatient_fee` in a 療養 ward, else `unknown`.
    """
    return (
        pl.when(pl.col("claim_kind") == "pha")
        .then(pl.lit("none"))
        .when(pl.col("is_coded") & ~pl.col("is_paid_apart"))
        .then(pl.lit("dpc"))
        .when("is_coded")
        .then(pl.lit("none"))
        .when("has_dialysis")
        .then(pl.lit("dialysis"))
        .when((pl.col("setting") != "inpatient") | (pl.col("unit_points") > 0))
        .then(pl.lit("none"))
        .when(pl.col("ward_class").str.contains(f"^(?:..)*{RECUPERATION_WARD}"))
        .then(pl.lit("inpatient_fee"))
        .otherwise(pl.lit("unknown"))
    )
