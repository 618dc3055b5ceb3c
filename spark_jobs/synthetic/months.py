"""Months of the window and ages, by whole days (ordinals) for speed."""

from datetime import date
from functools import cache

DAYS_OF_WORK = 28  # visits fall on days that every month has


def month_after(month: int, count: int = 1) -> int:
    """YYYYMM + months."""
    years, index = divmod(month // 100 * 12 + month % 100 - 1 + count, 12)
    return years * 100 + index + 1


@cache
def first_day(month: int) -> date:
    return date(month // 100, month % 100, 1)


@cache
def last_day(month: int) -> date:
    return date.fromordinal(first_day(month_after(month)).toordinal() - 1)


def age_at(born: date, day: date) -> int:
    """Completed years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_preschool(born: date, month: int) -> bool:
    """未就学者: up to the 31 March after the sixth birthday; who was born on 1 April belongs to the year before."""
    school_year = born.year + (7 if (born.month, born.day) >= (4, 2) else 6)
    return month < school_year * 100 + 4
