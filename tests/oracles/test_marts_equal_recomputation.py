"""Every row of the marts equals the recomputation from the raw files, and the other way round; silver and marts equal the planted truth."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
import recompute

STILL = 999912
SHARE_KEY = [*recompute.COORDINATES, "scope", "convention"]


def mart(tiny_lake: Path, name: str) -> pl.DataFrame:
    return pl.read_delta(str(tiny_lake / "home" / "warehouse" / "marts.db" / name))


def silver(tiny_lake: Path, name: str) -> pl.DataFrame:
    return pl.read_delta(str(tiny_lake / "home" / "warehouse" / "silver.db" / name))


def now(tiny_lake: Path, name: str) -> pl.DataFrame:
    """Rows of the claims as they are known now: without those that went back (返戻)."""
    claims = silver(tiny_lake, "claim").filter(known_to_claim_month=STILL)
    if name == "claim":
        return claims
    state = ["claim_key", "file_sha256", "receipt_seq"]
    return silver(tiny_lake, name).join(claims.select(state), on=state, how="semi")


def rounded(value: Fraction, like: Decimal) -> Decimal:
    """The exact value, rounded half up once, to as many places as the mart's column has."""
    with localcontext() as context:
        context.prec = 60
        scale = Decimal(1).scaleb(like.as_tuple().exponent)
        return (Decimal(value.numerator) / value.denominator).quantize(scale, ROUND_HALF_UP)


OF_LINES = Decimal("0.0001")  # yen are rounded at six decimals line by line, then summed


def differences(found: dict[tuple, tuple], expected: dict[tuple, tuple], room: Decimal = Decimal(0)) -> list[str]:
    """Rows missing, rows too many, rows with another value; `found` holds Decimals, `expected` Fractions."""
    missing = [f"missing: {key} {tuple(map(float, expected[key]))}" for key in expected.keys() - found.keys()]
    extra = [f"extra: {key} {found[key]}" for key in found.keys() - expected.keys()]
    other = [
        f"other: {key} found {found[key]}, expected {wanted}"
        for key in found.keys() & expected.keys()
        if (wanted := tuple(rounded(e, f) for e, f in zip(expected[key], found[key], strict=True))) != found[key]
        and any(abs(w - f) > room for w, f in zip(wanted, found[key], strict=True))
    ]
    return sorted(missing) + sorted(extra) + sorted(other)


def rows(frame: pl.DataFrame, key: list[str], values: list[str]) -> dict[tuple, tuple]:
    """Rows by key; the key must be one."""
    found = {row[: len(key)]: tuple(Decimal(v) for v in row[len(key) :]) for row in frame.select(*key, *values).rows()}
    assert len(found) == frame.height, "the key is not unique"
    return found


@pytest.fixture(scope="module")
def uses(claims: list[recompute.Claim]) -> list[recompute.Use]:
    return list(recompute.uses(claims))


def test_there_is_something_to_compare(claims: list[recompute.Claim], uses: list[recompute.Use], shares: dict[tuple, recompute.Share]):
    assert len({use.product.ingredient for use in uses}) > 15
    assert {use.claim.setting for use in uses} == {"inpatient", "outpatient_in_hospital", "outpatient_pharmacy"}
    assert {use.product.role for use in uses} == {"REF", "BS", "bioAG"}
    assert {28} <= {use.product.units_per_price_list_unit for use in uses}
    assert any(use.claim.facility[:2] != use.claim.prescriber[:2] for use in uses)
    assert len({use.claim.person for use in recompute.uses(claims, is_bundled=True) if use.is_biosimilar}) > 1
    for name, kinds_there in (
        ("convention", {"claims_units", "price_list_units", "value", "patients", "new_starts"}),
        ("period_kind", {"month", "fiscal_year", "benefit_year", "rolling_12"}),
        ("scope", {"brand", "same_form_only"}),
    ):
        assert {row[SHARE_KEY.index(name)] for row in shares} == kinds_there


def test_fct_biosimilar_share(tiny_lake: Path, shares: dict[tuple, recompute.Share]):
    """Every row: five conventions, four kinds of period, both scopes."""
    expected = {
        key: (
            share.numerator, share.denominator, share.bioag_numerator, share.numerator / share.denominator,
            Fraction(share.patient_count), Fraction(share.both_patient_count),
        )
        for key, share in shares.items()
    }  # fmt: skip
    values = ["numerator", "denominator", "bioag_numerator", "share_ratio", "patient_count", "both_patient_count"]
    found = rows(mart(tiny_lake, "fct_biosimilar_share"), SHARE_KEY, values)
    wrong = differences(found, expected)
    assert not wrong, f"{len(wrong)} of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def test_fct_saving_realised(tiny_lake: Path, uses: list[recompute.Use], kinds: dict[str, str]):
    expected = {
        key: (saving.quantity, saving.saving_yen, saving.uncomputable_quantity) for key, saving in recompute.savings(uses, kinds).items()
    }
    key = [*recompute.COORDINATES, "price_vintage"]
    found = rows(mart(tiny_lake, "fct_saving_realised"), key, ["quantity", "saving_yen", "uncomputable_quantity"])
    wrong = differences(found, expected, OF_LINES)
    assert not wrong, f"{len(wrong)} of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def test_fct_saving_bundled(tiny_lake: Path, claims: list[recompute.Claim], kinds: dict[str, str]):
    """What DPC bundles pay: all settings, the place of the hospital; and the persons behind it."""
    at = recompute.COORDINATES.index
    uses = list(recompute.uses(claims, is_bundled=True))
    persons: dict[tuple, set] = defaultdict(set)
    for use in uses:
        for cell in recompute.cells(use, kinds) if use.is_biosimilar else ():
            persons[*cell, recompute.vintage(use.claim.service_month)].add((use.claim.insurer_number, use.claim.person))
    expected = {
        (*(value for i, value in enumerate(key) if i != at("setting")),): (
            saving.quantity, saving.saving_yen, saving.uncomputable_quantity, Fraction(len(persons[key]))
        )
        for key, saving in recompute.savings(uses, kinds).items()
        if key[at("setting")] == "all" and key[at("geography")] == "facility_of_use"
    }  # fmt: skip
    key = [name for name in [*recompute.COORDINATES, "price_vintage"] if name != "setting"]
    found = rows(mart(tiny_lake, "fct_saving_bundled"), key, ["quantity", "hospital_saving_yen", "uncomputable_quantity", "patient_count"])
    wrong = differences(found, expected, OF_LINES)
    assert not wrong, f"{len(wrong)} of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def test_claims_and_their_points(tiny_lake: Path, claims: list[recompute.Claim]):
    """Claims, points billed and decided, by insurer, kind, service month and setting."""
    expected: dict[tuple, list[int]] = {}
    for claim in claims:
        setting = "inpatient" if claim.setting == "inpatient" else "outpatient"
        row = expected.setdefault((claim.insurer_number or None, claim.claim_kind, claim.service_month, setting), [0, 0, 0])
        for i, value in enumerate((1, claim.points_billed, claim.points_decided)):
            row[i] += value
    found = (
        now(tiny_lake, "claim")
        .group_by("insurer_number", "claim_kind", "service_month", "setting")
        .agg(pl.len().alias("claims"), pl.sum("points_billed"), pl.sum("points_decided"))
    )
    assert {row[:4]: [int(v) for v in row[4:]] for row in found.rows()} == expected


def test_points_of_the_lines(tiny_lake: Path, claims: list[recompute.Claim]):
    """Identities 2 and 8, where the documents say how lines add up; the sum by insurer and month stands in silver too."""
    known = [claim for claim in claims if claim.points_of_lines is not None]
    assert len(known) > len(claims) / 2
    assert [claim for claim in known if claim.points_of_lines != claim.points_decided] == []
    expected: dict[tuple, int] = {}
    for claim in claims:
        if claim.claim_kind == "med":
            place = (claim.insurer_number or None, claim.service_month)
            expected[place] = expected.get(place, 0) + claim.points_of_lines
    found = now(tiny_lake, "claim").filter(claim_kind="med").group_by("insurer_number", "service_month").agg(pl.sum("points_of_lines"))
    assert {row[:2]: int(row[2]) for row in found.rows()} == expected


def test_persons_are_as_many(tiny_lake: Path):
    """Those whom a claim named that went back since too: a number mistyped once is a person of its own, who has no claims."""
    named = {claim.person for claim in recompute.ever_delivered(tiny_lake / "inbox") if claim.person}
    assert silver(tiny_lake, "person").height == len(named)


def test_quantities_of_all_drugs(tiny_lake: Path, claims: list[recompute.Claim]):
    """Not biologics alone: every drug code, by insurer and service month."""
    expected: dict[tuple, Decimal] = {}
    for claim in claims:
        for drug in claim.drugs:
            place = (claim.insurer_number or None, claim.service_month, drug.code)
            expected[place] = expected.get(place, Decimal(0)) + (drug.quantity or 0)
    found = now(tiny_lake, "claim_drug").group_by("insurer_number", "service_month", "drug_code").agg(pl.sum("quantity_claim_unit"))
    assert {row[:3]: row[3] for row in found.rows()} == expected


# The truth that the generator wrote beside its files


def truth(tiny_lake: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(tiny_lake / "truth" / name, infer_schema=False)


def test_truth_of_the_claims(tiny_lake: Path):
    planted = truth(tiny_lake, "claims.csv").with_columns(pl.col(*CLAIM_COUNTS, "claim_form_lines").cast(int))
    planted = planted.with_columns(lines=pl.col("lines") + pl.col("claim_form_lines"))
    planted = planted.with_columns(pl.when(claim_kind="nur").then(0).otherwise(pl.col("receipts")).alias("receipts"))  # in bronze only
    expected = {row[:3]: row[3:] for row in planted.select("insurer_number", "claim_month", "claim_kind", *CLAIM_COUNTS).rows()}
    claim = now(tiny_lake, "claim").filter(pl.col("insurer_number").is_not_null()).with_columns(pl.col("claim_month").cast(str))
    lines = pl.read_delta(str(tiny_lake / "home" / "warehouse" / "bronze.db" / "claim_line")).with_columns(pl.col("claim_month").cast(str))
    place = ["insurer_number", "claim_month", "claim_kind"]
    found = claim.group_by(place).agg(
        pl.len().alias("receipts"),
        pl.sum("points_billed").cast(int),
        pl.sum("points_decided").cast(int),
        (pl.col("state") == "corrected").sum().alias("corrected_receipts"),
    )
    found = found.join(lines.group_by(place).agg(pl.len().alias("lines")), on=place, how="full", coalesce=True)
    found = found.select(*place, *CLAIM_COUNTS).fill_null(0)
    assert {row[:3]: tuple(map(int, row[3:])) for row in found.rows()} == expected


CLAIM_COUNTS = ("receipts", "lines", "points_billed", "points_decided", "corrected_receipts")


def test_truth_of_what_was_known_in_a_claim_month(tiny_lake: Path):
    claim, planted = silver(tiny_lake, "claim").filter(pl.col("insurer_number").is_not_null()), truth(tiny_lake, "as_of.csv")
    for month in planted["as_of_claim_month"].unique().cast(int):
        known = claim.filter((pl.col("known_from_claim_month") <= month) & (pl.col("known_to_claim_month") >= month))
        found = known.group_by("insurer_number", "service_month").agg(pl.len(), pl.sum("points_decided").cast(int))
        expected = planted.filter(as_of_claim_month=str(month)).select("insurer_number", "service_month", "receipts", "points_decided")
        assert {row[:2]: row[2:] for row in found.rows()} == {(row[0], int(row[1])): (int(row[2]), int(row[3])) for row in expected.rows()}


def test_truth_of_all_drugs(tiny_lake: Path):
    place = ["insurer_number", "service_month", "claim_kind", "drug_code"]
    expected = {
        row[:4]: (Decimal(row[4]), int(row[5])) for row in truth(tiny_lake, "drug_totals.csv").select(*place, "quantity", "lines").rows()
    }
    found = (
        now(tiny_lake, "claim_drug")
        .filter(pl.col("insurer_number").is_not_null())
        .with_columns(pl.col("service_month").cast(str))
        .group_by(place)
        .agg(pl.sum("quantity_claim_unit"), pl.len().alias("lines"))
    )
    assert {row[:4]: (row[4], row[5]) for row in found.rows()} == expected


def test_truth_of_the_biologics_line_by_line(tiny_lake: Path):
    """Each person, month, claim month, place and drug; and each invented person is one ID1, each ID1 one person."""
    place = [
        "insurer_number",
        "service_month",
        "claim_month",
        "claim_kind",
        "setting",
        "facility_code",
        "prescriber_facility_code",
        "drug_code",
    ]
    planted = truth(tiny_lake, "biologic_use.csv").with_columns(
        pl.col("quantity").cast(pl.Decimal(18, 5)), pl.col("drug_lines").cast(pl.UInt32)
    )
    drug, biologics = now(tiny_lake, "claim_drug"), planted["drug_code"].unique().to_list()
    found = drug.filter(pl.col("drug_code").is_in(biologics)).with_columns(
        pl.col("service_month", "claim_month").cast(str),
        pl.when(claim_kind="pha").then(pl.lit("outpatient_pharmacy")).when(setting="outpatient").then(pl.lit("outpatient_in_hospital"))
        .otherwise(pl.lit("inpatient")).alias("setting"),
        pl.coalesce("prescriber_facility_code", "facility_code"),
    )  # fmt: skip
    amounts = [pl.sum("quantity").alias("quantity"), pl.sum("drug_lines").alias("drug_lines")]
    found = found.with_columns(pl.col("quantity_claim_unit").alias("quantity"), pl.lit(1, pl.UInt32).alias("drug_lines"))

    def by_person(frame: pl.DataFrame, person: str) -> dict[str, list[tuple]]:
        rows: dict[str, list[tuple]] = {}
        for row in frame.group_by(*place, person).agg(*amounts).select(person, *place, "quantity", "drug_lines").rows():
            rows.setdefault(f"{row[1]} {row[0]}", []).append(row[1:])
        return {key: sorted(value) for key, value in rows.items()}

    assert sorted(by_person(found, "person_id1").values()) == sorted(by_person(planted, "person_no").values())


def test_truth_of_the_shares(tiny_lake: Path):
    """Units and patients of each ingredient and month of the nation, from the planted use: independent of the raw files."""
    known, units, patients = recompute.products(), {}, {}
    for row in truth(tiny_lake, "biologic_use.csv").filter(bundle_kind="none").iter_rows(named=True):
        product = known[row["drug_code"]]
        if product.role == "SAME":
            continue
        key, is_bs = (product.ingredient, int(row["service_month"])), product.role in recompute.BIOSIMILAR
        amount = Fraction(row["quantity"]) / product.units_per_price_list_unit
        sums, who = units.setdefault(key, [Fraction(0), Fraction(0)]), patients.setdefault(key, [set(), set()])
        sums[1] += amount
        who[1].add((row["insurer_number"], row["person_no"]))
        if is_bs:
            sums[0] += amount
            who[0].add((row["insurer_number"], row["person_no"]))
    cells = mart(tiny_lake, "fct_biosimilar_share").filter(
        (pl.col("ingredient_key") != "all") & pl.col("convention").is_in(["claims_units", "patients"]),
        population_kind="all", place_level="nation", geography="facility_of_use", scope="brand", setting="all", period_kind="month",
    )  # fmt: skip
    for convention, expected in (("claims_units", units), ("patients", {k: [len(v[0]), len(v[1])] for k, v in patients.items()})):
        found = rows(cells.filter(convention=convention), ["ingredient_key", "period"], ["numerator", "denominator"])
        assert differences(found, {key: tuple(map(Fraction, value)) for key, value in expected.items()}) == []
