"""A lake of two regions whose deliveries, marts and last build are written by hand: no Spark."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml
from deltalake import write_deltalake

from spark_jobs import build, delta, tables
from spark_jobs.settings import Settings
from spark_jobs.touched import later

ROOT = Path(__file__).resolve().parents[3]
TOKYO, OSAKA, CHIBA = "06139901", "06279905", "06129902"
FIRST_CLAIM_MONTH, LAST_SERVICE_MONTH = 202411, 202510


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """Region first (wave 1: Tokyo, Osaka) compared with second (wave 2: Chiba)."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    (folder / "regions" / "demo.yaml").unlink()
    for key, wave, numbers, compared in (("first", 1, [TOKYO, OSAKA], ["second"]), ("second", 2, [CHIBA], [])):
        region = {
            "region_key": key, "name_ja": "見本地域", "place_level": "prefecture", "place_keys": ["13"], "insurers": numbers, "wave": wave,
            "ingredients": ["infliximab", "insulin_glargine"], "comparison_regions": compared,
        }  # fmt: skip
        (folder / "regions" / f"{key}.yaml").write_text(yaml.safe_dump(region, allow_unicode=True), encoding="utf-8")
    settings = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=folder)
    delta.create_all(settings)
    return settings


@pytest.fixture
def arrive(place: Settings) -> Callable[..., None]:
    """Every kind of an insurer's file for so many 請求年月 is in silver."""

    def arrive(number: str, months: int = 12, kinds=("med", "dpc", "den", "pha"), first: int = FIRST_CLAIM_MONTH) -> None:
        rows = [
            {"insurer_number": number, "file_sha256": f"{number}{later(first, m)}{kind}", "event_no": 1, "state": "silver", "file_name": "f",
             "file_path": "f", "claim_form": "insurer", "claim_kind": kind, "claim_month": later(first, m), "mismatch_rule": "keep",
             "file_bytes": 1, "recorded_at": datetime.now(UTC)}
            for m in range(months) for kind in kinds
        ]  # fmt: skip
        delta.append(place, tables.DELIVERY, rows)

    return arrive


@pytest.fixture
def build_marts(place: Settings) -> Callable[..., None]:
    """Marts of three insurers, and the record of their build from what is in the lake."""

    def build_marts(share: str = "0.25", last: int = LAST_SERVICE_MONTH) -> None:
        keys = [
            {"population_kind": "insurer", "population_key": number, "place_level": level, "place_key": at, "geography": "facility_of_use",
             "ingredient_key": ingredient, "setting": "all", "period_kind": kind, "period": last}
            for number in (TOKYO, OSAKA, CHIBA) for level, at in (("nation", "all"), ("prefecture", "13"), ("prefecture", "27"))
            for ingredient in ("all", "infliximab") for kind in ("month", "rolling_12")
        ]  # fmt: skip
        shares = [
            k
            | {
                "scope": "brand",
                "convention": "claims_units",
                "numerator": Decimal(25),
                "denominator": Decimal(100),
                "share_ratio": Decimal(share),
            }
            for k in keys
        ]
        savings = [
            k | {"price_vintage": "2025-04", "quantity": Decimal(25), "saving_yen": Decimal(1000), "uncomputable_quantity": None}
            for k in keys
        ]
        types = {"numerator": pl.Decimal(24, 6), "denominator": pl.Decimal(24, 6), "share_ratio": pl.Decimal(9, 8), "period": pl.Int32}
        frame = pl.DataFrame(shares).cast(types).with_columns(patient_count=pl.lit(30))  # type: ignore[arg-type]
        write_deltalake(place.table_path("marts.fct_biosimilar_share"), frame, mode="overwrite")
        types = {
            "quantity": pl.Decimal(24, 6),
            "saving_yen": pl.Decimal(24, 6),
            "uncomputable_quantity": pl.Decimal(24, 6),
            "period": pl.Int32,
        }
        write_deltalake(place.table_path("marts.fct_saving_realised"), pl.DataFrame(savings).cast(types), mode="overwrite")  # type: ignore[arg-type]
        inputs = build.Inputs.now(place)
        run = {"build_key": inputs.build_key, "code_key": inputs.code_key, "source_versions": json.dumps(inputs.versions)}
        delta.append(place, tables.BUILD_RUN, [run | {"recorded_at": datetime.now(UTC), "detail": ""}])

    return build_marts
