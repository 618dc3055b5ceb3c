"""A small reader of delivered receipts, of both forms: plain splitting and the layouts, nothing of the generator or the lake."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.japanese_calendar import western

KIND_OF_FILE = {"11": "med", "12": "dpc", "13": "den", "14": "pha", "15": "nur"}
KIND_OF_CLAIM_FORM = {"RECEIPTC": "med", "RECEIPTD": "dpc", "RECEIPTS": "den", "RECEIPTY": "pha"}
SENT, REVIEWED, RETURNED, BEFORE = 1, 2, 8, 11
OF_REVIEW = ("MN", "HR", "RC")


@cache
def position(claim_kind: str, record_id: str, name: str) -> int:
    return layouts.record(claim_kind, record_id).pos(name)


@dataclass(frozen=True)
class Line:
    data_id: int
    row: int
    branch: int
    record_id: str
    fields: tuple[str, ...]  # the record identifier first
    claim_kind: str

    def __getitem__(self, name: str) -> str:
        at = position(self.claim_kind, self.record_id, name) - 1
        return self.fields[at] if at < len(self.fields) else ""


@dataclass(frozen=True)
class Receipt:
    insurer_number: str
    claim_month: int
    claim_kind: str
    lines: tuple[Line, ...]

    def one(self, record_id: str) -> Line:
        """The first such line of the claim itself."""
        return next(line for line in self.lines if line.record_id == record_id and line.data_id != BEFORE)

    @property
    def is_returned(self) -> bool:
        return self.lines[0].data_id == RETURNED

    @property
    def search_no(self) -> str:
        """検索番号 in MN; 訪問看護 has none."""
        return self.lines[0]["reserved_1"] if self.claim_kind != "nur" else ""

    @property
    def is_public_only(self) -> bool:
        return not any(line.record_id == "HO" for line in self.lines)

    @property
    def month(self) -> int:
        """診療年月."""
        return int(western(self.one("RE")["treatment_month"]) or 0)

    def as_sent(self) -> list[Line]:
        if self.is_returned:
            return [line for line in self.lines if line.record_id not in OF_REVIEW]
        return [line for line in self.lines if line.data_id == SENT]

    def decided(self) -> list[Line]:
        """JY applied, as in receipt-formats.md §4.4."""
        by_key = {(line.row, line.branch): line for line in self.lines}
        out = [(line.row, line.branch) for line in self.as_sent()]
        for jy in self.lines:
            if jy.record_id != "JY" or jy.data_id != REVIEWED:
                continue
            target = int(jy["target_row_no"]), int(jy["target_branch_no"] or 0)
            after = (int(jy["after_row_no"]), int(jy["after_branch_no"] or 0)) if jy["after_row_no"] else (0, 0)
            place = out.index(target)
            match jy["correction_class"]:
                case "1":
                    out.insert(place + 1, after)
                case "2":
                    out[place] = after
                case "3":
                    out.remove(target)
        return [by_key[key] for key in out]

    def states(self) -> list[list[Line]]:
        """The claim as sent and as decided, and the whole state before a re-claim, where it is given."""
        before = [line for line in self.lines if line.data_id == BEFORE]
        whole = any(line.record_id not in ("RE", "HO", "KO") for line in before)
        return [self.as_sent(), self.decided()] + [before] * whole


def insurer_files(folder: Path) -> Iterator[tuple[str, int, str, Path]]:
    """Insurer, claim month, kind, file."""
    for path in sorted((folder / "inbox").glob("*/*/*/0_COMMON001/*.CSV")):
        insurer, month = path.relative_to(folder / "inbox").parts[:2]
        yield insurer, int(month), KIND_OF_FILE[path.name[:2]], path


def receipts(folder: Path) -> Iterator[Receipt]:
    """Of the insurer form: MN begins each."""
    for insurer, month, kind, path in insurer_files(folder):
        lines: list[Line] = []
        for text in path.read_bytes().replace(b"\x1a", b"").decode("cp932").splitlines():
            data_id, row, branch, *fields = text.split(",")
            if fields[0] == "MN" and lines:
                yield Receipt(insurer, month, kind, tuple(lines))
                lines = []
            lines.append(Line(int(data_id), int(row), int(branch), fields[0], tuple(fields), kind))
        yield Receipt(insurer, month, kind, tuple(lines))


@dataclass(frozen=True)
class Volume:
    """A file of the claim form."""

    path: Path
    content: bytes
    head: Line  # IR, UK, YK
    receipts: tuple[Receipt, ...]
    end: tuple[str, ...]  # GO


def volumes(folder: Path) -> dict[tuple[str, int, str, str], list[Volume]]:
    """Files of the claim form by insurer, claim month, kind and facility, in the order of volumes."""
    found: dict[tuple[str, int, str, str], list[Volume]] = {}
    for path in sorted((folder / "inbox").rglob("RECEIPT*")):
        insurer, month = path.relative_to(folder / "inbox").parts[:2]
        kind = KIND_OF_CLAIM_FORM[path.stem]
        content = path.read_bytes()
        lines = [text.split(",") for text in content.rstrip(b"\x1a").decode("cp932").splitlines()]
        parsed = [Line(SENT, 0, 0, cells[0], tuple(cells), kind) for cells in lines]
        groups: list[list[Line]] = []
        for line in parsed[1:-1]:
            is_detail = kind == "dpc" and line.record_id == "RE" and line["summary_class"] in ("2", "3")
            if line.record_id == ("IR" if kind == "den" else "RE") and not is_detail:
                groups.append([])
            groups[-1].append(line)
        head = parsed[0]
        facility = head["prefecture"] + head["fee_table"] + head["institution_code"]
        of_file = tuple(Receipt(insurer, int(month), kind, tuple(group)) for group in groups)
        found.setdefault((insurer, int(month), kind, facility), []).append(Volume(path, content, head, of_file, tuple(lines[-1])))
    return found
