"""docs/receipt_fields.md is what the code produces, and it leaves no field out."""

import re

import pytest

from spark_jobs.claim_format import layouts, matrix


def test_the_page_is_what_the_code_produces() -> None:
    assert matrix.PAGE.read_text(encoding="utf-8") == matrix.page(), "python -m spark_jobs.claim_format.matrix"


def test_every_field_of_every_kind_is_counted_once() -> None:
    fields = [
        sum(record.length - 1 for record in (layouts.records(kind, "claim") | layouts.records(kind, "insurer")).values())
        for kind in layouts.KINDS
    ]
    assert "| all fields | | " + " | ".join(map(str, fields)) + " |" in matrix.page()


def test_every_record_has_a_table_and_runs_are_folded() -> None:
    page = matrix.page()
    for kind in layouts.KINDS:
        for form in layouts.FORMS:
            assert not [name for name in layouts.records(kind, form) if f"\n### {name} (" not in page]
    assert "| 14–44 | 1日の情報 … 31日の情報 | `day_1 … day_31` |" in page
    assert re.search(r"\| 16, 19 … 43 \| 加算料1 負担区分 … 加算料10 負担区分 \|", page)


def test_what_silver_reads_is_named_with_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {("med", "IY", "drug_code"): ("claim_drug.drug_code",), ("med", "RE", "birth_date"): ("claim.birth_month", "claim.age")}
    monkeypatch.setattr(matrix, "USED", used)
    page = matrix.page()
    assert "| 4 | 医薬品コード | `drug_code` | silver | `claim_drug.drug_code` |" in page
    assert "| 7 | 生年月日 | `birth_date` | month only | `claim.birth_month`, `claim.age` |" in page
    assert "| 5 | 氏名 | `patient_name` | pseudonym | ID2: name, birth date, sex |" in page
    assert "| 6 | 傷病名称 | `disease_name` | free text dropped | |" in page
