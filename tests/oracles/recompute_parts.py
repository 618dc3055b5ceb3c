"""Parts of the use, once more from the raw receipt files: by sex and age, by therapeutic area and covered indication, by where members are enrolled.

Plain Python on recompute.py: sets of persons, Fractions, and for an indication the rule as read aloud: all diagnoses of the claim, each decided
by the longest prefix that it begins with.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from itertools import product as every

import recompute
from recompute import Claim, Line, Share, Use, day, final_lines, periods, position, seed

YEARS = ("fiscal_year", "rolling_12")
SUSPECTED = "8002"
Populations = Callable[[str, str], bool]  # (kind of population, level of place) → whether such rows stand


@dataclass(frozen=True)
class Diagnosed(Claim):
    diseases: tuple[str, ...] = ()  # 傷病名コード, the suspected ones left out


def diagnosed_claim(receipt: list[Line], kind: str) -> Diagnosed:
    """A claim with its diagnoses: SY, SB of DPC, HS of 歯科."""
    found = []
    for line in final_lines(receipt):
        if line.record in ("SY", "SB", "HS"):
            code, modifiers, name = (
                line.cells[position(kind, line.record, n) - 1] for n in ("disease_code", "modifier_codes", "disease_name")
            )
            if SUSPECTED not in [modifiers[i : i + 4] for i in range(0, len(modifiers), 4)] and not name.endswith("疑い"):
                found.append(code)
    return Diagnosed(**vars(recompute.claim(receipt, kind)), diseases=tuple(found))


Place = tuple[str, str, str]  # level, key, geography


def prefectures(use: Use) -> list[Place]:
    return [
        (level, key, geography)
        for geography, facility in (("facility_of_use", use.claim.facility), ("prescriber", use.claim.prescriber))
        for level, key in (("nation", "all"), ("prefecture", facility[:2]))
    ]


def places_below(use: Use) -> list[Place]:
    """Of a lake without a facility list and without a member file: facilities, and unknown areas and municipalities."""
    facilities = [("facility", use.claim.facility, "facility_of_use"), ("facility", use.claim.prescriber, "prescriber")]
    geographies = ("facility_of_use", "prescriber", "residence")
    return facilities + [(level, "00", geography) for level in ("secondary_area", "municipality") for geography in geographies]


def shares_of_parts(
    uses: Iterable[Use], parts: Callable[[Use], Iterable[tuple]], kinds: Mapping[str, str], of_data: frozenset[int],
    stands: Populations = lambda kind, level: True,
    places: Callable[[Use], Iterable[Place]] = prefectures,
) -> dict[tuple, tuple[Fraction, Fraction, int, int]]:  # fmt: skip
    """(population, place, part…, ingredient, period) → BS units, all units, persons with a BS, persons."""
    units: dict[tuple, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    persons: dict[tuple, tuple[set, set]] = defaultdict(lambda: (set(), set()))
    for use in uses:
        c = use.claim
        populations = [("all", "all"), ("insurer_kind", kinds[c.insurer_number]), ("insurer", c.insurer_number)]
        amount = use.quantity / use.product.units_per_price_list_unit
        spans = [span for span in periods(c.service_month, of_data) if span[0] in YEARS]
        for population, place, part, ingredient, span in every(
            populations, places(use), parts(use), (use.product.ingredient, "all"), spans
        ):
            if not stands(population[0], place[0]):
                continue
            cell = (*population, *place, *part, ingredient, *span)
            units[cell][1] += amount
            units[cell][0] += amount if use.is_biosimilar else 0
            if c.person:
                persons[cell][1].add(c.person)
                if use.is_biosimilar:
                    persons[cell][0].add(c.person)
    return {cell: (*amounts, len(persons[cell][0]), len(persons[cell][1])) for cell, amounts in units.items()}


def sex_and_age(use: Use) -> list[tuple[str, str]]:
    """(sex, age group), and each with all of the other; a birthday of the month is reached."""
    if not use.claim.person:
        return [("unknown", "unknown"), ("unknown", "all"), ("all", "unknown")]
    *_, born, sex = use.claim.person
    month = use.claim.service_month
    age = (month // 100 * 12 + month % 100 - int(born[:4]) * 12 - int(born[4:6])) // 12
    group = "90-" if age >= 90 else f"{age // 10}0-{age // 10}9"
    return [(sex, group), (sex, "all"), ("all", group)]


# Areas and indications (domain-supplement-drugs.md; seeds therapeutic_areas.csv, biosimilar_indications.csv)


@cache
def indications(ingredient: str, month: int) -> tuple[tuple[str, str, bool | None], ...]:
    """(prefix, area, does a BS carry it in the month) of an ingredient; a day within the month counts for all of it."""
    listing = {
        row["ingredient_key"]: min(
            r["nhi_listing_date"] or r["first_seen_in_price_list"]
            for r in seed("biosimilar_products.csv") if r["role"] in ("BS", "bioAG") and r["ingredient_key"] == row["ingredient_key"]
        )
        for row in seed("biosimilar_products.csv") if row["role"] in ("BS", "bioAG")
    }  # fmt: skip
    last = date(month // 100 + month % 100 // 12, month % 100 % 12 + 1, 1).toordinal() - 1
    found = []
    for row in seed("biosimilar_indications.csv"):
        if row["ingredient_key"] != ingredient:
            continue
        since = row["covered_from"] or listing.get(ingredient, "")[:7]
        start = day(since if len(since) == 10 else f"{since}-01") if since else None
        covered = {"yes": start is None or start.toordinal() <= last, "no": False, "unknown": None}[row["covered_by_any_bs"]]
        for prefix in prefixes(row["icd10_prefixes"]):
            found.append((prefix, row["indication_group"], covered))
    return tuple(found)


def prefixes(text: str) -> Iterator[str]:
    for part in text.split(";"):
        first, _, last = part.strip().partition("-")
        if last:
            yield from (f"{first[0]}{n:02}" for n in range(int(first[1:]), int(last[1:]) + 1))
        else:
            yield first.replace(".", "")


@cache
def area_of(code: str) -> tuple[str, bool]:
    """(area of the ingredient or brand, whether a diagnosis goes before it)."""
    product = next(row for row in seed("biosimilar_products.csv") if code in row["receipt_code_9"].split(";"))
    area = next(row for row in seed("therapeutic_areas.csv") if row["ingredient_key"] == product["ingredient_key"])
    if area["rule"].startswith("product"):
        return "osteoporosis" if "プラリア" in product["product_name_ja"] else "oncology", False
    if area["rule"].startswith("diagnosis"):
        return "unknown", True
    return area["therapeutic_area"], area["rule"].startswith("ingredient, except")


class Areas:
    """Parts by area and scope: `icd10` is the 傷病名マスター, `claims` tell the diagnoses of the hospital that prescribed."""

    def __init__(self, claims: Iterable[Diagnosed], icd10: Mapping[str, str]) -> None:
        self.icd10 = icd10
        self.at_hospital: dict[tuple, set[str]] = defaultdict(set)
        for c in claims:
            if c.claim_kind != "pha":
                self.at_hospital[c.person, c.service_month, c.facility] |= set(c.diseases)

    def __call__(self, use: Use) -> list[tuple[str, str]]:
        c = use.claim
        of_pharmacy = c.claim_kind == "pha"
        diseases = self.at_hospital[c.person, c.service_month, c.prescriber] if of_pharmacy else set(c.diseases)  # type: ignore[attr-defined]
        areas, coverages = set(), set()
        for code in {self.icd10[disease] for disease in diseases if disease in self.icd10} if c.person else ():
            fitting = [known for known in indications(use.product.ingredient, c.service_month) if code.startswith(known[0])]
            longest = max((len(prefix) for prefix, *_ in fitting), default=0)
            areas |= {area for prefix, area, _ in fitting if len(prefix) == longest}
            coverages |= {covered for prefix, _, covered in fitting if len(prefix) == longest}
        scope = {(True,): "indication_covered", (False,): "indication_not_covered"}.get(tuple(coverages), "indication_unknown")
        area, is_decided_by_diagnosis = area_of(use.product.code)
        if is_decided_by_diagnosis and areas:
            area = next(iter(areas)) if len(areas) == 1 else "several"
        return [(area, "brand"), (area, scope)]


def use_by_enrolment(
    uses: Iterable[Use], kinds: Mapping[str, str], prefectures: Mapping[str, str], of_data: frozenset[int]
) -> dict[tuple, tuple[int, Fraction]]:
    """fct_biosimilar_use without member files: (population, place, geography, ingredient, period) → persons, units. Nobody's residence is known."""
    units: dict[tuple, Fraction] = defaultdict(Fraction)
    persons: dict[tuple, set] = defaultdict(set)
    for use in uses:
        c = use.claim
        populations = [("all", "all"), ("insurer_kind", kinds[c.insurer_number]), ("insurer", c.insurer_number)]
        places = [(level, key, geography) for geography, own in (("residence", "00"), ("enrolment", prefectures[c.insurer_number]))
                  for level, key in (("nation", "all"), ("prefecture", own))]  # fmt: skip
        for population, place, ingredient, span in every(
            populations, places, (use.product.ingredient, "all"), periods(c.service_month, of_data)
        ):
            cell = (*population, *place, ingredient, *span)
            units[cell] += use.quantity / use.product.units_per_price_list_unit
            persons[cell] |= {c.person} - {None}
    return {cell: (len(persons[cell]), amount) for cell, amount in units.items()}


def whole(shares: Mapping[tuple, Share]) -> dict[tuple, tuple[Fraction, Fraction]]:
    """Numerator and denominator of fct_biosimilar_share in the years, all settings: what the parts add up to."""
    return {
        (*cell, ingredient, kind, period): (share.numerator, share.denominator)
        for (*cell, ingredient, setting, kind, period, scope, convention), share in shares.items()
        if (setting, scope, convention) == ("all", "brand", "claims_units") and kind in YEARS
    }
