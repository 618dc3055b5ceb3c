"""`make bench`: measures, prints, and writes the section of docs/performance.md between its two marks.

usage: python -m benchmarks [--data FOLDER] [--mb 1000] [--baseline FILE] [--rounds 2] [--only NAME …] [--no-page]
"""

import argparse
import os
import platform
import shlex
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.lake import ROOT
from benchmarks.measurements import MEASUREMENTS, Bench

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
ABOUT = "Written by `make bench`. Each figure is of whole processes with their start, on a lake of its own."
BASELINE = ROOT.parent / "shared" / "bench" / "polars_baseline.py"


def main() -> None:
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--data", type=Path, default=ROOT / ".bench", help="files and lakes of the measurements; kept for the next call")
    arg.add_argument("--mb", type=float, default=1000, help="size of the 医科 files")
    arg.add_argument("--baseline", type=Path, default=BASELINE)
    arg.add_argument("--rounds", type=int, default=2)
    arg.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    arg.add_argument("--no-page", action="store_true", help="print only")
    given = arg.parse_args()
    bench = Bench(given.data.resolve(), given.mb, given.baseline.resolve(), given.rounds)
    bench.data.mkdir(parents=True, exist_ok=True)
    sections: dict[str, str] = {}
    for name in given.only:
        title, measurement = MEASUREMENTS[name]
        print(f"{title} …", flush=True)
        start = time.perf_counter()
        lines = measurement(bench)
        took = f"load {os.getloadavg()[0]:.1f} at the end, took {time.perf_counter() - start:,.0f} s"
        about = f"{time.strftime('%Y-%m-%d')}, commit {commit()}, {machine()}, {took}"
        body = "\n".join(lines)
        sections[title] = f"{body}\n\n`{command(name, given.mb, given.rounds)}`: {about}."
        print(f"{body}\n({about})\n", flush=True)
    if not given.no_page:
        write_page(sections)


def command(name: str, mb: float, rounds: int) -> str:
    return shlex.join(["make", "bench", f"BENCH=--only {name} --mb {mb:g} --rounds {rounds}"])


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "spark_jobs") else "")


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in cpu_info() if line.startswith("model name")), platform.machine())
    return f"{psutil.cpu_count()} cores ({model}), {psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}"


def cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write_page(sections: dict[str, str]) -> None:
    """Sections between the marks, by title: those measured now in place of theirs. The rest of the page is written by hand."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    held, _, after = rest.partition(END)
    parts = [part.partition("\n") for part in held.split("### ")[1:]]
    sections = {title: body.strip() for title, _, body in parts} | sections
    titles = [title for title, _ in MEASUREMENTS.values() if title in sections]
    page = "\n\n".join([BEGIN, ABOUT, *(f"### {title}\n\n{sections[title]}" for title in titles), END])
    PAGE.write_text(before.rstrip("\n") + "\n\n" + page + after, encoding="utf-8")


if __name__ == "__main__":
    main()
