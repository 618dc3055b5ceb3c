"""Deliberate faults: each of them must turn an oracle red, or the oracle proves nothing.

One process makes a small lake, sees that its oracles are green, and for each fault makes anew, from a copy of the project with the fault, only
the models between the fault and the mart that an oracle looks at; then it puts the tables back. A fault of the ingest makes silver anew.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import random_lake
from deltalake import DeltaTable
from test_random_consortia import ORACLES

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("spark_jobs", "dbt_project", "tests")
SEED, FIRST_MONTH = 15, 202406  # of random_lake.py; over a price revision, with returns, corrections, nine insurers


@dataclass(frozen=True)
class Fault:
    """`right` stands once in `file`; `wrong` in its place is the fault. `oracle` (under tests/oracles) sees it in what is made by `select` (of dbt)."""

    file: str
    right: str
    wrong: str
    oracle: str
    select: str = ""  # of a fault of SQL


STAGING, DRUGS = "dbt_project/models/staging", "dbt_project/models/intermediate/drugs"
SHARE, REALISED = "test_marts_equal_recomputation.py::test_fct_biosimilar_share", "test_savings.py::test_fct_saving_realised"
FAULTS = {
    "price of the wrong month": Fault(
        f"{DRUGS}/int_product_month.sql", "and product.service_month = reference.service_month",
        f"and reference.service_month = {FIRST_MONTH}", REALISED, "int_product_month+,+fct_saving_realised",
    ),
    "unit factor left out": Fault(
        f"{STAGING}/stg_masters__biosimilar_product.sql", "{% if var('is_dose_converted_to_kit') -%}", "{% if false -%}",
        SHARE, "stg_masters__biosimilar_product+,+fct_biosimilar_share",
    ),
    "SAME in the denominator": Fault(
        f"{STAGING}/stg_masters__biosimilar_product.sql", "when product_role = 'REF' then", "when product_role in ('REF', 'SAME') then",
        SHARE, "stg_masters__biosimilar_product+,+fct_biosimilar_share",
    ),
    "mean of ratios": Fault(
        "dbt_project/models/marts/generics/fct_generic_share.sql", "sum(of_insurer.{{ measure }}) as {{ measure }},",
        "{% if measure == 'generic_quantity' %} avg(of_insurer.generic_quantity / nullif(of_insurer.substitutable_quantity, 0))"
        " * sum(of_insurer.substitutable_quantity) {% else %} sum(of_insurer.{{ measure }}) {% endif %} as {{ measure }},",
        "test_generics.py::test_fct_generic_share", "fct_generic_share",
    ),
    "late claim forgotten": Fault(
        f"{STAGING}/stg_claims__claim.sql", "claim.known_to_claim_month = 999912",
        "claim.known_to_claim_month = 999912 and claim.claim_month - claim.service_month in (1, 89)",
        SHARE, "stg_claims__claim+,+fct_biosimilar_share",
    ),
    "returned claim counted": Fault(
        f"{STAGING}/stg_claims__claim.sql", "claim.known_to_claim_month = 999912", "true", SHARE, "stg_claims__claim+,+fct_biosimilar_share"
    ),
    "JY ignored": Fault(
        "spark_jobs/silver/final_line.py", "if kind == DELETE and at is not None:",
        "if target_place:\n            return\n        if kind == DELETE and at is not None:", "test_marts_equal_recomputation.py::test_claims_and_their_points",
    ),
    "pharmacy in place of the prescriber": Fault(
        f"{STAGING}/stg_claims__claim.sql", "case when claim.claim_kind = 'pha' then claim.prescriber_facility_code else claim.facility_code end",
        "claim.facility_code", SHARE, "stg_claims__claim+,+fct_biosimilar_share",
    ),
    "cap ignored": Fault(
        "dbt_project/macros/payer_gain.sql",
        "least({{ rate }} * {{ cost }}, {{ fixed }} + greatest({{ cost }} - {{ threshold }}, 0) * 0.01)", "{{ rate }} * {{ cost }}",
        REALISED, "int_payer_gain+,+fct_saving_realised",
    ),
    "use of a DPC bundle counted": Fault(
        f"{DRUGS}/int_drug_use.sql", "where bundle_kind is distinct from 'dpc'", "where true", SHARE, "int_drug_use+,+fct_biosimilar_share"
    ),
    "restricted biosimilar offered": Fault(
        "dbt_project/models/intermediate/savings/int_replacement_month.sql", "restricted.yj_code is null as is_available", "true as is_available",
        "test_savings.py::test_fct_saving_potential", "int_replacement_month+,+fct_saving_potential",
    ),
    "KPI over ingredients in use only": Fault(
        "dbt_project/models/marts/shares/fct_biosimilar_kpi.sql", "'counts', array(listed.ingredient_count, listed.esa_count,",
        "'counts', array(used.ingredient_count, listed.esa_count,", "test_kpi.py::test_fct_biosimilar_kpi", "fct_biosimilar_kpi",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_a_place(name: str):
    fault = FAULTS[name]
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.right) == 1
    assert bool(fault.select) == fault.file.startswith("dbt_project/")
    file, _, test = fault.oracle.partition("::")
    assert f"def {test}(" in (ROOT / "tests/oracles" / file).read_text(encoding="utf-8")


def test_the_lake_of_the_faults_begins_where_they_say():
    assert random_lake.draw(SEED).first_service_month == FIRST_MONTH


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Fault → whether its oracle turned red; the oracles are green without it."""
    place = tmp_path_factory.mktemp("faults")
    env = os.environ | {"PYTHONPATH": str(ROOT), "LAKE_DRIVER_MEMORY_GIB": "2", "TINY_LAKE": str(place / "lake")}
    done = subprocess.run([sys.executable, __file__, place], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((place / "red.json").read_text())


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_turns_an_oracle_red(red: dict[str, bool], name: str):
    assert red[name]


def main(place: Path) -> None:
    """Lake and faults below `place`; red.json says which were seen."""
    from spark_jobs import build, session

    settings = random_lake.main(place / "lake", SEED)
    if ended := pytest.main(["-q", "-m", "not long", "-k", ORACLES, "tests/oracles"]):
        sys.exit(f"the oracles are not green without a fault: {ended}")
    spark, right, red = session.start(settings), build.PROJECT, {}
    for name, fault in FAULTS.items():
        project = with_fault(fault, place / "project")
        if not fault.select:
            red[name] = is_silver_red(fault, project, place)
            continue
        before = versions(settings.warehouse)
        build.PROJECT = project / "dbt_project"
        build._dbt(settings, ["run", "--select", fault.select])
        red[name] = pytest.main(["-q", f"tests/oracles/{fault.oracle}"]) == pytest.ExitCode.TESTS_FAILED
        build.PROJECT = right
        build._dbt(settings, ["run", "--select", f"{fault.select},config.materialized:view"])
        for table, version in before.items() - versions(settings.warehouse).items():
            spark.sql(f"restore table delta.`{table}` to version as of {version}")
    (place / "red.json").write_text(json.dumps(red, indent=1))


def versions(warehouse: Path) -> dict[Path, int]:
    """Delta version of each table that dbt made."""
    logs = (log for schema in ("intermediate", "marts") for log in (warehouse / f"{schema}.db").glob("*/_delta_log"))
    return {log.parent: DeltaTable(log.parent).version() for log in logs}


def with_fault(fault: Fault, project: Path) -> Path:
    """A copy of the project with the fault."""
    shutil.rmtree(project, ignore_errors=True)
    for part in NEEDED:
        shutil.copytree(ROOT / part, project / part)
    file = project / fault.file
    file.write_text(file.read_text(encoding="utf-8").replace(fault.right, fault.wrong), encoding="utf-8")
    return project


def is_silver_red(fault: Fault, project: Path, place: Path) -> bool:
    """Silver of the same files, by the code with the fault; no marts."""
    other = place / "other"
    for part in ("inbox", "masters", "config"):
        (other / part).parent.mkdir(exist_ok=True)
        (other / part).symlink_to(place / "lake" / part)
    env = os.environ | {f"LAKE_{name.upper()}": str(other / name) for name in ("home", "secrets", "config")}
    env |= {"PYTHONPATH": str(project), "TINY_LAKE": str(other)}
    ingest = "import sys, pathlib, random_lake as r; r.only_take_in(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", ingest, other], cwd=project / "tests/oracles", env=env, check=True)
    held = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"tests/oracles/{fault.oracle}"], cwd=ROOT, env=env | {"PYTHONPATH": str(ROOT)}
    )
    return held.returncode == pytest.ExitCode.TESTS_FAILED


if __name__ == "__main__":
    main(Path(sys.argv[1]))
