"""Points of drugs (薬剤料). Source: receipt-formats.md §6.5."""

from decimal import ROUND_CEILING, Decimal

ONE_POINT_UP_TO_YEN = Decimal(15)
YEN_PER_POINT = Decimal(10)
HALF = Decimal("0.5")


def points(yen: Decimal) -> int:
    """五捨五超入: up to 15 yen is 1 point; above, yen / 10, where .5 goes down and more goes up."""
    if yen <= ONE_POINT_UP_TO_YEN:
        return 1
    return int((yen / YEN_PER_POINT - HALF).to_integral_value(ROUND_CEILING))
