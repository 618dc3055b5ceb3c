"""Files that were not written by our generator, through `lake deliver` and `lake ingest` as anyone would call them."""

import hashlib
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spark_jobs import cli

INSURER = "06139901"


@pytest.fixture(scope="module")
def published(empty_lake, held, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The published sample, the same of another clinic with its last receipt taken out, the printed example: taken in by one `lake ingest`."""
    empty_lake()
    folder = tmp_path_factory.mktemp("published")
    sample = (reference / "samples" / "RECEIPTC_GAIRAI_SAMPLE.UKE").read_bytes()
    last, go = sample.rindex(b"\r\nRE,") + 2, sample.rindex(b"GO,")
    text = (reference / "receipt-formats.md").read_text(encoding="utf-8")
    example = text.split("### 4.8", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    contents = {
        "whole/RECEIPTC.UKE": sample,
        "cut/RECEIPTC.UKE": sample[:last].replace(b",0000000,", b",9999999,", 1) + sample[go:],
        "example/11_RECODEINFO_MED.CSV": example.replace("\n", "\r\n").encode("cp932") + b"\x1a",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        for words in (["keys", "create"], ["deliver", str(folder), "--insurer", INSURER], ["ingest"]):
            patch.setattr(sys, "argv", ["lake", *words])
            with pytest.raises(SystemExit) as stop:
                cli.main()
                raise SystemExit(0)
            assert not stop.value.code, words

    def rows(name: str, table: str) -> list:
        digest = hashlib.sha256(contents[name]).hexdigest()
        return held(table, f"file_sha256 = '{digest}'")

    return {name.split("/")[0]: partial(rows, name) for name in contents} | {"lines": sample.decode("cp932").split("\r\n")[:-1]}


def test_the_published_claim_form_sample_is_whole_and_its_totals_are_checked(published: dict[str, Any]):
    rows, lines = published["whole"], published["lines"]
    assert len(rows("bronze.claim_line")) + len(rows("bronze.quarantine_line")) == len(lines) == 636
    claims = rows("silver.claim")
    assert len(claims) == sum(line.startswith("RE,") for line in lines) == 75
    assert len({c.claim_key for c in claims}) == 75
    # identity 1: against HO, and against KO where there is no HO
    assert [c.receipt_seq for c in claims if c.points_of_lines != c.points_billed] == []
    totals, total = {}, {"HO": None, "KO": None}
    for line in [*lines, "RE,"]:
        fields = line.split(",")
        if fields[0] == "RE":
            if any(v is not None for v in total.values()):
                totals[len(totals) + 1] = total["HO"] if total["HO"] is not None else total["KO"]
            total = {"HO": None, "KO": None}
        elif fields[0] in total and total[fields[0]] is None:
            total[fields[0]] = int(fields[5])
    assert {c.receipt_seq: int(c.points_billed) for c in claims} == totals
    assert sum(c.is_public_payer_only for c in claims) == sum(c.insurer_number is None for c in claims) == 75 - 69

    # GO counts a combined receipt once per payer (§2.2): 69 HO and 71 KO are its 140, so this file is not a cut one
    assert lines[-1] == f"GO,{sum(line.startswith(('HO,', 'KO,')) for line in lines)},{sum(totals.values())},99"
    assert [found for found in rows("landing.delivery_finding") if found.rule == "go_total"] == []


def test_a_go_that_does_not_match_its_receipts_is_reported(published: dict[str, Any]):
    rows = published["cut"]
    assert len(rows("silver.claim")) == 74
    (go,) = [found for found in rows("landing.delivery_finding") if found.rule == "go_total"]
    assert (go.severity, go.found) == ("tell", "GO says 140 and 86392")
    assert re.match(r"13[89] receipts by payer, \d+ points", go.expected) and go.action


def test_the_printed_insurer_form_example_comes_out_with_the_corrected_total(published: dict[str, Any]):
    """receipt-formats §4.8: 491 points billed, 456 after the review; 42 and 21 units remain, the third drug is struck out."""
    rows = published["example"]
    stored = rows("bronze.claim_line")
    assert len(stored) == 14 and rows("bronze.quarantine_line") == []
    (claim,) = rows("silver.claim")
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines, claim.state) == (491, 456, 456, "corrected")
    assert (claim.insurer_number, claim.facility_code, claim.age, claim.setting) == ("06990014", "1319900013", 44, "outpatient")
    assert {row.drug_code: row.quantity_claim_unit for row in rows("silver.claim_drug")} == {"699990001": 42, "699990002": 21}
    text = "\n".join(row.line for row in stored)
    assert not [secret for secret in ("見本　花子", "ミホンハナコ", "１２３４５", "M-0001", "19800402") if secret in text]
