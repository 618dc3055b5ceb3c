"""Ingest: only what is new, the same tables when a run was killed or repeated, old files never opened again."""

from pathlib import Path

import pytest

from spark_jobs import convert, ingest, tables
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.silver import batch

INSURER = "06149900"
EXAMPLE = (Path(__file__).parents[1] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", INSURER)


def _write(folder: Path, month: int) -> Path:
    path = folder / str(month) / "11_RECODEINFO_MED.CSV"
    path.parent.mkdir(parents=True)
    path.write_bytes(EXAMPLE.replace("202406", str(month)).encode("cp932"))
    return path


def _states(settings) -> dict[int, str]:
    return {file.claim_month: file.state for file in delivery.files(settings)}


def _contents(held) -> dict[str, list[str]]:
    written = [
        tables.CLAIM_LINE,
        tables.CLAIM,
        tables.CLAIM_DRUG,
        tables.CLAIM_DIAGNOSIS,
        tables.CLAIM_PAYER,
        tables.PERSON,
        tables.FACILITY,
    ]
    return {table.name: sorted(map(str, held(table.name))) for table in written}


def test_only_new_files_are_read_and_a_killed_run_is_repeated(lake, held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = lake
    keys.create(settings, INSURER)
    old = _write(tmp_path, 202406)
    delivery.deliver(settings, tmp_path, INSURER)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(delivery, "record", killed)  # after bronze was written, before its event
        ingest.run(settings)
    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(batch, "write", killed)
        ingest.run(settings)
    assert _states(settings) == {202406: "bronze"}
    with monkeypatch.context() as m:
        m.setattr(convert, "delivered", killed)  # bronze is there: it is not written again
        ingest.run(settings)
    assert _states(settings) == {202406: "silver"}
    once = _contents(held)
    assert {name: len(rows) for name, rows in once.items()} == {
        "bronze.claim_line": 14, "silver.claim": 1, "silver.claim_drug": 2, "silver.claim_diagnosis": 1, "silver.claim_payer": 1,
        "silver.person": 1, "silver.facility": 1,
    }  # fmt: skip

    delivery.deliver(settings, tmp_path, INSURER)
    assert str(ingest.run(settings)) == "nothing new to ingest"
    assert _contents(held) == once

    old.rename(tmp_path / "moved_away")
    delivery.deliver(settings, _write(tmp_path, 202407), INSURER)
    lost = _write(tmp_path, 202408)
    delivery.deliver(settings, lost, INSURER)
    lost.unlink()
    summary = ingest.run(settings)
    assert (summary.files, summary.lines, summary.quarantined, summary.rejected) == (1, 14, 0, 1)
    assert _states(settings) == {202406: "silver", 202407: "silver", 202408: "rejected"}
    told = held("landing.delivery_finding", "rule = 'file_missing'")
    assert [row.found for row in told] == [f"{lost}: No such file or directory"]
    before = {line for line in once["bronze.claim_line"]}
    assert before <= set(map(str, held("bronze.claim_line")))
    lost.write_bytes(EXAMPLE.replace("202406", "202408").encode("cp932"))
    delivery.deliver(settings, lost, INSURER)  # put back and delivered again
    assert ingest.run(settings).files == 1
    assert not held("landing.delivery_finding", "rule = 'file_missing'")


def test_spark_reads_the_same_as_this_process(lake, held, spark, tmp_path: Path) -> None:
    keys.create(lake, INSURER)
    for month in (202406, 202407, 202408):
        _write(tmp_path, month)
    found = []
    for master in (None, "the running session"):
        with_spark = lake.model_copy(update={"spark_master": master})
        for file in delivery.files(lake):
            delivery.withdraw(lake, INSURER, file.file_sha256, "read again")
        ingest.take_out(lake)
        delivery.deliver(lake, tmp_path, INSURER)
        assert ingest.run(with_spark).files == 3
        found.append(_contents(held))
    assert found[0] == found[1]
