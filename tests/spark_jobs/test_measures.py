"""The measure registry (config/measures) and the dbt models say the same: every figure is registered, every registered figure exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_jobs import config
from spark_jobs.build import PROJECT
from spark_jobs.config import Measure
from spark_jobs.settings import Settings

# numbers that say which row or how much of it there is, not what is measured
ATTRIBUTES = {
    "period", "fiscal_year", "service_month", "claim_month", "months_in_period", "constant_price_month",
    "last_service_month", "due_service_month",
}  # fmt: skip
NUMBERS = ("int", "bigint", "decimal")


def models(project: Path = PROJECT) -> dict[str, dict[str, Any]]:
    """Marts by name, as the dbt yml declares them."""
    files = sorted((project / "models" / "marts").rglob("*.yml"))
    entries = [entry for file in files for entry in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])]
    return {entry["name"]: entry for entry in entries if entry["name"].startswith("fct_")}


def faults(measures: dict[str, Measure], marts: dict[str, dict[str, Any]], sql: dict[str, str]) -> list[str]:
    """What the registry says and no model does, or the other way round."""
    found = []
    registered: dict[str, set[str]] = {name: set() for name in marts}
    for measure in measures.values():
        mart = marts.get(measure.model)
        if measure.status == "planned":
            continue
        if mart is None:
            found.append(f"{measure.measure_key}: no model {measure.model}")
            continue
        columns = {column["name"] for column in mart["columns"]}
        for name in (measure.column, *measure.with_columns, *measure.where):
            if name not in columns:
                found.append(f"{measure.measure_key}: no column {measure.model}.{name}")
        described = {column["name"]: column["description"] for column in mart["columns"]}
        for name, value in measure.where.items():
            if f"'{value}'" not in sql[measure.model] and not re.search(rf"\b{value} ", described.get(name, "")):
                found.append(f"{measure.measure_key}: {measure.model}.{name} knows no {value}")
        if measure.convention and measure.convention not in measure.where.values():
            found.append(f"{measure.measure_key}: no row_filter by its convention {measure.convention}")
        registered[measure.model] |= {measure.column, *measure.with_columns}
    for name, mart in marts.items():
        figures = {column["name"] for column in mart["columns"] if column["data_type"].startswith(NUMBERS)}
        found += [f"{name}.{column}: in no measure" for column in sorted(figures - registered[name] - ATTRIBUTES)]
    return found


@pytest.fixture(scope="module")
def measures() -> dict[str, Measure]:
    return config.measures(Settings(config=PROJECT.parent / "config"))


@pytest.fixture(scope="module")
def sql() -> dict[str, str]:
    return {file.stem: file.read_text(encoding="utf-8") for file in (PROJECT / "models" / "marts").rglob("fct_*.sql")}


def test_registry_and_models_are_equal(measures, sql):
    assert faults(measures, models(), sql) == []


def test_no_model_has_a_figure_of_a_measure_that_is_said_to_be_planned(measures, sql):
    """A planned measure whose rows a model has is in use."""
    marts = models()
    built = [
        m.measure_key for m in measures.values()
        if m.status == "planned" and m.model in marts and m.column in {c["name"] for c in marts[m.model]["columns"]}
        and all(f"'{value}'" in sql[m.model] for value in m.where.values() if m.model in sql)
    ]  # fmt: skip
    assert built == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"model": "fct_gone"}, "no model fct_gone"),
        ({"column": "ratio"}, "no column fct_biosimilar_share.ratio"),
        ({"where": {"convention": "gram"}}, "fct_biosimilar_share.convention knows no gram"),
        ({"where": {}}, "no row_filter by its convention claims_units"),
        ({"with_columns": ["numerator", "denominator", "patient_count"]}, "fct_biosimilar_share.unpriced_quantity: in no measure"),
        ({"status": "planned"}, "fct_biosimilar_share.numerator: in no measure"),
    ],
)
def test_each_difference_is_found(measures, sql, change, fault):
    key = "biosimilar_quantity_share"
    assert fault in " | ".join(faults(measures | {key: measures[key].model_copy(update=change)}, models(), sql))
