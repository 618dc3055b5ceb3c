"""What others read: no small cell, and none that a subtraction would tell. Checked by plain loops over random consortia."""

import random
from collections import defaultdict
from decimal import Decimal
from itertools import product

import polars as pl
import pytest

from spark_jobs.publish import disclosure
from spark_jobs.publish.disclosure import CELL

KINDS = {"a": "kenpo", "b": "kenpo", "c": "kenpo", "d": "kokuho_city", "e": "kokuho_city"}
UNITS = [key for key in CELL if key != "convention"]
MONTHS = [202502, 202503, 202504, 202510]


def consortium(seed: int) -> pl.DataFrame:
    """fct_biosimilar_share of persons of which nobody comes twice, so that patients add up as quantities do."""
    luck, cells = random.Random(seed), defaultdict(lambda: [0, 0])
    for insurer, prefecture, drug, setting, month in product(
        KINDS, ("13", "27", "00"), ("x", "y", "z"), ("inpatient", "outpatient_pharmacy"), MONTHS
    ):
        total = luck.choice([0, 0, 1, 4, 12, 40, 150])
        bs = luck.randint(0, total)
        of_other_form = min(bs, luck.choice([0, 0, 3]))
        year = month // 100 - (month % 100 < 4)
        for (kind, key), (level, place), ingredient, where, (period_kind, period), geography, scope in product(
            (("all", "all"), ("insurer_kind", KINDS[insurer]), ("insurer", insurer)), (("nation", "all"), ("prefecture", prefecture)),
            (drug, "all"), (setting, "all"), (("month", month), ("fiscal_year", year)), ("facility_of_use", "prescriber"),
            ("brand", "same_form_only"),
        ):  # fmt: skip
            without = of_other_form if scope == "same_form_only" else 0
            found = cells[kind, key, level, place, geography, scope, ingredient, where, period_kind, period]
            found[0] += bs - without
            found[1] += total - without
    rows = [(*cell, name, Decimal(bs), Decimal(n), n) for cell, (bs, n) in cells.items() if n
            for name in ("claims_units", "patients")]  # fmt: skip
    names = (*UNITS, "convention", "numerator", "denominator", "patient_count")
    return pl.DataFrame(rows, list(names), orient="row").cast({"period": pl.Int32, "patient_count": pl.Int64}).select(
        *CELL, "numerator", "denominator", "patient_count")  # fmt: skip


def rows_by_cell(frame: pl.DataFrame, keys: list[str]) -> dict[tuple, dict]:
    return {tuple(row[key] for key in keys): row for row in frame.to_dicts()}


def sums_of(cells: dict[tuple, dict], keys: list[str]):
    """Every sum along one dimension, as lists of cells; the total among them."""
    groups = defaultdict(list)
    for cell in cells:
        row = dict(zip(keys, cell, strict=True))
        for dimension in (("place_level", "place_key"), ("population_kind", "population_key"), ("ingredient_key",), ("setting",)):
            rest = tuple(value for key, value in row.items() if key not in dimension)
            groups[dimension, rest].append((cell, row[dimension[0]] in ("nation", "all")))
        rest = tuple(value for key, value in row.items() if key not in ("period_kind", "period"))
        is_year = row["period_kind"] == "fiscal_year"
        year = row["period"] if is_year else row["period"] // 100 - (row["period"] % 100 < 4)
        groups["period", (*rest, year)].append((cell, is_year))
    return [[cell for cell, _ in terms] for terms in groups.values() if any(is_total for _, is_total in terms)]


@pytest.fixture(scope="module", params=range(3))
def share(request) -> pl.DataFrame:
    return consortium(request.param)


@pytest.fixture(scope="module")
def judged(share) -> dict[tuple, str | None]:
    found = disclosure.of_units(share.lazy(), KINDS)
    return {tuple(row[:-1]): row[-1] for row in found.iter_rows()}


def test_no_told_cell_is_small_with_or_without_one_insurer(share, judged):
    cells = rows_by_cell(share.filter(pl.col("convention") == "claims_units"), UNITS)
    told = 0
    for cell, hidden_ja in judged.items():
        n = cells[cell]["patient_count"]
        assert (hidden_ja == "10未満") == (n < 10)
        if hidden_ja is None:
            told += 1
            members = [key for key, kind in KINDS.items() if cell[0] == "all" or kind == cell[1]]
            left = [n - cells[("insurer", key, *cell[2:])]["patient_count"] for key in members if ("insurer", key, *cell[2:]) in cells]
            assert all(number == 0 or number >= 10 for number in left), cell
    assert 0.1 < told / len(judged) < 0.9, "both kinds of cell are there"


def test_in_no_sum_exactly_one_cell_is_hidden(share, judged):
    """The attack: a sum along one dimension less what is told of it."""
    several = 0
    for terms in sums_of({cell: {} for cell in judged}, UNITS):
        hidden = [cell for cell in terms if judged[cell]]
        assert len(hidden) != 1, hidden
        several += len(hidden) > 1
    assert several > 100


def test_the_same_figure_under_two_names_is_told_or_hidden_under_both(judged):
    for cell, hidden_ja in judged.items():
        at = dict(zip(UNITS, cell, strict=True))
        if at["place_level"] == "nation" or at["setting"] == "inpatient":
            other = at | {"geography": "prescriber" if at["geography"] == "facility_of_use" else "facility_of_use"}
            assert (hidden_ja is None) == (judged[tuple(other.values())] is None)


def test_same_form_does_not_tell_the_few_of_other_forms(share, judged):
    cells = rows_by_cell(share.filter(pl.col("convention") == "claims_units"), UNITS)
    close = 0
    for cell, hidden_ja in judged.items():
        at = dict(zip(UNITS, cell, strict=True))
        if at["scope"] == "same_form_only":
            few = cells[tuple((at | {"scope": "brand"}).values())]["patient_count"] - cells[cell]["patient_count"]
            close += 1 <= few < 10
            assert not 1 <= few < 10 or hidden_ja
    assert close > 10


def test_hidden_rows_say_nothing_and_own_rows_say_all(share, judged, monkeypatch):
    class Table:
        table = None

    monkeypatch.setattr(disclosure.pl, "scan_delta", lambda _: share.lazy())
    verdicts = disclosure.verdicts({"fct_biosimilar_share": Table()}, KINDS)  # type: ignore[dict-item]
    figures = ("numerator", "denominator", "patient_count")
    shown = disclosure.hide(share, verdicts["fct_biosimilar_share"], figures)
    assert shown.height == share.height
    for row, before in zip(shown.to_dicts(), share.to_dicts(), strict=True):
        cell = tuple(row[key] for key in UNITS)
        if row["population_kind"] == "insurer":
            assert row["hidden_ja"] is None and {key: row[key] for key in before} == before
        elif row["convention"] == "claims_units":
            assert row["hidden_ja"] == judged[cell]
        elif row["hidden_ja"] is None:
            persons = (row["numerator"], row["denominator"], row["denominator"] - row["numerator"])
            assert judged[cell] is None and all(number == 0 or number >= 10 for number in persons)
        assert all((row[name] is None) == bool(row["hidden_ja"]) for name in figures)


def test_amounts_hide_each_other_only_where_they_stand(share):
    """Nothing was saved with `y`: no row of it can hide another."""
    keys = [key for key in UNITS if key != "scope"]
    amounts = share.filter((pl.col("convention") == "claims_units") & (pl.col("scope") == "brand") & (pl.col("ingredient_key") != "y"))
    units = disclosure.of_units(share.lazy(), KINDS)

    def lone(found: pl.DataFrame) -> int:
        hidden = {tuple(row[:-1]): row[-1] for row in found.select(*keys, "hidden_ja").iter_rows()}
        return sum(sum(bool(hidden[cell]) for cell in terms) == 1 for terms in sums_of({cell: {} for cell in hidden}, keys))

    of_shares = amounts.filter(disclosure.IS_SHARED).join(units.filter(pl.col("scope") == "brand"), keys, "left")
    assert lone(of_shares) > 0, "what hides shares does not hide savings"
    assert lone(disclosure.of_amounts(amounts.drop("scope", "convention").lazy(), share.lazy(), units, KINDS)) == 0


def test_generics_are_told_where_ten_used_a_biologic(share):
    """They count no patients; no class of effect is told, nor a place where nobody used a biologic."""
    users = share.filter((pl.col("ingredient_key") == "all") & (pl.col("convention") == "claims_units") & (pl.col("scope") == "brand"))
    elsewhere = users.filter(pl.col("place_key") == "13").with_columns(place_key=pl.lit("47"))
    generic = pl.concat([users, elsewhere]).with_columns(scope=pl.lit("mhlw_insurer"), yakko_class_2=pl.lit("all"))
    judged = disclosure._of_generics(generic.lazy(), share.lazy(), KINDS)
    keys = [key for key in judged.columns if key not in ("scope", "hidden_ja", "yakko_class_2")]
    told = judged.filter(pl.col("hidden_ja").is_null())
    assert told.height and told.join(users.filter(pl.col("patient_count") >= 10), keys, "anti").is_empty()
    of_class = generic.with_columns(yakko_class_2=pl.lit("23"), share_ratio=0.5)
    assert disclosure.hide(of_class.filter(disclosure.IS_SHARED), judged, ["share_ratio"])["share_ratio"].null_count() == of_class.filter(
        disclosure.IS_SHARED).height  # fmt: skip


def test_what_nobody_judged_is_hidden():
    rows = pl.DataFrame({"population_kind": ["all", "insurer"], "population_key": ["all", "a"], "line_count": [500, 3]})
    shown = disclosure.hide(rows, None, ["line_count"])
    assert shown["line_count"].to_list() == [None, 3] and shown["hidden_ja"].to_list() == ["秘匿", None]


def test_parts_of_a_told_total():
    """What is hidden together is not few either, or the total would tell it."""
    assert disclosure.hidden_parts({"a": 9, "b": 15, "c": 400}) == {"a", "b"}
    assert disclosure.hidden_parts({"a": 9, "b": 3, "c": 400}) == {"a", "b"}
    assert disclosure.hidden_parts({"a": 4, "b": 3, "c": 400}) == {"a", "b", "c"}
    assert disclosure.hidden_parts({"a": 0, "b": 10}) == set()
    assert disclosure.hidden_parts({"a": 9}) == {"a"}
