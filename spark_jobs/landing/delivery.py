"""landing.delivery: which files were delivered by whom, and what became of them.

Files stay where their owner keeps them; only their heads and hashes are read.
The same content twice is one delivery; the same name with other content is a new one.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from spark_jobs import config, delta, log, tables
from spark_jobs.claim_format import encoding
from spark_jobs.errors import LakeError
from spark_jobs.landing import finding
from spark_jobs.landing.finding import Finding
from spark_jobs.settings import Settings

SUFFIXES = (".uke", ".cyo", ".csv")
RECEIPT_CSV = re.compile(r"^\d{1,2}[_-]REC", re.IGNORECASE)  # other CSV files of a delivery (text information) are no receipts
HEAD_BYTES = 2**18
CLOSED = ("rejected", "withdrawn", "superseded")  # may be delivered again
OPEN = ("received", "bronze")
LEAVING = "leaving"  # withdrawn or superseded (the detail says which), its rows perhaps still in the lake
LOGGED = (
    "state", "insurer_number", "file_sha256", "claim_form", "claim_kind", "claim_month", "file_bytes", "receipt_count", "line_count",
    "quarantine_count",
)  # fmt: skip


@dataclass(frozen=True)
class DeliveredFile:
    """One delivered file, as the following rooms need it."""

    insurer_number: str
    file_sha256: str
    file_name: str
    file_path: str
    claim_form: str
    claim_kind: str
    claim_month: int
    mismatch_rule: str
    file_bytes: int = 0
    state: str = ""  # that of the latest event
    detail: str | None = None  # of the latest event
    event_no: int = 0  # of the latest event; 0 = none recorded yet


@dataclass
class DeliverySummary:
    """What `lake deliver` did."""

    insurer_number: str
    received: int = 0
    known: int = 0
    rejected: int = 0
    superseded: int = 0
    findings: list[Finding] = field(default_factory=list)

    def __rich__(self) -> str:
        line = f"{self.insurer_number}: {self.received} received, {self.known} known already, {self.rejected} rejected"
        line += f", {self.superseded} superseded" if self.superseded else ""
        return "\n".join([line, *(f"  {f}" for f in self.findings)])

    __str__ = __rich__


@dataclass(frozen=True)
class Event:
    """One event of one file, to be appended."""

    file: DeliveredFile
    state: str
    receipt_count: int | None = None
    line_count: int | None = None
    quarantine_count: int | None = None
    detail: str | None = None


def deliver(settings: Settings, path: Path, insurer_number: str, is_replacing: bool = False) -> DeliverySummary:
    """Record the receipt files under `path` as delivered by this insurer; what can not be taken is rejected, the others go on.

    `is_replacing`: earlier insurer-form files of the same kinds and months that are not among these are superseded by them.
    """
    insurer = config.insurer(settings, insurer_number)
    summary, events, looked_at = DeliverySummary(insurer_number), [], []
    held = {file.file_sha256: file for file in files(settings, insurer_number)}
    months = {_month(file) for file in held.values() if file.state not in CLOSED}
    for source in _receipt_files(path):
        event, found = _recognise(source, insurer_number, insurer.mismatch)
        before = held.get(event.file.file_sha256)
        if before and before.state not in CLOSED:
            summary.known += 1
            continue
        looked_at.append(event.file)
        held[event.file.file_sha256] = replace(event.file, state=event.state, detail=event.detail)
        if before:
            event = replace(event, file=replace(event.file, event_no=before.event_no))
        if event.state == "received":
            summary.received += 1
            if event.file.claim_form == "insurer" and _month(event.file) in months and not is_replacing:
                told = f"{event.file.file_path}: {event.file.claim_kind} {event.file.claim_month}"
                found.append(Finding(insurer_number, event.file.file_sha256, "second_file_of_month", told))
            months.add(_month(event.file))
        else:
            summary.rejected += 1
        summary.findings += found
        if not before or (before.state, before.detail) != (event.state, event.detail):  # else the same file with the same fault
            events.append(event)
    if is_replacing:
        events += _superseded(held, events)
        summary.superseded = sum(event.state == LEAVING for event in events)
    finding.replace(settings, summary.findings, looked_at, (*finding.DELIVERY_RULES, *finding.LOST_RULES))
    record(settings, events)
    return summary


def _superseded(held: dict[str, DeliveredFile], events: list[Event]) -> list[Event]:
    received = [event.file for event in events if event.state == "received"]
    months = {_month(file): file.file_sha256 for file in received if file.claim_form == "insurer"}
    new = {file.file_sha256 for file in received}
    earlier = [x for x in held.values() if x.file_sha256 not in new and x.state not in (*CLOSED, LEAVING) and _month(x) in months]
    return [Event(file, LEAVING, detail=f"superseded: by {months[_month(file)]}") for file in earlier]


def withdraw(settings: Settings, insurer_number: str, named: str, reason: str) -> list[DeliveredFile]:
    """Mark the delivered file of this path, name or hash (its first 8 digits or more) as withdrawn; its rows leave at the next ingest."""
    config.insurer(settings, insurer_number)
    place = str(Path(named).resolve())
    held = [x for x in files(settings, insurer_number) if x.state not in CLOSED]
    found = [x for x in held if place == x.file_path or named == x.file_name or (len(named) >= 8 and x.file_sha256.startswith(named))]
    if len(found) != 1:
        raise LakeError(
            f"--insurer {insurer_number} {named}", f"{len(found)} valid deliveries", "one: a path, a name, or the first digits of its hash",
            "Look at lake status and landing.delivery.",
        )  # fmt: skip
    return record(settings, [Event(found[0], LEAVING, detail=f"withdrawn: {reason}")])


def _month(file: DeliveredFile) -> tuple[str, str, int]:
    return file.claim_form, file.claim_kind, file.claim_month


def files(settings: Settings, insurer_number: str | None = None) -> list[DeliveredFile]:
    """All delivered files (of an insurer) in their latest state, oldest month first."""
    events = delta.read(settings, tables.DELIVERY, {"insurer_number": [insurer_number]} if insurer_number else None)
    latest = events.sort("event_no").unique(["insurer_number", "file_sha256"], keep="last")
    ordered = latest.sort("claim_month", "insurer_number", "file_sha256").select(column.name for column in fields(DeliveredFile))
    return [DeliveredFile(**row) for row in ordered.to_dicts()]


def pending(settings: Settings, insurer_number: str | None = None, claim_month: int | None = None) -> list[DeliveredFile]:
    """Files received but not yet in silver, oldest month first."""
    return [
        file for file in files(settings, insurer_number) if file.state in OPEN and (claim_month is None or file.claim_month == claim_month)
    ]  # fmt: skip


def record(settings: Settings, events: Iterable[Event]) -> list[DeliveredFile]:
    """Append events, all in one commit; returns the files in their new state."""
    own = [column.name for column in fields(Event) if column.name != "file"]
    now = {"recorded_at": datetime.now(UTC)}
    rows = [
        asdict(event.file) | {name: getattr(event, name) for name in own} | {"event_no": event.file.event_no + 1} | now for event in events
    ]  # fmt: skip
    if rows:
        delta.append(settings, tables.DELIVERY, rows)
        delta.compact(settings, tables.DELIVERY)
        log.write(settings, [{"event": "delivery"} | {name: row[name] for name in LOGGED} for row in rows])
    return [DeliveredFile(**{column.name: row[column.name] for column in fields(DeliveredFile)}) for row in rows]


def _receipt_files(path: Path) -> list[Path]:
    if not path.exists():
        raise LakeError(str(path), "no such file or folder", "a receipt file or a folder of them", "Correct the path.")
    if path.is_file():
        return [path]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and file.suffix.lower() in SUFFIXES
        and (file.suffix.lower() != ".csv" or RECEIPT_CSV.match(file.name) or _is_receipt(file))
    ]
    if not found:
        raise LakeError(
            str(path), "no receipt file", "*.UKE, *.CYO or *_RECODEINFO_*.CSV in it or below", "Check the folder; unpack archives first."
        )
    return found


def _is_receipt(file: Path) -> bool:
    try:
        with file.open("rb") as f_:
            encoding.recognise(f_.read(HEAD_BYTES))
    except (OSError, encoding.NotAReceiptFileError):
        return False
    return True


def _recognise(source: Path, insurer_number: str, mismatch_rule: str) -> tuple[Event, list[Finding]]:
    """The event of a file, received or rejected, with its findings."""
    sha256, size, head, records = hashlib.sha256(), 0, b"", Counter[str]()
    with source.open("rb") as f_:
        while block := f_.read(2**22):
            head = head or block[:HEAD_BYTES]
            records.update(match.decode() for match in re.findall(rb"(?:^|\n)\x1a*(IR|YK|UK|HM),", block))
            sha256.update(block)
            size += len(block)
    digest = sha256.hexdigest()

    def event(state: str, kind: encoding.Kind, detail: str | None = None) -> Event:
        place = str(source.resolve())
        return Event(
            DeliveredFile(
                insurer_number, digest, source.name, place, kind.claim_form, kind.claim_kind, kind.claim_month, mismatch_rule, size
            ),
            state,
            detail=detail,
        )

    def rejected(rule: str, found: str, kind: encoding.Kind) -> tuple[Event, list[Finding]]:
        return event("rejected", kind, f"{rule}: {found}"), [Finding(insurer_number, digest, rule, f"{source.resolve()}: {found}")]

    unknown = encoding.Kind("", "", 0)
    if size == 0:
        return rejected("empty_file", "0 bytes", unknown)
    try:
        kind = encoding.recognise(head)
    except encoding.NotAReceiptFileError as error:
        return rejected("not_a_receipt_file", str(error), unknown)
    providers = records[encoding.FILE_HEADS[kind.claim_kind]]
    if kind.claim_form == "claim" and providers > 1:
        return rejected("several_providers", f"{providers} provider records", kind)
    promised = encoding.named(source.name)
    if promised and promised != (kind.claim_form, kind.claim_kind):
        told = f"{source.resolve()} promises {' '.join(promised)}, content is {kind.claim_form} {kind.claim_kind}"
        return event("received", kind), [Finding(insurer_number, digest, "name_contradicts", told)]
    return event("received", kind), []
