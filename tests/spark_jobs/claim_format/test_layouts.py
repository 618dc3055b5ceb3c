"""Layouts are read from record_layouts.csv; the counts are those that receipt-formats.md §4.2 prints for files of insurers."""

import pytest

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.codes import BENEFICIARY_CLASS, check_digit

MED = {"RE": 38, "HO": 15, "KO": 12, "SI": 44, "IY": 44, "TO": 48, "SY": 8, "CO": 5, "IR": 10, "SJ": 3, "EX": 13, "JY": 9, "MN": 7, "RC": 2}
PHA = {
    "YK": 9,
    "RE": 42,
    "HO": 14,
    "KO": 10,
    "SH": 10,
    "CZ": 71,
    "KI": 114,
    "IY": 10,
    "CO": 3,
    "TK": 3,
    "SN": 9,
    "ON": 15,
    "JD": 33,
    "MF": 33,
}


@pytest.mark.parametrize(("kind", "counts"), [("med", MED), ("pha", PHA)])
def test_every_record_has_the_full_count_of_fields(kind: str, counts: dict[str, int]):
    assert {name: layouts.record(kind, name).length for name in counts} == counts


def test_positions_are_gapless_and_names_unique_in_every_record():
    seen = 0
    for kind in layouts.KINDS:
        for form in ("insurer", "claim"):
            for record in layouts.records(kind, form).values():
                seen += 1
                assert [f.pos for f in record.fields] == list(range(1, record.length + 1)), record.record_id
                assert len({f.name_en for f in record.fields}) == record.length, record.record_id
    assert seen > 100


def test_a_line_is_full_length_and_an_unknown_field_is_named():
    ho = layouts.record("med", "HO")
    assert ho.line(insurer_number="06990014", total_points=491) == ["HO", "06990014", "", "", "", "491"] + [""] * 9
    with pytest.raises(KeyError, match="HO of med has no field 'points'"):
        ho.line(points=1)


@pytest.mark.parametrize("number", ["33120015", "01130012", "06130009", "34130021", "133066", "06990014", "990010"])
def test_check_digit_of_known_insurer_numbers(number: str):
    assert check_digit(number[:-1]) == int(number[-1])


def test_each_last_digit_of_a_receipt_type_has_a_beneficiary_class():
    assert sorted(BENEFICIARY_CLASS) == list("0123456789")
