"""What all kinds of receipts share: the outcome of writing one, the header's codes, the payers, the eligibility check."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.codes import check_digit
from spark_jobs.synthetic.lines import REVIEW_BODY, Receipt, Template, day_cells, day_template, template
from spark_jobs.synthetic.months import (
    CHECKED_FROM,
    WESTERN_FROM,
    age_at,
    era_day,
    era_month,
    first_day,
    is_preschool,
    last_day,
    western_day,
)
from spark_jobs.synthetic.people import Person
from spark_jobs.synthetic.places import Facility
from spark_jobs.synthetic.visits import Payers

FREE_TEXT_COMMENT = "810000001"
# 自己負担限度額 of 70歳未満 by 適用区分 ア-オ: fixed part, cost it covers; 1 % of the rest (none for エ, オ)
CEILINGS = ((252_600, 842_000), (167_400, 558_000), (80_100, 267_000), (57_600, None), (35_400, None))
CEILINGS_OF_2026_08 = ((270_300, 901_000), (179_100, 597_000), (85_800, 286_000), (61_500, None), (36_900, None))
PAYER_NUMBER_MIDDLE = "601"  # 実施機関, invented
PROVIDERS = {"med": "IR", "dpc": "IR", "den": "IR", "pha": "YK", "nur": "HM"}


@dataclass(slots=True)
class Written:
    """A receipt as text, and what it comes to."""

    text: str
    lines: list[str]
    points_billed: int
    points_decided: int
    is_corrected: bool
    drugs: list[tuple[str, Decimal]]  # decided drug lines: code, quantity
    bundled: list[tuple[str, Decimal]] = field(default_factory=list)  # the same, of those that the bundle of a DPC stay pays


@dataclass(frozen=True)
class Ask:
    """What is asked of a writer besides the visit itself."""

    person: Person
    service_month: int
    claim_month: int
    management_no: int
    is_to_correct: bool = False
    first_search_no: str = ""  # of a re-claim: 検索番号 of the receipt that was returned
    before: tuple[str, ...] = ()  # of a re-claim: lines of the state before

    def search_no(self, facility: Facility) -> str:
        """検索番号: 都道府県, 点数表, 請求年月 in 和暦 (also now), 管理番号."""
        return f"{facility.facility_code[:3]}{era_month(self.claim_month)}{self.management_no}"

    def month(self, month: int) -> str:
        """YYYYMM, in older claims GYYMM."""
        return str(month) if self.claim_month >= WESTERN_FROM else era_month(month)

    def day(self, day: date) -> str:
        """YYYYMMDD, in older claims GYYMMDD."""
        return western_day(day) if self.claim_month >= WESTERN_FROM else era_day(day)

    def on(self, day: int) -> str:
        """The same of a day of the service month."""
        return self.day(first_day(self.service_month).replace(day=day))


def receipt_type(kind_digit: str, person: Person, month: int, payers: Payers, is_inpatient: bool) -> str:
    """レセプト種別, 4 digits."""
    if payers.is_public_only:
        return f"{kind_digit}2{len(payers.laws)}{1 if is_inpatient else 2}"
    if age_at(person.born, last_day(month)) >= 70:
        who = 9 if person.income_class < 2 else 7
    elif is_preschool(person.born, month):
        who = 3
    else:
        who = 1 if person.is_insured else 5
    return f"{kind_digit}1{1 + len(payers.laws)}{who if is_inpatient else (who + 1) % 10}"


def high_cost(person: Person, month: int, points: int) -> tuple[str, str, str]:
    """特記事項 (区ア-区オ), 窓口負担額区分, 負担金額: written where the share of an under-70 passes the ceiling (高額療養費 in kind)."""
    cost = points * 10
    fixed, covered = (CEILINGS if month < 202608 else CEILINGS_OF_2026_08)[person.income_class]
    ceiling = fixed + ((max(0, cost - covered) + 50) // 100 if covered else 0)
    share = cost * (2 if is_preschool(person.born, month) else 3) // 10
    if share <= ceiling or age_at(person.born, last_day(month)) >= 70:
        return "", "00", ""
    return str(26 + person.income_class), "01", str(ceiling)


@cache
def payer_number(law_number: str, prefecture: str) -> str:
    """公費負担者番号 with its check digit."""
    body = f"{law_number}{prefecture}{PAYER_NUMBER_MIDDLE}"
    return f"{body}{check_digit(body)}"


def open_receipt(claim_kind: str, facility: Facility, ask: Ask) -> Receipt:
    """MN and the provider's line (IR, YK, HM)."""
    receipt = Receipt(claim_kind, ask.management_no, ask.before)
    receipt.add(_mn(claim_kind)(ask.management_no, facility.address_ja, ask.search_no(facility), facility.name_ja), REVIEW_BODY)
    receipt.add(provider_line(claim_kind, PROVIDERS[claim_kind], facility, ask.month(ask.claim_month)))
    return receipt


@cache
def provider_line(claim_kind: str, record_id: str, facility: Facility, claim_month: str, volume_no: int = 0) -> str:
    """IR, UK, YK or HM; `claim_month` as it is written."""
    of_facility = {
        "prefecture": facility.prefecture,
        "fee_table": facility.facility_code[2],
        "institution_code": facility.institution_code,
        "institution_name": facility.name_ja,
        "phone": facility.phone,
    }
    of_file = {"review_body": 1, "claim_month": claim_month, "volume_no": f"{volume_no:02d}"}
    record = layouts.record(claim_kind, record_id)
    has = {field.name_en for field in record.fields}  # 歯科 has the name in MN, 訪問看護 no volumes
    return ",".join(record.line(**{name: value for name, value in (of_facility | of_file).items() if name in has}))


def add_checks(receipt: Receipt, ask: Ask, payers: Payers, days: set[int], copay_info_class: str) -> None:
    """SN as sent and as completed by the review body, JD, MF."""
    if ask.service_month < CHECKED_FROM:
        return
    sn, jd, mf = _checks(receipt.claim_kind)
    person = ask.person
    marks = day_cells(tuple((d, 1) for d in sorted(days)))
    if not payers.is_public_only:
        receipt.add(sn(1, "01", "", "", "", person.branch_no))
        if ord(payers.facility.facility_code[-2]) % 2:
            verified = person.symbol, person.number
            receipt.add(sn(1, "02", person.insurer_number, *verified, person.branch_no), REVIEW_BODY)
        receipt.add(jd(1, marks))
    for payer_kind in range(2, 2 + len(payers.laws)):
        receipt.add(jd(payer_kind, marks))
    receipt.add(mf(copay_info_class))


@cache
def _mn(claim_kind: str) -> Template:
    """MN with as many of its fields as the layout of the kind has (訪問看護: the 管理番号 alone)."""
    record, names = layouts.record(claim_kind, "MN"), ("receipt_management_no", "institution_address", "reserved_1", "institution_name")
    has = {field.name_en for field in record.fields}
    return ",".join(record.line(**{name: f"{{{i}}}" for i, name in enumerate(names) if name in has})).format


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
