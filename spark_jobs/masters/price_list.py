"""薬価基準収載品目リスト → `masters.price_list_item`, and prices per claim unit where the ratio of the units is certain.

The list prices a 規格単位 (10 g, 1 kit), a claim counts in the unit of its 9-digit code (g, dose). In one product of ten they differ, so a
ratio is taken only if the text of the 規格 (or the product list of biologics) and the prices themselves say the same.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl

from spark_jobs import input_file, tables
from spark_jobs.masters import edition, shipped

SOURCE = shipped.PRICE_LIST
SCOPE = ("list_section",)
SECTIONS = ("内用薬", "注射薬", "外用薬", "歯科用薬剤")
HEADS = {
    "list_section": "区分",
    "yakka_code_12": "薬価基準収載医薬品コード",
    "ingredient_ja": "成分名",
    "spec_ja": "規格(単位)?",
    "product_name_ja": "品名",
    "maker_ja": "メーカー名|製造販売業者名?",
    "addon_mark": "(診療報酬において)?加算等の算定対象となる後発医薬品",
    "originator_mark": "先発医薬品",
    "has_generic": "同一剤形・規格の後発医薬品がある先発医薬品",
    "price_yen": "薬価",
    "transitional_until": "経過措置による使用期限",
}
FY2022 = (date(2022, 4, 1), date(2023, 3, 31))  # when the assumed prices of the shipped list were true
HALF_A_STEP = Decimal("0.05")  # prices per claim unit are rounded to 0.1 or 0.01 yen


def read(path: Path, given: date | None = None) -> pl.DataFrame:
    """Rows of one file; the four 区分 come in a file each, or together."""
    found = input_file.lines(path)
    top, places = input_file.header(path, found, HEADS)
    valid_from = edition.date_of(path, given, (text for _, cells in found[:top] for text in cells))
    faults, rows = input_file.Faults(path), []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in found[top + 1 :]:
        text = {name: input_file.cell(cells, place) for name, place in places.items()}
        if text["list_section"] not in SECTIONS:
            faults.add(line, f"区分 {text['list_section'][:10]!r}", " or ".join(SECTIONS))
        if not re.fullmatch(r"[0-9A-Z]{12}", text["yakka_code_12"]):
            faults.add(line, f"薬価基準収載医薬品コード {text['yakka_code_12'][:15]!r}", "12 characters")
        try:
            price_yen = Decimal(text["price_yen"].replace(",", ""))
        except InvalidOperation:
            faults.add(line, f"薬価 {text['price_yen'][:15]!r}", "an amount such as 15.1")
            continue
        last_day = until(text["transitional_until"])
        if text["transitional_until"] and last_day is None:
            faults.add(line, f"経過措置による使用期限 {text['transitional_until'][:15]!r}", "a day such as R9.3.31まで")
        first = seen.setdefault((text["yakka_code_12"], text["product_name_ja"]), line)
        if first != line:
            faults.add(line, f"{text['yakka_code_12']} {text['product_name_ja']} again, first in line {first}", "each product once")
        if last_day is None or last_day >= valid_from:  # the list keeps some products past their last day
            rows.append(
                {name: value or None for name, value in text.items()}
                | {
                    "has_generic": text["has_generic"] in ("○", "〇"),
                    "price_yen": price_yen,
                    "transitional_until": last_day,
                    "valid_from": valid_from,
                    "valid_to": last_day,
                    "source": f"{SOURCE} ({path.name})",
                    "source_date": valid_from,
                }
            )
    faults.stop()
    return edition.frame(tables.PRICE_LIST_ITEM, rows)


def until(text: str) -> date | None:
    return input_file.day(input_file.plain(text).removesuffix("まで"))


def stated_ratio(spec_ja: str, unit_ja: str) -> Decimal | None:
    """Claim units in one 規格単位 by the text: ５％１０ｇ in g is 10, １０ｍｇ１錠 in 錠 is 1. None where the text ends in another unit."""
    spec, unit = (re.sub(r"\(.*?\)|\s", "", unicodedata.normalize("NFKC", text)) for text in (spec_ja, unit_ja))
    match = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)([^\d.]+)$", spec)
    return Decimal(match[1]) if match and match[2].lower() == unit.lower() and Decimal(match[1]) > 0 else None


def agrees(list_price: Decimal, claim_price: Decimal, ratio: Decimal) -> bool:
    """Whether the price per claim unit is the list price divided by the ratio, but for rounding."""
    return abs(list_price / ratio - claim_price) <= HALF_A_STEP


def claim_prices(items: pl.DataFrame, drugs: Iterable[shipped.Drug], known: Iterable[shipped.DrugPrice]) -> list[shipped.DrugPrice]:
    """Prices of the lists per claim unit, where the ratio is certain: stated, and met by every price known for the day of a list."""
    if items.is_empty():
        return []
    codes: dict[str, dict[str, str]] = defaultdict(dict)  # 12 → {9: unit}
    for drug in drugs:
        if drug.yakka_code_12 and drug.unit_ja:
            codes[drug.yakka_code_12][drug.drug_code] = drug.unit_ja
    of_biologics = {p.drug_code: p.claim_units_per_price_list_unit for p in shipped.biosimilar_products()}
    claimed: dict[str, list[tuple[date, date, Decimal]]] = defaultdict(list)
    for price in known:
        start, end = price.valid_from, price.valid_to or date.max
        if price.is_assumed:
            start, end = max(start, FY2022[0]), min(end, FY2022[1])
        claimed[price.drug_code].append((start, end, price.price_yen))

    found: list[tuple[Decimal, shipped.DrugPrice]] = []
    verdicts: dict[tuple[str, Decimal], list[bool]] = defaultdict(list)
    columns = ("yakka_code_12", "spec_ja", "price_yen", "valid_from", "valid_to", "source_date")
    for yakka, spec, yen, start, end, dated in items.select(columns).iter_rows():
        for code, unit in codes.get(yakka, {}).items():
            ratio = of_biologics.get(code) or stated_ratio(spec or "", unit)
            if ratio is None:
                continue
            verdicts[code, ratio] += [agrees(yen, price, ratio) for a, b, price in claimed[code] if a <= start <= b]
            found.append((ratio, shipped.DrugPrice(code, shipped.price_per_claim_unit(yen, ratio), start, end, False, SOURCE, dated)))
    return [price for ratio, price in found if verdicts[price.drug_code, ratio] and all(verdicts[price.drug_code, ratio])]
