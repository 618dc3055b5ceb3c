"""A lake of its own per test, of small rows, without Spark."""

from pathlib import Path

import pytest

from spark_jobs import delta
from spark_jobs.identity import keys
from spark_jobs.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def small_lake(tmp_path: Path) -> Settings:
    """A lake with keys and empty tables."""
    made = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=ROOT / "config")
    keys.create(made, None)
    delta.create_all(made)
    return made
