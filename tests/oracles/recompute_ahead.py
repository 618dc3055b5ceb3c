"""How far, how sure and whereto: the gap to 80 %, its chance, the projection of shares and the KPI, from the recomputed shares (recompute.py).

Plain Python; the chance by the continued fraction of the incomplete beta function (Lentz), the line by sums of squares.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import exp, lgamma, log, sqrt
from pathlib import Path
from typing import Any

import yaml
from recompute import Share, earlier, seed
from test_kpi import first_listing

REACHED_FROM = Fraction(4, 5)  # domain §1.2
T_10_DEGREES = 2.228138852  # 97.5 %
CELL = ("population_kind", "population_key", "place_level", "place_key", "geography")


@dataclass(frozen=True)
class Seen:
    """The quantity share (claims_units, all settings, counted brands) of an ingredient, as the mart prints it."""

    numerator: Decimal
    denominator: Decimal
    share: Decimal
    patients: int

    @property
    def is_reached(self) -> bool:
        return self.numerator >= self.denominator * 4 / 5


def seen(shares: Mapping[tuple, Share], kinds: tuple[str, ...]) -> Iterator[tuple[tuple, str, str, int, Seen]]:
    """(place and population, ingredient, kind of period, period, what is seen) of single ingredients."""
    for (*cell, ingredient, setting, kind, period, scope, convention), share in shares.items():
        if setting == "all" and scope == "brand" and convention == "claims_units" and kind in kinds and ingredient != "all":
            amounts = [Decimal(round(amount * 10**6)) / 10**6 for amount in (share.numerator, share.denominator)]
            ratio = Decimal(round(share.numerator / share.denominator * 10**8)) / 10**8
            yield tuple(cell), ingredient, kind, period, Seen(*amounts, ratio, share.patient_count)


@cache
def listed(month: int) -> set[str]:
    """Ingredients of the KPI's denominator by the end of a month."""
    firsts = {row["ingredient_key"]: first_listing(row["ingredient_key"]) for row in seed("biosimilar_ingredients.csv")}
    return {key for key, first in firsts.items() if first is not None and first <= month}


def chance_reached(share: float, patients: int) -> float:
    """1 − I_0.8(k + ½, n − k + ½)."""
    k = share * patients
    return 1 - incomplete_beta(float(REACHED_FROM), k + 0.5, patients - k + 0.5)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised, by its continued fraction (Abramowitz and Stegun 26.5.8), on the side where that converges."""
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        for top in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + top * d or tiny)
            c = 1 + top / c or tiny
            value *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return front * value


@dataclass(frozen=True)
class Line:
    """Least squares on the empirical logits of twelve months; the last is month 0."""

    logits: tuple[float, ...]
    variance_of_few: float  # mean variance of such a logit

    def at(self, ahead: int) -> tuple[float, float, float]:
        """Share, low and high in a month ahead."""
        n = len(self.logits)
        months = range(1 - n, 1)
        mean_month, mean = sum(months) / n, sum(self.logits) / n
        squares = sum((month - mean_month) ** 2 for month in months)
        slope = sum((month - mean_month) * logit for month, logit in zip(months, self.logits, strict=True)) / squares
        fitted = [mean + slope * (month - mean_month) for month in months]
        residual = sum((logit - fit) ** 2 for logit, fit in zip(self.logits, fitted, strict=True)) / (n - 2)
        half = T_10_DEGREES * sqrt(max(residual, self.variance_of_few) * (1 + 1 / n + (ahead - mean_month) ** 2 / squares))
        middle = mean + slope * (ahead - mean_month)
        share, low, high = (1 / (1 + exp(-value)) for value in (middle, middle - half, middle + half))
        return share, low, high


def line(months: list[Seen | None]) -> Line | None:
    """None where one of the twelve months has no patient."""
    counts = []
    for month in months:
        if month is None or not month.patients:
            return None
        k = float(month.share * month.patients)
        counts.append((k + 0.5, month.patients - k + 0.5))
    return Line(tuple(log(bs / ref) for bs, ref in counts), sum(1 / bs + 1 / ref for bs, ref in counts) / len(counts))


def targets(config: Path, last: int) -> list[dict[str, Any]]:
    """Targets of biosimilars that hold on the last day of the last month."""
    owners = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((config / "targets").glob("*.yaml"))]
    found = [target | {key: owner[key] for key in ("owner_kind", "owner_key")} for owner in owners for target in owner["targets"]]
    after = date(last // 100 + last % 100 // 12, last % 100 % 12 + 1, 1)
    return [
        target for target in found
        if target["measure_key"] in ("biosimilar_quantity_share", "biosimilar_kpi")
        and target["valid_from"] < after and target.get("valid_to", date.max) >= date.fromordinal(after.toordinal() - 1)
    ]  # fmt: skip


def projections(shares: Mapping[tuple, Share], kinds: dict[str, str], config: Path, last: int) -> dict[tuple, dict[str, Any]]:
    """fct_share_projection: (population and place, target, ingredient) → its figures."""
    window = [earlier(last, n) for n in range(11, -1, -1)]
    series: dict[tuple, dict[str, dict[int, Seen]]] = {}
    for cell, ingredient, _, month, what in seen(shares, ("month",)):
        if month in window and ingredient in listed(last) and (cell[0] == "all" or (cell[0] == "insurer" and cell[2] == "nation")):
            series.setdefault(cell, {}).setdefault(ingredient, {})[month] = what
    found = {}
    for cell, of_ingredient in series.items():
        for target in targets(config, last):
            concerned = {"nation": "all", "prefecture": cell[3], "insurer": cell[1], "insurer_kind": kinds.get(cell[1])}
            if target["owner_key"] != concerned[target["owner_kind"]]:
                continue
            due = target["due_date"].year * 100 + target["due_date"].month
            ahead = (due // 100 - last // 100) * 12 + due % 100 - last % 100
            each = {}
            for ingredient, months in of_ingredient.items():
                drawn = line([months.get(month) for month in window])
                reason = "due_date_passed" if ahead <= 0 else None if drawn else "fewer_than_12_months"
                values = drawn.at(ahead) if drawn and not reason else (None, None, None)
                sums = [sum(getattr(what, name) for what in months.values()) for name in ("numerator", "denominator")]
                each[ingredient] = (sums[0] / sums[1], sums[0] >= sums[1] * 4 / 5, values, reason)
            if target["measure_key"] == "biosimilar_quantity_share":
                for ingredient, (current, _, values, reason) in each.items():
                    found[*cell, target["target_key"], ingredient] = {
                        "current": current,
                        "values": values,
                        "reason": reason,
                        "counts": None,
                    }
                continue
            total = len(listed(last))
            reasons = {reason for *_, reason in each.values()}
            reason = "due_date_passed" if ahead <= 0 else "fewer_than_12_months" if reasons == {"fewer_than_12_months"} else None
            counts = [0, 0, 0]
            for _, is_reached, values, _ in each.values():
                counts[0] += is_reached if values[0] is None else values[0] >= REACHED_FROM
                counts[1] += values[1] is not None and values[1] >= REACHED_FROM
                counts[2] += values[2] is None or values[2] >= REACHED_FROM
            found[*cell, target["target_key"], "all"] = {
                "current": Decimal(sum(is_reached for _, is_reached, *_ in each.values())) / total,
                "values": (None, None, None) if reason else tuple(count / total for count in counts),
                "reason": reason,
                "counts": (total, *((None, None, None) if reason else counts)),
            }
    return found
