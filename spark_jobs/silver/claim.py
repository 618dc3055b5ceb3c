"""silver.claim: one row per claim and state of knowledge, as billed and as decided.

What says which claim a receipt is comes from what the provider sent, so that the claim form and the insurer form of one claim agree.
"""

import polars as pl
import polars_hash as plh
from polars import selectors

from spark_jobs.claim_format.codes import BENEFICIARY_CLASS
from spark_jobs.claim_format.data_id import RETURNED
from spark_jobs.claim_format.japanese_calendar import to_date, to_month
from spark_jobs.silver.fields import cells
from spark_jobs.silver.item import number

STILL = 999912  # until further notice
PUBLIC_ONLY = "2"  # second digit of レセプト種別 (別表5)
SEPARATOR = "\u001f"
OF_CLAIM = [  # what the tables of lines repeat from the claim
    "rid", "claim_key", "insurer_number", "claim_month", "service_month", "claim_kind", "setting", "facility_code",
    "prescriber_facility_code", "person_id1", "sex", "age", "has_dialysis", "ward_class", "depositor_number", "file_sha256", "receipt_seq",
]  # fmt: skip
PERSON_AS_SENT = {
    "person_id1": pl.col("insured_number_sent"),
    "person_id2_kana": pl.col("patient_name_kana_sent"),
    "person_id2_kanji": pl.col("patient_name_sent"),
}
PROVIDERS = ("UK", "IR", "YK", "HM")  # 歯科: IR repeats the code of UK without its name


def read(
    groups: dict[str, pl.DataFrame], receipts: pl.DataFrame, corrected: pl.DataFrame, payers: pl.DataFrame, totals: pl.DataFrame,
    providers: pl.DataFrame, kind: str, form: str,
) -> pl.DataFrame:  # fmt: skip
    """One row per receipt with the columns of `silver.claim`, those of `silver.claim_copy`, and what other tables take from it.

    `receipts`: rid, file_no, receipt_seq, sent, has_state_before (データ識別 11-14) and what is known of the file;
    `providers`: file_no and IR or YK of a file in
    the claim form, where it stands once, before the receipts.
    """
    claims = receipts.filter(pl.col("receipt_seq") > 0)
    claims = _with_provider(claims, groups, providers, kind, form)
    payed = pl.format("{}:{}:{}", *(pl.col(c).fill_null(0) for c in ("payer_order", "treatment_days", "points_billed")))
    for frame in (
        *_first(groups, "RE", kind, form),
        *(payer.drop(selectors.starts_with("treatment_days", "total_points")) for payer in _first(groups, "HO", kind, form)),
        payers.unique("rid", keep="first", maintain_order=True).select("rid", "treatment_days", "points_billed", "points_decided"),
        payers.group_by("rid", maintain_order=True).agg(content=payed.str.join("|")),
        _copay_info(groups, kind, form),
        _branch(groups, kind, form),
        _management(groups, kind, form),
        _returned(groups, kind, form),
        corrected,
        totals,
    ):
        claims = claims.join(frame, on="rid", how="left", maintain_order="left")
    parts = claims.select(**_header_parts())
    claims = claims.with_columns(**_columns(), content=pl.col("content").fill_null(""), header_key=_key(parts)).with_columns(
        is_public_payer_only=pl.col("insurer_number").is_null(), age=age(pl.col("service_month"), pl.col("birth_month"))
    )
    keys = receipt_keys(claims["header_key"], claims["insured_number_sent"], claims["patient_name_kana_sent"], claims["patient_name_sent"])
    return claims.with_columns(receipt_key=keys, claim_key=keys)


def receipt_keys(header_key: pl.Series, id1: pl.Series, id2_kana: pl.Series, id2_kanji: pl.Series) -> pl.Series:
    """Which claim a receipt is: its header and the person, by number, else by name."""
    return _key(pl.DataFrame({"header": header_key, "person": pl.select(pl.coalesce(id1, id2_kana, id2_kanji)).to_series()}))


def _first(groups: dict[str, pl.DataFrame], record_id: str, kind: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(as decided, as billed): the first such line of each receipt with its fields; where there is no such line, the other's."""
    lines = cells(groups.get(record_id, _NO_LINES), kind, form, record_id)
    names = [name for name in lines.columns if name not in _LINE]
    if lines["is_corrected"].any():
        lines = lines.sort("rid", "position")

    def first(by: str) -> pl.DataFrame:
        found = lines.filter(pl.col(by)).unique("rid", keep="first", maintain_order=True)
        if found.height < lines.height:
            others = lines.join(found, on="rid", how="anti", maintain_order="left").unique("rid", keep="first", maintain_order=True)
            found = pl.concat([found, others]) if others.height else found
        return found.select("rid", *names)

    billed = first("is_sent")
    decided = first("is_decided") if lines["is_corrected"].any() else billed
    return decided, billed.rename({name: f"{name}_sent" for name in names})


_LINE = (
    "file_no", "rid", "line_no", "receipt_seq", "record_type", "position", "slot", "is_sent", "is_decided", "is_corrected", "rule",
    "detail", "is_ended",
)  # fmt: skip


_NO_LINES = pl.DataFrame(
    schema={
        "rid": pl.UInt32, "file_no": pl.UInt32, "line_no": pl.UInt32, "position": pl.UInt32, "is_sent": pl.Boolean,
        "is_decided": pl.Boolean, "is_corrected": pl.Boolean, "line": pl.String,
    }
)  # fmt: skip


def _with_provider(
    claims: pl.DataFrame, groups: dict[str, pl.DataFrame], providers: pl.DataFrame, kind: str, form: str
) -> pl.DataFrame:  # fmt: skip
    """Adds `facility_code`, `facility_name` of IR (医科, DPC, 歯科) or YK (調剤): of the receipt, else of its file."""
    of_receipt = provider_lines(groups, kind, form).unique("rid", keep="first", maintain_order=True)
    if form == "insurer":
        return claims.join(of_receipt.select("rid", "facility_code", "facility_name"), on="rid", how="left", maintain_order="left")
    return claims.join(providers, on="file_no", how="left", maintain_order="left")


def provider_lines(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """rid, file_no, facility_code (10 digits), facility_name of the provider lines that are decided."""
    found = [pl.DataFrame(schema={"rid": pl.UInt32, "file_no": pl.UInt32, "facility_code": pl.String, "facility_name": pl.String})]
    for record_id in PROVIDERS:
        if record_id in groups:
            lines = cells(groups[record_id].filter(pl.col("is_decided")), kind, form, record_id)
            code = pl.concat_str("prefecture", "fee_table", "institution_code")
            found.append(lines.select("rid", "file_no", facility_code=code, facility_name="institution_name"))
    return pl.concat(found)


def _copay_info(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    lines = cells(groups.get("MF", _NO_LINES).filter(pl.col("is_decided")), kind, form, "MF")
    return lines.unique("rid", keep="first", maintain_order=True).select("rid", "copay_info_class")


def _branch(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """枝番: of the eligibility check as sent, else as the review body confirmed it."""
    lines = cells(groups.get("SN", _NO_LINES), kind, form, "SN").filter(pl.col("branch_no").is_not_null())
    return (
        lines.sort("rid", pl.col("is_decided").not_(), "line_no")
        .unique("rid", keep="first", maintain_order=True)
        .select("rid", "branch_no")
    )


def _management(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """検索番号 and 管理番号 of the receipt, address of the facility (MN)."""
    lines = cells(groups.get("MN", _NO_LINES), kind, form, "MN").unique("rid", keep="first", maintain_order=True)
    return lines.select("rid", own_search_no="reserved_1", management_no="receipt_management_no", facility_address="institution_address")


def _returned(groups: dict[str, pl.DataFrame], kind: str, form: str) -> pl.DataFrame:
    """検索番号 that the reason of a return (HR) names."""
    lines = cells(groups.get("HR", _NO_LINES), kind, form, "HR").unique("rid", keep="first", maintain_order=True)
    return lines.select("rid", returned_search_no="search_no")


def _columns() -> dict[str, pl.Expr]:
    last_digit = pl.col("receipt_type").str.slice(-1)
    is_public = pl.col("receipt_type").str.slice(1, 1) == PUBLIC_ONLY
    is_return = pl.col("sent") == RETURNED
    return {
        "service_month": to_month(pl.col("treatment_month")),
        "prescriber_facility_code": pl.concat_str("prescriber_prefecture", "prescriber_fee_table", "prescriber_institution_code"),
        "person_id1": pl.col("insured_number"),
        "person_id2_kana": pl.col("patient_name_kana"),
        "person_id2_kanji": pl.col("patient_name"),
        "workplace_id": pl.col("insured_symbol"),
        "birth_month": to_month(pl.col("birth_date")),
        "benefit_rate": number("benefit_rate").cast(pl.Int32, strict=False),
        "copay_amount_yen": number("copay_amount"),
        "admission_date": to_date(pl.col("admission_date")),
        "facility_name": pl.col("facility_name"),
        "prescriber_name": pl.col("prescriber_institution_name"),
        "prescriber_address": pl.col("prescriber_institution_address"),
        "setting": pl.when(last_digit.is_in(list("13579"))).then(pl.lit("inpatient")).otherwise(pl.lit("outpatient")),  # 別表5: odd = 入院
        "beneficiary_class": pl.when(~is_public).then(last_digit.replace_strict(BENEFICIARY_CLASS, default=None)),
        "state": pl.when(pl.col("is_corrected").fill_null(False)).then(pl.lit("corrected")).otherwise(pl.lit("billed")),
        "has_dialysis": pl.col("has_dialysis").fill_null(False),
        "points_of_lines": pl.when(pl.col("has_dialysis").is_null()).then(0).otherwise("points_of_lines"),
        "known_from_claim_month": pl.col("claim_month"),
        "known_to_claim_month": pl.lit(STILL),
        "event": pl.when(is_return).then(pl.lit("return")).otherwise(pl.lit("claim")),
        # a return bears the 検索番号 of what it returns
        "refers_search_no": pl.when(is_return)
        .then(pl.coalesce("search_no", "returned_search_no", "own_search_no"))
        .otherwise(pl.col("search_no")),
        "search_no": pl.when(~is_return).then(pl.coalesce("own_search_no", pl.format("{}/{}", "claim_month", "management_no"))),
        "is_reclaim": ~is_return & (pl.col("search_no").is_not_null() | pl.col("has_state_before")),
    }


def _header_parts() -> dict[str, pl.Expr]:
    prescriber = ("prescriber_prefecture_sent", "prescriber_fee_table_sent", "prescriber_institution_code_sent")
    return {
        "insurer": pl.col("insurer_number_sent"),
        "facility": pl.col("facility_code"),
        "kind": pl.col("claim_kind"),
        "receipt_type": pl.col("receipt_type_sent"),
        "service_month": to_month(pl.col("treatment_month_sent")).cast(pl.String),
        "prescriber": pl.concat_str(*prescriber),
        "admission": to_date(pl.col("admission_date_sent")).cast(pl.String),
    }


def _key(parts: pl.DataFrame) -> pl.Series:
    """32 hex digits of the parts as sent."""
    texts = parts.select(text=pl.concat_str(pl.all().fill_null(""), separator=SEPARATOR))
    return texts.select(plh.col("text").chash.sha2_256().str.slice(0, 32)).to_series()


def age(month: pl.Expr, birth_month: pl.Expr) -> pl.Expr:
    """Completed years at the end of a month: a birthday of that month is reached."""
    return (_months(month) - _months(birth_month)) // 12


def _months(month: pl.Expr) -> pl.Expr:
    return month // 100 * 12 + month % 100
