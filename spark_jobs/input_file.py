"""Tables as people send them: CSV (cp932 or UTF-8, quoted or not) or a workbook → rows of text, each with its line number.

What is wrong in a file is collected and told at once; a file with one bad row is not taken at all.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from spark_jobs.claim_format.encoding import CHARSET, END_MARK
from spark_jobs.claim_format.japanese_calendar import western
from spark_jobs.errors import ExitCode, LakeError

WORKBOOKS = {".xlsx", ".xlsm", ".xls"}
HEADER_WITHIN = 20  # lines: official lists put titles and notes above their header
TOLD = 5  # bad rows told in words; of the others only the number
ERAS = {"M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018, "明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
ERA_DATE = re.compile(rf"({'|'.join(ERAS)})(\d{{1,2}}|元)[年./-](\d{{1,2}})[月./-](\d{{1,2}})日?")
WESTERN_DATE = re.compile(r"(\d{4})[年./-](\d{1,2})[月./-](\d{1,2})日?")
FORMAT_ACTION = "Give the file as it was published, CSV or a workbook."

Line = tuple[int, list[str]]


@dataclass
class Faults:
    """Bad rows of one file."""

    path: Path
    action: str = "The publisher or sender mends the file; nothing of it was loaded."
    found: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, line: int, found: str, expected: str) -> None:
        self.found.append((line, found, expected))

    def stop(self) -> None:
        """Raise if there is any: the first in full, some more in short."""
        if not self.found:
            return
        line, found, expected = self.found[0]
        more = "; ".join(f"line {at}: {what}, expected {want}" for at, what, want in self.found[1:TOLD])
        rest = len(self.found) - TOLD
        also = f" Also {more}{f'; and {rest} more' if rest > 0 else ''}." if more else ""
        raise LakeError(f"{self.path.name}, line {line}", found, expected, self.action + also)


def plain(text: str) -> str:
    """Header text without width, blanks, line breaks and brackets of quotation."""
    return re.sub(r"[\s「」]", "", unicodedata.normalize("NFKC", text))


def lines(path: Path) -> list[Line]:
    """(line, cells) of a file, empty lines left out. Of a workbook the first sheet that holds anything."""
    return list(iterate(path))


def iterate(path: Path) -> Iterator[Line]:
    """The same, line by line."""
    if not path.is_file():
        raise LakeError(str(path), "no such file", "a file", "Give its path.", ExitCode.USAGE)
    return iter(_sheet(path)) if path.suffix.lower() in WORKBOOKS else _csv(path)


def header(path: Path, found: list[Line], patterns: Mapping[str, str]) -> tuple[int, dict[str, int]]:
    """(index of the header line, column of each name) by regular expressions on the plain heads."""
    best: list[str] = list(patterns)
    for index, (_, cells) in enumerate(found[:HEADER_WITHIN]):
        heads = [plain(cell) for cell in cells]
        places = {name: next((i for i, h in enumerate(heads) if re.fullmatch(pattern, h)), None) for name, pattern in patterns.items()}
        missing = [name for name, place in places.items() if place is None]
        if not missing:
            return index, {name: place for name, place in places.items() if place is not None}
        best = min(best, missing, key=len)
    raise LakeError(
        str(path), f"no header with {', '.join(patterns[name] for name in best)}", f"one within the first {HEADER_WITHIN} lines",
        FORMAT_ACTION,
    )  # fmt: skip


def cell(cells: list[str], place: int) -> str:
    """A cell without blanks around it; empty where the row is shorter."""
    return cells[place].strip() if place < len(cells) else ""


@lru_cache(maxsize=1 << 16)
def day(text: str) -> date | None:
    """A date in any common writing: 20260401, 2026-04-01, 2026/4/1, 2026年4月1日, R8.4.1, 令和8年4月1日, 5080401. None if it is none."""
    clean = plain(text)
    try:
        if match := ERA_DATE.fullmatch(clean):
            year = 1 if match[2] == "元" else int(match[2])
            return date(ERAS[match[1]] + year, int(match[3]), int(match[4]))
        if match := WESTERN_DATE.fullmatch(clean):
            return date(int(match[1]), int(match[2]), int(match[3]))
        digits = western(clean)
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits and len(digits) == 8 else None
    except ValueError:
        return None


def dates_in(text: str) -> Iterator[date]:
    """Dates that a title or a file name holds."""
    clean = plain(text)
    writings = rf"{ERA_DATE.pattern}|{WESTERN_DATE.pattern}|(?<!\d)20\d{{6}}(?!\d)"
    for match in re.finditer(writings, clean):
        if (found := day(match[0])) is not None:
            yield found


def _csv(path: Path) -> Iterator[Line]:
    text = _decoded(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        start = 1
        for cells in reader:
            if any(c.strip() for c in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error:
        raise LakeError(f"{path.name}, line {reader.line_num}", "a quotation mark that does not close", "CSV", FORMAT_ACTION) from None


def _decoded(path: Path) -> str:
    content = path.read_bytes().rstrip(END_MARK)
    for charset in ("utf-8-sig", CHARSET):
        try:
            return content.decode(charset)
        except UnicodeDecodeError as error:
            at = content.count(b"\n", 0, error.start) + 1
    raise LakeError(f"{path.name}, line {at}", "a byte that is no character", "UTF-8 or Shift_JIS (cp932)", FORMAT_ACTION)


def _sheet(path: Path) -> list[Line]:
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names]
    except (CalamineError, OSError) as error:
        raise LakeError(str(path), f"a file that can not be opened ({type(error).__name__})", "a workbook", FORMAT_ACTION) from None
    for sheet in sheets:
        if found := [(n, [_text(c) for c in row]) for n, row in enumerate(sheet, start=1) if any(_text(c) for c in row)]:
            return found
    raise LakeError(str(path), "no rows", "a sheet with rows", FORMAT_ACTION)


def _text(value: object) -> str:
    """A cell as it reads: 3 and not 3.0, 12.5 without the noise of binary fractions, dates in ISO."""
    if isinstance(value, float):
        return f"{Decimal(repr(round(value, 6))).normalize():f}"
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
