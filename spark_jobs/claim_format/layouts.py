"""Where each field of each record stands, read from `record_layouts.csv`: the one place that knows positions, for writer and reader alike.

`pos` is 1-based and counts the record identifier as 1. In the insurer form three columns stand before it: データ識別, 行番号, 枝番号.
A record that a kind lays out for itself takes the place of the one for `all`. Source: docs/sources.md.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LAYOUT_FILE = Path(__file__).with_name("record_layouts.csv")
KINDS = ("med", "dpc", "den", "pha", "nur")  # 医科, DPC, 歯科, 調剤, 訪問看護: kinds of claims with a layout, so those that the lake reads
SILVER_KINDS = ("med", "dpc", "den", "pha")  # those that reach silver; 訪問看護 has no drugs and counts in yen
FORMS = ("insurer", "claim")
INSURER_PREFIX = ("data_id", "row_no", "branch_no")  # データ識別, 行番号, 枝番号
REST = "rest"  # the last field of a layout whose full count is not known: this field and whatever follows it


@dataclass(frozen=True)
class Field:
    """One field: 1-based position, Japanese and English name, mode (N, A, K, AK), most bytes, fixed length, required (Y, N or unknown)."""

    pos: int
    name_ja: str
    name_en: str
    mode: str
    max_bytes: int | None
    fixed: str
    required: str


@dataclass(frozen=True)
class Record:
    """One record type of one kind of claim: its identifier and its fields in order, the identifier first."""

    record_id: str
    claim_kind: str
    fields: tuple[Field, ...]

    @property
    def length(self) -> int:
        """Full count of fields, the identifier included."""
        return len(self.fields)

    @property
    def is_open(self) -> bool:
        """Whether the full count is not known: from `rest` on, any number of fields (or none) may stand, and none of them is kept."""
        return self.fields[-1].name_en == REST

    def pos(self, name_en: str) -> int:
        """1-based position of a field by its English name; KeyError names what there is."""
        for field in self.fields:
            if field.name_en == name_en:
                return field.pos
        raise KeyError(f"{self.record_id} of {self.claim_kind} has no field {name_en!r}; it has {[f.name_en for f in self.fields]}")

    def line(self, **values: object) -> list[str]:
        """The fields of one full-length line, the identifier first; what is not named stays empty."""
        cells = [self.record_id] + [""] * (self.length - 1)
        for name, value in values.items():
            cells[self.pos(name) - 1] = "" if value is None else str(value)
        return cells


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with LAYOUT_FILE.open(encoding="utf-8", newline="") as f:
        return tuple(csv.DictReader(f))


def _of(claim_kind: str, claim_form: str) -> list[dict[str, str]]:
    """Rows of a kind and form; those for all kinds only of records that the kind does not lay out itself."""
    rows = [row for row in _rows() if row["claim_type"] in (claim_kind, "all") and row["form"] in ("both", claim_form)]
    own = {row["record"] for row in rows if row["claim_type"] == claim_kind}
    return [row for row in rows if row["claim_type"] == claim_kind or row["record"] not in own]


@cache
def records(claim_kind: str, claim_form: str = "insurer") -> dict[str, Record]:
    """All records that may stand in a claim of this kind (KINDS) and form (`insurer`, `claim`), by identifier."""
    if claim_kind not in KINDS or claim_form not in FORMS:
        raise KeyError(f"no layout for claim kind {claim_kind!r}, form {claim_form!r}")
    grouped: dict[str, list[Field]] = {}
    for row in _of(claim_kind, claim_form):
        grouped.setdefault(row["record"], []).append(
            Field(
                int(row["pos"]),
                row["name_ja"],
                row["name_en"],
                row["mode"],
                int(row["max_bytes"]) if row["max_bytes"] else None,
                row["fixed"],
                row["required"],
            )
        )
    return {name: Record(name, claim_kind, tuple(sorted(fields, key=lambda f: f.pos))) for name, fields in grouped.items()}


def record(claim_kind: str, record_id: str, claim_form: str = "insurer") -> Record:
    """One record's layout; KeyError if that kind and form has no such record."""
    return records(claim_kind, claim_form)[record_id]


def positions(claim_kind: str, claim_form: str = "insurer") -> list[tuple[str, str, str, int]]:
    """(form, claim type, record, position) of every field of a claim of this kind and form, as `record_layouts.csv` keys them."""
    return [(row["form"], row["claim_type"], row["record"], int(row["pos"])) for row in _of(claim_kind, claim_form)]
