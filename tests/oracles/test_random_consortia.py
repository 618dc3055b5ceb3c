"""The marts of consortia drawn from a seed equal their recomputation, row by row, whatever insurers, months, habits and forms are drawn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEDS, SEQUENCES = range(20), range(3)
ORACLES = "fct or points or persons or quantities"  # those that ask for nothing that only the small whole lake has


def run(place: Path, *words: str | Path) -> subprocess.CompletedProcess:
    """A process of its own, on the lake at a place."""
    env = os.environ | {f"LAKE_{name.upper()}": str(place / name) for name in ("home", "secrets", "config", "event_log")}
    env |= {"PYTHONPATH": str(ROOT), "LAKE_DRIVER_MEMORY_GIB": "2", "TINY_LAKE": str(place)}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_the_marts_of_a_random_consortium_equal_their_recomputation(tmp_path: Path, seed: int):
    made = run(tmp_path, ROOT / "tests/oracles/random_lake.py", tmp_path, str(seed))
    assert made.returncode == 0, f"seed {seed}: {made.stderr[-5000:]}"
    held = run(tmp_path, "-m", "pytest", "-q", "-m", "not long", "-k", ORACLES, ROOT / "tests/oracles")
    assert held.returncode == 0, f"seed {seed}: {held.stdout[-5000:]}"


@pytest.mark.long
@pytest.mark.parametrize("seed", SEQUENCES)
def test_after_a_random_sequence_of_deliveries_all_is_as_if_all_were_built(tmp_path: Path, seed: int):
    made = run(tmp_path, ROOT / "tests/oracles/random_sequence.py", tmp_path, str(seed))
    assert made.returncode == 0, f"seed {seed}: {made.stderr[-5000:]}"
    found = json.loads((tmp_path / "said.json").read_text())
    assert found["tables"] > 20 and found["differ"] == [], found
    assert sum("insurers, months" in said for said in found["said"]) >= 3, "the builds were of all, not of what was touched"
