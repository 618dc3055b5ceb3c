"""A lake of its own for each measurement, worked by the `lake` command."""

import shutil
import sys
from collections import defaultdict
from pathlib import Path

import polars as pl

from benchmarks import measure
from benchmarks.measure import Measured
from spark_jobs import delta, ingest, session, tables
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings
from spark_jobs.silver.claim import STILL

ROOT = Path(__file__).resolve().parent.parent
LAKE = [sys.executable, "-m", "spark_jobs.cli"]


class Lake:
    """`place`/home, /secrets, /inbox; empty at first."""

    def __init__(self, place: Path):
        shutil.rmtree(place, ignore_errors=True)
        self.place, self.home, self.inbox = place, place / "home", place / "inbox"
        self.inbox.mkdir(parents=True)
        self.env = {"LAKE_HOME": str(self.home), "LAKE_SECRETS": str(place / "secrets"), "LAKE_CONFIG": str(ROOT / "config")}
        self.env |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        self.run("keys", "create")

    def run(self, *words: str, is_watched: bool = False) -> Measured:
        return measure.run([*LAKE, *words], self.env, self.home / "warehouse" if is_watched else None)

    def deliver(self, inbox: Path | None = None) -> float:
        """Every insurer's files; the seconds of all calls together."""
        folders = sorted(path for path in (inbox or self.inbox).iterdir() if path.is_dir())
        return sum(self.run("deliver", str(folder), "--insurer", folder.name).seconds for folder in folders)

    def take_in(self, inbox: Path) -> None:
        """Deliver and ingest without measuring, in this process: a history that something else is measured on."""
        with session.hold_lake(self.settings, "bench"):
            for folder in sorted(path for path in inbox.iterdir() if path.is_dir()):
                delivery.deliver(self.settings, folder, folder.name)
            ingest.run(self.settings)

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, secrets=self.place / "secrets", config=ROOT / "config")

    def claims(self) -> int:
        """Claims that are valid now, of all kinds."""
        valid = delta.scan(self.settings, tables.CLAIM, {"known_to_claim_month": {STILL}})
        return valid.select(pl.len()).collect().item()

    def parquet_files(self) -> set[Path]:
        return set((self.home / "warehouse").rglob("*.parquet"))

    def read_of_history(self, seen: Measured, before: set[Path]) -> dict[str, float]:
        """Table → MB of its data files of `before` that were opened."""
        read: dict[str, float] = defaultdict(float)
        for path in before & set(seen.opened):
            schema, name = path.relative_to(self.home / "warehouse").parts[:2]
            read[f"{schema.removesuffix('.db')}.{name}"] += seen.opened[path] / 1e6
        return read

    def remove(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)


def by_table(read: dict[int, dict[str, float]]) -> list[str]:
    """Lines of a page: MB of the history that were read, by table, of those that grow with its months (month count → table → MB)."""
    least, most = min(read), max(read)
    grown = {name: read[most].get(name, 0) - read[least].get(name, 0) for name in {name for found in read.values() for name in found}}
    names = [name for name, more in sorted(grown.items(), key=lambda item: -item[1]) if more > 0.005]
    return [
        "MB by table, of those that grow with the history:", "",
        f"| Table | {' | '.join(f'{months} months' for months in read)} |", f"|---|{'---|' * len(read)}",
        *(f"| `{name}` | {' | '.join(f'{found.get(name, 0):,.2f}' for found in read.values())} |" for name in names),
    ]  # fmt: skip
