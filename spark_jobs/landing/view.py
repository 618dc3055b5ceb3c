"""`lake inspect`: one receipt of a file as a person reads it: who billed what to whom, its lines, what the review changed, its drugs.

No Spark, no key; nothing is stored. Names, numbers and free text are never shown, and what the layout can not read is counted, not shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spark_jobs.claim_format import data_id, encoding, layouts, privacy, words
from spark_jobs.claim_format.codes import BENEFICIARY_CLASS
from spark_jobs.claim_format.japanese_calendar import western
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing.delivery import HEAD_BYTES
from spark_jobs.masters import shipped

PSEUDONYM, NOT_KEPT, NOT_READABLE = "(仮名になる)", "(残らない)", "(読めない)"
ANYTHING, MODES = re.compile(".*"), {"N": re.compile(r"-?[\d.]+", re.ASCII), "A": re.compile(r"[ -~]+")}  # 数字, 英数
DRUG_FIELDS = ("drug_code", "receipt_code")
DRUG = re.compile(r"6\d{8}", re.ASCII)  # 医薬品コード; CD holds procedures and materials too
DAY = re.compile(r"day_(\d+)")
AS_SENT = (data_id.SENT, data_id.RETURNED)
ADDED, REPLACED, DELETED = "1", "2", "3"  # 補正区分
DPC_BLOCKS = ("0", "2")  # レセプト総括区分 of blocks with coding data (CD)

Place = tuple[int, int]  # 行番号, 枝番号


@dataclass
class Line:
    """One line of a receipt: what its layout can read of it, as it would be kept."""

    line_no: int
    data_id: int
    place: Place
    record_id: str
    values: dict[str, str] = field(default_factory=dict)  # field → value, blank ones left out; hidden ones as a word
    parts: list[tuple[str, str]] = field(default_factory=list)  # the same by Japanese name, as shown
    problem: str = ""
    is_void: bool = False  # replaced or deleted by a correction (JY)

    def get(self, name: str) -> str:
        value = self.values.get(name, "")
        return "" if value in (PSEUDONYM, NOT_KEPT, NOT_READABLE) else value


def show(path: Path, number: int, console: Console) -> None:
    """Print the receipt of this number, 1-based."""
    kind = _kind(path)
    providers, lines = _receipt(path, kind, number)
    final = _corrected(lines) if kind.claim_form == "insurer" else lines
    console.print(f"{path.name}: {kind.claim_form} {kind.claim_kind} {kind.claim_month}, receipt {number}", style="bold", highlight=False)
    for text in _heading(kind, providers, lines, final):
        console.print(escape(text), highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("行", justify="right")
    if kind.claim_form == "insurer":
        table.add_column("データ識別")
        table.add_column("行番号", justify="right")
    for name in ("レコード", "内容"):
        table.add_column(name, overflow="fold")
    review_body = next((line.get("review_body") for line in providers if line.get("review_body")), "")
    for line in lines:
        prefix = [f"{line.data_id} {words.DATA_ID_JA.get(line.data_id, '')}", _row(line.place)] if kind.claim_form == "insurer" else []
        style = "strike dim" if line.is_void else "yellow" if line.data_id == data_id.REVIEWED else ""
        table.add_row(str(line.line_no), *prefix, line.record_id, _content(line, lines, review_body), style=style)
    console.print(table)
    drugs = _drugs(kind.claim_kind, final)
    if drugs.row_count:
        console.print(drugs)


def _kind(path: Path) -> encoding.Kind:
    try:
        with path.open("rb") as f:
            return encoding.recognise(f.read(HEAD_BYTES))
    except OSError as error:
        raise LakeError(str(path), error.strerror or "unreadable", "a receipt file", "Correct the path.") from None
    except encoding.NotAReceiptFileError as error:
        raise LakeError(str(path), str(error), "a receipt file", "Look at what was delivered.") from None


def _receipt(path: Path, kind: encoding.Kind, number: int) -> tuple[list[Line], list[Line]]:
    """(records that name its provider, its lines); the file is read only as far as needed."""
    is_claim_form = kind.claim_form == "claim"
    begin = re.compile(encoding.receipt_begin(kind.claim_form, kind.claim_kind))
    heads = tuple(f"{record}," for record in encoding.PROVIDERS)
    seen = 0
    before: dict[str, Line] = {}
    found: list[Line] = []
    for line_no, text in _lines(path):
        if begin.match(text):
            seen += 1
        if seen > number or (is_claim_form and found and text.startswith((*heads, "GO,"))):
            break
        if is_claim_form and seen < number and text.startswith(heads):
            before[text[:2]] = _line(kind, line_no, text)
        if seen == number and text:
            found.append(_line(kind, line_no, text))
    if not found:
        raise LakeError(str(path), f"{seen} receipts", f"receipt {number}", "Give a number from 1 on.", ExitCode.USAGE)
    return [*before.values(), *(line for line in found if line.record_id in (*encoding.PROVIDERS, "MN"))], found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as f:
        for line_no, line in enumerate(f, start=1):
            yield line_no, line.replace(encoding.END_MARK, b"").rstrip(b"\r\n").decode(encoding.CHARSET, errors="replace")


def _line(kind: encoding.Kind, line_no: int, text: str) -> Line:
    """What may be shown of a line."""
    cells = text.split(",")
    size = len(layouts.INSURER_PREFIX) if kind.claim_form == "insurer" else 0
    prefix, fields = [int(cell) if cell.isascii() and cell.isdigit() else 0 for cell in (*cells[:size], "", "", "")[:3]], cells[size:]
    line = Line(line_no, prefix[0] if size else data_id.SENT, (prefix[1], prefix[2]), "?")
    record = layouts.records(kind.claim_kind, kind.claim_form).get(fields[0] if fields else "")
    if record is None:
        line.problem = f"no record of this kind of claim: {len(fields)} fields, not shown"
        return line
    line.record_id = record.record_id
    least, most = (record.length - 1, len(fields)) if record.is_open else (record.length, record.length)
    if len(fields) > most or (size and len(fields) < least):
        line.problem = f"{len(fields)} fields instead of {record.length}: not shown"
    elif '"' in text:  # a comma may stand inside: no field is surely where it seems
        line.problem = "a quote mark, which the format does not know: not shown"
    else:
        _read(line, record, fields, privacy.marks(kind.claim_kind, kind.claim_form).get(record.record_id, {}))
    return line


def _read(line: Line, record: layouts.Record, fields: list[str], marks: dict[int, str]) -> None:
    given = [(place, value) for place, value in zip(record.fields[1:], fields[1:], strict=False) if value.strip()]
    kept = [(place, value) for place, value in given if place.pos not in marks]
    if marks and not all(_fits(place, value) for place, value in kept):  # a comma in a name would put a part of it there
        line.problem = "a value that can not stand where it stands: not shown"
        return
    days = []
    for place, value in given:
        shown = _shown(value, marks.get(place.pos, "keep")) if place.pos in marks or _fits(place, value) else NOT_READABLE
        line.values[place.name_en] = shown
        if (day := DAY.fullmatch(place.name_en)) and shown == value:
            days.append(f"{day[1]}日" + (f"×{value}" if value != "1" else ""))
        else:
            name = f" {_drug_name(value)}" if place.name_en in DRUG_FIELDS and DRUG.fullmatch(value) else ""
            line.parts.append((place.name_ja, shown + name))
    if days:
        line.parts.append(("日", " ".join(days)))


def _fits(place: layouts.Field, value: str) -> bool:
    """Whether mode and length of a field allow the value."""
    size = len(value.encode(encoding.CHARSET, errors="replace"))
    return bool(MODES.get(place.mode, ANYTHING).fullmatch(value.strip())) and (place.max_bytes is None or size <= place.max_bytes)


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


def _corrected(lines: list[Line]) -> list[Line]:
    """The lines that count: those sent, with the corrections (JY) applied (receipt-formats §4.4). Marks what was replaced or deleted."""
    by_place = {line.place: line for line in lines}
    final = [line for line in lines if line.data_id == data_id.SENT]
    for jy in (line for line in lines if line.record_id == "JY" and line.data_id == data_id.REVIEWED):
        target, after = by_place.get(_target(jy)), by_place.get(_after(jy))
        at = final.index(target) if target in final else None
        correction = jy.get("correction_class")
        if correction == ADDED and after:
            alike = [i for i, line in enumerate(final) if line.record_id == after.record_id]
            final.insert((alike[-1] if alike else len(final) - 1) + 1 if at is None else at + 1, after)
        elif correction in (REPLACED, DELETED) and at is not None:
            final[at].is_void = True
            final[at : at + 1] = [after] if correction == REPLACED and after else []
    return final


def _target(jy: Line) -> Place:
    return int(jy.get("target_row_no") or 0), int(jy.get("target_branch_no") or 0)


def _after(jy: Line) -> Place:
    return int(jy.get("after_row_no") or 0), int(jy.get("after_branch_no") or 0)


def _row(place: Place) -> str:
    return f"{place[0]}-{place[1]}" if place[1] else str(place[0])


def _content(line: Line, lines: list[Line], review_body: str) -> str:
    if line.problem:
        return f"[red]{line.problem}[/]"
    if line.record_id == "JY":
        return _said(line, {other.place for other in lines}, review_body)
    return "  ".join(f"[dim]{name}[/] {escape(value)}" for name, value in line.parts)


def _said(jy: Line, places: set[Place], review_body: str) -> str:
    """A correction in words."""

    def row(place: Place) -> str:
        return f"行{_row(place)}" + ("" if place in places else "(このレセプトにない)")

    target, after = row(_target(jy)), row(_after(jy))
    what = {
        ADDED: f"{target}の後に{after}を追加" if _target(jy) != (0, 0) else f"{after}を追加",
        REPLACED: f"{target}は{after}に置き換え",
        DELETED: f"{target}を削除",
    }.get(jy.get("correction_class"), "補正区分が読めない")
    reasons = words.reasons(jy.get("reason_codes"), review_body)
    return escape(what + (f"  事由 {reasons}" if reasons else ""))


def _heading(kind: encoding.Kind, providers: list[Line], lines: list[Line], final: list[Line]) -> Iterator[str]:
    """What the receipt is, in words."""
    found = {name: value for line in providers for name in line.values if (value := line.get(name))}
    header = next((line for line in lines if line.record_id == "RE"), None)
    receipt_type = header.get("receipt_type") if header else ""
    setting = ""
    if len(receipt_type) == 4 and kind.claim_kind in ("med", "dpc", "den"):
        setting = "入院" if receipt_type[3] in "13579" else "入院外"
    service_month = _month(header.get("treatment_month") if header else "")
    yield " ".join(
        filter(None, (words.KIND_JA[kind.claim_kind], setting, f"診療 {service_month}", f"請求 {_month(str(kind.claim_month))}"))
    )
    code = "".join(found.get(name, "") for name in ("prefecture", "fee_table", "institution_code"))
    yield f"医療機関 {code} {found.get('institution_name', '')}".rstrip()
    if header:
        person = [BENEFICIARY_CLASS.get(receipt_type[3:], ""), words.SEX_JA.get(header.get("sex"), "")]
        born = header.get("birth_date")
        yield " ".join(filter(None, ("患者", *person, f"{_month(born)}生" if born else "")))
    yield from _payers(kind.claim_kind, lines, final)
    if kind.claim_form == "insurer":
        ids = sorted({line.data_id for line in lines})
        yield "データ識別 " + "、".join(f"{number} {words.DATA_ID_JA.get(number, '(不明)')}" for number in ids)


def _payers(claim_kind: str, lines: list[Line], final: list[Line]) -> Iterator[str]:
    total, unit = ("total_amount", "円") if claim_kind == "nur" else ("total_points", "点")
    of_insurer = [line for line in lines if line.record_id == "HO" and line.data_id in AS_SENT]
    if of_insurer:
        first, decided = of_insurer[0], next((line for line in final if line.record_id == "HO"), of_insurer[0])
        change = f" → 審査後 {decided.get(total)}{unit}" if decided.get(total) != first.get(total) else ""
        number = first.get("insurer_number").strip()
        yield f"保険者 {number} {words.payer(number)} {first.get(total)}{unit}{change}"
    public = [line for line in lines if line.record_id == "KO" and line.data_id in AS_SENT]
    for line in public:
        yield f"公費{'' if of_insurer else 'のみ'} 法別{line.get('public_payer_number')[:2]} {line.get(total)}{unit}"


def _month(text: str) -> str:
    digits = western(text) or ""
    return f"{digits[:4]}年{int(digits[4:6])}月" if len(digits) >= 6 else "(読めない)"


def _drugs(claim_kind: str, final: list[Line]) -> Table:
    """Drugs of the lines that count, with their amounts (receipt-formats §6)."""
    table = Table(title="医薬品 (補正後)", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("行", "コード", "名称", "使用量"):
        table.add_column(name, justify="right" if name in ("行", "使用量") else "left", overflow="fold")
    times, summary = Decimal(0), ""  # 調剤: Σ 調剤数量 of the group; DPC: レセプト総括区分 of the block
    for line in final:
        if line.record_id == "RE":
            summary = line.get("summary_class")
        elif line.record_id == "SH":
            times = Decimal(0)
        elif line.record_id == "CZ":
            times += _number(line.get("dispensed_quantity"))
        is_drug = line.record_id == ("CD" if claim_kind == "dpc" and summary in DPC_BLOCKS else "IY")
        code = line.get("drug_code") or line.get("receipt_code")
        if is_drug and DRUG.fullmatch(code) and line.get("quantity"):
            by = times if claim_kind == "pha" else _number(line.get("times"))
            amount = _number(line.get("quantity")) * by
            table.add_row(str(line.line_no), code, escape(_drug_name(code)), f"{amount.normalize():f} {_drug_unit(code)}".rstrip())
    return table


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def _drug_name(code: str) -> str:
    return _masters()[code].drug_name_ja if code in _masters() else "(マスターにない)"


def _drug_unit(code: str) -> str:
    return (_masters()[code].unit_ja or "") if code in _masters() else ""


@cache
def _masters() -> dict[str, shipped.Drug]:
    return {drug.drug_code: drug for drug in shipped.drugs()}
