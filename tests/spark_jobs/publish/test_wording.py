"""Numbers in the words of the report."""

from decimal import Decimal

import pytest

from spark_jobs.publish.report import wording
from spark_jobs.publish.report.chance import differs, interval


@pytest.mark.parametrize(("amount", "text"), [
    (0, "0円"), ("770.6", "771円"), (1234, "1,230円"), (9999, "1.00万円"), (12345, "1.23万円"), ("-418000", "−41.8万円"),
    (12345678, "1,230万円"), (99_990_000, "1.00億円"), (123_456_789, "1.23億円"), ("123456789012", "1,230億円"),
])  # fmt: skip
def test_money_has_three_significant_digits(amount, text):
    assert wording.yen(Decimal(amount)).text == text


@pytest.mark.parametrize(("ratio", "text"), [
    ("0", "0.0％"), ("0.42149", "42.1％"), ("0.4215", "42.2％"), ("1", "100.0％"), (None, "算定不可")
])  # fmt: skip
def test_shares_have_one_decimal_rounded_half_up(ratio, text):
    assert wording.share(None if ratio is None else Decimal(ratio)).text == text


def test_differences_are_points_with_a_sign():
    assert [wording.difference(d).text for d in (0.0534, -0.01, 0)] == ["＋5.3ポイント", "−1.0ポイント", "0.0ポイント"]


def test_months_and_fiscal_years():
    assert wording.months(202504, 202603) == "2025年4月〜2026年3月" and wording.months(202604, 202607) == "2026年4〜7月"
    assert wording.add_months(202512, 1) == 202601 and wording.add_months(202601, -1) == 202512
    assert [wording.fiscal_year(m) for m in (202503, 202504)] == [2024, 2025]


def test_wilson_interval_of_the_textbook():
    """Wilson 1927: 5 of 10 → 23.7 to 76.3 %."""
    assert [round(x, 3) for x in interval(0.5, 10)] == [0.237, 0.763]
    assert interval(0.0, 10)[0] == 0.0 and interval(1.0, 0) == (0.0, 1.0)


def test_a_difference_counts_only_beyond_chance():
    assert not differs(0.5, 20, 0.6) and differs(0.5, 500, 0.6)
    assert differs(0.5, 500, 0.6, 500) and not differs(0.5, 500, 0.6, 20)


def test_an_interval_of_money_is_one_amount_where_both_ends_read_alike():
    assert wording.yen_between(Decimal(1234), Decimal(1234567)).text == "1,230円〜123万円"
    assert wording.yen_between(Decimal(1230), Decimal("1231")).text == "1,230円"
