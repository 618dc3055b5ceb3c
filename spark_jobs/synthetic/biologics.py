"""Courses of biologics: who starts with what, where, how often, and who changes between reference and biosimilar."""

from dataclasses import dataclass
from datetime import date
from math import exp, log
from random import Random
from zlib import crc32

from spark_jobs.synthetic.formulary import Formulary, Product, Regimen, Slot, regimens
from spark_jobs.synthetic.months import age_at, first_day
from spark_jobs.synthetic.people import Haunts, Person
from spark_jobs.synthetic.places import Facility

MOST_COURSES = 2  # of one person
OPEN_END_DAYS = 1800  # how long a course without a fixed end has run at most before the window
STOP_PER_MONTH = 0.01
LAW_RATIO = 0.6  # of the patients of a designated disease, those with a certificate
NEW_STARTS_AHEAD = 0.08  # new patients get a biosimilar more often than those under treatment
USUAL_BRAND_RATIO = 0.85  # a facility stocks one brand of biosimilar
BIOSIMILAR_START_MONTHS = 3  # バイオ後続品導入初期加算: up to three months from the first use
CHEMOTHERAPY = ("rituximab", "trastuzumab", "bevacizumab")


@dataclass(frozen=True)
class Action:
    """The known action: from a month on this facility gives one ingredient as biosimilar."""

    facility_code: str
    ingredient_key: str
    month_no: int
    switch_ratio: float  # of its patients on the reference, at their next visit
    start_ratio: float  # of its new patients


@dataclass(slots=True)
class Course:
    """One person's treatment with one biologic."""

    regimen: Regimen
    slots: list[tuple[Slot, int]]  # presentation, units a time
    facility: Facility
    pharmacy: Facility | None  # 院外処方, or none
    law_number: str
    start: date
    next_day: int  # ordinal
    doses_left: int
    is_biosimilar: bool
    brand: str
    biosimilar_since: int = -99  # month number
    is_begun: bool = False

    def doses(self, month: int, month_end: int, rng: Random) -> list[int]:
        """Days of this month on which it is given or handed out."""
        first, days, every = first_day(month).toordinal(), [], self.regimen.every_days
        while self.next_day <= month_end and self.doses_left > 0:
            if self.next_day >= first:
                days.append(self.next_day - first + 1)
            self.next_day += every + (rng.randint(-2, 2) if every >= 28 else 0)
            self.doses_left -= 1
        return days

    def decide(self, month_no: int, ratio: float, action: Action, formulary: Formulary, rng: Random) -> None:
        """At the first dose of a month: which side. `ratio` = share of biosimilars among new patients here and now."""
        slot, regimen, chance = self.slots[0][0], self.regimen, rng.random()
        acts = (
            month_no >= action.month_no
            and self.facility.facility_code == action.facility_code
            and regimen.ingredient_key == action.ingredient_key
        )
        is_under_treatment = self.start < first_day(formulary.months[0])
        was_biosimilar = self.is_biosimilar
        if self.is_begun:
            switch, stay = (action.switch_ratio, 1.0) if acts else (regimen.switch_per_month, 1 - regimen.switch_back_per_month)
            wanted = chance < (stay if was_biosimilar else switch)
        elif is_under_treatment:
            wanted = chance < ratio
        else:
            wanted = chance < (action.start_ratio if acts else min(0.98, ratio + NEW_STARTS_AHEAD) if ratio else 0.0)
        can_have, must_have = bool(slot.usable[month_no, True]), not slot.usable[month_no, False]
        self.is_biosimilar = can_have and (wanted or must_have)
        if self.is_biosimilar and not was_biosimilar:
            if self.is_begun or not is_under_treatment:
                self.biosimilar_since = month_no
            brands = sorted({p.brand for p in slot.usable[month_no, True]})
            usual = brands[crc32(f"{self.facility.facility_code}{regimen.ingredient_key}".encode()) % len(brands)]
            self.brand = usual if rng.random() < USUAL_BRAND_RATIO else rng.choice(brands)
        self.is_begun = True

    def products(self, month_no: int) -> list[tuple[str, int]]:
        """Drug codes and units a time in this month; a presentation that can't be had is left out."""
        found = []
        for slot, units in self.slots:
            candidates: list[Product] = slot.usable[month_no, self.is_biosimilar] or slot.usable[month_no, not self.is_biosimilar]
            if candidates:
                product = next((p for p in candidates if p.brand == self.brand), candidates[0])
                found.append((product.drug_code, units))
        return found


class Prescribing:
    """The planted shares: which part of new courses is a biosimilar, by regimen, month and facility."""

    def __init__(self, formulary: Formulary, biologic_use: float, action: Action):
        self.formulary, self.biologic_use, self.action = formulary, biologic_use, action
        self.regimens = [r for r in regimens() if formulary.slots[r.regimen_key]]
        self.first_biosimilar_month = {
            r.regimen_key: min(
                (i for slot in formulary.slots[r.regimen_key] for (i, side), usable in slot.usable.items() if side and usable),
                default=10**6,
            )
            for r in self.regimens
        }
        self.weighted = {r.regimen_key: self._weights(r) for r in self.regimens}
        self.by_key = {r.regimen_key: r for r in self.regimens}

    def _weights(self, regimen: Regimen) -> tuple[list[Slot], list[float]]:
        """Presentations with weights: SAME ones by `same_ratio`, those with a biosimilar above those without."""
        slots = self.formulary.slots[regimen.regimen_key]
        weights = [0.0 if s.is_same_only else 4.0 if s.has_biosimilar else 1.0 for s in slots]
        same = sum(s.is_same_only for s in slots)
        if same and any(weights):
            for i, slot in enumerate(slots):
                if slot.is_same_only:
                    weights[i] = sum(w for w, s in zip(weights, slots, strict=True) if not s.is_same_only) * (
                        regimen.same_ratio / (1 - regimen.same_ratio) / same
                    )
        return slots, [w or 0.001 for w in weights]

    def ratio(self, regimen: Regimen, month_no: int, facility: Facility) -> float:
        """Planted share of biosimilars here and now: the regimen's line, bent by the facility's habit."""
        months = month_no - self.first_biosimilar_month[regimen.regimen_key]
        if months < 0 or regimen.bs_ratio <= 0:
            return 0.0
        share = min(0.97, max(0.01, regimen.bs_ratio + regimen.bs_growth_per_month * months))
        return 1 / (1 + exp(-(log(share / (1 - share)) + facility.biosimilar_tendency)))

    def courses(self, person: Person, places: Haunts, has_forced: list[tuple[str, int]]) -> list[Course]:
        """Those of one person, by chance; each code of `has_forced` (with its month) once more, so that every product occurs."""
        rng, months = person.rng, self.formulary.months
        age = age_at(person.born, first_day(months[0]))
        found: list[Course] = []
        for regimen in self.regimens:
            sex_weight = 2 * (regimen.female_ratio if person.sex == 2 else 1 - regimen.female_ratio)
            chance = min(0.5, regimen.users_per_1000 / 1000 * self.biologic_use * sex_weight)
            if regimen.age_from <= age <= regimen.age_to and rng.random() < chance and len(found) < MOST_COURSES:
                found.append(self._course(regimen, person, places))
        for drug_code, month_no in has_forced:
            found.append(self._forced(drug_code, month_no, person, places))
        return found

    def _course(self, regimen: Regimen, person: Person, places: Haunts) -> Course:
        rng, months = person.rng, self.formulary.months
        length = regimen.doses_most * regimen.every_days or OPEN_END_DAYS
        window = first_day(months[0]).toordinal()
        start = window + rng.randint(-length, len(months) * 30)
        doses = regimen.doses_most or max(1, round(rng.expovariate(STOP_PER_MONTH) * 30 / regimen.every_days))
        next_day = start
        if start < window:  # under treatment before the window: go on in the rhythm, with the doses that are left
            given = -((start - window) // regimen.every_days)
            next_day, doses = start + given * regimen.every_days, doses - given if regimen.doses_most else doses
        slots, weights = self.weighted[regimen.regimen_key]
        chosen = [(rng.choices(slots, weights)[0], rng.randint(regimen.units_low, regimen.units_high))]
        if regimen.has_companion:
            chosen += [(slot, 1) for slot in slots if slot is not chosen[0][0] and rng.random() < 0.6][:1]
        facility = places.hospital if regimen.place == "hospital" or rng.random() < 0.25 else places.clinic
        at_pharmacy = rng.random() < regimen.pharmacy_ratio
        pharmacy = (places.hospital_pharmacy if facility is places.hospital else places.pharmacy) if at_pharmacy else None
        law = regimen.law_number if regimen.law_number and rng.random() < LAW_RATIO else ""
        return Course(regimen, chosen, facility, pharmacy, law, date.fromordinal(start), next_day, doses, False, "")

    def _forced(self, drug_code: str, month_no: int, person: Person, places: Haunts) -> Course:
        """One use of one product in one month."""
        regimen = self.by_key[self.formulary.biologic_codes[drug_code][0]]
        for slot in self.formulary.slots[regimen.regimen_key]:
            for side in (False, True):
                for product in slot.usable[month_no, side]:
                    if product.drug_code == drug_code:
                        start = date.fromordinal(first_day(self.formulary.months[month_no]).toordinal() + person.person_no % 28)
                        only = Slot(slot.name, {(month_no, side): [product], (month_no, not side): []})
                        pharmacy = places.hospital_pharmacy if regimen.pharmacy_ratio > 0.4 else None
                        units = [(only, regimen.units_low)]
                        return Course(regimen, units, places.hospital, pharmacy, "", start, start.toordinal(), 1, side, product.brand)
        raise ValueError(f"{drug_code} can't be used in month {month_no}")
