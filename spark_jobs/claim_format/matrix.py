"""docs/receipt_fields.md: every field of every record, and where it goes.

python -m spark_jobs.claim_format.matrix [PATH]     # writes the page
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spark_jobs.claim_format import layouts, privacy, words
from spark_jobs.silver.fields import USED

DAY, FIRST_DAY = re.compile(r"day_\d+"), "day_1"
PAGE = Path(__file__).parents[2] / "docs" / "receipt_fields.md"
SILVER, BRONZE, PSEUDONYM, MONTH, DROPPED, FREE_TEXT = (
    "silver", "bronze only", "pseudonym", "month only", "dropped", "free text dropped",
)  # fmt: skip
MEANING = {
    SILVER: "kept, and read into the named columns of `silver`",
    BRONZE: "kept in `bronze.claim_line` as sent; no column of silver",
    PSEUDONYM: "a pseudonym of this kind takes its place before anything is stored",
    MONTH: "YYYYMM instead of the day",
    DROPPED: "not stored",
    FREE_TEXT: "text that can name a person: not stored (of an uncoded disease name only whether it ends in の疑い)",
}
PSEUDONYMS = {
    "id1": "ID1: insurer, symbol, number, birth date, sex",
    "workplace": "symbol of the workplace",
    "id2_kanji": "ID2: name, birth date, sex",
    "id2_kana": "ID2: kana name, birth date, sex",
    "recipient": "recipient of a public payer",
}


@dataclass(frozen=True)
class Row:
    """One field, or a run of alike ones."""

    place: str
    name_ja: str
    name_en: str
    destination: str
    detail: str


def page() -> str:
    """The whole page."""
    count = Counter((kind, row.destination) for kind in layouts.KINDS for record_id in _records(kind) for row in _rows(kind, record_id))
    sections = ["## Every kind\n", *(_table("med", record_id) for record_id in _records("med") if _is_shared("med", record_id))]
    for kind in layouts.KINDS:
        sections.append(f"## {words.KIND_JA[kind]} (`{kind}`)\n")
        sections += [_table(kind, record_id) for record_id in _records(kind) if not _is_shared(kind, record_id)]
    return "\n".join([_head(count), *sections])


def _records(kind: str) -> dict[str, layouts.Record]:
    """Records of both forms of a kind."""
    return layouts.records(kind, "claim") | layouts.records(kind, "insurer")


def _is_shared(kind: str, record_id: str) -> bool:
    """Whether a record is laid out for all kinds at once."""
    laid_out = {(claim_type, name) for form in layouts.FORMS for _, claim_type, name, _ in layouts.positions(kind, form)}
    return ("all", record_id) in laid_out


def _rows(kind: str, record_id: str) -> list[Row]:
    return [_row(kind, record_id, field) for field in _records(kind)[record_id].fields[1:]]


def _row(kind: str, record_id: str, field: layouts.Field) -> Row:
    form = "insurer" if record_id in layouts.records(kind, "insurer") else "claim"
    mark = privacy.marks(kind, form).get(record_id, {}).get(field.pos, "keep")
    name = FIRST_DAY if DAY.fullmatch(field.name_en) else field.name_en  # silver reads the days as one text from the first on
    columns = ", ".join(f"`{column}`" for column in USED.get((kind, record_id, name), ()))
    place = f"{field.pos} on" if field.name_en == layouts.REST else str(field.pos)
    match mark:
        case "keep":
            destination, detail = (SILVER, columns) if columns else (BRONZE, "")
        case "birth_month":
            destination, detail = MONTH, columns
        case "drop":
            destination, detail = DROPPED, ""
        case "free_text" | "suspicion":
            destination, detail = FREE_TEXT, columns
        case _:
            destination, detail = PSEUDONYM, PSEUDONYMS[mark] + (f" → {columns}" if columns else "")
    return Row(place, field.name_ja, field.name_en, destination, detail)


def _folded(rows: list[Row]) -> Iterator[Row]:
    """Runs of fields that differ by a number only (days, repeated groups, reserved ones) as one row each."""
    at = 0
    while at < len(rows):
        size, repeats = _run(rows, at)
        if repeats == 1:
            yield rows[at]
            at += 1
            continue
        for offset in range(size):
            first, last = rows[at + offset], rows[at + offset + size * (repeats - 1)]
            second = rows[at + offset + size].place
            place = f"{first.place}–{last.place}" if size == 1 else f"{first.place}, {second}{'' if repeats == 2 else f' … {last.place}'}"
            name_ja = first.name_ja if first.name_ja == last.name_ja else f"{first.name_ja} … {last.name_ja}"
            yield Row(place, name_ja, f"{first.name_en} … {last.name_en}", first.destination, first.detail)
        at += size * repeats


def _run(rows: list[Row], at: int) -> tuple[int, int]:
    """(fields of a group, how often it repeats) from this place on; the smallest group that repeats."""
    for size in range(1, 6):
        repeats = 1
        while _alike(rows[at : at + size], rows[at + size * repeats : at + size * (repeats + 1)], size):
            repeats += 1
        if repeats > 1:
            return size, repeats
    return 1, 1


def _alike(group: list[Row], other: list[Row], size: int) -> bool:
    def shape(row: Row) -> tuple[str, str]:
        return "".join(letter for letter in row.name_en if not letter.isdigit()), row.destination

    def is_numbered(row: Row) -> bool:
        return any(letter.isdigit() for letter in row.name_en) and row.name_en != layouts.REST

    return len(other) == size and all(
        is_numbered(a) and shape(a) == shape(b) and a.name_en != b.name_en and a.detail == b.detail
        for a, b in zip(group, other, strict=True)
    )


def _table(kind: str, record_id: str) -> str:
    record = _records(kind)[record_id]
    forms = [form for form in layouts.FORMS if record_id in layouts.records(kind, form)]
    length = f"{record.length - 1} fields known, the full count is not" if record.is_open else f"{record.length} fields"
    lines = [f"### {record_id} ({length}{'' if len(forms) == 2 else f'; {forms[0]} form only'})\n"]
    lines += ["| pos | 項目 | field | where it goes | |", "|---|---|---|---|---|"]
    for row in _folded(_rows(kind, record_id)):
        lines.append(f"| {row.place} | {row.name_ja} | `{row.name_en}` | {row.destination} | {row.detail} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _head(count: Counter[tuple[str, str]]) -> str:
    def cells(*destinations: str) -> str:
        return " | ".join(str(sum(count[kind, destination] for destination in destinations)) for kind in layouts.KINDS)

    return "\n".join(
        [
            "# Where each field of a receipt goes\n",
            "Every record and field of `record_layouts.csv`, made by `python -m spark_jobs.claim_format.matrix` from it, `privacy.csv` and",
            "the list of what silver reads; a test holds this page equal to them. `pos` counts the record identifier as 1. In the insurer",
            "form データ識別, 行番号 and 枝番号 stand before it: kept in bronze; by them silver knows what was sent, corrected,",
            "returned. Records under *Every kind* are counted in each kind, and their columns of silver are those of all kinds but",
            "訪問看護, which stands in bronze only. Sources of the layouts: `docs/sources.md`.\n",
            "| Where it goes | Meaning | " + " | ".join(words.KIND_JA[kind] for kind in layouts.KINDS) + " |",
            "|---|---|" + "---:|" * len(layouts.KINDS),
            *(f"| {destination} | {meaning} | {cells(destination)} |" for destination, meaning in MEANING.items()),
            f"| all fields | | {cells(*MEANING)} |\n",
        ]
    )


if __name__ == "__main__":
    (Path(sys.argv[1]) if sys.argv[1:] else PAGE).write_text(page(), encoding="utf-8")
