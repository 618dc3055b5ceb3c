"""Writes the receipts of an invented consortium, and beside them the truth: what was planted, and what then came to be.

The same seed gives the same bytes, whatever the number of processes: blocks of members are made anywhere and joined in order.

The inbox holds the insurer form of every month, and in every third month what one or two providers sent in the claim form: the same claims.
The truth holds what counts in the end. A returned receipt (返戻) does not; its re-claim does, in the claim month in which it came.

- `claims.csv`: by insurer, claim month, kind; `lines` are all of the insurer form, `claim_form_…` the copies beside them; 訪問看護 has
  no points here, since it counts in yen
- `drug_totals.csv`, `biologic_use.csv`: quantities after the review; what the bundle of a DPC stay pays is in them and marked
- `returns.csv`, `public_only.csv`: receipts that went back; receipts of public payers alone, which are in none of the others
- `as_of.csv`: what was known in three claim months in the middle
- `people.csv`, `facilities.csv`, `parameters.json`: who and what was invented
"""

import csv
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from spark_jobs import config
from spark_jobs.config import Insurer
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import shipped
from spark_jobs.settings import Settings
from spark_jobs.synthetic.block import CORRECTED_PER_RECEIPT, Block, make_block
from spark_jobs.synthetic.formulary import regimens
from spark_jobs.synthetic.history import LATE_DELAYS
from spark_jobs.synthetic.inbox import Inbox
from spark_jobs.synthetic.months import month_after
from spark_jobs.synthetic.plan import Plan
from spark_jobs.synthetic.returns import RECLAIMED_RATIO, RETURNED_PER_RECEIPT

LEAST_MEMBERS = 300
PARAMETERS = "parameters.json"


_plan: Plan | None = None  # of this process


def _start(plan: Plan) -> None:
    global _plan
    _plan = plan


def _make(block: tuple[str, int, int]) -> Block:
    if _plan is None:
        raise RuntimeError("a process makes blocks only after _start")
    return make_block(_plan, *block)


PEOPLE_COLUMNS = [
    "insurer_number", "person_no", "name", "kana", "kana_large", "symbol", "symbol_half_width", "number", "number_half_width", "branch_no",
    "birth_date", "sex", "phone", "recipient_number", "chart_numbers",
    "wrong_number",
]  # fmt: skip
BIOLOGIC_USE_COLUMNS = [
    "insurer_number", "service_month", "claim_month", "claim_kind", "setting", "facility_code", "prescriber_facility_code", "person_no",
    "drug_code", "quantity", "drug_lines", "bundle_kind",
]  # fmt: skip
CLAIMS_MEASURES = ["receipts", "lines", "points_billed", "points_decided", "corrected_receipts"]
RETURNS_COLUMNS = ["insurer_number", "search_no", "claim_kind", "service_month", "claim_month", "returned_in", "reclaimed_in"]
PUBLIC_ONLY_COLUMNS = ["depositor", "search_no", "claim_kind", "service_month", "claim_month", "points"]


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
                f"config/insurers/{insurer.insurer_number}.yaml", f"form {insurer.form}", "form: insurer (invented deliveries have it)",
                "Set LAKE_CONFIG to the demo's configuration.", ExitCode.BAD_CONFIG,
            )  # fmt: skip


def _write(plan: Plan, folder: Path, processes: int) -> None:
    truth = folder / "truth"
    truth.mkdir(parents=True)
    claims: Counter = Counter()
    drugs: dict[tuple, Decimal] = defaultdict(Decimal)
    bundled: dict[tuple, Decimal] = defaultdict(Decimal)
    drug_lines: Counter = Counter()
    as_of: Counter = Counter()
    late = not_arrived = 0
    with ExitStack() as stack:
        people = _table(stack, truth / "people.csv", PEOPLE_COLUMNS)
        biologic_use = _table(stack, truth / "biologic_use.csv", BIOLOGIC_USE_COLUMNS)
        returns = _table(stack, truth / "returns.csv", RETURNS_COLUMNS)
        public_only = _table(stack, truth / "public_only.csv", PUBLIC_ONLY_COLUMNS)
        inbox = Inbox(folder / "inbox", plan)
        for block in _blocks(plan, processes, stack):
            inbox.append(block)
            people.writerows(block.people)
            biologic_use.writerows(block.biologic_use)
            returns.writerows(block.returns)
            public_only.writerows(block.public_only)
            number = block.insurer_number
            claims.update({(number, *key): value for key, value in block.claims.items()})
            as_of.update({(key[0], number, *key[1:]): value for key, value in block.as_of.items()})
            for totals, of_block in ((drugs, block.drugs), (bundled, block.bundled)):
                for key, quantity in of_block.items():
                    totals[number, *key] += quantity
            drug_lines.update({(number, *key): value for key, value in block.drug_lines.items()})
            late, not_arrived = late + block.late_receipts, not_arrived + block.not_arrived_receipts
        inbox.close()
        table = _table(stack, truth / "claims.csv", [
            "insurer_number", "claim_month", "claim_kind", *CLAIMS_MEASURES, "claim_form_receipts", "claim_form_lines",
        ])  # fmt: skip
        table.writerows(
            [*key, *(claims[*key, m] for m in CLAIMS_MEASURES), inbox.claim_form_receipts[key], inbox.claim_form_lines[key]]
            for key in sorted({key[:3] for key in claims})
        )
        table = _table(stack, truth / "drug_totals.csv", [
            "insurer_number", "service_month", "claim_kind", "drug_code", "quantity", "lines", "bundled_quantity",
        ])  # fmt: skip
        table.writerows([*key, drugs[key], drug_lines[key], bundled[key]] for key in sorted(drugs))
        table = _table(stack, truth / "as_of.csv", ["as_of_claim_month", "insurer_number", "service_month", "receipts", "points_decided"])
        table.writerows(
            [*key, as_of[*key, "receipts"], as_of[*key, "points_decided"]] for key in sorted({key[:3] for key in as_of})
        )  # fmt: skip
        table = _table(stack, truth / "facilities.csv", [
            "facility_code", "name", "kind", "prefecture_code", "biosimilar_tendency", "doctors", "is_dpc_hospital",
        ])  # fmt: skip
        table.writerows(
            [f.facility_code, f.name_ja, f.kind, f.prefecture, f.biosimilar_tendency, "|".join(f.doctors), int(f.is_dpc)]
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
        "returned_per_receipt": RETURNED_PER_RECEIPT,
        "reclaimed_ratio": RECLAIMED_RATIO,
        "copied_in_the_claim_form": [
            {"insurer_number": insurer, "claim_month": month, "facility_codes": sorted(facilities)}
            for (insurer, month), facilities in plan.copied.items()
        ],
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
