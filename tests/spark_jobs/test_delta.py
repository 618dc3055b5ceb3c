"""What the log of a table tells of its data files, without opening them."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from lakes import lake_at

from spark_jobs import delta, session
from spark_jobs.settings import Settings
from spark_jobs.tables import CLAIM_COPY

HELD = [("06139901", "b", 202411), ("06139901", "d", 202412), ("06019905", "c", 202412)]


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    settings = lake_at(tmp_path)
    with session.hold_lake(settings, "test"):
        for insurer, sha256, month in HELD:
            row = {"insurer_number": insurer, "file_sha256": sha256, "claim_month": month, "service_month": month - 1}
            delta.put(settings, CLAIM_COPY, delta.write_parts(settings, CLAIM_COPY, pl.DataFrame([row])), {"file_sha256": {sha256}})
    return settings


@pytest.mark.parametrize(
    "where",
    [
        {"file_sha256": {"b"}}, {"file_sha256": {"a", "z"}}, {"file_sha256": {"a", "c"}}, {"file_sha256": set()},
        {"insurer_number": {"06019905"}, "claim_month": {202411}}, {"insurer_number": {"06019905"}, "claim_month": {202411, 202412}},
        {"claim_month": {202410, 202501}}, {"claim_month": {202411}, "file_sha256": {"d"}}, {"insurer_number": {"99999999"}},
    ],
)  # fmt: skip
def test_the_log_tells_which_rows_may_be_there(lake: Settings, where: dict) -> None:
    names = {"insurer_number": 0, "file_sha256": 1, "claim_month": 2}
    wanted = any(all(row[names[name]] in values for name, values in where.items()) for row in HELD)
    assert bool(delta._that_may_hold(DeltaTable(lake.table_path(CLAIM_COPY.name)), where).height) == wanted
    assert delta.is_empty(lake, CLAIM_COPY, where) == (not wanted)


def test_a_file_without_statistics_may_hold_anything(lake: Settings) -> None:
    part = delta.write_parts(lake, CLAIM_COPY, pl.DataFrame([{"insurer_number": "06139901"}]))
    delta.put(lake, CLAIM_COPY, part, {"file_sha256": {"none"}})
    assert delta._that_may_hold(DeltaTable(lake.table_path(CLAIM_COPY.name)), {"file_sha256": {"z"}}).height == 1


def test_rows_of_a_run_that_was_killed_are_replaced(lake: Settings) -> None:
    row = {"insurer_number": "06139901", "file_sha256": "d", "claim_month": 202412, "receipt_seq": 7}
    for _ in range(2):
        delta.put(lake, CLAIM_COPY, delta.write_parts(lake, CLAIM_COPY, pl.DataFrame([row])), {"file_sha256": {"d"}})
    assert delta.read(lake, CLAIM_COPY, {"file_sha256": {"d"}})["receipt_seq"].to_list() == [7]


def test_changed_data_files_stay_apart(lake: Settings) -> None:
    """One commit; a file of which no row changes stays as it is, and none grows by rows of another."""
    before, version = set(delta.opened(lake, CLAIM_COPY.name).file_uris()), delta.version(lake, CLAIM_COPY)
    is_d = pl.col("file_sha256") == "d"
    new = pl.DataFrame([{"insurer_number": "06139901", "file_sha256": "e", "claim_month": 202412, "receipt_seq": 1}])
    where = {"claim_month": {202411, 202412}, "file_sha256": {"b", "d"}}
    delta.change(lake, CLAIM_COPY, where, lambda rows: rows.with_columns(receipt_seq=pl.when(is_d).then(9).otherwise("receipt_seq")), new)
    after = set(delta.opened(lake, CLAIM_COPY.name).file_uris())
    assert delta.version(lake, CLAIM_COPY) == version + 1 and (len(before - after), len(after - before)) == (1, 2)
    held = delta.read(lake, CLAIM_COPY).select("insurer_number", "file_sha256", "receipt_seq").rows()
    assert set(held) == {("06139901", "b", None), ("06139901", "d", 9), ("06019905", "c", None), ("06139901", "e", 1)}
    delta.change(lake, CLAIM_COPY, {"file_sha256": {"d"}}, lambda rows: rows.filter(~is_d))
    assert "d" not in delta.read(lake, CLAIM_COPY)["file_sha256"]
    now = delta.version(lake, CLAIM_COPY)
    delta.change(lake, CLAIM_COPY, {"file_sha256": {"d"}}, lambda rows: rows.clear())
    assert delta.version(lake, CLAIM_COPY) == now, "nothing to do, no commit"
