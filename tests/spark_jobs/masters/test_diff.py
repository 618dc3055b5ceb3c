"""What an edition changes."""

from decimal import Decimal

import polars as pl
import pytest
from typer.testing import CliRunner

from spark_jobs import delta, tables
from spark_jobs.cli import app
from spark_jobs.errors import LakeError
from spark_jobs.masters import diff, load


def state(*rows: tuple[str, str, str | None, str | None]) -> pl.DataFrame:
    types = {"drug_code": pl.String, "drug_name_ja": pl.String, "yakka_code_12": pl.String, "price_yen": pl.Decimal(18, 4)}
    return pl.DataFrame([(*row[:3], row[3] and Decimal(row[3])) for row in rows], schema=types, orient="row")


def told(changes: pl.DataFrame) -> list[tuple]:
    return [(row[0], row[1] or row[2], row[2], row[8]) for row in changes.rows()]


def test_new_gone_renumbered_moved_and_repriced_are_told_apart():
    before = state(
        ("1", "same", "A", "10"), ("2", "gone", "B", "5"), ("3", "moves", "C", "7"), ("4", "dearer", "D", "8"),
        ("5", "old number", "E", "9"), ("6", "old name", "F", "6"),
    )  # fmt: skip
    now = state(
        ("1", "same", "A", "10"), ("3", "moves", "CC", "7"), ("4", "dearer", "D", "10"), ("50", "old number", "EE", "9"),
        ("60", "new name", "F", "6"), ("7", "new", "G", None),
    )  # fmt: skip
    assert told(diff.compare(before, now)) == [
        ("new", "7", None, None),
        ("gone", "2", "2", None),
        ("renumbered", "50", "5", 0.0),
        ("renumbered", "60", "6", 0.0),
        ("moved", "3", "3", 0.0),
        ("repriced", "4", "4", 25.0),
    ]


def test_a_12_digit_code_that_many_share_proves_no_renumbering():
    changes = diff.compare(state(("1", "a", "X", "1"), ("2", "b", "X", "1")), state(("3", "c", "X", "1")))
    assert changes["change"].to_list() == ["new", "gone", "gone"]


def test_of_an_excerpt_nothing_is_gone():
    changes = diff.compare(state(("1", "a", "X", "1")), state(("3", "c", "Y", "1")), is_whole=False)
    assert changes["change"].to_list() == ["new"]


def test_the_two_published_samples(reference):
    samples = reference / "samples"
    old, new = samples / "y_rows_42col_quoted_20260116.csv", samples / "y_rows_42col_unquoted_R8.csv"
    called = CliRunner().invoke(app, ["masters", "diff", "drug-master", str(new), "--against", str(old), "--date", "2026-04-01"])
    assert called.exit_code == 0, called.output
    lines = called.stdout.splitlines()
    at = lines.index(",".join(diff.COLUMNS))
    assert [line.split(",")[:2] for line in lines[at + 1 :]] == [
        ["new", "610406389"], ["new", "622964301"], ["repriced", "610406079"],
    ]  # fmt: skip
    assert lines[at + 3].endswith(",9.5000,15.1000,-37.1")


def test_against_what_is_loaded_and_nothing_is_written(lake, reference):
    path = reference / "samples" / "y_rows_42col_quoted_20260116.csv"
    with pytest.raises(LakeError, match="no drug master is loaded"):
        diff.run(lake, "drug-master", path)
    load.run(lake, "shipped")
    before = [delta.version(lake, table) for table in tables.ALL]
    changes = diff.run(lake, "drug-master", path)
    assert [delta.version(lake, table) for table in tables.ALL] == before
    assert set(changes["change"]) <= {"new", "repriced", "moved"}
    assert changes.filter(drug_code="610406079", change="repriced").height == 1
