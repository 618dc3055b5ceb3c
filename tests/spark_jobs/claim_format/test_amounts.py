"""五捨五超入: five goes down, more than five goes up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.claim_format.amounts import points


@pytest.mark.parametrize(
    ("yen", "expected"),
    [
        ("0.1", 1),
        ("15", 1),
        ("15.0001", 2),
        ("24.9", 2),
        ("25", 2),  # 2.5 goes down
        ("25.00001", 3),
        ("35", 3),  # always down, never to the even number
        ("36", 4),
        ("45", 4),
        ("107.9", 11),
        ("35981", 3598),
    ],
)
def test_half_goes_down_and_more_goes_up(yen: str, expected: int) -> None:
    assert points(Decimal(yen)) == expected


@given(st.decimals(min_value="15.01", max_value=10**8, places=5))
def test_never_more_than_half_a_point_away(yen: Decimal) -> None:
    assert -Decimal("0.5") <= yen / 10 - points(yen) + Decimal(0) <= Decimal("0.5")
    assert yen / 10 - points(yen) != Decimal("-0.5")
