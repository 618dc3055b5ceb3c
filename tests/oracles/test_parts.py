"""Shares by sex and age, by area and covered indication, and the use by members, of the small lake, equal their recomputation from the files."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
import recompute
import recompute_parts
from test_marts_equal_recomputation import differences, mart, rows

PLACE = ["population_kind", "population_key", "place_level", "place_key", "geography"]
SHARE = ["numerator", "denominator", "share_ratio", "bs_patient_count", "patient_count"]


@pytest.fixture(scope="module")
def claims(tiny_lake: Path, kinds: dict[str, str]) -> list[recompute_parts.Diagnosed]:
    found = recompute.claims(tiny_lake / "inbox", read=recompute_parts.diagnosed_claim)
    return [claim for claim in found if claim.insurer_number in kinds]  # type: ignore[misc]


@pytest.fixture(scope="module")
def uses(claims: list[recompute_parts.Diagnosed]) -> list[recompute.Use]:
    return list(recompute.uses(claims))


@pytest.fixture(scope="module")
def icd10(tiny_lake: Path) -> dict[str, str]:
    """The 傷病名マスター of the lake, an invented one."""
    return dict(pl.read_delta(str(tiny_lake / "home/warehouse/masters.db/disease")).select("disease_code", "icd10_code").rows())


@pytest.fixture(scope="module")
def of_data(claims: list[recompute_parts.Diagnosed]) -> frozenset[int]:
    return frozenset(claim.service_month for claim in claims)


def as_told(found: dict[tuple, tuple[Fraction, Fraction, int, int]]) -> dict[tuple, tuple]:
    return {key: (bs, units, bs / units, Fraction(bs_persons), Fraction(persons))
            for key, (bs, units, bs_persons, persons) in found.items() if units}  # fmt: skip


def equal(tiny_lake: Path, name: str, key: list[str], values: list[str], expected: dict[tuple, tuple]) -> None:
    wrong = differences(rows(mart(tiny_lake, name), key, values), expected)
    assert not wrong, f"{len(wrong)} of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def test_fct_biosimilar_share_by_sex_age(tiny_lake: Path, uses: list[recompute.Use], kinds: dict[str, str], of_data: frozenset[int]):
    found = recompute_parts.shares_of_parts(
        uses, recompute_parts.sex_and_age, kinds, of_data, lambda population, level: level == "nation" or population == "all"
    )
    key = [*PLACE, "sex", "age_group", "ingredient_key", "period_kind", "period"]
    equal(tiny_lake, "fct_biosimilar_share_by_sex_age", key, SHARE, as_told(found))
    small = mart(tiny_lake, "fct_biosimilar_share_by_sex_age").filter(pl.col("is_small_cell") != (pl.col("patient_count") < 10))
    assert small.is_empty()


def test_fct_biosimilar_share_by_area(
    tiny_lake: Path, claims: list[recompute_parts.Diagnosed], uses: list[recompute.Use], kinds: dict[str, str],
    of_data: frozenset[int], icd10: dict[str, str],
):  # fmt: skip
    found = recompute_parts.shares_of_parts(uses, recompute_parts.Areas(claims, icd10), kinds, of_data)
    key = [*PLACE, "therapeutic_area_key", "scope", "ingredient_key", "period_kind", "period"]
    equal(tiny_lake, "fct_biosimilar_share_by_area", key, SHARE, as_told(found))


def test_fct_biosimilar_share_by_place(tiny_lake: Path, uses: list[recompute.Use], kinds: dict[str, str], of_data: frozenset[int]):
    found = recompute_parts.shares_of_parts(
        uses, lambda use: [()], kinds, of_data,
        lambda population, level: population == "insurer" or (population == "all" and level != "facility"), recompute_parts.places_below,
    )  # fmt: skip
    equal(tiny_lake, "fct_biosimilar_share_by_place", [*PLACE, "ingredient_key", "period_kind", "period"], SHARE, as_told(found))


def test_fct_biosimilar_share_by_employer(tiny_lake: Path, uses: list[recompute.Use], kinds: dict[str, str], of_data: frozenset[int]):
    """The small lake has no member file: nobody's employer is known."""
    found = recompute_parts.shares_of_parts(
        uses, lambda use: [("unknown",)], kinds, of_data,
        lambda population, level: population == "insurer" and level == "nation",
    )  # fmt: skip
    key = [*PLACE, "employer_key", "ingredient_key", "period_kind", "period"]
    equal(tiny_lake, "fct_biosimilar_share_by_employer", key, SHARE, as_told(found))


def test_some_indications_are_known(tiny_lake: Path):
    areas = mart(tiny_lake, "fct_biosimilar_share_by_area")
    assert set(areas["scope"]) >= {"brand", "indication_covered", "indication_unknown"} and areas["therapeutic_area_key"].n_unique() > 5


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("by_area", {"scope": "brand"}),
        ("by_area", "scope <> 'brand'"),
        ("by_sex_age", {"sex": "all"}),
        ("by_sex_age", {"age_group": "all"}),
    ],
)
def test_parts_add_up_to_the_share(tiny_lake: Path, name: str, filters: dict[str, str] | str):
    key = [*PLACE, "ingredient_key", "period_kind", "period"]
    parts = mart(tiny_lake, f"fct_biosimilar_share_{name}")
    parts = parts.filter(pl.sql_expr(filters)) if isinstance(filters, str) else parts.filter(**filters)
    sums = parts.group_by(key).agg(pl.sum("numerator", "denominator"))
    shares = mart(tiny_lake, "fct_biosimilar_share").filter(scope="brand", convention="claims_units", setting="all")
    both = sums.join(shares, on=key, how="left", suffix="_whole")
    assert both.height == sums.height > 0 and both["numerator_whole"].null_count() == 0
    room = Decimal("0.00001")  # 回分 turned into kits at six decimals
    assert both.filter((pl.col("denominator") - pl.col("denominator_whole")).abs() > room).is_empty()
    assert both.filter((pl.col("numerator") - pl.col("numerator_whole")).abs() > room).is_empty()


def test_fct_biosimilar_use(
    tiny_lake: Path, uses: list[recompute.Use], entries: dict[str, dict], kinds: dict[str, str], of_data: frozenset[int]
):
    """The small lake has no member file: nobody's residence is known, and no rate is told."""
    prefectures = {number: entry["prefecture_code"] for number, entry in entries.items()}
    found = recompute_parts.use_by_enrolment(uses, kinds, prefectures, of_data)
    expected = {key: (Fraction(persons), units) for key, (persons, units) in found.items()}
    equal(tiny_lake, "fct_biosimilar_use", [*PLACE, "ingredient_key", "period_kind", "period"], ["patient_count", "quantity"], expected)
    told = mart(tiny_lake, "fct_biosimilar_use")
    assert told["patients_per_1000_members"].null_count() == told["units_per_1000_members"].null_count() == told.height
    assert set(told["not_computable_reason"]) == {"no_member_file"}
