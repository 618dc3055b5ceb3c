"""Tables on S3-compatible storage, without Spark: deliver, ingest, ingest again, care, erase. (With Spark and the services: test_lake_server.py.)"""

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from compare import contents_of, differences
from pydantic import ValidationError
from served import s3

from spark_jobs import delta, ingest, maintain, session, tables
from spark_jobs.identity import erasure, keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings

INSURER = "06149900"
EXAMPLE = (Path(__file__).parents[1] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", INSURER)
MONTHS = (202406, 202407)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with s3(tmp_path / "log") as known:
        for name, value in known.items():
            monkeypatch.setenv(name, value)
        yield "s3a://lake/tables"


def _taken_in(settings: Settings, inbox: Path) -> Settings:
    with session.hold_lake(settings, "test"):
        for month in MONTHS:
            delivery.deliver(settings, inbox / str(month), INSURER)
            ingest.run(settings)
        assert ingest.run(settings).files == 0
        maintain.run(settings, keep_days=0)
    return settings


def test_the_lake_is_the_same_as_in_local_files(bucket: str, tmp_path: Path):
    for month in MONTHS:
        file = tmp_path / "inbox" / str(month) / "11_RECODEINFO_MED.CSV"
        file.parent.mkdir(parents=True)
        file.write_bytes(EXAMPLE.replace("202406", str(month)).encode("cp932"))
    local = Settings(home=tmp_path / "local", secrets=tmp_path / "secrets", config=Path("config"))
    keys.create(local, INSURER)
    there = local.model_copy(update={"home": tmp_path / "there", "storage": bucket})
    wanted, found = (contents_of(_taken_in(lake, tmp_path / "inbox").warehouse) for lake in (local, there))
    assert wanted["silver.claim"].height and differences(found, wanted) == []
    assert not (there.home_path / "warehouse").exists()
    assert str(delta.opened(there, "silver.claim").table_uri).startswith("s3")

    for lake in (local, there):  # as a claim that is returned
        with session.hold_lake(lake, "test"):
            delta.change(lake, tables.CLAIM, {"insurer_number": {INSURER}}, lambda rows: rows.with_columns(known_to_claim_month=MONTHS[1]))
    wanted, found = (contents_of(lake.warehouse, ("silver",)) for lake in (local, there))
    assert set(found["silver.claim"]["known_to_claim_month"]) == {MONTHS[1]} and differences(found, wanted) == []

    person = found["silver.claim"]["person_id1"].drop_nulls()[0]
    assert any(person in text for text in every_text(there))
    with session.hold_lake(there, "test"):
        erasure.run(there, INSURER, [person])
    assert not any(person in text for text in every_text(there)), "old versions and logs included"


def every_text(settings: Settings) -> Iterator[str]:
    """The content of every object, Parquet as text."""
    files = settings.warehouse.fs
    for name in files.find(str(settings.warehouse)):
        content = files.cat_file(name)
        yield str(pl.read_parquet(io.BytesIO(content), hive_partitioning=False).to_dicts()) if name.endswith(".parquet") else str(content)


def test_a_storage_that_is_no_bucket_is_refused():
    with pytest.raises(ValidationError, match="storage"):
        Settings(storage="/srv/tables")
