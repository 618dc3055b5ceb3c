"""What stands in a lake, so that two lakes can be held against each other by content."""

from collections.abc import Collection
from pathlib import Path

import polars as pl
from upath import UPath

ROOM = ("landing", "bronze", "silver", "masters")  # ops tells who did what when: another run, other rows
OF_THE_RUN = ("recorded_at", "sealed_line")  # when it ran; sealing takes new random bytes each time


def contents(home: Path, rooms: Collection[str] = ROOM, without: Collection[str] = OF_THE_RUN) -> dict[str, pl.DataFrame]:
    """Each table that has rows, sorted by all its columns."""
    return contents_of(UPath(home / "warehouse"), rooms, without)


def contents_of(warehouse: UPath, rooms: Collection[str] = ROOM, without: Collection[str] = OF_THE_RUN) -> dict[str, pl.DataFrame]:
    """The same, wherever the tables are."""
    found = {}
    for log in sorted(warehouse.glob("*.db/*/_delta_log")):
        schema, name = log.parent.parent.name.removesuffix(".db"), log.parent.name
        if schema in rooms:
            rows = pl.read_delta(str(log.parent))
            rows = rows.select(sorted(set(rows.columns) - set(without)))
            if name == "delivery":
                rows = rows.drop("event_no", strict=False).unique()  # a rejected file that is delivered again is rejected again
            if rows.height:
                found[f"{schema}.{name}"] = rows.sort(rows.columns, nulls_last=True)
    return found


def differences(left: dict[str, pl.DataFrame], right: dict[str, pl.DataFrame]) -> list[str]:
    """By table: rows that only one side has (with how often), in numbers and the first one of each."""
    told = []
    for name in sorted({*left, *right}):
        if name not in left or name not in right:
            told.append(f"{name}: rows on one side only")
        elif not left[name].equals(right[name]):
            only_left, only_right = minus(left[name], right[name]), minus(right[name], left[name])
            told.append(
                f"{name}: {only_left.height} rows only left, {only_right.height} only right; {first(only_left)} / {first(only_right)}"
            )
    return told


def minus(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Rows of the left that the right has not, or less often."""
    columns = left.columns
    number = pl.int_range(pl.len()).over(columns).alias("ordinal")
    return left.with_columns(number).join(right.with_columns(number), on=[*columns, "ordinal"], how="anti", nulls_equal=True)


def first(rows: pl.DataFrame) -> dict:
    return {name: value for name, value in rows.row(0, named=True).items() if value is not None} if rows.height else {}
