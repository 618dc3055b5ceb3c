"""Part 9, 用語と算出方法: how is it counted? A measure has its words in config/measures, the other terms have them in terms.yaml."""

from pathlib import Path

import yaml

from spark_jobs.publish.report.subject import Row, Subject
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import Cell

ENTRIES = Path(__file__).parent / "terms.yaml"
OF_MEASURE = {
    "name": "name_ja", "definition": "definition_ja", "convention": "convention_ja", "n": "n_ja", "price": "price_ja", "source": "data_ja",
}  # fmt: skip
UNITS = {
    "ratio": "％", "yen": "円", "claim_unit": "請求単位", "price_list_unit": "規格単位", "count": "件", "point": "ポイント",
    "per_1000_members": "人（加入者千人当たり）",
}  # fmt: skip


def build(subject: Subject) -> Table:
    entries = yaml.safe_load(ENTRIES.read_text(encoding="utf-8"))
    rows = [[Cell(_words(subject, entry).get(part, "—")) for part in entries["header"]] for entry in entries["terms"]]
    return Table("terms", f"用語と算出方法（特に断らない値は{subject.year_text}）", list(entries["header"].values()), rows)


def _words(subject: Subject, entry: Row) -> Row:
    if "measure" not in entry:
        return entry
    measure = subject.measure(entry["measure"])
    return {part: measure[column] for part, column in OF_MEASURE.items()} | {"unit": UNITS[measure["unit"]]}
