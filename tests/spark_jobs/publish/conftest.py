"""Invented marts with the columns of dbt_project/models/marts, summed from invented cells by other means than dbt (polars)."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import config
from spark_jobs.masters import shipped
from spark_jobs.publish.report import wording
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
             "reached_ingredient_count": count, "esa_ingredient_count": 2, "esa_reached_ingredient_count": 0,
             "kpi_ratio": Decimal(count) / number}
            for kind, number in (("listed", over), ("used", part.height))
        ]  # fmt: skip
    saving = _gains(summed.filter((pl.col("saving_quantity") > 0) | (pl.col("uncomputable") > 0)).select(
        *keys, pl.when(pl.col("period") % 10000 >= 2026).then(pl.lit("2026-04")).otherwise(pl.lit("2025-04")).alias("price_vintage"),
        pl.col("saving_quantity").cast(pl.Decimal(24, 6)).alias("quantity"), pl.col("saving").cast(pl.Decimal(24, 6)).alias("saving_yen"),
        pl.col("uncomputable").cast(pl.Decimal(24, 6)).alias("uncomputable_quantity"), "months_in_period",
    ))  # fmt: skip
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
    places = [
        {"place_level": "prefecture", "place_key": p.prefecture_code, "place_ja": p.prefecture_ja, "place_short_ja": p.prefecture_short_ja,
         "tile_column": p.tile_column, "tile_row": p.tile_row} for p in shipped.prefectures()
    ]  # fmt: skip
    breaks = [
        {"break_date": e.break_date, "break_month": e.break_date.year * 100 + e.break_date.month, "title_ja": e.title_ja, "title_en": e.title_en, "ingredient_key": key}
        for e in shipped.structural_breaks() for key in (e.ingredient_keys or "all").split(",")
    ]  # fmt: skip
    targets = [
        {"target_key": t.target_key, "name_ja": t.name_ja, "owner_kind": owner.owner_kind, "owner_key": owner.owner_key,
         "measure_key": t.measure_key, "value_ratio": t.value_ratio, "due_date": t.due_date, "valid_from": t.valid_from, "valid_to": t.valid_to}
        for owner in config.targets(Settings(config=CONFIG)).values() for t in owner.targets
    ]  # fmt: skip
    words = ("measure_key", "name_ja", "definition_ja", "convention_ja", "unit", "n_ja", "price_ja", "data_ja")
    measures = pl.DataFrame([measure.model_dump(include=set(words)) for measure in config.measures(Settings(config=CONFIG)).values()])
    return {
        "fct_biosimilar_share": share, "fct_biosimilar_kpi": pl.DataFrame(kpi), "fct_saving_realised": saving,
        "fct_completeness": pl.DataFrame(completeness), "fct_ndb_share": pl.DataFrame(ndb), "dim_ingredient": pl.DataFrame(dim),
        "dim_measure": measures, "dim_place": pl.DataFrame(places), "dim_structural_break": pl.DataFrame(breaks),
        "dim_target": pl.DataFrame(targets), "fct_figure_change": invented_changes(), "fct_generic_share": _generics(summed),
        "fct_reconciliation": _reconciled(share, ndb), "fct_saving_bundled": _bundled(summed), "fct_saving_potential": _potential(summed),
    }  # fmt: skip


def _gains(saving: pl.DataFrame) -> pl.DataFrame:
    """Insurers pay 70 % and gain 70 to 90 % of a saving; nothing is left undivided."""
    yen = pl.col("saving_yen")
    parts = {"nominal_insurer": "0.7", "nominal_patient": "0.3", "insurer_gain_low": "0.7", "insurer_gain_high": "0.9", "patient_gain_low": "0.1",
             "patient_gain_high": "0.3", "public_gain_low": "0", "public_gain_high": "0.1", "certain": "0.2", "undivided": "0",
             "constant_saving": "0.5"}  # fmt: skip
    split = {f"{name}_yen": (yen * Decimal(part)).cast(pl.Decimal(24, 6)) for name, part in parts.items()}
    return saving.with_columns(**split, gain_basis=pl.lit("interval"), constant_price_month=pl.lit(202604, pl.Int32))


def _potential(summed: pl.DataFrame) -> pl.DataFrame:
    """1,000 yen a unit of the reference: half of them can be reached at to_80, eight of ten at same_form_only, all at full."""
    base = summed.filter((pl.col("period_kind") == "fiscal_year") & (pl.col("total") > pl.col("bs")))
    found = []
    for key, part in (("to_80", "0.5"), ("same_form_only", "0.8"), ("full", "1")):
        cut = base.with_columns(quantity=((pl.col("total") - pl.col("bs")) * Decimal(part)).cast(pl.Decimal(24, 6)))
        yen = {
            name: (pl.col("quantity") * amount).cast(pl.Decimal(24, 6))
            for name, amount in (("saving_yen", 1000), ("nominal_insurer_yen", 700))
        }
        gains = {f"{payer}_gain_{end}_yen": (pl.col("quantity") * 800 if key == "full" else pl.lit(None)).cast(pl.Decimal(24, 6))
                 for payer in ("insurer", "patient", "public") for end in ("low", "high")}  # fmt: skip
        restricted = pl.when(pl.col("ingredient_key") == "etanercept").then(5).otherwise(0).cast(pl.Decimal(24, 6))
        found.append(cut.select(
            *[name for name in KEYS if name != "setting"], "population_kind", "population_key", "quantity", **yen, **gains,
            scenario_key=pl.lit(key), restricted_quantity=restricted, uncomputable_quantity=pl.lit(0).cast(pl.Decimal(24, 6)),
        ))  # fmt: skip
    return pl.concat(found)


def _generics(summed: pl.DataFrame) -> pl.DataFrame:
    """Of 1,000 units a patient, 820 are generics at the pharmacy, 790 with the hospitals."""
    base = summed.filter(pl.col("ingredient_key") == "all")
    found = []
    for scope, variant, generic in (("mhlw_insurer", "quantity", 790), ("dispensing_only", "quantity", 820),
                                    ("kyokai_with_dpc_coding", "quantity", 780), ("mhlw_insurer", "value", 400)):  # fmt: skip
        found.append(base.select(
            *[name for name in KEYS if name != "ingredient_key"], "population_kind", "population_key", "months_in_period",
            scope=pl.lit(scope), variant=pl.lit(variant), yakko_class_2=pl.lit("all"),
            numerator=(pl.col("patient_count") * generic).cast(pl.Decimal(24, 6)),
            denominator=(pl.col("patient_count") * 1000).cast(pl.Decimal(24, 6)), share_ratio=pl.lit(Decimal(generic) / 1000, pl.Decimal(9, 8)),
            is_month_of_official_figure=(pl.col("period_kind") == "month") & (pl.col("period") % 100).is_in([3, 9]),
            is_class_list_in_force=pl.col("period") != 2025,
        ))  # fmt: skip
    return pl.concat(found)


def _reconciled(share: pl.DataFrame, ndb: list[dict]) -> pl.DataFrame:
    """Our share beside the invented NDB."""
    ours = {(row["ingredient_key"], row["convention"]): row for row in share.filter(
        (pl.col("scope") == "brand") & (pl.col("population_kind") == "all") & (pl.col("place_level") == "nation")
        & (pl.col("geography") == "facility_of_use") & (pl.col("period_kind") == "fiscal_year") & (pl.col("period") == 2025)
    ).to_dicts()}  # fmt: skip
    official = [(row["ingredient_key"], "claims_units", "ndb", row["fiscal_year"], row["share_ratio"]) for row in ndb]
    official.append(("all", "value", "published", 2024, Decimal("0.337")))
    rows = [
        {"period_kind": "fiscal_year", "period": 2025, "place_level": "nation", "place_key": "all", "setting": "all", "ingredient_key": key,
         "convention": convention, "official_kind": kind, "share_ratio": ours[key, convention]["share_ratio"],
         "patient_count": ours[key, convention]["patient_count"], "official_fiscal_year": year, "official_share_ratio": ratio,
         "official_share_ratio_low": ratio, "official_share_ratio_high": ratio,
         "difference_point": 100 * (ours[key, convention]["share_ratio"] - ratio),
         "reasons_ja": f"年度が異なる（公式値は{year}年度）、参加保険者の加入者だけで地域全体ではない"}
        for key, convention, kind, year, ratio in official if (key, convention) in ours
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _bundled(summed: pl.DataFrame) -> pl.DataFrame:
    return summed.filter(pl.col("geography") == "facility_of_use").select(
        *[name for name in KEYS if name != "setting"], "population_kind", "population_key", "patient_count", "months_in_period",
        price_vintage=pl.lit("2025-04"), hospital_saving_yen=(pl.col("bs") * 10).cast(pl.Decimal(24, 6)),
    )  # fmt: skip


def invented_changes(*rows: dict) -> pl.DataFrame:
    """fct_figure_change; none, unless given."""
    keys = {"mart": "fct_biosimilar_share", "population_kind": "all", "population_key": "all", "place_level": "nation", "place_key": "all",
            "geography": "facility_of_use", "ingredient_key": "all", "setting": "all", "period_kind": "fiscal_year", "period": 2025,
            "variant": "scope=brand, convention=claims_units", "figure": "share_ratio", "causes": "late_claim", "causes_ja": "遅れて届いたレセプト",
            "published_before_at": datetime(2026, 10, 20, tzinfo=UTC)}  # fmt: skip
    values = {"value_before": Decimal("0.4"), "value_now": Decimal("0.5")}
    frame = pl.DataFrame([keys | values | row for row in rows or ({},)], schema_overrides=dict.fromkeys(values, pl.Decimal(38, 8)))
    return frame.cast({"period": pl.Int32}) if rows else frame.cast({"period": pl.Int32}).clear()


@pytest.fixture(scope="session")
def demo_config() -> Settings:
    return Settings(config=CONFIG)


@pytest.fixture(scope="session")
def invented(demo_config) -> dict[str, pl.DataFrame]:
    return invented_marts(config.insurers(demo_config))
