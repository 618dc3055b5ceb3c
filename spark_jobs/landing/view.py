"""`lake inspect`: one receipt of a file as its layout names it, for a person to read. No Spark, no key; nothing is stored.

Names, numbers and free text are never shown, and what the layout can not read is counted, not shown.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spark_jobs.claim_format import encoding, layouts, privacy
from spark_jobs.claim_format.japanese_calendar import western
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing.delivery import HEAD_BYTES
from spark_jobs.masters import shipped

PSEUDONYM, NOT_KEPT, NOT_READABLE = "(仮名になる)", "(残らない)", "(読めない)"
ANYTHING, MODES = re.compile(".*"), {"N": re.compile(r"-?[\d.]+", re.ASCII), "A": re.compile(r"[ -~]+")}  # 数字, 英数
DRUG_FIELDS = ("drug_code", "receipt_code")
DAY = re.compile(r"day_(\d+)")
OF_REVIEW = "2"  # データ識別: added by the review body

Line = tuple[int, str]  # physical line number, 1-based, and its text


def show(path: Path, number: int, console: Console) -> None:
    """Print the receipt of this number, 1-based."""
    kind = _kind(path)
    lines = _receipt(path, kind, number)
    table = Table(title=f"{path.name}: {kind.claim_form} {kind.claim_kind} {kind.claim_month}, receipt {number}", box=box.SIMPLE_HEAD)
    table.add_column("行", justify="right")
    if kind.claim_form == "insurer":
        table.add_column("データ識別")
        table.add_column("行番号", justify="right")
    for name in ("レコード", "内容"):
        table.add_column(name, overflow="fold")
    for line_no, text in lines:
        *prefix, record, content = _row(kind, text)
        table.add_row(str(line_no), *prefix[:2], record, content, style="yellow" if prefix[:1] == [OF_REVIEW] else "")
    console.print(table)


def _kind(path: Path) -> encoding.Kind:
    try:
        with path.open("rb") as f:
            kind = encoding.recognise(f.read(HEAD_BYTES))
    except OSError as error:
        raise LakeError(str(path), error.strerror or "unreadable", "a receipt file", "Correct the path.") from None
    except encoding.NotAReceiptFileError as error:
        raise LakeError(str(path), str(error), "a receipt file", "Look at what was delivered.") from None
    if kind.claim_kind not in layouts.KINDS:
        raise LakeError(str(path), f"claims of kind {kind.claim_kind}", "医科, DPC or 調剤", "Its layout is not known yet.")
    return kind


def _receipt(path: Path, kind: encoding.Kind, number: int) -> list[Line]:
    """The lines of one receipt; the file is read only as far as needed."""
    begin = re.compile(encoding.receipt_begin(kind.claim_form, kind.claim_kind))
    outside = () if kind.claim_form == "insurer" else ("IR,", "YK,", "GO,")
    seen = 0
    found: list[Line] = []
    for line_no, text in _lines(path):
        if begin.match(text):
            seen += 1
        if seen > number or (found and text.startswith(outside)):
            break
        if seen == number and text:
            found.append((line_no, text))
    if not found:
        raise LakeError(str(path), f"{seen} receipts", f"receipt {number}", "Give a number from 1 on.", ExitCode.USAGE)
    return found


def _lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as f:
        for line_no, line in enumerate(f, start=1):
            yield line_no, line.replace(encoding.END_MARK, b"").rstrip(b"\r\n").decode(encoding.CHARSET, errors="replace")


def _row(kind: encoding.Kind, text: str) -> list[str]:
    """Prefix of the insurer form, record and content in words."""
    cells = text.split(",")
    size = len(layouts.INSURER_PREFIX) if kind.claim_form == "insurer" else 0
    prefix, fields = cells[:size], cells[size:]
    record = layouts.records(kind.claim_kind, kind.claim_form).get(fields[0] if fields else "")
    if record is None:
        return [*prefix, "?", f"[red]no record of this kind of claim: {len(fields)} fields, not shown[/]"]
    if len(fields) > record.length or (size and len(fields) < record.length):
        return [*prefix, record.record_id, f"[red]{len(fields)} fields instead of {record.length}: not shown[/]"]
    if '"' in text:  # a comma may stand inside: no field is surely where it seems
        return [*prefix, record.record_id, "[red]a quote mark, which the format does not know: not shown[/]"]
    marks = privacy.marks(kind.claim_kind, kind.claim_form).get(record.record_id, {})
    parts, days = [], []
    for field, value in zip(record.fields[1:], fields[1:], strict=False):
        if not value.strip():
            continue
        is_of_mode = MODES.get(field.mode, ANYTHING).fullmatch(value.strip())  # a comma in a name would put a part of it here
        if (day := DAY.fullmatch(field.name_en)) and is_of_mode:
            days.append(f"{day[1]}日" + (f"×{value}" if value != "1" else ""))
            continue
        shown = _shown(value, marks.get(field.pos, "keep")) if is_of_mode else NOT_READABLE
        if field.name_en in DRUG_FIELDS and value in _drug_names():
            shown += f" {_drug_names()[value]}"
        parts.append(f"[dim]{field.name_ja}[/] {escape(shown)}")
    return [*prefix, record.record_id, "  ".join([*parts, *([f"[dim]日[/] {' '.join(days)}"] if days else [])])]


def _shown(value: str, mark: str) -> str:
    """The value as the lake would keep it, a pseudonym and what is not kept as a word."""
    match mark:
        case "keep":
            return value
        case "birth_month":
            return (western(value) or NOT_KEPT)[:6]
        case "suspicion":
            return "疑い" if value.endswith("疑い") else NOT_KEPT
        case "drop" | "free_text":
            return NOT_KEPT
    return PSEUDONYM


@cache
def _drug_names() -> dict[str, str]:
    return {drug.drug_code: drug.drug_name_ja for drug in shipped.drugs()}
