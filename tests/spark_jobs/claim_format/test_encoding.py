from pathlib import Path

import pytest

from spark_jobs.claim_format.encoding import Kind, NotAReceiptFileError, named, recognise

EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
IR = "IR,1,13,1,9900013,,見本クリニック,202406,00,\r\n"


def test_form_kind_and_month_come_from_the_first_records() -> None:
    assert recognise(EXAMPLE.encode("cp932")) == Kind("insurer", "med", 202406)
    assert recognise(IR.encode("cp932")) == Kind("claim", "med", 202406)
    assert recognise(("\x1a" + IR).encode("cp932")) == Kind("claim", "med", 202406)
    assert recognise(IR.replace("202406", "50606").encode("cp932")) == Kind("claim", "med", 202406)
    assert recognise("YK,1,13,4,9900013,見本薬局,202406,00,\r\n".encode("cp932")) == Kind("claim", "pha", 202406)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("UK,1,13,3,9900018,,見本歯科,202406,,00\r\nIR,1,13,3,9900018,,202406,,\r\n", Kind("claim", "den", 202406)),
        ("IR,1,13,3,9900018,,202406,,\r\n", Kind("claim", "den", 202406)),
        ("2,1,0,MN,900000123,見本歯科,見本町,1,\r\n1,2,0,IR,1,13,3,9900018,,202406,,\r\n", Kind("insurer", "den", 202406)),
        ("HM,2,13,6,9900012,見本訪問看護,202407,\r\n", Kind("claim", "nur", 202407)),
        ("2,1,0,MN,900000123,見本町,,,,\r\n1,2,0,HM,1,13,6,9900012,見本訪問看護,202407,\r\n", Kind("insurer", "nur", 202407)),
    ],
)
def test_dental_and_nursing_files_have_heads_of_their_own(text: str, kind: Kind) -> None:
    assert recognise(text.encode("cp932")) == kind


def test_a_continued_volume_says_which_one_it_is() -> None:
    assert recognise(IR.replace(",00,", ",01,").encode("cp932")) == Kind("claim", "med", 202406, 1)
    assert recognise("UK,1,13,3,9900018,,見本歯科,202406,,12\r\n".encode("cp932")).volume == 12


def test_a_record_of_dpc_makes_it_dpc() -> None:
    assert recognise((IR + "RE,1,1111,202405,,2,19800402\r\nBU,040080x099x0xx,20240501,,\r\n").encode("cp932")).claim_kind == "dpc"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("項目,値\r\n1,2\r\n", "a first line of 2 fields, not IR, YK, UK or HM"),
        ("2,1,0,MN,900000123,,,,,\r\n", "no provider record (IR, YK, UK or HM) among its first lines"),
        ("IR,1,13,9,9900013,,,202406,00,\r\n", "IR with an unknown 点数表"),
        ("IR,1,13,4,9900013,,,202406,00,\r\n", "IR with an unknown 点数表"),
        ("IR,1,13,1,9900013,,,2024,00,\r\n", "IR without a readable 請求年月 (field 8)"),
        ("IR,1,13,1,9900013\r\n", "IR without a readable 請求年月 (field 8)"),
    ],
)
def test_what_is_no_receipt_file_is_said_without_quoting_it(text: str, message: str) -> None:
    with pytest.raises(NotAReceiptFileError) as error:
        recognise(text.encode("cp932"))
    assert str(error.value) == message


def test_names_promise_form_and_kind() -> None:
    assert named("RECEIPTC.UKE") == ("claim", "med")
    assert named("RECEIPTY.CYO") == ("claim", "pha")
    assert named("11_RECODEINFO_MED.CSV") == ("insurer", "med")
    assert named("13_RECODEINFO_DEN.CSV") == ("insurer", "den")
    assert named("14_RECODEINFO_PHA.CSV") == ("insurer", "pha")
    assert named("15_RECODEINFO_NUR.CSV") == ("insurer", "nur")
    assert named("RECEIPTS.UKE") == ("claim", "den") and named("RECEIPTH.UKE") == ("claim", "nur")
    assert named("invoice.csv") is None
