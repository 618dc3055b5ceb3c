"""The official lists that this project carries, as effective-dated rows: pure Python, no Spark.

Fields of each class = columns of its `masters.*` table. The seeds are columns of the official lists (docs/sources.md); the rules
that make rows of them stand here. Every validity ends at a month's end, so the last day of the service month finds the one valid row.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"

PRICE_LIST = "薬価基準収載品目リスト"
NDB_FY2022 = "NDBオープンデータ 第9回 (2022年度)"
GENERIC_LIST = "後発医薬品に関する情報"
NDB_FY2022_DATE = date(2023, 3, 31)  # last day that the document covers
GENERIC_LIST_DATE = date(2025, 7, 16)
PRICE_LIST_2026_DATE = date(2026, 8, 13)
FIRST_LIST_READ = date(2017, 10, 1)  # a product of this list may have been listed on any day before
REVISION_2026 = date(2026, 4, 1)  # 薬価改定: prices of the last list before it (2025-07-16) end the day before

# A code is never used again for another product, so what a product *is* (name, role, reference) holds from the first month that any table
# here knows (NDB Open Data round 1), unless the exact listing day is known.
FIRST_DAY = date(2014, 4, 1)


@dataclass(frozen=True)
class Drug:
    drug_code: str
    drug_name_ja: str
    unit_ja: str | None
    yakka_code_12: str | None
    yakko_class_3: str | None
    yakko_class_name_ja: str | None
    counts_for_addon: bool
    valid_from: date
    valid_to: date | None
    source: str
    source_date: date


@dataclass(frozen=True)
class DrugPrice:
    drug_code: str
    price_yen: Decimal
    valid_from: date
    valid_to: date | None
    is_assumed: bool
    source: str
    source_date: date


@dataclass(frozen=True)
class BiosimilarIngredient:
    ingredient_key: str
    ingredient_ja: str
    reference_brand_ja: str
    therapeutic_area_ja: str
    first_bs_listing_month: int | None
    is_in_kpi_denominator: bool
    source: str
    source_date: date


@dataclass(frozen=True)
class BiosimilarProduct:
    drug_code: str
    yakka_code_12: str
    ingredient_key: str
    product_role: str
    product_name_ja: str
    claim_units_per_price_list_unit: Decimal
    reference_drug_code: str | None
    reference_units_per_unit: Decimal | None
    match_kind: str | None
    valid_from: date
    valid_to: date | None
    source: str
    source_date: date


@dataclass(frozen=True)
class BiosimilarForm:
    drug_code: str
    ingredient_key: str
    valid_from: date
    valid_to: date | None
    source: str
    source_date: date


@dataclass(frozen=True)
class TherapeuticArea:
    drug_code: str
    ingredient_key: str
    therapeutic_area_key: str | None
    is_decided_by_diagnosis: bool
    source: str
    source_date: date | None


@dataclass(frozen=True)
class BiosimilarIndication:
    ingredient_key: str
    indication_ja: str
    therapeutic_area_key: str
    icd10_prefix: str
    is_covered: bool | None
    valid_from: date
    valid_to: date | None
    is_start_assumed: bool
    source: str
    source_date: date | None


@dataclass(frozen=True)
class GenericClass:
    yakka_code_12: str
    availability_class: str | None
    is_excluded_from_addon: bool
    is_counted_in_cutoff: bool
    valid_from: date
    valid_to: date | None
    source: str
    source_date: date


@dataclass(frozen=True)
class Prefecture:
    prefecture_code: str
    prefecture_ja: str
    prefecture_short_ja: str
    prefecture_en: str
    tile_column: int
    tile_row: int


@dataclass(frozen=True)
class StructuralBreak:
    break_date: date
    break_kind: str
    title_ja: str
    title_en: str
    affects: str
    ingredient_keys: str | None
    source: str
    source_date: date | None


@dataclass(frozen=True)
class PublishedFigure:
    metric_key: str
    metric_ja: str
    scope: str
    ingredient_key: str
    period: str | None
    value: Decimal
    unit: str
    definition: str | None
    note: str | None
    source: str
    confidence: str


@dataclass(frozen=True)
class HighCostCap:
    age_group: str
    band: str
    fixed_yen: Decimal
    threshold_yen: Decimal | None
    repeated_yen: Decimal | None
    outpatient_yen: Decimal | None
    valid_from: date
    valid_to: date | None
    is_provisional: bool
    source: str
    source_date: date | None


@dataclass(frozen=True)
class _Package:
    """One 9-digit code of a listed product: a product may be claimed in two units (テリパラチド: キット and 回分)."""

    drug_code: str
    unit_ja: str
    claim_units: Decimal  # per price-list unit (規格単位)


def _seed(name: str) -> Iterator[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _yen(text: str) -> Decimal | None:
    return Decimal(text) if text else None


@cache
def _products() -> tuple[tuple[dict[str, str], tuple[_Package, ...]], ...]:
    """Listed biologics with their 9-digit codes; 15 rows have none (never seen on a claim) and lead to nothing."""
    found = []
    for row in _seed("biosimilar_products"):
        lists = (row[c].split(";") for c in ("receipt_code_9", "receipt_unit_ja", "receipt_units_per_price_list_unit"))
        packages = tuple(_Package(code, unit, Decimal(units)) for code, unit, units in zip(*lists, strict=True) if code)
        found.append((row, packages))
    return tuple(found)


def price_per_claim_unit(price_yen: Decimal, claim_units: Decimal) -> Decimal:
    """薬価 of the price list → yen per claim unit. A 回分 of teriparatide is 1/28 kit, to 0.1 yen as in the 医薬品マスター."""
    return price_yen if claim_units == 1 else (price_yen / claim_units).quantize(Decimal("0.1"), ROUND_HALF_UP)


@cache
def drugs() -> tuple[Drug, ...]:
    """One row per 9-digit code: what FY2022 claims held, and every biologic of the product list since."""
    rows, class_names = {}, {}
    for row in _seed("drug_master_fy2022"):
        class_names[row["yakko_class_3"]] = row["yakko_class_name_ja"]
        rows[row["receipt_code_9"]] = Drug(
            row["receipt_code_9"],
            row["product_name_ja"],
            row["receipt_unit_ja"] or None,
            row["yakka_code_12"],
            row["yakko_class_3"],
            row["yakko_class_name_ja"],
            row["generic_flag"] == "1",
            FIRST_DAY,
            None,
            NDB_FY2022,
            NDB_FY2022_DATE,
        )
    for product, packages in _products():
        for package in packages:
            if package.drug_code not in rows:
                code = product["yakka_code_12"]
                flag = product["generic_flag_2026_08_13"] or product["generic_flag_2025_07_16"]
                rows[package.drug_code] = Drug(
                    package.drug_code,
                    product["product_name_ja"],
                    package.unit_ja,
                    code,
                    code[:3],
                    class_names.get(code[:3]),
                    flag == "後発品",
                    _day(product["nhi_listing_date"]) or FIRST_DAY,
                    _day(product["transitional_until"]),
                    PRICE_LIST,
                    PRICE_LIST_2026_DATE if product["price_yen_2026_08_13"] else GENERIC_LIST_DATE,
                )
    return tuple(rows[code] for code in sorted(rows))


@cache
def drug_prices() -> tuple[DrugPrice, ...]:
    """薬価 per claim unit. Biologics: each list from 2017-10 on. Other drugs: the FY2022 price in all months, marked as assumed.

    Claims of ソマトロピンBS stood under another 12-digit code in 2022 and 2023 (2412402A3017, A4013), whose price NDB Open Data prints.
    """
    history: dict[str, list[tuple[Decimal, date, date | None]]] = {}
    for row in _seed("biosimilar_price_history"):
        period = (Decimal(row["price_yen"]), date.fromisoformat(row["valid_from"]), _day(row["valid_to"]))
        history.setdefault(row["yakka_code_12"], []).append(period)

    prices: list[DrugPrice] = []
    printed: dict[str, date] = {}
    for row in _seed("drug_price_ndb"):
        first, last = date.fromisoformat(row["valid_from"]), date.fromisoformat(row["valid_to"])
        printed.setdefault(row["drug_code"], first)
        source = f"NDBオープンデータ 第{row['ndb_round']}回"
        prices.append(DrugPrice(row["drug_code"], Decimal(row["price_yen"]), first, last, False, source, last))

    biologics = set()
    for product, packages in _products():
        listed, transitional = _day(product["nhi_listing_date"]), _day(product["transitional_until"])
        now = product["price_yen_2026_08_13"]
        periods: list[tuple[Decimal, date, date | None, date]] = []
        for listed_price, valid_from, valid_to in history.get(product["yakka_code_12"], []):
            open_end = REVISION_2026 - timedelta(days=1)
            if not now and transitional:
                open_end = max(open_end, transitional)
            periods.append((listed_price, valid_from, valid_to or open_end, valid_from))
        if now:
            periods.append((Decimal(now), max(REVISION_2026, listed or REVISION_2026), None, PRICE_LIST_2026_DATE))
        for package in packages:
            biologics.add(package.drug_code)
            other_code = printed.get(package.drug_code)
            for price, start, end, document in periods:
                if other_code and end and start < other_code <= end:
                    end = other_code - timedelta(days=1)
                yen = price_per_claim_unit(price, package.claim_units)
                prices.append(DrugPrice(package.drug_code, yen, start, end, False, PRICE_LIST, document))
    prices += (
        DrugPrice(
            row["receipt_code_9"], Decimal(row["price_yen_per_receipt_unit_fy2022"]), FIRST_DAY, None, True, NDB_FY2022, NDB_FY2022_DATE
        )
        for row in _seed("drug_master_fy2022")
        if row["receipt_code_9"] not in biologics
    )
    return tuple(sorted(prices, key=lambda p: (p.drug_code, p.valid_from)))


@cache
def biosimilar_ingredients() -> tuple[BiosimilarIngredient, ...]:
    """Ingredients with a listed BS or bioAG, and natalizumab (none found). It enters the KPI's denominator with its first listing."""
    first: dict[str, list[str]] = {}
    for product, _ in _products():
        seen = product["nhi_listing_date"] or product["first_seen_in_price_list"]
        if product["role"] in ("BS", "bioAG") and seen != FIRST_LIST_READ.isoformat():
            first.setdefault(product["ingredient_key"], []).append(seen)
    areas = {row["ingredient_key"]: row["area_ja"] for row in _seed("therapeutic_areas")}
    found = []
    for row in _seed("biosimilar_ingredients"):
        key = row["ingredient_key"]
        launch = row["first_bs_launch_or_listing"]
        months = [int(day[:7].replace("-", "")) for day in (launch, *first.get(key, ())) if launch]
        found.append(
            BiosimilarIngredient(
                key,
                row["ingredient_ja"],
                row["originator_brand_counted"],
                areas[key],
                min(months, default=None),
                row["in_kpi_denominator"].startswith("yes"),
                PRICE_LIST,
                PRICE_LIST_2026_DATE,
            )
        )
    return tuple(found)


def _content(spec_ja: str) -> Decimal:
    """Amount of active substance in one price-list unit, from a specification such as ５．３３ｍｇ１筒（溶解液付）."""
    match = re.match(r"([\d,.]+)mg", unicodedata.normalize("NFKC", spec_ja))
    if not match:
        raise ValueError(f"biosimilar_products.csv: spec_ja {spec_ja}; expected an amount in mg")
    return Decimal(match[1].replace(",", ""))


@cache
def biosimilar_products() -> tuple[BiosimilarProduct, ...]:
    """Role and matched reference of each 9-digit code. A reference that no claim can name (no 9-digit code) is none: not computable.

    `per_unit_content`: no reference of the same strength; its units are counted by content (ソマトロピンBS 5 mg = 5/5.33 ジェノトロピンTC).
    """
    by_yakka = {product["yakka_code_12"]: (product, packages) for product, packages in _products()}
    found = []
    for product, packages in _products():
        for package in packages:
            reference, units, match_kind = None, None, None
            if product["matched_reference_yakka_code_12"]:
                other, candidates = by_yakka[product["matched_reference_yakka_code_12"]]
                match = min(candidates, key=lambda p: p.claim_units != package.claim_units, default=None)
                if match:
                    match_kind = product["match_kind"]
                    scaled = match_kind == "per_unit_content"
                    content = _content(product["spec_ja"]) / _content(other["spec_ja"]) if scaled else Decimal(1)
                    reference = match.drug_code
                    units = (content * match.claim_units / package.claim_units).quantize(Decimal("0.00000001"), ROUND_HALF_UP)
            found.append(
                BiosimilarProduct(
                    package.drug_code,
                    product["yakka_code_12"],
                    product["ingredient_key"],
                    product["role"],
                    product["product_name_ja"],
                    package.claim_units,
                    reference,
                    units,
                    match_kind,
                    _day(product["nhi_listing_date"]) or FIRST_DAY,
                    _day(product["transitional_until"]),
                    PRICE_LIST,
                    PRICE_LIST_2026_DATE if product["price_yen_2026_08_13"] else GENERIC_LIST_DATE,
                )
            )
    return tuple(sorted(found, key=lambda p: p.drug_code))


CONTAINER = re.compile(r"1(瓶|筒|管|キット|カセット|バイアル)|1mL(バイアル)")


def _form(spec_ja: str) -> tuple[str, str]:
    """(content, container) of a specification: ４０ｍｇ０．８ｍＬ１筒 → 40mg, 筒. No volume: ヒュミラ has 40 mg in 0.4 and 0.8 mL."""
    spec = unicodedata.normalize("NFKC", spec_ja)
    content, container = re.match(r"[\d,.]+(?:mg|μg|国際単位|単位)", spec), CONTAINER.search(spec)
    if not content or not container:
        raise ValueError(f"biosimilar_products.csv: spec_ja {spec_ja}; expected a content and a container")
    return content[0], container[1] or container[2]


@cache
def biosimilar_forms() -> tuple[BiosimilarForm, ...]:
    """References that a listed BS can replace as they are: one of the same content and container, or one that is matched to it.

    Not from the ○ of the price list: ジェノトロピン, the counted brand, has none (同一剤形・規格の後発医薬品がある先発医薬品).
    """
    listings: dict[tuple[str, ...], list[tuple[date, date]]] = {}
    for product, _ in _products():
        if product["role"] in ("BS", "bioAG"):
            seen = product["nhi_listing_date"] or product["first_seen_in_price_list"]
            start = FIRST_DAY if not seen or seen == FIRST_LIST_READ.isoformat() else date.fromisoformat(seen)
            end = _day(product["transitional_until"]) or date.max
            for form in ((product["ingredient_key"], *_form(product["spec_ja"])), (product["matched_reference_yakka_code_12"],)):
                listings.setdefault(form, []).append((start, end))
    found: list[BiosimilarForm] = []
    for product, packages in _products():
        if product["role"] != "REF":
            continue
        form = (product["ingredient_key"], *_form(product["spec_ja"]))
        for start, end in _union([*listings.get(form, ()), *listings.get((product["yakka_code_12"],), ())]):
            found += (
                BiosimilarForm(
                    package.drug_code, product["ingredient_key"], start, None if end == date.max else end, PRICE_LIST, PRICE_LIST_2026_DATE
                )
                for package in packages
            )
    return tuple(sorted(found, key=lambda row: (row.drug_code, row.valid_from)))


def _union(periods: list[tuple[date, date]]) -> list[tuple[date, date]]:
    """Periods that overlap or follow each other, as one."""
    joined: list[tuple[date, date]] = []
    for start, end in sorted(periods):
        if joined and start <= min(joined[-1][1], date.max - timedelta(days=1)) + timedelta(days=1):
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


AREAS, INDICATIONS = "領域表", "BS効能一覧"  # compiled from labels and maker notices (docs/sources.md); each row names its evidence


@cache
def therapeutic_areas() -> tuple[TherapeuticArea, ...]:
    """領域 by ingredient; by diagnosis where one drug serves several; by brand for denosumab (プラリア 骨粗鬆症, else がん支持療法)."""
    areas = {row["ingredient_key"]: row for row in _seed("therapeutic_areas")}
    found: list[TherapeuticArea] = []
    for product, packages in _products():
        row = areas[product["ingredient_key"]]
        default: str | None = row["therapeutic_area"]
        if row["rule"].startswith("diagnosis"):
            default = None
        elif row["rule"].startswith("product"):
            default = "osteoporosis" if "プラリア" in product["product_name_ja"] else "oncology"
        by_diagnosis = row["rule"].startswith(("diagnosis", "ingredient, except"))
        found += (
            TherapeuticArea(package.drug_code, row["ingredient_key"], default, by_diagnosis, f"{AREAS} [{row['source_mark']}]", None)
            for package in packages
        )
    return tuple(sorted(found, key=lambda area: area.drug_code))


@cache
def biosimilar_indications() -> tuple[BiosimilarIndication, ...]:
    """Indications of each reference, whether a BS carries them, before and from the day that one did.

    yes without a day: from the first listing of a BS on, marked as assumed. C00-C96 stands for each of its three-character categories.
    """
    first = {row.ingredient_key: row.first_bs_listing_month for row in biosimilar_ingredients()}
    found: list[BiosimilarIndication] = []
    for row in _seed("biosimilar_indications"):
        key, listing = row["ingredient_key"], first[row["ingredient_key"]]
        start = _first_day_of(row["covered_from"]) or (date(listing // 100, listing % 100, 1) if listing else FIRST_DAY)
        periods: list[tuple[bool | None, date, date | None]]
        if row["covered_by_any_bs"] == "yes":
            periods = [(False, FIRST_DAY, start - timedelta(days=1)), (True, start, None)] if start > FIRST_DAY else [(True, start, None)]
        else:
            periods = [({"no": False, "unknown": None}[row["covered_by_any_bs"]], FIRST_DAY, None)]
        assumed = row["covered_by_any_bs"] == "yes" and not row["covered_from"]
        found += (
            BiosimilarIndication(
                key, row["indication_ja"], row["indication_group"], prefix, is_covered, valid_from, valid_to, assumed,
                f"{INDICATIONS} [{row['source_mark']}]", None,
            )
            for prefix in _icd10_prefixes(row["icd10_prefixes"])
            for is_covered, valid_from, valid_to in periods
        )  # fmt: skip
    return tuple(found)


def _first_day_of(text: str) -> date | None:
    """2014-11 → 2014-11-01; a day stays."""
    return _day(f"{text}-01" if len(text) == len("2014-11") else text)


def _icd10_prefixes(text: str) -> Iterator[str]:
    """L40.0;C00-C96 → L400, C00, C01 … C96."""
    for part in text.split(";"):
        first, _, last = part.partition("-")
        if last:
            yield from (f"{first[0]}{number:02}" for number in range(int(first[1:]), int(last[1:]) + 1))
        else:
            yield first.replace(".", "")


@cache
def generic_classes() -> tuple[GenericClass, ...]:
    """後発医薬品に関する情報 of 2025-07-16; three items turn to class 2 on the day that their remark names."""
    found: list[GenericClass] = []
    for row in _seed("generic_availability_2025_07"):
        flags = (row["excluded_from_addon"] == "1", row["counted_in_cutoff"] == "1")
        end = _day(row["transitional_until"])
        change = re.fullmatch(r"R(\d+)\.(\d+)\.(\d+)から「(.)」に変更", row["remark_ja"])
        periods = [(row["availability_class"] or None, GENERIC_LIST_DATE, end)]
        if change:
            day = date(2018 + int(change[1]), int(change[2]), int(change[3]))  # 令和1 = 2019
            periods = [(periods[0][0], GENERIC_LIST_DATE, day - timedelta(days=1)), (change[4], day, end)]
        found += (
            GenericClass(row["yakka_code_12"], class_, *flags, start, until, GENERIC_LIST, GENERIC_LIST_DATE)
            for class_, start, until in periods
        )
    return tuple(found)


@cache
def prefectures() -> tuple[Prefecture, ...]:
    """47 prefectures with a place on the tile map (14 columns, 10 rows; neighbours stay neighbours as far as squares allow)."""
    return tuple(
        Prefecture(
            **{k: v for k, v in row.items() if not k.startswith("tile")}, tile_column=int(row["tile_column"]), tile_row=int(row["tile_row"])
        )
        for row in _seed("prefectures")
    )


@cache
def structural_breaks() -> tuple[StructuralBreak, ...]:
    """Dated events that bend a series: price and fee revisions, listings, supply, patient payment, law.

    An event concerns the ingredients that its title names, by the ingredient or by the counted reference brand; none = all.
    """
    names: dict[str, tuple[str, str]] = {}
    for row in _seed("biosimilar_ingredients"):
        ingredient = re.split(r"\(|アルファ| ベータ", row["ingredient_ja"])[0].strip()
        names[row["ingredient_key"]] = (ingredient, re.split(r"[^ァ-ヶー]", row["originator_brand_counted"])[0])
    found = []
    for row in _seed("structural_breaks"):
        # no katakana before it: フィルグラスチム is no part of ペグフィルグラスチム
        keys = [k for k, both in names.items() if any(re.search(rf"(?<![ァ-ヶー]){name}", row["title_ja"]) for name in both)]
        found.append(
            StructuralBreak(
                date.fromisoformat(row["date"]), row["kind"], row["title_ja"], row["title_en"], row["affects"], ",".join(keys) or None,
                row["source_mark"], None,
            )
        )  # fmt: skip
    return tuple(found)


@cache
def published_figures() -> tuple[PublishedFigure, ...]:
    """Figures that ministries, insurers and others have published, to lay beside ours: context, of many definitions."""
    return tuple(
        PublishedFigure(
            **{name: row[name] for name in ("metric_key", "metric_ja", "scope", "ingredient_key", "unit", "source", "confidence")},
            period=row["period"] or None, value=Decimal(row["value"]), definition=row["definition"] or None, note=row["notes"] or None,
        )
        for row in _seed("published_series")
    )  # fmt: skip


@cache
def high_cost_caps() -> tuple[HighCostCap, ...]:
    """高額療養費: monthly caps as far as the marks of a receipt name them. The 13 bands from 2027-08 need the 標準報酬月額: no rows."""
    return tuple(
        HighCostCap(
            age_group=row["age_group"],
            band=row["band"],
            fixed_yen=Decimal(row["fixed_yen"]),
            threshold_yen=_yen(row["threshold_yen"]),
            repeated_yen=_yen(row["repeated_yen"]),
            outpatient_yen=_yen(row["outpatient_yen"]),
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=_day(row["valid_to"]),
            is_provisional=row["is_provisional"] == "1",
            source=row["source_mark"],
            source_date=None,
        )
        for row in _seed("high_cost_caps")
    )
