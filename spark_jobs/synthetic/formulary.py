"""Which drugs there are, month by month, and what they cost: the shipped masters as the generator needs them."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from pathlib import Path

from spark_jobs.claim_format.amounts import points
from spark_jobs.masters import shipped
from spark_jobs.synthetic.months import first_day, last_day

BIOSIMILAR_SIDE = ("BS", "bioAG")  # bioAG stands on the BS side
UNKNOWN_CODES = ("699990001", "699990002", "699990003")  # of the form of a 医薬品コード, in no master
DOSE_CODE_MARK = "回分"  # teriparatide claimed by the dose, 28 to a kit


@dataclass(frozen=True)
class Regimen:
    """One row of regimens.csv: how a biologic is usually given (intervals and BS ratios near domain-supplement-drugs.md §E, §G)."""

    regimen_key: str
    ingredient_key: str
    product_pattern: str
    route: str
    users_per_1000: float
    age_from: int
    age_to: int
    female_ratio: float
    every_days: int
    days_in_row: int
    units_low: int
    units_high: int
    doses_most: int
    has_companion: int
    same_ratio: float
    bs_ratio: float
    bs_growth_per_month: float
    switch_per_month: float
    switch_back_per_month: float
    pharmacy_ratio: float
    inpatient_ratio: float
    place: str
    law_number: str
    disease_ja: str


@cache
def regimens() -> tuple[Regimen, ...]:
    """The planted patterns of biologic use, from regimens.csv."""
    convert: dict[object, Callable[[str], object]] = {"int": int, "float": float, "str": str, int: int, float: float, str: str}
    types = {name: convert[kind] for name, kind in Regimen.__annotations__.items()}
    with Path(__file__).with_name("regimens.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Regimen(**{name: types[name](text) for name, text in row.items()}) for row in csv.DictReader(file))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Product:
    drug_code: str
    role: str
    brand: str  # 「maker」 of the name; empty for the originator


@dataclass(frozen=True)
class Slot:
    """One presentation: a reference product and the biosimilars matched to it, between which a patient can change."""

    name: str  # of the reference, after NFKC
    usable: dict[tuple[int, bool], list[Product]]  # (month number, on the biosimilar side) → products

    @property
    def is_same_only(self) -> bool:
        """Only products of the same ingredient that are not counted (SAME)."""
        return all(p.role == "SAME" for products in self.usable.values() for p in products)

    @property
    def has_biosimilar(self) -> bool:
        return any(biosimilar and products for (_, biosimilar), products in self.usable.items())


@dataclass(frozen=True)
class OrdinaryDrug:
    drug_code: str
    unit_ja: str


@dataclass(frozen=True)
class OrdinaryGroup:
    """Same ingredient, form and strength (first 9 of the 12-digit code): brand and generics."""

    brands: tuple[OrdinaryDrug, ...]
    generics: tuple[OrdinaryDrug, ...]


@dataclass(frozen=True)
class Indication:
    """An ordinary illness and the drugs given for it: 薬効分類, form letters (8th place of the 12-digit code), amounts."""

    disease_ja: str
    disease_code: str  # 0000999 = not coded
    yakko_class_3: str
    forms: str
    unit_ja: str
    amounts: tuple[str, ...]  # of a day (内服) or in total (外用)
    is_external: bool
    is_chronic: bool
    age_from: int
    age_to: int


# Codes of diseases: only those of the published sample; all others go by name.
INDICATIONS = (
    Indication("高血圧症", "0000999", "214", "FG", "錠", ("1", "1", "2"), False, True, 35, 99),
    Indication("脂質異常症", "0000999", "218", "F", "錠", ("1",), False, True, 35, 99),
    Indication("糖尿病", "2500013", "396", "F", "錠", ("1", "2", "3"), False, True, 35, 99),
    Indication("逆流性食道炎", "0000999", "232", "FM", "錠", ("1", "2"), False, True, 25, 99),
    Indication("不眠症", "0000999", "112", "F", "錠", ("1",), False, True, 20, 99),
    Indication("うつ病", "0000999", "117", "F", "錠", ("1", "2"), False, True, 18, 74),
    Indication("アレルギー性鼻炎", "0000999", "449", "F", "錠", ("1", "2"), False, True, 7, 74),
    Indication("前立腺肥大症", "0000999", "259", "F", "錠", ("1",), False, True, 50, 99),
    Indication("心房細動", "0000999", "333", "F", "錠", ("1", "2"), False, True, 50, 99),
    Indication("てんかん", "0000999", "113", "F", "錠", ("2", "3"), False, True, 5, 74),
    Indication("急性上気道炎", "4659007", "223", "F", "錠", ("3",), False, False, 7, 99),
    Indication("急性上気道炎", "4659007", "114", "F", "錠", ("3",), False, False, 7, 99),
    Indication("急性上気道炎", "4659007", "223", "QR", "ｍＬ", ("6", "8.5", "10"), False, False, 0, 6),
    Indication("アレルギー性鼻炎", "0000999", "449", "RD", "ｇ", ("0.8", "1.25", "2"), False, False, 0, 9),
    Indication("急性気管支炎", "0000999", "613", "FM", "錠", ("2", "3"), False, False, 7, 99),
    Indication("急性扁桃炎", "0000999", "624", "F", "錠", ("1",), False, False, 15, 99),
    Indication("腰痛症", "0000999", "264", "S", "枚", ("21", "35", "63"), True, False, 20, 99),
    Indication("湿疹", "0000999", "264", "MN", "ｇ", ("5", "10", "12.5"), True, False, 0, 99),
    Indication("結膜炎", "0000999", "131", "Q", "ｍＬ", ("5", "10"), True, False, 0, 99),
)
GROUPS_WITH_GENERICS, GROUPS_WITHOUT = 6, 3  # of each indication


@cache
def formulary(months: tuple[int, ...]) -> "Formulary":
    """One for each window and process."""
    return Formulary(months)


class Formulary:
    """Prices of the months of the window; biologics by slot, ordinary drugs by indication."""

    def __init__(self, months: tuple[int, ...]):
        self.months = months
        self.points = lru_cache(maxsize=100_000)(self._points)

    @cached_property
    def _prices(self) -> dict[str, list[Decimal | None]]:
        """One price for each month, or none: a code is used only in months through which it was listed and priced."""
        needed = {p.drug_code for p in shipped.biosimilar_products()} | set(self._ordinary_codes)
        rows: dict[str, list[shipped.DrugPrice]] = defaultdict(list)
        for row in shipped.drug_prices():
            if row.drug_code in needed:
                rows[row.drug_code].append(row)
        prices: dict[str, list[Decimal | None]] = {}
        for code, periods in rows.items():
            prices[code] = []
            for month in self.months:
                first, last = first_day(month), last_day(month)
                valid = [p for p in periods if p.valid_from <= last and (p.valid_to is None or p.valid_to >= last)]
                prices[code].append(valid[0].price_yen if valid and valid[0].valid_from <= first else None)
        for product in shipped.biosimilar_products():
            for i, month in enumerate(self.months):
                ended = product.valid_to is not None and product.valid_to < last_day(month)
                if product.valid_from > first_day(month) or ended:
                    prices[product.drug_code][i] = None
        return prices

    def price(self, drug_code: str, month_no: int) -> Decimal | None:
        """薬価 per claim unit, or none (unknown code, not listed, expired)."""
        prices = self._prices.get(drug_code)
        return prices[month_no] if prices else None

    def _points(self, drugs: tuple[tuple[str, Decimal], ...], month_no: int) -> int:
        """薬剤料 of one 剤 or unit: points of Σ price × quantity."""
        yen = Decimal(0)
        for code, quantity in drugs:
            price = self.price(code, month_no)
            if price is None:
                raise ValueError(f"drug {code} has no price in {self.months[month_no]}")
            yen += price * quantity
        return points(yen)

    @cached_property
    def slots(self) -> dict[str, list[Slot]]:
        """Presentations of each regimen that can be used in some month of the window."""
        products = {p.drug_code: p for p in shipped.biosimilar_products()}
        by_reference: dict[str, list[shipped.BiosimilarProduct]] = defaultdict(list)
        for code, product in sorted(products.items()):
            if any(price is not None for price in self._prices.get(code, ())):
                by_reference[product.reference_drug_code or code].append(product)
        found: dict[str, list[Slot]] = {}
        for regimen in regimens():
            found[regimen.regimen_key] = slots = []
            for reference_code, members in sorted(by_reference.items()):
                reference = products.get(reference_code, members[0])
                mark = DOSE_CODE_MARK if reference.claim_units_per_price_list_unit != 1 else ""
                name = unicodedata.normalize("NFKC", reference.product_name_ja) + mark
                if members[0].ingredient_key == regimen.ingredient_key and re.search(regimen.product_pattern, name):
                    slots.append(self._slot(name, [Product(p.drug_code, p.product_role, _brand(p.product_name_ja)) for p in members]))
        return found

    def _slot(self, name: str, products: list[Product]) -> Slot:
        usable: dict[tuple[int, bool], list[Product]] = {(i, side): [] for i in range(len(self.months)) for side in (False, True)}
        for product in products:
            for i in range(len(self.months)):
                if self.price(product.drug_code, i) is not None:
                    usable[i, product.role in BIOSIMILAR_SIDE].append(product)
        return Slot(name, usable)

    @cached_property
    def biologic_codes(self) -> dict[str, tuple[str, list[int]]]:
        """Every usable biologic: drug code → (regimen, month numbers in which it can be used)."""
        found: dict[str, tuple[str, list[int]]] = {}
        for regimen_key, slots in self.slots.items():
            for slot in slots:
                for (month_no, _), products in slot.usable.items():
                    for product in products:
                        found.setdefault(product.drug_code, (regimen_key, []))[1].append(month_no)
        return dict(sorted(found.items()))

    @cached_property
    def ordinary(self) -> dict[int, list[OrdinaryGroup]]:
        """Drugs of each indication (by its number): groups with brand and generics, and brands without."""
        biologics = {p.drug_code for p in shipped.biosimilar_products()}
        classes = {g.yakka_code_12: g.availability_class for g in shipped.generic_classes()}
        priced = {p.drug_code for p in shipped.drug_prices() if p.valid_to is None and p.price_yen > 0}
        candidates: dict[tuple[str, str, str, str], list[shipped.Drug]] = defaultdict(list)
        for drug in shipped.drugs():
            code_12, yakko = drug.yakka_code_12, drug.yakko_class_3
            if code_12 and yakko and drug.drug_code not in biologics and drug.drug_code in priced and drug.valid_to is None:
                candidates[yakko, code_12[7], drug.unit_ja or "", code_12[:9]].append(drug)
        found: dict[int, list[OrdinaryGroup]] = {}
        for i, indication in enumerate(INDICATIONS):
            with_generics, without = [], []
            for (yakko, form, unit, _), drugs in sorted(candidates.items()):
                if yakko != indication.yakko_class_3 or form not in indication.forms or unit != indication.unit_ja:
                    continue
                of_class = {c: [OrdinaryDrug(d.drug_code, unit) for d in drugs if classes.get(d.yakka_code_12 or "") == c] for c in "123"}
                if of_class["2"] and of_class["3"]:
                    with_generics.append(OrdinaryGroup(tuple(of_class["2"][:1]), tuple(of_class["3"][:3])))
                elif of_class["1"]:
                    without.append(OrdinaryGroup(tuple(of_class["1"][:1]), ()))
            found[i] = _spread(with_generics, GROUPS_WITH_GENERICS) + _spread(without, GROUPS_WITHOUT)
        return found

    @cached_property
    def _ordinary_codes(self) -> list[str]:
        return [d.drug_code for groups in self.ordinary.values() for g in groups for d in g.brands + g.generics]


def _brand(product_name_ja: str) -> str:
    """Marketer in 「 」 of a biosimilar's name."""
    match = re.search("「(.+?)」", product_name_ja)
    return match[1] if match else ""


def _spread(groups: list[OrdinaryGroup], count: int) -> list[OrdinaryGroup]:
    """At most `count` of them, evenly over the list."""
    return groups if len(groups) <= count else [groups[i * len(groups) // count] for i in range(count)]
