"""Runs `lake WORDS` in this process and kills it (SIGKILL) at the n-th step that changes something on disk; nothing of this is in the product.

usage: killer.py NUMBER before|after COUNT_FILE WORDS…    NUMBER 0: never; how many steps there were goes to COUNT_FILE

A step is a commit or another change of a table, a Parquet part, a file written, renamed or removed below LAKE_HOME or LAKE_SECRETS.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import deltalake
import deltalake.table
import deltalake.writer
import polars as pl
import pyarrow.parquet as pq

NUMBER, WHEN, COUNT_FILE = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
MAIN = os.getpid()
steps = 0


def counted(function: Callable) -> Callable:
    def step(*args, **kwargs):
        global steps
        if os.getpid() != MAIN:
            return function(*args, **kwargs)
        steps += 1
        is_it = steps == NUMBER
        if is_it and WHEN == "before":
            os.kill(MAIN, signal.SIGKILL)
        result = function(*args, **kwargs)
        if is_it:
            os.kill(MAIN, signal.SIGKILL)
        return result

    return step


def count(owner: object, *names: str) -> None:
    for name in names:
        if hasattr(owner, name):
            setattr(owner, name, counted(getattr(owner, name)))


def count_static(owner: type, *names: str) -> None:
    for name in names:
        setattr(owner, name, staticmethod(counted(getattr(owner, name))))


write = counted(deltalake.write_deltalake)
deltalake.write_deltalake = deltalake.writer.write_deltalake = write
count(deltalake.DeltaTable, "delete", "update", "create_write_transaction", "restore", "vacuum", "create_checkpoint", "cleanup_metadata")
count_static(deltalake.DeltaTable, "create")
count(deltalake.table.TableOptimizer, "compact", "z_order")
count(deltalake.table.TableMerger, "execute")
count(deltalake.table.TableAlterer, "add_columns", "set_column_metadata", "set_table_properties", "set_table_description")
count(pl.DataFrame, "write_parquet", "write_delta")
count(pl.LazyFrame, "sink_parquet", "sink_delta")
count(pq, "write_table")
count(pq.ParquetWriter, "write_table", "write_batch", "close")
count(Path, "write_text", "write_bytes", "rename", "replace", "unlink")
count(os, "rename", "replace")

if __name__ == "__main__":
    from spark_jobs import cli

    sys.argv = ["lake", *sys.argv[4:]]
    try:
        cli.main()
    finally:
        with COUNT_FILE.open("w") as file:
            file.write(str(steps))
