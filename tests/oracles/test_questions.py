"""docs/questions.md: each of the ten answers equals what another way gives: sums of months, of ingredients, of files, in plain Python."""

import math
import re
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import config, delta, questions, tables
from spark_jobs.questions import ASKER
from spark_jobs.settings import Settings

YEAR = 2025  # the last whole fiscal year of the small lake
AT = {"population_kind": "insurer", "population_key": ASKER, "place_level": "nation", "geography": "facility_of_use"}
BRAND = AT | {"scope": "brand"}


def rounded(value: Fraction | Decimal | None, places: int = 0) -> Decimal | None:
    """As PostgreSQL rounds a numeric: half away from zero."""
    if value is None:
        return None
    exact = Decimal(value.numerator) / Decimal(value.denominator) if isinstance(value, Fraction) else value
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def percent(part: Fraction | Decimal, whole: Fraction | Decimal = Decimal(1)) -> Decimal | None:
    return rounded(100 * Fraction(part) / Fraction(whole), 1) if whole else None


@pytest.fixture(scope="module")
def settings(tiny_lake: Path) -> Settings:
    return Settings(home=tiny_lake / "home", secrets=tiny_lake / "secrets", config=Path(__file__).parents[2] / "config")


@pytest.fixture(scope="module")
def answers(settings):
    return questions.answers(settings)


@pytest.fixture(scope="module")
def mart(settings):
    """Rows of a mart that have these values."""
    frames: dict[str, pl.DataFrame] = {}

    def rows(name: str, **at) -> list[dict]:
        frame = frames.setdefault(name, pl.read_delta(str(settings.table_path(f"marts.{name}"))))
        return frame.filter(*(pl.col(key) == value for key, value in at.items())).to_dicts()

    return rows


@pytest.fixture(scope="module")
def name_of(mart):
    return {row["ingredient_key"]: row["ingredient_ja"] for row in mart("dim_ingredient")}


def of_year(months: list[dict], keys: str, columns: tuple[str, ...], year: int = YEAR) -> dict:
    """Monthly rows → sums over the months of a fiscal year, by a key."""
    found: dict = defaultdict(lambda: dict.fromkeys(columns, Fraction(0)))
    for row in months:
        if row["period"] // 100 - (row["period"] % 100 < 4) == year:
            for column in columns:
                found[row[keys]][column] += Fraction(row[column])
    return dict(found)


def test_there_are_ten_and_each_has_an_answer(answers):
    assert len(answers) == 10 and all(answer.rows for answer in answers.values())
    assert [question.key[:2] for question in questions.questions()] == [f"{number:02}" for number in range(1, 11)]


def test_01_gain_is_the_sum_of_months(answers, mart):
    months = mart("fct_saving_realised", **AT, setting="all", ingredient_key="all", period_kind="month")
    columns = ("saving_yen", "nominal_insurer_yen", "insurer_gain_low_yen", "insurer_gain_high_yen", "certain_yen")
    expected = []
    for year in sorted({row["period"] // 100 - (row["period"] % 100 < 4) for row in months}):
        sums = of_year(months, "population_key", columns, year)[ASKER]
        certain = percent(sums.pop("certain_yen"), sums["saving_yen"])
        expected.append((year, *(rounded(value) for value in sums.values()), certain))
    assert [(row[0], *row[2:]) for row in answers["01_gain"].rows] == expected


def test_02_reachable_is_the_sum_of_ingredients(answers, mart):
    columns = ("saving_yen", "nominal_insurer_yen", "insurer_gain_low_yen", "insurer_gain_high_yen")
    sums: dict[str, list] = {}
    for row in mart("fct_saving_potential", **AT, period=YEAR):
        if row["ingredient_key"] != "all":
            one = sums.setdefault(row["scenario_key"], [None] * 4)
            for i, column in enumerate(columns):
                one[i] = one[i] if row[column] is None else (one[i] or Decimal(0)) + row[column]
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1][1], pair[0]))
    assert answers["02_reachable"].rows == [(key, *map(rounded, values)) for key, values in ordered]


def test_03_which_ingredient_by_its_own_rows(answers, mart, name_of):
    potential = mart("fct_saving_potential", **AT, scenario_key="same_form_only", period=YEAR)
    worth = {row["ingredient_key"]: row["nominal_insurer_yen"] for row in potential if row["ingredient_key"] != "all"}
    shares = of_year(mart("fct_biosimilar_share", **BRAND, setting="all", convention="claims_units", period_kind="month"),
                     "ingredient_key", ("numerator", "denominator"))  # fmt: skip
    persons = {row["ingredient_key"]: row["denominator"] for row in
               mart("fct_biosimilar_share", **BRAND, setting="all", convention="patients", period_kind="fiscal_year", period=YEAR)}  # fmt: skip
    first = sorted(worth, key=lambda key: (-worth[key], key))[:5]
    assert answers["03_which_ingredient"].rows == [
        (name_of[key], persons[key], percent(shares[key]["numerator"], shares[key]["denominator"]), rounded(worth[key]),
         percent(worth[key], sum(worth.values())))
        for key in first
    ]  # fmt: skip


def test_04_kpi_counted_over_the_shares(answers, mart):
    target = config.targets(Settings(config=Path(__file__).parents[2] / "config"))
    goal = next(t for owner in target.values() for t in owner.targets if t.target_key == "biosimilar_kpi")
    reached_from = next(
        t.value_ratio for owner in target.values() for t in owner.targets if t.target_key == "biosimilar_ingredient_reached"
    )
    listed = {row["ingredient_key"] for row in mart("dim_ingredient")
              if row["is_in_kpi_denominator"] and row["first_bs_listing_month"] <= (YEAR + 1) * 100 + 3}  # fmt: skip
    used = {row["ingredient_key"]: row for row in
            mart("fct_biosimilar_share", **BRAND, setting="all", convention="claims_units", period_kind="fiscal_year", period=YEAR)
            if row["ingredient_key"] in listed}  # fmt: skip
    reached = {key for key, row in used.items() if Fraction(row["numerator"]) / Fraction(row["denominator"]) >= Fraction(reached_from)}
    many = {key for key, row in used.items() if row["patient_count"] >= 10}
    counted = {"listed": (listed, reached), "used": (set(used), reached), "used_by_n_patients": (many, reached & many)}
    expected = [
        (kind, len(of), len(found), percent(Fraction(len(found)), Fraction(len(of))), Decimal("60.0"),
         max(math.ceil(len(of) * goal.value_ratio) - len(found), 0), goal.due_date)
        for kind, (of, found) in counted.items() if of
    ]  # fmt: skip
    assert sorted(answers["04_kpi"].rows) == sorted(expected)


def test_05_compared_from_the_months_and_nothing_that_subtraction_tells(answers, mart, name_of):
    own, total = (of_year(mart("fct_biosimilar_share", **(BRAND | population), setting="all", convention="claims_units", period_kind="month"),
                          "ingredient_key", ("numerator", "denominator"))
                  for population in ({}, {"population_kind": "all", "population_key": "all"}))  # fmt: skip
    keys = {name: key for key, name in name_of.items()}
    for name, n, share, n_total, share_total, gap in answers["05_compared"].rows:
        mine, all_of_us = (sums[keys[name]]["numerator"] / sums[keys[name]]["denominator"] for sums in (own, total))
        assert n >= 10 and share == percent(mine)
        if n_total in ("秘匿", "10未満"):
            assert share_total == n_total and gap is None
        else:
            assert int(n_total) >= 10 and (int(n_total) == n or int(n_total) - n >= 10)
            assert share_total == str(percent(all_of_us))
            assert abs(gap - percent(mine - all_of_us)) <= Decimal("0.1"), "the mart has eight digits of a share"


def test_06_trend_is_the_sum_of_twelve_months(answers, mart):
    months = {row["period"]: row for row in
              mart("fct_biosimilar_share", **BRAND, setting="all", ingredient_key="all", convention="claims_units", period_kind="month")}  # fmt: skip
    ordered, expected = sorted(months), []
    for end in range(11, len(ordered)):
        window = [months[month] for month in ordered[end - 11 : end + 1]]
        expected.append((f"{ordered[end] // 100}年{ordered[end] % 100}月までの12か月",
                         percent(sum(row["numerator"] for row in window), sum(row["denominator"] for row in window))))  # fmt: skip
    assert [(row[0], row[2]) for row in answers["06_trend"].rows] == expected
    bent = {row[0]: row[4] for row in answers["06_trend"].rows if row[4]}
    assert "薬価改定" in bent["2026年4月までの12か月"]


def test_07_setting_is_the_sum_of_months(answers, mart):
    months = mart("fct_biosimilar_share", **BRAND, ingredient_key="all", convention="value", period_kind="month")
    sums = {key: value for key, value in of_year(months, "setting", ("numerator", "denominator")).items() if key != "all"}
    left = {key: value["denominator"] - value["numerator"] for key, value in sums.items()}
    found = {row[0]: row[2:] for row in answers["07_setting"].rows}
    assert found == {
        key: (rounded(value["denominator"]), rounded(left[key]), percent(value["numerator"], value["denominator"]),
              percent(left[key], sum(left.values())))
        for key, value in sums.items()
    }  # fmt: skip


def test_08_official_is_ndb_of_the_nearest_year(answers, mart, name_of):
    keys = {name: key for key, name in name_of.items()}
    own = {row["ingredient_key"]: row for row in
           mart("fct_biosimilar_share", **BRAND, setting="all", convention="claims_units", period_kind="fiscal_year", period=YEAR)}  # fmt: skip
    for name, n, share, year, between, gap, reasons in answers["08_official"].rows:
        ndb = mart("fct_ndb_share", place_level="nation", setting="all", ingredient_key=keys[name])
        nearest = min(ndb, key=lambda row: (abs(row["fiscal_year"] - YEAR), -row["fiscal_year"]))
        mine = own[keys[name]]
        assert (n, share, year) == (mine["patient_count"], percent(mine["numerator"], mine["denominator"]), nearest["fiscal_year"])
        assert between == f"{percent(nearest['share_ratio_low'])}〜{percent(nearest['share_ratio_high'])}"
        assert gap == percent(mine["share_ratio"] - nearest["share_ratio"])
        assert (f"{year}年度" in reasons) == (year != YEAR)


def test_09_generics_from_the_months(answers, mart):
    at = AT | {"setting": "all", "scope": "mhlw_insurer", "variant": "quantity", "period_kind": "month"}
    sums = of_year(mart("fct_generic_share", **at), "yakko_class_2", ("numerator", "denominator"))
    names = {row["yakko_class_2"]: row["yakko_class_ja"] for row in mart("dim_yakko_class")}
    missing = {key: max(Fraction(4, 5) * value["denominator"] - value["numerator"], Fraction(0)) for key, value in sums.items()}
    order = sorted(sums, key=lambda key: (key != "all", -missing[key], key))[:6]
    assert answers["09_generics"].rows == [
        (names[key], percent(sums[key]["numerator"], sums[key]["denominator"]), Decimal("80.0"), rounded(missing[key])) for key in order
    ]


def test_10_trust_from_the_files(answers, settings, mart):
    found = dict(answers["10_trust"].rows)
    insurer = config.insurer(settings, ASKER)
    last = max(row["claim_month"] for row in mart("fct_completeness"))
    months = [month for month in range(insurer.start_claim_month, last + 1) if 1 <= month % 100 <= 12]
    assert found["予定した提出（月×種別）"] == str(len(months) * len(insurer.kinds))
    lines = delta.read(settings, tables.QUARANTINE_LINE).filter(pl.col("insurer_number") == ASKER).height
    assert found["読めずに隔離した行"] == str(lines)
    events = delta.read(settings, tables.DELIVERY).filter((pl.col("insurer_number") == ASKER) & (pl.col("state") == "silver"))
    came = set(events.select("claim_month", "claim_kind").unique().iter_rows())
    wanted = {(month, kind) for month in months for kind in insurer.kinds}
    assert found["うち届いていない"] == str(len(wanted - came))
    assert found["前回の公表から動いた当組合の値"] == "0", "the first publication"


def test_the_page_has_these_questions_and_this_sql(answers):
    """The answers on the page are those of the demo: `python -m spark_jobs.questions`."""
    without_answers = re.compile(r"^\|.*\|?$", flags=re.M)
    written = questions.PAGE.read_text(encoding="utf-8")
    assert without_answers.sub("", questions.page(answers, "アサヒ電機健保")).split() == without_answers.sub("", written).split()
    for answer in answers.values():
        assert f"| {' | '.join(answer.header)} |" in written
