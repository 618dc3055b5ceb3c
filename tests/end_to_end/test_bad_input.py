"""Bad input through the `lake` command: nothing is lost, nothing stops the other files, the words say where, found, expected, what to do.

The receipts are typed by hand after the example of receipt-formats §4.8; codes 1999900xx and 6999900xx do not exist.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from spark_jobs import cli
from spark_jobs.errors import ExitCode

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


def lake_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str]:
    """Exit code and everything printed, on one line."""
    monkeypatch.setattr(sys, "argv", ["lake", *words])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    printed = capsys.readouterr()
    return code, " ".join((printed.out + printed.err).split())


@pytest.fixture
def command(lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setenv("COLUMNS", "400")
    return lambda *words: lake_command(monkeypatch, capsys, *words)


def test_an_unknown_depositor_is_refused_before_anything_is_read(command, tmp_path: Path):
    code, said = command("deliver", str(tmp_path), "--insurer", "06999999")
    assert code == ExitCode.BAD_CONFIG
    assert "06999999" in said and "expected" in said and ".yaml" in said


def test_a_folder_without_receipt_files_says_so(command, tmp_path: Path):
    (tmp_path / "readme.txt").write_text("nothing here")
    code, said = command("deliver", str(tmp_path), "--insurer", INSURER)
    assert code == ExitCode.BAD_INPUT
    assert str(tmp_path) in said and "expected" in said


def test_a_path_that_does_not_exist_says_so(command, tmp_path: Path):
    code, said = command("deliver", str(tmp_path / "nowhere"), "--insurer", INSURER)
    assert code in (ExitCode.USAGE, ExitCode.BAD_INPUT)
    assert str(tmp_path / "nowhere") in said


def test_bad_files_lose_nothing_and_stop_no_other_file(command, held, tmp_path: Path):
    for name, content in FOLDER.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    command("keys", "create")
    code, said = command("deliver", str(tmp_path), "--insurer", INSURER)
    assert code == ExitCode.BAD_INPUT and "5 received" in said and "1 rejected" in said
    assert f"{tmp_path}/empty/11_RECODEINFO_MED.CSV: " in said and "expected a receipt file" in said
    code, said = command("ingest")
    assert code == ExitCode.OK, said

    name_of = {row.file_sha256: str(Path(row.file_path).relative_to(tmp_path).parent) for row in held("landing.delivery")}
    in_bronze = Counter(name_of[row.file_sha256] for row in held("bronze.claim_line"))
    quarantine: dict[str, Counter] = defaultdict(Counter)
    for row in held("bronze.quarantine_line"):
        quarantine[name_of[row.file_sha256]][row.rule] += 1
    points = defaultdict(list)
    for row in held("silver.claim"):
        points[name_of[row.file_sha256]].append(row.points_decided)

    for path, content in FOLDER.items():
        name, lines = str(Path(path).parent), len(content.replace(b"\x1a", b"").splitlines())
        assert in_bronze[name] + quarantine[name].total() == lines, name
    assert {name: (len(all_), sum(all_)) for name, all_ in points.items()} == {
        "good": (2, 912),
        "cut": (1, 456),
        "field_count": (1, 456),
        "bad_byte": (1, 456),
        "totals": (1, 288),
    }
    assert {name: dict(rules) for name, rules in quarantine.items() if rules} == {
        "cut": {"cut_receipt": quarantine["cut"].get("cut_receipt")},
        "field_count": {"field_count": 1, "receipt_of_bad_line": LINES - 1},
        "bad_byte": {"bad_byte": 1, "receipt_of_bad_line": LINES - 1},
    }

    code, said = command("status")
    assert code == ExitCode.OK
    findings = held("landing.delivery_finding")
    told = {(name_of[row.file_sha256], row.severity) for row in findings}
    assert {("empty", "stop"), ("cut", "stop"), ("field_count", "stop"), ("bad_byte", "stop"), ("totals", "tell")} <= told
    assert not any(name == "good" for name, _ in told)
    assert all(row.found and row.expected and row.action for row in findings)
    assert all(row.rule in said for row in findings), "lake status shows every finding"
