"""Files that were not written by our generator, good and bad ones in one folder, through the `lake` command as anyone would call it.

Of bad input nothing is lost, nothing stops the other files, and the words say where, found, expected, what to do. The bad receipts are typed
by hand after the example of receipt-formats §4.8; codes 1999900xx and 6999900xx do not exist.
"""

import hashlib
import io
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from spark_jobs import cli
from spark_jobs.errors import ExitCode

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
INSURER = "06139901"
RECEIPT = """\
2,1,0,MN,9000001{n},東京都千代田区見本町一丁目,131506069000001{n},,,
1,2,0,IR,1,13,1,9900013,,見本クリニック,{month},00,
1,3,0,RE,{n},1112,202410,見本　花子,2,19800402,,,,,,,M-00{n},,,,,,,,,,,,,,,,,,,,,,,ミホンハナコ,
1,4,0,HO,06139901,見本,123{n},1,491,,,,,,,,,
1,5,0,SY,0000999,20241010,1,,見本傷病,01,
1,6,0,SI,11,1,199990001,,288,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
1,7,0,IY,21,1,699990001,3,,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,8,0,IY,,1,699990002,1.5,12,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,9,0,IY,23,1,699990003,20,35,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
2,10,0,HO,06139901,見本,123{n},1,456,,,,,,,,,
2,11,0,JY,2,4,0,,,10,0,
2,12,0,JY,3,9,0,,B,,,
2,13,0,RC,Ver0000100112233445566778899aabbccddeeff
"""
LINES = len(RECEIPT.splitlines())
CLAIM_FORM = """\
IR,1,13,1,9900013,,見本クリニック,202411,00,
RE,1,1112,202410,見本　太郎,1,19790401
HO,06139901,見本,４５６,1,288
SY,0000999,20241010,1,,見本傷病,01
SI,11,1,199990001,,288,1
GO,1,999,99
"""


def receipts(*numbers: int) -> bytes:
    """Each file another claim month, so that none is a second file of one month."""
    return "".join(RECEIPT.format(n=n, month=202500 + n // 10) for n in numbers).replace("\n", "\r\n").encode("cp932")


FOLDER = {  # file -> content; receipts 11 and 12 of each file but the good one meet the fault
    "good/11_RECODEINFO_MED.CSV": receipts(11, 12) + b"\x1a",
    "empty/11_RECODEINFO_MED.CSV": b"",
    "cut/11_RECODEINFO_MED.CSV": receipts(21, 22)[:-200],
    "field_count/11_RECODEINFO_MED.CSV": receipts(31, 32).replace(b"1,6,0,SI,11,1,199990001", b"1,6,0,SI,11,1,199990001,", 1) + b"\x1a",
    "bad_byte/11_RECODEINFO_MED.CSV": receipts(41, 42).replace("見本傷病".encode("cp932"), b"\x8c\xa9\xff\xff", 1) + b"\x1a",
    "totals/RECEIPTC.UKE": CLAIM_FORM.replace("\n", "\r\n").encode("cp932") + b"\x1a",
}


def lake(*words: str) -> SimpleNamespace:
    """Runs `lake WORDS`: its exit code, and everything printed, on one line."""
    printed, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.setattr(sys, "argv", ["lake", *words])
        patch.setenv("COLUMNS", "400")
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return SimpleNamespace(code=code, said=" ".join(printed.getvalue().split()))


def published() -> tuple[dict[str, bytes], list[str]]:
    """The published sample, the same of another clinic with its last receipt taken out, the printed example; and the lines of the first."""
    if not REFERENCE.exists():
        return {}, []
    sample = (REFERENCE / "samples" / "RECEIPTC_GAIRAI_SAMPLE.UKE").read_bytes()
    last, go = sample.rindex(b"\r\nRE,") + 2, sample.rindex(b"GO,")
    text = (REFERENCE / "receipt-formats.md").read_text(encoding="utf-8")
    example = text.split("### 4.8", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    return {
        "whole/RECEIPTC.UKE": sample,
        "cut_claim/RECEIPTC.UKE": sample[:last].replace(b",0000000,", b",9999999,", 1) + sample[go:],
        "example/11_RECODEINFO_MED.CSV": example.replace("\n", "\r\n").encode("cp932") + b"\x1a",
    }, sample.decode("cp932").split("\r\n")[:-1]


@pytest.fixture(scope="module")
def taken(empty_lake, held: Callable[..., list], tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both folders, delivered one by one and taken in by one `lake ingest`. `of(name)(table)`: the rows of one file."""
    empty_lake()
    samples, lines = published()
    folder, delivered = tmp_path_factory.mktemp("delivered"), {}
    lake("keys", "create")
    for place, contents in (("bad", FOLDER), ("published", samples)):
        for name, content in contents.items():
            (folder / place / name).parent.mkdir(parents=True)
            (folder / place / name).write_bytes(content)
        if contents:
            delivered[place] = lake("deliver", str(folder / place), "--insurer", INSURER)
    ingested = lake("ingest")
    names = {name.split("/")[0]: hashlib.sha256(content).hexdigest() for name, content in (FOLDER | samples).items()}

    def rows(name: str, table: str) -> list:
        return held(table, f"file_sha256 = '{names[name]}'")

    return SimpleNamespace(
        folder=folder, delivered=delivered, ingested=ingested, status=lake("status"), of=lambda name: partial(rows, name), lines=lines
    )


def test_an_unknown_depositor_is_refused_before_anything_is_read(settings, tmp_path: Path):
    refused = lake("deliver", str(tmp_path), "--insurer", "06999999")
    assert refused.code == ExitCode.BAD_CONFIG
    assert "06999999" in refused.said and "expected" in refused.said and ".yaml" in refused.said


def test_a_folder_without_receipt_files_says_so(settings, tmp_path: Path):
    (tmp_path / "readme.txt").write_text("nothing here")
    refused = lake("deliver", str(tmp_path), "--insurer", INSURER)
    assert refused.code == ExitCode.BAD_INPUT
    assert str(tmp_path) in refused.said and "expected" in refused.said


def test_a_path_that_does_not_exist_says_so(settings, tmp_path: Path):
    refused = lake("deliver", str(tmp_path / "nowhere"), "--insurer", INSURER)
    assert refused.code in (ExitCode.USAGE, ExitCode.BAD_INPUT)
    assert str(tmp_path / "nowhere") in refused.said


def test_bad_files_lose_nothing_and_stop_no_other_file(taken: SimpleNamespace):
    bad = taken.delivered["bad"]
    assert bad.code == ExitCode.BAD_INPUT and "5 received" in bad.said and "1 rejected" in bad.said
    assert f"{taken.folder}/bad/empty/11_RECODEINFO_MED.CSV: " in bad.said and "expected a receipt file" in bad.said
    assert taken.ingested.code == ExitCode.OK, taken.ingested.said

    quarantine, points = defaultdict(Counter), {}
    for path, content in FOLDER.items():
        name, lines = str(Path(path).parent), len(content.replace(b"\x1a", b"").splitlines())
        rows = taken.of(name)
        quarantine[name].update(row.rule for row in rows("bronze.quarantine_line"))
        assert len(rows("bronze.claim_line")) + quarantine[name].total() == lines, name
        points[name] = [row.points_decided for row in rows("silver.claim")]
    assert {name: (len(all_), sum(all_)) for name, all_ in points.items()} == {
        "good": (2, 912), "empty": (0, 0), "cut": (1, 456), "field_count": (1, 456), "bad_byte": (1, 456), "totals": (1, 288)
    }  # fmt: skip
    assert {name: dict(rules) for name, rules in quarantine.items() if rules} == {
        "cut": {"cut_receipt": quarantine["cut"]["cut_receipt"]},
        "field_count": {"field_count": 1, "receipt_of_bad_line": LINES - 1},
        "bad_byte": {"bad_byte": 1, "receipt_of_bad_line": LINES - 1},
    }
    assert quarantine["cut"]["cut_receipt"] > 1

    assert taken.status.code == ExitCode.OK
    findings = {name: taken.of(name)("landing.delivery_finding") for name in quarantine}
    told = {(name, row.severity) for name, rows in findings.items() for row in rows}
    assert {("empty", "stop"), ("cut", "stop"), ("field_count", "stop"), ("bad_byte", "stop"), ("totals", "tell")} <= told
    assert findings["good"] == []
    for row in (row for rows in findings.values() for row in rows):
        assert row.found and row.expected and row.action
        assert row.rule in taken.status.said, "lake status shows every finding"


def test_the_published_claim_form_sample_is_whole_and_its_totals_are_checked(taken: SimpleNamespace, reference: Path):
    rows, lines = taken.of("whole"), taken.lines
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


def test_a_go_that_does_not_match_its_receipts_is_reported(taken: SimpleNamespace, reference: Path):
    rows = taken.of("cut_claim")
    assert len(rows("silver.claim")) == 74
    (go,) = [found for found in rows("landing.delivery_finding") if found.rule == "go_total"]
    assert (go.severity, go.found) == ("tell", "GO says 140 and 86392")
    assert re.match(r"13[89] receipts by payer, \d+ points", go.expected) and go.action


def test_the_printed_insurer_form_example_comes_out_with_the_corrected_total(taken: SimpleNamespace, reference: Path):
    """receipt-formats §4.8: 491 points billed, 456 after the review; 42 and 21 units remain, the third drug is struck out."""
    rows = taken.of("example")
    stored = rows("bronze.claim_line")
    assert len(stored) == 14 and rows("bronze.quarantine_line") == []
    (claim,) = rows("silver.claim")
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines, claim.state) == (491, 456, 456, "corrected")
    assert (claim.insurer_number, claim.facility_code, claim.age, claim.setting) == ("06990014", "1319900013", 44, "outpatient")
    assert {row.drug_code: row.quantity_claim_unit for row in rows("silver.claim_drug")} == {"699990001": 42, "699990002": 21}
    text = "\n".join(row.line for row in stored)
    assert not [secret for secret in ("見本　花子", "ミホンハナコ", "１２３４５", "M-0001", "19800402") if secret in text]
