"""`lake status`: insurer × claim month in one picture, what is missing by kind, and what was found.

It answers at once, also while another command holds the lake.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from spark_jobs import config, delta, tables
from spark_jobs.config import Insurer
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import DeliveredFile
from spark_jobs.settings import Settings

FINDINGS_SHOWN = 50
SYMBOLS = {  # state of an insurer's month → symbol, colour
    "complete": ("●", "green"),
    "in part": ("◐", "yellow"),
    "missing": ("○", "red"),
    "rejected": ("×", "red"),
    "not expected": ("·", "dim"),
}
MONTH_WIDTH, NAMES_WIDTH = 4, 32

Key = tuple[str, int, str]  # insurer, claim month, kind


def show(settings: Settings, console: Console) -> None:
    """Print the picture, what is not there by kind, then the findings with what to do."""
    files = delivery.files(settings)
    found = delta.read(settings, tables.DELIVERY_FINDING).sort("severity", "insurer_number", "file_sha256", "rule").to_dicts()
    if not files:
        console.print("nothing delivered yet: lake deliver PATH --insurer N")
        return
    insurers = config.insurers(settings)
    states = kind_states(insurers, files)
    months = sorted({month for _, month, _ in states if month})
    for part in _batches(months, max(12, (console.width - NAMES_WIDTH) // MONTH_WIDTH)):
        console.print(picture(insurers, states, part))
    console.print("  ".join(f"[{colour}]{symbol}[/] {state}" for state, (symbol, colour) in SYMBOLS.items()), highlight=False)
    for line in by_kind(insurers, states):
        console.print(line, highlight=False, soft_wrap=True)
    by_key = {(file.insurer_number, file.file_sha256): file for file in files}
    for row in found[:FINDINGS_SHOWN]:
        file = by_key.get((row["insurer_number"], row["file_sha256"]))  # none: no receipt file
        named = "" if file is None or file.file_path in row["found"] else f" {file.file_path}"  # other findings name the file themselves
        place = f"{row['insurer_number']}{named}" + (f", line {row['line_no']}" if row["line_no"] else "")
        colour = "red" if row["severity"] == "stop" else "yellow"
        told = f"found {row['found']}; expected {row['expected']}. {row['action']}"
        console.print(f"[{colour}]{row['severity']}[/] {row['rule']}: {place}: {told}", highlight=False, soft_wrap=True)
    if len(found) > FINDINGS_SHOWN:
        console.print(f"… and {len(found) - FINDINGS_SHOWN} more in landing.delivery_finding")
    if not found:
        console.print("no findings")


def kind_states(insurers: dict[str, Insurer], files: list[DeliveredFile]) -> dict[Key, str]:
    """State of each insurer, claim month and kind that was delivered or is expected.

    Expected: from the first month that anyone delivered (or the insurer's first) to the last. In part: `lake ingest` has not taken all
    of it yet; rejected: nothing of it was taken.
    """
    states: dict[Key, set[str]] = defaultdict(set)
    for file in files:
        states[file.insurer_number, file.claim_month, file.claim_kind].add(file.state)
    delivered = {file.claim_month for file in files if file.claim_month}
    month = min(delivered, default=0)
    while delivered and month <= max(delivered):
        for insurer in insurers.values():
            if month >= insurer.start_claim_month:
                for kind in insurer.kinds:
                    states[insurer.insurer_number, month, kind] |= set()
        month = month_after(month)
    return {key: _state(of_key) for key, of_key in sorted(states.items())}


def _state(of_files: set[str]) -> str:
    if of_files & set(delivery.OPEN):
        return "in part"
    if of_files - set(delivery.CLOSED) - {"superseded"}:
        return "complete"
    return "rejected" if "rejected" in of_files else "missing"


def picture(insurers: dict[str, Insurer], states: dict[Key, str], months: Iterable[int]) -> Table:
    """One row per insurer, one column per claim month, all kinds in one symbol."""
    table = Table(title="Deliveries by 請求年月", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("保険者番号", no_wrap=True)
    table.add_column("保険者", no_wrap=True, max_width=NAMES_WIDTH - 11)
    months = list(months)
    for no, month in enumerate(months):
        is_first = no == 0 or month % 100 == 1
        table.add_column(f"{month // 100 % 100:02}\n{month % 100:02}" if is_first else f"\n{month % 100:02}", min_width=2)
    for number in sorted({number for number, month, _ in states if month}):
        name = insurers[number].short_name_ja if number in insurers else "?"
        table.add_row(number, name, *(_symbol({s for (n, m, _), s in states.items() if (n, m) == (number, month)}) for month in months))
    return table


def _symbol(of_kinds: set[str]) -> str:
    state = of_kinds.pop() if len(of_kinds) == 1 else "in part" if of_kinds else "not expected"
    symbol, colour = SYMBOLS[state]
    return f"[{colour}]{symbol}[/]"


def by_kind(insurers: dict[str, Insurer], states: dict[Key, str]) -> Iterator[str]:
    """A line per insurer, kind and state that is not complete, its months as spans."""
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for (number, month, kind), state in states.items():
        if state != "complete":
            found[number, kind, state].append(month)
    for (number, kind, state), months in found.items():
        name = insurers[number].short_name_ja if number in insurers else "?"
        todo = {"in part": ": run lake ingest", "missing": ": ask the insurer", "rejected": ": see below"}[state]
        yield f"[{SYMBOLS[state][1]}]{state}[/] {number} {name} {kind or 'unknown kind'} {', '.join(spans(months))}{todo}"


def spans(months: list[int]) -> list[str]:
    """Months that follow each other as first-last."""
    found: list[list[int]] = []
    for month in sorted(months):
        if found and month_after(found[-1][-1]) == month:
            found[-1] = [found[-1][0], month]
        else:
            found.append([month])
    return ["-".join(map(str, span)) if span != [0] else "unknown month" for span in found]


def month_after(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89


def _batches(months: list[int], size: int) -> Iterator[list[int]]:
    yield from (months[first : first + size] for first in range(0, len(months), size))
