"""Layouts are read from record_layouts.csv; the counts are those that receipt-formats.md §4.2 prints for files of insurers."""

import pytest

from spark_jobs.claim_format import layouts, privacy
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


DEN = {
    "UK": 10,
    "IR": 9,
    "RE": 27,
    "HO": 14,
    "KO": 10,
    "HS": 13,
    "SS": 109,
    "SI": 38,
    "IY": 39,
    "TO": 45,
    "CO": 11,
    "SJ": 3,
    "SN": 9,
    "JD": 33,
}
NUR = {
    "HM": 8,
    "RE": 15,
    "HO": 12,
    "KO": 8,
    "IH": 7,
    "HJ": 4,
    "JS": 6,
    "SY": 5,
    "RJ": 29,
    "TJ": 5,
    "TZ": 4,
    "KS": 5,
    "CO": 4,
    "KA": 9,
    "MF": 33,
}


@pytest.mark.parametrize(("kind", "counts"), [("med", MED), ("den", DEN), ("pha", PHA), ("nur", NUR)])
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


def test_places_in_which_two_sources_of_dental_receipts_agree():
    places = {"RE": ("special_notes", 14), "HO": ("meal_times", 7), "KO": ("meal_times", 9), "IR": ("claim_month", 7), "IY": ("day_1", 9)}
    assert {name: (field, layouts.record("den", name).pos(field)) for name, (field, _) in places.items()} == places
    assert layouts.record("den", "MN").pos("reserved_1") == 5 and layouts.record("med", "MN").pos("reserved_1") == 4
    assert layouts.record("nur", "RE").pos("patient_name_kana") == 6


def test_a_record_of_unknown_length_keeps_nothing_from_there_on():
    is_open = {
        (kind, name): record.length
        for kind in layouts.KINDS
        for form in layouts.FORMS
        for name, record in layouts.records(kind, form).items()
        if record.is_open
    }
    assert is_open == {("den", "MN"): 6, ("nur", "MN"): 3, ("nur", "GI"): 2, ("nur", "GO"): 2}
    for kind, name in is_open:
        form = "claim" if name == "GO" else "insurer"
        assert privacy.marks(kind, form)[name][is_open[kind, name]] == "drop"


def test_kinds_of_silver_are_kinds():
    assert set(layouts.SILVER_KINDS) == set(layouts.KINDS) - {"nur"}
    with pytest.raises(KeyError, match="no layout for claim kind 'vet'"):
        layouts.records("vet")


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
