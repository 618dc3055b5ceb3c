"""Ingest of delivered months twice changes nothing; killed half way and called again it ends the same; a month more reads no older file."""

import json
from pathlib import Path

import pytest
from tiny_lake import LAST_CLAIM_MONTH


@pytest.fixture(scope="module")
def steps(tiny_lake: Path) -> dict:
    return json.loads((tiny_lake / "steps.json").read_text())


def delivered(inbox: Path) -> list[Path]:
    return [file for file in inbox.rglob("*") if file.is_file()]


def test_a_month_more_is_added_while_the_older_files_are_gone(tiny_lake: Path, steps: dict):
    """The older raw files were moved away before: whoever had read one would have failed, or lost its rows."""
    before, after = steps["older months in"], steps["last month in"]
    assert steps["delivered"][0] + steps["delivered the last month"][0] == len(delivered(tiny_lake / "inbox"))
    assert steps["delivered the last month"][0] == len([x for x in delivered(tiny_lake / "inbox") if f"/{LAST_CLAIM_MONTH}/" in str(x)]) > 0
    for table in ("bronze.claim_line", "silver.claim", "silver.claim_drug", "silver.claim_diagnosis"):
        assert after[table]["rows"] > before[table]["rows"] > 0
        assert after[table]["of_older_months"] == before[table]["of_older_months"], f"{table}: rows of older months changed"


def test_killed_half_way_and_called_again(steps: dict):
    """Killed with the last month in some tables of silver and not in others; what the next call made of it is what one undisturbed run makes."""
    before, killed, after = steps["older months in"], steps["killed"], steps["last month in"]
    assert killed["silver.claim_drug"] == after["silver.claim_drug"] | {"version": killed["silver.claim_drug"]["version"]}
    assert killed["silver.claim"] == before["silver.claim"] != after["silver.claim"]


def test_delivered_and_ingested_again_nothing_changes(steps: dict):
    """Rows, contents, and the Delta versions of every table: nothing was even written."""
    assert steps["delivered all again"] == [0, steps["delivered"][0] + steps["delivered the last month"][0]]
    assert steps["all again in"] == steps["last month in"]


def test_the_files_taken_in_once_more_by_force_give_the_same_rows(steps: dict):
    """Silver of the last month written a second time, undisturbed: new versions, same contents."""
    before, after = steps["all again in"], steps["last month by force"]
    for table in after:
        if table.startswith("silver."):
            assert {k: v for k, v in after[table].items() if k != "version"} == {
                k: v for k, v in before[table].items() if k != "version"
            }, table
    assert after["silver.claim"]["version"] > before["silver.claim"]["version"]
