"""Processes that read receipts: the same rows as threads, errors in their own words, an end with their parent."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import polars as pl
import psutil
import pytest
from lakes import ROOT, lake_at

from spark_jobs import convert, delta, errors, ingest, session, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys
from spark_jobs.landing import delivery

INSURER = "06149900"
EXAMPLE = (Path(__file__).parents[1] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", INSURER)
PARENT = """
import os, sys, time
from spark_jobs import convert
from spark_jobs.settings import Settings
if __name__ == "__main__":
    with convert.executor(Settings(cores=2), convert.FOR_PROCESSES) as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def fail() -> None:
    raise LakeError("here", "this", "that", "Do so.", ExitCode.NOT_READY)


def of_process() -> tuple[int, int]:
    time.sleep(1)  # so that the others must take the others
    return os.getpid(), pl.thread_pool_size()


def test_each_process_has_one_thread_of_polars(tmp_path: Path) -> None:
    with convert.executor(lake_at(tmp_path).model_copy(update={"cores": 3}), convert.FOR_PROCESSES) as executor:
        found = [job.result() for job in [executor.submit(of_process) for _ in range(6)]]
    assert len({pid for pid, _ in found}) == 3 and {threads for _, threads in found} == {1}


def test_processes_read_the_same_as_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in convert.OF_PROCESS:
        monkeypatch.delenv(name, raising=False)
    for month in (202406, 202407, 202408):
        path = tmp_path / "inbox" / str(month) / "11_RECODEINFO_MED.CSV"
        path.parent.mkdir(parents=True)
        path.write_bytes(EXAMPLE.replace("202406", str(month)).encode("cp932"))
    found = []
    for least, name in ((2**40, "threads"), (0, "processes")):
        monkeypatch.setattr(convert, "FOR_PROCESSES", least)
        lake = lake_at(tmp_path / name, tmp_path / "secrets").model_copy(update={"cores": 2})
        keys.create(lake, INSURER)
        with session.hold_lake(lake, "test"):
            delivery.deliver(lake, tmp_path / "inbox", INSURER)
            assert ingest.run(lake).files == 3
        found.append([delta.read(lake, table).sort(table.key) for table in (tables.CLAIM_LINE, tables.CLAIM, tables.CLAIM_DRUG)])
    assert [rows.height for rows in found[0]] == [42, 1, 2]  # one claim, delivered three times
    assert all(left.equals(right) for left, right in zip(*found, strict=True))
    assert not convert.OF_PROCESS.keys() & os.environ.keys()


def test_an_error_of_a_process_comes_through_and_one_that_is_gone_is_explained(tmp_path: Path) -> None:
    settings = lake_at(tmp_path).model_copy(update={"cores": 2})
    with convert.executor(settings, convert.FOR_PROCESSES) as executor:
        with pytest.raises(LakeError, match="here: this; expected that") as raised:
            executor.submit(fail).result()
        assert raised.value.code == ExitCode.NOT_READY
        with pytest.raises(BrokenProcessPool) as broken:
            executor.submit(os._exit, 9).result()
    told = errors.explained(broken.value, tmp_path)
    assert told and told.code == ExitCode.MACHINE and "LAKE_CORES" in told.action


def test_processes_end_with_their_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    others = [child for child in psutil.Process(parent.pid).children(recursive=True) if child != worker]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs([worker, *others], timeout=20)
    assert not alive
