"""Where a lake stands."""

from pathlib import Path

from spark_jobs.settings import Settings


def test_a_copy_with_another_home_is_another_lake(tmp_path: Path):
    first = Settings(home=tmp_path / "first", secrets=tmp_path / "secrets")
    known = first.table_path("silver.claim"), first.secrets_path
    second = first.model_copy(update={"home": tmp_path / "second"})
    assert second.table_path("silver.claim") != first.table_path("silver.claim")
    assert (first.table_path("silver.claim"), second.secrets_path) == known
