"""Numbers in the words of the report: one decimal for shares, ポイント for differences, three significant digits for money.

A zero is 0, not computable is 算定不可, hidden is 10未満 or 秘匿, no data is データなし: never an empty cell.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from spark_jobs.publish.disclosure import FEW, HIDDEN

__all__ = ["FEW", "HIDDEN"]
NOT_COMPUTABLE = "算定不可"
NO_DATA = "データなし"

MAN, OKU = Decimal(10**4), Decimal(10**8)


@dataclass(frozen=True)
class Cell:
    """What stands in a table, and the plain value that goes into its CSV (the same text where there is no number)."""

    text: str
    value: str | None = None

    @property
    def plain(self) -> str:
        return self.text if self.value is None else self.value

    def __str__(self) -> str:
        return self.text


def rounded(value: Decimal | float, places: int) -> Decimal:
    """Half up, as people round."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def share(ratio: Decimal | float | None) -> Cell:
    """0.4213 → 42.1％."""
    if ratio is None:
        return Cell(NOT_COMPUTABLE)
    percent = rounded(Decimal(str(ratio)) * 100, 1)
    return Cell(f"{percent}％", str(percent))


def percent(ratio: Decimal | float) -> str:
    """A target, in whole percents: 80％."""
    return f"{rounded(Decimal(str(ratio)) * 100, 0)}％"


def difference(ratio: Decimal | float | None) -> Cell:
    """0.053 → ＋5.3ポイント."""
    if ratio is None:
        return Cell(NOT_COMPUTABLE)
    points = rounded(Decimal(str(ratio)) * 100, 1)
    sign = "＋" if points > 0 else "−" if points < 0 else ""
    return Cell(f"{sign}{abs(points)}ポイント", str(points))


def yen(amount: Decimal | float | None) -> Cell:
    """1234567 → 123万円; three significant digits."""
    if amount is None:
        return Cell(NOT_COMPUTABLE)
    amount = Decimal(str(amount))
    value = amount if amount == 0 else amount.quantize(Decimal(1).scaleb(amount.adjusted() - 2), ROUND_HALF_UP)
    size = abs(value)
    unit, name = (OKU, "億円") if size >= OKU else (MAN, "万円") if size >= MAN else (Decimal(1), "円")
    scaled = size / unit
    places = max(0, 2 - scaled.adjusted()) if unit != 1 else 0
    return Cell(f"{'−' if value < 0 else ''}{scaled:,.{places}f}{name}", str(rounded(amount, 0)))


def yen_between(low: Decimal | None, high: Decimal | None) -> Cell:
    """An interval of money: 2,680万円〜3,600万円; one amount where both ends read alike."""
    texts = [yen(low).text, yen(high).text]
    return Cell(texts[0] if texts[0] == texts[1] else "〜".join(texts))


def count(number: int | None) -> Cell:
    return Cell(NO_DATA) if number is None else Cell(f"{number:,}", str(number))


def quantity(value: Decimal | None) -> Cell:
    """Claim units, without trailing zeros after one decimal."""
    if value is None:
        return Cell(NO_DATA)
    shown = rounded(value, 1)
    return Cell(f"{shown:,.0f}" if shown == shown.to_integral() else f"{shown:,}", str(shown))


def month(yyyymm: int) -> str:
    """202504 → 2025年4月."""
    return f"{yyyymm // 100}年{yyyymm % 100}月"


def months(first: int, last: int) -> str:
    """2025年4月〜2026年3月, or 2026年4〜7月 inside one year."""
    if first == last:
        return month(first)
    return f"{month(first)}〜{month(last)}" if first // 100 != last // 100 else f"{first // 100}年{first % 100}〜{last % 100}月"


def day(value: date) -> str:
    """2030年3月31日."""
    return f"{value.year}年{value.month}月{value.day}日"


def add_months(yyyymm: int, number: int) -> int:
    year, index = divmod((yyyymm // 100) * 12 + yyyymm % 100 - 1 + number, 12)
    return year * 100 + index + 1


def fiscal_year(yyyymm: int) -> int:
    """年度: April to March."""
    return add_months(yyyymm, -3) // 100
