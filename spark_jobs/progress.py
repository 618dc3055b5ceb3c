"""What a person sees while work goes on: on standard error, so that results can be piped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

console = Console(stderr=True, highlight=False)
SECONDS_BETWEEN_LINES = 10  # where nobody watches a terminal


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    start = time.perf_counter()
    console.print(f"[bold]{name}[/bold] …")
    yield
    console.print(f"[green]✓[/green] {name} [dim]{time.perf_counter() - start:.0f} s[/dim]")


class Advance(Protocol):
    def __call__(self, byte_count: int, receipt_count: int = 0) -> None:
        """So much more is done."""


@contextmanager
def files(total_bytes: int, out: Console = console) -> Iterator[Advance]:
    """`with progress.files(total) as advance: advance(bytes, receipts)`: rate and time left, as a bar or a line now and then."""
    yield from _bar(total_bytes, out) if out.is_terminal else _lines(total_bytes, out)


def _bar(total_bytes: int, out: Console) -> Iterator[Advance]:
    start, receipts = time.perf_counter(), 0
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(TextColumn(" "), *columns, console=out, transient=True) as bar:
        task = bar.add_task("", total=total_bytes, rate="")

        def advance(byte_count: int, receipt_count: int = 0) -> None:
            nonlocal receipts
            receipts += receipt_count
            bar.update(task, advance=byte_count, rate=f"{receipts / max(time.perf_counter() - start, 1e-3):,.0f} receipts/s")

        yield advance


def _lines(total_bytes: int, out: Console) -> Iterator[Advance]:
    start = told = time.perf_counter()
    done = receipts = 0

    def advance(byte_count: int, receipt_count: int = 0) -> None:
        nonlocal told, done, receipts
        done, receipts, now = done + byte_count, receipts + receipt_count, time.perf_counter()
        if now - told >= SECONDS_BETWEEN_LINES and done:
            told, seconds = now, now - start
            left = (total_bytes - done) * seconds / done
            out.print(
                f"  {done / 1e6:,.0f} of {total_bytes / 1e6:,.0f} MB, {done / 1e6 / seconds:,.1f} MB/s, "
                f"{receipts / seconds:,.0f} receipts/s, {left // 60:.0f} min {left % 60:.0f} s left"
            )

    yield advance
