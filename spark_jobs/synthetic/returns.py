"""Returns and re-claims (返戻・再請求) in the insurer form, as this house writes and reads them.

receipt-formats §4.2 names the data ids and leaves the rest open, so all of this is [unconfirmed]. A receipt that goes back stands once more
in the file of a later claim month, every line データ識別 8: MN with its own 管理番号 and 検索番号, the lines as first sent (RE with the
検索番号), HR with the reason, RC. From that month on it doesn't count. The re-claim comes later, if at all, as a receipt of its own: its RE
names the 検索番号 of the one that went back, and the state before follows the claim as データ識別 11.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from random import Random

from spark_jobs.claim_format import layouts
from spark_jobs.synthetic.formulary import Formulary
from spark_jobs.synthetic.lines import RETURNED, Receipt, Template, sent, template
from spark_jobs.synthetic.visits import DRUG, MedicalVisit, PharmacyVisit, Visit
from spark_jobs.synthetic.written import Ask

RETURNED_PER_RECEIPT = 0.006
RECLAIMED_RATIO = 0.85
RETURNED_AFTER = (1, 1, 1, 2)  # months
RECLAIMED_AFTER = (1, 1, 2, 3)
WRONG_NUMBER, WRONG_CONTENT, ASKED_FOR = "number", "content", "as it was"
CAUSES = {WRONG_NUMBER: ("1", "S1011"), WRONG_CONTENT: ("2", "S1060"), ASKED_FOR: ("9", "S1052")}  # 返戻区分, 返戻事由コード
NAMED_RATIO = 0.2  # reasons that name the person
WHOLE_STATE_RATIO = 0.4  # re-claims with all lines of the state before; the others have header and payers
HEAD = ("RE", "HO", "KO")


@dataclass(frozen=True)
class Return:
    """What becomes of a receipt: claim months by their number in the window."""

    returned_in: int
    reclaimed_in: int | None
    cause: str


def decide(rng: Random, claim_month_no: int, last_claim_month_no: int) -> Return | None:
    """Whether it goes back within the window, and comes again within it."""
    if rng.random() >= RETURNED_PER_RECEIPT:
        return None
    returned_in = claim_month_no + rng.choice(RETURNED_AFTER)
    comes_again = rng.random() < RECLAIMED_RATIO
    reclaimed_in = returned_in + rng.choice(RECLAIMED_AFTER)
    cause = rng.choice(tuple(CAUSES))
    if returned_in > last_claim_month_no:
        return None
    return Return(returned_in, reclaimed_in if comes_again and reclaimed_in <= last_claim_month_no else None, cause)


def returned(claim_kind: str, ask: Ask, lines: list[str], search_no: str, processing_month: int, cause: str, rng: Random) -> Receipt:
    """The receipt as it stands in the file of the month in which it goes back; to be closed with `end`."""
    receipt = Receipt(claim_kind, ask.management_no)
    receipt.add(lines[0].split(",", 3)[3], RETURNED)  # MN
    for body in sent(lines):
        receipt.add(_with_search_no(claim_kind, body, search_no) if body.startswith("RE,") else body, RETURNED)
    return_class, reason = CAUSES[cause]
    text = f"{ask.person.name}様の{'番号' if cause == WRONG_NUMBER else '内容'}を確認願います" if rng.random() < NAMED_RATIO else ""
    again = replace(ask, claim_month=processing_month)
    receipt.add(_hr(claim_kind)(again.month(processing_month), return_class, reason, text, search_no), RETURNED)
    return receipt


def state_before(lines: list[str], rng: Random) -> tuple[str, ...]:
    """What a re-claim repeats of the receipt that was returned."""
    bodies = [body for body in sent(lines) if body[:2] not in ("IR", "YK")]
    return tuple(bodies if rng.random() < WHOLE_STATE_RATIO else (body for body in bodies if body[:2] in HEAD))


def with_other_quantity(visit: Visit, formulary: Formulary, month_no: int, rng: Random) -> Visit:
    """The same visit with one amount corrected, points too; as it is if nothing of it can be corrected so (or it is a DPC stay)."""
    if isinstance(visit, MedicalVisit):
        treatments = list(visit.treatments)
        open_to = [i for i, t in enumerate(treatments) if t.is_priced and any(code[0] == DRUG for code, _ in t.lines)]
        if open_to:
            i = rng.choice(open_to)
            lines = [(code, q and q + 1) for code, q in treatments[i].lines]
            points = formulary.points(tuple((code, q or Decimal(0)) for code, q in lines), month_no)
            treatments[i] = replace(treatments[i], lines=lines, points=points)
            return replace(visit, treatments=treatments)
    elif isinstance(visit, PharmacyVisit):
        units = list(visit.units)
        open_to = [i for i, u in enumerate(units) if u.is_priced]
        if open_to:
            i = rng.choice(open_to)
            drugs = [(code, q + 1) for code, q in units[i].drugs]
            units[i] = replace(units[i], drugs=drugs, points=formulary.points(tuple(drugs), month_no))
            return replace(visit, units=units)
    return visit


def _with_search_no(claim_kind: str, body: str, search_no: str) -> str:
    cells = body.split(",")
    cells[layouts.record(claim_kind, "RE").pos("search_no") - 1] = search_no
    return ",".join(cells)


@cache
def _hr(claim_kind: str) -> Template:
    return template(claim_kind, "HR", "processing_month", "return_class", "return_reason_code", "return_reason_supplement", "search_no")
