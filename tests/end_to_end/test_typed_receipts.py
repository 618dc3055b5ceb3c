"""Receipts typed by hand (tests/fixtures/typed) through delivery and ingest: what comes out is what was worked out by hand."""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import yaml

from spark_jobs import delta, ingest, tables
from spark_jobs.identity import keys
from spark_jobs.landing import delivery

TYPED = Path(__file__).parents[1] / "fixtures" / "typed"
CASES = sorted(folder.name for folder in TYPED.iterdir() if folder.is_dir())
INSURER = "06139901"
STILL = 999912  # known_to_claim_month of what is known now
LINE_ENDS = {"CRLF": b"\r\n", "LF": b"\n"}
END_MARK = b"\x1a"


def content(folder: Path, expected: dict) -> bytes:
    """The file as its sender would write it."""
    lines = (folder / expected["file"]).read_text(encoding="utf-8").splitlines()
    mark, end = expected["end_mark"], LINE_ENDS[expected["line_end"]]
    encoded = [(END_MARK if number == mark else b"") + line.encode("cp932") + end for number, line in enumerate(lines, start=1)]
    return b"".join(encoded) + (END_MARK if mark == "last" else b"")


@pytest.fixture(scope="module")
def taken(empty_lake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimpleNamespace]:
    """Every typed file, delivered and taken in by one ingest: case → what was expected, `rows(table)` of its file."""
    settings, folder = empty_lake(), tmp_path_factory.mktemp("typed")
    keys.create(settings, None)
    found = {}
    for case in CASES:
        expected = yaml.safe_load((TYPED / case / "expected.yaml").read_text(encoding="utf-8"))
        path = folder / case / expected["file"]
        path.parent.mkdir()
        path.write_bytes(content(TYPED / case, expected))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        delivered = delivery.deliver(settings, path, INSURER)

        def rows(table: tables.Table, sha256: str = sha256) -> pl.DataFrame:
            return delta.read(settings, table).filter(pl.col("file_sha256") == sha256)

        found[case] = SimpleNamespace(expected=expected, rows=rows, delivered=delivered)
    ingest.run(settings)
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_typed_file_is_recognised_and_no_line_is_kept_out(taken: dict[str, SimpleNamespace], case: str) -> None:
    expected, rows = taken[case].expected, taken[case].rows
    assert (taken[case].delivered.received, taken[case].delivered.rejected) == (1, 0)
    kind = rows(tables.DELIVERY).select("claim_form", "claim_kind", "claim_month").unique().row(0)
    assert kind == (expected["claim_form"], expected["claim_kind"], expected["claim_month"])
    assert rows(tables.QUARANTINE_LINE).select("line_no", "rule", "detail").rows() == []
    lines = rows(tables.CLAIM_LINE)
    assert sorted(lines["line_no"]) == list(range(1, expected["lines"] + 1))
    assert lines.filter(pl.col("receipt_seq") > 0)["receipt_seq"].n_unique() == expected["receipts"]


@pytest.mark.parametrize("case", CASES)
def test_the_claims_of_a_typed_file_are_those_worked_out_by_hand(taken: dict[str, SimpleNamespace], case: str) -> None:
    expected, rows = taken[case].expected["claims"], taken[case].rows
    claims = rows(tables.CLAIM).filter(pl.col("known_to_claim_month") == STILL).sort("receipt_seq")
    assert claims["receipt_seq"].to_list() == [claim["receipt_seq"] for claim in expected]
    for claim, row in zip(expected, claims.iter_rows(named=True), strict=True):
        wanted = {name: value for name, value in claim.items() if name != "drugs"}
        assert {name: row[name] for name in wanted} == wanted
        assert row["points_of_lines"] == row["points_decided"]  # identities 1, 2, 4, 5, 8, 9


@pytest.mark.parametrize("case", CASES)
def test_the_drugs_of_a_typed_file_are_those_worked_out_by_hand(taken: dict[str, SimpleNamespace], case: str) -> None:
    expected, rows = taken[case].expected["claims"], taken[case].rows
    known = rows(tables.CLAIM).filter(pl.col("known_to_claim_month") == STILL)
    drugs = rows(tables.CLAIM_DRUG).join(known, on=["claim_key", "receipt_seq"], how="semi")
    sums = drugs.group_by("receipt_seq", "drug_code").agg(pl.col("quantity_claim_unit").sum())
    assert {(seq, code): quantity for seq, code, quantity in sums.iter_rows()} == {
        (claim["receipt_seq"], code): Decimal(str(quantity)) for claim in expected for code, quantity in claim["drugs"].items()
    }


@pytest.mark.parametrize("case", CASES)
def test_a_correction_that_points_nowhere_is_told_and_nothing_else_of_corrections(taken: dict[str, SimpleNamespace], case: str) -> None:
    told = taken[case].rows(tables.DELIVERY_FINDING).filter(pl.col("rule") == "jy_target_missing")
    assert told.height == (1 if taken[case].expected.get("jy_missing") else 0)


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_names_a_person_is_stored(taken: dict[str, SimpleNamespace], case: str) -> None:
    secrets = taken[case].expected["secrets"]
    stored = "\n".join(_texts(taken[case].rows))
    assert len(stored) > 1000
    assert [secret for secret in secrets if secret in stored] == []


def _texts(rows) -> Iterator[str]:
    """All text of the tables that know files, but for what is sealed."""
    for table in tables.ALL:
        if table.name != tables.QUARANTINE_LINE.name and "file_sha256" in table.column_names:
            yield from map(str, rows(table).rows())
