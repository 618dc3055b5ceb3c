"""What is measured, one function each: (title, lines of the page). The order of the runs is that of the lines."""

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import build, measure
from benchmarks.files import Files
from benchmarks.lake import Lake, by_table
from benchmarks.measure import Measured

HISTORIES = (1, 12, 36)
GROWTH = (1, 2, 4, 8)
WARM_UP_MONTHS = 2
PORT = 17077


@dataclass(frozen=True)
class Bench:
    """What the caller asked for."""

    data: Path
    megabytes: float
    baseline: Path
    rounds: int = 2

    @property
    def work(self) -> Path:
        return self.data / "work"


def files_to_silver(bench: Bench) -> list[str]:
    """`lake ingest` against a hand-written polars job on the same files, in turns."""
    files = Files(bench.data, bench.megabytes)
    if not bench.baseline.exists():
        return [f"Not run: there is no {bench.baseline.name} at the given place (`--baseline`)."]
    rows, speeds, baseline_speeds = [], [], []
    for no in range(1, bench.rounds + 1):
        lake = Lake(bench.work / "silver")
        mb = files.put(files.months, lake.inbox)
        deliver = lake.deliver()
        done = lake.run("ingest")
        speeds.append(mb / done.seconds)
        rows.append(f"| {no} | `lake ingest` | {of_run(mb, done)} |")
        rows.append(f"| {no} | (`lake deliver`, eight calls) | {mb:,.0f} | {deliver:,.1f} | {mb / deliver:,.1f} | | |")
        peer = measure.run([sys.executable, str(bench.baseline), str(lake.inbox), str(bench.work / "baseline")], {})
        said = json.loads(peer.output.strip().splitlines()[-1])
        baseline_speeds.append(mb / said["seconds"])
        rows.append(
            f"| {no} | polars baseline, its own clock | {mb:,.0f} | {said['seconds']:,.1f} | {mb / said['seconds']:,.1f} | "
            f"{peer.cpu_seconds:,.0f} | {peer.peak_mb:,.0f} |"
        )
        lake.remove()
        shutil.rmtree(bench.work / "baseline", ignore_errors=True)
    ratio = statistics.median(speeds) / statistics.median(baseline_speeds)
    return [
        "| Round | What | MB | s | MB/s | CPU s | Peak MB |", "|---|---|---|---|---|---|---|", *rows, "",
        f"**Ratio {ratio:.2f}** (medians of {bench.rounds} rounds; the lake's whole process, start included, against the baseline's own "
        "clock, start left out; the baseline writes five tables, no events, no quarantine, no corrections, raw lines in the clear).",
    ]  # fmt: skip


def growth(bench: Bench) -> list[str]:
    """Time and memory over 1, 2, 4, 8 parts of the same files."""
    files = Files(bench.data, bench.megabytes)
    step = len(files.months) // GROWTH[-1]
    lake = Lake(bench.work / "growth")
    lake.run("ingest")
    start = lake.run("ingest").seconds  # nothing new: what every call costs
    lake.remove()
    rows, points = [], []
    for factor in GROWTH:
        lake = Lake(bench.work / "growth")
        mb = files.put(files.months[: step * factor], lake.inbox)
        lake.deliver()
        done = lake.run("ingest")
        points.append((mb, done.seconds))
        rows.append(
            f"| {factor}× | {mb:,.0f} | {done.seconds:,.1f} | {mb / done.seconds:,.1f} | {done.cpu_seconds:,.0f} | {done.peak_mb:,.0f} |"
        )
        lake.remove()
    with_start, without = exponent(points), exponent([(mb, max(seconds - start, 0.01)) for mb, seconds in points])
    return [
        "| Size | MB | s | MB/s | CPU s | Peak MB |", "|---|---|---|---|---|---|", *rows, "",
        f"**Growth exponent {without:.2f}** (least squares on the logarithms, with the {start:.1f} s of a call that finds nothing new "
        f"taken off; {with_start:.2f} with them left in).",
    ]  # fmt: skip


def of_run(mb: float, done: Measured) -> str:
    return f"{mb:,.0f} | {done.seconds:,.1f} | {mb / done.seconds:,.1f} | {done.cpu_seconds:,.0f} | {done.peak_mb:,.0f}"


def exponent(points: list[tuple[float, float]]) -> float:
    """The power of size with which time grows."""
    x, y = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    return statistics.linear_regression(x, y).slope


def new_month(bench: Bench) -> list[str]:
    """The same last month on histories of 1, 12 and 36 months: time, and what is read of the history."""
    files = Files(bench.data, max(bench.megabytes / 2, 20))
    last = files.months[-1]
    rows, seconds, of_table = [], {}, dict[int, dict[str, float]]()
    for months in HISTORIES:
        history = files.months[-1 - months : -1]
        if len(history) < months:
            rows.append(f"| {months} | not run: {len(files.months)} months of files | | | | | | |")
            continue
        times = []
        lake = Lake(bench.work / "month")
        for month in history:  # as it comes: one delivery and one ingest a month
            files.put([month], lake.place / month)
            lake.take_in(lake.place / month)
        kept = bench.work / "history"
        for _ in range(bench.rounds):
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(lake.home, kept)
            mb = files.put([last], lake.inbox)
            lake.deliver()
            before = lake.parquet_files()
            seen = lake.run("ingest", is_watched=True)
            times.append(seen.seconds)
            read, read_mb = seen.opened_before(before)
            of_table[months] = lake.read_of_history(seen, before)
            made = len(lake.parquet_files() - before)
            shutil.rmtree(lake.inbox)
            shutil.rmtree(lake.home)
            kept.rename(lake.home)
        seconds[months] = statistics.median(times)
        read_of_it = f"{len(before):,} | {read} | {read_mb:,.2f} | {made}"
        rows.append(f"| {months} | {mb:,.1f} | {seconds[months]:,.2f} | {seen.cpu_seconds:,.1f} | {read_of_it} |")
        lake.remove()
    first, most = seconds[HISTORIES[0]], max(seconds.values())
    return [
        "| Months before | MB of the month | s | CPU s | Parquet files there | of them read | MB of those | Files made |",
        "|---|---|---|---|---|---|---|---|", *rows, "",
        f"**{most / first:.2f} × the time** at most, against one month of history (medians of {bench.rounds}).", "", *by_table(of_table),
    ]  # fmt: skip


def workers(bench: Bench) -> list[str]:
    """Standalone Spark, workers of one core each; the second ingest of one process, when Java and Python workers are warm."""
    files = Files(bench.data, bench.megabytes)
    rows, stages = [], {}
    for count in (1, 2):
        lake = Lake(bench.work / "workers")
        with Cluster(count, bench.work / "cluster", lake.env) as master:
            warm, measured = files.months[:WARM_UP_MONTHS], files.months[WARM_UP_MONTHS : len(files.months) // 2]
            files.put(warm, lake.place / "warm")
            mb = files.put(measured, lake.place / "measured")
            env = lake.env | {"LAKE_SPARK_MASTER": master, "LAKE_EVENT_LOG": str(lake.place / "events"), "SPARK_LOCAL_IP": "127.0.0.1"}
            done = measure.run(
                [sys.executable, "-m", "benchmarks.warm_ingest", str(lake.place / "warm"), str(lake.place / "measured")], env
            )
        said = json.loads(done.output.strip().splitlines()[-1])
        if not said["stage_seconds"]:
            return ["Not run: the ingest started no Spark stage (LAKE_SPARK_MASTER is not known to it)."]
        stages[count] = said["stage_seconds"]
        rows.append(f"| {count} | {mb:,.0f} | {said['stage_seconds']:,.1f} | {mb / said['stage_seconds']:,.1f} | {said['seconds']:,.1f} |")
        lake.remove()
    return [
        "| Workers of one core | MB | Warm stage s | MB/s in stages | Warm ingest s |", "|---|---|---|---|---|", *rows, "",
        f"**Two workers are {stages[1] / stages[2]:.2f} × one** on warm stage time (Spark's event log; the driver runs on the same cores).",
    ]  # fmt: skip


class Cluster:
    """A standalone master and workers from the installed PySpark, on this machine, for as long as the block. Each worker is bound to one
    core, with its executor and all their threads."""

    def __init__(self, workers: int, place: Path, env: dict[str, str]):
        import pyspark

        self.home, self.place, self.count = Path(pyspark.__file__).parent, place, workers
        self.url, self.started = f"spark://127.0.0.1:{PORT}", list[subprocess.Popen]()
        self.env = os.environ | env | {
            "SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_WORKER_DIR": str(place / "work"),
        }  # fmt: skip

    def __enter__(self) -> str:
        self.place.mkdir(parents=True, exist_ok=True)
        master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(PORT), "--webui-port", "0"]
        worker = [
            "org.apache.spark.deploy.worker.Worker",
            "--host",
            "127.0.0.1",
            "--cores",
            "1",
            "--memory",
            "3g",
            "--webui-port",
            "0",
            self.url,
        ]
        self._start("master", [], master, "Starting Spark master")
        for no in range(self.count):
            self._start(f"worker-{no}", ["taskset", "-c", str(no)], worker, "Successfully registered with master")
        return self.url

    def _start(self, name: str, bound: list[str], words: list[str], ready: str) -> None:
        log = self.place / f"{name}.log"
        with log.open("w") as out:
            self.started.append(
                subprocess.Popen([*bound, str(self.home / "bin" / "spark-class"), *words], env=self.env, stdout=out, stderr=out)
            )
        limit = time.monotonic() + 60
        while ready not in log.read_text(errors="replace"):
            if time.monotonic() > limit or self.started[-1].poll() is not None:
                self.__exit__()
                raise measure.FailedError(f"the {name} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(timeout=30)


MEASUREMENTS = {
    "files_to_silver": ("Files → silver, against a hand-written polars job", files_to_silver),
    "growth": ("Growth of time and memory", growth),
    "new_month": ("One new month on a history", new_month),
    "workers": ("Standalone Spark, one and two workers", workers),
    "build": ("Build of all models, over growing claims", lambda bench: build.growth(bench.data)),
    "build_month": ("Build of one new month on a history", lambda bench: build.new_month(bench.data)),
}
