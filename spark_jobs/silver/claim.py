"""silver.claim: one row per claim, as billed and as decided.

The key of a claim comes from what the provider sent, so that the claim form and the insurer form of one claim have the same key.
"""

from itertools import chain

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from spark_jobs.claim_format.codes import BENEFICIARY_CLASS
from spark_jobs.silver import claim_payer
from spark_jobs.silver.cell import cell
from spark_jobs.silver.japanese_date import to_date, to_month
from spark_jobs.silver.receipt import field, lines_of

STILL = 999912  # until further notice
PUBLIC_ONLY = "2"  # second digit of レセプト種別 (別表5)
SEPARATOR = "\u001f"
USED_LATER = ("SY", "SB", "IY", "CD", "CZ")


def read(receipts: DataFrame, providers: DataFrame | None) -> DataFrame:
    """Receipts with the columns of `silver.claim` but the key; `billed_key` and `content`, of the lines as sent, say which it is."""
    if providers is None:
        receipts = receipts.withColumn("file_provider", f.lit(None).cast("array<string>"))
    else:
        receipts = receipts.join(f.broadcast(providers), "file_no", "left")

    def first(record_id: str, state: str) -> Column:
        return f.get(lines_of(record_id, state), f.lit(0))

    def decided(record_id: str) -> Column:
        return f.coalesce(first(record_id, "is_decided"), first(record_id, "is_sent"))

    def billed(record_id: str) -> Column:
        return f.coalesce(first(record_id, "is_sent"), first(record_id, "is_decided"))

    headers = receipts.withColumns(
        {
            **{record_id.lower(): decided(record_id) for record_id in ("RE", "HO", "MF", "SN")},
            **{f"billed_{record_id.lower()}": billed(record_id) for record_id in ("RE", "HO")},
            "confirmed_sn": f.get(f.filter("lines", lambda x: (x.record_type == "SN") & ~x.is_sent & ~x.is_decided), f.lit(0)),
            "mn": f.get(f.filter("lines", lambda x: x.record_type == "MN"), f.lit(0)),
            "provider": f.coalesce(decided("IR")["cells"], decided("YK")["cells"], f.col("file_provider")),
            "payers": claim_payer.payers(),
        }
    )
    return headers.withColumns(_from_headers()).withColumns(_from_columns())


def _provider(name: str) -> Column:
    """A field of IR (医科) or YK (調剤)."""
    cells, kind = f.col("provider"), f.col("claim_kind")
    return f.coalesce(cell(cells, kind, "IR", name), cell(cells, kind, "YK", name))


def _from_headers() -> dict[str, Column]:
    re, ho, billed_re, billed_ho = f.col("re"), f.col("ho"), f.col("billed_re"), f.col("billed_ho")
    payer = f.get("payers", f.lit(0))
    prescriber = (field(re, "RE", f"prescriber_{name}") for name in ("prefecture", "fee_table", "institution_code"))
    billed_prescriber = (field(billed_re, "RE", f"prescriber_{name}") for name in ("prefecture", "fee_table", "institution_code"))
    return {
        "insurer_number": field(ho, "HO", "insurer_number"),
        "service_month": to_month(field(re, "RE", "treatment_month")),
        "receipt_type": field(re, "RE", "receipt_type"),
        "facility_code": f.concat(*(_provider(name) for name in ("prefecture", "fee_table", "institution_code"))),
        "prescriber_facility_code": f.concat(*prescriber),
        "person_id1": field(ho, "HO", "insured_number"),
        "person_id2_kana": field(re, "RE", "patient_name_kana"),
        "person_id2_kanji": field(re, "RE", "patient_name"),
        "workplace_id": field(ho, "HO", "insured_symbol"),
        "branch_no": f.coalesce(field(f.col("sn"), "SN", "branch_no"), field(f.col("confirmed_sn"), "SN", "branch_no")),
        "sex": field(re, "RE", "sex"),
        "birth_month": to_month(field(re, "RE", "birth_date")),
        "benefit_rate": field(re, "RE", "benefit_rate").try_cast("int"),
        "special_notes": field(re, "RE", "special_notes"),
        "copay_amount_yen": field(ho, "HO", "copay_amount").try_cast("decimal(18,0)"),
        "copay_class": field(re, "RE", "copay_class"),
        "copay_info_class": field(f.col("mf"), "MF", "copay_info_class"),
        "treatment_days": payer["treatment_days"],
        "admission_date": to_date(field(re, "RE", "admission_date")),
        "points_billed": payer["points_billed"],
        "points_decided": payer["points_decided"],
        "facility_name": _provider("institution_name"),
        "facility_address": field(f.col("mn"), "MN", "institution_address"),
        "prescriber_name": field(re, "RE", "prescriber_institution_name"),
        "prescriber_address": field(re, "RE", "prescriber_institution_address"),
        "billed_key": _joined(
            field(billed_ho, "HO", "insurer_number"),
            f.concat(*(_provider(name) for name in ("prefecture", "fee_table", "institution_code"))),
            f.col("claim_kind"),
            field(billed_re, "RE", "receipt_type"),
            to_month(field(billed_re, "RE", "treatment_month")).cast("string"),
            f.coalesce(
                field(billed_ho, "HO", "insured_number"),
                field(billed_re, "RE", "patient_name_kana"),
                field(billed_re, "RE", "patient_name"),
            ),
            f.concat(*billed_prescriber),
            to_date(field(billed_re, "RE", "admission_date")).cast("string"),
        ),
        "content": f.xxhash64(
            f.transform("payers", lambda x: f.struct(x.payer_number, x.treatment_days, x.points_billed)),
            f.transform(
                f.filter("lines", lambda x: x.is_sent & x.record_type.isin(*USED_LATER)),
                lambda x: f.rtrim(f.array_join(x.cells, ","), f.lit(",")),  # the claim form may leave out empty fields at the end
            ),
        ),
        "lines": f.filter("lines", lambda x: x.is_decided & x.record_type.isin(*USED_LATER)),
    }


def _from_columns() -> dict[str, Column]:
    last_digit = f.right("receipt_type", f.lit(1))
    is_public = f.substring("receipt_type", 2, 1) == PUBLIC_ONLY
    classes = f.create_map(*(f.lit(part) for part in chain.from_iterable(BENEFICIARY_CLASS.items())))
    return {
        "setting": f.when(last_digit.isin(*"13579"), "inpatient").otherwise("outpatient"),  # 別表5: odd = 入院
        "beneficiary_class": f.when(~is_public, f.try_element_at(classes, last_digit)),
        "age": age(f.col("service_month"), f.col("birth_month")),
        "state": f.when(f.col("is_corrected"), "corrected").otherwise("billed"),
        "is_public_payer_only": f.col("insurer_number").isNull(),
        "known_from_claim_month": f.col("claim_month"),
        "known_to_claim_month": f.lit(STILL),
    }


def age(month: Column, birth_month: Column) -> Column:
    """Completed years at the end of a month: a birthday of that month is reached."""
    return f.floor((_months(month) - _months(birth_month)) / 12).cast("int")


def _months(month: Column) -> Column:
    return f.floor(month / 100) * 12 + month % 100


def _joined(*parts: Column) -> Column:
    return f.concat_ws(SEPARATOR, *(f.coalesce(part, f.lit("")) for part in parts))


def identify(claims: DataFrame) -> DataFrame:
    """Adds `claim_key`, and `is_first` for the delivery of a claim that counts.

    Equal receipts of one file are told apart by content, not by place, so that neither order nor form of the deliveries changes a key.
    """
    equal = Window.partitionBy("billed_key", "file_no").orderBy("content", "receipt_seq")
    deliveries = Window.partitionBy("billed_key", "ordinal").orderBy(precedence())
    return (
        claims.repartition("billed_key")
        .withColumn("ordinal", f.row_number().over(equal))
        .withColumn("is_first", f.row_number().over(deliveries) == 1)
        .withColumn("claim_key", f.substring(f.sha2(f.concat_ws(SEPARATOR, "billed_key", f.col("ordinal").cast("string")), 256), 1, 32))
        .drop("billed_key", "content", "ordinal")
    )


def precedence() -> Column:
    """Which delivery of the same claim counts: the smaller one: first known, insurer form before claim form, then by file."""
    return f.struct("known_from_claim_month", (f.col("claim_form") != "insurer").alias("is_claim_form"), "file_sha256", "depositor_number")
