"""Small files with one fault each, taken in at once: each line stands in bronze or in quarantine, whole receipts only, nobody's data in the clear."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyrage import decrypt, x25519
from small_files import EXAMPLE, INSURER, OTHER, claim, claims, receipts, same

from spark_jobs import ingest
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings

RECEIPT_LINES = 14
PLAIN = [
    "見本",
    "花子",
    "太郎",
    "ミホンハナコ",
    "１２３４５",
    "M-0001",
    "19800402",
    "3550402",
    "0312345678",
    "見本傷病",
    "見本病",
    "太郎さん",
    "Ver0000100112233445566778899aabbccddeeff",
]
HEADER = f"RE,1,1111,202405,見本　太郎,1,3550402{',' * 12}"  # 総括区分 follows
DPC_WITH_DETAILS = "\n".join(
    [f"{HEADER}1", f"HO,{INSURER},見本,９９,9,288", f"{HEADER}3", f"HO,{INSURER},見本,９９,2,88", "SI,90,1,190000001,,88,1",
     f"{HEADER}2,", f"HO,{INSURER},見本,９９,7,200", "BU,090010xx02x0xx,20240504", "GT,202405,2,1,1,1,1,,200,93"]
)  # fmt: skip
FILES = {  # name → (content, line end)
    "example.csv": (receipts(same), "\r\n"),
    "copies.csv": (receipts(same, same, same) + "\x1a", "\n"),
    "few_fields.csv": (receipts(same, lambda r: r.replace("SI,11,1,199990001,", "SI,11,1,199990001"), same), "\r\n"),
    "many_fields.csv": (receipts(same, lambda r: r.replace("SY,0000999,", "SY,0000999,,"), same), "\r\n"),
    "bad_byte.csv": (receipts(same, lambda r: r.replace("見本傷病", "見本\udcff傷病"), same), "\r\n"),
    "name_as_payer.csv": (receipts(same, lambda r: r.replace(f"HO,{INSURER}", "HO,見本花子"), same), "\r\n"),
    "number_as_branch.csv": (receipts(same, lambda r: r.replace("1,5,0,SY", "1,5,0,SN,1,01,,,,1234599,,\n1,5,0,SY"), same), "\r\n"),
    "number_as_correction.csv": (  # an SN whose identifier is broken has as many fields as a JY
        receipts(same, lambda r: r.replace("1,5,0,SY", f"1,5,0,JY,1,02,{INSURER},見本,１２３４５,00,,\n1,5,0,SY"), same),
        "\r\n",
    ),
    "unknown.csv": (receipts(same, lambda r: r.replace(",SY,", ",ZZ,"), same), "\r\n"),
    "prefix.csv": (receipts(same, lambda r: r.replace("1,5,0,SY", "x,5,0,SY"), same), "\r\n"),
    "blank.csv": (receipts(same, lambda r: r.replace("1,6,0,SI", "\n1,6,0,SI"), same), "\r\n"),
    "cut.csv": (receipts(same, same)[:-230], "\r\n"),
    "cut_in_last_line.csv": (receipts(same, same)[:-10], "\r\n"),
    "no_mn.csv": (receipts(same, lambda r: r.partition("\n")[2], same), "\r\n"),
    "outside.csv": ("1,1,0,CO,,,,\n" + receipts(same), "\r\n"),
    "rejected.csv": (receipts(same, lambda r: r.replace(INSURER, OTHER), same), "\r\n"),
    "claim.uke": (claims(claim(1), claim(2)) + "\x1a", "\r\n"),
    "claim_lf.uke": (claims(claim(1), "\x1a" + claim(2)), "\n"),
    "claim_outside.uke": (claims("IY,1,1112,202405,見本　太郎,2,3550402", "CO,1,1,810000001,", claim(1)), "\r\n"),
    "claim_cut.uke": (claims(claim(1), claim(2)).partition("GO")[0], "\r\n"),
    "claim_no_end.uke": (claims(claim(1), claim(2)).rstrip("\n"), "\r\n"),
    "claim_go.uke": (claims(claim(1), claim(2), go="GO,5,999,99"), "\r\n"),
    "claim_volume.uke": (claims(claim(1), go="GO,,,01"), "\r\n"),
    "claim_long.uke": (claims(claim(1), claim(2) + "," * 60), "\r\n"),
    "claim_quoted.uke": (claims(claim(1).replace("太郎さん", '"太郎,さん"')), "\r\n"),
    "claim_dpc.uke": (claims(DPC_WITH_DETAILS, DPC_WITH_DETAILS.replace("RE,1,", "RE,2,")), "\r\n"),
    "claim_digit.uke": (claims(claim(1, insurer="06149901")), "\r\n"),
}  # fmt: skip


def _bytes(text: str, end: str) -> bytes:
    return text.replace("\n", end).encode("cp932", errors="surrogateescape")


@pytest.fixture(scope="module")
def taken(empty_lake, held, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    settings = empty_lake()
    keys.create(settings, None)
    folder = tmp_path_factory.mktemp("delivered")
    for name, (text, end) in FILES.items():
        (folder / name).write_bytes(_bytes(text, end))
    assert delivery.deliver(settings, folder, INSURER).rejected == 0
    pending = [replace(f, mismatch_rule="reject" if f.file_name == "rejected.csv" else "keep") for f in delivery.pending(settings)]
    names = {file.file_sha256: file.file_name for file in pending}
    assert sorted(names.values()) == sorted(FILES)

    def run() -> SimpleNamespace:
        ingest.take_in(settings, pending)
        tables = {
            name: [vars(row) for row in held(name)] for name in ("bronze.claim_line", "bronze.quarantine_line", "landing.delivery_finding")
        }
        return SimpleNamespace(
            events=held("landing.delivery"),
            bronze=sorted(
                (r | {"file": names[r["file_sha256"]]} for r in tables["bronze.claim_line"]), key=lambda r: (r["file"], r["line_no"])
            ),
            quarantine=sorted(
                (r | {"file": names[r["file_sha256"]]} for r in tables["bronze.quarantine_line"]), key=lambda r: (r["file"], r["line_no"])
            ),
            findings=[r | {"file": names[r["file_sha256"]]} for r in tables["landing.delivery_finding"]],
        )

    first = run()
    return SimpleNamespace(**vars(first), run=run, settings=settings, folder=folder, pending=pending)


def _kept(taken: SimpleNamespace, name: str) -> dict[int, int]:
    """Receipt → lines in bronze."""
    return dict(Counter(r["receipt_seq"] for r in taken.bronze if r["file"] == name))


def _out(taken: SimpleNamespace, name: str) -> dict[tuple[int, str], int]:
    """(receipt, rule) → lines in quarantine."""
    return dict(Counter((r["receipt_seq"], r["rule"]) for r in taken.quarantine if r["file"] == name))


def _told(taken: SimpleNamespace, name: str) -> list[str]:
    own = (r for r in taken.findings if r["file"] == name and r["rule"] != "second_file_of_month")
    found = sorted(own, key=lambda r: (r["line_no"] or 0, r["rule"]))
    return [f"{r['severity']} {r['rule']} line {r['line_no']}: {r['found']}; expected {r['expected']}" for r in found]


def test_each_line_of_a_file_is_in_bronze_or_in_quarantine_once(taken: SimpleNamespace) -> None:
    for name, (text, end) in FILES.items():
        lines = _bytes(text, end).replace(b"\x1a", b"").removesuffix(b"\n").count(b"\n") + 1
        numbers = [r["line_no"] for r in (*taken.bronze, *taken.quarantine) if r["file"] == name]
        assert sorted(numbers) == list(range(1, lines + 1)), name
        (event,) = [r for r in taken.events if r.file_name == name and r.state == "bronze" and r.event_no == 2]
        assert event.line_count == lines
        assert event.quarantine_count == sum(r["file"] == name for r in taken.quarantine)


def test_the_example_comes_through_whole(taken: SimpleNamespace) -> None:
    lines = [r["line"] for r in taken.bronze if r["file"] == "example.csv"]
    assert len(lines) == RECEIPT_LINES
    sent = EXAMPLE.replace("06990014", INSURER).splitlines()
    assert [line.split(",")[:4] for line in lines] == [line.split(",")[:4] for line in sent]
    assert [line.count(",") for line in lines] == [line.count(",") for line in sent]
    assert lines[5:9] == sent[5:9] and lines[10:12] == sent[10:12]
    assert [r["record_type"] for r in taken.bronze if r["file"] == "example.csv"] == [line.split(",")[3] for line in sent]


def test_nothing_that_names_a_person_is_stored(taken: SimpleNamespace) -> None:
    stored = " ".join(str(value) for r in (*taken.bronze, *taken.quarantine, *taken.findings) for value in r.values())
    assert stored.count("見本") == stored.count("見本クリニック") + stored.count("見本町")
    for plain in PLAIN[2:]:
        assert plain not in stored.replace("見本クリニック", ""), plain


def test_pseudonyms_are_equal_where_the_person_is(taken: SimpleNamespace) -> None:
    def field(name: str, record: str, place: int) -> list[str]:
        return [r["line"].split(",")[place] for r in taken.bronze if r["file"] == name and r["record_type"] == record]

    assert len(set(field("copies.csv", "HO", 6))) == 1  # one number, one birth date, also on the corrected HO
    assert len(set(field("copies.csv", "RE", 7))) == 3  # three names
    assert len(set(field("claim.uke", "HO", 3))) == 2 and len(set(field("claim.uke", "HO", 2))) == 1
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in field("example.csv", "HO", 5) + field("example.csv", "RE", 39))
    assert field("example.csv", "RE", 9) == ["198004"] and set(field("claim.uke", "RE", 6)) == {"198004"}
    assert set(field("claim.uke", "SY", 5)) == {"疑い"} and field("example.csv", "SY", 8) == [""]


def test_deviations_that_are_accepted(taken: SimpleNamespace) -> None:
    assert _kept(taken, "copies.csv") == {1: 14, 2: 14, 3: 14}
    for name in ("claim.uke", "claim_lf.uke", "claim_no_end.uke"):
        assert _kept(taken, name) == {0: 2, 1: 5, 2: 5}, name
    assert _kept(taken, "claim_quoted.uke") == {0: 2, 1: 5}
    lines = {r["record_type"]: r["line"] for r in taken.bronze if r["file"] == "claim.uke"}
    assert lines["IY"].count(",") == 43 and lines["RE"].count(",") == 37  # trailing fields are back


@pytest.mark.parametrize(
    ("name", "rule", "line_no", "detail"),
    [
        ("few_fields.csv", "field_count", 20, "SI: 43 fields, expected 44"),
        ("many_fields.csv", "field_count", 19, "SY: 9 fields, expected 8"),
        ("bad_byte.csv", "bad_byte", 19, "SY: a byte that is no character"),
        ("unknown.csv", "unknown_record", 19, "ZZ"),
        ("number_as_branch.csv", "field_mode", 19, "SN: a field that does not fit its mode or length"),
        ("number_as_correction.csv", "field_mode", 19, "JY: a field that does not fit its mode or length"),
        ("prefix.csv", "bad_prefix", 19, None),
    ],
)
def test_a_bad_line_keeps_its_receipt_out_and_only_that(
    taken: SimpleNamespace, name: str, rule: str, line_no: int, detail: str | None
) -> None:
    assert _kept(taken, name) == {1: 14, 3: 14}
    assert _out(taken, name) == {(2, rule): 1, (2, "receipt_of_bad_line"): 14 if name.startswith("number_as") else 13}
    bad = next(r for r in taken.quarantine if r["file"] == name and r["rule"] == rule)
    assert (bad["line_no"], bad["detail"]) == (line_no, detail)
    assert _told(taken, name)[0].startswith("stop receipt_of_bad_line line 15: ")
    first = f"; the first: {detail}" if detail else ""
    assert _told(taken, name)[1].startswith(f"stop {rule} line {line_no}: 1 line of 1 receipt kept out{first}; expected ")


def test_a_name_where_a_payer_number_stands_is_kept_out(taken: SimpleNamespace) -> None:
    assert _kept(taken, "name_as_payer.csv") == {1: 14, 3: 14}
    assert _out(taken, "name_as_payer.csv") == {(2, "field_mode"): 2, (2, "receipt_of_bad_line"): 12}


def test_a_blank_line_goes_alone(taken: SimpleNamespace) -> None:
    assert _kept(taken, "blank.csv") == {1: 14, 2: 14, 3: 14}
    assert _out(taken, "blank.csv") == {(2, "blank_line"): 1}


@pytest.mark.parametrize("name", ["cut.csv", "cut_in_last_line.csv"])
def test_a_cut_file_keeps_its_whole_receipts(taken: SimpleNamespace, name: str) -> None:
    assert _kept(taken, name) == {1: 14}
    assert {key for key in _out(taken, name)} == {(2, "cut_receipt")}
    assert _told(taken, name)[0].startswith("stop cut_receipt line 15: ")
    assert _told(taken, name)[0].endswith("lines of 1 receipt kept out; expected RC and a line end (insurer form), GO (claim form)")


def test_a_cut_claim_file_keeps_all_but_its_last_receipt(taken: SimpleNamespace) -> None:
    assert _kept(taken, "claim_cut.uke") == {0: 1, 1: 5}
    assert _out(taken, "claim_cut.uke") == {(2, "cut_receipt"): 5}


def test_a_receipt_without_its_first_line_does_not_flow_into_its_neighbour(taken: SimpleNamespace) -> None:
    assert _kept(taken, "no_mn.csv") == {2: 14}
    assert _out(taken, "no_mn.csv") == {(1, "receipt_shape"): 27}


def test_lines_before_the_first_receipt_stay_out(taken: SimpleNamespace) -> None:
    assert _kept(taken, "outside.csv") == {1: 14}
    assert _out(taken, "outside.csv") == {(0, "outside_receipt"): 1}


def test_a_line_before_the_first_receipt_of_the_claim_form_stays_out(taken: SimpleNamespace) -> None:
    """Also where it looks like a drug: it may be a header whose name of record was broken."""
    assert _kept(taken, "claim_outside.uke") == {0: 2, 1: 5}
    assert _out(taken, "claim_outside.uke") == {(0, "field_mode"): 1, (0, "outside_receipt"): 1}


def test_too_long_a_line_of_the_claim_form(taken: SimpleNamespace) -> None:
    assert _kept(taken, "claim_long.uke") == {0: 2, 1: 5}
    assert _out(taken, "claim_long.uke") == {(2, "field_count"): 1, (2, "receipt_of_bad_line"): 4}


def test_claims_of_another_insurer_are_rejected_or_told(taken: SimpleNamespace) -> None:
    assert _kept(taken, "rejected.csv") == {1: 14, 3: 14}
    assert _out(taken, "rejected.csv") == {(2, "insurer_mismatch"): 14}
    assert _told(taken, "rejected.csv") == ["stop insurer_mismatch line 15: 14 lines of 1 receipt kept out; expected HO of the depositor"]
    assert _told(taken, "claim_digit.uke") == [
        "tell check_digit line 3: 1 receipt with 06149901; expected a valid number",
        f"tell insurer_mismatch line 3: 1 receipt of 06149901; expected HO {INSURER}",
    ]


def test_go_is_held_against_its_receipts(taken: SimpleNamespace) -> None:
    assert _told(taken, "claim_go.uke") == [
        "tell go_total line 12: GO says 5 and 999; expected 2 receipts by payer, 576 points, as its receipts add up"
    ]
    for name in ("claim.uke", "claim_volume.uke", "example.csv"):
        assert _told(taken, name) == []


def test_quarantined_lines_are_sealed_to_their_owner(taken: SimpleNamespace) -> None:
    identity = x25519.Identity.from_str((keys.folder(taken.settings) / f"{INSURER}.identity").read_text().strip())
    sent = (taken.folder / "bad_byte.csv").read_bytes().split(b"\r\n")
    for r in taken.quarantine:
        if r["file"] == "bad_byte.csv":
            assert decrypt(bytes(r["sealed_line"]), [identity]) == sent[r["line_no"] - 1]


def test_taking_in_again_changes_nothing(taken: SimpleNamespace) -> None:
    again = taken.run()

    def contents(rows: list[dict]) -> list[dict]:
        return [{name: value for name, value in r.items() if name != "sealed_line"} for r in rows]  # sealing is random

    assert contents(again.bronze) == contents(taken.bronze)
    assert contents(again.quarantine) == contents(taken.quarantine)
    assert sorted(map(str, again.findings)) == sorted(map(str, taken.findings))


def test_without_a_key_nothing_is_taken_in(taken: SimpleNamespace, tmp_path: Path) -> None:
    keyless = Settings(home=taken.settings.home, secrets=tmp_path, config=taken.settings.config)
    with pytest.raises(LakeError, match=f"no key of insurer {INSURER}; expected .* Run lake keys create --insurer {INSURER}.") as error:
        ingest.take_in(keyless, taken.pending[:1])
    assert error.value.code == ExitCode.NOT_READY


def test_details_of_a_dpc_receipt_are_no_receipts_of_their_own(taken: SimpleNamespace) -> None:
    assert _kept(taken, "claim_dpc.uke") == {0: 2, 1: 9, 2: 9}
    assert {r["claim_kind"] for r in taken.bronze if r["file"] == "claim_dpc.uke"} == {"dpc"}
