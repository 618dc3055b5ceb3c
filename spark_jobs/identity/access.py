"""ops.access: who used what concerns persons, when, for what, how many. Append-only; never a name, a number or a pseudonym."""

import os
import pwd
from datetime import UTC, datetime

import polars as pl
from rich.console import Console
from rich.table import Table

from spark_jobs import delta, tables
from spark_jobs.settings import Settings


def record(
    settings: Settings, command: str, insurer_number: str | None, person_count: int | None, purpose: str = "", detail: str = ""
) -> None:
    """Add one use, before what it allows is done."""
    row = {
        "recorded_at": datetime.now(UTC),
        "os_user": os_user(),
        "command": command,
        "insurer_number": insurer_number,
        "person_count": person_count,
        "purpose": purpose,
        "detail": detail,
    }
    delta.append(settings, tables.ACCESS, [row])


def os_user() -> str:
    """Of the process, not of the environment, which anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return str(os.getuid())


def show(settings: Settings, insurer_number: str | None, out: Console) -> None:
    """The log as a table, newest first."""
    rows = delta.read(settings, tables.ACCESS, {"insurer_number": [insurer_number]} if insurer_number else None)
    table = Table("when", "who", "command", "insurer", "persons", "purpose", "detail")
    for row in rows.sort("recorded_at", descending=True).with_columns(pl.col("recorded_at").dt.strftime("%Y-%m-%d %H:%M:%S %Z")).to_dicts():
        table.add_row(*("" if row[name] is None else str(row[name]) for name in tables.ACCESS.column_names))
    out.print(table)
