"""The oracle of who gains, held to worked values and to the amounts that official test receipts print (payers supplement §§2.3-2.5)."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import payer_gain
import pytest
from payer_gain import Unit, gain

OLD, NEW = 202607, 202608


def rounded(value: Fraction) -> int:
    return int((Decimal(value.numerator) / value.denominator).quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("month", "band", "cost", "share"),
    [
        (OLD, "ア", 88_000, 26_400),
        (OLD, "ア", 945_760, 253_638),
        (OLD, "イ", 726_410, 169_084),
        (OLD, "ウ", 364_520, 81_075),
        (OLD, "ウ", 400_000, 81_430),
        (OLD, "エ", 216_350, 57_600),
        (OLD, "オ", 187_950, 35_400),
        (NEW, "ウ", 1_000_000, 92_940),
        (NEW, "イ", 1_000_000, 183_130),
        (NEW, "ア", 1_000_000, 271_290),
    ],
)
def test_share_after_cap(month: int, band: str, cost: int, share: int):
    (found,) = payer_gain.shares(Unit(month, False, Fraction(3, 10), "under_70", Fraction(cost), band))
    assert rounded(found(Fraction(cost))) == share


@pytest.mark.parametrize(("band", "share"), [("ア", 140_100), ("イ", 93_000), ("ウ", 44_400), ("エ", 44_400), ("オ", 24_600)])
def test_share_after_the_cap_of_repeated_months(band: str, share: int):
    (found,) = payer_gain.shares(Unit(OLD, True, Fraction(3, 10), "under_70", Fraction(700_000), band, is_repeated=True))
    assert found(Fraction(700_000)) == share


@pytest.mark.parametrize(
    ("law", "band", "cost", "share"),
    [("54", "ウ", 30_000, 9_000), ("54", "ウ", 370_000, 81_130), ("54", "ア", 1_540_000, 259_580), ("15", "エ", 300_000, 80_430)],
)
def test_what_insurance_leaves_to_a_public_payer(law: str, band: str, cost: int, share: int):
    (found,) = payer_gain.shares(Unit(OLD, False, Fraction(3, 10), "under_70", Fraction(cost), band, law=law))
    assert found(Fraction(cost)) == share


@pytest.mark.parametrize(
    ("unit", "cost", "saving", "insurer", "patient"),
    [
        ({}, 300_000, 90_000, (63_000, 90_000), (0, 27_000)),
        ({"band": "ウ"}, 300_000, 90_000, (72_570, 89_100), (900, 17_430)),
        ({"band": "ウ", "month": NEW}, 300_000, 90_000, (67_060, 89_100), (900, 22_940)),
        ({"band": "エ"}, 300_000, 90_000, (90_000, 90_000), (0, 0)),
        ({"band": "ウ", "is_repeated": True}, 300_000, 90_000, (90_000, 90_000), (0, 0)),
        ({"band": "エ"}, 220_000, 36_000, (33_600, 36_000), (0, 2_400)),
        ({"band": "ア", "month": NEW}, 1_000_000, 100_000, (98_710, 99_000), (1_000, 1_290)),
        ({}, 69_990, 20_000, (14_000, 14_000), (6_000, 6_000)),
        ({"age": "70_ordinary", "rate": Fraction(1, 10), "band": "エ"}, 120_000, 36_000, (32_400, 36_000), (0, 3_600)),
        ({"long_term": "02"}, 175_000, 50_000, (50_000, 50_000), (0, 0)),
        ({"law": "54", "band": "ウ", "public_copay": Fraction(10_000)}, 300_000, 90_000, (72_570, 72_570), (0, 0)),
        ({"law": "54", "public_copay": Fraction(8_000)}, 40_000, 10_000, (7_000, 7_000), (2_000, 2_000)),
    ],
)
def test_worked_values(unit: dict, cost: int, saving: int, insurer: tuple, patient: tuple):
    given = {"month": OLD, "is_inpatient": False, "rate": Fraction(3, 10), "age": "under_70", "cost": Fraction(cost)} | unit
    found = gain(Unit(**given), Fraction(saving), is_made=False)
    assert found is not None and (found.insurer, found.patient) == (insurer, patient)


def test_nothing_is_said_of_accidents_that_others_pay():
    assert gain(Unit(OLD, False, Fraction(3, 10), "under_70", Fraction(1), has_another_payer=True), Fraction(1), is_made=True) is None
