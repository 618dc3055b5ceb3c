"""Results of later reviews: what was returned stops counting, before or after its receipt came; a file can be mended and taken out again."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from spark_jobs import delta, ingest, tables
from spark_jobs.claim_format import layouts
from spark_jobs.cli import app
from spark_jobs.errors import LakeError
from spark_jobs.identity import erasure, keys, rotation
from spark_jobs.landing import delivery, status
from spark_jobs.reviews import load, review_file
from spark_jobs.settings import Settings
from spark_jobs.silver import batch, claim_review

ROOT = Path(__file__).parents[3]
INSURER, OTHER = "06149900", "06279905"
NUMBER = "13150606900000123"  # of the example
EXAMPLE = (ROOT / "tests" / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", INSURER)
HEADER = "検索番号,診療年月,処理年月,審査結果,結果,決定後点数"


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A lake of its own, with keys."""
    made = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=ROOT / "config")
    keys.create(made, None)
    delta.create_all(made)
    return made


@pytest.fixture
def receive(own: Settings, tmp_path: Path) -> Callable[[str], None]:
    """Delivers text as an insurer-form file and takes it in."""
    names = (f"{n}_11_RECODEINFO_MED.CSV" for n in itertools.count(1))

    def receive_(text: str) -> None:
        path = tmp_path / next(names)
        path.write_bytes(text.encode("cp932"))
        delivery.deliver(own, path, INSURER)
        ingest.run(own)

    return receive_


def write(folder: Path, *rows: str, name: str = "results.csv", header: str = HEADER, encoding: str = "cp932") -> Path:
    path = folder / name
    path.write_bytes("".join(f"{row}\r\n" for row in (header, *rows)).encode(encoding))
    return path


def known(settings: Settings) -> list[tuple]:
    return sorted(delta.read(settings, tables.CLAIM).select("known_from_claim_month", "known_to_claim_month", "points_decided").iter_rows())


def told(settings: Settings) -> list[tuple]:
    found = delta.read(settings, tables.DELIVERY_FINDING).filter(pl.col("rule").str.starts_with("review_"))
    return sorted(found.select("rule", "line_no", "found").iter_rows())


def lake_state(settings: Settings) -> dict[str, list]:
    held = (*tables.SILVER_OF_FILE, tables.CLAIM_REVIEW, tables.DELIVERY_FINDING)
    return {table.name: sorted(map(str, delta.read(settings, table).rows())) for table in held}


def test_a_returned_claim_is_closed_from_its_processing_month_on_before_or_after_it_came(own, receive, tmp_path):
    results = write(tmp_path, f"{NUMBER},202405,202411,101,,", "98765432109876543,202405,202411,101,,")
    assert load.run(own, results, INSURER) == f"{INSURER}: 2 results: 2 returned; 2 for claims that are not here"
    assert told(own) == [("review_without_claim", 2, "results.csv: 2 results for a claim that is not here")]
    receive(EXAMPLE)
    first = lake_state(own)
    assert known(own) == [(202406, 202410, 456)]
    assert told(own) == [("review_without_claim", 3, "results.csv: 1 results for a claim that is not here")]

    load.withdraw(own, "results.csv", INSURER)
    assert known(own) == [(202406, 999912, 456)] and not told(own)
    load.run(own, results, INSURER)
    assert lake_state(own) == first
    load.run(own, results, INSURER)
    assert lake_state(own) == first


def test_a_killed_load_is_finished_by_loading_again(own, receive, tmp_path, monkeypatch):
    results = write(tmp_path, f"{NUMBER},202405,202411,101,,")
    receive(EXAMPLE)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(batch, "_apply", killed)
        load.run(own, results, INSURER)
    assert known(own) == [(202406, 999912, 456)]
    load.run(own, results, INSURER)
    assert known(own) == [(202406, 202410, 456)]


def test_a_claim_returned_and_claimed_again_counts_again(own, receive, tmp_path):
    again = EXAMPLE.replace("202406,00", "202502,00").replace(NUMBER, "13150702900000777").replace("1:202406:", "1:202502:")
    cells = again.splitlines()[2].split(",")
    cells[2 + layouts.record("med", "RE").pos("search_no")] = NUMBER
    again = again.replace(again.splitlines()[2], ",".join(cells))
    receive(again)
    load.run(own, write(tmp_path, f"{NUMBER},202405,202411,104,,"), INSURER)
    receive(EXAMPLE)
    assert known(own) == [(202406, 202410, 456), (202502, 999912, 456)]


def test_reduced_and_restored_points_stand_beside_the_claim(own, receive, tmp_path):
    receive(EXAMPLE)
    load.run(own, write(tmp_path, f"{NUMBER},令和6年5月,R6.11,,査定,400", f"{NUMBER},50605,2024-12,111,,491", encoding="utf-8"), INSURER)
    assert known(own) == [(202406, 999912, 456)]
    rows = delta.read(own, tables.CLAIM_REVIEW).sort("line_no").drop("file_sha256", "search_no")
    assert rows.rows() == [
        (INSURER, INSURER, 2, "results.csv", 202405, 202411, None, "reduced", 400),
        (INSURER, INSURER, 3, "results.csv", 202405, 202412, "111", "restored", 491),
    ]


def test_a_result_counts_on_after_a_rotation_of_the_key(own, receive, tmp_path):
    load.run(own, write(tmp_path, f"{NUMBER},202405,202411,101,,"), INSURER)
    rotation.run(own, INSURER)
    receive(EXAMPLE)
    assert known(own) == [(202406, 202410, 456)]


@pytest.mark.parametrize("month, insurer", [("202404", INSURER), ("202405", OTHER)], ids=["another service month", "another insurer"])
def test_a_number_names_a_claim_of_one_insurer_and_service_month(own, receive, tmp_path, month, insurer):
    load.run(own, write(tmp_path, f"{NUMBER},{month},202411,101,,"), insurer)
    receive(EXAMPLE + EXAMPLE.replace("202405", "202404").replace(NUMBER, "1" * 17))  # so that both months are looked at
    assert [row[1] for row in known(own)] == [999912, 999912]
    assert [rule for rule, *_ in told(own)] == ["review_without_claim"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1.31506E+16,202405,202411,101,,", ("line 2", "検索番号 of 11 characters", "a spreadsheet rounds it")),
        (f"{NUMBER},202413,202411,101,,", ("診療年月 of 6 characters", "a month")),
        (f"{NUMBER},202405,202404,101,,", ("処理年月 202404", "202405 (診療年月) or later")),
        (f"{NUMBER},202405,202411,,,", ("neither 審査結果 nor 結果",)),
        (f"{NUMBER},202405,202411,106,,", ("審査結果 106 without 結果",)),
        (f"{NUMBER},202405,202411,201,,", ("審査結果 201 without 結果",)),
        (f"{NUMBER},202405,202411,102,返戻,", ("結果 returned with 審査結果 102", "expected upheld")),
        (f"{NUMBER},202405,202411,101,見本花子,", ("結果 of 4 characters",)),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_nothing_is_loaded(own, tmp_path, row, words):
    with pytest.raises(LakeError) as error:
        load.run(own, write(tmp_path, row), INSURER)
    assert all(word in str(error.value) for word in words) and "見本花子" not in str(error.value)
    assert delta.read(own, tables.CLAIM_REVIEW).is_empty()


@pytest.mark.parametrize("result", ["106,返戻", "201,過誤取下げ", ",取下げ", ",returned"])
def test_what_a_code_does_not_say_is_said_in_words(own, receive, tmp_path, result):
    receive(EXAMPLE)
    load.run(own, write(tmp_path, f"{NUMBER},202405,202411,{result},"), INSURER)
    assert known(own) == [(202406, 202410, 456)]


def med(record: str, **values: object) -> list[str]:
    return layouts.record("med", record).line(**values)


@pytest.mark.parametrize("code, end", [("101", 202410), ("103", 999912), ("201", 999912)])
def test_results_that_stand_in_receipts_count_too(own, receive, code, end):
    *lines, last = EXAMPLE.replace("202406,00", "202411,00").replace("1:202406:", "1:202411:").splitlines()
    request = ["3", "14", "0", *med("MD", request_no=1, reason_no="100018")]
    result = ["4", "15", "0", *med("MK", request_no=1, requester_class="101", processing_month="202411", review_result=code)]
    receive("\n".join([*lines, ",".join(request), ",".join(result), last]) + "\n")
    receive(EXAMPLE)
    assert known(own) == [(202406, end, 456)]
    effects = delta.read(own, tables.CLAIM_REVIEW).select("result_code", "effect", "search_no", "processing_month", "line_no").rows()
    assert effects == [(code, {"101": "returned", "103": "reduced"}.get(code), NUMBER, 202411, 15)]
    assert [rule for rule, *_ in told(own)] == (["review_effect_unknown"] if code == "201" else [])


def test_results_leave_with_the_claims_of_an_erased_person(own, receive, tmp_path):
    receive(EXAMPLE)
    load.run(own, write(tmp_path, f"{NUMBER},202405,202411,103,,400", "98765432109876543,202405,202411,101,,"), INSURER)
    erasure.run(own, INSURER, delta.read(own, tables.CLAIM)["person_id1"].to_list())
    assert delta.read(own, tables.CLAIM_REVIEW)["search_no"].to_list() == ["98765432109876543"]
    erasure.run(own, INSURER)
    assert delta.read(own, tables.CLAIM_REVIEW).is_empty()
    with pytest.raises(LakeError, match="an insurer that was erased"):
        load.run(own, tmp_path / "results.csv", INSURER)


def test_withdrawing_names_one_loaded_file(own, tmp_path):
    load.run(own, write(tmp_path, f"{NUMBER},202405,202411,101,,"), INSURER)
    for named, insurer in (("other.csv", INSURER), ("results.csv", OTHER), ("", INSURER)):
        with pytest.raises(LakeError, match="0 loaded files"):
            load.withdraw(own, named, insurer)
    load.withdraw(own, str(tmp_path / "results.csv"), INSURER)
    assert delta.read(own, tables.CLAIM_REVIEW).is_empty()


def test_status_shows_findings_of_a_file_that_is_no_receipt_file(own, receive, tmp_path, capsys):
    from rich.console import Console

    receive(EXAMPLE)
    load.run(own, write(tmp_path, "98765432109876543,202405,202411,101,,"), INSURER)
    status.show(own, Console(width=200))
    assert f"tell review_without_claim: {INSURER}, line 2: found results.csv: 1 results" in capsys.readouterr().out


def test_the_template_is_a_file_that_can_be_read(tmp_path, capsys):
    template = CliRunner().invoke(app, ["reviews", "template"]).output
    assert template == review_file.CONTRACT.template()
    (tmp_path / "template.csv").write_text(template, encoding="utf-8")
    assert review_file.read(tmp_path / "template.csv", INSURER, "0" * 64)["effect"].to_list() == ["returned"]


def test_the_page_shows_the_contract_and_every_code():
    page = (ROOT / "docs" / "review_results.md").read_text(encoding="utf-8")
    assert review_file.CONTRACT.table() in page
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| 1\d\d ", line)]
    shown = {code: effect.strip("`") for codes, effect in rows for code in re.findall(r"\b1\d\d\b", codes)}
    assert {code: effect for code, effect in shown.items() if code not in claim_review.SILENT} == claim_review.EFFECT_OF_CODE
    assert set(claim_review.SILENT) <= set(shown)
