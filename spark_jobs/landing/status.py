"""`lake status`: insurer × claim month × kind, what arrived, what is in, what is missing, and what was found.

It answers at once, also while another command holds the lake.
"""

from collections import defaultdict

from rich import box
from rich.console import Console
from rich.table import Table

from spark_jobs import config, delta, tables
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import DeliveredFile
from spark_jobs.settings import Settings

FINDINGS_SHOWN = 50


def show(settings: Settings, console: Console) -> None:
    """Print the table of deliveries, then the findings with what to do."""
    files = delivery.files(settings)
    found = delta.read(settings, tables.DELIVERY_FINDING).sort("severity", "insurer_number", "file_sha256", "rule").to_dicts()
    if not files:
        console.print("nothing delivered yet: lake deliver PATH --insurer N")
        return
    console.print(deliveries(settings, files, found))
    by_key = {(file.insurer_number, file.file_sha256): file for file in files}
    for row in found[:FINDINGS_SHOWN]:
        file = by_key[row["insurer_number"], row["file_sha256"]]
        named = "" if file.file_path in row["found"] else f" {file.file_path}"  # findings of a delivery name the file themselves
        place = f"{file.insurer_number}{named}" + (f", line {row['line_no']}" if row["line_no"] else "")
        colour = "red" if row["severity"] == "stop" else "yellow"
        told = f"found {row['found']}; expected {row['expected']}. {row['action']}"
        console.print(f"[{colour}]{row['severity']}[/] {row['rule']}: {place}: {told}", highlight=False, soft_wrap=True)
    if len(found) > FINDINGS_SHOWN:
        console.print(f"… and {len(found) - FINDINGS_SHOWN} more in landing.delivery_finding")
    if not found:
        console.print("no findings")


def deliveries(settings: Settings, files: list[DeliveredFile], found: list[dict]) -> Table:
    """One row per insurer, claim month and kind, from the first month of the insurer to the last that anyone delivered."""
    insurers = config.insurers(settings)
    held: dict[tuple[str, int, str], list[DeliveredFile]] = defaultdict(list)
    for file in files:
        held[file.insurer_number, file.claim_month, file.claim_kind].append(file)
    months = sorted({file.claim_month for file in files if file.claim_month})
    expected = {
        (number, month, kind)
        for number, insurer in insurers.items()
        for month in months
        if month >= insurer.start_claim_month
        for kind in insurer.kinds
    }
    findings: dict[str, int] = defaultdict(int)
    for row in found:
        findings[row["file_sha256"]] += 1
    table = Table(title="Deliveries", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("保険者番号", "保険者", "請求年月", "kind", "arrived", "silver", "rejected", "found", ""):
        is_count = name in ("arrived", "silver", "rejected", "found")
        table.add_column(name, justify="right" if is_count else "left", no_wrap=name != "保険者")
    for key in sorted({*held, *expected}):
        number, month, kind = key
        of_key = held[key]
        rejected = sum(file.state == "rejected" for file in of_key)
        silver = sum(file.state == "silver" for file in of_key)
        arrived = len(of_key) - rejected
        state = "[red]missing[/]" if not arrived and key in expected else "" if silver == arrived else "[yellow]run lake ingest[/]"
        known = insurers.get(number)
        table.add_row(
            number, known.short_name_ja if known else "?", str(month or "?"), kind or "?", str(arrived), str(silver), str(rejected or ""),
            str(sum(findings[file.file_sha256] for file in of_key) or ""), state,
        )  # fmt: skip
    return table
