"""fct_generic_share once more, from the receipt files and the shipped lists (domain §1.5, supplement payers §4): plain Python, no code of the lake."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache

import recompute
from recompute import GRAIN, day, grains, seed

LIST_DATE = date(2025, 7, 16)  # of the shipped 後発医薬品に関する情報
REVISION_AFTER = 202604  # 薬価改定: from this month the list is of the prices before
OFFICIAL_MONTHS = {"mhlw_insurer": (3, 9)}  # others: every month
OTHER_ITEMS = {  # その他の品目 of the カットオフ値, whose ingredient in the list is 経腸成分栄養剤 or a 除去ミルク; with 生薬 and 漢方 (51, 52, 59)
    "3259103B1036", "3259107A1039", "3259109S1025", "3259114S1026", "3259117S1020", "3259118S1024", "3259118T1020", "3259119S1029",
    "3259120S1021", "3259121T1021", "3279103X2032", "3279104X2037",
}  # fmt: skip
COORDINATES = (
    "population_kind", "population_key", "place_level", "place_key", "geography", "setting", "period_kind", "period", "yakko_class_2",
    "scope", "variant",
)  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A row of the class list: what it says from a day to a day."""

    class_: str
    is_excluded_from_addon: bool
    is_counted_in_cutoff: bool
    is_other_item: bool
    start: date
    end: date


@cache
def class_list() -> dict[str, list[Listed]]:
    """12-digit code → its rows; a remark R7.10.1から「2」に変更 makes two of one."""
    found: dict[str, list[Listed]] = defaultdict(list)
    for row in seed("generic_availability_2025_07.csv"):
        code, end = row["yakka_code_12"], day(row["transitional_until"]) or recompute.LAST_DAY
        is_other = code in OTHER_ITEMS or code[:2] in ("51", "52", "59")
        flags = (bool(row["excluded_from_addon"]), bool(row["counted_in_cutoff"]), is_other)
        change = re.match(r"R(\d+)\.(\d+)\.(\d+)から「(.)」", row["remark_ja"])
        if change:
            of = date(2018 + int(change[1]), int(change[2]), int(change[3]))
            found[code].append(Listed(row["availability_class"], *flags, LIST_DATE, of - timedelta(days=1)))
            found[code].append(Listed(change[4], *flags, of, end))
        else:
            found[code].append(Listed(row["availability_class"], *flags, LIST_DATE, end))
    return found


def days_of(month: int) -> tuple[date, date]:
    after = date(month // 100 + month % 100 // 12, month % 100 % 12 + 1, 1)
    return date(month // 100, month % 100, 1), after - timedelta(days=1)


def listed_in(code: str, month: int) -> Listed | None:
    """The row valid in the month, the latest; months before the list read it as of its date."""
    first, last = days_of(month)
    if last < LIST_DATE:
        first = last = LIST_DATE
    valid = [row for row in class_list().get(code, ()) if row.start <= last and row.end >= first]
    return max(valid, key=lambda row: row.start, default=None)


@cache
def yakka_codes() -> dict[str, tuple[str, date, date]]:
    """9-digit code → 12-digit code, from, to. FY2022 claims first, then the product list."""
    found = {r["receipt_code_9"]: (r["yakka_code_12"], date.min, recompute.LAST_DAY) for r in seed("drug_master_fy2022.csv")}
    for row in seed("biosimilar_products.csv"):
        for code in filter(None, row["receipt_code_9"].split(";")):
            validity = (day(row["nhi_listing_date"]) or date.min, day(row["transitional_until"]) or recompute.LAST_DAY)
            found.setdefault(code, (row["yakka_code_12"], *validity))
    return found


@cache
def prices_of_2022() -> dict[str, Decimal]:
    return {row["receipt_code_9"]: Decimal(row["price_yen_per_receipt_unit_fy2022"]) for row in seed("drug_master_fy2022.csv")}


@cache
def price(drug: str, month: int) -> Decimal | None:
    product = recompute.products().get(drug)
    return recompute.price_in(product.prices, month) if product else prices_of_2022().get(drug)


@dataclass
class Parts:
    """Sums in grains."""

    generic: int = 0
    substitutable: int = 0
    generic_yen: int = 0
    substitutable_yen: int = 0
    addon_generic: int = 0
    addon_substitutable: int = 0
    cutoff: int = 0
    cutoff_all: int = 0
    unclassified: int = 0
    unconverted: int = 0
    unpriced: int = 0

    def add(self, other: "Parts") -> None:
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def variants(self) -> dict[str, tuple[int, int]]:
        return {
            "quantity": (self.generic, self.substitutable),
            "value": (self.generic_yen, self.substitutable_yen),
            "addon": (self.addon_generic, self.addon_substitutable),
            "cutoff": (self.cutoff, self.cutoff_all),
        }


NAMES = tuple(field.name for field in fields(Parts))


@dataclass(frozen=True)
class Use:
    claim: recompute.Claim
    drug: recompute.Drug
    listed: Listed | None
    yakko: str


def uses(claims: Iterable[recompute.Claim]) -> Iterator[Use]:
    """Every drug line with an amount, of the health insurers."""
    for claim in claims:
        for drug in claim.drugs if claim.insurer_number else ():
            if drug.quantity is None:
                continue
            code, start, end = yakka_codes().get(drug.code, ("", date.min, recompute.LAST_DAY))
            first, last = days_of(claim.service_month)
            if not (start <= last and end >= first):
                code = ""
            yield Use(claim, drug, listed_in(code, claim.service_month), code[:2] or "unknown")


def parts(use: Use) -> Parts:
    found = Parts()
    product, yen = recompute.products().get(use.drug.code), price(use.drug.code, use.claim.service_month)
    quantity = grains(Fraction(use.drug.quantity) / (product.units_per_price_list_unit if product else 1))
    value = grains(Fraction(use.drug.quantity) * Fraction(yen)) if yen is not None else 0
    if not product:
        found.unconverted = quantity
    listed = use.listed
    if listed is None:
        found.unclassified = found.cutoff_all = quantity
        return found
    if listed.class_ in ("2", "3"):
        found.substitutable, found.substitutable_yen = quantity, value
        found.unpriced = quantity if yen is None else 0
        if not listed.is_excluded_from_addon:
            found.addon_substitutable = quantity
    if listed.class_ == "3":
        found.generic, found.generic_yen, found.addon_generic = quantity, value, found.addon_substitutable
    if not listed.is_other_item:
        found.cutoff_all = quantity
        found.cutoff = quantity if listed.class_ in ("2", "3") or listed.is_counted_in_cutoff else 0
    return found


def scopes(claim: recompute.Claim, drug: recompute.Drug) -> Iterator[str]:
    if not drug.is_bundled:
        yield "mhlw_insurer"
    if claim.claim_kind == "pha":
        yield "dispensing_only"
    yield "kyokai_with_dpc_coding"


def prefecture(facility: str) -> str:
    return facility[:2] if facility[:2].isdigit() and 1 <= int(facility[:2]) <= 47 else "00"


@dataclass
class Share:
    numerator: Fraction
    denominator: Fraction
    unclassified: Fraction
    unconverted: Fraction
    unpriced: Fraction


def shares(used: Iterable[Use], kinds: dict[str, str]) -> dict[tuple, Share]:
    """(cell…, variant) → figures, in the order of COORDINATES."""
    small: dict[tuple, Parts] = defaultdict(Parts)  # first by what a line says, then under every level
    for use in used:
        c = use.claim
        found = parts(use)
        for scope in scopes(c, use.drug):
            places = (prefecture(c.facility), prefecture(c.prescriber))
            small[c.insurer_number, places, c.setting, c.service_month, use.yakko, scope].add(found)
    cells: dict[tuple, Parts] = defaultdict(Parts)
    for (insurer, (of_use, of_prescriber), setting, month, yakko, scope), found in small.items():
        for population in (("all", "all"), ("insurer_kind", kinds[insurer]), ("insurer", insurer)):
            for geography, place in (("facility_of_use", of_use), ("prescriber", of_prescriber)):
                by_class = [("all", yakko)] if geography == "facility_of_use" else []
                for at in (("nation", "all"), ("prefecture", place)):
                    for period in (("month", month), ("fiscal_year", recompute.fiscal_year(month))):
                        for of_setting, of_class in [("all", "all"), (setting, "all"), *by_class]:
                            cells[*population, *at, geography, of_setting, *period, of_class, scope].add(found)
    rows = {}
    for cell, sums in cells.items():
        for variant, (numerator, denominator) in sums.variants().items():
            if denominator and (cell[-2] == "all" or variant in ("quantity", "value")):
                amounts = (numerator, denominator, sums.unclassified, sums.unconverted, sums.unpriced)
                rows[*cell, variant] = Share(*(Fraction(amount, GRAIN) for amount in amounts))
    return rows
