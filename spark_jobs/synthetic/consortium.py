"""Writes the receipts of an invented consortium, and beside them the truth: what was planted, and what then came to be.

The same seed gives the same bytes, whatever the number of processes: blocks of members are made anywhere and joined in order.
"""

import csv
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import IO, Any

from spark_jobs import config
from spark_jobs.config import Insurer
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import shipped
from spark_jobs.settings import Settings
from spark_jobs.synthetic import medical, pharmacy
from spark_jobs.synthetic.biologics import Action, Prescribing
from spark_jobs.synthetic.formulary import formulary, regimens
from spark_jobs.synthetic.history import LATE_DELAYS, History
from spark_jobs.synthetic.months import age_at, last_day, month_after
from spark_jobs.synthetic.people import LAST_AGE, Membership, Person, haunts
from spark_jobs.synthetic.places import homes, towns
from spark_jobs.synthetic.visits import MedicalVisit, Visit
from spark_jobs.synthetic.written import Ask, management_number

ENCODING = "cp932"  # windows-31j
END_OF_FILE = b"\x1a"
FILE_NAMES = {"med": "11_RECODEINFO_MED.CSV", "pha": "14_RECODEINFO_PHA.CSV"}
FOLDER_NAME = "0_COMMON001"
LEAST_MEMBERS = 300
BLOCK_MEMBERS = 200  # a multiple of NUMBERS_PER_PATTERN, so that households stay whole
CORRECTED_PER_RECEIPT = 0.02
ACTION_INGREDIENT, ACTION_SWITCH_RATIO, ACTION_START_RATIO = "infliximab", 0.9, 0.97
PARAMETERS = "parameters.json"


@dataclass(frozen=True)
class Plan:
    """All that a process needs to make any block of members."""

    insurers: tuple[Insurer, ...]
    members: int
    biologic_use: float
    months: tuple[int, ...]
    seed: int
    least_members: int

    @cached_property
    def counts(self) -> dict[str, int]:
        """Members by insurer, in the ratios of config/insurers, none under the floor."""
        weights = {i.insurer_number: i.member_count or 1 for i in self.insurers}
        return {number: max(self.least_members, round(self.members * w / sum(weights.values()))) for number, w in weights.items()}

    @cached_property
    def memberships(self) -> dict[str, Membership]:
        seats = tuple(sorted({i.prefecture_code for i in self.insurers}))
        return {
            i.insurer_number: Membership(
                self.seed,
                i.insurer_number,
                i.short_name_ja[:2],
                self.counts[i.insurer_number],
                self.months,
                homes(i.prefecture_code, seats),
            )
            for i in self.insurers
        }

    @cached_property
    def towns(self) -> dict[str, Any]:
        people: Counter[str] = Counter()
        for membership in self.memberships.values():
            for prefecture, share in membership.homes.items():
                people[prefecture] += share * membership.count  # type: ignore[assignment]
        return towns(self.seed, people)

    @cached_property
    def action(self) -> Action:
        """One university hospital, in the seat of the largest insurer, changes infliximab in the second half."""
        largest = max(self.insurers, key=lambda i: i.member_count or 0)
        facility = self.towns[largest.prefecture_code].university
        return Action(facility.facility_code, ACTION_INGREDIENT, len(self.months) // 2, ACTION_SWITCH_RATIO, ACTION_START_RATIO)

    @cached_property
    def prescribing(self) -> Prescribing:
        return Prescribing(formulary(self.months), self.biologic_use, self.action)

    @cached_property
    def forced(self) -> dict[tuple[str, int], list[tuple[str, int]]]:
        """One use of each biologic, so that every product occurs: (insurer, person) → drug code, month number."""
        found: dict[tuple[str, int], list[tuple[str, int]]] = {}
        rng = Random(f"{self.seed}/forced")
        for drug_code, (_, usable) in self.prescribing.formulary.biologic_codes.items():
            month_no = usable[len(usable) // 2]
            insurer = rng.choices(list(self.counts), list(self.counts.values()))[0]
            count = self.counts[insurer]
            first = rng.randrange(count)
            numbers = ((first + step) % count + 1 for step in range(count))
            number = next((n for n in numbers if self._can_take(self.memberships[insurer].person(n), month_no)), None)
            if number:
                found.setdefault((insurer, number), []).append((drug_code, month_no))
        return found

    def _can_take(self, person: Person, month_no: int) -> bool:
        first, last = person.enrolled
        return first <= month_no <= last and 15 <= age_at(person.born, last_day(self.months[month_no])) <= LAST_AGE

    def blocks(self) -> Iterator[tuple[str, int, int]]:
        """(insurer, first, last member), in the order of the files."""
        for insurer, count in self.counts.items():
            for first in range(1, count + 1, BLOCK_MEMBERS):
                yield insurer, first, min(count, first + BLOCK_MEMBERS - 1)


@dataclass
class Block:
    """What a block of members gives: bytes of each file, rows of the truth."""

    insurer_number: str
    files: dict[tuple[int, str], bytes] = field(default_factory=dict)  # (claim month, kind)
    biologic_use: list[tuple] = field(default_factory=list)
    people: list[tuple] = field(default_factory=list)
    claims: Counter = field(default_factory=Counter)  # (claim month, kind, measure) → number
    drugs: dict[tuple, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # (service month, kind, code) → quantity
    drug_lines: Counter = field(default_factory=Counter)
    late_receipts: int = 0
    not_arrived_receipts: int = 0


_plan: Plan | None = None  # of this process


def _start(plan: Plan) -> None:
    global _plan
    _plan = plan


def _make(block: tuple[str, int, int]) -> Block:
    if _plan is None:
        raise RuntimeError("a process makes blocks only after _start")
    return make_block(_plan, *block)


def make_block(plan: Plan, insurer_number: str, first: int, last: int) -> Block:
    """All receipts of these members."""
    block = Block(insurer_number)
    texts: dict[tuple[int, str], list[str]] = {}
    membership, drugs = plan.memberships[insurer_number], plan.prescribing.formulary
    biologics = drugs.biologic_codes
    for person_no in range(first, last + 1):
        person = membership.person(person_no)
        history = History(person, haunts(person, plan.towns), plan.prescribing, plan.forced.get((insurer_number, person_no), []))
        has_receipt = False
        for month_no, visits in history.months():
            for ordinal, visit in enumerate(visits):
                service_month = plan.months[month_no]
                delay = history.delay(month_no)
                claim_month = month_after(service_month, 1 + delay)
                is_plain = month_no in history.forced_months
                is_to_correct = person.rng.random() < CORRECTED_PER_RECEIPT and not is_plain
                ask = Ask(
                    person, service_month, claim_month, management_number(insurer_number, person_no, month_no, ordinal), is_to_correct
                )
                if month_no + delay >= len(plan.months):
                    block.not_arrived_receipts += 1
                    continue
                kind = "med" if isinstance(visit, MedicalVisit) else "pha"
                written = (
                    medical.write(ask, visit, drugs, month_no)
                    if isinstance(visit, MedicalVisit)
                    else pharmacy.write(ask, visit, drugs, month_no)
                )
                has_receipt = True
                texts.setdefault((claim_month, kind), []).append(written.text)
                block.late_receipts += delay > 0
                for measure, value in (
                    ("receipts", 1),
                    ("lines", written.line_count),
                    ("points_billed", written.points_billed),
                    ("points_decided", written.points_decided),
                    ("corrected_receipts", written.is_corrected),
                ):
                    block.claims[claim_month, kind, measure] += value
                used: dict[str, list] = {}
                for code, quantity in written.drugs:
                    block.drugs[service_month, kind, code] += quantity
                    block.drug_lines[service_month, kind, code] += 1
                    if code in biologics:
                        used.setdefault(code, []).append(quantity)
                setting, facility, prescriber = _setting(visit)
                for code, quantities in used.items():
                    block.biologic_use.append(
                        (insurer_number, service_month, claim_month, kind, setting, facility, prescriber, person_no, code, sum(quantities),
                         len(quantities))
                    )  # fmt: skip
        if has_receipt:
            block.people.append(_secrets(person))
    block.files = {key: "".join(parts).encode(ENCODING) for key, parts in texts.items()}
    return block


def _setting(visit: Visit) -> tuple[str, str, str]:
    """Setting, facility, prescriber."""
    if isinstance(visit, MedicalVisit):
        code = visit.facility.facility_code
        return "inpatient" if visit.admission else "outpatient_in_hospital", code, code
    return "outpatient_pharmacy", visit.pharmacy.facility_code, visit.prescriber.facility_code


def _secrets(person: Person) -> tuple:
    """Every string of a person that must not reach the lake, as written somewhere."""
    return (
        person.insurer_number, person.person_no, person.name, person.kana, person.kana_as_written("large_kana"), person.symbol,
        person.symbol_as_written("half_width"), person.number, person.number_as_written("half_width"), person.branch_no,
        f"{person.born:%Y%m%d}", person.sex, person.phone, person.recipient_no, " ".join(person.charts.values()),
    )  # fmt: skip


PEOPLE_COLUMNS = [
    "insurer_number", "person_no", "name", "kana", "kana_large", "symbol", "symbol_half_width", "number", "number_half_width", "branch_no",
    "birth_date", "sex", "phone", "recipient_number", "chart_numbers",
]  # fmt: skip
BIOLOGIC_USE_COLUMNS = [
    "insurer_number", "service_month", "claim_month", "claim_kind", "setting", "facility_code", "prescriber_facility_code", "person_no",
    "drug_code", "quantity", "drug_lines",
]  # fmt: skip
CLAIMS_MEASURES = ["receipts", "lines", "points_billed", "points_decided", "corrected_receipts"]


def write(
    settings: Settings,
    folder: Path,
    *,
    members: int,
    biologic_use: float,
    first_service_month: int,
    months: int,
    seed: int,
    least_members: int = LEAST_MEMBERS,
    processes: int | None = None,
) -> None:
    """Deliveries to `folder`/inbox, the truth to `folder`/truth; replaces what an earlier run wrote there."""
    insurers = tuple(config.insurers(settings).values())
    _check(folder, insurers, members, months)
    plan = Plan(insurers, members, biologic_use, tuple(month_after(first_service_month, i) for i in range(months)), seed, least_members)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(plan, partial, processes or settings.cores or os.cpu_count() or 1)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("inbox", "truth"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (partial / name).rename(folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(folder: Path, insurers: tuple[Insurer, ...], members: int, months: int) -> None:
    ours = (folder / "truth" / PARAMETERS).exists()
    if (folder / "inbox").exists() and not ours:
        raise LakeError(
            str(folder), "an inbox that this command did not write", "an empty or new folder", "Name another folder.", ExitCode.USAGE
        )
    if members < 1 or months < 1:
        raise LakeError(
            "lake synthesize", f"members {members}, months {months}", "one or more of each", "Correct the call.", ExitCode.USAGE
        )
    for insurer in insurers:
        if insurer.form != "insurer":
            raise LakeError(
                f"config/insurers/{insurer.insurer_number}.yaml", f"form {insurer.form}", "form: insurer (the claim form is not invented)",
                "Set LAKE_CONFIG to the demo's configuration.", ExitCode.BAD_CONFIG,
            )  # fmt: skip


def _write(plan: Plan, folder: Path, processes: int) -> None:
    truth = folder / "truth"
    truth.mkdir(parents=True)
    claims: Counter = Counter()
    drugs: dict[tuple, Decimal] = defaultdict(Decimal)
    drug_lines: Counter = Counter()
    late = not_arrived = 0
    with ExitStack() as stack:
        people = _table(stack, truth / "people.csv", PEOPLE_COLUMNS)
        biologic_use = _table(stack, truth / "biologic_use.csv", BIOLOGIC_USE_COLUMNS)
        inbox = Inbox(folder / "inbox", plan)
        for block in _blocks(plan, processes, stack):
            inbox.append(block)
            people.writerows(block.people)
            biologic_use.writerows(block.biologic_use)
            number = block.insurer_number
            claims.update({(number, *key): value for key, value in block.claims.items()})
            for key, quantity in block.drugs.items():
                drugs[number, *key] += quantity
            drug_lines.update({(number, *key): value for key, value in block.drug_lines.items()})
            late, not_arrived = late + block.late_receipts, not_arrived + block.not_arrived_receipts
        inbox.close()
        table = _table(stack, truth / "claims.csv", ["insurer_number", "claim_month", "claim_kind", *CLAIMS_MEASURES])
        table.writerows([*key, *(claims[*key, m] for m in CLAIMS_MEASURES)] for key in sorted({key[:3] for key in claims}))
        table = _table(
            stack, truth / "drug_totals.csv", ["insurer_number", "service_month", "claim_kind", "drug_code", "quantity", "lines"]
        )
        table.writerows([*key, drugs[key], drug_lines[key]] for key in sorted(drugs))
        table = _table(
            stack, truth / "facilities.csv", ["facility_code", "name", "kind", "prefecture_code", "biosimilar_tendency", "doctors"]
        )
        table.writerows(
            [f.facility_code, f.name_ja, f.kind, f.prefecture, f.biosimilar_tendency, "|".join(f.doctors)]
            for town in plan.towns.values() for f in town.all
        )  # fmt: skip
    (truth / PARAMETERS).write_text(json.dumps(_parameters(plan, late, not_arrived), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _blocks(plan: Plan, processes: int, stack: ExitStack) -> Iterator[Block]:
    """Blocks in order, by this process or by several."""
    if processes == 1:
        return (make_block(plan, *block) for block in plan.blocks())
    pool = stack.enter_context(get_context("spawn").Pool(processes, _start, (plan,)))
    return pool.imap(_make, plan.blocks())


def _table(stack: ExitStack, path: Path, columns: list[str]) -> Any:
    file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    return writer


class Inbox:
    """The files of one insurer at a time, growing block by block; closed with what each sender ends a file with."""

    def __init__(self, folder: Path, plan: Plan):
        self.folder, self.months = folder, plan.months
        by_size = sorted(plan.insurers, key=lambda i: (i.member_count or 0, i.insurer_number))
        self.without_end = by_size[0].insurer_number  # no 0x1A at the end: seen, and to be read
        self.line_feeds_only = by_size[1 % len(by_size)].insurer_number  # LF only in the second month (a converted copy)
        self.insurer_number = ""
        self.open_files: dict[tuple[int, str], IO[bytes]] = {}

    def append(self, block: Block) -> None:
        if block.insurer_number != self.insurer_number:
            self.close()
            self.insurer_number = block.insurer_number
        for (claim_month, kind), content in block.files.items():
            file = self.open_files.get((claim_month, kind))
            if file is None:
                path = self.folder / block.insurer_number / str(claim_month) / block.insurer_number / FOLDER_NAME / FILE_NAMES[kind]
                path.parent.mkdir(parents=True, exist_ok=True)
                file = self.open_files[claim_month, kind] = path.open("wb")
            if block.insurer_number == self.line_feeds_only and claim_month == month_after(self.months[0], 2):
                content = content.replace(b"\r\n", b"\n")
            file.write(content)

    def close(self) -> None:
        for file in self.open_files.values():
            if self.insurer_number != self.without_end:
                file.write(END_OF_FILE)
            file.close()
        self.open_files = {}


def _parameters(plan: Plan, late: int, not_arrived: int) -> dict[str, object]:
    return {
        "seed": plan.seed,
        "members": plan.members,
        "members_by_insurer": plan.counts,
        "biologic_use": plan.biologic_use,
        "first_service_month": plan.months[0],
        "months": len(plan.months),
        "last_service_month": plan.months[-1],
        "action": {**asdict(plan.action), "month": plan.months[plan.action.month_no]},
        "corrected_per_receipt": CORRECTED_PER_RECEIPT,
        "late_per_1000_receipts_by_months": LATE_DELAYS,
        "late_receipts": late,
        "receipts_not_arrived_by_the_last_claim_month": not_arrived,
        "forced_uses": [
            {"insurer_number": insurer, "person_no": person_no, "drug_code": code, "service_month": plan.months[month_no]}
            for (insurer, person_no), uses in plan.forced.items()
            for code, month_no in uses
        ],
        "regimens": [asdict(regimen) for regimen in regimens()],
        "masters": {"drugs": len(shipped.drugs()), "biosimilar_products": len(shipped.biosimilar_products())},
    }
