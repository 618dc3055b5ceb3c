"""`lake explain` leads from figures drawn at random to drug lines whose sum is the figure, and to the receipts that hold them."""

import io
import random
from math import ceil
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from spark_jobs.errors import LakeError
from spark_jobs.publish import explain
from spark_jobs.publish.serving import GRAIN
from spark_jobs.settings import Settings


@pytest.fixture
def settings(tiny_lake: Path) -> Settings:
    return Settings(home=tiny_lake / "home", secrets=tiny_lake / "secrets")


CONVENTIONS = {
    "fct_biosimilar_share": ("convention", ("claims_units", "price_list_units", "value", "patients", "new_starts")),
    "fct_generic_share": ("variant", ("quantity", "value", "addon", "cutoff")),
    "fct_biosimilar_kpi": ("denominator_kind", ("listed", "used", "used_by_n_patients")),
    "fct_saving_potential": ("scenario_key", ("full", "same_form_only", "to_80", "p75_peer", "new_starts_only", "own_use_at_mean_price")),
}


def drawn(settings: Settings, name: str, count: int) -> list[dict]:
    """At least so many rows of a mart, as many of each convention as of any other."""
    mart = pl.read_delta(str(settings.table_path(f"marts.{name}"))).filter(
        pl.col("place_level").is_in(explain.PLACES), pl.col("geography").is_in(explain.GEOGRAPHIES)
    )
    column, values = CONVENTIONS.get(name, ("period_kind", ("month", "fiscal_year")))
    rng, rows = random.Random(1), []
    for value in values:
        of_value = mart.filter(pl.col(column) == value).sort(GRAIN[name]).to_dicts()
        rows += rng.sample(of_value, min(len(of_value), ceil(count / len(values))))
    return rows


@pytest.mark.parametrize("name", explain.FIGURES)
def test_ten_random_figures_end_at_claims_whose_sum_is_the_figure(settings: Settings, name: str):
    rows = drawn(settings, name, 10)
    if not rows:
        pytest.skip("no such figure in this lake")
    for row in rows:
        found = explain.explain(settings, name, {key: str(row[key]) for key in GRAIN[name]})
        assert found.row == row
        assert found.sums and found.agrees, (row, found.sums)
        lines = found.lines.collect()
        assert not lines.select("claim_key", "line_no").is_duplicated().any()
        assert found.counts == {"lines": lines.height, "claims": lines["claim_key"].n_unique(), "persons": persons(lines)}
        claims = explain.claims(settings, found.lines, lines.height or 1)
        assert claims.height == found.counts["claims"]
        for column in claims.columns if not of_persons(row) else ():
            assert column not in found.sums or (claims[column].sum() or 0) == found.sums[column], (column, row)
        written = explain.written(settings, found.lines, claims)
        assert written.height == lines.height
        assert written.filter(pl.col("line").is_null() | ~pl.col("line").str.contains(pl.col("drug_code"))).is_empty()


def of_persons(row: dict) -> bool:
    """Counts persons, or ingredients: nothing to sum."""
    return row.get("convention") in ("patients", "new_starts") or "denominator_kind" in row


def persons(lines: pl.DataFrame) -> int:
    return lines.filter(pl.col("person").is_not_null()).select("insurer_number", "person").n_unique()


def test_no_more_claims_are_collected_than_are_shown(settings: Settings):
    found = explain.explain(settings, "fct_generic_share", {})
    assert found.counts["claims"] > 3
    claims = explain.claims(settings, found.lines, 3)
    assert 1 <= claims.height <= 3
    of_claims = found.lines.filter(pl.col("claim_key").is_in(claims["claim_key"].implode())).collect()
    assert claims["denominator"].sum() == of_claims["denominator"].sum()


def test_a_use_is_logged_with_the_number_of_persons_and_no_pseudonym(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    logged: list[dict] = []
    monkeypatch.setattr(explain.access, "record", lambda _, *said, **more: logged.append({"said": said, **more}))
    out = Console(width=200, record=True, file=io.StringIO())
    explain.show(settings, "fct_biosimilar_share", {"convention": "patients"}, True, 3, out)
    found = explain.explain(settings, "fct_biosimilar_share", {"convention": "patients"})
    assert [use["said"] for use in logged] == [("explain", None, found.row["patient_count"])]
    assert "the sum of the lines is the figure" in out.export_text(clear=False)
    assert not any(person in f"{logged} {out.export_text(clear=False)}" for person in found.lines.collect()["person"])


def test_what_is_no_figure_is_refused(settings: Settings):
    with pytest.raises(LakeError, match="fct_biosimilar_share or fct_biosimilar_kpi or"):
        explain.explain(settings, "dim_place", {})
    with pytest.raises(LakeError, match="colour"):
        explain.explain(settings, "fct_generic_share", {"colour": "red"})
    with pytest.raises(LakeError, match="0 rows"):
        explain.explain(settings, "fct_generic_share", {"period": "190001"})
