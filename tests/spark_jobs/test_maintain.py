"""Care of the tables: fewer files, the same rows, nothing lost that a reader of the last days needs."""

import os
import time
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from spark_jobs import delta, maintain, tables
from spark_jobs.settings import Settings

INSURER, SMALL = "06139901", "06019905"
DAY = 24 * 60 * 60


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home")
    delta.create_all(made)
    return made


def drug(insurer: str | None, month: int, line_no: int) -> dict:
    return {"claim_key": f"{month}", "insurer_number": insurer, "claim_month": month, "service_month": month, "line_no": line_no}


def months(first: int, last: int) -> list[int]:
    return [month for month in range(first, last + 1) if 1 <= month % 100 <= 12]


def files(settings: Settings, table: tables.Table) -> pl.DataFrame:
    found = DeltaTable(settings.table_path(table.name)).get_add_actions(flatten=True)
    return pl.DataFrame(found).select(
        "path", pl.col("^partition.insurer_number$"), pl.col("^min.claim_month$"), pl.col("^max.claim_month$")
    )


def rows(settings: Settings, table: tables.Table) -> list[str]:
    return sorted(map(str, delta.read(settings, table).rows()))


def test_a_closed_fiscal_year_is_folded_and_the_open_months_are_left_alone(settings: Settings):
    for insurer in (INSURER, None):
        for month in months(202404, 202506):
            delta.append(settings, tables.CLAIM_DRUG, [drug(insurer, month, no) for no in range(3)])
    delta.append(settings, tables.CLAIM_DRUG, [drug(SMALL, month, 1) for month in (202404, 202405)])
    before = rows(settings, tables.CLAIM_DRUG)
    (done,) = [care for care in maintain.run(settings) if care.table == "silver.claim_drug"]
    assert (done.files_before, done.files_after) == (31, 9)
    assert done.folded == [f"{INSURER} 202404-202503", "no insurer 202404-202503"]
    assert rows(settings, tables.CLAIM_DRUG) == before
    spans = files(settings, tables.CLAIM_DRUG).filter(pl.col("partition.insurer_number") == INSURER)
    assert sorted(spans.select("min.claim_month", "max.claim_month").rows()) == [
        (202404, 202503), (202504, 202504), (202505, 202505), (202506, 202506)
    ]  # fmt: skip
    assert maintain.run(settings) == [], "nothing is done twice"


def test_an_open_month_in_many_files_becomes_one(settings: Settings):
    for no in range(maintain.FEW_OF_MONTH + 1):
        delta.append(settings, tables.CLAIM_DRUG, [drug(INSURER, 202506, no)])
    before = rows(settings, tables.CLAIM_DRUG)
    maintain.run(settings)
    assert files(settings, tables.CLAIM_DRUG).height == 1 and rows(settings, tables.CLAIM_DRUG) == before


def test_rows_that_are_missing_after_folding_put_the_table_back(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    for no in range(maintain.FEW_OF_MONTH + 1):
        delta.append(settings, tables.CLAIM_DRUG, [drug(INSURER, 202506, no)])
    before, write = rows(settings, tables.CLAIM_DRUG), maintain.write_deltalake
    monkeypatch.setattr(maintain, "write_deltalake", lambda to, data, **how: write(to, data.read_all().slice(1), **how))
    with pytest.raises(maintain.LakeError, match="8 rows after folding"):
        maintain.run(settings)
    assert rows(settings, tables.CLAIM_DRUG) == before


def test_small_tables_are_compacted_and_keep_what_they_say_of_themselves(settings: Settings):
    for no in range(5):
        delta.append(settings, tables.BUILD_RUN, [{"build_key": str(no)}])
    delta.replace(settings, tables.PREFECTURE, [{"prefecture_code": "01"}], mark="lists of today")
    maintain.run(settings, keep_days=0)
    assert files(settings, tables.BUILD_RUN).height == 1 and delta.read(settings, tables.BUILD_RUN).height == 5
    assert delta.last_mark(settings, tables.PREFECTURE) == "lists of today"


def test_old_files_and_parts_of_killed_runs_go_after_their_days(settings: Settings):
    for no in range(3):
        delta.replace(settings, tables.PREFECTURE, [{"prefecture_code": str(no)}])
    folder = settings.table_path("masters.prefecture")
    old, young = folder / "part-of-a-killed-run.parquet", folder / "part-being-written.parquet"
    for part in (old, young):
        part.write_bytes(b"half a file")
    os.utime(old, (time.time() - 8 * DAY,) * 2)
    (done,) = [care for care in maintain.run(settings) if care.table == "masters.prefecture"]
    assert (done.removed, old.exists(), young.exists()) == (1, False, True), "replaced rows stay readable for a week"
    assert pl.read_delta(str(folder), version=1)["prefecture_code"].to_list() == ["0"]
    maintain.run(settings, keep_days=0)
    assert len(list(folder.glob("*.parquet"))) == 1
    assert delta.read(settings, tables.PREFECTURE)["prefecture_code"].to_list() == ["2"]


def test_a_long_log_gets_a_checkpoint(settings: Settings):
    for no in range(maintain.COMMITS_PER_CHECKPOINT):
        delta.append(settings, tables.BUILD_RUN, [{"build_key": str(no)}])
    maintain.run(settings)
    assert list((settings.table_path("ops.build_run") / "_delta_log").glob("*.checkpoint.parquet"))
    assert delta.read(settings, tables.BUILD_RUN).height == maintain.COMMITS_PER_CHECKPOINT
