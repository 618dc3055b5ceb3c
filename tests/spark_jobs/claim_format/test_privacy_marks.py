"""Every field of every record has a mark, and what can name a person is never kept."""

import csv
import re

import pytest

from spark_jobs.claim_format import layouts, privacy

CAN_NAME_A_PERSON = re.compile(
    r"patient_name|symbol|insured_number|verified_number|recipient|birth_date|chart|phone|doctor_name|license|claim_info|text|free"
)
HARMLESS = {"return_reason_code", "free_text_class"}


def _rows() -> list[dict[str, str]]:
    with privacy.PRIVACY_FILE.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def test_privacy_marks_exactly_the_fields_of_the_layouts() -> None:
    with layouts.LAYOUT_FILE.open(encoding="utf-8", newline="") as f:
        laid_out = [(r["form"], r["claim_type"], r["record"], r["pos"], r["name_en"]) for r in csv.DictReader(f)]
    assert [(r["form"], r["claim_type"], r["record"], r["pos"], r["name_en"]) for r in _rows()] == laid_out
    assert {r["mark"] for r in _rows()} == set(privacy.MARKS)


def test_no_field_that_can_name_a_person_is_kept() -> None:
    kept = {r["name_en"] for r in _rows() if r["mark"] == "keep" and CAN_NAME_A_PERSON.search(r["name_en"])} - HARMLESS
    assert kept == set()


def test_marks_are_by_position() -> None:
    marks = privacy.marks("med", "insurer")
    assert marks["HO"][layouts.record("med", "HO").pos("insured_number")] == "id1"
    assert marks["RE"][layouts.record("med", "RE").pos("patient_name")] == "id2_kanji"
    assert "JY" in marks and "GO" not in marks


def test_a_field_without_a_mark_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    incomplete = {key: mark for key, mark in privacy._marks().items() if key != ("both", "med", "RE", 5)}
    monkeypatch.setattr(privacy, "_marks", lambda: incomplete)
    with pytest.raises(KeyError):
        privacy.marks.__wrapped__("med", "insurer")
