"""Lakes of their own, for tests that need more than the one of conftest.py."""

from pathlib import Path

from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def lake_at(place: Path, secrets: Path | None = None) -> Settings:
    """Settings of another lake, below `place`."""
    return Settings(home=place / "home", secrets=secrets or place / "secrets", config=ROOT / "config")
