import io
from pathlib import Path

import pytest
from rich.console import Console

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing import view

EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
SECRETS = ("見本　花子", "ミホンハナコ", "１２３４５", "M-0001", "19800402", "見本傷病")


def shown(path: Path, number: int = 1) -> str:
    out = io.StringIO()
    view.show(path, number, Console(file=out, width=200))
    return "\n".join(" ".join(line.split()) for line in out.getvalue().splitlines())


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.replace("\n", "\r\n").encode("cp932", errors="surrogateescape"))
    return path


def test_a_receipt_is_shown_in_words_and_nobody_is_named(tmp_path: Path):
    page = shown(write(tmp_path / "11_RECODEINFO_MED.CSV", EXAMPLE.replace("699990001", "620098801") + EXAMPLE))
    assert "11_RECODEINFO_MED.CSV: insurer med 202406, receipt 1" in page
    assert "3 1 請求 3 RE レセプト番号 1 レセプト種別 1112 診療年月 202405 氏名 (仮名になる) 男女区分 2 生年月日 198004" in page
    assert "4 1 請求 4 HO 保険者番号 06990014" in page and "合計点数 491" in page
    assert "使用量 3 回数 14 日 10日×14" in page
    assert "医薬品コード 620098801 " in page and "医薬品コード 620098801 使用量" not in page  # its name follows
    assert "11 2 審査 11 JY 行4は行10に置き換え" in page
    assert page.count("MN") == 1 and page.count(" RC ") == 1
    assert not [secret for secret in SECRETS if secret in page]


def test_what_the_layout_can_not_read_is_not_shown(tmp_path: Path):
    broken = EXAMPLE.replace("RE,1,1112,", "RE,1,1112,,").replace(",SY,", ",ZZ,")
    page = shown(write(tmp_path / "file.csv", EXAMPLE + broken), 2)
    assert "RE 39 fields instead of 38: not shown" in page and "? no record of this kind of claim: " in page
    assert not [secret for secret in SECRETS if secret in page]


@pytest.mark.parametrize("name", ['"見本,花子"', '"MIHON,2"', "見本,花子", "MIHON,HANAKO", "１２,３４"])
def test_a_comma_in_a_name_brings_no_name_to_light(tmp_path: Path, name: str):
    text = f"IR,1,13,1,9900013,,架空医院,202406,00,\nRE,1,1112,202405,{name},2,19800402,,,,,,,M-0001\nGO,1,0,99\n"
    page = shown(write(tmp_path / "RECEIPTC.UKE", text))
    assert " RE " in page
    assert not [part for part in [*name.strip('"').split(","), "19800402"] if part in page and part != "2"]
    assert ("a quote mark" in page) == ('"' in name)


def test_details_of_a_dpc_receipt_are_shown_with_it(tmp_path: Path):
    receipt = "RE,{n},1111,202405,見本　太郎,1,19550402" + "," * 12
    claims = "".join(receipt.format(n=n) + f"1\n{receipt.format(n=n)}2\nBU,090010xx02x0xx,20240504\n" for n in (1, 2))
    page = shown(write(tmp_path / "RECEIPTD.UKE", f"IR,1,13,1,9900013,,見本クリニック,202406,00,\n{claims}GO,2,0,99\n"), 2)
    assert "claim dpc 202406, receipt 2" in page
    assert [line.split()[1] for line in page.splitlines() if line[:1].isdigit()] == ["RE", "RE", "BU"]


@pytest.mark.parametrize(
    ("text", "number", "said", "code"),
    [
        (EXAMPLE, 2, "1 receipts; expected receipt 2. Give a number from 1 on.", ExitCode.USAGE),
        ("x,y\n", 1, "a first line of 2 fields, not IR, YK, UK or HM; expected a receipt file. Look at what was delivered.", ExitCode.BAD_INPUT),
        (None, 1, "No such file or directory; expected a receipt file. Correct the path.", ExitCode.BAD_INPUT),
    ],
)
def test_what_can_not_be_shown_is_said(tmp_path: Path, text: str | None, number: int, said: str, code: ExitCode):
    path = tmp_path / "file" if text is None else write(tmp_path / "file", text)
    with pytest.raises(LakeError) as error:
        view.show(path, number, Console(file=io.StringIO()))
    assert (str(error.value), error.value.code) == (f"{path}: {said}", code)
