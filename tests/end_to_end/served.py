"""`lake`, the services and an S3-compatible storage as other processes, on a lake of its own: place/lake, place/secrets; beside place config/, files/."""

import os
import re
import subprocess
import sys
import time
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


@contextmanager
def s3(log: Path) -> Iterator[dict[str, str]]:
    """A server of S3's interface with the empty bucket `lake`, while the block lasts: what every process must know of it."""
    import boto3

    with log.open("w") as said:
        server = subprocess.Popen([sys.executable, "-u", "-m", "moto.server", "-p", "0"], stdout=said, stderr=said)
    try:
        url = _url(server, log)
        boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x").create_bucket(
            Bucket="lake"
        )
        known = {
            "ENDPOINT_URL": url,
            "ACCESS_KEY_ID": "joint-office",
            "SECRET_ACCESS_KEY": "invented",
            "REGION": "us-east-1",
            "ALLOW_HTTP": "true",
        }
        yield {f"AWS_{name}": value for name, value in known.items()}
    finally:
        server.terminate()
        server.wait()


def _url(server: subprocess.Popen, log: Path) -> str:
    for _ in range(120):
        if found := re.search(r"Running on (http://\S+)", log.read_text()):
            return found[1]
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(log.read_text())
