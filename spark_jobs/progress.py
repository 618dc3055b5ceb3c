"""What a person sees while work goes on: on standard error, so that results can be piped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    start = time.perf_counter()
    console.print(f"[bold]{name}[/bold] …")
    yield
    console.print(f"[green]✓[/green] {name} [dim]{time.perf_counter() - start:.0f} s[/dim]")
