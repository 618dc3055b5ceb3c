import io
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing import view

EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
SECRETS = ("見本　花子", "ミホンハナコ", "１２３４５", "M-0001", "19800402", "見本傷病")


TYPED = Path(__file__).parents[2] / "fixtures" / "typed"


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


@pytest.fixture
def typed(tmp_path: Path) -> Callable[[str], tuple[Path, dict]]:
    """A file typed by hand as delivered, and what is known of it."""

    def written(case: str) -> tuple[Path, dict]:
        expected = yaml.safe_load((TYPED / case / "expected.yaml").read_text(encoding="utf-8"))
        return write(tmp_path / expected["file"], (TYPED / case / expected["file"]).read_text(encoding="utf-8")), expected

    return written


@pytest.mark.parametrize("case", sorted(folder.name for folder in TYPED.iterdir() if folder.is_dir()))
def test_every_kind_and_form_is_shown_with_its_drugs_and_names_nobody(typed: Callable[[str], tuple[Path, dict]], case: str):
    path, expected = typed(case)
    pages = [shown(path, number) for number in range(1, expected["receipts"] + 1)]
    whole = "\n".join(pages)
    assert not [secret for secret in expected["secrets"] if secret in whole]
    assert "not shown" not in whole and "(読めない)" not in whole
    for claim in expected["claims"]:
        drugs = re.findall(r"^ *\d+ (6\d{8}) .* ([\d.]+)$", pages[claim["receipt_seq"] - 1].partition("医薬品 (補正後)")[2], re.MULTILINE)
        sums: Counter[str] = Counter()
        for code, quantity in drugs:
            sums[code] += Decimal(quantity)
        assert sums == {code: Decimal(str(quantity)) for code, quantity in claim["drugs"].items()}


def test_the_heading_says_who_billed_what_to_whom(typed: Callable[[str], tuple[Path, dict]]):
    path, _ = typed("den_insurer")
    assert shown(path, 2).splitlines()[:6] == [
        "13_RECODEINFO_DEN.CSV: insurer den 202406, receipt 2",
        "歯科 入院外 診療 2024年5月 請求 2024年6月",
        "医療機関 1339903013 架空歯科",
        "患者 家族 女 2015年3月生",
        "保険者 990010 国保 176点 → 審査後 146点",
        "データ識別 1 請求、2 審査",
    ]
    path, _ = typed("pha_claim")
    assert "公費のみ 法別12 293点" in shown(path, 2)
    path, _ = typed("nur_insurer")
    assert "保険者 39990015 後期高齢者医療 13220円 → 審査後 5550円" in shown(path, 3)


def test_corrections_and_data_ids_are_said_in_words(typed: Callable[[str], tuple[Path, dict]]):
    path, _ = typed("med_insurer")
    page = shown(path, 1)
    assert "行10を削除 事由 B 過剰・重複" in page and "行6の後に行13を追加 事由 G 請求点数誤り" in page
    assert "行99(このレセプトにない)を削除" in page
    assert "8 返戻" in shown(path, 5) and "12 再請求前の審査" in shown(path, 6) and "4 再審査の結果" in shown(path, 7)


@pytest.mark.parametrize(
    ("text", "number", "said", "code"),
    [
        (EXAMPLE, 2, "1 receipts; expected receipt 2. Give a number from 1 on.", ExitCode.USAGE),
        (
            "x,y\n",
            1,
            "a first line of 2 fields, not IR, YK, UK or HM; expected a receipt file. Look at what was delivered.",
            ExitCode.BAD_INPUT,
        ),
        (None, 1, "No such file or directory; expected a receipt file. Correct the path.", ExitCode.BAD_INPUT),
    ],
)
def test_what_can_not_be_shown_is_said(tmp_path: Path, text: str | None, number: int, said: str, code: ExitCode):
    path = tmp_path / "file" if text is None else write(tmp_path / "file", text)
    with pytest.raises(LakeError) as error:
        view.show(path, number, Console(file=io.StringIO()))
    assert (str(error.value), error.value.code) == (f"{path}: {said}", code)
