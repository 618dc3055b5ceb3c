"""Silver from bronze, by hand-written receipts: one batch for what a file holds, a few more for order of arrival and repetition."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import pytest
from bronze_rows import DEPOSITOR, Receipts

from spark_jobs import ingest, tables
from spark_jobs.claim_format import layouts
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.silver import batch

KIND = {"MN": "med", "JY": "med"}
SILVER = (*tables.SILVER_OF_FILE, tables.PERSON, tables.FACILITY)

EXAMPLE = """\
2,1,0,MN,900000123,東京都千代田区見本町一丁目,13150606900000123,,,
1,2,0,IR,1,13,1,9900013,,見本クリニック,202406,00,
1,3,0,RE,1,1112,202405,見本　花子,2,19800402,,,,,,,M-0001,,,,,,,,,,,,,,,,,,,,,,,ミホンハナコ,
1,4,0,HO,06990014,見本,１２３４５,1,491,,,,,,,,,
1,5,0,SY,0000999,20240510,1,,見本傷病,01,
1,6,0,SI,11,1,199990001,,288,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
1,7,0,IY,21,1,699990001,3,,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,8,0,IY,,1,699990002,1.5,12,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,9,0,IY,23,1,699990003,20,35,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
2,10,0,HO,06990014,見本,１２３４５,1,456,,,,,,,,,
2,11,0,JY,2,4,0,,,10,0,
2,12,0,JY,3,9,0,,B,,,
2,13,1,EX,,,,,,,,,,,,1:202406:
2,14,0,RC,Ver0000100112233445566778899aabbccddeeff
"""


def med(record: str, **values) -> list[str]:
    return layouts.record("med", record).line(**values)


def pha(record: str, **values) -> list[str]:
    return layouts.record("pha", record).line(**values)


def re(n: int, **values) -> list[str]:
    given = {"receipt_type": "1112", "treatment_month": "202410", "patient_name": f"見本　{n}", "sex": "2", "birth_date": "19800402"}
    return med("RE", receipt_no=n, **given | values)


def ho(n: int, points: int, **values) -> list[str]:
    return med("HO", insurer_number="  " + DEPOSITOR[:6] if n == 0 else DEPOSITOR, insured_symbol="見本", insured_number=n, treatment_days=1,
               total_points=points, **values)  # fmt: skip


def si(treatment_class: str, points: object, **values) -> list[str]:
    return med(
        "SI",
        **{"treatment_class": treatment_class, "burden_class": "1", "procedure_code": "199990001", "points": points, "times": 1} | values,
    )


def iy(treatment_class: str, code: str, quantity: object, times: object = 1, points: object = "", **values) -> list[str]:
    given = {
        "treatment_class": treatment_class,
        "burden_class": "1",
        "drug_code": code,
        "quantity": quantity,
        "times": times,
        "points": points,
    }
    return med("IY", **given | values)


def jy(kind: int, target: object = "", after: object = "") -> list[str]:
    return med("JY", correction_class=kind, target_row_no=target, target_branch_no=0, after_row_no=after, after_branch_no=0)


PROVIDER = med(
    "IR",
    review_body="1",
    prefecture="13",
    fee_table="1",
    institution_code="9900013",
    institution_name="見本クリニック",
    claim_month="202411",
)
PHARMACY = pha(
    "YK", review_body="1", prefecture="13", fee_table="4", institution_code="9900021", institution_name="見本薬局", claim_month="202411"
)


def insurer_form(*receipts: list[list[str]], provider: list[str] = PROVIDER) -> str:
    """Each line gets its prefix; MN, JY and lines that begin with a number of their own (データ識別) are not of the provider."""
    lines = []
    for receipt in receipts:
        number = crc32(str(receipt).encode())  # 管理番号: a receipt has its own
        body = [med("MN", receipt_management_no=number, institution_address="東京都"), provider, *receipt]
        for row, cells in enumerate(body, start=1):
            data_id, cells = (cells[0], cells[1:]) if cells[0].isdigit() else ("2" if cells[0] in ("MN", "JY") else "1", cells)
            lines.append(",".join([data_id, str(row), "0", *cells]))
    return "\n".join(lines) + "\n"


def claim_form(*receipts: list[list[str]], provider: list[str] = PROVIDER) -> str:
    """Lines of the provider, empty fields at the end left out as some senders do."""
    lines = [",".join(cells).rstrip(",") for cells in [provider, *(line for receipt in receipts for line in receipt)]]
    return "\n".join(lines) + f"\nGO,{len(receipts)},0,99\n"


# receipts of the insurer-form file, by receipt_seq: rows count from 1 = MN, 2 = IR, 3 = RE
CORRECTED = [
    re(1), ho(1, 500),  # rows 3, 4
    iy("21", "699990001", "1", 1, 10), iy("", "699990002", "2", 5, 20),  # rows 5, 6
    ["2", *ho(1, 400)], ["2", *ho(1, 130)],  # rows 7, 8: HO corrected, and corrected again
    ["2", *iy("", "699990003", "4", 1, 5)], ["2", *iy("33", "699990004", "8", 1, 15)],  # rows 9, 10: added
    ["3", *iy("21", "699990005", "16", 1, 999)], ["12", *iy("21", "699990006", "16", 1, 999)],  # of a re-review and a re-claim: not read
    jy(2, 4, 7), jy(2, 7, 8), jy(1, 5, 9), jy(1, "", 10), jy(3, 99), jy(2, 98, 10),
]  # fmt: skip
CARRIED = [
    re(2, special_notes="2629", benefit_rate="70", copay_class="1"), ho(2, 100, copay_amount=1500),
    med("SN", payer_kind="1", verification_class="01", branch_no="02"), med("MF", copay_info_class="01"),
    med("CO", treatment_class="22", burden_class="1", comment_code="810000001", comment_text="x"),
    iy("", "620098801", "0.5", 2, 40, day_9="1", day_12="1"),
    iy("", "799990001", "1", 1, 20), iy("", "699990009", "", 1, ""),
    si("97", 690), si("", 200),  # meals: yen, and what stands below them is "as above"
]  # fmt: skip
DELETED_HEAD = [re(3), ho(3, 30), iy("21", "699990001", "1", 1, ""), iy("", "699990002", "1", 3, 10), jy(3, 5)]
PUBLIC = [
    re(4, receipt_type="1212"),
    med("KO", public_payer_number="51130010", recipient_number="0000001", treatment_days=3, total_points=288, public_copay_amount=500),
    si("11", 288, burden_class="5"), iy("", "699990001", "1", 1, "", burden_class="5"),
]  # fmt: skip
SUSPECTED = [
    re(5), ho(5, 0), med("KO", public_payer_number="83136019", treatment_days=1, total_points=7),
    med("SY", disease_code="2500013", start_date="5060801", outcome="1", modifier_codes="10818002", main_disease="01"),
    med("SY", disease_code="2500013", start_date="20241001", outcome="1", modifier_codes="10800210"),
    med("SY", disease_code="0000999", start_date="20241001", outcome="1", disease_name="見本病の疑い"),
    med("SY", disease_code="0000999", start_date="20241001", outcome="1", disease_name="見本病"),
]  # fmt: skip
INPATIENT = [
    re(6, receipt_type="1117", birth_date="3250110", treatment_month="50610", admission_date="5061003"), ho(6, 1000),
    si("90", 1000), iy("33", "699990001", "1", 1, ""), si("40", "", procedure_code="140001010"),
]  # fmt: skip
DIALYSIS = [re(7), ho(7, 2000), si("40", 2000, procedure_code="140057810"), iy("", "699990001", "1", 1, "")]
MED = [CORRECTED, CARRIED, DELETED_HEAD, PUBLIC, SUSPECTED, INPATIENT, DIALYSIS]


def pha_re(n: int, prescriber_name: str = "見本病院") -> list[str]:
    return pha("RE", receipt_no=n, receipt_type="4116", treatment_month="202410", patient_name="見本　薬", sex="1", birth_date="20100101",
               prescriber_prefecture="13", prescriber_fee_table="1", prescriber_institution_code="9900039",
               prescriber_institution_name=prescriber_name, patient_name_kana="ミホンヤク")  # fmt: skip


def cz(day: str, quantity: int, points: int, **values) -> list[str]:
    return pha("CZ", dispensing_date=day, dispensed_quantity=quantity, dispensing_fee_points=24, drug_points=points, **values)


def pha_ho(points: int) -> list[str]:
    return pha("HO", insurer_number=DEPOSITOR, insured_symbol="見本", insured_number="P1", prescription_count=2, total_points=points)


TWO_DISPENSINGS = [
    pha_re(1), pha_ho(24 + 60 + 24 + 28 + 24 + 12 + 90),
    pha("SH", prescription_no="01", dosage_form="1", unit_drug_points="4"), cz("20241021", 15, 60), cz("20241007", 7, 28),
    pha("IY", burden_class="1", drug_code="699990001", quantity="1.5"), pha("IY", burden_class="5", drug_code="699990002", quantity=""),
    pha("SH", prescription_no="02", dosage_form="5", unit_drug_points="12"), cz("20241007", 1, 12),
    pha("IY", burden_class="2", drug_code="699990001", quantity="10"),
    pha("KI", charge_date="20241007", base_fee_points=42, pharm_fee_1_points=45, base_fee_addition_2_points=3),
]  # fmt: skip
NEWER_FEES = [
    pha_re(2), pha_ho(100), pha("SH", prescription_no="01", dosage_form="1"), cz("20241007", 1, 12, management_fee_points=60),
    pha("IY", burden_class="1", drug_code="699990001", quantity="1"),
]  # fmt: skip


def dpc(record: str, **values) -> list[str]:
    return layouts.record("dpc", record).line(**values)


def dpc_block(summary_class: int, person: int, points: int, *lines: list[str], **payer) -> list[list[str]]:
    header = dpc("RE", receipt_no=person, receipt_type="1111", treatment_month="202410", patient_name=f"見本　{person}", sex="1",
                 birth_date="19700101", admission_date="20241002", summary_class=summary_class)  # fmt: skip
    return [header, dpc("HO", insurer_number=DEPOSITOR, insured_symbol="見本", insured_number=f"D{person}", treatment_days=9,
                        total_points=points, **payer), *lines]  # fmt: skip


def sb(disease_class: str, code: str, **values) -> list[str]:
    return dpc("SB", disease_class=disease_class, disease_code=code, icd10_code="C509", **values)


def gt(points: int, adjustment_class: int = 2) -> list[str]:
    return dpc("GT", treatment_month="202410", claim_adjustment_class=adjustment_class, own_insurance_class=1, bundled_sum_points=1,
               bundled_points=1, bundled_total_points=points if adjustment_class == 2 else "", treatment_class="93")  # fmt: skip


def cd(day: int, treatment_class: str, code: str, quantity: object = "", times: int = 1) -> list[str]:
    return dpc("CD", performed_date=f"202410{day:02}", treatment_class=treatment_class, sequence_no=1, detail_no=1, receipt_code=code,
               quantity=quantity, times=times)  # fmt: skip


DPC_ALONE = dpc_block(
    0, 1, 5000,
    dpc("BU", dpc_code="090010xx02x0xx", current_admission_date="20241002"), sb("01", "8830417"), sb("11", "8830417"),
    sb("21", "0000999", disease_name="見本病の疑い"), dpc("KK", admission_urgency=1),
    dpc("GA", treatment_month="202410", claim_adjustment_class=2, leave_days="0" * 31, hospital_coefficient="1.4000"),
    dpc("HH", treatment_month="202410", claim_adjustment_class=2, stay_period=1, stay_period_points=333, stay_days=9,
        bundled_subtotal_points=2997),
    gt(700, adjustment_class=1), gt(3000),
    si("50", 1500), iy("", "699990001", "2", 1, 500),
    cd(3, "33", "699990002", "1.5", 3), cd(4, "33", "699990001", "1"), cd(4, "50", "199990001"), cd(4, "50", "699990001", "2"),
    cd(5, "50", "799990001", "1"),
)  # fmt: skip
DPC_WITH_DETAILS = [
    *dpc_block(1, 2, 9000, dpc("KO", public_payer_number="54136015", treatment_days=9, total_points=9000), copay_amount=57600),
    *dpc_block(3, 2, 3000, dpc("KO", public_payer_number="54136015", treatment_days=2, total_points=3000),
               med("SY", disease_code="8830417", start_date="20241002", outcome="1", main_disease="01"),
               si("90", 2500), iy("33", "699990003", "1", 2, 250, day_2="1", day_3="1"), si("97", 690)),
    *dpc_block(2, 2, 6000, dpc("KO", public_payer_number="54136015", treatment_days=7, total_points=6000),
               dpc("BU", dpc_code="090010xx02x0xx", current_admission_date="20241004"), sb("11", "8830417"), gt(6000),
               cd(6, "33", "699990002", "1")),
]  # fmt: skip
DPC_REVIEWED = [  # rows 3 to 6, then what the review body added
    *dpc_block(0, 3, 4200, gt(4000), si("50", 200)),
    ["2", *dpc_block(0, 3, 4100)[1]], ["2", *si("50", 100)], jy(2, 4, 7), jy(2, 6, 8),
]  # fmt: skip


@pytest.fixture(scope="module")
def silver(held, write_silver, empty_lake):
    """Rows of one batch: the example of §4.8, the receipts above, and the UKE sample if it is here."""
    empty_lake()
    sample = Path(__file__).parents[4] / "shared/reference/samples/RECEIPTC_GAIRAI_SAMPLE.UKE"
    uke = sample.read_bytes().replace(b"\x1a", b"").decode("cp932") if sample.exists() else None
    files = {
        "example": Receipts(EXAMPLE, claim_month=202406, depositor="06990014"),
        "med": Receipts(insurer_form(*MED)),
        "pha": Receipts(insurer_form(TWO_DISPENSINGS, NEWER_FEES, provider=PHARMACY), kind="pha"),
        "dpc": Receipts(insurer_form(DPC_ALONE, DPC_WITH_DETAILS, DPC_REVIEWED), kind="dpc"),
    }
    if uke:
        files["uke"] = Receipts(uke, form="claim", claim_month=202111)
    write_silver(files.values())
    name = {x.file.file_sha256: key for key, x in files.items()}
    place, found = {}, SimpleNamespace(claim={}, names=set(files))
    for row in held("silver.claim"):
        place[row.claim_key] = (name[row.file_sha256], row.receipt_seq)
        found.claim[place[row.claim_key]] = row
    for table in ("claim_drug", "claim_diagnosis", "claim_payer"):
        rows = defaultdict(list)
        for row in sorted(held(f"silver.{table}"), key=attrgetter(*tables.BY_NAME[f"silver.{table}"].key)):
            rows[place[row.claim_key]].append(row)
        setattr(found, table, rows)
    found.finding = {(name[row.file_sha256], row.rule): row for row in held("landing.delivery_finding")}
    found.facility = {row.facility_code: row for row in held("silver.facility")}
    found.person = {row.person_id1: row for row in held("silver.person")}
    return found


def amounts(rows) -> dict[str, Decimal | None]:
    return {row.drug_code: row.quantity_claim_unit for row in rows}


def test_the_example_of_the_format_comes_out_with_its_corrected_total(silver):
    claim = silver.claim["example", 1]
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines, claim.state) == (491, 456, 456, "corrected")
    assert amounts(silver.claim_drug["example", 1]) == {"699990001": 42, "699990002": 21}
    assert [row.first_use_date for row in silver.claim_drug["example", 1]] == [date(2024, 5, 10)] * 2
    assert (claim.insurer_number, claim.service_month, claim.claim_month) == ("06990014", 202405, 202406)
    assert (claim.facility_code, claim.setting, claim.beneficiary_class, claim.age) == ("1319900013", "outpatient", "本人", 44)
    assert (claim.known_from_claim_month, claim.known_to_claim_month, claim.is_public_payer_only) == (202406, 999912, False)
    assert claim.person_id1 == "id1:１２３４５:19800402-2" and claim.workplace_id == "workplace:見本"


def test_jy_adds_replaces_in_a_chain_and_reports_missing_targets(silver):
    claim = silver.claim["med", 1]
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines) == (500, 130, 130)
    drugs = silver.claim_drug["med", 1]
    assert amounts(drugs) == {"699990001": 1, "699990002": 10, "699990003": 4, "699990004": 8}
    assert {row.drug_code: row.treatment_class for row in drugs}["699990003"] == "21"  # "as above", where it was put
    finding = silver.finding["med", "jy_target_missing"]
    assert finding.receipt_seq == 1 and finding.line_no == 17 and finding.found.startswith("2 ")


def test_a_line_that_jy_deletes_still_says_the_class_of_the_lines_below(silver):
    assert amounts(silver.claim_drug["med", 3]) == {"699990002": 3}
    assert silver.claim_drug["med", 3][0].treatment_class == "21"
    assert silver.claim["med", 3].points_decided == silver.claim["med", 3].points_of_lines == 30


def test_treatment_class_is_carried_through_comments_and_meals_are_no_points(silver):
    drugs = {row.drug_code: row for row in silver.claim_drug["med", 2]}
    assert set(drugs) == {"620098801", "699990009"}  # codes of drugs only
    assert drugs["620098801"].treatment_class == drugs["699990009"].treatment_class == "22"
    assert drugs["620098801"].quantity_claim_unit == Decimal("1.00000") and drugs["620098801"].first_use_date == date(2024, 10, 9)
    assert drugs["699990009"].quantity_claim_unit is None and drugs["699990009"].first_use_date is None
    assert silver.claim["med", 2].points_of_lines == 40 * 2 + 20


def test_claim_carries_the_fields_of_its_header_and_payer(silver):
    claim = silver.claim["med", 2]
    assert (claim.special_notes, claim.benefit_rate, claim.copay_class, claim.copay_info_class) == ("2629", 70, "1", "01")
    assert (claim.branch_no, claim.copay_amount_yen, claim.treatment_days, claim.key_version) == ("02", 1500, 1, 1)
    assert (claim.birth_month, claim.sex, claim.state, claim.depositor_number) == (198004, "2", "billed", DEPOSITOR)


def test_a_claim_of_public_payers_only_has_no_insurer(silver):
    claim, (payer,) = silver.claim["med", 4], silver.claim_payer["med", 4]
    assert claim.insurer_number is None and claim.person_id1 is None and claim.beneficiary_class is None and claim.is_public_payer_only
    assert claim.points_billed == claim.points_decided == claim.points_of_lines == 288
    assert (payer.payer_order, payer.law_number, payer.points_decided, payer.copay_amount_yen, payer.treatment_days) == (
        1,
        "51",
        288,
        500,
        3,
    )
    assert not silver.claim_drug["med", 4][0].is_paid_by_insurer


def test_payers_stand_in_order_with_what_was_billed_and_decided(silver):
    assert [(row.payer_order, row.payer_number, row.points_billed) for row in silver.claim_payer["med", 5]] == [
        (0, DEPOSITOR, 0), (1, "83136019", 7)]  # fmt: skip
    assert [(row.points_billed, row.points_decided) for row in silver.claim_payer["med", 1]] == [(500, 130)]


def test_suspected_diagnoses(silver):
    rows = silver.claim_diagnosis["med", 5]
    assert [row.is_suspected for row in rows] == [True, False, True, False]  # 8002 across two modifiers is none
    assert [row.is_main for row in rows] == [True, False, False, False]
    assert rows[0].start_date == date(2024, 8, 1)  # 令和6年, as written until 2020


def test_inpatient_claims_and_japanese_dates(silver):
    claim = silver.claim["med", 6]
    assert (claim.service_month, claim.admission_date, claim.birth_month, claim.age) == (202410, date(2024, 10, 3), 195001, 74)
    assert (claim.setting, claim.beneficiary_class) == ("inpatient", "高齢一般")
    assert [row.bundle_kind for row in silver.claim_drug["med", 6]] == ["unknown"]
    assert [row.bundle_kind for row in silver.claim_drug["med", 7]] == ["dialysis"]
    assert [row.bundle_kind for row in silver.claim_drug["med", 3]] == ["none"]


def test_pharmacy_amounts_are_per_prescription_unit(silver):
    drugs = silver.claim_drug["pha", 1]
    assert [row.quantity_claim_unit for row in drugs] == [33, None, 10]  # 1.5 × (15 + 7); no 使用量; 10 × 1
    assert [row.first_use_date for row in drugs] == [date(2024, 10, 7)] * 3
    assert [row.is_paid_by_insurer for row in drugs] == [True, False, True]
    assert {(row.treatment_class, row.bundle_kind, row.prescriber_facility_code) for row in drugs} == {(None, "none", "1319900039")}


def test_pharmacy_points_add_up_unless_newer_fees_stand_in_the_lines(silver):
    claim = silver.claim["pha", 1]
    assert claim.points_of_lines == claim.points_decided == 262
    assert (claim.facility_code, claim.prescriber_facility_code, claim.treatment_days, claim.age) == ("1349900021", "1319900039", 2, 14)
    assert silver.claim["pha", 2].points_of_lines is None


def test_points_of_dpc_are_the_bundle_and_what_is_paid_apart(silver):
    alone, with_details, reviewed = (silver.claim["dpc", n] for n in (1, 2, 3))
    assert (
        alone.points_of_lines == alone.points_decided == 3000 + 1500 + 500
    )  # the bundle of an earlier month (請求調整区分 1) has no total
    assert with_details.points_of_lines == with_details.points_decided == 9000  # header counted once; GT below a line of meals
    assert (reviewed.points_billed, reviewed.points_decided, reviewed.points_of_lines, reviewed.state) == (4200, 4100, 4100, "corrected")
    assert (alone.setting, alone.admission_date, alone.treatment_days, alone.age) == ("inpatient", date(2024, 10, 2), 9, 54)


def test_drugs_of_dpc_come_from_the_coding_data_once(silver):
    found = sorted((row.drug_code, row.treatment_class, row.quantity_claim_unit, row.bundle_kind) for row in silver.claim_drug["dpc", 1])
    assert found == [
        ("699990001", "33", 1, "dpc"), ("699990001", "50", 2, "none"), ("699990002", "33", Decimal("4.5"), "dpc"),
    ]  # fmt: skip
    assert all(row.is_paid_by_insurer for row in silver.claim_drug["dpc", 1])
    assert {row.first_use_date.day for row in silver.claim_drug["dpc", 1]} == {3, 4}
    detail, bundled = sorted(silver.claim_drug["dpc", 2], key=lambda row: row.bundle_kind, reverse=True)
    assert (detail.drug_code, detail.quantity_claim_unit, detail.bundle_kind, detail.first_use_date) == (
        "699990003", 2, "none", date(2024, 10, 2)  # its 剤 has points
    )  # fmt: skip
    assert (bundled.drug_code, bundled.quantity_claim_unit, bundled.bundle_kind) == ("699990002", 1, "dpc")


def test_payers_and_diagnoses_of_dpc(silver):
    payers = [(row.payer_order, row.payer_number, row.points_decided, row.treatment_days) for row in silver.claim_payer["dpc", 2]]
    assert payers == [(0, DEPOSITOR, 9000, 9), (1, "54136015", 9000, 9)]
    alone = [(row.disease_code, row.is_main, row.is_suspected, row.start_date) for row in silver.claim_diagnosis["dpc", 1]]
    assert alone == [("8830417", False, False, None), ("8830417", True, False, None), ("0000999", False, True, None)]
    assert [row.start_date for row in silver.claim_diagnosis["dpc", 2]] == [date(2024, 10, 2), None]


def test_findings_name_what_does_not_add_up(silver):
    assert set(silver.finding) - {("uke", "points_identity")} == {("med", "jy_target_missing")}


def test_facilities_by_their_own_name_and_prescribers_as_pharmacies_write_them(silver):
    clinic, hospital = silver.facility["1319900013"], silver.facility["1319900039"]
    assert (clinic.facility_name, clinic.is_own_name, clinic.prefecture_code, clinic.fee_table) == ("見本クリニック", True, "13", "1")
    assert (clinic.valid_from_claim_month, clinic.valid_to_claim_month) == (202406, 999912)
    assert (hospital.facility_name, hospital.is_own_name) == ("見本病院", False)
    assert silver.facility["1349900021"].facility_name == "見本薬局"


def test_persons_are_those_of_claims_with_an_insurer(silver):
    person = silver.person["id1:P1:20100101-1"]
    assert (person.first_service_month, person.last_service_month, person.beneficiary_class) == (202410, 202410, "家族")
    assert person.person_id2_kana == "id2_kana:ミホンヤク:20100101-1"


def test_the_sample_in_claim_form(silver):
    if "uke" not in silver.names:
        pytest.skip("../shared/reference is not here")
    claims = [claim for (name, _), claim in silver.claim.items() if name == "uke"]
    assert len(claims) == 75
    assert all(claim.points_of_lines == claim.points_billed == claim.points_decided for claim in claims)
    assert sum(claim.is_public_payer_only for claim in claims) == 6
    assert {claim.facility_code for claim in claims} == {"1210000000"}
    assert sum(len(rows) for (name, _), rows in silver.claim_payer.items() if name == "uke") == 69 + 71
    assert ("uke", "points_identity") not in silver.finding


# Order of arrival, forms, repetition


def state(held) -> dict[str, list]:
    return {table.name: sorted(map(str, held(table.name))) for table in SILVER}


TWIN_A = [re(1), ho(1, 10), iy("21", "699990001", "1", 1, 10)]  # one person, facility and month: two receipts
TWIN_B = [re(2, patient_name="見本　1"), ho(1, 20), iy("21", "699990001", "2", 1, 20)]
OTHER = [re(3), ho(3, 30), iy("21", "699990001", "3", 1, 30)]
RENAMED = med(
    "IR",
    review_body="1",
    prefecture="13",
    fee_table="1",
    institution_code="9900013",
    institution_name="新見本クリニック",
    claim_month="202412",
)


def test_a_claim_in_both_forms_or_twice_counts_once_in_any_order(held, write_silver, empty_lake):
    by_insurer = Receipts(insurer_form(TWIN_A, TWIN_B))
    by_provider = Receipts(claim_form(TWIN_B, TWIN_A, OTHER), form="claim")
    later = Receipts(insurer_form([re(1, treatment_month="202411"), ho(1, 5)], OTHER, provider=RENAMED), claim_month=202412)

    empty_lake()
    write_silver([by_insurer, by_provider, later])
    together = state(held)
    claims = held("silver.claim")
    assert sorted((row.points_decided, row.claim_form, row.claim_month) for row in claims) == [
        (5, "insurer", 202412), (10, "insurer", 202411), (20, "insurer", 202411), (30, "claim", 202411)]  # fmt: skip
    assert len({row.claim_key for row in claims}) == 4 and len(held("silver.claim_drug")) == 3
    names = {(row.facility_name, row.valid_from_claim_month, row.valid_to_claim_month) for row in held("silver.facility")}
    assert names == {("見本クリニック", 202411, 202411), ("新見本クリニック", 202412, 999912)}

    empty_lake()
    write_silver([later, by_provider])
    write_silver([by_insurer])  # beats what is there
    assert state(held) == together
    write_silver([by_provider])  # once more, as after a killed run
    assert state(held) == together


def again(receipt: list[list[str]], **header) -> list[list[str]]:
    """The same receipt with other values in its header."""
    return [[*line] if line[0] != "RE" else med_with(line, **header) for line in receipt]


def med_with(line: list[str], **values) -> list[str]:
    record = layouts.record("med", line[0])
    changed = [*line]
    for name, value in values.items():
        changed[record.pos(name) - 1] = str(value)
    return changed


def returned(receipt: list[list[str]], search_no: str) -> list[list[str]]:
    """返戻: the lines as sent as データ識別 8, and why."""
    return [["8", *line] for line in again(receipt, search_no=search_no)] + [
        ["8", *layouts.record("med", "HR").line(processing_month="202412", return_class=4, search_no=search_no)]
    ]


def numbered(search_no: str, *receipts: list[list[str]], claim_month: int = 202411) -> Receipts:
    """Receipts of one 検索番号 each (…0, …1)."""
    provider = med_with(PROVIDER, claim_month=claim_month)
    text = insurer_form(*receipts, provider=provider)
    for i in range(len(receipts)):
        text = text.replace("東京都,,", f"東京都,{search_no}{i},", 1)
    return Receipts(text, claim_month=claim_month)


FIRST = [re(1), ho(1, 10), iy("21", "699990001", "1", 1, 10)]
CORRECTED_AGAIN = [re(1, search_no="A0"), ho(1, 30), iy("21", "699990001", "3", 1, 30), ["11", *re(1)], ["11", *ho(1, 10)]]
OTHER_NUMBER = [re(1, search_no="A0"), ho(9, 30), iy("21", "699990001", "3", 1, 30)]


def known(held) -> list[tuple]:
    rows = held("silver.claim")
    quantities = {(row.claim_key, row.file_sha256): row.quantity_claim_unit for row in held("silver.claim_drug")}
    assert set(quantities) == {(row.claim_key, row.file_sha256) for row in rows}
    return sorted(
        (row.known_from_claim_month, row.known_to_claim_month, int(row.points_decided), int(quantities[row.claim_key, row.file_sha256]))
        for row in rows
    )


@pytest.mark.parametrize("second", [CORRECTED_AGAIN, OTHER_NUMBER], ids=["same number", "corrected number"])
@pytest.mark.parametrize("order", ["in time", "backwards", "at once"])
def test_a_returned_claim_counts_until_its_return_and_again_from_its_re_claim_on(held, write_silver, empty_lake, second, order):
    files = [
        numbered("A", FIRST),
        numbered("B", returned(FIRST, "A0"), claim_month=202412),
        numbered("C", second, claim_month=202502),
    ]
    empty_lake()
    for part in {"in time": [[x] for x in files], "backwards": [[x] for x in reversed(files)], "at once": [files]}[order]:
        write_silver(part)
    assert known(held) == [(202411, 202411, 10, 1), (202502, 999912, 30, 3)]
    assert len({row.claim_key for row in held("silver.claim")}) == (1 if second is CORRECTED_AGAIN else 2)


def test_a_re_claim_that_only_shows_the_state_before_takes_its_place(held, write_silver, empty_lake):
    """データ識別 11-14, no 検索番号, no return seen."""
    again_ = [re(1), *CORRECTED_AGAIN[1:]]
    empty_lake()
    write_silver([numbered("A", FIRST)])
    write_silver([numbered("C", again_, claim_month=202502)])
    assert known(held) == [(202411, 202501, 10, 1), (202502, 999912, 30, 3)]


def test_a_return_without_a_re_claim_leaves_nothing_and_a_return_that_is_withdrawn_leaves_all(held, write_silver, empty_lake, settings):
    first, back = numbered("A", FIRST), numbered("B", returned(FIRST, "A0"), claim_month=202412)
    empty_lake()
    write_silver([first])
    write_silver([back])
    assert known(held) == [(202411, 202411, 10, 1)]
    batch.withdraw(settings, [back.file])
    assert known(held) == [(202411, 999912, 10, 1)]


def test_what_a_withdrawn_file_kept_from_counting_counts_again(held, write_silver, empty_lake, settings):
    by_insurer, by_provider = Receipts(insurer_form(TWIN_A)), Receipts(claim_form(TWIN_A, OTHER), form="claim")
    empty_lake()
    write_silver([by_provider])
    alone = {table.name: state(held)[table.name] for table in (tables.CLAIM, tables.CLAIM_DRUG, tables.CLAIM_COPY)}
    write_silver([by_insurer])
    assert sorted(row.claim_form for row in held("silver.claim")) == ["claim", "insurer"]
    batch.withdraw(settings, [by_insurer.file])
    assert {table.name: state(held)[table.name] for table in (tables.CLAIM, tables.CLAIM_DRUG, tables.CLAIM_COPY)} == alone


def test_a_rotation_of_the_key_tears_no_claim_apart(held, empty_lake, tmp_path, monkeypatch):
    """The claim form before the rotation, the insurer form after it: one claim, known by the newer key."""
    lake = empty_lake()
    lake = lake.model_copy(update={"secrets": tmp_path})
    keys.create(lake, None)
    number = "06139901"
    texts = {
        "RECEIPTC.UKE": claim_form([re(1), ho(1, 10), iy("21", "620098801", "1", 1, 10)]),
        "11_RECODEINFO_MED.CSV": insurer_form([re(1), ho(1, 10), iy("21", "620098801", "1", 1, 10)]),
    }
    for name, text in texts.items():
        if name.endswith("CSV"):
            text += ",".join(["2", "6", "0", *med("RC", management_info="Ver00001")]) + "\n"
            keys.add_version(lake, number)
        (tmp_path / name).write_bytes(text.encode("cp932"))
        delivery.deliver(lake, tmp_path / name, number)
        ingest.run(lake)
    (claim,) = held("silver.claim")
    assert (claim.claim_form, claim.key_version) == ("insurer", 2)
    assert [row.key_version for row in sorted(held("silver.claim_copy"), key=lambda row: row.key_version)] == [1, 2]


def test_one_file_from_two_depositors_is_one_set_of_claims(held, write_silver, empty_lake):
    text = claim_form(TWIN_A, OTHER)
    empty_lake()
    write_silver([Receipts(text, form="claim"), Receipts(text, form="claim", depositor="06279905")])
    assert sorted(int(row.points_decided) for row in held("silver.claim")) == [10, 30]
    assert len(held("silver.claim_drug")) == 2 and len(held("silver.claim_copy")) == 4
    write_silver([Receipts(text, form="claim")])  # once more
    assert sorted(int(row.points_decided) for row in held("silver.claim")) == [10, 30]
