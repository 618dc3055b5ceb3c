"""Which published figures moved, and why: two versions of a mart, and what the builds in between had read."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from spark_jobs import delta, maintain, tables, touched
from spark_jobs.publish import figure_change, marts, serving
from tests.lakes import lake_at

TOKYO, OSAKA = "06139901", "06279905"
KEYS = {"place_level": "nation", "place_key": "all", "geography": "prescriber", "ingredient_key": "all", "setting": "all"}


def share(population: str, period: int, ratio: str, convention: str = "claims_units") -> dict:
    kind = {"all": "all", "kenpo": "insurer_kind"}.get(population, "insurer")
    period_kind = "month" if period > 9999 else "fiscal_year"
    key = {"population_kind": kind, "population_key": population, "period_kind": period_kind, "period": period, "convention": convention}
    return KEYS | key | {"share_ratio": Decimal(ratio)}


def build(settings, *rows: dict, code: str = "code") -> None:
    """The mart, and the record of its build."""
    frame = pl.DataFrame(list(rows)).cast({"share_ratio": pl.Decimal(9, 8), "period": pl.Int32})
    write_deltalake(settings.table_path("marts.fct_biosimilar_share"), frame, mode="overwrite")
    read = (*touched.FOLLOWED, tables.DRUG_PRICE, tables.BIOSIMILAR_PRODUCT)
    versions = {table.name: delta.version(settings, table) for table in read}
    run = {"build_key": "k", "code_key": code, "source_versions": json.dumps(versions), "recorded_at": datetime.now(UTC), "detail": ""}
    delta.append(settings, tables.BUILD_RUN, [run])


def publish(settings) -> tuple[str, dict[tuple, tuple]]:
    """What was said; (population, period, convention) → (before, now, causes) of the figures that moved."""
    said = figure_change.write(settings, marts.read(settings))
    versions = {name: mart.version for name, mart in marts.read(settings).items() if name != figure_change.NAME}
    figure_change.record(settings, versions, datetime.now(UTC))
    rows = marts.read(settings)[figure_change.NAME].frame()
    names = ("population_key", "period", "variant", "value_before", "value_now", "causes")
    return said, {
        (p, period, variant.removeprefix("convention=")): tuple(rest) for p, period, variant, *rest in rows.select(names).iter_rows()
    }


def claim(key: str, insurer: str, month: int, **more) -> dict:
    return {
        "claim_key": key,
        "insurer_number": insurer,
        "claim_month": 202506,
        "service_month": month,
        "known_to_claim_month": 999912,
    } | more


@pytest.fixture
def lake(tmp_path):
    settings = lake_at(tmp_path)
    delta.create_all(settings)
    delta.append(settings, tables.CLAIM, [claim("c1", TOKYO, 202503), claim("c2", OSAKA, 202504)])
    build(settings, share("all", 202504, "0.5"), share(TOKYO, 2024, "0.4"), share(OSAKA, 2025, "0.6"), share("all", 2025, "0.7", "value"))
    return settings


def test_first_publication_has_nothing_to_compare_with(lake):
    said, moved = publish(lake)
    assert said.startswith("first publication") and moved == {}
    assert publish(lake)[0].startswith("no figure moved")


def test_late_claims_and_corrections_are_told_apart_and_a_new_month_moved_nothing(lake):
    publish(lake)
    delta.append(lake, tables.CLAIM, [claim("c3", TOKYO, 202503), claim("c4", TOKYO, 202505)])
    delta.replace(lake, tables.CLAIM, [claim("c2", OSAKA, 202504, known_to_claim_month=202506)], {"insurer_number": [OSAKA]})
    build(lake, share("all", 202504, "0.55"), share(TOKYO, 2024, "0.45"), share("all", 2025, "0.7", "value"), share(TOKYO, 202505, "0.1"))
    said, moved = publish(lake)
    assert moved == {
        ("all", 202504, "claims_units"): (Decimal("0.5"), Decimal("0.55"), "correction"),
        (TOKYO, 2024, "claims_units"): (Decimal("0.4"), Decimal("0.45"), "late_claim"),
        (OSAKA, 2025, "claims_units"): (Decimal("0.6"), None, "correction"),
    }
    assert said.startswith("3 figures moved")


def test_a_price_moves_yen_and_a_rule_moves_all(lake):
    publish(lake)
    delta.append(lake, tables.DRUG_PRICE, [{"drug_code": "600000001", "price_yen": Decimal(1)}])
    rows = [share("all", 202504, "0.5"), share(TOKYO, 2024, "0.4"), share(OSAKA, 2025, "0.61"), share("all", 2025, "0.8", "value")]
    build(lake, *rows)
    causes = {key: row[2] for key, row in publish(lake)[1].items()}
    assert causes == {("all", 2025, "value"): "price", (OSAKA, 2025, "claims_units"): "unexplained"}
    build(lake, *[row | {"share_ratio": Decimal("0.3")} for row in rows], code="other")
    assert {row[2] for row in publish(lake)[1].values()} == {"rule"}


@pytest.mark.parametrize("mart", figure_change.FIGURES)
def test_every_key_of_a_figure_is_in_the_key_of_its_change(lake, mart):
    """Rows that differ in one key column of their mart are changes of their own."""
    keys, figure = serving.GRAIN[mart], figure_change.FIGURES[mart]
    row = {name: 2024 if name == "period" else "x" for name in keys}
    rows = [row, *(row | {name: 2025 if name == "period" else "y"} for name in keys)]

    def put(value: str) -> None:
        frame = pl.DataFrame([row | {figure: Decimal(value)} for row in rows]).cast({"period": pl.Int32})
        write_deltalake(lake.table_path(f"marts.{mart}"), frame, mode="overwrite", schema_mode="overwrite")

    put("0.1")
    publish(lake)
    put("0.2")
    publish(lake)
    changes = marts.read(lake)[figure_change.NAME].frame().filter(pl.col("mart") == mart)
    assert changes.height == len(rows) and not changes.select(figure_change.KEY).is_duplicated().any()


def test_a_published_version_outlives_maintenance(lake):
    publish(lake)
    build(lake, share("all", 202504, "0.55"))
    maintain.run(lake, keep_days=0)
    assert (("all", 202504, "claims_units")) in publish(lake)[1]
    comments = {
        field.name: field.metadata.get("comment") for field in DeltaTable(lake.table_path("marts.fct_figure_change")).schema().fields
    }
    assert comments == figure_change.COLUMNS
