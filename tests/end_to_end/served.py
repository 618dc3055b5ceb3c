"""`lake` and the services as another process would call them, on a lake of its own: place/lake, place/secrets, and beside place config/ and files/."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SERVICES = ROOT / "infra" / "services" / "services.py"


def environment(place: Path) -> dict[str, str]:
    return os.environ | {
        "LAKE_HOME": str(place / "lake"), "LAKE_SECRETS": str(place / "secrets"), "LAKE_CONFIG": str(place.parent / "config"),
        "LAKE_INBOX": str(place.parent / "files" / "inbox"), "LAKE_DRIVER_MEMORY_GIB": "2", "LAKE_SPARK": "[]",
    }  # fmt: skip


def begun(place: Path, *command: str | Path, **more: str) -> subprocess.Popen:
    """A process that runs while the test goes on."""
    return subprocess.Popen(
        list(map(str, command)), env=environment(place) | more, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen, wanted: int = 0) -> str:
    """What it said on standard output."""
    out, said = process.communicate()
    assert process.returncode == wanted, out + said
    return out


def call(place: Path, *command: str | Path, **more: str) -> str:
    return ended(begun(place, *command, **more))


def lake(place: Path, *words: str | Path, **more: str) -> str:
    return call(place, BIN / "python", "-m", "spark_jobs.cli", *words, **more)


@contextmanager
def services(place: Path, **more: str) -> Iterator[Path]:
    """All of them, while the block lasts."""
    if not (ROOT / ".venv-airflow").exists() or not (ROOT / ".jars").exists():
        pytest.skip("make setup-services was not run")
    try:
        call(place, BIN / "python", SERVICES, "start", **more)
        yield place
    finally:
        call(place, BIN / "python", SERVICES, "stop", **more)
