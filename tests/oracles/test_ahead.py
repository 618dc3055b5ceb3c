"""The gap to 80 %, its chance and the projections of the small lake equal their recomputation from the files."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest
import recompute
import recompute_ahead
from test_marts_equal_recomputation import mart

YEARS = ("fiscal_year", "rolling_12")


@pytest.mark.parametrize(
    ("x", "a", "b", "value"), [(0.8, 1, 1, 0.8), (0.8, 2, 1, 0.64), (0.5, 3, 3, 0.5), (0.8, 4.5, 1.5, 0.549304), (0.8, 1.5, 0.5, 0.450185)]
)
def test_the_incomplete_beta_function(x: float, a: float, b: float, value: float):
    assert recompute_ahead.incomplete_beta(x, a, b) == pytest.approx(value, abs=1e-6)


def test_fct_biosimilar_gap(tiny_lake: Path, shares: dict[tuple, recompute.Share]):
    last_months = {(r["period_kind"], r["period"]): r["last_service_month"] for r in mart(tiny_lake, "dim_period").iter_rows(named=True)}
    expected = {
        (*cell, ingredient, kind, period): what
        for cell, ingredient, kind, period, what in recompute_ahead.seen(shares, YEARS)
        if ingredient in recompute_ahead.listed(last_months[kind, period])
    }
    key = [*recompute_ahead.CELL, "ingredient_key", "period_kind", "period"]
    rows = mart(tiny_lake, "fct_biosimilar_gap").rows_by_key(key, named=True, unique=True)
    assert rows.keys() == expected.keys()
    for k, what in expected.items():
        row = rows[k]
        assert (row["numerator"], row["denominator"], row["patient_count"]) == (what.numerator, what.denominator, what.patients), k
        needed = max(what.denominator * 4 / 5 - what.numerator, Decimal(0))
        assert row["units_needed"] == needed.quantize(Decimal("1e-6"), ROUND_HALF_UP), k
        assert row["is_reached"] == what.is_reached, k
        wanted = recompute_ahead.chance_reached(float(what.share), what.patients) if what.patients else None
        assert row["reached_chance_ratio"] is None if wanted is None else abs(float(row["reached_chance_ratio"]) - wanted) < 1.5e-4, k


def test_fct_share_projection(
    tiny_lake: Path, claims: list[recompute.Claim], shares: dict[tuple, recompute.Share], kinds: dict[str, str], lake_config: Path
):
    last = max(c.service_month for c in claims if c.insurer_number in kinds)
    expected = recompute_ahead.projections(shares, kinds, lake_config, last)
    rows = mart(tiny_lake, "fct_share_projection").rows_by_key(
        [*recompute_ahead.CELL, "target_key", "ingredient_key"], named=True, unique=True
    )
    assert rows.keys() == expected.keys()
    for k, wanted in expected.items():
        row = rows[k]
        assert row["not_computable_reason"] == wanted["reason"], k
        assert float(row["current_ratio"]) == pytest.approx(float(wanted["current"]), abs=1e-8), k
        found = [row[f"projected_ratio{end}"] for end in ("", "_low", "_high")]
        assert [None if v is None else float(v) for v in found] == [
            v if v is None else pytest.approx(v, abs=1e-6) for v in wanted["values"]
        ], k
        counts = [row["ingredient_count"], *(row[f"projected_ingredient_count{end}"] for end in ("", "_low", "_high"))]
        assert counts == list(wanted["counts"] or [None] * 4), k


def test_a_national_kpi_stands_beside_its_ingredients(tiny_lake: Path):
    everywhere = mart(tiny_lake, "fct_share_projection")
    assert set(everywhere["outlook"]) >= {"open", "below", "above"}
    nation = everywhere.filter(population_kind="all", place_level="nation", geography="prescriber")
    kpi, each = nation.filter(target_key="biosimilar_kpi").row(0, named=True), nation.filter(target_key="biosimilar_ingredient_reached")
    assert "open" in set(each["outlook"]) and each.height > 10
    known = each.filter(pl.col("projected_ratio").is_not_null())
    assert kpi["projected_ingredient_count_low"] == known.filter(pl.col("projected_ratio_low") >= pl.col("target_ratio")).height
