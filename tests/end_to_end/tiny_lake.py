"""The small lake that the oracles and the end-to-end tests look at: made once per test session by the functions the CLI calls, and killed half way.

Run as a script (tests/conftest.py does): settings come from the environment, PLACE is an empty folder. What each step left behind goes to PLACE/steps.json.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import polars as pl
from deltalake import DeltaTable

if TYPE_CHECKING:
    from spark_jobs.settings import Settings

MEMBERS, LEAST_MEMBERS, BIOLOGIC_USE, SEED = 700, 60, 40.0, 7
FIRST_SERVICE_MONTH, MONTHS = 202502, 15  # over the price revisions of 2025-04 and 2026-04
LAST_CLAIM_MONTH = "202605"
KILLED_AFTER = "silver.claim_diagnosis"
STEPS = "steps.json"
DISEASES = {"2500013": "E14"}  # an invented 傷病名マスター (icd10_code by disease_code), so that some use has a known indication


def state(warehouse: Path) -> dict[str, dict]:
    """Each table of landing, bronze and silver: its Delta version, its rows, the sum of its rows' hashes, all and of the older claim months."""
    found = {}
    for log in sorted(warehouse.glob("*.db/*/_delta_log")):
        schema, name = log.parent.parent.name.removesuffix(".db"), log.parent.name
        if schema in ("landing", "bronze", "silver"):
            table = DeltaTable(log.parent)
            rows = pl.read_delta(table)
            older = rows.filter(pl.col("claim_month") < int(LAST_CLAIM_MONTH)) if "claim_month" in rows.columns else rows.clear()
            older = older.drop("known_to_claim_month", strict=False)  # a return or a re-claim of the last month ends an earlier state
            found[f"{schema}.{name}"] = {
                "version": table.version(), "rows": rows.height, "contents": contents(rows), "of_older_months": contents(older)
            }  # fmt: skip
    return found


def contents(rows: pl.DataFrame) -> int:
    """The same for the same rows in any order."""
    return sum(rows.select(sorted(rows.columns)).hash_rows().to_list()) % 2**64 if rows.height else 0


def put(months: list[Path], source: Path, target: Path) -> None:
    """Move folders inbox/<insurer>/<claim month>."""
    for month in months:
        (target / month.relative_to(source).parent).mkdir(parents=True, exist_ok=True)
        shutil.move(month, target / month.relative_to(source))


def begin(place: Path) -> None:
    """All months but the last, then the last; killed (by main) while the last is on its way into silver."""
    from datetime import date

    from spark_jobs import delta, ingest, session, tables
    from spark_jobs.identity import keys
    from spark_jobs.masters import load
    from spark_jobs.settings import Settings
    from spark_jobs.synthetic import consortium

    sys.path.append(str(Path(__file__).resolve().parents[1] / "oracles"))
    import supply_lists

    settings, steps, inbox = Settings(), {}, place / "inbox"
    consortium.write(
        settings, place, members=MEMBERS, least_members=LEAST_MEMBERS, biologic_use=BIOLOGIC_USE,
        first_service_month=FIRST_SERVICE_MONTH, months=MONTHS, seed=SEED,
    )  # fmt: skip
    supply_lists.write(place / "masters", Random(SEED), FIRST_SERVICE_MONTH, MONTHS)
    with session.hold_lake(settings, "test"):
        load.run(settings, "shipped")
        load.run(settings, "supply-status", place / "masters")
        diseases = [{"disease_code": code, "disease_name_ja": "傷病名", "icd10_code": icd10} for code, icd10 in DISEASES.items()]
        delta.append(settings, tables.DISEASE, [row | {"valid_from": date(2014, 4, 1)} for row in diseases])
        keys.create(settings, None)

        put(sorted(inbox.glob(f"*/{LAST_CLAIM_MONTH}")), inbox, place / "aside")
        steps["delivered"] = deliver(settings, inbox)
        ingest.run(settings)
        steps["older months in"] = state(settings.warehouse)

        put(sorted(inbox.glob("*/20*")), inbox, place / "away")  # whoever reads an older file now fails
        put(sorted((place / "aside").glob("*/20*")), place / "aside", inbox)
        steps["delivered the last month"] = deliver(settings, inbox)
        (place / STEPS).write_text(json.dumps(steps))
        ingest.run(settings)


def end(place: Path) -> None:
    """The lake found as the killed process left it: the last month, all again, the last month into silver by force, marts, serving, report."""
    from spark_jobs import build, ingest, session
    from spark_jobs.landing import delivery
    from spark_jobs.publish import publication
    from spark_jobs.settings import Settings
    from spark_jobs.silver import batch

    settings, steps, inbox = Settings(), json.loads((place / STEPS).read_text()), place / "inbox"
    steps["killed"] = state(settings.warehouse)
    with session.hold_lake(settings, "test"):
        ingest.run(settings)
        steps["last month in"] = state(settings.warehouse)

        put(sorted((place / "away").glob("*/20*")), place / "away", inbox)
        steps["delivered all again"] = deliver(settings, inbox)
        ingest.run(settings)
        steps["all again in"] = state(settings.warehouse)

        files = [file for file in delivery.files(settings) if file.claim_month == int(LAST_CLAIM_MONTH)]
        batch.run(settings, files)
        steps["last month by force"] = state(settings.warehouse)

        steps["build"] = build.run(settings)
        publication.run(settings, "demo")
    (place / STEPS).write_text(json.dumps(steps))


def deliver(settings: "Settings", inbox: Path) -> list[int]:
    """Files received and files known already, of all insurers."""
    from spark_jobs import config
    from spark_jobs.landing import delivery

    made = [delivery.deliver(settings, inbox / number, number) for number in config.insurers(settings) if (inbox / number).exists()]
    return [sum(summary.received for summary in made), sum(summary.known for summary in made)]


def main(place: Path) -> None:
    """`begin` in a process of its own, killed after it wrote one of the tables of silver, then `end` in another."""
    first = subprocess.Popen([sys.executable, __file__, str(place), "begin"], start_new_session=True)
    while first.poll() is None and not (place / STEPS).exists():
        time.sleep(0.1)
    if first.poll() is None:
        log = Path(os.environ["LAKE_HOME"], "warehouse", KILLED_AFTER.replace(".", ".db/"), "_delta_log")
        version = DeltaTable(log.parent).version()
        while first.poll() is None and not (log / f"{version + 1:020}.json").exists():
            time.sleep(0.02)
    if first.poll() is not None:
        sys.exit(f"ended with {first.returncode} before it could be killed")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    end(place)


if __name__ == "__main__":
    (begin if sys.argv[2:] == ["begin"] else main)(Path(sys.argv[1]))
