"""One lake for all tests, in a temporary folder, and one Spark session on it; each test that asks for `lake` finds it empty."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from deltalake import DeltaTable

from spark_jobs import delta, session, tables
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT.parent / "shared" / "reference"
# many plans on few rows: code for each of them would cost more than it saves
os.environ["LAKE_SPARK"] = '["spark.sql.codegen.wholeStage=false"]'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the small whole lake are marked, so that `make test` runs them beside the others."""
    for item in items:
        if "tiny_lake" in getattr(item, "fixturenames", ()):
            item.add_marker("tiny_lake")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of downloaded facts; tests that need it skip where it is absent."""
    if not REFERENCE.exists():
        pytest.skip("../shared/reference is not here")
    return REFERENCE


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    place = tmp_path_factory.mktemp("lake")
    values = {name: place / name for name in ("home", "secrets", "inbox", "event_log")} | {
        "config": ROOT / "config",
        "driver_memory_gib": 2,
    }
    os.environ |= {f"LAKE_{name.upper()}": str(value) for name, value in values.items()}
    made = Settings()
    delta.create_all(made)
    return made


@pytest.fixture(scope="session")
def spark(settings: Settings):
    return session.start(settings)


@pytest.fixture(scope="session")
def empty_lake(settings: Settings) -> Callable[[], Settings]:
    """Makes every declared table empty, masters too."""

    def empty() -> Settings:
        for table in tables.ALL:
            held = DeltaTable(settings.table_path(table.name))
            if held.count():
                held.delete()
        return settings

    return empty


@pytest.fixture
def lake(empty_lake: Callable[[], Settings]) -> Settings:
    """The lake with every declared table empty."""
    return empty_lake()


@pytest.fixture(scope="session")
def held(settings: Settings) -> Callable[..., list[SimpleNamespace]]:
    """The rows of a table that satisfy `where` (SQL), read without Spark, in no order."""

    def read(table: str, where: str = "true") -> list[SimpleNamespace]:
        rows = pl.read_delta(str(settings.table_path(table))).filter(pl.sql_expr(where))
        return [SimpleNamespace(**row) for row in rows.to_dicts()]

    return read


@pytest.fixture(scope="session")
def tiny_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole small lake, made once by tests/end_to_end/tiny_lake.py in a process of its own: inbox/, truth/, home/, secrets/, event_log/, steps.json.

    TINY_LAKE names one that stands already, for work on the tests that look at it.
    """
    if ready := os.environ.get("TINY_LAKE"):
        return Path(ready)
    place = tmp_path_factory.mktemp("tiny")
    values = {"home": place / "home", "secrets": place / "secrets", "config": ROOT / "config", "event_log": place / "event_log"}
    env = os.environ | {f"LAKE_{name.upper()}": str(value) for name, value in values.items()} | {"LAKE_DRIVER_MEMORY_GIB": "2"}
    done = subprocess.run([sys.executable, ROOT / "tests/end_to_end/tiny_lake.py", place], env=env, capture_output=True, text=True)
    (place / "said.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr[-5000:]
    return place


@pytest.fixture(scope="session")
def lake_config(tiny_lake: Path) -> Path:
    """config/ of that lake: its own, or the project's."""
    own = tiny_lake / "config"
    return own if own.exists() else ROOT / "config"
