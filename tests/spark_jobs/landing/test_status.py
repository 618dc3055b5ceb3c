import io
from pathlib import Path

from rich.console import Console

from spark_jobs import config, delta, tables
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
    found = delta.read(settings, tables.DELIVERY_FINDING).to_dicts()
    table = status.deliveries(settings, delivery.files(settings), found)
    rows = {(row[0], *row[2:4]): row[4:] for row in zip(*(column.cells for column in table.columns), strict=True)}
    assert rows[INSURER, "202501", "med"] == ("1", "1", "", "", "")
    assert rows[INSURER, "202501", "pha"] == ("0", "0", "", "", "[red]missing[/]")
    assert rows[INSURER, "?", "?"] == ("0", "0", "1", "1", "")

    lines = [" ".join(line.split()) for line in _shown(settings).splitlines()]
    assert f"{INSURER} {config.insurer(settings, INSURER).short_name_ja} 202501 med 1 1" in lines
    empty = tmp_path / "14_RECODEINFO_PHA.CSV"
    assert (
        f"stop empty_file: {INSURER}: found {empty}: 0 bytes; expected a receipt file. The sender mends the file; deliver it again."
    ) in lines
