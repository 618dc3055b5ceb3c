"""fct_ndb_share gives the published shares from the published tables, and its bounds hold the truth however a full table is hidden."""

import random
from collections import defaultdict
from decimal import Decimal
from types import SimpleNamespace

import polars as pl
import pytest
from dbt_sql import view
from ndb_by_hand import HAND, PUBLISHED, YEARS
from pyspark.sql import SparkSession

from spark_jobs.masters import ndb_open_data, shipped

SOURCES = {
    "masters_ndb_quantity": ndb_open_data.read_extract,
    "masters_ndb_class": ndb_open_data.read_class_extract,
    "masters_biosimilar_product": lambda: pl.DataFrame([vars(row) for row in shipped.biosimilar_products()], infer_schema_length=None),
    "masters_biosimilar_ingredient": lambda: pl.DataFrame(
        [vars(row) for row in shipped.biosimilar_ingredients()], infer_schema_length=None
    ),
    "masters_drug_price": lambda: pl.DataFrame([vars(row) for row in shipped.drug_prices()], infer_schema_length=None),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def given(spark: SparkSession, place):
    """Makes a view of a frame."""

    def make(name: str, frame: pl.DataFrame) -> None:
        file = place / f"{name}.parquet"
        frame.write_parquet(file)
        spark.read.parquet(str(file)).createOrReplaceTempView(name)

    return make


def rows_of(spark: SparkSession, model: str, where: str = "true") -> list[SimpleNamespace]:
    return [SimpleNamespace(**row.asDict()) for row in spark.sql(f"select * from {model} where {where}").collect()]


# --- published figures ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official(spark, given, reference) -> tuple[list[SimpleNamespace], list[SimpleNamespace]]:
    """Rows of the nation by year, and the monthly rows of all settings together."""
    for name, read in SOURCES.items():
        given(name, read())
    for model in ("fct_ndb_share", "fct_ndb_share_month"):
        view(spark, model, set())
    return rows_of(spark, "fct_ndb_share", "place_level = 'nation'"), rows_of(spark, "fct_ndb_share_month", "setting = 'all'")


@pytest.fixture(scope="module")
def nation(official):
    """(ingredient, fiscal year, setting) → row of the nation."""
    return {(r.ingredient_key, r.fiscal_year, r.setting): r for r in official[0]}


@pytest.mark.parametrize(("ingredient", "ndb_round"), list(HAND))
def test_national_shares_by_setting_equal_hand_arithmetic(nation, ingredient, ndb_round):
    by_setting = HAND[ingredient, ndb_round]
    found = {s: r for (i, year, s), r in nation.items() if (i, year) == (ingredient, 2013 + ndb_round)}
    assert set(found) == {*by_setting, "all"}
    for setting, (bs, ref) in {**by_setting, "all": [sum(part) for part in zip(*by_setting.values(), strict=True)]}.items():
        row = found[setting]
        assert float(row.bs_quantity) == pytest.approx(bs, abs=0.001)
        assert float(row.ref_quantity) == pytest.approx(ref, abs=0.001)
        assert (row.share_ratio is None) if bs + ref == 0 else (float(row.share_ratio) == pytest.approx(bs / (bs + ref), abs=1e-6))


@pytest.mark.parametrize("ingredient", list(PUBLISHED))
def test_national_shares_equal_the_published_table_to_its_last_digit(nation, ingredient):
    found = {year: nation.get((ingredient, year, "all")) for year in YEARS}
    compared = {year: (share, found[year]) for year, share in zip(YEARS, PUBLISHED[ingredient], strict=True) if share is not None}
    assert {year: round(100 * float(row.share_ratio), 1) for year, (_, row) in compared.items()} == {
        year: share for year, (share, _) in compared.items()
    }
    assert all(row.share_ratio_low <= row.share_ratio <= row.share_ratio_high for _, row in compared.values())


def test_what_the_row_limit_cut_off_is_no_zero(nation):
    """Darbepoetin: the sheets of FY2019 name one BS of many (domain.md §3.3); round 11 has no limit, so that what is missing there is a zero."""
    cut, whole = (nation["darbepoetin_alfa", year, "outpatient_in_hospital"] for year in (2019, 2024))
    assert cut.unlisted_drug_count > 10
    assert cut.share_ratio_high > cut.share_ratio
    assert whole.unlisted_drug_count == 0


def test_months_far_above_the_others_are_marked(official):
    found = official[1]
    outliers = {(r.ingredient_key, r.period) for r in found if r.period_kind == "month" and r.outlier_cell_count}
    assert {("epoetin_alfa", 202412), ("somatropin", 202409), ("insulin_lispro", 202304)} <= outliers  # supplement §G
    year = {r.ingredient_key: r for r in found if (r.period_kind, r.period) == ("fiscal_year", 2024)}
    assert round(100 * float(year["somatropin"].share_ratio_without_outliers), 1) == 46.6
    # §G: 63.6, by a rule that it does not tell; the sum of the other eleven months is
    assert round(100 * float(year["epoetin_alfa"].share_ratio_without_outliers), 1) == 63.2
    assert year["infliximab"].share_ratio == year["infliximab"].share_ratio_without_outliers


# --- bounds hold the truth --------------------------------------------------------------------------------------------


def published_row(cells: list[Decimal], threshold: int, scheme: str) -> tuple[Decimal | None, list[Decimal | None]]:
    """domain.md §3.2: 47 exact quantities → (total, cells) as published; None = hidden."""
    total = sum(cells, Decimal(0))
    hide = {i for i, v in enumerate(cells) if 0 < v < threshold}
    zeros_only = scheme == "r7" and not hide and 0 in cells
    if len(hide) == 1 or zeros_only:  # complementary suppression
        big = [v for v in cells if v >= threshold]
        if scheme == "r1" or not big:
            hide = set(range(len(cells)))
        else:
            hide |= {i for i, v in enumerate(cells) if v == min(big)}
    if scheme != "r9":
        hide |= {i for i, v in enumerate(cells) if v == 0}
        if total < threshold:
            hide = set(range(len(cells)))
    return (None if total < threshold else total), [None if i in hide else v for i, v in enumerate(cells)]


ROUNDS = {1: ("r1", 1000), 2: ("r1", 1000), 3: ("r1", 400), 5: ("r5", 400), 7: ("r7", 400), 9: ("r9", 400)}
TRIALS = 20  # of each round; one trial = one 薬効分類 with one ingredient of four counted drugs and as many others as fill its limit
Truth = dict[tuple[str, int, str, str], dict[str, Decimal]]


def full_row(chance: random.Random) -> list[Decimal]:
    """47 quantities: some prefectures without use, the others about the threshold."""
    use, size = chance.choice((0.05, 0.3, 0.8, 1.0)), chance.choice((60, 300, 900, 4000))
    return [Decimal(round(size * chance.lognormvariate(0, 1) * 2)) / 2 if chance.random() < use else Decimal(0) for _ in range(47)]


def invented(seed: int) -> tuple[dict[str, pl.DataFrame], Truth]:
    """Full tables as published by each scheme, cut at the row limit; and what they held."""
    chance = random.Random(seed)
    cells: list[dict[str, object]] = []
    drugs: list[dict[str, object]] = []
    truth: Truth = defaultdict(lambda: {"bs": Decimal(0), "ref": Decimal(0)})
    for trial in range(TRIALS * len(ROUNDS)):
        ndb_round = list(ROUNDS)[trial % len(ROUNDS)]
        scheme, threshold = ROUNDS[ndb_round]
        limit = 30 if ndb_round == 1 else 100
        class_3, ingredient = f"{trial:03}", f"x{trial:03}"
        counted = [(f"{class_3}{n}", "bs" if n < 2 else "ref", Decimal(chance.choice((1, 1, 28)))) for n in range(4)]
        drugs += [
            {"drug_code": c, "ingredient_key": ingredient, "share_side": s, "units": u, "yakka_code_12": class_3} for c, s, u in counted
        ]
        for setting in chance.sample(("inpatient", "outpatient_in_hospital", "outpatient_pharmacy"), 2):
            head = {"fiscal_year": 2013 + ndb_round, "ndb_round": ndb_round, "route": "injection", "setting": setting,
                    "hidden_below": threshold, "source": "invented", "yakka_code_12": class_3}  # fmt: skip
            sheet = []
            for code, side, units in counted:
                full = full_row(chance)
                sheet.append((sum(full), code, *published_row(full, threshold, scheme)))
                for level in (setting, "all"):
                    for key, amount in (("all", sum(full)), *((f"{i + 1:02}", v) for i, v in enumerate(full))):
                        truth[ingredient, 2013 + ndb_round, level, key][side] += Decimal(amount) / units
            others = chance.choice((0, limit - 3, limit - 1, limit + 5))  # listed whole, or drugs of ours fall below the limit
            for n in range(others):
                total = Decimal(chance.randint(1, 40_000))
                sheet.append((total, f"{class_3}o{n}", None if total < threshold else total, []))
            sheet = sorted((row for row in sheet if row[0] > 0), key=lambda row: (row[2] is None, -row[0]))[:limit]
            for _, code, total, published in sheet:
                named = [("total", "all", total), *(("prefecture", f"{i + 1:02}", v) for i, v in enumerate(published))]
                cells += [head | {"drug_code": code, "cell_kind": kind, "cell_key": key, "quantity_claim_unit": v, "is_hidden": v is None}
                          for kind, key, v in named]  # fmt: skip
    schema = ndb_open_data.SCHEMA | {"drug_name_ja": pl.String}
    quantity = pl.DataFrame(cells, schema_overrides=schema).with_columns(drug_name_ja=pl.lit("invented"))
    product = pl.DataFrame(drugs).with_columns(
        pl.col("units").cast(pl.Decimal(18, 5)),
        pl.when(pl.col("share_side") == "bs").then(pl.lit("BS")).otherwise(pl.lit("REF")).alias("product_role"),
        pl.lit(None, pl.String).alias("reference_drug_code"), pl.lit(None, pl.Decimal(18, 8)).alias("reference_units_per_unit"),
        pl.date(2010, 4, 1).alias("valid_from"), pl.lit(None, pl.Date).alias("valid_to"),
    ).rename({"units": "claim_units_per_price_list_unit"})  # fmt: skip
    return {
        "masters_ndb_quantity": quantity.select(list(ndb_open_data.SCHEMA)),
        "masters_ndb_class": ndb_open_data.classes(quantity.select(list(ndb_open_data.SCHEMA))),
        "masters_biosimilar_product": product,
        "masters_drug_price": product.select("drug_code", "valid_from", "valid_to", pl.lit(1).alias("price_yen"), pl.lit(False).alias("is_assumed")),
        "masters_biosimilar_ingredient": product.select("ingredient_key").unique().with_columns(
            pl.lit(201004).alias("first_bs_listing_month"), pl.lit(True).alias("is_in_kpi_denominator"),
            *(pl.lit("").alias(name) for name in ("ingredient_ja", "reference_brand_ja", "therapeutic_area_ja")),
        ),
    }, truth  # fmt: skip


def broken_bounds(rows: list[SimpleNamespace], truth: Truth) -> list[tuple]:
    """Rows whose interval does not hold the true share, or whose estimate counts more than there was."""
    close = Decimal("0.00000001")  # shares are rounded to eight decimals
    found = []
    for row in rows:
        held = truth[row.ingredient_key, row.fiscal_year, row.setting, row.place_key]
        total = held["bs"] + held["ref"]
        share = held["bs"] / total if total else None
        too_much = row.bs_quantity > held["bs"] + Decimal("0.001") or row.ref_quantity > held["ref"] + Decimal("0.001")
        if too_much or (share is not None and not row.share_ratio_low - close <= share <= row.share_ratio_high + close):
            found.append(
                (row.ingredient_key, row.fiscal_year, row.setting, row.place_key, share, row.share_ratio_low, row.share_ratio_high)
            )
    return found


@pytest.fixture(scope="module")
def hidden_tables(given):
    frames, truth = invented(seed=20261125)
    for name, frame in frames.items():
        given(name, frame)
    return truth


def test_bounds_hold_the_truth_whatever_the_scheme_hides(spark, hidden_tables):
    view(spark, "fct_ndb_share", set())
    rows = rows_of(spark, "fct_ndb_share")
    assert broken_bounds(rows, hidden_tables) == []
    by_round = {year: [r for r in rows if r.fiscal_year == year] for year in {r.fiscal_year for r in rows}}
    assert {year - 2013 for year in by_round} == set(ROUNDS)
    for year, part in by_round.items():  # each scheme is really tried: places with hidden cells, with drugs cut off, and with neither
        assert sum(r.hidden_cell_count > 0 for r in part) > 50, year
        assert sum(r.unlisted_drug_count > 0 for r in part) > 50, year
        assert sum(r.share_ratio_high - r.share_ratio_low < Decimal("0.5") for r in part) > 50, year  # and says something


@pytest.mark.parametrize(
    ("model", "rule", "wrong"),
    [
        ("fct_ndb_share", "when ndb_round >= 5 then coalesce(smallest_visible, total)", "when ndb_round >= 5 then hidden_below"),
        ("fct_ndb_share", "when visible is null then total", "when visible is null then hidden_below"),
        ("int_ndb_unlisted", "sheet.unlisted_at_most > 0", "sheet.unlisted_at_most > 1000000"),
    ],
    ids=["no complement", "all hidden", "absent is zero"],
)
def test_a_weaker_rule_is_found_out(spark, hidden_tables, model, rule, wrong):
    def weaken(name: str, sql: str) -> str:
        if name != model:
            return sql
        assert rule in sql
        return sql.replace(rule, wrong)

    view(spark, "fct_ndb_share", set(), weaken)
    assert len(broken_bounds(rows_of(spark, "fct_ndb_share"), hidden_tables)) > 5
