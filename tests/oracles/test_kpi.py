"""fct_biosimilar_kpi and fct_reconciliation equal what follows from the recomputed shares, the targets and the official lists."""

import csv
import gzip
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import recompute
import yaml
from recompute import BIOSIMILAR, COORDINATES, SEEDS, seed
from test_marts_equal_recomputation import mart, rounded, rows

ESA = {"darbepoetin_alfa", "epoetin_alfa"}  # paid by the fee of haemodialysis
LEAST_PATIENTS = 10
HEALTH_INSURANCE_OF_MUNICIPALITIES = {"kokuho_city", "kokuho_union"}
Shares = dict[tuple, recompute.Share]


def first_listing(ingredient: str) -> int | None:
    """Month from which the ingredient is in the KPI's denominator: launch or first listing of a BS, whichever is known to be earlier."""
    (row,) = (row for row in seed("biosimilar_ingredients.csv") if row["ingredient_key"] == ingredient)
    if not row["in_kpi_denominator"].startswith("yes"):
        return None
    of_products = [
        product["nhi_listing_date"] or product["first_seen_in_price_list"]
        for product in seed("biosimilar_products.csv")
        if product["ingredient_key"] == ingredient and product["role"] in BIOSIMILAR
    ]
    days = [row["first_bs_launch_or_listing"], *(listed for listed in of_products if listed != recompute.FIRST_LIST_READ)]
    return min((int(listed[:7].replace("-", "")) for listed in days if listed), default=None)


def targets(lake_config: Path) -> dict[str, Fraction]:
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (lake_config / "targets").glob("*.yaml"))
    return {target["target_key"]: Fraction(str(target["value_ratio"])) for file in files for target in file["targets"]}


def months_of(claims: list[recompute.Claim], kinds: dict[str, str]) -> dict[tuple[str, int], set[int]]:
    """Period → its months with claims."""
    of_data = frozenset(c.service_month for c in claims if c.insurer_number in kinds)
    found = defaultdict(set)
    for month in of_data:
        for period in recompute.periods(month, of_data):
            found[period].add(month)
    return found


def test_fct_biosimilar_kpi(tiny_lake: Path, claims: list[recompute.Claim], kinds: dict[str, str], shares: Shares, lake_config: Path):
    ingredients = [row["ingredient_key"] for row in seed("biosimilar_ingredients.csv")]
    target, months = targets(lake_config), months_of(claims, kinds)
    listed = {
        period: {key for key in ingredients if (first := first_listing(key)) is not None and first <= max(of_period)}
        for period, of_period in months.items()
    }
    cells: dict[tuple, dict[str, recompute.Share]] = defaultdict(dict)
    at = COORDINATES.index
    for (*key, scope, convention), share in shares.items():
        if (scope, convention, key[at("setting")]) == ("brand", "claims_units", "all"):
            cells[tuple(v for name, v in zip(COORDINATES, key, strict=True) if name not in ("ingredient_key", "setting"))][
                key[at("ingredient_key")]
            ] = share
    expected = {}
    for cell, of_ingredient in cells.items():
        period = cell[-2:]
        used = of_ingredient.keys() & listed[period]
        by_n = {key for key in used if of_ingredient[key].patient_count >= LEAST_PATIENTS}
        reached = {
            key for key in used
            if of_ingredient[key].numerator >= target["biosimilar_ingredient_reached"] * of_ingredient[key].denominator
        }  # fmt: skip
        for kind, counted in (("listed", listed[period]), ("used", used), ("used_by_n_patients", by_n)):
            if counted:
                numbers = [len(counted), len(counted & reached), len(counted & ESA), len(counted & reached & ESA)]
                ratios = [Fraction(numbers[1], numbers[0]), target["biosimilar_kpi"], target["biosimilar_ingredient_reached"]]
                expected[*cell, kind] = [*map(Fraction, numbers), *ratios, Fraction(len(months[period]))]
    key = [*(name for name in COORDINATES if name not in ("ingredient_key", "setting")), "denominator_kind"]
    values = [
        "ingredient_count", "reached_ingredient_count", "esa_ingredient_count", "esa_reached_ingredient_count", "kpi_ratio", "target_ratio",
        "reached_from_share_ratio", "months_in_period",
    ]  # fmt: skip
    found = rows(mart(tiny_lake, "fct_biosimilar_kpi"), key, values)
    assert expected
    assert found.keys() == expected.keys()
    wrong = [
        (cell, found[cell], wanted) for cell, wanted in expected.items()
        if found[cell] != tuple(rounded(e, f) for e, f in zip(wanted, found[cell], strict=True))
    ]  # fmt: skip
    assert not wrong, wrong[:10]


def ndb_shares(places: set[tuple[str, str]]) -> dict[tuple, tuple[Fraction, ...]]:
    """(place level, place, setting, ingredient, fiscal year) → BS, reference, hidden cells; a hidden cell counts nothing."""
    known = recompute.products()
    found: dict[tuple, list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 3)
    with gzip.open(SEEDS / "ndb_quantity.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            product = known.get(row["drug_code"])
            place = ("nation" if row["cell_kind"] == "total" else row["cell_kind"], row["cell_key"])
            if product is None or product.role == "SAME" or place not in places:
                continue
            shown = row["quantity_claim_unit"]
            quantity = Fraction(shown or 0) / product.units_per_price_list_unit
            amounts = (quantity, Fraction(0)) if product.role in BIOSIMILAR else (Fraction(0), quantity)
            for setting in (row["setting"], "all"):
                sums = found[*place, setting, product.ingredient, int(row["fiscal_year"])]
                for i, amount in enumerate((*amounts, Fraction(not shown))):
                    sums[i] += amount
    return {key: tuple(sums) for key, sums in found.items()}


PUBLISHED = {"bs_value_share": "value", "bs_quantity_share": "claims_units", "bs_quantity_share_all_ingredients": "claims_units"}


def published_shares() -> dict[tuple, Fraction]:
    """(ingredient, convention, fiscal year) → share; a month stands for its 年度."""
    found: dict[tuple, Fraction] = {}
    for row in seed("published_series.csv"):
        if row["metric_key"] in PUBLISHED and row["scope"] == "national" and row["unit"] == "ratio":
            period, ingredient = row["period"], "all" if row["ingredient_key"] == "all_biosimilars" else row["ingredient_key"]
            year = int(period[2:]) if period.startswith("FY") else recompute.fiscal_year(int(period.replace("-", "")))
            found[ingredient, PUBLISHED[row["metric_key"]], year] = Fraction(row["value"])
    return found


def nearest(years: list[int], year: int) -> int:
    return min(years, key=lambda other: (abs(other - year), -other))


def test_fct_reconciliation(
    tiny_lake: Path, claims: list[recompute.Claim], kinds: dict[str, str], entries: dict[str, dict], shares: Shares
):  # fmt: skip
    """Ours, the official one of the nearest year, and the reasons. Which drugs NDB may have cut off is taken from fct_ndb_share."""
    months, published = months_of(claims, kinds), published_shares()
    ndb = ndb_shares({key[2:4] for key in shares})
    of_mart = {row[:5]: row[5:] for row in mart(tiny_lake, "fct_ndb_share").select(
        "place_level", "place_key", "setting", "ingredient_key", "fiscal_year", "unlisted_drug_count", "source_rounds"
    ).rows()}  # fmt: skip
    official: dict[tuple, dict[int, tuple]] = defaultdict(dict)
    for key, (bs, ref, hidden) in ndb.items():
        if key in of_mart:  # a row whose cells can all be nothing but zero is none
            official[*key[:4], "claims_units", "ndb"][key[4]] = (bs / (bs + ref) if bs + ref else None, int(hidden), of_mart[key][0])
    for (ingredient, convention, year), ratio in published.items():
        official["nation", "all", "all", ingredient, convention, "published"][year] = (ratio, 0, 0)
    expected = {}
    for (*cell, scope, convention), share in shares.items():
        (kind, _, level, place, geography, ingredient, setting, period_kind, period) = cell
        if (kind, geography, period_kind, scope) != ("all", "facility_of_use", "fiscal_year", "brand"):
            continue
        for source in ("ndb", "published"):
            if of_years := official.get((level, place, setting, ingredient, convention, source)):
                year = nearest(list(of_years), period)
                ratio, hidden, unlisted = of_years[year]
                ours, part_of_year = share.numerator / share.denominator, len(months["fiscal_year", period])
                reasons = [
                    f"年度が異なる（公式値は{year}年度）" * (year != period), f"年度の途中（{part_of_year}か月分）" * (part_of_year < 12),
                    "参加保険者の加入者だけで地域全体ではない",
                    "国民健康保険の加入者を含まない" * (not HEALTH_INSURANCE_OF_MUNICIPALITIES & set(kinds.values())),
                    "75歳以上（後期高齢者医療）を含まない" * ("koiki" not in kinds.values()),
                    "公式値は包括分（DPC・透析）や販売数量を含むことがある" * (source == "published"),
                    f"公式値に秘匿のセルがある（{hidden}）" * (hidden > 0), f"公式値に載らない品目がありうる（{unlisted}）" * (unlisted > 0),
                ]  # fmt: skip
                expected[level, place, setting, ingredient, convention, period, source] = (
                    ours, ratio, None if ratio is None else 100 * (ours - ratio), share.patient_count, year, year - period, hidden,
                    sum(entry["member_count"] for entry in entries.values()), part_of_year, "、".join(filter(None, reasons)),
                )  # fmt: skip
    found = {row[:7]: row[7:] for row in mart(tiny_lake, "fct_reconciliation").select(
        "place_level", "place_key", "setting", "ingredient_key", "convention", "period", "official_kind",
        "share_ratio", "official_share_ratio", "difference_point", "patient_count", "official_fiscal_year", "year_distance",
        "hidden_cell_count", "member_count", "months_in_period", "reasons_ja",
    ).rows()}  # fmt: skip
    assert expected
    assert found.keys() == expected.keys()
    near = (1e-8, 1e-8, 1e-4)
    wrong = [
        (key, found[key], wanted) for key, wanted in expected.items()
        if found[key][3:] != wanted[3:] or any(
            (one is None) != (other is None) or (one is not None and abs(Fraction(one) - other) > room)
            for one, other, room in zip(found[key][:3], wanted[:3], near, strict=True)
        )
    ]  # fmt: skip
    assert not wrong, wrong[:10]
