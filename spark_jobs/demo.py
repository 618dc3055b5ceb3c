"""The whole chain on the invented consortium, through the same functions as anyone's own files."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from spark_jobs import build, config, ingest, session
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.masters import load
from spark_jobs.progress import console, step
from spark_jobs.publish import publication
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

REGION = "demo"
FIRST_SERVICE_MONTH, MONTHS = 202410, 24  # two price revisions inside: 2025-04 and 2026-04


def run(folder: Path, *, members: int, biologic_use: float, seed: int, out: Console = console) -> Path:
    """Invent receipts, deliver, ingest, build, publish; what is already there is skipped and said so. Returns the report's path."""
    settings = Settings()
    wanted: dict[str, Any] = {
        "members": members,
        "biologic_use": biologic_use,
        "first_service_month": FIRST_SERVICE_MONTH,
        "months": MONTHS,
        "seed": seed,
    }
    with session.hold_lake(settings, "demo"):
        with step("1/6 invent receipts"):
            if _is_written(folder, wanted):
                out.print("  skipped: the same receipts stand there already")
            else:
                consortium.write(settings, folder, **wanted)
        with step("2/6 official lists"):
            out.print(f"  {load.run(settings, 'shipped', None)}")
        with step("3/6 deliver"):
            keys.create(settings, None)
            received = known = 0
            for number in config.region(settings, REGION).insurers:
                summary = delivery.deliver(settings, folder / "inbox" / number, number)
                received, known = received + summary.received, known + summary.known
            out.print(f"  {received} files new, {known} known already (skipped)")
        with step("4/6 ingest"):
            out.print(f"  {ingest.run(settings)}")
        with step("5/6 build: shares, savings, completeness"):
            out.print(f"  {build.run(settings)}")
        with step("6/6 publish: PostgreSQL and report"):
            out.print(f"  {publication.run(settings, REGION)}")
    report = settings.reports / REGION / "report.html"
    out.print(f"\n[bold green]Report:[/bold green] {report}\n[bold]Log in as an insurer:[/bold] lake serve")
    return report


def _is_written(folder: Path, wanted: dict[str, Any]) -> bool:
    parameters = folder / "truth" / "parameters.json"
    if not parameters.exists():
        return False
    written = json.loads(parameters.read_text(encoding="utf-8"))
    return all(written.get(name) == value for name, value in wanted.items())
