"""Months of the window and ages, by whole days (ordinals) for speed; dates as receipts write them, Western or 和暦."""

from datetime import date
from functools import cache

from spark_jobs.claim_format.japanese_calendar import ERA_BASE

DAYS_OF_WORK = 28  # visits fall on days that every month has
WESTERN_FROM = 202004  # 請求年月 from which dates are Western; the exact month is unconfirmed (receipt-formats §1.3)
CHECKED_FROM = 202109  # 診療年月 from which SN, JD and MF exist
ERA_BEGINS = {"5": 20190501, "4": 19890108, "3": 19261225, "2": 19120730, "1": 0}


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


@cache
def western_day(day: date) -> str:
    """YYYYMMDD."""
    return f"{day:%Y%m%d}"


@cache
def era_day(day: date) -> str:
    """GYYMMDD."""
    return _in_era(f"{day:%Y%m%d}")


@cache
def era_month(month: int) -> str:
    """GYYMM: the era of its first day."""
    return _in_era(f"{month}01")[:5]


def _in_era(text: str) -> str:
    era = next(era for era, begin in ERA_BEGINS.items() if int(text) >= begin)
    return f"{era}{int(text[:4]) - ERA_BASE[era]:02d}{text[4:]}"


def age_at(born: date, day: date) -> int:
    """Completed years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_preschool(born: date, month: int) -> bool:
    """未就学者: up to the 31 March after the sixth birthday; who was born on 1 April belongs to the year before."""
    school_year = born.year + (7 if (born.month, born.day) >= (4, 2) else 6)
    return month < school_year * 100 + 4
