"""Who gains when the cost of a unit of 高額療養費 falls, by trying every state of the world that the receipts leave open. Fractions; no code of the lake.

A world says what the patient's share after cap is: which band, with or without 多数回, alone or joined with other units of the household that
stand over the cap. The gain is the difference of shares in one world; the interval holds the least and the greatest of all worlds.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import spark_jobs

SEED = Path(spark_jobs.__file__).parent / "masters" / "seeds" / "high_cost_caps.csv"
BANDS = "アイウエオ"
BAND_OF_NOTE = dict(zip(map(str, range(26, 31)), BANDS, strict=True)) | dict(zip(map(str, range(31, 36)), BANDS, strict=True))
BAND_OF_NOTE |= dict.fromkeys(("41", "42", "43", "44"), "エ")
REPEATED = {"31", "32", "33", "34", "35", "43", "44"}
LEAST_JOINED = 21_000
COUNTER_ROUNDING = 10
FLAT = Fraction(0)
PERCENT = Fraction(1, 100)
Share = Callable[[Fraction], Fraction]
Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Cap:
    fixed: Fraction
    threshold: Fraction | None
    repeated: Fraction | None
    outpatient: Fraction | None

    def of(self, cost: Fraction) -> Fraction:
        """限度額 for a cost."""
        return self.fixed if self.threshold is None else self.fixed + max(Fraction(0), cost - self.threshold) * PERCENT


@cache
def caps(month: int) -> dict[tuple[str, str], Cap]:
    """(age group, band) → cap of a month."""
    day = f"{month // 100}-{month % 100:02d}-01"
    with SEED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["valid_from"] <= day <= (row["valid_to"] or "9999-12-31")]
    names = ("fixed_yen", "threshold_yen", "repeated_yen", "outpatient_yen")
    return {(row["age_group"], row["band"]): Cap(*(Fraction(row[name]) if row[name] else None for name in names)) for row in rows}


@dataclass(frozen=True)
class Unit:
    """Person × month × prescribing institution × 入院/外来, as its receipts (and the marks of the person's others) show it."""

    month: int
    is_inpatient: bool
    rate: Fraction | None  # the patient's, of the cost
    age: str  # under_70, 70_ordinary, 70_high
    cost: Fraction  # as seen
    band: str | None = None
    is_repeated: bool = False
    long_term: str | None = None
    law: str | None = None  # of the public payer of all of it; mixed
    public_copay: Fraction | None = None
    has_another_payer: bool = False


@dataclass(frozen=True)
class Gain:
    insurer: Interval
    patient: Interval
    public: Interval

    @property
    def basis(self) -> str:
        return "receipt_certain" if self.insurer[0] == self.insurer[1] and self.patient[0] == self.patient[1] else "interval"


def gain(unit: Unit, saving: Fraction, is_made: bool) -> Gain | None:
    """Gains of a saving that was made (the cost is seen after it) or could be made (seen before); None = not computable."""
    if unit.has_another_payer or unit.rate is None:
        return None
    before, after = (unit.cost + saving, unit.cost) if is_made else (unit.cost, unit.cost - saving)
    ordinary = unit.rate * saving
    if unit.law == "mixed" or (unit.law and unit.age != "under_70"):
        return anything(saving, ordinary)
    worlds = list(shares(unit))
    if not worlds and not unit.law:
        return None
    left = [share(before) - share(after) for share in worlds] or [Fraction(0), ordinary]
    if not unit.law:
        if unit.age != "under_70" or unit.rate * max(before, after) >= LEAST_JOINED:
            left += [slope * saving for slope in joined_slopes(unit)]
        insured = min(left), max(left)
        return Gain((saving - insured[1], saving - insured[0]), insured, (Fraction(0), Fraction(0)))
    insured = min(left), max(left)
    patient = public_patient(unit, before, after, worlds, insured)
    public = [insured[0] - patient[1], insured[1] - patient[0]]
    public = [max(public[0], Fraction(0)), public[1]] if saving >= 0 else [public[0], min(public[1], Fraction(0))]
    return Gain((saving - insured[1], saving - insured[0]), patient, (public[0], public[1]))


def anything(saving: Fraction, ordinary: Fraction) -> Gain:
    low, high = sorted((Fraction(0), ordinary))
    return Gain((saving - high, saving - low), (low, high), (low, high))


def shares(unit: Unit) -> Iterator[Share]:
    """The share that insurance leaves, of this unit alone, in each possible world."""
    known, rate = caps(unit.month), unit.rate
    own_band = unit.law in (None, "51", "52", "54") or unit.law >= "80"
    repeats = unit.is_repeated and not (unit.law == "54" and not unit.is_inpatient)

    def capped(limit: Callable[[Fraction], Fraction]) -> Share:
        return lambda cost: min(rate * cost, limit(cost))

    def flat(yen: Fraction) -> Share:
        return capped(lambda _: yen)

    if not own_band:
        cap = known.get(("public_payer", "12" if unit.law == "12" else "other"))
        if cap:
            yield capped(cap.of)
    elif unit.long_term and not unit.law:
        yield flat(known["long_term", unit.long_term].fixed)
    elif unit.age == "under_70":
        for band in [unit.band] if unit.band else BANDS:
            cap = known.get(("under_70", band))
            if cap and (repeats or not unit.band):
                yield flat(cap.repeated)
            if cap and not repeats:
                yield capped(cap.of)
    elif unit.age == "70_high":
        for band in [unit.band] if unit.band in ("イ", "ウ") else ("アイウ" if not repeats else "ア"):
            if cap := known.get(("70_and_over", band)):
                yield flat(cap.repeated) if repeats else capped(cap.of)
    elif cap := known.get(("70_and_over", "オ" if unit.band == "オ" else "エ")):
        yield flat(cap.outpatient if not unit.is_inpatient else (cap.repeated or cap.fixed) if repeats else cap.fixed)


def joined_slopes(unit: Unit) -> Iterator[Fraction]:
    """What is left to the patient of each yen, where the household is over its cap by other units already."""
    if unit.long_term or unit.is_repeated or unit.age == "70_ordinary" or unit.band in ("エ", "オ"):
        yield FLAT
    elif unit.band or unit.age == "70_high":
        yield PERCENT
    else:
        yield from (FLAT, PERCENT)


def public_patient(unit: Unit, before: Fraction, after: Fraction, worlds: list[Share], insured: Interval) -> Interval:
    """What the patient gains beside a public payer: 54 by its rate and limit, others up to what insurance leaves."""
    zero = Fraction(0)
    if unit.law == "12":
        return zero, zero
    if unit.law == "54" and worlds:
        widest = max(worlds, key=lambda share: abs(share(before) - share(after)))
        rate = min(unit.rate, Fraction(1, 5))

        def paid(cost: Fraction) -> Fraction:
            return min(rate * cost, widest(cost))

        reached = unit.public_copay is not None and unit.public_copay < paid(unit.cost) - COUNTER_ROUNDING
        limit = unit.public_copay if reached else None
        at_most = (paid(before) - paid(after)) if limit is None else min(paid(before), limit) - min(paid(after), limit)
        is_known = unit.public_copay is not None and not reached and unit.cost == max(before, after) and insured[0] == insured[1]
        ends = sorted((at_most if is_known else zero, at_most))
        return ends[0], ends[1]
    if unit.public_copay == 0:
        return zero, zero
    ends = sorted((zero, max(insured, key=abs)))
    return ends[0], ends[1]
