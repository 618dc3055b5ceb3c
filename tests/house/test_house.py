"""The house's own rules: lock files, the one test command, setup messages. Each rule has a bad sample that it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def lock_faults(text: str) -> list[str]:
    """What a lock file must not hold: an address, a pin that is not exact, a pin without a hash."""
    faults = re.findall(r"\S*://\S+|--(?:extra-)?index-url\S*|--find-links\S*", text)
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.replace("\\\n", " "))
    for entry in (e.strip() for e in entries if e.strip() and not e.strip().startswith("#")):
        if not re.match(r"^[A-Za-z0-9._\[\],-]+==\S+", entry) or "--hash=sha256:" not in entry:
            faults.append(entry[:60])
    return faults


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.name)
def test_lock_file_is_exact_hashed_and_names_no_address(lock: Path):
    assert lock_faults(lock.read_text(encoding="utf-8")) == []


def test_there_are_three_lock_files():
    assert [lock.name for lock in LOCKS] == ["airflow.txt", "lake.txt", "uv.txt"]


@pytest.mark.parametrize(
    "bad",
    ["--index-url https://example.test/simple\nsix==1.0 --hash=sha256:ab", "six>=1.0 --hash=sha256:ab", "six==1.0"],
    ids=["address", "open pin", "no hash"],
)
def test_a_bad_lock_file_is_refused(bad: str):
    assert lock_faults(bad)


def test_ci_runs_the_test_command_of_the_readme_and_nothing_else():
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


def fake_java(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return folder


def test_setup_stops_at_a_wrong_java_with_one_line(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, ROOT / "infra" / "setup.py"],
        env={"JAVA_HOME": str(fake_java(tmp_path, "11.0.2")), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "setup: Java is 11; needed: 17 (Spark 4.2). Point JAVA_HOME to a Java 17 and call make again."


def test_lake_stops_at_a_wrong_java_with_one_line(tmp_path: Path):
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "lake", "build"],
        env={
            "JAVA_HOME": str(fake_java(tmp_path, "21.0.1")),
            "PATH": "/usr/bin:/bin",
            "LAKE_HOME": str(tmp_path / "lake"),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 5
    assert done.stderr.splitlines() == ["build …", "lake: Java: found 21; expected 17. Set JAVA_HOME to a Java 17."]
