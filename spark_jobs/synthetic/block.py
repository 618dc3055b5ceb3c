"""A block of members: their receipts as bytes of each file, and rows of the truth. Blocks are made anywhere, in any order."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal

from spark_jobs.claim_format import layouts
from spark_jobs.synthetic import dental, dpc, medical, nursing, pharmacy, returns
from spark_jobs.synthetic.formulary import Formulary
from spark_jobs.synthetic.history import History
from spark_jobs.synthetic.lines import sent
from spark_jobs.synthetic.months import month_after
from spark_jobs.synthetic.people import Person, haunts
from spark_jobs.synthetic.places import Facility
from spark_jobs.synthetic.plan import Plan
from spark_jobs.synthetic.visits import DentalVisit, DpcVisit, MedicalVisit, NursingVisit, PharmacyVisit, Visit
from spark_jobs.synthetic.written import Ask, Written

ENCODING = "cp932"  # windows-31j
CORRECTED_PER_RECEIPT = 0.02
FIRST_MANAGEMENT_SERIAL = 100_000  # レセプト管理番号: this + the member's number, and three digits for his receipts of a claim month
RECEIPTS_OF_A_MONTH = 1000
RECEIPT_NO = "\0"  # stands for レセプト番号, which the file as a whole decides


@dataclass(frozen=True, slots=True)
class Copy:
    """A receipt as its provider sent it, in the claim form."""

    facility: Facility
    text: str
    count: int  # 総件数: one for the insurance and one for each public payer
    points: int


@dataclass
class Block:
    """What a block of members gives: bytes of each file, rows of the truth."""

    insurer_number: str
    files: dict[tuple[int, str], bytes] = field(default_factory=dict)  # (claim month, kind)
    returned: dict[tuple[int, str], bytes] = field(default_factory=dict)  # the same, of receipts that went back
    copies: dict[tuple[int, str, str], list[Copy]] = field(default_factory=lambda: defaultdict(list))  # (claim month, kind, facility)
    biologic_use: list[tuple] = field(default_factory=list)
    people: list[tuple] = field(default_factory=list)
    returns: list[tuple] = field(default_factory=list)
    public_only: list[tuple] = field(default_factory=list)
    claims: Counter = field(default_factory=Counter)  # (claim month, kind, measure) → number
    as_of: Counter = field(default_factory=Counter)  # (claim month, service month, measure) → number
    drugs: dict[tuple, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # (service month, kind, code) → quantity
    bundled: dict[tuple, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # the part of it that DPC bundles pay
    drug_lines: Counter = field(default_factory=Counter)
    late_receipts: int = 0
    not_arrived_receipts: int = 0


def make_block(plan: Plan, insurer_number: str, first: int, last: int) -> Block:
    """All receipts of these members."""
    block = Block(insurer_number)
    texts: dict[tuple[int, str], list[str]] = defaultdict(list)
    gone_back: dict[tuple[int, str], list[str]] = defaultdict(list)
    membership = plan.memberships[insurer_number]
    for person_no in range(first, last + 1):
        person = membership.person(person_no)
        history = History(person, haunts(person, plan.towns), plan.prescribing, plan.forced.get((insurer_number, person_no), []))
        of_person = PersonReceipts(plan, block, person, texts, gone_back)
        for month_no, visits in history.months():
            is_plain = month_no in history.forced_months
            for visit in visits:
                of_person.arrive(month_no, visit, history.delay(month_no), is_plain)
        if of_person.has_receipt:
            block.people.append(_secrets(person, of_person.has_wrong_number))
    block.files, block.returned = ({key: "".join(parts).encode(ENCODING) for key, parts in found.items()} for found in (texts, gone_back))
    return block


class PersonReceipts:
    """The receipts of one person, written into the block as they arrive, go back and come again."""

    def __init__(self, plan: Plan, block: Block, person: Person, texts: dict, gone_back: dict):
        self.plan, self.block, self.person, self.texts, self.gone_back = plan, block, person, texts, gone_back
        self.formulary = plan.prescribing.formulary
        self.biologics = self.formulary.biologic_codes
        self.serial = FIRST_MANAGEMENT_SERIAL + plan.first_serials[person.insurer_number] + person.person_no
        self.receipts_of: Counter = Counter()  # claim month number → receipts
        self.has_receipt = self.has_wrong_number = False

    def arrive(self, month_no: int, visit: Visit, delay: int, is_plain: bool) -> None:
        """The claim of a visit, `delay` months late; `is_plain`: neither corrected nor returned."""
        plan, person, claim_month_no = self.plan, self.person, month_no + delay
        is_to_correct = person.rng.random() < CORRECTED_PER_RECEIPT and not is_plain and not visit.is_public_only
        last_month_no = len(plan.months) - 1
        if claim_month_no > last_month_no:
            self.block.not_arrived_receipts += 1
            return
        self.has_receipt = True
        self.block.late_receipts += delay > 0
        can_return = not (is_plain or visit.is_public_only or isinstance(visit, NursingVisit))
        fate = None if not can_return else returns.decide(person.paper_rng, claim_month_no, last_month_no)
        ask = self._ask(month_no, claim_month_no, is_to_correct)
        if fate is None:
            written = self._write(ask, visit, month_no)
            self._count(ask, visit, month_no, written)
            self._copy(ask, visit, written)
        else:
            self._goes_back(ask, visit, month_no, fate)

    def _goes_back(self, ask: Ask, visit: Visit, month_no: int, fate: returns.Return) -> None:
        """First claim, return, re-claim."""
        rng, kind, months = self.person.paper_rng, kind_of(visit), self.plan.claim_months
        is_wrong_number = fate.cause == returns.WRONG_NUMBER
        first_ask = replace(ask, person=replace(ask.person, number=ask.person.wrong_number)) if is_wrong_number else ask
        self.has_wrong_number |= is_wrong_number
        first = self._write(first_ask, visit, month_no)
        search_no, returned_in = ask.search_no(visit.facility), months[fate.returned_in]
        back = returns.returned(kind, first_ask, first.lines, search_no, returned_in, fate.cause, rng)
        self.gone_back[returned_in, kind].append(back.end(returns.RETURNED))
        self.block.claims[returned_in, kind, "lines"] += len(back.lines)
        self._known(ask, kind, first, until=returned_in)
        reclaimed_in: int | str = ""
        if fate.reclaimed_in is not None:
            before = returns.state_before(first.lines, rng)
            again = replace(self._ask(month_no, fate.reclaimed_in), first_search_no=search_no, before=before)
            if fate.cause == returns.WRONG_CONTENT:
                visit = returns.with_other_quantity(visit, self.formulary, month_no, rng)
            self._count(again, visit, month_no, self._write(again, visit, month_no))
            reclaimed_in = again.claim_month
        self.block.returns.append(
            (self.person.insurer_number, search_no, kind, ask.service_month, ask.claim_month, returned_in, reclaimed_in)
        )

    def _ask(self, month_no: int, claim_month_no: int, is_to_correct: bool = False) -> Ask:
        number = self.serial * RECEIPTS_OF_A_MONTH + self.receipts_of[claim_month_no]
        self.receipts_of[claim_month_no] += 1
        return Ask(self.person, self.plan.months[month_no], self.plan.claim_months[claim_month_no], number, is_to_correct)

    def _write(self, ask: Ask, visit: Visit, month_no: int) -> Written:
        kind = kind_of(visit)
        written = write(ask, visit, self.formulary, month_no)
        self.texts[ask.claim_month, kind].append(written.text)
        self.block.claims[ask.claim_month, kind, "lines"] += len(written.lines)
        return written

    def _known(self, ask: Ask, kind: str, written: Written, until: int) -> None:
        """What is known of it in the months that the truth looks at; 訪問看護 reaches no claim."""
        for month in self.plan.as_of_months:
            if kind != "nur" and ask.claim_month <= month < until:
                self.block.as_of[month, ask.service_month, "receipts"] += 1
                self.block.as_of[month, ask.service_month, "points_decided"] += written.points_decided

    def _count(self, ask: Ask, visit: Visit, month_no: int, written: Written) -> None:
        """The truth of a receipt that counts in the end."""
        block, kind, number = self.block, kind_of(visit), self.person.insurer_number
        if visit.is_public_only:
            search_no = ask.search_no(visit.facility)
            block.public_only.append((number, search_no, kind, ask.service_month, ask.claim_month, written.points_decided))
            return
        self._known(ask, kind, written, until=month_after(self.plan.claim_months[-1]))
        for measure, value in (
            ("receipts", 1),
            ("points_billed", written.points_billed),
            ("points_decided", written.points_decided),
            ("corrected_receipts", written.is_corrected),
        ):
            block.claims[ask.claim_month, kind, measure] += value
        used: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for bundle_kind, drugs in (("none", written.drugs), ("dpc", written.bundled)):
            for code, quantity in drugs:
                key = ask.service_month, kind, code
                block.drugs[key] += quantity
                block.drug_lines[key] += 1
                if bundle_kind == "dpc":
                    block.bundled[key] += quantity
                if code in self.biologics:
                    used[code, bundle_kind].append(quantity)
        if used:
            setting, facility, prescriber = _setting(visit)
            of_visit = number, ask.service_month, ask.claim_month, kind, setting, facility, prescriber, self.person.person_no
            block.biologic_use += [
                (*of_visit, code, sum(quantities), len(quantities), bundle_kind) for (code, bundle_kind), quantities in used.items()
            ]

    def _copy(self, ask: Ask, visit: Visit, written: Written) -> None:
        """The same claim in the claim form, if its facility's arrive so too this month: trailing empty fields cut."""
        facility, kind = visit.facility.facility_code, kind_of(visit)
        if kind != "nur" and facility in self.plan.copied.get((self.person.insurer_number, ask.claim_month), ()):
            bodies = sent(written.lines)
            at = layouts.record(kind, "RE").pos("receipt_no") - 1
            lines = []
            for body in bodies[kind != "den" :]:  # 歯科: IR begins a receipt; else it (or YK) begins the file
                cells = body.rstrip(",").split(",")
                if cells[0] == "RE":
                    cells[at] = RECEIPT_NO
                lines.append(",".join(cells) + "\r\n")
            count = len(visit.laws) + (not visit.is_public_only)
            self.block.copies[ask.claim_month, kind, facility].append(Copy(visit.facility, "".join(lines), count, written.points_billed))


KINDS: dict[type, str] = {MedicalVisit: "med", DpcVisit: "dpc", DentalVisit: "den", PharmacyVisit: "pha", NursingVisit: "nur"}


def kind_of(visit: Visit) -> str:
    """Kind of claim."""
    return KINDS[type(visit)]


def write(ask: Ask, visit: Visit, formulary: Formulary, month_no: int) -> Written:
    """The receipt of a visit."""
    if isinstance(visit, MedicalVisit):
        return medical.write(ask, visit, formulary, month_no)
    if isinstance(visit, DpcVisit):
        return dpc.write(ask, visit)
    if isinstance(visit, DentalVisit):
        return dental.write(ask, visit)
    if isinstance(visit, NursingVisit):
        return nursing.write(ask, visit)
    return pharmacy.write(ask, visit, formulary, month_no)


def _setting(visit: Visit) -> tuple[str, str, str]:
    """Setting, facility, prescriber."""
    code = visit.facility.facility_code
    if isinstance(visit, PharmacyVisit):
        return "outpatient_pharmacy", code, visit.prescriber.facility_code
    is_stay = isinstance(visit, DpcVisit) or (isinstance(visit, MedicalVisit) and visit.admission is not None)
    return "inpatient" if is_stay else "outpatient_in_hospital", code, code


def _secrets(person: Person, has_wrong_number: bool) -> tuple:
    """Every string of a person that must not reach the lake, as written somewhere."""
    return (
        person.insurer_number, person.person_no, person.name, person.kana, person.kana_as_written("large_kana"), person.symbol,
        person.symbol_as_written("half_width"), person.number, person.number_as_written("half_width"), person.branch_no,
        f"{person.born:%Y%m%d}", person.sex, person.phone, person.recipient_no, " ".join(person.charts.values()),
        person.wrong_number if has_wrong_number else "",
    )  # fmt: skip
