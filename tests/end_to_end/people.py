"""Who is named in invented receipts: every text that must not reach the lake, from the generator's truth."""

import csv
from pathlib import Path

NAMING = (
    "name", "kana", "kana_large", "symbol", "symbol_half_width", "number", "number_half_width", "wrong_number", "phone", "recipient_number",
    "chart_numbers",
)  # fmt: skip


def people(truth: Path) -> dict[str, set[str]]:
    """Every text that names somebody, by column of truth/people.csv; birth dates to the day; the doctors."""
    with (truth / "people.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    with (truth / "facilities.csv").open(encoding="utf-8", newline="") as f:
        doctors = {name for row in csv.DictReader(f) for name in row["doctors"].split("|")}
    found = {column: {row[column] for row in rows if row[column]} for column in NAMING}
    found["chart_numbers"] = {number for row in rows for number in row["chart_numbers"].split()}
    found["birth_date"] = {row["birth_date"] for row in rows if row["birth_date"] < "2000"}  # later ones are also days of treatment
    return found | {"doctors": doctors}
