"""Whole processes measured from outside: wall clock, processor time and peak memory of the process and all its children, files read.

Memory and processor time are sampled every 50 ms (what a child burns in its last 50 ms is missed; of those whose parent waited for them
the kernel's own sum is taken). Memory is the sum of the resident sets: pages shared between processes count more than once.
Files read are counted by inotify: each Parquet file below the folder that was opened for reading, once, with its whole size, the most
that can have been read of it.
"""

import ctypes
import os
import select
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05
IN_CLOSE_NOWRITE, IN_NONBLOCK = 0x10, 0o4000
EVENT = struct.Struct("iIII")


@dataclass
class Measured:
    """One process, from start to end."""

    command: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str
    opened: dict[Path, int] = field(default_factory=dict)  # Parquet file → bytes

    def opened_before(self, files: set[Path]) -> tuple[int, float]:
        """(number, MB) of those files that were there before."""
        old = [size for path, size in self.opened.items() if path in files]
        return len(old), sum(old) / 1e6


class FailedError(RuntimeError):
    """The process did not end well."""


def run(command: list[str], env: dict[str, str], watch: Path | None = None, may_end_with: tuple[int, ...] = (0,)) -> Measured:
    """Run the command to its end."""
    opened = Opened(watch) if watch else None
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sampler = Sampler(process.pid)
    output = process.stdout.read() if process.stdout else ""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.perf_counter() - start
    sampler.stop()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in may_end_with:
        raise FailedError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
    cpu = max(usage.ru_utime + usage.ru_stime, sampler.cpu_seconds)
    return Measured(" ".join(command), seconds, cpu, sampler.peak_bytes / 1e6, output, opened.stop() if opened else {})


class Sampler:
    """Looks at a process and its children until told to stop."""

    def __init__(self, pid: int):
        self.peak_bytes, self._cpu, self._is_over = 0, dict[int, float](), threading.Event()
        self._process = psutil.Process(pid)
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            total = 0
            try:
                for process in (self._process, *self._process.children(recursive=True)):
                    try:
                        with process.oneshot():
                            total += process.memory_info().rss
                            times = process.cpu_times()
                            self._cpu[process.pid] = times.user + times.system
                    except psutil.NoSuchProcess:
                        continue
            except psutil.NoSuchProcess:
                continue
            self.peak_bytes = max(self.peak_bytes, total)

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


class Opened:
    """Parquet files below a folder that somebody opened for reading and closed, from now on; folders made later are not watched."""

    def __init__(self, folder: Path):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(IN_NONBLOCK)
        self._folders: dict[int, Path] = {}
        self._names: set[Path] = set()
        for place in (folder, *(path for path in folder.rglob("*") if path.is_dir() and path.name != "_delta_log")):
            watch = self._libc.inotify_add_watch(self._fd, str(place).encode(), IN_CLOSE_NOWRITE)
            if watch < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(place))
            self._folders[watch] = place
        self._sizes = {path: path.stat().st_size for path in folder.rglob("*.parquet")}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over.is_set() or select.select([self._fd], [], [], 0)[0]:
            if select.select([self._fd], [], [], 0.1)[0]:
                events, at = os.read(self._fd, 2**20), 0
                while at < len(events):
                    watch, _, _, length = EVENT.unpack_from(events, at)
                    name = events[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0").decode()
                    if name.endswith(".parquet"):
                        self._names.add(self._folders[watch] / name)
                    at += EVENT.size + length

    def stop(self) -> dict[Path, int]:
        self._is_over.set()
        self._thread.join()
        os.close(self._fd)
        return {path: self._sizes[path] for path in self._names if path in self._sizes}
