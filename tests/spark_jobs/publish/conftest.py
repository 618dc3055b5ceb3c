"""Invented marts with the columns of dbt_project/models/marts, summed from invented cells by other means than dbt (polars)."""

from decimal import Decimal
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import config
from spark_jobs.masters import shipped
from spark_jobs.publish import wording
from spark_jobs.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"
FIRST, MONTHS = 202410, 24
PREFECTURES = ("13", "27", "14", "23", "11", "40", "01", "12")
KEYS = ["place_level", "place_key", "geography", "ingredient_key", "setting", "period_kind", "period"]
NAMES = {"numerator": "numerator", "denominator": "denominator"}


def invented_cells(insurers: list[str], members: dict[str, int]) -> pl.DataFrame:
    """Insurer × prefecture × ingredient × month: quantities by a plain rule, no chance in it; small insurers have few patients."""
    rows = []
    ingredients = [i for i in shipped.biosimilar_ingredients() if i.is_in_kpi_denominator]
    for (n, number), (k, ingredient), m in product(enumerate(insurers), enumerate(ingredients), range(MONTHS)):
        month = wording.add_months(FIRST, m)
        patients = members[number] * (30 - k) // 250_000
        if not patients or k == 16:  # one ingredient nobody uses
            continue
        listed = month >= (ingredient.first_bs_listing_month or 999912)
        share = min(0.95, 0.08 + 0.045 * k + 0.004 * m + 0.02 * (n % 3)) if listed else 0.0
        total = patients * 20
        bs = round(total * share)
        price = 5000 + 900 * k
        rows.append({
            "insurer": number, "prefecture": PREFECTURES[n], "ingredient_key": ingredient.ingredient_key, "month": month,
            "bs": bs, "total": total, "bs_value": bs * price // 2, "value": bs * price // 2 + (total - bs) * price, "patients": patients,
            "saving_quantity": 0 if k == 9 else bs, "saving": (-80 if k in (1, 4) else price // 2) * (0 if k == 9 else bs),
            "uncomputable": bs if k in (1, 9) else 0,
        })  # fmt: skip
    return pl.DataFrame(rows)


def invented_marts(insurers: dict[str, config.Insurer]) -> dict[str, pl.DataFrame]:
    numbers = list(insurers)
    members = {number: insurer.member_count or 0 for number, insurer in insurers.items()}
    cells = invented_cells(numbers, members)
    cells = pl.concat([cells.with_columns(population_kind=pl.lit("all"), population_key=pl.lit("all")),
                       cells.with_columns(population_kind=pl.lit("insurer"), population_key=pl.col("insurer"))])  # fmt: skip
    cells = pl.concat([cells.with_columns(place_level=pl.lit("nation"), place_key=pl.lit("all")),
                       cells.with_columns(place_level=pl.lit("prefecture"), place_key=pl.col("prefecture"))])  # fmt: skip
    cells = pl.concat([cells, cells.with_columns(ingredient_key=pl.lit("all"))])
    year = pl.col("month") // 100 - (pl.col("month") % 100 < 4).cast(pl.Int32)
    cells = pl.concat([cells.with_columns(period_kind=pl.lit("month"), period=pl.col("month").cast(pl.Int32)),
                       cells.with_columns(period_kind=pl.lit("fiscal_year"), period=year.cast(pl.Int32))])  # fmt: skip
    cells = pl.concat([cells.with_columns(geography=pl.lit(g)) for g in ("facility_of_use", "prescriber")])
    cells = cells.with_columns(setting=pl.lit("all"))
    keys = ["population_kind", "population_key", *KEYS]
    summed = cells.group_by(keys).agg(
        pl.col("bs", "total", "bs_value", "value", "saving_quantity", "saving", "uncomputable").sum(),
        # the same patients come every month, so a year has as many as its largest month
        (pl.col("patients").sum() / pl.col("month").n_unique()).cast(pl.Int64).alias("patient_count"),
        pl.col("month").n_unique().cast(pl.Int32).alias("months_in_period"),
    )
    summed = summed.sort(keys)

    def in_convention(name: str, bs: str, total: str) -> pl.DataFrame:
        return summed.filter(pl.col(total) > 0).select(
            *keys, pl.lit("brand").alias("scope"), pl.lit(name).alias("convention"), pl.col(bs).cast(pl.Decimal(24, 6)).alias("numerator"),
            pl.col(total).cast(pl.Decimal(24, 6)).alias("denominator"),
            (pl.col(bs) / pl.col(total)).cast(pl.Decimal(9, 8)).alias("share_ratio"), "patient_count", "months_in_period",
        )  # fmt: skip

    share = pl.concat([in_convention("claims_units", "bs", "total"), in_convention("value", "bs_value", "value")])
    ingredients = shipped.biosimilar_ingredients()
    listed = [i for i in ingredients if i.is_in_kpi_denominator]
    # the same figures once more in a scope that the report leaves out
    other = share.with_columns(scope=pl.lit("same_form_only"), numerator=pl.col("denominator"), share_ratio=pl.lit(1, pl.Decimal(9, 8)))
    share = pl.concat([share, other])
    reached = share.filter(
        (pl.col("scope") == "brand") &
        (pl.col("population_kind") == "all") & (pl.col("place_level") == "nation") & (pl.col("geography") == "facility_of_use")
        & (pl.col("period_kind") == "fiscal_year") & (pl.col("convention") == "claims_units") & (pl.col("ingredient_key") != "all")
    )  # fmt: skip
    kpi = []
    for (period,), part in reached.group_by("period"):
        over = sum((i.first_bs_listing_month or 999912) <= (period + 1) * 100 + 3 for i in listed)
        keys_listed = [i.ingredient_key for i in listed if (i.first_bs_listing_month or 999912) <= (period + 1) * 100 + 3]
        part = part.filter(pl.col("ingredient_key").is_in(keys_listed))
        count = part.filter(pl.col("share_ratio") >= 0.8).height
        kpi += [
            {"population_kind": "all", "population_key": "all", "place_level": "nation", "place_key": "all", "geography": "facility_of_use",
             "period_kind": "fiscal_year", "period": period, "denominator_kind": kind, "ingredient_count": number,
             "reached_ingredient_count": count, "kpi_ratio": Decimal(count) / number}
            for kind, number in (("listed", over), ("used", part.height))
        ]  # fmt: skip
    saving = summed.filter((pl.col("saving_quantity") > 0) | (pl.col("uncomputable") > 0)).select(
        *keys, pl.when(pl.col("period") % 10000 >= 2026).then(pl.lit("2026-04")).otherwise(pl.lit("2025-04")).alias("price_vintage"),
        pl.col("saving_quantity").cast(pl.Decimal(24, 6)).alias("quantity"), pl.col("saving").cast(pl.Decimal(24, 6)).alias("saving_yen"),
        pl.col("uncomputable").cast(pl.Decimal(24, 6)).alias("uncomputable_quantity"), "months_in_period",
    )  # fmt: skip
    completeness = [
        {"insurer_number": number, "claim_month": wording.add_months(FIRST, m + 1), "claim_kind": kind, "is_expected": True,
         "status": "missing" if (number, m, kind) == (numbers[2], 5, "pha") else "arrived",
         "status_ja": "未着" if (number, m, kind) == (numbers[2], 5, "pha") else "受領済", "receipt_count": 100, "line_count": 1000,
         "quarantine_line_count": int(m == 3), "drug_line_count": 300, "unknown_drug_line_count": 0}
        for number, m, kind in product(numbers, range(MONTHS), ("med", "pha"))
    ]  # fmt: skip
    ndb = [
        {"fiscal_year": 2022 + (k % 2), "place_level": "nation", "place_key": "all", "setting": "all", "ingredient_key": i.ingredient_key,
         "share_ratio": Decimal(min(90, 10 + 5 * k)) / 100}
        for k, i in enumerate(listed) if k != 12
    ]  # fmt: skip
    dim = [
        {"ingredient_key": i.ingredient_key, "ingredient_ja": i.ingredient_ja, "first_bs_listing_month": i.first_bs_listing_month,
         "is_in_kpi_denominator": i.is_in_kpi_denominator} for i in ingredients
    ] + [{"ingredient_key": "all", "ingredient_ja": "全成分", "first_bs_listing_month": None, "is_in_kpi_denominator": False}]  # fmt: skip
    words = ("measure_key", "name_ja", "definition_ja", "convention_ja", "unit", "n_ja", "price_ja", "data_ja")
    measures = pl.DataFrame([measure.model_dump(include=set(words)) for measure in config.measures(Settings(config=CONFIG)).values()])
    return {
        "fct_biosimilar_share": share, "fct_biosimilar_kpi": pl.DataFrame(kpi), "fct_saving_realised": saving,
        "fct_completeness": pl.DataFrame(completeness), "fct_ndb_share": pl.DataFrame(ndb), "dim_ingredient": pl.DataFrame(dim),
        "dim_measure": measures,
    }  # fmt: skip


@pytest.fixture(scope="session")
def demo_config() -> Settings:
    return Settings(config=CONFIG)


@pytest.fixture(scope="session")
def invented(demo_config) -> dict[str, pl.DataFrame]:
    return invented_marts(config.insurers(demo_config))
