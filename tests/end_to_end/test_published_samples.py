"""Files that were not written by our generator, through `lake deliver` and `lake ingest` as anyone would call them."""

import os
import re
import sys
from pathlib import Path

import pytest

from spark_jobs import cli

INSURER = "06139901"


@pytest.fixture
def command(lake, monkeypatch: pytest.MonkeyPatch):
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lake", *words])
        try:
            cli.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    assert run("keys", "create") == 0
    return run


def test_the_published_claim_form_sample_is_whole_and_its_totals_are_checked(command, lake, reference: Path):
    spark, _ = lake
    sample = reference / "samples" / "RECEIPTC_GAIRAI_SAMPLE.UKE"
    lines = sample.read_bytes().decode("cp932").split("\r\n")[:-1]
    assert command("deliver", str(sample), "--insurer", INSURER) == 0
    assert command("ingest") == 0

    assert spark.table("bronze.claim_line").count() + spark.table("bronze.quarantine_line").count() == len(lines) == 636
    claims = spark.table("silver.claim").collect()
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
    assert spark.sql("select * from landing.delivery_finding where rule = 'go_total'").isEmpty()


def test_a_go_that_does_not_match_its_receipts_is_reported(command, lake, reference: Path, tmp_path: Path):
    spark, _ = lake
    sample = (reference / "samples" / "RECEIPTC_GAIRAI_SAMPLE.UKE").read_bytes()
    last = sample.rindex(b"\r\nRE,") + 2
    cut = tmp_path / "RECEIPTC.UKE"
    cut.write_bytes(sample[:last] + sample[sample.rindex(b"GO,") :])  # the last receipt taken out, GO as it was
    assert command("deliver", str(cut), "--insurer", INSURER) == 0
    assert command("ingest") == 0

    assert spark.table("silver.claim").count() == 74
    (go,) = spark.sql("select * from landing.delivery_finding where rule = 'go_total'").collect()
    assert (go.severity, go.found) == ("tell", "GO says 140 and 86392")
    assert re.match(r"13[89] receipts by payer, \d+ points", go.expected) and go.action


def test_the_printed_insurer_form_example_comes_out_with_the_corrected_total(command, lake, reference: Path, tmp_path: Path):
    """receipt-formats §4.8: 491 points billed, 456 after the review; 42 and 21 units remain, the third drug is struck out."""
    spark, _ = lake
    text = (reference / "receipt-formats.md").read_text(encoding="utf-8")
    example = text.split("### 4.8", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    file = tmp_path / "11_RECODEINFO_MED.CSV"
    file.write_bytes(example.replace("\n", "\r\n").encode("cp932") + b"\x1a")
    assert command("deliver", str(file), "--insurer", INSURER) == 0
    assert command("ingest") == 0

    assert spark.table("bronze.claim_line").count() == 14 and spark.table("bronze.quarantine_line").isEmpty()
    (claim,) = spark.table("silver.claim").collect()
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines, claim.state) == (491, 456, 456, "corrected")
    assert (claim.insurer_number, claim.facility_code, claim.age, claim.setting) == ("06990014", "1319900013", 44, "outpatient")
    drugs = {row.drug_code: row.quantity_claim_unit for row in spark.table("silver.claim_drug").collect()}
    assert drugs == {"699990001": 42, "699990002": 21}
    stored = "\n".join(row.line for row in spark.table("bronze.claim_line").collect())
    assert not [secret for secret in ("見本　花子", "ミホンハナコ", "１２３４５", "M-0001", "19800402") if secret in stored]
    assert os.environ["LAKE_HOME"], "the command worked on the test's lake"
