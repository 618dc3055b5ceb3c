"""The marts of consortia drawn from a seed equal their recomputation, row by row, whatever insurers, months, habits and forms are drawn."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import random_lake

ROOT = Path(__file__).resolve().parents[2]
SEEDS, SEQUENCES = range(20), range(3)
ORACLES = "fct or points or persons or quantities"  # those that ask for nothing that only the small whole lake has
MINUTES = 20  # for a lake, among others


def run(place: Path, *words: str | Path) -> subprocess.CompletedProcess:
    """A process of its own, on the lake at a place."""
    env = os.environ | random_lake.environment(place)
    env |= {"PYTHONPATH": str(ROOT), "LAKE_DRIVER_MEMORY_GIB": "2", "TINY_LAKE": str(place)}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def lakes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Path]]:
    """The lake of a seed; those of all seeds that were asked for are made in turn, while the first are looked at."""
    place = tmp_path_factory.mktemp("lakes")
    wanted = [item.callspec.params["seed"] for item in request.session.items if request.fixturename in item.fixturenames]
    env = os.environ | {"PYTHONPATH": str(ROOT), "LAKE_DRIVER_MEMORY_GIB": "2"}
    with (place / "said.txt").open("w") as said:
        command = [sys.executable, ROOT / "tests/oracles/random_lakes.py", place, *map(str, wanted)]
        maker = subprocess.Popen(command, cwd=ROOT, env=env, stdout=said, stderr=said)

    def lake(seed: int) -> Path:
        until = time.monotonic() + MINUTES * 60
        while not (place / str(seed) / "made").exists():
            told = (place / "said.txt").read_text()[-5000:]
            assert maker.poll() is None and time.monotonic() < until, f"seed {seed}: {told}"
            time.sleep(0.5)
        return place / str(seed)

    yield lake
    maker.terminate()
    maker.wait()


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_the_marts_of_a_random_consortium_equal_their_recomputation(lakes: Callable[[int], Path], seed: int):
    held = run(lakes(seed), "-m", "pytest", "-q", "-m", "not long", "-k", ORACLES, ROOT / "tests/oracles")
    assert held.returncode == 0, f"seed {seed}: {held.stdout[-5000:]}"
    shutil.rmtree(lakes(seed))


@pytest.mark.long
@pytest.mark.parametrize("seed", SEQUENCES)
def test_after_a_random_sequence_of_deliveries_all_is_as_if_all_were_built(tmp_path: Path, seed: int):
    made = run(tmp_path, ROOT / "tests/oracles/random_sequence.py", tmp_path, str(seed))
    assert made.returncode == 0, f"seed {seed}: {made.stderr[-5000:]}"
    found = json.loads((tmp_path / "said.json").read_text())
    assert found["tables"] > 20 and found["differ"] == [], found
    assert sum("insurers, months" in said for said in found["said"]) >= 3, "the builds were of all, not of what was touched"
