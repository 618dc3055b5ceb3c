"""`make test-long`: the full counts in parts of at most 45 minutes, each in a pytest of its own.

A part that ended well at this commit is not run again: called again, the rest is done. Figures, commit and date go to docs/verification.md.

usage: long_run.py [--list] [--only PART …] [--again]
"""

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "verification.md"
BEGIN, END = "<!-- make test-long: begin -->", "<!-- make test-long: end -->"
LIMIT_SECONDS = 45 * 60
FUZZ, ORDER, KILLED = "tests/fuzz", "tests/end_to_end/test_any_order.py", "tests/end_to_end/test_killed.py"
RANDOM, FAULTS = "tests/oracles/test_random_consortia.py", "tests/oracles/test_faults.py"

SERVICES, LAKE_SERVER = "tests/end_to_end/test_region_on_services.py", "tests/end_to_end/test_lake_server.py"

APART = (FUZZ, ORDER, KILLED, RANDOM, FAULTS, SERVICES, LAKE_SERVER)


@dataclass(frozen=True)
class Part:
    what: str
    words: tuple[str, ...]


class Done(NamedTuple):
    """When and at which commit a part ended well, and its counts."""

    date: str
    commit: str
    result: str


PARTS = {
    **{f"fuzz-{no}": Part("mutated files", (FUZZ, "-m", "long", "-k", f"part{no}")) for no in range(5)},
    "order-1": Part("any order of deliveries", (ORDER, "-m", "long", "-k", " or ".join(f"[{seed}]" for seed in range(100, 115)))),
    "order-2": Part("any order of deliveries", (ORDER, "-m", "long", "-k", " or ".join(f"[{seed}]" for seed in range(115, 130)))),
    **{
        f"killed-{command}": Part(f"SIGKILL during lake {command}", (KILLED, "-m", "long", "-k", f"anywhere and {command}"))
        for command in ("deliver", "ingest", "maintain", "erase")
    },
    **{
        f"oracle-seeds-{no}": Part(
            "marts of random consortia",
            (RANDOM, "-m", "long", "-k", "recomputation and (" + " or ".join(f"[{seed}]" for seed in range(5 * no, 5 * no + 5)) + ")"),
        )
        for no in range(4)
    },
    **{
        f"sequence-{no}": Part("random deliveries, built step by step", (RANDOM, "-m", "long", "-k", f"sequence and [{no}]"))
        for no in range(3)
    },
    "faults": Part("deliberate faults", (FAULTS, "-m", "long")),
    "services": Part("a region through Airflow on real services", (SERVICES, "-m", "long")),
    "lake-server": Part("two clients at once, local files and S3", (LAKE_SERVER, "-m", "long")),
    "other": Part("other long tests", ("tests", "-m", "long and not airflow", *(f"--ignore={apart}" for apart in APART))),
    "jobs": Part("all short tests", ("-m", "not tiny_lake and not long and not airflow")),
    "tiny-lake": Part("the small whole lake", ("-m", "tiny_lake and not long")),
}


def main() -> int:
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--list", action="store_true", help="say what is done and what is left")
    arg.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arg.add_argument("--again", action="store_true", help="also what is done at this commit")
    given = arg.parse_args()
    now, done = commit(), read_page()
    if given.list:
        for name, part in PARTS.items():
            print(f"{name:16} {part.what:32} {done[name].result if is_done(done, name, now) else 'to do'}")
        return 0
    for name in given.only:
        if is_done(done, name, now) and not given.again:
            print(f"{name}: done at {now}", flush=True)
            continue
        print(f"{name}: {PARTS[name].what} …", flush=True)
        ended, result = run(PARTS[name])
        print(f"{name}: {result}", flush=True)
        if not ended:
            return 1
        done[name] = Done(time.strftime("%Y-%m-%d"), now, result)
        write_page(done)
    return 0


def is_done(done: dict[str, Done], name: str, now: str) -> bool:
    return name in done and done[name].commit == now and not now.endswith("+")


def run(part: Part) -> tuple[bool, str]:
    """(whether it ended well, its result in words)."""
    report, start = ROOT / ".pytest_cache" / "long.xml", time.perf_counter()
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *part.words]
    try:
        code = subprocess.run(command, cwd=ROOT, timeout=LIMIT_SECONDS).returncode
    except subprocess.TimeoutExpired:
        return False, f"not ended after {LIMIT_SECONDS // 60} minutes"
    took = f"{time.perf_counter() - start:,.0f} s"
    if code == 5:  # nothing was selected
        return True, "no such test"
    return code == 0, f"{words(report)}, {took}" if report.exists() else f"pytest ended with {code}, {took}"


def words(report: Path) -> str:
    """Counts of tests, and the sums of the figures that they recorded."""
    suite = ET.parse(report).getroot().find("testsuite")
    if suite is None:
        return "no report"
    bad, skipped = int(suite.get("failures", 0)) + int(suite.get("errors", 0)), int(suite.get("skipped", 0))
    counts = (
        [f"{int(suite.get('tests', 0)) - bad - skipped} passed"]
        + ([f"{bad} failed"] if bad else [])
        + ([f"{skipped} skipped"] if skipped else [])
    )
    figures: Counter[str] = Counter()
    for found in suite.iter("property"):
        figures[found.get("name", "")] += int(found.get("value", 0))
    return ", ".join([*counts, *(f"{value:,} {name}" for name, value in figures.items())])


def commit() -> str:
    """Short name of the commit; with + where code or tests were changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "spark_jobs", "tests", "dbt_project") else "")


def read_page() -> dict[str, Done]:
    """The rows of the table between the marks, by part."""
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: Done(*made) for name, _, *made in rows if name in PARTS}


def write_page(done: dict[str, Done]) -> None:
    """That table; the rest of the page is written by hand."""
    rows = [f"| {name} | {part.what} | {' | '.join(done[name])} |" for name, part in PARTS.items() if name in done]
    section = [BEGIN, "", "## `make test-long`", "", "| Part | What | Date | Commit | Result |", "|---|---|---|---|---|", *rows, "", END]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2] if rest else "\n"
    PAGE.write_text(before.rstrip("\n") + "\n\n" + "\n".join(section) + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
