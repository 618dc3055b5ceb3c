"""`lake explain` leads from figures drawn at random to drug lines whose sum is the figure, and to the receipts that hold them."""

import io
import random
from decimal import Decimal
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


def drawn(settings: Settings, name: str, convention: tuple[str, ...], count: int) -> list[dict]:
    column = "variant" if name == "fct_generic_share" else "convention"
    mart = pl.read_delta(str(settings.table_path(f"marts.{name}"))).filter(
        pl.col(column).is_in(convention), pl.col("place_level").is_in(explain.PLACES), pl.col("geography").is_in(explain.GEOGRAPHIES)
    )  # fmt: skip
    return random.Random(1).sample(mart.sort(GRAIN[name]).to_dicts(), count)


@pytest.mark.parametrize(
    ("name", "conventions"),
    [
        ("fct_biosimilar_share", ("claims_units", "price_list_units", "value", "patients")),
        ("fct_generic_share", ("quantity", "value", "addon", "cutoff")),
    ],
)
def test_ten_random_figures_end_at_claims_whose_sum_is_the_figure(settings: Settings, name: str, conventions: tuple[str, ...]):
    line = pl.read_delta(str(settings.table_path("bronze.claim_line")))
    for row in drawn(settings, name, conventions, 10):
        found = explain.explain(settings, name, {key: str(row[key]) for key in GRAIN[name]})
        assert found.row == row
        numerator, denominator = found.sums
        assert abs(numerator - row["numerator"]) <= Decimal("0.000001") and abs(denominator - row["denominator"]) <= Decimal("0.000001"), (
            row
        )
        assert not found.lines.select("claim_key", "line_no").is_duplicated().any()
        at = ["file_sha256", "receipt_seq", "line_no"]
        written = found.lines.join(line.select(*at, "line").unique(at), on=at, how="left")
        assert written.filter(pl.col("line").is_null() | ~pl.col("line").str.contains(pl.col("drug_code"))).is_empty()


def test_a_use_is_logged_with_the_number_of_persons_and_no_pseudonym(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    logged: list[dict] = []
    monkeypatch.setattr(explain.access, "record", lambda _, *said, **more: logged.append({"said": said, **more}))
    out = Console(width=200, record=True, file=io.StringIO())
    explain.show(settings, "fct_biosimilar_share", {"convention": "patients"}, True, 3, out)
    found = explain.explain(settings, "fct_biosimilar_share", {"convention": "patients"})
    assert [use["said"] for use in logged] == [("explain", None, found.row["patient_count"])]
    assert "the sum of the lines is the figure" in out.export_text(clear=False)
    assert not any(person in f"{logged} {out.export_text(clear=False)}" for person in found.lines["person"])


def test_what_is_no_figure_is_refused(settings: Settings):
    with pytest.raises(LakeError, match="fct_biosimilar_share or fct_generic_share"):
        explain.explain(settings, "dim_place", {})
    with pytest.raises(LakeError, match="colour"):
        explain.explain(settings, "fct_generic_share", {"colour": "red"})
    with pytest.raises(LakeError, match="0 rows"):
        explain.explain(settings, "fct_generic_share", {"period": "190001"})
