"""Savings, made and possible, and who gains by them, equal a slow recomputation from the receipt files and the lists."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction
from functools import cache
from math import ceil, floor
from pathlib import Path

import payer_gain
import polars as pl
import pytest
import recompute
import supply_lists
import yaml
from recompute import BIOSIMILAR, Line, position, price_in

NEAR, NEAR_RATIO = 0.01, 1e-8  # yen or units: the marts divide at six decimals,
NEAR_PART = 1e-7  # and a peer's share has eight
LEAST_PEER_INSURERS = 5  # fewer would tell each other their shares
ZERO = Fraction(0)
BASE_MONTH = 202604  # of the constant prices
INSURED = set("123EG4MNOPQVWXY9")  # 負担区分 that include medical insurance (receipt-formats §5.5)
BY_INGREDIENT = [name for name in recompute.COORDINATES if name != "setting"]
SPLIT = [f"{who}_gain_{bound}_yen" for who in ("insurer", "patient", "public") for bound in ("low", "high")]


# Receipts → what they say of the payers


@dataclass(frozen=True)
class PaidClaim(recompute.Claim):
    notes: tuple[str, ...]
    patient_percent: int | None
    age: str
    public: tuple[tuple[str, int, int | None], ...]  # 法別番号, points, what the patient still pays
    is_insured: tuple[bool, ...]  # of each drug


def paid_claim(receipt: list[Line], kind: str) -> PaidClaim:
    def cell(line: Line, name: str) -> str:
        return line.cells[position(kind, line.record, name) - 1]

    plain, lines = recompute.claim(receipt, kind), recompute.final_lines(receipt)
    head = next(line for line in lines if line.record == "RE")
    payers = recompute.blocks(lines)[0] if kind == "dpc" else lines
    written = cell(head, "special_notes").strip()
    notes = tuple(written[i : i + 2] for i in range(0, len(written), 2))
    burdens = [cell(line, "burden_class") for line in lines if line.record == "IY"]
    public = tuple(
        (cell(line, "public_payer_number")[:2], int(cell(line, "total_points")), as_int(cell(line, "public_copay_amount")))
        for line in payers
        if line.record == "KO"
    )
    return PaidClaim(
        **{field.name: getattr(plain, field.name) for field in fields(plain)},
        notes=notes,
        patient_percent=patient_percent(plain.receipt_type, as_int(cell(head, "benefit_rate")), notes),
        age={"7": "70_ordinary", "8": "70_ordinary", "9": "70_high", "0": "70_high"}.get(plain.receipt_type[-1], "under_70"),
        public=public,
        is_insured=tuple(b in INSURED for b in burdens) if kind != "dpc" else (True,) * len(plain.drugs),
    )


def as_int(text: str) -> int | None:
    return int(text) if text.strip() else None


def patient_percent(receipt_type: str, benefit_rate: int | None, notes: tuple[str, ...]) -> int | None:
    """自己負担割合 by 種別 (domain §4.1); RE 給付割合 overrides."""
    if benefit_rate is not None:
        return 100 - benefit_rate
    if receipt_type[1] == "3" and receipt_type[-1] in "78":
        return 20 if {"20", "41", "43"} & set(notes) else 10
    return {**dict.fromkeys("125690", 30), **dict.fromkeys("3478", 20)}.get(receipt_type[-1])


# Lines with what they saved and could save


@dataclass
class Saved:
    use: recompute.Use
    is_insured: bool
    rate: Fraction | None
    form: str
    value: Fraction | None = None
    form_quantity: Fraction = ZERO
    made: Fraction | None = None
    constant: Fraction | None = None
    reach: str | None = None
    same_form: Fraction | None = None
    full: Fraction | None = None
    is_new: bool = False
    over_mean: Fraction | None = None
    gains: dict | None = None

    @property
    def units(self) -> Fraction:
        return self.use.quantity / self.use.product.units_per_price_list_unit


@cache
def forms() -> dict[str, tuple[str, Fraction]]:
    """Code → code of the matched reference (its own if it has none), claim units of that reference in one of its own."""
    rows = recompute.seed("biosimilar_products.csv")
    codes = {row["yakka_code_12"]: row["receipt_code_9"].split(";") for row in rows}
    units = {code: p.units_per_price_list_unit for code, p in recompute.products().items()}
    found = {}
    for row in rows:
        for code in filter(None, row["receipt_code_9"].split(";")):
            others = [c for c in codes.get(row["matched_reference_yakka_code_12"], []) if c]
            same = [c for c in others if units[c] == units[code]] or others
            found[code] = (same[0], Fraction(recompute.products()[code].reference_units)) if same else (code, Fraction(1))
    return found


@cache
def listed(code: str) -> tuple[date, date]:
    """First and last day on which a code can be claimed."""
    row = next(r for r in recompute.seed("biosimilar_products.csv") if code in r["receipt_code_9"].split(";"))
    return recompute.day(row["nhi_listing_date"]) or date(2014, 4, 1), recompute.day(row["transitional_until"]) or recompute.LAST_DAY


def is_listed(code: str, month: int) -> bool:
    first, last = listed(code)
    return first.year * 100 + first.month <= month <= last.year * 100 + last.month


def saved_lines(claims: list[PaidClaim], starts: dict[str, int], supply: Path) -> list[Saved]:
    """Every counted line of a known insurer. `starts`: insurer → first claim month; `supply`: publications of 供給状況."""
    lines = []
    for c in claims:
        for drug, is_insured in zip(c.drugs, c.is_insured, strict=True):
            product = recompute.products().get(drug.code)
            if c.insurer_number not in starts or drug.is_bundled or drug.quantity is None or not product or product.role == "SAME":
                continue
            rate = None if c.patient_percent is None else Fraction(c.patient_percent, 100)
            form, units = forms()[drug.code]
            line = Saved(recompute.Use(c, product, Fraction(drug.quantity)), is_insured, rate, form)
            line.form_quantity = line.use.quantity * units
            price = price_in(product.prices, c.service_month)
            line.value = None if price is None else line.use.quantity * Fraction(price)
            lines.append(line)
    known = [c for c in claims if c.insurer_number in starts]
    new_starts = recompute.new_starts(known, frozenset(c.service_month for c in known), starts)
    offers = replacements(lines, supply)
    for line in lines:
        c, product = line.use.claim, line.use.product
        if product.role in BIOSIMILAR:
            line.made, line.constant = saving(line.use, c.service_month), saving(line.use, BASE_MONTH)
            continue
        offer = offers(c.service_month, line.form)
        line.reach = "no_price" if line.value is None else offer if isinstance(offer, str) else "reachable"
        if line.reach == "reachable":
            line.same_form = line.full = line.value - line.use.quantity * offer
        year = {recompute.earlier(c.service_month, n) for n in range(12)}
        line.is_new = any((c.insurer_number, c.person, product.ingredient, month) in new_starts for month in year)
    compare(lines)
    return lines


def saving(use: recompute.Use, month: int) -> Fraction | None:
    """Against the matched reference, at the prices of a month in which the product is listed."""
    price, reference = price_in(use.product.prices, month), price_in(use.product.reference_prices, month)
    if price is None or reference is None or not is_listed(use.product.code, month):
        return None
    return use.quantity * (Fraction(reference) * Fraction(use.product.reference_units) - Fraction(price))


def replacements(lines: list[Saved], supply: Path):
    """(month, form) → yen of a BS of the form per claim unit of the reference: mean of those used in the month, else of those listed; only
    of those that can be had at the end of the month. Or why there is none: other_form, restricted."""
    spent, used = defaultdict(Fraction), defaultdict(Fraction)
    yakka = {code: row["yakka_code_12"] for row in recompute.seed("biosimilar_products.csv") for code in row["receipt_code_9"].split(";")}

    def can_be_had(code: str, month: int) -> bool:
        return yakka[code] not in supply_lists.restricted(supply, month)

    for line in lines:
        month, product = line.use.claim.service_month, line.use.product
        if product.role == "BS" and line.value is not None and can_be_had(product.code, month):
            spent[month, line.form] += line.value
            used[month, line.form] += line.form_quantity
    of_form = defaultdict(list)
    for code, (form, units) in forms().items():
        if recompute.products()[code].role == "BS" and form != code:
            of_form[form].append((recompute.products()[code], units))

    @cache
    def offer(month: int, form: str) -> Fraction | str:
        listed = [
            (p.code, Fraction(price), units)
            for p, units in of_form[form]
            if is_listed(p.code, month) and (price := price_in(p.prices, month)) is not None
        ]
        offered = [(price, units) for code, price, units in listed if can_be_had(code, month)]
        if not offered:
            return "restricted" if listed else "other_form"
        if used[month, form]:
            return spent[month, form] / used[month, form]
        return sum(price / units for price, units in offered) / len(offered)

    return offer


def compare(lines: list[Saved]) -> None:
    """What needs all lines of a month: the saving rate of the ingredient, the mean price of the form."""
    sums: dict[tuple, list[Fraction]] = defaultdict(lambda: [ZERO] * 4)
    for line in lines:
        month = line.use.claim.service_month
        if line.same_form is not None:
            rate = sums[month, "ingredient", line.use.product.ingredient]
            rate[0] += line.same_form
            rate[1] += line.value
        if line.value is not None:
            mean = sums[month, "form", line.form]
            mean[2] += line.value
            mean[3] += line.form_quantity
    for line in lines:
        month = line.use.claim.service_month
        rate, mean = sums[month, "ingredient", line.use.product.ingredient], sums[month, "form", line.form]
        if line.reach == "other_form" and rate[1]:
            line.full = line.value * rate[0] / rate[1]
        if line.value is not None and mean[3]:
            line.over_mean = line.value - line.form_quantity * mean[2] / mean[3]


# Units → gains → lines


def unit_of(c: PaidClaim) -> tuple:
    return c.insurer_number, c.person, c.service_month, c.prescriber if c.prescriber.strip() else c.facility, c.setting == "inpatient"


def divide(claims: list[PaidClaim], lines: list[Saved]) -> None:
    """Put on every line its part of what each payer gains by its unit."""
    units, marks = defaultdict(list), defaultdict(set)
    for c in claims:
        if c.insurer_number:
            units[unit_of(c)].append(c)
            marks[unit_of(c)[:3]] |= set(c.notes)
    sums: dict[tuple, Fraction] = defaultdict(Fraction)
    for line in lines:
        for kind, yen in (("made", line.made), ("full", line.full)):
            if yen is not None and line.is_insured:
                sums[unit_of(line.use.claim), kind] += yen
    gains = {key: payer_gain.gain(unit(units[key[0]], marks[key[0][:3]]), yen, key[1] == "made") for key, yen in sums.items()}
    for line in lines:
        line.gains = {}
        for kind, yen in (("made", line.made), ("full", line.full)):
            key = (unit_of(line.use.claim), kind)
            if yen is None:
                continue
            if not line.is_insured:
                line.gains[kind] = (ZERO, ZERO, ZERO, ZERO, yen, yen), "receipt_certain"
            elif gains[key] is None:
                line.gains[kind] = None
            else:
                found, whole = gains[key], sums[key]
                if not whole:  # lines that cancel out
                    line.gains[kind] = (yen, yen, ZERO, ZERO, ZERO, ZERO), found.basis
                    continue
                part = yen / whole
                bounds = [
                    bound for pair in (found.insurer, found.patient, found.public) for bound in sorted((pair[0] * part, pair[1] * part))
                ]
                line.gains[kind] = tuple(bounds), found.basis


def unit(claims: list[PaidClaim], notes: set[str]) -> payer_gain.Unit:
    bands = {payer_gain.BAND_OF_NOTE[note] for note in notes & payer_gain.BAND_OF_NOTE.keys()}
    laws = {c.public[0][0] if len(c.public) == 1 and c.public[0][1] == c.points_decided else "mixed" for c in claims if c.public}
    if laws and (len(laws) > 1 or not all(c.public for c in claims)):
        laws = {"mixed"}
    copays = [c.public[0][2] if c.public else None for c in claims]
    percents = {c.patient_percent for c in claims}
    long_term = {note for c in claims for note in c.notes} & {"02", "16"}
    percent = min((p for p in percents if p is not None), default=None)
    return payer_gain.Unit(
        month=claims[0].service_month,
        is_inpatient=claims[0].setting == "inpatient",
        rate=None if percent is None else Fraction(percent, 100),
        age=claims[0].age,
        cost=Fraction(10 * sum(c.points_decided for c in claims)),
        band=bands.pop() if len(bands) == 1 else None,
        is_repeated=bool(notes & payer_gain.REPEATED),
        long_term=max(long_term, default=None),
        law=laws.pop() if laws else None,
        public_copay=None if None in copays else Fraction(sum(copays)),
        has_another_payer=len(percents - {None}) > 1 or any("10" in c.notes for c in claims),
    )


# The marts


@pytest.fixture(scope="module")
def lines(tiny_lake: Path, starts: dict[str, int]) -> list[Saved]:
    claims = list(recompute.claims(tiny_lake / "inbox", read=paid_claim))
    found = saved_lines(claims, starts, tiny_lake / "masters")
    divide(claims, found)
    return found


def mart(tiny_lake: Path, name: str) -> pl.DataFrame:
    return pl.read_delta(str(tiny_lake / "home" / "warehouse" / "marts.db" / name))


def rows(frame: pl.DataFrame, key: list[str], values: list[str]) -> dict[tuple, tuple]:
    found = {row[: len(key)]: row[len(key) :] for row in frame.select(*key, *values).rows()}
    assert len(found) == frame.height, "the key is not unique"
    return found


def differences(found: dict[tuple, tuple], expected: dict[tuple, list], names: list[str]) -> list[str]:
    wrong = [f"missing: {key}" for key in expected.keys() - found.keys()] + [f"extra: {key}" for key in found.keys() - expected.keys()]
    for key in found.keys() & expected.keys():
        for name, one, other in zip(names, found[key], expected[key], strict=True):
            near = NEAR_RATIO if name.endswith("_ratio") else NEAR
            if one != other and (
                one is None or other is None or isinstance(one, str) or abs(Fraction(one) - other) > near + NEAR_PART * abs(other)
            ):
                wrong.append(
                    f"other: {key} {name} found {one}, expected {other if isinstance(other, str) or other is None else float(other)}"
                )
    return sorted(wrong)


def basis(seen: set[str]) -> str | None:
    return "interval" if "interval" in seen else "receipt_certain" if seen else None


def sum_of(values: Iterable[Fraction]) -> Fraction:
    return sum(values, ZERO)


def insurer_rate(line: Saved) -> Fraction:
    """給付割合 of a line; nothing where no insurance pays, or nobody knows the rate."""
    return 1 - line.rate if line.is_insured and line.rate is not None else ZERO


def test_there_is_something_to_divide(lines: list[Saved]):
    bases = {gains[1] for line in lines for gains in line.gains.values() if gains}
    assert bases == {"receipt_certain", "interval"}
    assert any(line.made is not None and line.made < 0 for line in lines)
    assert any(line.is_new for line in lines) and {line.reach for line in lines} >= {"reachable", "other_form", "restricted"}
    assert any(gains[0][4] != 0 or gains[0][5] != 0 for line in lines for gains in line.gains.values() if gains)


def test_fct_saving_realised(tiny_lake: Path, lines: list[Saved], kinds: dict[str, str]):
    names = [
        "saving_yen", "negative_saving_yen", "constant_saving_yen", "constant_uncomputable_quantity", "nominal_insurer_yen",
        "nominal_patient_yen", "certain_yen", "undivided_yen", *SPLIT,
    ]  # fmt: skip
    sums: dict[tuple, list[Fraction]] = defaultdict(lambda: [ZERO] * len(names))
    bases: dict[tuple, set[str]] = defaultdict(set)
    for line in lines:
        if line.use.product.role not in BIOSIMILAR:
            continue
        made, constant, gains = line.made or ZERO, line.constant, (line.gains or {}).get("made")
        nominal = made * insurer_rate(line)
        amounts = [made, min(made, ZERO), constant or ZERO, line.units if constant is None else ZERO, nominal, made - nominal]
        amounts += [made if gains and gains[1] == "receipt_certain" else ZERO, ZERO if gains else made]
        amounts += gains[0] if gains else [ZERO] * 6
        for cell in recompute.cells(line.use, kinds):
            key = (*cell, recompute.vintage(line.use.claim.service_month))
            sums[key] = [a + b for a, b in zip(sums[key], amounts, strict=True)]
            bases[key] |= {gains[1]} if gains else set()
    expected = {key: [*values, basis(bases[key])] for key, values in sums.items()}
    found = rows(mart(tiny_lake, "fct_saving_realised"), [*recompute.COORDINATES, "price_vintage"], [*names, "gain_basis"])
    wrong = differences(found, expected, [*names, "gain_basis"])
    assert not wrong, f"{len(wrong)} differ of {len(expected)} rows:\n" + "\n".join(wrong[:20])


MOVED = [
    "quantity", "saving_yen", "unreached_quantity", "other_form_quantity", "restricted_quantity", "uncomputable_quantity", "nominal_insurer_yen",
    "nominal_patient_yen",
]  # fmt: skip
OF_FULL = ["undivided_yen", *SPLIT]


def test_fct_saving_potential(tiny_lake: Path, lines: list[Saved], kinds: dict[str, str], lake_config: Path):
    cells: dict[tuple, list[Saved]] = defaultdict(list)
    at = recompute.COORDINATES.index
    for line in lines:
        for cell in recompute.cells(line.use, kinds):
            if cell[at("setting")] == "all" and cell[at("period_kind")] == "fiscal_year" and cell[at("ingredient_key")] != "all":
                cells[tuple(v for i, v in enumerate(cell) if i != at("setting"))].append(line)
    shares = {cell: share(found) for cell, found in cells.items()}
    people = {cell: {(line.use.claim.insurer_number, line.use.claim.person) for line in found} for cell, found in cells.items()}
    sums: dict[tuple, list[Fraction | None]] = {}
    ratios: dict[tuple, tuple] = {}
    bases: dict[tuple, set[str]] = defaultdict(set)
    at = BY_INGREDIENT.index
    for path in (lake_config / "scenarios").glob("*.yaml"):
        scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
        for cell, found in cells.items():
            wanted = target(scenario, cell, shares, people)
            if scenario["kind"] == "peer_share" and wanted is None:
                continue
            amounts = scenario_amounts(scenario["kind"], wanted, found)
            if scenario["kind"] == "full":
                divisible = [line for line in found if line.full is not None]
                gains = [line.gains["full"] for line in divisible if line.gains["full"]]
                amounts.append(sum_of(line.full for line in divisible if not line.gains["full"]))
                amounts += [sum_of(gain[0][i] for gain in gains) for i in range(6)]
            else:
                amounts += [None] * len(OF_FULL)
            for ingredient in (cell[at("ingredient_key")], "all"):
                key = (*cell[: at("ingredient_key")], ingredient, *cell[at("ingredient_key") + 1 :], scenario["scenario_key"])
                before = sums.get(key, [None] * len(amounts))
                sums[key] = [
                    one if other is None else other if one is None else one + other for one, other in zip(before, amounts, strict=True)
                ]
                ratios[key] = (None, None) if ingredient == "all" else (shares[cell], wanted)
                if scenario["kind"] == "full":
                    bases[key] |= {gain[1] for gain in gains}
    expected = {key: [*values, *ratios[key], basis(bases[key])] for key, values in sums.items()}
    names = [*MOVED, *OF_FULL, "share_ratio", "target_share_ratio", "gain_basis"]
    found = rows(mart(tiny_lake, "fct_saving_potential"), [*BY_INGREDIENT, "scenario_key"], names)
    wrong = differences(found, expected, names)
    assert not wrong, f"{len(wrong)} differ of {len(expected)} rows:\n" + "\n".join(wrong[:20])


def share(found: list[Saved]) -> Fraction | None:
    bs = sum((line.units for line in found if line.use.is_biosimilar), ZERO)
    return bs / whole if (whole := sum((line.units for line in found), ZERO)) else None


def target(scenario: dict, cell: tuple, shares: dict, people: dict) -> Fraction | None:
    """The share of the scenario in a cell; peers = insurers of the nation, or prefectures of all insurers, with enough patients."""
    if scenario["kind"] == "target_share":
        return Fraction(scenario["parameter"])
    if scenario["kind"] != "peer_share":
        return None
    kind, _, level, _, *rest = cell
    if level == "nation" and kind != "insurer":
        return None
    peers = sorted(
        shares[other]
        for other in shares
        if other[4:] == tuple(rest)
        and other[2] == level
        and other[3] != "00"
        and other[0] == ("insurer" if level == "nation" else "all")
        and shares[other] is not None
        and len(people[other]) >= scenario["least_patient_count"]
    )
    if len(peers) < (LEAST_PEER_INSURERS if level == "nation" else 1):
        return None
    return published(peers[ceil(Fraction(scenario["parameter"]) * len(peers)) - 1])


def published(share: Fraction) -> Fraction:
    """A share as it is known to others: eight digits, half up."""
    return Fraction(floor(share * 10**8 + Fraction(1, 2)), 10**8)


def scenario_amounts(kind: str, wanted: Fraction | None, found: list[Saved]) -> list[Fraction | None]:
    """What MOVED names, of one ingredient."""

    def quantity(lines: list[Saved]) -> Fraction:
        return sum_of(line.units for line in lines)

    def of_reach(reach: str) -> list[Saved]:
        return [line for line in found if line.reach == reach]

    other_form, uncomputable, unreached, part = of_reach("other_form"), quantity(of_reach("no_price")), None, Fraction(1)
    if kind == "mean_price":
        moved = [(line, line.over_mean) for line in found if line.over_mean is not None]
    elif kind == "full":
        moved = [(line, line.full) for line in found if line.full is not None]
        uncomputable += quantity([line for line in other_form if line.full is None])
    else:
        moved = [(line, line.same_form) for line in found if line.same_form is not None and (line.is_new or kind != "new_starts")]
    units, yen = quantity([line for line, _ in moved]), sum_of(value for _, value in moved)
    nominal = sum_of(value * insurer_rate(line) for line, value in moved)
    if kind == "mean_price" and yen <= 0:
        yen = nominal = ZERO
    if wanted is not None:
        bs = quantity([line for line in found if line.use.is_biosimilar])
        of_both = quantity(found)
        is_better = of_both > 0 and published(bs / of_both) >= wanted
        missing = ZERO if is_better else max(wanted * of_both - bs, ZERO)
        moves = min(missing, units)
        part, unreached = (moves / units if units else ZERO), missing - moves
    yen, nominal = yen * part, nominal * part
    return [units * part, yen, unreached, quantity(other_form), quantity(of_reach("restricted")), uncomputable, nominal, yen - nominal]
