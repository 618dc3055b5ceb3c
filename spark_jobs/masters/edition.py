"""Editions of an official list: each says what holds from its date on, until the next one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from spark_jobs import delta, input_file
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.tables import Table


def frame(table: Table, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows with the columns and types of their table."""
    return pl.DataFrame(pa.Table.from_pylist(list(rows), schema=delta.arrow_schema(table)))


def date_of(path: Path, given: date | None, titles: Iterable[str] = ()) -> date:
    """The date of an edition: as given, else of the file's name, else of the titles above the header. Never of the clock."""
    found = given or next(input_file.dates_in(path.stem), None) or next((day for text in titles for day in input_file.dates_in(text)), None)
    if found is None:
        raise LakeError(
            str(path), "no date in the file's name", "a name such as list_20260401.xlsx", "Rename it or give --date.", ExitCode.USAGE
        )
    return found


def close(editions: pl.DataFrame, scope: tuple[str, ...] = ()) -> pl.DataFrame:
    """Each row ends the day before the next edition (`source_date`) of its scope, or on the day that it names itself if that is earlier.

    An edition that comes late only shortens what stands before it, so the order of loading changes nothing.
    """
    following = (
        editions.select("source_date", *scope)
        .unique()
        .sort("source_date")
        .with_columns((pl.col("source_date").shift(-1).over(scope) if scope else pl.col("source_date").shift(-1)).alias("next"))
    )
    end = pl.min_horizontal("valid_to", pl.col("next").dt.offset_by("-1d"))
    return (
        editions.join(following, on=["source_date", *scope], how="left")
        .with_columns(end.alias("valid_to"))
        .filter(pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("valid_from")))
        .drop("next")
    )


def put(held: pl.DataFrame, new: pl.DataFrame, scope: tuple[str, ...] = ()) -> pl.DataFrame:
    """The editions held with a new one in its place."""
    key = ["source_date", *scope]
    return close(pl.concat([held.join(new.select(key).unique(), on=key, how="anti"), new]), scope)
