"""Lines of the insurer form (レセ電コード情報ファイル): made from the layouts once, then only filled in. No position in code."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from hashlib import md5

from spark_jobs.claim_format import layouts

PROVIDER, REVIEW_BODY = 1, 2  # データ識別: claim as sent; added by the review body (審査支払機関)
RETURNED, BEFORE_RECLAIM = 8, 11  # 返戻データ; like 1, the state before a re-claim
ADDED, REPLACED, DELETED = 1, 2, 3  # 補正区分 of JY

Template = Callable[..., str]


def template(claim_kind: str, record_id: str, *names: str, claim_form: str = "insurer", **fixed: object) -> Template:
    """`format` of a full-length line: `names` are filled in this order, `fixed` once for all, all other fields stay empty."""
    cells = layouts.record(claim_kind, record_id, claim_form).line(**_slots(names), **fixed)
    return ",".join(cells).format


def day_template(claim_kind: str, record_id: str, *names: str, **fixed: object) -> Template:
    """The same for a record that holds 31 day fields (1日の情報 …): the argument after `names` fills them all (`day_cells`)."""
    record = layouts.record(claim_kind, record_id)
    cells = record.line(**_slots(names), **fixed)
    cells[record.pos("day_1") - 1 : record.pos("day_31")] = [f"{{{len(names)}}}"]
    return ",".join(cells).format


def _slots(names: tuple[str, ...]) -> dict[str, str]:
    """{0}, {1} … in the places of these fields."""
    return {name: f"{{{i}}}" for i, name in enumerate(names)}


@cache
def day_cells(times_of_day: tuple[tuple[int, int], ...]) -> str:
    """31 day fields from (day, times) pairs."""
    cells = [""] * 31
    for day, times in times_of_day:
        cells[day - 1] = str(times)
    return ",".join(cells)


@cache
def number(value: Decimal) -> str:
    """N…V: no zeros before, none after the point (1.50 → 1.5, 2.0 → 2)."""
    return f"{value.normalize():f}"


class Receipt:
    """The lines of one receipt in file order; 行番号 counts from 1 at MN. Corrections are kept and written at the end, before EX and RC."""

    def __init__(self, claim_kind: str, management_no: int, before: Sequence[str] = ()):
        self.claim_kind = claim_kind
        self.management_no = management_no
        self.before = before
        self.lines: list[str] = []
        self.corrections: list[tuple[int, int, str, str, str]] = []

    def add(self, body: str, data_id: int = PROVIDER, branch_no: int = 0) -> int:
        """Append a line; its 行番号."""
        row = len(self.lines) + 1
        self.lines.append(f"{data_id},{row},{branch_no},{body}")
        return row

    def replace(self, row: int, body: str, reason: str = "", items: str = "") -> None:
        self.corrections.append((REPLACED, row, body, reason, items))

    def delete(self, row: int, reason: str) -> None:
        self.corrections.append((DELETED, row, "", reason, ""))

    def insert(self, row: int, body: str, reason: str = "") -> None:
        """Put a line after `row`."""
        self.corrections.append((ADDED, row, body, reason, ""))

    def close(self, claim_month: int) -> str:
        """The whole receipt: the state before a re-claim, corrected lines, what JY does with them, EX, RC."""
        jy, ex = _closing(self.claim_kind)
        for body in self.before:
            self.add(body, BEFORE_RECLAIM)
        after = {i: self.add(c[2], REVIEW_BODY) for i, c in enumerate(self.corrections) if c[0] != DELETED}
        for i, (correction, row, _, reason, items) in enumerate(self.corrections):
            self.add(jy(correction, row, 0, items, reason, after.get(i, ""), 0 if i in after else ""), REVIEW_BODY)
        self.add(ex(f"1:{claim_month}:"), REVIEW_BODY, branch_no=1)
        return self.end(REVIEW_BODY)

    def end(self, data_id: int) -> str:
        """RC; the text."""
        check = md5(str(self.management_no).encode(), usedforsecurity=False).hexdigest()
        self.add(_check_data(self.claim_kind)(f"Ver00001{check}"), data_id)
        return "\r\n".join(self.lines) + "\r\n"


def sent(lines: list[str]) -> list[str]:
    """Of the lines of a receipt those that the provider sent, without the prefix."""
    return [line.split(",", 3)[3] for line in lines if line.startswith(f"{PROVIDER},")]


@cache
def _check_data(claim_kind: str) -> Template:
    return template(claim_kind, "RC", "management_info")


@cache
def _closing(claim_kind: str) -> tuple[Template, Template]:
    jy = template(
        claim_kind, "JY", "correction_class", "target_row_no", "target_branch_no", "target_item_numbers", "reason_codes",
        "after_row_no", "after_branch_no",
    )  # fmt: skip
    return jy, template(claim_kind, "EX", "review_body_data")
