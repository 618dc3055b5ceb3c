"""Deliberate faults: each of them must turn an oracle red, or the oracle proves nothing.

A copy of the project gets one fault, makes the small lake's marts (or, for a fault in Python, the whole small lake) anew, and runs the oracles on it.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("spark_jobs", "dbt_project", "config", "tests", "pyproject.toml", "infra")
OF_DBT = ("catalog", "warehouse/intermediate.db", "warehouse/marts.db", "warehouse/staging.db", "dbt")


@dataclass(frozen=True)
class Fault:
    """`right` stands once in `file`; `wrong` in its place is the fault, and these oracles see it."""

    file: str
    right: str
    wrong: str
    oracles: tuple[str, ...] = ("test_marts_equal_recomputation.py",)

    @property
    def is_of_sql(self) -> bool:
        return self.file.startswith("dbt_project/")


STAGING, PRODUCT_MONTH = "dbt_project/models/staging", "dbt_project/models/intermediate/drugs/int_product_month.sql"
FAULTS = {
    "price of the wrong month": Fault(
        PRODUCT_MONTH, "and product.service_month = reference.service_month", "and reference.service_month = 202504"
    ),
    "unit factor left out": Fault(
        f"{STAGING}/stg_masters__biosimilar_product.sql", "{% if var('is_dose_converted_to_kit') -%}", "{% if false -%}"
    ),
    "SAME in the denominator": Fault(
        f"{STAGING}/stg_masters__biosimilar_product.sql", "when product_role = 'REF' then", "when product_role in ('REF', 'SAME') then"
    ),
    "mean of ratios": Fault(
        "dbt_project/models/marts/generics/fct_generic_share.sql", "sum(of_insurer.{{ measure }}) as {{ measure }},",
        "{% if measure == 'generic_quantity' %} avg(of_insurer.generic_quantity / nullif(of_insurer.substitutable_quantity, 0))"
        " * sum(of_insurer.substitutable_quantity) {% else %} sum(of_insurer.{{ measure }}) {% endif %} as {{ measure }},", ("test_generics.py",)
    ),
    "late claim forgotten": Fault(
        f"{STAGING}/stg_claims__claim.sql",
        "claim.known_to_claim_month = 999912",
        "claim.known_to_claim_month = 999912 and claim.claim_month - claim.service_month in (1, 89)",
    ),
    "JY ignored": Fault("spark_jobs/silver/final_line.py", "if kind == DELETE and at is not None:", "if target_place:\n            return\n        if kind == DELETE and at is not None:"),
    "pharmacy in place of the prescriber": Fault(
        f"{STAGING}/stg_claims__claim.sql",
        "case when claim.claim_kind = 'pha' then claim.prescriber_facility_code else claim.facility_code end",
        "claim.facility_code",
    ),
    "cap ignored": Fault("dbt_project/macros/payer_gain.sql", "least({{ rate }} * {{ cost }}, {{ fixed }} + greatest({{ cost }} - {{ threshold }}, 0) * 0.01)", "{{ rate }} * {{ cost }}", ("test_savings.py",)),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_a_place(name: str):
    fault = FAULTS[name]
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.right) == 1
    assert all((ROOT / "tests/oracles" / oracle).exists() for oracle in fault.oracles)


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_turns_an_oracle_red(tiny_lake: Path, tmp_path: Path, name: str):
    fault, project, place = FAULTS[name], tmp_path / "project", tmp_path / "tiny"
    project.mkdir()
    for part in NEEDED:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, project / part)
    file = project / fault.file
    file.write_text(file.read_text(encoding="utf-8").replace(fault.right, fault.wrong), encoding="utf-8")
    env = os.environ | {
        "PYTHONPATH": str(project), "LAKE_HOME": str(place / "home"), "LAKE_SECRETS": str(place / "secrets"), "LAKE_CONFIG": str(project / "config"),
        "LAKE_EVENT_LOG": str(place / "event_log"), "LAKE_DRIVER_MEMORY_GIB": "2", "TINY_LAKE": str(place),
    }  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, *words], cwd=project, env=env, capture_output=True, text=True)

    if fault.is_of_sql:
        shutil.copytree(tiny_lake, place, ignore=shutil.ignore_patterns("event_log"))
        for part in OF_DBT:
            shutil.rmtree(place / "home" / part, ignore_errors=True)
        run("-m", "spark_jobs.cli", "build")  # dbt's own tests may stop it: the marts stand by then
    else:
        place.mkdir()
        made = run("tests/end_to_end/tiny_lake.py", str(place))
        assert (place / "home/warehouse/marts.db").exists(), made.stderr[-3000:]
    found = run("-m", "pytest", "-q", "-x", *(f"tests/oracles/{oracle}" for oracle in fault.oracles))
    assert found.returncode == 1 and "failed" in found.stdout, found.stdout[-3000:]
