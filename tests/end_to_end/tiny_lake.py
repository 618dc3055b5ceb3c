"""The small lake that the oracles and the end-to-end tests look at: made once per test session, in a process of its own, by the functions the CLI calls.

Run as a script (tests/conftest.py does): settings come from the environment, PLACE is an empty folder. What each step left behind goes to PLACE/steps.json.
"""

import json
import shutil
import sys
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

MEMBERS, LEAST_MEMBERS, BIOLOGIC_USE, SEED = 700, 60, 40.0, 7
FIRST_SERVICE_MONTH, MONTHS = 202410, 24  # over the price revisions of 2025-04 and 2026-04
LAST_CLAIM_MONTH = "202610"


def state(warehouse: Path) -> dict[str, dict]:
    """Each table of landing, bronze and silver: its Delta version, its rows, the sum of its rows' hashes, all and of the older claim months."""
    found = {}
    for log in sorted(warehouse.glob("*.db/*/_delta_log")):
        schema, name = log.parent.parent.name.removesuffix(".db"), log.parent.name
        if schema in ("landing", "bronze", "silver"):
            table = DeltaTable(log.parent)
            rows = pl.read_delta(table)
            older = rows.filter(pl.col("claim_month") < int(LAST_CLAIM_MONTH)) if "claim_month" in rows.columns else rows.clear()
            found[f"{schema}.{name}"] = {
                "version": table.version(), "rows": rows.height, "contents": contents(rows), "of_older_months": contents(older)
            }  # fmt: skip
    return found


def contents(rows: pl.DataFrame) -> int:
    """The same for the same rows in any order."""
    return sum(rows.select(sorted(rows.columns)).hash_rows().to_list()) % 2**64 if rows.height else 0


def main(place: Path) -> None:
    from spark_jobs import build, config, ingest, session, tables
    from spark_jobs.bronze import claim_line
    from spark_jobs.identity import keys
    from spark_jobs.landing import delivery
    from spark_jobs.masters import load
    from spark_jobs.publish import publication
    from spark_jobs.settings import Settings
    from spark_jobs.silver import batch
    from spark_jobs.synthetic import consortium

    settings, steps = Settings(), {}
    consortium.write(
        settings, place, members=MEMBERS, least_members=LEAST_MEMBERS, biologic_use=BIOLOGIC_USE,
        first_service_month=FIRST_SERVICE_MONTH, months=MONTHS, seed=SEED,
    )  # fmt: skip
    inbox, aside = place / "inbox", place / "aside"

    def put(months: list[Path], source: Path, target: Path) -> None:
        for month in months:
            (target / month.relative_to(source).parent).mkdir(parents=True, exist_ok=True)
            shutil.move(month, target / month.relative_to(source))

    def deliver() -> list[int]:
        made = [
            delivery.deliver(spark, settings, inbox / number, number) for number in config.insurers(settings) if (inbox / number).exists()
        ]
        return [sum(summary.received for summary in made), sum(summary.known for summary in made)]

    with session.hold_lake(settings, "test"):
        spark = session.start(settings)
        tables.create_all(spark)
        load.run(spark, settings, "shipped", None)
        keys.create(settings, None)

        put(sorted(inbox.glob(f"*/{LAST_CLAIM_MONTH}")), inbox, aside)
        steps["delivered"] = deliver()
        ingest.run(spark, settings)
        steps["older months in"] = state(settings.warehouse)

        older = sorted(inbox.glob("*/20*"))
        put(older, inbox, place / "away")  # whoever reads an older file now fails
        put(sorted(aside.glob("*/20*")), aside, inbox)
        steps["delivered the last month"] = deliver()
        ingest.run(spark, settings)
        steps["last month in"] = state(settings.warehouse)

        put(sorted((place / "away").glob("*/20*")), place / "away", inbox)
        steps["delivered all again"] = deliver()
        ingest.run(spark, settings)
        steps["all again in"] = state(settings.warehouse)

        files = [file for file in delivery.files(spark) if file.claim_month == int(LAST_CLAIM_MONTH)]
        claim_line.run(spark, settings, files)
        batch.run(spark, settings, files)
        steps["last month by force"] = state(settings.warehouse)

        steps["build"] = build.run(spark, settings)
        publication.run(settings, "demo")
    (place / "steps.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
