"""Which fields of a line silver reads, and which columns they make: the one list of both. docs/receipt_fields.md is made from it.

Fields go by their names in `record_layouts.csv`; where kinds of claims name the same thing differently, the names stand side by side.
"""

import polars as pl

from spark_jobs.claim_format import cell, codes, layouts

FACILITY = {
    "prefecture": ("claim.facility_code", "facility.prefecture_code"),
    "fee_table": ("claim.facility_code", "facility.fee_table"),
    "institution_code": ("claim.facility_code",),
    "institution_name": ("facility.facility_name",),
}
PAYER = {
    "treatment_days|prescription_count": ("claim.treatment_days", "claim_payer.treatment_days"),
    "total_points": ("claim.points_billed", "claim.points_decided", "claim_payer.points_billed", "claim_payer.points_decided"),
}
DIAGNOSIS = {
    "disease_code": ("claim_diagnosis.disease_code",),
    "start_date": ("claim_diagnosis.start_date",),
    "outcome": ("claim_diagnosis.outcome",),
    "modifier_codes": ("claim_diagnosis.modifier_codes", "claim_diagnosis.is_suspected"),
    "disease_name": ("claim_diagnosis.is_suspected",),
    "main_disease": ("claim_diagnosis.is_main",),
}
READ: dict[str, dict[str, tuple[str, ...]]] = {
    "MN": {
        "receipt_management_no": ("claim_copy.search_no",),
        "reserved_1": ("claim.search_no", "claim_copy.search_no"),  # holds the 検索番号
        "institution_address": ("facility.facility_address",),
    },
    "IR": FACILITY,
    "YK": FACILITY,
    "UK": FACILITY,
    "HM": FACILITY,
    "RE": {
        "receipt_type": ("claim.receipt_type", "claim.setting", "claim.beneficiary_class"),
        "treatment_month": ("claim.service_month", "claim.age"),
        "patient_name": ("claim.person_id2_kanji", "person.person_id2_kanji"),
        "patient_name_kana": ("claim.person_id2_kana", "person.person_id2_kana"),
        "sex": ("claim.sex", "person.sex"),
        "birth_date": ("claim.birth_month", "claim.age", "person.birth_month"),
        "benefit_rate": ("claim.benefit_rate",),
        "admission_date": ("claim.admission_date",),
        "ward_class": ("claim_drug.bundle_kind",),
        "copay_class": ("claim.copay_class",),
        "special_notes": ("claim.special_notes",),
        "search_no": ("claim.reclaim_of_search_no", "claim_copy.refers_search_no"),
        "prescriber_prefecture": ("claim.prescriber_facility_code",),
        "prescriber_fee_table": ("claim.prescriber_facility_code",),
        "prescriber_institution_code": ("claim.prescriber_facility_code",),
        "prescriber_institution_name": ("facility.facility_name",),
        "prescriber_institution_address": ("facility.facility_address",),
        "summary_class": ("claim_drug.bundle_kind", "claim_payer.payer_order"),
    },
    "HO": {
        "insurer_number": ("claim.insurer_number", "claim_payer.payer_number"),
        "insured_symbol": ("claim.workplace_id", "person.workplace_id"),
        "insured_number": ("claim.person_id1", "person.person_id1"),
        **PAYER,
        "copay_amount": ("claim.copay_amount_yen", "claim_payer.copay_amount_yen"),
    },
    "KO": {
        "public_payer_number": ("claim_payer.payer_number", "claim_payer.law_number"),
        **PAYER,
        "public_copay_amount": ("claim_payer.copay_amount_yen",),
    },
    "SN": {"branch_no": ("claim.branch_no",)},
    "MF": {"copay_info_class": ("claim.copay_info_class",)},
    "SY": DIAGNOSIS,
    "HS": DIAGNOSIS,
    "SB": {
        "disease_code": ("claim_diagnosis.disease_code",),
        "modifier_codes": ("claim_diagnosis.modifier_codes", "claim_diagnosis.is_suspected"),
        "disease_name": ("claim_diagnosis.is_suspected",),
        "disease_class": ("claim_diagnosis.is_main",),
    },
    "SI": {
        "treatment_class": ("claim_procedure.treatment_class", "claim_drug.treatment_class"),
        "burden_class": ("claim_procedure.burden_class", "claim_procedure.is_paid_by_insurer"),
        "procedure_code": ("claim_procedure.procedure_code", "claim_drug.bundle_kind"),
        "quantity_data": ("claim_procedure.quantity",),
        "points": ("claim_procedure.points", "claim.points_of_lines"),
        "times": ("claim_procedure.times", "claim.points_of_lines"),
        "day_1": ("claim_procedure.first_date",),
    },
    "IY": {
        "treatment_class": ("claim_drug.treatment_class",),
        "burden_class": ("claim_drug.burden_class", "claim_drug.is_paid_by_insurer"),
        "drug_code": ("claim_drug.drug_code",),
        "quantity": ("claim_drug.quantity_claim_unit",),
        "points": ("claim.points_of_lines", "claim_drug.bundle_kind"),
        "times": ("claim_drug.quantity_claim_unit", "claim.points_of_lines"),
        "day_1": ("claim_drug.first_use_date",),
    },
    "TO": {
        "treatment_class": ("claim_drug.treatment_class",),
        "burden_class": (),
        "points": ("claim.points_of_lines",),
        "times": ("claim.points_of_lines",),
    },
    "CO": {"treatment_class": ("claim_drug.treatment_class", "claim_procedure.treatment_class")},
    "GT": {"bundled_total_points": ("claim.points_of_lines",)},
    "CD": {
        "performed_date": ("claim_drug.first_use_date", "claim_procedure.first_date"),
        "treatment_class": ("claim_drug.treatment_class", "claim_procedure.treatment_class"),
        "receipt_code": ("claim_drug.drug_code", "claim_procedure.procedure_code"),
        "quantity": ("claim_drug.quantity_claim_unit",),
        "quantity_data": ("claim_procedure.quantity",),
        "times": ("claim_drug.quantity_claim_unit", "claim_procedure.times"),
    },
    "CZ": {
        "dispensing_date": ("claim_drug.first_use_date", "claim_procedure.first_date"),
        "dispensed_quantity": ("claim_drug.quantity_claim_unit",),
        "drug_points": ("claim.points_of_lines",),
    },
    "KI": {"charge_date": ("claim_procedure.first_date",)},
    "ST": {"split_target_points": ("claim.points_of_lines",), "split_result_points": ("claim.points_of_lines",)},
    "SS": {
        "treatment_class": ("claim_procedure.treatment_class",),
        "burden_class": ("claim_procedure.burden_class",),
        "procedure_code": ("claim_procedure.procedure_code",),
        "points": ("claim_procedure.points", "claim.points_of_lines"),
        "times": ("claim_procedure.times", "claim.points_of_lines"),
    },
    "HR": {"search_no": ("claim_copy.refers_search_no",)},
    "MK": {
        "processing_month": ("claim_review.processing_month",),
        "review_result": ("claim_review.result_code", "claim_review.effect"),
    },
    "JY": {
        "correction_class": ("claim.state",),
        "target_row_no": ("claim.state",),
        "target_branch_no": ("claim.state",),
        "after_row_no": ("claim.state",),
        "after_branch_no": ("claim.state",),
    },
}
FEES = {  # codes and points of 調剤: each a row of claim_procedure
    "CZ": {
        "dispensing_fee": ("dispensing_fee_code", "dispensing_fee_points"),
        **{f"addition_{n}": (f"addition_{n}_code", f"addition_{n}_points") for n in range(1, 11)},
        "support_fee2": ("support_fee2_code", "support_fee2_points"),
        "management_fee": ("management_fee_code", "management_fee_points"),
        "after_hours": ("after_hours_code", "after_hours_points"),
    },
    "KI": {
        "base_fee": ("base_fee_code", "base_fee_points"),
        **{f"pharm_fee_{n}": (f"pharm_fee_{n}_code", f"pharm_fee_{n}_points") for n in range(1, 13)},
        **{f"remark_pharm_fee_{n}": (f"remark_pharm_fee_{n}_code", f"remark_pharm_fee_{n}_points") for n in range(1, 4)},
        **{f"base_fee_addition_{n}": (f"base_fee_addition_{n}_code", f"base_fee_addition_{n}_points") for n in range(1, 11)},
    },
}
OF_FEE = ("claim_procedure.procedure_code",), ("claim_procedure.points", "claim.points_of_lines")
for _record, _fees in FEES.items():
    for _code, _points in _fees.values():
        READ[_record] |= {_code: OF_FEE[0], _points: OF_FEE[1]}

USED: dict[tuple[str, str, str], tuple[str, ...]] = {  # (kind of claim, record, field) → columns of silver
    (kind, record_id, name): columns
    for kind in layouts.SILVER_KINDS
    for record_id, record in layouts.records(kind).items()
    for names, columns in READ.get(record_id, {}).items()
    for name in names.split("|")
    if name in {field.name_en for field in record.fields}
}


def cells(lines: pl.DataFrame, claim_kind: str, claim_form: str, record_id: str) -> pl.DataFrame:
    """The lines of one record with their READ fields as columns (`claim_format.cell`); 保険者番号 in its one form."""
    found = cell.cells(lines, claim_kind, claim_form, record_id, READ[record_id])
    return found.with_columns(codes.insurer_number(pl.col("insurer_number"))) if record_id == "HO" else found
