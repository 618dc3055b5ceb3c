"""docs/data_dictionary.md is what the code produces; every reader of the marts is an exposure that names what it reads."""

import re

import yaml

from spark_jobs import data_dictionary, tables
from spark_jobs.build import PROJECT
from spark_jobs.publish import figure_change
from spark_jobs.publish.report import page as report


def test_the_page_is_what_the_code_produces():
    assert data_dictionary.PAGE.read_text(encoding="utf-8") == data_dictionary.page(), "python -m spark_jobs.data_dictionary"


def test_every_table_and_column_is_in_it():
    page = data_dictionary.page()
    assert not [table.name for table in tables.ALL if f"\n#### {table.name}\n" not in page]
    models = {file.stem for file in (PROJECT / "models" / "marts").rglob("*.sql")}
    assert models == {model["name"] for _, model in data_dictionary.marts()}
    assert "| `share_ratio_low` | decimal(9,8) | ○ | 秘匿と未掲載を考慮した下限 |  |" in page
    assert re.search(r"\| `share_ratio` \| .*\| .*、数量シェア（置換率）、", page)


def test_every_reader_is_an_exposure_of_what_it_reads():
    exposures = yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    read = {exposure["name"]: {reference[5:-2] for reference in exposure["depends_on"]} for exposure in exposures}
    assert read["regional_report"] == set(report.NEEDED) - {figure_change.NAME}
    assert read["insurer_database"] == {model["name"] for _, model in data_dictionary.marts()}
