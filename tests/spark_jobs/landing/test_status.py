import io
from pathlib import Path

import pytest
from rich.console import Console

from spark_jobs import config
from spark_jobs.landing import delivery, status

INSURER = "06149900"
EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")


def _shown(settings) -> str:
    out = io.StringIO()
    status.show(settings, Console(file=out, width=220))
    return out.getvalue()


def test_where_no_lake_is_nothing_has_arrived(settings, tmp_path: Path) -> None:
    assert "nothing delivered yet" in _shown(settings.model_copy(update={"home": tmp_path}))


def test_status_shows_what_arrived_what_is_missing_and_what_to_do(lake, tmp_path: Path) -> None:
    settings = lake
    assert "nothing delivered yet" in _shown(settings)
    (tmp_path / "11_RECODEINFO_MED.CSV").write_bytes(EXAMPLE.replace("202406", "202501").encode("cp932"))
    (tmp_path / "14_RECODEINFO_PHA.CSV").touch()
    delivery.deliver(settings, tmp_path, INSURER)
    delivery.record(settings, [delivery.Event(file, "silver") for file in delivery.pending(settings)])
    states = status.kind_states(config.insurers(settings), delivery.files(settings))
    assert states[INSURER, 202501, "med"] == "complete"
    assert states[INSURER, 202501, "pha"] == "missing"
    assert states[INSURER, 0, ""] == "rejected"

    lines = [" ".join(line.split()) for line in _shown(settings).splitlines()]
    name = config.insurer(settings, INSURER).short_name_ja
    assert f"{INSURER} {name} ◐" in lines, "one symbol for all kinds of the month"
    assert f"missing {INSURER} {name} pha 202501: ask the insurer" in lines
    empty = tmp_path / "14_RECODEINFO_PHA.CSV"
    assert (
        f"stop empty_file: {INSURER}: found {empty}: 0 bytes; expected a receipt file. The sender mends the file; deliver it again."
    ) in lines


@pytest.mark.parametrize(
    "months, said",
    [([202411, 202412, 202501], ["202411-202501"]), ([202412, 202502], ["202412", "202502"]), ([0], ["unknown month"])],
)
def test_months_are_told_as_spans(months: list[int], said: list[str]) -> None:
    assert status.spans(months) == said


def test_a_long_history_is_folded_and_a_month_that_nobody_delivered_is_missing(lake, tmp_path: Path) -> None:
    settings = lake
    for month in (202411, 202812):
        path = tmp_path / str(month) / "11_RECODEINFO_MED.CSV"
        path.parent.mkdir()
        path.write_bytes(EXAMPLE.replace("202406", str(month)).encode("cp932"))
    delivery.deliver(settings, tmp_path, INSURER)
    out = io.StringIO()
    status.show(settings, Console(file=out, width=80))
    pictures = [line for line in out.getvalue().splitlines() if line.startswith(f" {INSURER}")]
    assert len(pictures) == 5 and max(map(len, pictures)) <= 80
    assert "med 202412-202811: ask the insurer" in out.getvalue()
