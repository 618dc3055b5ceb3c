"""Deliveries: recognised by content, recorded once, rejected with a message that says what to do; the other files go on."""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing import delivery

INSURER, OTHER = "06149900", "06279905"
EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
CLAIM = "IR,1,13,1,9900013,,見本クリニック,202406,00,\nRE,1,1112,202405\nGO,1,0,99\n"


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", "\r\n").encode("cp932"))
    return path


def _events(settings) -> list[tuple]:
    rows = delta.read(settings, tables.DELIVERY).sort("file_name", "insurer_number", "event_no")
    return rows.select("file_name", "state", "claim_form", "claim_kind", "claim_month", "event_no").rows()


def test_files_are_found_recognised_and_recorded_once(lake, tmp_path: Path) -> None:
    settings = lake
    _write(tmp_path / "202406" / INSURER / "0_COMMON001" / "11_RECODEINFO_MED.CSV", EXAMPLE)
    _write(tmp_path / "RECEIPTC.UKE", CLAIM)
    _write(tmp_path / "04_PECULIARTEXTINFO_PHA.CSV", "項目,値\n")  # no receipts: not looked at
    _write(tmp_path / "notes.txt", "x")
    first = delivery.deliver(settings, tmp_path, INSURER)
    assert str(first) == f"{INSURER}: 2 received, 0 known already, 0 rejected"
    assert _events(settings) == [
        ("11_RECODEINFO_MED.CSV", "received", "insurer", "med", 202406, 1),
        ("RECEIPTC.UKE", "received", "claim", "med", 202406, 1),
    ]
    shutil.copy(tmp_path / "RECEIPTC.UKE", tmp_path / "copy.uke")
    again = delivery.deliver(settings, tmp_path, INSURER)
    assert (again.received, again.known, again.rejected) == (0, 3, 0)
    assert delivery.deliver(settings, tmp_path / "copy.uke", OTHER).received == 1  # another depositor's own delivery
    _write(tmp_path / "RECEIPTC.UKE", CLAIM.replace("202405", "202404"))
    assert delivery.deliver(settings, tmp_path / "RECEIPTC.UKE", INSURER).received == 1  # same name, other content
    pending = delivery.pending(settings, INSURER)
    assert [file.file_name for file in pending].count("RECEIPTC.UKE") == 2
    assert all(Path(file.file_path).is_absolute() and file.mismatch_rule == "keep" for file in pending)
    assert delivery.pending(settings, INSURER, 202407) == []


def test_a_bad_file_is_rejected_with_a_message_and_the_others_go_on(lake, tmp_path: Path) -> None:
    settings = lake
    _write(tmp_path / "RECEIPTC.UKE", CLAIM)
    (tmp_path / "RECEIPTD.UKE").touch()
    _write(tmp_path / "11_RECODEINFO_MED.CSV", "項目,値\n")
    _write(tmp_path / "RECEIPTC-2.UKE", CLAIM + CLAIM.replace("9900013", "9900021"))
    _write(tmp_path / "RECEIPTY.CYO", CLAIM.replace("202405", "202403"))
    summary = delivery.deliver(settings, tmp_path, INSURER)
    assert (summary.received, summary.known, summary.rejected) == (2, 0, 3)
    assert {str(finding) for finding in summary.findings} == {
        f"stop empty_file: {tmp_path}/RECEIPTD.UKE: 0 bytes; expected a receipt file. The sender mends the file; deliver it again.",
        f"stop not_a_receipt_file: {tmp_path}/11_RECODEINFO_MED.CSV: a first line of 2 fields, not IR, YK, UK or HM; "
        "expected IR, YK, UK or HM first, or 3 prefix columns and MN. The sender mends the file; deliver it again.",
        f"stop several_providers: {tmp_path}/RECEIPTC-2.UKE: 2 provider records; "
        "expected one provider per file. Split the file where the next provider begins; deliver the parts.",
        f"tell name_contradicts: {tmp_path}/RECEIPTY.CYO promises claim pha, content is claim med; "
        "expected a name that fits. Check the name; content counts.",
    }
    states = {name: state for name, state, *_ in _events(settings)}
    assert [states[name] for name in ("RECEIPTC.UKE", "RECEIPTD.UKE", "RECEIPTY.CYO")] == ["received", "rejected", "received"]
    assert delta.read(settings, tables.DELIVERY_FINDING).height == 4
    assert delivery.deliver(settings, tmp_path / "RECEIPTD.UKE", INSURER).rejected == 1  # told again, not recorded again
    assert [event[-1] for event in _events(settings) if event[0] == "RECEIPTD.UKE"] == [1]
    assert delta.read(settings, tables.DELIVERY_FINDING).height == 4


def test_a_dental_file_has_one_head_and_a_provider_in_every_receipt(lake, tmp_path: Path) -> None:
    receipt = "IR,1,13,3,9900018,,202406,,\nRE,{n},3112,202405,見本　花子,2,19800402\nHO,06139901,見本,１,1,267\n"
    text = "UK,1,13,3,9900018,,見本歯科,202406,,00\n" + receipt.format(n=1) + receipt.format(n=2) + "GO,2,534,99\n"
    _write(tmp_path / "RECEIPTS.UKE", text)
    assert str(delivery.deliver(lake, tmp_path, INSURER)) == f"{INSURER}: 1 received, 0 known already, 0 rejected"
    assert _events(lake) == [("RECEIPTS.UKE", "received", "claim", "den", 202406, 1)]


def test_a_second_insurer_form_file_of_a_month_is_told(lake, tmp_path: Path) -> None:
    settings = lake
    delivery.deliver(settings, _write(tmp_path / "a" / "11_RECODEINFO_MED.CSV", EXAMPLE), INSURER)
    second = delivery.deliver(settings, _write(tmp_path / "b" / "11_RECODEINFO_MED.CSV", EXAMPLE + EXAMPLE), INSURER)
    assert [str(finding) for finding in second.findings] == [
        f"tell second_file_of_month: {tmp_path}/b/11_RECODEINFO_MED.CSV: med 202406; expected one file a month and kind. "
        "Receipts of one 検索番号 count once. If it corrects the first: lake deliver --replace."
    ]


def test_no_receipt_file_no_such_folder_and_an_unknown_depositor(lake, tmp_path: Path) -> None:
    settings = lake
    with pytest.raises(LakeError) as error:
        delivery.deliver(settings, tmp_path, INSURER)
    assert error.value.code == ExitCode.BAD_INPUT
    assert str(error.value) == (
        f"{tmp_path}: no receipt file; expected *.UKE, *.CYO or *_RECODEINFO_*.CSV in it or below. Check the folder; unpack archives first."
    )
    with pytest.raises(LakeError) as error:
        delivery.deliver(settings, tmp_path / "none", INSURER)
    assert (
        str(error.value) == f"{tmp_path / 'none'}: no such file or folder; expected a receipt file or a folder of them. Correct the path."
    )
    with pytest.raises(LakeError, match="--insurer 06999999: an unknown depositor; expected one of the 8 in ") as error:
        delivery.deliver(settings, tmp_path, "06999999")
    assert error.value.code == ExitCode.BAD_CONFIG


def test_events_stay_in_few_files(lake) -> None:
    file = delivery.DeliveredFile("06149900", "ab" * 32, "x.UKE", "/x.UKE", "claim", "med", 202404, "keep", 1)
    for _ in range(3 * delta.FEW_FILES):
        (file,) = delivery.record(lake, [delivery.Event(file, "received")])
    events = DeltaTable(lake.table_path("landing.delivery"))
    assert len(events.file_uris()) <= delta.FEW_FILES + 1
    assert sorted(delta.read(lake, tables.DELIVERY)["event_no"]) == list(range(1, 3 * delta.FEW_FILES + 1))
