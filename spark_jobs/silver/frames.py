"""The rows of silver that the lines of a bundle make: one pass, no look at other files. What counts among files is `batch`'s."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.claim_format.data_id import BEFORE_RECLAIM
from spark_jobs.silver import (
    claim,
    claim_diagnosis,
    claim_drug,
    claim_payer,
    claim_procedure,
    claim_review,
    facility,
    final_line,
    finding,
    item,
    person,
)
from spark_jobs.silver.fields import cells
from spark_jobs.tables import CLAIM, CLAIM_COPY, CLAIM_DIAGNOSIS, CLAIM_DRUG, CLAIM_PAYER, CLAIM_PROCEDURE, CLAIM_REVIEW, Table


@dataclass
class Silver:
    """Rows by table, and what is added up over all bundles."""

    tables: dict[Table, pl.DataFrame]
    persons: pl.DataFrame
    facilities: pl.DataFrame
    findings: pl.DataFrame


def read(groups: dict[str, pl.DataFrame], receipts: pl.DataFrame, kind: str, form: str) -> Silver:
    """Silver of the lines (by record type, sensitive fields replaced) of receipts of one kind and form.

    `groups`: rid, file_no, line_no, data_id, place, record_type, line. `receipts`: rid, file_no, receipt_seq (0 = outside of any), sent,
    and of the file depositor_number, file_sha256, claim_form, claim_kind, claim_month, key_version.
    """
    reclaimed = pl.concat([group.filter(pl.col("data_id").is_in(BEFORE_RECLAIM))["rid"] for group in groups.values()]).unique()
    receipts = receipts.with_columns(has_state_before=pl.col("rid").is_in(reclaimed.to_list()))
    lines, corrected, missing = final_line.order(groups, receipts, kind, form)
    items = item.items(lines, kind, form) if kind != "pha" else pl.DataFrame()
    fees = item.fees(lines, kind, form) if kind == "pha" else {}
    blocks, first_block = _blocks(lines, form) if kind == "dpc" else (None, None)
    gt = cells(lines["GT"], kind, form, "GT") if "GT" in lines else None
    payers = claim_payer.read(lines, kind, form, first_block)
    of_file = receipts.filter(pl.col("receipt_seq") == 0).select("rid")
    providers = claim.provider_lines(lines, kind, form).join(of_file, on="rid", how="semi").unique("file_no", keep="first").drop("rid")
    claims = claim.read(lines, receipts, corrected, payers, item.totals(items, fees, gt), providers, kind, form)
    counted = claims.filter(pl.col("event") == "claim").select(claim.OF_CLAIM)
    rows = {
        CLAIM_DRUG: (claim_drug.read(lines, items, fees, blocks, kind, form), claim_drug.of_claims),
        CLAIM_PROCEDURE: (claim_procedure.read(lines, items, fees, blocks, kind, form), claim_procedure.of_claims),
        CLAIM_DIAGNOSIS: (claim_diagnosis.read(lines, kind, form), _of_claims),
        CLAIM_PAYER: (payers.with_columns(law_number=_law_number()), _of_claims),
    }
    tables = {table: of_claims(frame, counted) for table, (frame, of_claims) in rows.items() if frame.height}
    tables |= {CLAIM: claims.filter(pl.col("event") == "claim"), CLAIM_COPY: claims.with_columns(**claim.PERSON_AS_SENT)}
    if "MK" in groups:
        tables[CLAIM_REVIEW] = claim_review.read(groups["MK"], claims, kind, form)
    found = [finding.missing_targets(missing, receipts), finding.points(claims)]
    return Silver(tables, person.views(claims), facility.names(claims.filter(pl.col("event") == "claim")), pl.concat(found))


def _of_claims(lines: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    return lines.join(claims, on="rid", maintain_order="left")


def _law_number() -> pl.Expr:
    """法別番号; 国保 numbers of 6 digits have none."""
    number = pl.col("payer_number")
    return pl.when(number.str.len_chars() == 8).then(number.str.slice(0, 2))


def _blocks(lines: dict[str, pl.DataFrame], form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Blocks of DPC receipts, each from its RE on: (rid, position, block_no, summary_class); (rid, end_of_block of the first)."""
    headers = cells(lines["RE"].filter(pl.col("is_decided")), "dpc", form, "RE").sort("rid", "position")
    blocks = headers.select(
        "rid", "position", "summary_class", block_no=pl.int_range(1, pl.len() + 1).over("rid"),
        following=pl.col("position").shift(-1).over("rid")
    )  # fmt: skip
    end = pl.col("following").fill_null(2**32 - 1).alias("end_of_block")
    return blocks.drop("following"), blocks.filter(pl.col("block_no") == 1).select("rid", end)
