"""What both kinds of receipt share: the outcome of writing one, the header's codes, the payers, the eligibility check."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from spark_jobs.claim_format.codes import check_digit
from spark_jobs.synthetic.lines import REVIEW_BODY, Receipt, Template, day_cells, day_template, template
from spark_jobs.synthetic.months import age_at, is_preschool, last_day
from spark_jobs.synthetic.people import Person
from spark_jobs.synthetic.places import Facility

FREE_TEXT_COMMENT = "810000001"
INSURANCE, INSURANCE_AND_PUBLIC = "1", "2"  # 負担区分
HIGH_COST_YEN = 80_100  # copayment at 30 % above which 高額療養費 is looked at
# 自己負担限度額 of 70歳未満 by 適用区分 ア-オ: fixed part, cost it covers; 1 % of the rest (none for エ, オ)
CEILINGS = ((252_600, 842_000), (167_400, 558_000), (80_100, 267_000), (57_600, None), (35_400, None))
PAYER_NUMBER_MIDDLE = "601"  # 実施機関, invented


@dataclass(slots=True)
class Written:
    """A receipt as text, and what it comes to."""

    text: str
    line_count: int
    points_billed: int
    points_decided: int
    is_corrected: bool
    drugs: list[tuple[str, Decimal]]  # decided drug lines: code, quantity


@dataclass(frozen=True)
class Ask:
    """What is asked of a writer besides the visit itself."""

    person: Person
    service_month: int
    claim_month: int
    management_no: int
    is_to_correct: bool


def receipt_type(kind_digit: str, person: Person, month: int, has_public_payer: bool, is_inpatient: bool) -> str:
    """レセプト種別, 4 digits."""
    if age_at(person.born, last_day(month)) >= 70:
        who = 9 if person.income_class < 2 else 7
    elif is_preschool(person.born, month):
        who = 3
    else:
        who = 1 if person.is_insured else 5
    return f"{kind_digit}1{2 if has_public_payer else 1}{who if is_inpatient else (who + 1) % 10}"


def high_cost(person: Person, month: int, points: int) -> tuple[str, str, str]:
    """特記事項 (区ア-区オ), 窓口負担額区分, 負担金額: given when the copayment of under-70s passes the ceiling."""
    cost = points * 10
    fixed, covered = CEILINGS[person.income_class]
    if cost * 3 // 10 <= HIGH_COST_YEN or age_at(person.born, last_day(month)) >= 70:
        return "", "00", ""
    copay = fixed + (max(0, cost - covered) // 100 if covered else 0)
    return str(26 + person.income_class), "01", str(min(copay, cost * 3 // 10))


@cache
def payer_number(law_number: str, prefecture: str) -> str:
    """公費負担者番号 with its check digit."""
    body = f"{law_number}{prefecture}{PAYER_NUMBER_MIDDLE}"
    return f"{body}{check_digit(body)}"


def management_number(insurer_number: str, person_no: int, month_no: int, ordinal: int) -> int:
    """レセプト管理番号, 12 digits: insurer, person, month, ordinal make it unique."""
    return int(f"{insurer_number[2:4]}{person_no % 10**6:06d}{month_no:02d}{ordinal:02d}")


def open_receipt(claim_kind: str, facility: Facility, ask: Ask) -> Receipt:
    """MN and the provider's line (IR, YK)."""
    mn, provider = _opening(claim_kind)
    receipt = Receipt(claim_kind, ask.management_no)
    era = ask.claim_month - 201800  # 検索番号 keeps 令和 years
    search_no = f"{facility.facility_code[:3]}5{era:04d}{ask.management_no % 10**9:09d}"
    receipt.add(mn(ask.management_no, facility.address_ja, search_no), REVIEW_BODY)
    receipt.add(
        provider(
            facility.prefecture, facility.facility_code[2], facility.institution_code, facility.name_ja, ask.claim_month, facility.phone
        )
    )
    return receipt


def add_checks(receipt: Receipt, person: Person, facility: Facility, days: set[int], has_public_payer: bool, copay_info_class: str) -> None:
    """SN as sent and as completed by the review body, JD, MF."""
    sn, jd, mf = _checks(receipt.claim_kind)
    receipt.add(sn(1, "01", "", "", "", person.branch_no))
    if ord(facility.facility_code[-2]) % 2:
        verified = person.symbol, person.number
        receipt.add(sn(1, "02", person.insurer_number, *verified, person.branch_no), REVIEW_BODY)
    marks = day_cells(tuple((d, 1) for d in sorted(days)))
    receipt.add(jd(1, marks))
    if has_public_payer:
        receipt.add(jd(2, marks))
    receipt.add(mf(copay_info_class))


@cache
def _opening(claim_kind: str) -> tuple[Template, Template]:
    fixed = {"review_body": 1, "volume_no": "00"}
    names = ("prefecture", "fee_table", "institution_code", "institution_name", "claim_month", "phone")
    return (
        template(claim_kind, "MN", "receipt_management_no", "institution_address", "reserved_1"),
        template(claim_kind, "IR" if claim_kind == "med" else "YK", *names, **fixed),
    )


@cache
def _checks(claim_kind: str) -> tuple[Template, Template, Template]:
    return (
        template(
            claim_kind,
            "SN",
            "payer_kind",
            "verification_class",
            "verified_insurer_number",
            "verified_symbol",
            "verified_number",
            "branch_no",
        ),
        day_template(claim_kind, "JD", "payer_kind"),
        template(claim_kind, "MF", "copay_info_class"),
    )
