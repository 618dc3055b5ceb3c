import io
from pathlib import Path

from rich.console import Console

from spark_jobs.landing import delivery, status

INSURER = "06149900"
EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")


def _shown(spark, settings) -> str:
    out = io.StringIO()
    status.show(spark, settings, Console(file=out, width=220))
    return out.getvalue()


def test_status_shows_what_arrived_what_is_missing_and_what_to_do(lake, tmp_path: Path) -> None:
    spark, settings = lake
    assert "no findings" in _shown(spark, settings)
    (tmp_path / "11_RECODEINFO_MED.CSV").write_bytes(EXAMPLE.replace("202406", "202501").encode("cp932"))
    (tmp_path / "14_RECODEINFO_PHA.CSV").touch()
    delivery.deliver(spark, settings, tmp_path, INSURER)
    delivery.record(spark, [delivery.Event(file, "silver") for file in delivery.pending(spark)])
    lines = _shown(spark, settings).splitlines()

    def cells(*wanted: str) -> list[str]:
        rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line)
        return next(row for row in rows if [row[0], row[2], row[3]] == list(wanted))

    assert cells(INSURER, "202501", "med")[4:] == ["1", "1", "", "", ""]
    assert cells(INSURER, "202501", "pha")[4:] == ["0", "0", "", "", "missing"]
    assert cells(INSURER, "?", "?")[4:] == ["0", "0", "1", "1", ""]
    empty = tmp_path / "14_RECODEINFO_PHA.CSV"
    assert (
        f"stop empty_file: {INSURER}: found {empty}: 0 bytes; expected a receipt file. The sender mends the file; deliver it again."
    ) in lines
