"""What a file is, from its bytes: Windows' Shift_JIS, lines ended by CR LF (LF in converted copies), a 0x1A somewhere at the end.

A comma or a line end is never the second byte of a character (those are 0x40 and above), so bytes can be cut before they are decoded.
"""

import re
from dataclasses import dataclass

from spark_jobs.claim_format import data_id, layouts
from spark_jobs.claim_format.japanese_calendar import western

CHARSET = "cp932"
JAVA_CHARSET = "windows-31j"  # equals cp932 but for single bytes 80, A0, FD, FE, FF, which Java reads as broken
BROKEN = "\ufffd"  # what stands where a byte could not be read
END_MARK = b"\x1a"
PROVIDERS = {"IR": None, "YK": "pha", "UK": "den", "HM": "nur"}  # provider record → kind; IR: by its 点数表
FILE_HEADS = {
    "med": "IR",
    "dpc": "IR",
    "den": "UK",
    "pha": "YK",
    "nur": "HM",
}  # first in a file of the claim form (歯科: IR in each receipt)
NAMED_PROVIDERS = "IR, YK, UK or HM"
FEE_TABLES = {"1": "med", "3": "den", "4": "pha", "6": "nur"}  # 点数表
DPC_RECORDS = re.compile(r"^(?:[^,]*,[^,]*,[^,]*,)?(?:BU|SB|KK|GA|HH|GT|CD),", re.MULTILINE)
FIELD = r"[^,\r\n]*,"
RETURN_MONTH = re.compile(r"^[^,]*,[^,]*,[^,]*,HR,(\d+),", re.MULTILINE)  # 処理年月 of a return, of a file that holds nothing else
OF_DETAIL = "[23]"  # 総括区分 of RE: a detail of the DPC receipt above it (receipt-formats §2.3)
PREFIX = re.compile(r"^\d{1,2},\d{1,5},\d{1,3},(?=[A-Z]{2},)")
NAMES = (  # (pattern of a file name, form, kind): receipt-formats.md §1.1 and §4.1
    *((re.compile(rf"^RECEIPT{letter}.*\.(UKE|CYO)$", re.IGNORECASE), "claim", kind)
      for letter, kind in zip("CDSYH", ("med", "dpc", "den", "pha", "nur"), strict=True)),
    *((re.compile(rf"[1-5][_-]REC\S*[_-]{part}", re.IGNORECASE), "insurer", part.lower()) for part in ("MED", "DPC", "DEN", "PHA", "NUR")),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What a file is: form, kind, 請求年月, マルチボリューム識別情報 (claim form: 0, 1 … per volume)."""

    claim_form: str
    claim_kind: str
    claim_month: int
    volume: int = 0


class NotAReceiptFileError(ValueError):
    """Says what stands there instead, without quoting the file."""


def recognise(head: bytes) -> Kind:
    """Form, kind and claim month from the first lines of a file; NotAReceiptFileError if they are no receipts."""
    lines = head.replace(END_MARK, b"").decode(CHARSET, errors="replace").replace("\r\n", "\n").split("\n")
    first = next((line for line in lines if line.strip()), "")
    form = "insurer" if PREFIX.match(first) else "claim"
    named = [line for line in (lines if form == "insurer" else [first]) if PREFIX.sub("", line).partition(",")[0] in PROVIDERS]
    # a returned receipt keeps the month in which it was first claimed
    sent = next((line for line in named if form == "claim" or line.startswith(f"{data_id.SENT},")), None)
    provider = sent or next(iter(named), None)
    if provider is None:
        raise NotAReceiptFileError(
            f"no provider record ({NAMED_PROVIDERS}) among its first lines"
            if form == "insurer"
            else f"a first line of {first.count(',') + 1} fields, not {NAMED_PROVIDERS}"
        )
    fields = PREFIX.sub("", provider).split(",") if form == "insurer" else provider.split(",")
    kind = PROVIDERS[fields[0]] or FEE_TABLES.get(fields[3] if len(fields) > 3 else "", "")
    if kind == "med" and DPC_RECORDS.search("\n".join(lines)):
        kind = "dpc"
    record = layouts.records(kind, form).get(fields[0]) if kind else None
    if record is None:
        raise NotAReceiptFileError(f"{fields[0]} with an unknown 点数表")
    place = record.pos("claim_month") - 1
    month = western(fields[place]) if len(fields) > place else None
    if sent is None and (returned := RETURN_MONTH.search("\n".join(lines))):
        month = western(returned[1])
    if month is None or len(month) != 6 or not 1 <= int(month[4:]) <= 12 or (form == "claim" and BROKEN in provider):
        raise NotAReceiptFileError(f"{fields[0]} without a readable 請求年月 (field {place + 1})")
    return Kind(form, kind, int(month), _volume(record, fields) if form == "claim" else 0)


def _volume(record: layouts.Record, fields: list[str]) -> int:
    place = next((field.pos - 1 for field in record.fields if field.name_en == "volume_no"), len(fields))
    text = fields[place] if place < len(fields) else ""
    return int(text) if text.isascii() and text.isdigit() else 0


def receipt_begin(claim_form: str, claim_kind: str) -> str:
    """Regular expression of how a receipt begins. In the claim form a detail of a DPC receipt has an RE of its own, but is no receipt."""
    if claim_form == "insurer":
        return f"{FIELD}{FIELD}{FIELD}MN,"
    if claim_kind != "dpc":
        return "RE,"
    before = layouts.record("dpc", "RE", "claim").pos("summary_class") - 2
    return rf"RE,(?!(?:{FIELD}){{{before}}}{OF_DETAIL}(?:[,\r\n]|$))"


def named(file_name: str) -> tuple[str, str] | None:
    """(form, kind) that a file name promises, None if it promises nothing."""
    return next(((form, kind) for pattern, form, kind in NAMES if pattern.search(file_name)), None)
