"""The marts once more, from the raw receipt files: plain Python, Decimals and Fractions. No Spark, no dbt, no code of the lake but the layouts.

Slow and readable on purpose; it knows the documents (receipt-formats §§4, 6, 7, domain §§1, 2), not the SQL.
"""

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from itertools import product as every
from pathlib import Path

import yaml

import spark_jobs
from spark_jobs.claim_format import layouts

SEEDS = Path(spark_jobs.__file__).parent / "masters" / "seeds"
KIND_OF_FILE = {"_MED": "med", "_DPC": "dpc", "_DEN": "den", "_PHA": "pha"}  # 訪問看護 has no drugs and counts in yen
KIND_OF_CLAIM_FORM = {"RECEIPTC": "med", "RECEIPTD": "dpc", "RECEIPTS": "den", "RECEIPTY": "pha"}
SENT, REVIEWED, RETURNED = 1, 2, 8  # データ識別
ERA_BASE = {"1": 1867, "2": 1911, "3": 1925, "4": 1988, "5": 2018}  # 明治 … 令和
BIOSIMILAR, REFERENCE = ("BS", "bioAG"), ("REF",)  # domain §1.1 rules 2 and 3: bioAG on the side of the BS, SAME nowhere
LAST_OF_HISTORY, PRICE_OF_2026 = date(2026, 3, 31), date(2026, 4, 1)
LAST_DAY = date(9999, 12, 31)
FIRST_LIST_READ = "2017-10-01"  # a product of that list may have been listed on any day before


# Files -> receipts -> final lines (receipt-formats §§4.2-4.4)


@dataclass(frozen=True)
class Line:
    data_id: int
    row: int
    branch: int
    cells: tuple[str, ...]  # from the record identifier on

    @property
    def record(self) -> str:
        return self.cells[0]


def files(inbox: Path) -> list[tuple[Path, str]]:
    """(file, kind) of every file of the insurer form under the inbox."""
    found = sorted(inbox.rglob("1*_RECODEINFO_*.CSV"))
    return [(path, kind) for path in found for mark, kind in KIND_OF_FILE.items() if path.stem.endswith(mark)]


def receipts(path: Path) -> Iterator[list[Line]]:
    """Each receipt of an insurer-form file: an MN starts one."""
    receipt: list[Line] = []
    for text in path.read_bytes().replace(b"\x1a", b"").decode("cp932").splitlines():
        data_id, row, branch, *cells = text.split(",")
        if cells[0] == "MN" and receipt:
            yield receipt
            receipt = []
        receipt.append(Line(int(data_id), int(row), int(branch or 0), tuple(cells)))
    if receipt:
        yield receipt


def claim_form_files(inbox: Path) -> list[tuple[Path, str]]:
    """(file, kind) of every file of the claim form under the inbox."""
    return [(path, KIND_OF_CLAIM_FORM[path.stem]) for path in sorted(inbox.rglob("RECEIPT*")) if path.stem in KIND_OF_CLAIM_FORM]


def claim_form_receipts(path: Path, kind: str) -> Iterator[list[Line]]:
    """Each receipt of a claim-form file with the provider above it: RE starts one, but not an RE of a DPC detail (§2.3)."""
    cut = [text.split(",") for text in path.read_bytes().replace(b"\x1a", b"").decode("cp932").splitlines()]
    full = [Line(SENT, 0, 0, tuple(c + [""] * (layouts.record(kind, c[0], "claim").length - len(c)))) for c in cut]
    summary = layouts.record(kind, "RE").pos("summary_class") - 1 if kind == "dpc" else None
    provider, receipt = full[0], []
    for line in full[1:]:
        if line.record == "GO" or (line.record == "RE" and not (summary and line.cells[summary] in ("2", "3"))):
            if receipt:
                yield receipt
            receipt = [replace(provider, row=1), replace(line, row=2)] if line.record == "RE" else []
        elif receipt and line.record != "IR":  # 歯科 repeats IR before each RE
            receipt.append(replace(line, row=len(receipt) + 1))


def final_lines(receipt: list[Line]) -> list[Line]:
    """The receipt after the first review: データ識別 1 with the JY of データ識別 2 applied (§4.4)."""
    at = layouts.record("med", "JY").pos
    by_place = {(line.row, line.branch): line for line in receipt}
    places = [(line.row, line.branch) for line in receipt if line.data_id == SENT]
    for jy in receipt:
        if jy.record != "JY" or jy.data_id != REVIEWED:
            continue

        def place(row: str, branch: str, cells: tuple[str, ...] = jy.cells) -> tuple[int, int] | None:
            return (int(cells[at(row) - 1]), int(cells[at(branch) - 1] or 0)) if cells[at(row) - 1] else None

        target, after = place("target_row_no", "target_branch_no"), place("after_row_no", "after_branch_no")
        what = jy.cells[at("correction_class") - 1]
        if (what in "23" and target not in places) or (what in "12" and after not in by_place):
            continue  # points to a line that is not there: reported by the lake, the receipt goes on
        if what == "2":
            places[places.index(target)] = after
        elif what == "3":
            places.remove(target)
        elif target in places:
            places.insert(places.index(target) + 1, after)
        else:
            group = [i for i, p in enumerate(places) if by_place[p].record == by_place[after].record]
            places.insert(group[-1] + 1 if group else len(places), after)
    return [by_place[p] for p in places]


# Receipts -> claims with amounts (§§5.3, 6, 7)


@dataclass(frozen=True)
class Drug:
    code: str
    quantity: Decimal | None  # in the unit of the claim; None: the line has no 使用量
    is_bundled: bool = False  # paid by the bundle of a DPC stay: in no figure


@dataclass(frozen=True)
class Claim:
    insurer_number: str  # empty: public payers alone
    person: tuple[str, ...] | None
    claim_kind: str
    claim_month: int
    search_no: str  # 検索番号 in MN; empty in the claim form
    receipt_type: str
    admission: str
    service_month: int
    setting: str  # inpatient, outpatient_in_hospital, outpatient_pharmacy
    facility: str
    prescriber: str  # of 調剤 the hospital, else the facility itself
    points_billed: int | None
    points_decided: int | None
    points_of_lines: int | None  # None where the documents do not say how the lines add up
    drugs: tuple[Drug, ...]


SMALL_KANA = str.maketrans("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ")


def normalised(text: str) -> str:
    """One writing for one person: width, blanks, leading zeros, small kana."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).lstrip("0").translate(SMALL_KANA)


def western(text: str) -> str:
    """GYYMM, GYYMMDD → YYYYMM, YYYYMMDD; the length decides (§1.3)."""
    return f"{ERA_BASE[text[0]] + int(text[1:3])}{text[3:]}" if len(text) in (5, 7) else text


def claims(inbox: Path, as_of: int | None = None, read: "Read | None" = None) -> Iterator[Claim]:
    """Every claim that counts, decided state, as known in a claim month or (None) now; `read` makes one of a receipt (default: claim).

    A receipt returned by then (データ識別 8) does not count, its re-claim is a receipt of its own, which ends it too: the return may not have
    arrived. A claim of the claim form counts if the
    insurer form of its month does not hold the same claim.
    """
    read = read or claim
    of_insurers, of_providers = list(ever_claimed(inbox, read)), claims_of_providers(inbox, read)
    back = {
        number
        for path, kind in files(inbox)
        for receipt in receipts(path)
        for number, month in closed_by(receipt, kind)
        if as_of is None or month <= as_of
    }
    known = [c for c in of_insurers if as_of is None or c.claim_month <= as_of]
    yield from (c for c in known if c.search_no not in back)
    both = Counter(identity(c) for c in of_insurers)
    for found in of_providers:
        if both[identity(found)]:
            both[identity(found)] -= 1
        elif as_of is None or found.claim_month <= as_of:
            yield found


def claims_of_providers(inbox: Path, read: "Read") -> Iterator[Claim]:
    """Every claim of the claim form."""
    for path, kind in claim_form_files(inbox):
        for receipt in claim_form_receipts(path, kind):
            yield read(receipt, kind)


def ever_delivered(inbox: Path) -> Iterator[Claim]:
    """Every receipt of either form that claims, copies and those that went back too: whoever they name is a person to silver."""
    yield from ever_claimed(inbox)
    yield from claims_of_providers(inbox, claim)


def ever_claimed(inbox: Path, read: "Read | None" = None) -> Iterator[Claim]:
    """Every claim of the insurer form, those that went back later too."""
    for path, kind in files(inbox):
        for receipt in receipts(path):
            if receipt[0].data_id != RETURNED:
                yield (read or claim)(receipt, kind)


def identity(c: Claim) -> tuple:
    """What makes a claim of the claim form the same as one of the insurer form."""
    return c.insurer_number, c.claim_kind, c.claim_month, c.service_month, c.receipt_type, c.person, c.facility, c.prescriber, c.admission


def search_no(receipt: list[Line], kind: str) -> str:
    """検索番号, in MN."""
    return receipt[0].cells[position(kind, "MN", "reserved_1") - 1] if receipt[0].record == "MN" else ""


def closed_by(receipt: list[Line], kind: str) -> Iterator[tuple[str, int]]:
    """検索番号 of a claim that counts no more by this receipt, and the month from which on: a return, or a re-claim that names it in RE."""
    if receipt[0].data_id == RETURNED:
        yield search_no(receipt, kind), returned_in(receipt, kind)
    else:
        (head, *_) = (line for line in receipt if line.record == "RE" and line.data_id == SENT)
        if number := head.cells[position(kind, "RE", "search_no") - 1].strip():
            yield number, claim(receipt, kind).claim_month


def returned_in(receipt: list[Line], kind: str) -> int:
    """処理年月 of the return."""
    (reason,) = (line for line in receipt if line.record == "HR")
    return int(western(reason.cells[position(kind, "HR", "processing_month") - 1]))


@cache
def position(kind: str, record: str, name: str) -> int:
    return layouts.record(kind, record).pos(name)


def claim(receipt: list[Line], kind: str) -> Claim:
    def cell(line: Line, name: str) -> str:
        return line.cells[position(kind, line.record, name) - 1]

    def points(lines: Iterable[Line]) -> int | None:  # the first HO: of a DPC receipt that of the 総括, which sums its details
        return next((int(cell(line, "total_points")) for record in ("HO", "KO") for line in lines if line.record == record), None)

    lines = final_lines(receipt)
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(line.record, line)
    head, insurer = first["RE"], first.get("HO")
    provider = next(first[record] for record in ("IR", "YK", "UK") if record in first)
    facility = "".join(cell(provider, name) for name in ("prefecture", "fee_table", "institution_code"))
    prescriber = facility
    if kind == "pha":
        prescriber = "".join(cell(head, f"prescriber_{name}") for name in ("prefecture", "fee_table", "institution_code"))
        setting = "outpatient_pharmacy"
    else:
        setting = "inpatient" if cell(head, "receipt_type")[-1] in "13579" else "outpatient_in_hospital"
    person = None
    if insurer:
        written = [cell(insurer, n) for n in ("insurer_number", "insured_symbol", "insured_number")]
        person = tuple(normalised(text) for text in [*written, western(cell(head, "birth_date")), cell(head, "sex")])
    return Claim(
        insurer_number=cell(insurer, "insurer_number").strip() if insurer else "",
        person=person,
        claim_kind=kind,
        claim_month=int(western(cell(provider, "claim_month"))),
        search_no=search_no(receipt, kind),
        receipt_type=cell(head, "receipt_type"),
        admission=western(cell(head, "admission_date")) if kind in ("med", "dpc", "den") else "",
        service_month=int(western(cell(head, "treatment_month"))),
        setting=setting,
        facility=facility,
        prescriber=prescriber,
        points_billed=points([line for line in receipt if line.data_id == SENT]),
        points_decided=points(lines),
        points_of_lines=(pharmacy_points if kind == "pha" else medical_points)(lines, cell),
        drugs=tuple({"pha": pharmacy_drugs, "dpc": dpc_drugs}.get(kind, medical_drugs)(lines, cell)),
    )


Cell = Callable[[Line, str], str]
Read = Callable[[list[Line], str], Claim]


def medical_drugs(lines: list[Line], cell: Cell) -> Iterator[Drug]:
    """医科 and 歯科: 使用量 × 回数 (§6.1)."""
    for line in lines:
        if line.record == "IY":
            used = cell(line, "quantity")
            yield Drug(cell(line, "drug_code"), Decimal(used) * Decimal(cell(line, "times")) if used else None)


def dpc_drugs(lines: list[Line], cell: Cell) -> Iterator[Drug]:
    """DPC: 使用量 × 回数 of CD; what IY does not name under the same 診療識別 is paid by the bundle. A 医科 detail has no CD: IY (§6.3)."""
    for block in blocks(lines):
        if cell(block[0], "summary_class") == "3":
            yield from medical_drugs(block, cell)
            continue
        apart, treatment = set(), ""
        for line in block:
            if line.record in ("SI", "IY", "TO", "CO"):
                treatment = cell(line, "treatment_class") or treatment
            if line.record == "IY":
                apart.add((treatment, cell(line, "drug_code")))
        for line in block:
            if line.record == "CD" and cell(line, "receipt_code").startswith("6"):
                used, code = cell(line, "quantity"), cell(line, "receipt_code")
                quantity = Decimal(used) * Decimal(cell(line, "times")) if used else None
                yield Drug(code, quantity, (cell(line, "treatment_class"), code) not in apart)


def blocks(lines: list[Line]) -> list[list[Line]]:
    """DPC: an RE starts the header or a detail."""
    found: list[list[Line]] = []
    for line in lines:
        if line.record == "RE":
            found.append([])
        if found:
            found[-1].append(line)
    return found


def groups(lines: list[Line]) -> Iterator[list[Line]]:
    """調剤: each SH with its CZ and IY, up to the next SH, TK, KI or ST (§6.4)."""
    group: list[Line] = []
    for line in lines:
        if line.record in ("SH", "TK", "KI", "ST"):
            if group:
                yield group
            group = [line] if line.record == "SH" else []
        elif group:
            group.append(line)
    if group:
        yield group


def pharmacy_drugs(lines: list[Line], cell: Cell) -> Iterator[Drug]:
    """調剤: 使用量 × Σ 調剤数量 of the group (§6.4)."""
    for group in groups(lines):
        dispensed = sum(Decimal(cell(line, "dispensed_quantity")) for line in group if line.record == "CZ")
        for line in group:
            if line.record == "IY":
                used = cell(line, "quantity")
                yield Drug(cell(line, "drug_code"), Decimal(used) * dispensed if used else None)


def medical_points(lines: list[Line], cell: Cell) -> int:
    """Σ 点数 × 回数 over SI, SS, IY, TO, 診療識別 (blank: as above, a CO can set it) other than 97, + 今月包括合計点数 of GT (1, 2, 4, 5)."""
    total, treatment = 0, ""
    for line in lines:
        if line.record == "GT":
            total += int(cell(line, "bundled_total_points") or 0)
        elif line.record in ("SI", "SS", "IY", "TO", "CO"):
            treatment = cell(line, "treatment_class") or treatment
            if line.record != "CO" and treatment != "97":
                total += int(cell(line, "points") or 0) * int(cell(line, "times") or 0)
    return total


def pharmacy_points(lines: list[Line], cell: Cell) -> int | None:
    """Σ 薬剤調製料 + 薬剤料 + 加算料 of CZ + all points of KI (identity 8, known only where the CZ fields from pos 55 on are empty)."""
    total = 0
    for line in lines:
        if line.record == "CZ":
            if any(line.cells[54:]):
                return None
            names = ["dispensing_fee_points", "drug_points", *(f"addition_{n}_points" for n in range(1, 11))]
            total += sum(int(cell(line, name) or 0) for name in names)
        elif line.record == "KI":
            total += sum(int(cell(line, name) or 0) for name in points_of_visit())
    return total


@cache
def points_of_visit() -> tuple[str, ...]:
    return tuple(field.name_en for field in layouts.record("pha", "KI").fields if field.name_en.endswith("_points"))


# Products, prices, references, from the seeds (domain §§2.2-2.6, 2.9)


@dataclass(frozen=True)
class Product:
    code: str
    ingredient: str
    role: str
    units_per_price_list_unit: int  # 28: 回分 of teriparatide
    prices: tuple[tuple[date, date, Decimal], ...]  # from, to, yen per claim unit
    reference_prices: tuple[tuple[date, date, Decimal], ...]  # of the matched reference, yen per claim unit of the reference
    reference_units: Decimal  # claim units of the reference that equal one of this product


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / name).open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def price_list(row: dict[str, str]) -> Iterator[tuple[date, date, Decimal]]:
    """Prices of one 12-digit code per 規格単位: the history up to 2026-03-31, then the price of 2026-08-13, else the last one while 経過措置 lasts."""
    now, until = row["price_yen_2026_08_13"], day(row["transitional_until"])
    history = seed_history()[row["yakka_code_12"]]
    for h in history:
        end = day(h["valid_to"]) or LAST_OF_HISTORY
        if h is history[-1] and until and not now and until > end:
            end = until
        yield day(h["valid_from"]), end, Decimal(h["price_yen"])
    if now:
        yield max(PRICE_OF_2026, day(row["nhi_listing_date"]) or PRICE_OF_2026), until or LAST_DAY, Decimal(now)


@cache
def seed_history() -> dict[str, list[dict[str, str]]]:
    found = defaultdict(list)
    for row in sorted(seed("biosimilar_price_history.csv"), key=lambda r: r["valid_from"]):
        found[row["yakka_code_12"]].append(row)
    return found


def per_claim_unit(prices: Iterable[tuple[date, date, Decimal]], units: int) -> tuple[tuple[date, date, Decimal], ...]:
    """Yen of a 規格単位 divided by the claim units in it, half-up to 0.1 yen, as the 医薬品マスター prints it."""
    if units == 1:
        return tuple(prices)
    return tuple((start, end, (yen / units).quantize(Decimal("0.1"), ROUND_HALF_UP)) for start, end, yen in prices)


def milligrams(row: dict[str, str]) -> Decimal:
    """Content of one unit from 規格: the number before mg."""
    found = re.search(r"([\d.]+)mg", unicodedata.normalize("NFKC", row["spec_ja"]))
    assert found, row["spec_ja"]
    return Decimal(found[1])


@cache
def products() -> dict[str, Product]:
    """Every 9-digit code of the biosimilar ingredients."""
    rows = seed("biosimilar_products.csv")
    by_yakka = {row["yakka_code_12"]: row for row in rows}
    of_code: dict[tuple[str, int], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        codes, factors = row["receipt_code_9"].split(";"), (row["receipt_units_per_price_list_unit"] or "1").split(";")
        for code, factor in zip(codes, factors, strict=True):
            if code:
                of_code[code, int(factor)].append(row)
    found = {}
    for (code, factor), same_code in of_code.items():
        row = same_code[-1]
        reference = by_yakka.get(row["matched_reference_yakka_code_12"])
        if reference and not reference["receipt_code_9"]:  # エスポー syringes, listed until 2021-03: their 9-digit codes are not known
            reference = None  # not computable, though the price list had a price
        scaled = row["match_kind"] == "per_unit_content"
        ratio = (milligrams(row) / milligrams(reference)).quantize(Decimal("1e-8"), ROUND_HALF_UP) if scaled and reference else Decimal(1)
        found[code] = Product(
            code,
            row["ingredient_key"],
            row["role"],
            factor,
            (*per_claim_unit((price for r in same_code for price in price_list(r)), factor), *printed_by_ndb(code)),
            per_claim_unit(price_list(reference), factor) if reference else (),
            ratio,
        )
    return found


def printed_by_ndb(code: str) -> Iterator[tuple[date, date, Decimal]]:
    """Claims of ソマトロピンBS stood under another 12-digit code in 2022 and 2023, whose price NDB Open Data prints."""
    for row in seed("drug_price_ndb.csv"):
        if row["drug_code"] == code:
            yield day(row["valid_from"]), day(row["valid_to"]), Decimal(row["price_yen"])


def price_in(prices: tuple[tuple[date, date, Decimal], ...], month: int) -> Decimal | None:
    """The price of the service month: the latest that was valid on a day of it."""
    year, of_year = divmod(month, 100)
    first, after = date(year, of_year, 1), date(year + of_year // 12, of_year % 12 + 1, 1)
    valid = [(start, yen) for start, end, yen in prices if start < after and end >= first]
    return max(valid)[1] if valid else None


@cache
def vintage(month: int) -> str:
    """'YYYY-MM' of the latest price revision (薬価改定) in force in the service month."""
    revisions = [row["date"] for row in seed("structural_breaks.csv") if row["kind"] == "price_revision"]
    return max(r[:7] for r in revisions if int(r[:4] + r[5:7]) <= month)


# Cells: population × place × ingredient × setting × period


@dataclass(frozen=True)
class Use:
    """One drug line of a biosimilar ingredient's BS or reference."""

    claim: Claim
    product: Product
    quantity: Fraction

    @property
    def is_biosimilar(self) -> bool:
        return self.product.role in BIOSIMILAR


GRAIN = 28 * 10**9  # amounts are summed as whole numbers of 1 / GRAIN: quantities have 5 places, prices 4, kits 28 parts


def grains(amount: Fraction) -> int:
    whole = amount * GRAIN
    assert whole.denominator == 1, amount
    return whole.numerator


def uses(found: Iterable[Claim], is_bundled: bool = False) -> Iterator[Use]:
    """Of what counts, or of what the bundles of DPC stays pay."""
    known = products()
    for c in found:
        for drug in c.drugs if c.insurer_number else ():
            if drug.is_bundled != is_bundled:
                continue
            product = known.get(drug.code)
            if product and drug.quantity is not None and product.role in BIOSIMILAR + REFERENCE:
                yield Use(c, product, Fraction(drug.quantity))


def insurer_entries(config: Path) -> dict[str, dict]:
    entries = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (config / "insurers").glob("*.yaml"))
    return {entry["insurer_number"]: entry for entry in entries}


def fiscal_year(month: int) -> int:
    """年度: named by the year of its April."""
    return month // 100 - (month % 100 < 4)


COORDINATES = (
    "population_kind", "population_key", "place_level", "place_key", "geography", "ingredient_key", "setting", "period_kind", "period"
)  # fmt: skip
MONTH_AND_YEAR = ("month", "fiscal_year")


def earlier(month: int, months: int) -> int:
    """YYYYMM some months before."""
    number = month // 100 * 12 + month % 100 - 1 - months
    return number // 12 * 100 + number % 12 + 1


@cache
def periods(month: int, of_data: frozenset[int]) -> list[tuple[str, int]]:
    """Periods that a service month is in: itself, its 年度, its 給付年度 (from March), each window of twelve months that all have data."""
    years = [("fiscal_year", fiscal_year(month)), ("benefit_year", month // 100 - (month % 100 < 3))]
    windows = {last: {earlier(last, n) for n in range(12)} for last in of_data}
    return [("month", month), *years, *(("rolling_12", last) for last, of in windows.items() if month in of and of <= of_data)]


def cells(use: Use, kinds: dict[str, str], of_data: frozenset[int] | None = None) -> Iterator[tuple]:
    """Every cell a use falls into, in the order of COORDINATES. `of_data`: the months with claims, for all kinds of period, else two of them."""
    c = use.claim
    populations = [("all", "all"), ("insurer_kind", kinds[c.insurer_number]), ("insurer", c.insurer_number)]
    places = [
        (level, key, geography)
        for geography, facility in (("facility_of_use", c.facility), ("prescriber", c.prescriber))
        for level, key in (("nation", "all"), ("prefecture", facility[:2]))
    ]
    spans = [span for span in periods(c.service_month, of_data or frozenset()) if of_data or span[0] in MONTH_AND_YEAR]
    for population, place, ingredient, setting, period in every(
        populations, places, (use.product.ingredient, "all"), (c.setting, "all"), spans
    ):
        yield (*population, *place, ingredient, setting, *period)


@dataclass
class Share:
    numerator: Fraction
    denominator: Fraction
    bioag_numerator: Fraction
    patient_count: int
    both_patient_count: int


def new_starts(found: Iterable[Claim], of_data: frozenset[int], first_claim_months: dict[str, int]) -> set[tuple]:
    """(insurer, person, ingredient, month) of a first use of any product, bundled or not, after twelve months of data without one."""
    known, used = products(), defaultdict(set)
    for c in found:
        for drug in c.drugs:
            product = known.get(drug.code)
            if (
                c.insurer_number
                and c.person
                and product
                and any(start <= c.service_month <= end for start, end in listed_months(drug.code))
            ):
                used[c.insurer_number, c.person, product.ingredient].add(c.service_month)
    return {
        (*who, month)
        for who, months in used.items()
        for month in months
        if not months & {earlier(month, n) for n in range(1, 13)}
        and earlier(month, 12) >= max(min(of_data), earlier(first_claim_months[who[0]], 1))
    }


@cache
def listed_months(code: str) -> list[tuple[int, int]]:
    """First and last month in which the products of a code can be claimed."""
    rows = [row for row in seed("biosimilar_products.csv") if code in row["receipt_code_9"].split(";")]
    spans = [(day(row["nhi_listing_date"]) or date(2014, 4, 1), day(row["transitional_until"]) or LAST_DAY) for row in rows]
    return [(first.year * 100 + first.month, last.year * 100 + last.month) for first, last in spans]


CONVENTIONS = ("claims_units", "price_list_units", "value")
SEVERAL_MONTHS = ("fiscal_year", "rolling_12")


def shares(claims: Iterable[Claim], kinds: dict[str, str], first_claim_months: dict[str, int]) -> dict[tuple, Share]:
    """fct_biosimilar_share: (cell…, scope, convention) -> what is counted of it, and the persons (domain §§1.1, 1.3)."""
    claims = [c for c in claims if c.insurer_number in kinds]
    of_data = frozenset(c.service_month for c in claims)
    starts = new_starts(claims, of_data, first_claim_months)
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])  # BS, all, バイオAG
    people: dict[tuple, dict] = defaultdict(lambda: defaultdict(set))  # cell → person → roles
    starting: dict[tuple, dict] = defaultdict(lambda: defaultdict(set))
    for use in uses(claims):
        c, product = use.claim, use.product
        price = price_in(product.prices, c.service_month)
        in_list_units = grains(use.quantity / product.units_per_price_list_unit)
        amounts = dict.fromkeys(CONVENTIONS[:2], in_list_units)
        if price is not None:
            amounts["value"] = grains(use.quantity * Fraction(price))
        scopes = ["brand"] + ["same_form_only"] * (use.is_biosimilar or has_form(product.code, c.service_month))
        of_use = list(cells(use, kinds, of_data))
        setting, kind = COORDINATES.index("setting"), COORDINATES.index("period_kind")
        for cell, scope in every(of_use, scopes):
            if cell[kind] == "rolling_12" and cell[setting] != "all":
                continue
            if scope != "brand" and not (cell[setting] == "all" and cell[kind] in SEVERAL_MONTHS):
                continue
            for convention, amount in amounts.items():
                row = sums[*cell, scope, convention]
                row[0] += amount if use.is_biosimilar else 0
                row[1] += amount
                row[2] += amount if product.role == "bioAG" else 0
            if c.person:
                people[*cell, scope][c.person].add(product.role)
                if (c.insurer_number, c.person, product.ingredient, c.service_month) in starts:
                    starting[*cell, scope][c.person].add(product.role)
    found = {}
    for (*cell, convention), counted in sums.items():
        who = people[tuple(cell)].values()
        both = sum(bool(roles & set(BIOSIMILAR)) and "REF" in roles for roles in who)
        found[*cell, convention] = Share(*(Fraction(amount, GRAIN) for amount in counted), len(who), both)
    for convention, counted_people in (("patients", people), ("new_starts", starting)):
        for cell, roles_of in counted_people.items():
            whole = found[*cell, "claims_units"]
            counted = [
                sum(bool(roles & set(BIOSIMILAR)) for roles in roles_of.values()),
                len(roles_of),
                sum("bioAG" in roles and "BS" not in roles for roles in roles_of.values()),
            ]
            if counted[1]:
                found[*cell, convention] = Share(*map(Fraction, counted), whole.patient_count, whole.both_patient_count)
    return {key: share for key, share in found.items() if share.denominator}


@cache
def has_form(code: str, month: int) -> bool:
    """A BS or バイオAG of this reference's form is listed in the month: one of the same content and container, or one matched to it."""
    rows = seed("biosimilar_products.csv")
    own = next(row for row in rows if code in row["receipt_code_9"].split(";"))
    for row in rows:
        if row["role"] in BIOSIMILAR and (
            row["matched_reference_yakka_code_12"] == own["yakka_code_12"]
            or (row["ingredient_key"] == own["ingredient_key"] and form(row["spec_ja"]) == form(own["spec_ja"]))
        ):
            seen = row["nhi_listing_date"] or row["first_seen_in_price_list"]
            first = date(2014, 4, 1) if seen in ("", FIRST_LIST_READ) else day(seen)
            last = day(row["transitional_until"]) or LAST_DAY
            if first.year * 100 + first.month <= month <= last.year * 100 + last.month:
                return True
    return False


def form(spec: str) -> tuple[str, str]:
    """40mg0.4mL1筒 → 40mg, 筒: content and container, without the volume."""
    text = unicodedata.normalize("NFKC", spec)
    content = re.match(r"[0-9.,]+(mg|μg|国際単位|単位)", text)
    container = re.search(r"(瓶|筒|管|キット|カセット|バイアル)$", text.split("(")[0])
    assert content and container, spec
    return content[0], container[0]


@dataclass
class Saving:
    quantity: Fraction = Fraction(0)
    saving_yen: Fraction = Fraction(0)
    uncomputable_quantity: Fraction = Fraction(0)


def savings(used: Iterable[Use], kinds: dict[str, str]) -> dict[tuple, Saving]:
    """fct_saving_realised: (cell…, price_vintage) -> BS quantity, yen against the matched reference of the month (domain §§1.4, 2.6)."""
    found: dict[tuple, Saving] = defaultdict(Saving)
    for use in used:
        if not use.is_biosimilar:
            continue
        month = use.claim.service_month
        price, reference = price_in(use.product.prices, month), price_in(use.product.reference_prices, month)
        in_list_units = use.quantity / use.product.units_per_price_list_unit
        for cell in cells(use, kinds):
            row = found[*cell, vintage(month)]
            if price is None or reference is None:
                row.uncomputable_quantity += in_list_units
            else:
                row.quantity += in_list_units
                row.saving_yen += use.quantity * (Fraction(reference) * Fraction(use.product.reference_units) - Fraction(price))
    return found
