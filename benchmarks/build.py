"""What `lake build` costs: over growing claims, by folder of models, and for one new month on a history. Start of Spark included."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files import Consortium
from benchmarks.lake import Lake, by_table

MEMBERS = 3000  # the demo's
GROWTH = (1, 4, 16)
MONTHS = 24
HISTORIES = (12, 24, 36)


@dataclass(frozen=True)
class Built:
    """One `lake build`, as dbt recorded it."""

    models: int
    seconds_of_folder: dict[str, float]  # a folder of models, or `tests` → sum over its nodes, two of which run at a time
    seconds: float  # dbt's own clock, from its first node to its last

    @classmethod
    def of(cls, lake: Lake) -> "Built":
        target = lake.home / "dbt"
        found = json.loads((target / "run_results.json").read_text())
        nodes = json.loads((target / "manifest.json").read_text())["nodes"]
        folders: dict[str, float] = defaultdict(float)
        models = 0
        for result in found["results"]:
            node = nodes.get(result["unique_id"])  # null = an exposure
            if node is None:
                continue
            is_model = node["resource_type"] == "model"
            models += is_model
            folders["/".join(Path(node["path"]).parts[:-1]) if is_model else "tests"] += result["execution_time"]
        return cls(models, dict(folders), found["elapsed_time"])


def growth(data: Path) -> list[str]:
    """A build of all models and their tests over 1, 4, 16 times the members."""
    rows, folders = [], dict[int, dict[str, float]]()
    for factor in GROWTH:
        files = Consortium(data, MEMBERS * factor, MONTHS)
        lake = _lake(data)
        _take_in(lake, files, files.months)
        done = lake.run("build")
        built = Built.of(lake)
        folders[factor] = built.seconds_of_folder
        rows.append(
            f"| {factor}× | {MEMBERS * factor:,} | {lake.claims():,} | {done.seconds:,.0f} | {built.seconds:,.0f} | "
            f"{done.cpu_seconds:,.0f} | {done.peak_mb:,.0f} |"
        )
        lake.remove()
    names = sorted({name for found in folders.values() for name in found})
    by_folder = [f"| `{name}` | {' | '.join(f'{folders[factor].get(name, 0):,.0f}' for factor in GROWTH)} |" for name in names]
    return [
        "| Size | Members | Claims | s, whole process | s, dbt's clock | CPU s | Peak MB |", "|---|---|---|---|---|---|---|", *rows, "",
        "Seconds by folder of models, summed over nodes (two run at a time):", "",
        f"| Folder | {' | '.join(f'{factor}×' for factor in GROWTH)} |", f"|---|{'---|' * len(GROWTH)}", *by_folder,
    ]  # fmt: skip


def new_month(data: Path) -> list[str]:
    """The same last month on histories of 12, 24 and 36 months, each built before: time, and what is read of the history, by table."""
    files = Consortium(data, MEMBERS, max(HISTORIES) + 1)
    last, rows, of_table = files.months[-1], [], dict[int, dict[str, float]]()
    for months in HISTORIES:
        lake = _lake(data)
        for month in files.months[-1 - months : -1]:  # as it comes: one delivery and one ingest a month
            _take_in(lake, files, [month])
        lake.run("build")
        _take_in(lake, files, [last])
        before = lake.parquet_files()
        seen = lake.run("build", is_watched=True)
        read, read_mb = seen.opened_before(before)
        built = Built.of(lake)
        rows.append(
            f"| {months} | {seen.seconds:,.0f} | {built.seconds:,.0f} | {seen.cpu_seconds:,.0f} | {built.models} | {len(before):,} | "
            f"{read:,} | {read_mb:,.1f} |"
        )
        of_table[months] = lake.read_of_history(seen, before)
        lake.remove()
    return [
        "| Months before | s, whole process | s, dbt's clock | CPU s | Models built | Parquet files there | of them read | MB of those |",
        "|---|---|---|---|---|---|---|---|", *rows, "", *by_table(of_table),
    ]  # fmt: skip


def _lake(data: Path) -> Lake:
    lake = Lake(data / "work" / "build")
    lake.run("masters", "load", "shipped")
    return lake


def _take_in(lake: Lake, files: Consortium, months: list[str]) -> None:
    inbox = lake.place / months[-1]
    files.put(months, inbox)
    lake.take_in(inbox)
