"""訪問看護 receipts in the insurer form: yen, no drugs. They reach bronze only, so the truth counts receipts and lines, no amounts.

The layout of MN is known to its second field, so these have no 検索番号 and are never returned.
"""

from spark_jobs.synthetic.lines import template
from spark_jobs.synthetic.visits import NursingVisit
from spark_jobs.synthetic.written import Ask, Written, add_checks, open_receipt, payer_number, receipt_type

KIND = "nur"
RE = template(
    KIND, "RE", "receipt_no", "receipt_type", "treatment_month", "patient_name", "patient_name_kana", "sex", "birth_date", "chart_no"
)
HO = template(KIND, "HO", "insurer_number", "insured_symbol", "insured_number", "treatment_days", "total_amount")
KO = template(KIND, "KO", "public_payer_number", "recipient_number", "treatment_days", "total_amount")
IH = template(KIND, "IH", "prefecture", "fee_table", "institution_code", "institution_name", "doctor_name")
HJ = template(KIND, "HJ", "order_from", "order_to", order_class="01")
JS = template(KIND, "JS", "condition_text")
SY = template(KIND, "SY", "disease_code", "disease_name")
RJ = template(KIND, "RJ", "visits_from", place_1_code="01")
KA = template(KIND, "KA", "charge_date", "burden_class", "nursing_code", "amount")
FEES = (("599990001", 5550), ("599990002", 7670))  # 基本療養費, 管理療養費: invented


def write(ask: Ask, visit: NursingVisit) -> Written:
    """One 訪問看護 receipt."""
    person, receipt, days = ask.person, open_receipt(KIND, visit.facility, ask), sorted(visit.days)
    style, burden = visit.facility.style, visit.burden(bool(visit.laws))
    total = sum(yen for _, yen in FEES) * len(days)
    kind = receipt_type("6", person, ask.service_month, visit, is_inpatient=False)
    kana, chart_no = person.kana_as_written(style), person.chart_at(visit.facility)
    receipt.add(
        RE(person.person_no % 1000 + 1, kind, ask.month(ask.service_month), person.name, kana, person.sex, ask.day(person.born), chart_no)
    )
    symbol, insured_number = person.symbol_as_written(style), person.number_as_written(style)
    receipt.add(HO(f"{person.insurer_number:>8}", symbol, insured_number, len(days), total))
    for law in visit.laws:
        receipt.add(KO(payer_number(law, person.prefecture), person.recipient_no, len(days), total))
    add_checks(receipt, ask, visit, visit.days, "00")
    doctor = visit.doctor
    receipt.add(IH(doctor.prefecture, doctor.facility_code[2], doctor.institution_code, doctor.name_ja, doctor.doctors[0]))
    receipt.add(HJ(ask.on(days[0]), ask.on(28)))
    receipt.add(JS(f"{person.name}様の状態は安定している。"))
    for disease in visit.diseases:
        receipt.add(SY(disease.code, disease.name_ja))
    receipt.add(RJ(ask.on(days[0])))
    for day in days:
        for code, yen in FEES:
            receipt.add(KA(ask.on(day), burden, code, yen))
    return Written(receipt.close(ask.claim_month), receipt.lines, 0, 0, False, [])
