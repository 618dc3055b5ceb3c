"""Every row of fct_generic_share equals the recomputation from the receipt files, and the other way round."""

from pathlib import Path

import pytest
import recompute
import recompute_generics
from test_marts_equal_recomputation import differences, mart, rows

FIGURES = ["numerator", "denominator", "share_ratio", "unclassified_quantity", "unconverted_quantity", "unpriced_quantity"]


@pytest.fixture(scope="module")
def uses(claims: list[recompute.Claim]) -> list[recompute_generics.Use]:
    return list(recompute_generics.uses(claims))


def test_there_is_something_to_compare(uses: list[recompute_generics.Use]):
    listed = [use.listed for use in uses if use.listed]
    assert {"1", "2", "3", "★", "☆"} <= {row.class_ for row in listed}
    assert any(row.is_excluded_from_addon for row in listed)
    assert any(use.listed is None for use in uses)
    assert {(use.claim.claim_kind, use.drug.is_bundled) for use in uses} > {("dpc", True), ("dpc", False), ("pha", False), ("den", False)}


def test_fct_generic_share(tiny_lake: Path, kinds: dict[str, str], uses: list[recompute_generics.Use]):
    expected = {
        key: (
            share.numerator,
            share.denominator,
            share.numerator / share.denominator,
            share.unclassified,
            share.unconverted,
            share.unpriced,
        )
        for key, share in recompute_generics.shares(uses, kinds).items()
    }
    found = rows(mart(tiny_lake, "fct_generic_share"), list(recompute_generics.COORDINATES), FIGURES)
    wrong = differences(found, expected)
    assert not wrong, f"{len(wrong)} of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def test_months_say_which_list_they_read_and_whether_an_official_figure_exists(tiny_lake: Path):
    by = ["period", "scope"]
    said = mart(tiny_lake, "fct_generic_share").filter(period_kind="month").select(
        *by, "class_list_date", "is_class_list_in_force", "is_month_of_official_figure"
    ).unique()  # fmt: skip
    assert said.select(by).is_unique().all()
    for month, scope, list_date, in_force, official in said.rows():
        assert list_date == recompute_generics.LIST_DATE
        assert in_force == (202507 <= month < recompute_generics.REVISION_AFTER), month
        assert official == (month % 100 in recompute_generics.OFFICIAL_MONTHS.get(scope, range(1, 13))), (month, scope)
