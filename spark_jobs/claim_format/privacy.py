"""What may be stored of each field, read from `privacy.csv`: every field of every record has a mark there, so that no field slips through.

keep: as sent. id1, workplace, id2_kanji, id2_kana, recipient: a pseudonym takes its place. birth_month: YYYYMM of the birth date.
suspicion: 疑い if an uncoded disease name ends so, else nothing. drop and free_text: nothing is stored.
"""

import csv
from functools import cache
from pathlib import Path

from spark_jobs.claim_format import layouts

PRIVACY_FILE = Path(__file__).with_name("privacy.csv")
MARKS = ("keep", "id1", "workplace", "id2_kanji", "id2_kana", "recipient", "birth_month", "suspicion", "drop", "free_text")


@cache
def _marks() -> dict[tuple[str, str, str, int], str]:
    with PRIVACY_FILE.open(encoding="utf-8", newline="") as f:
        return {(row["form"], row["claim_type"], row["record"], int(row["pos"])): row["mark"] for row in csv.DictReader(f)}


@cache
def marks(claim_kind: str, claim_form: str) -> dict[str, dict[int, str]]:
    """Record → 1-based position → mark, for the fields that may not be stored as sent. KeyError for a field without a mark."""
    found: dict[str, dict[int, str]] = {}
    for form, kind, record_id, pos in layouts.positions(claim_kind, claim_form):
        mark = _marks()[form, kind, record_id, pos]
        if mark != "keep":
            found.setdefault(record_id, {})[pos] = mark
    return found
