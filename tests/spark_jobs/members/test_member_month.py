"""Member files: months of eligibility, pseudonyms equal to those of receipts, nothing of the clear text."""

import itertools
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from spark_jobs import delta, ingest, tables
from spark_jobs.cli import app
from spark_jobs.errors import LakeError
from spark_jobs.identity import erasure, keys, rotation
from spark_jobs.landing import delivery
from spark_jobs.members import member_month
from spark_jobs.settings import Settings

ROOT = Path(__file__).parents[3]
INSURER, OTHER = "06149900", "06279905"
EXAMPLE = (ROOT / "tests" / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", INSURER)
HANAKO = {
    "記号": "見本", "番号": "12345", "枝番": "01", "氏名カナ": "ミホン　ハナコ", "氏名": "見本　花子", "生年月日": "1980-04-02", "性別": "2",
    "本人家族区分": "本人", "資格取得日": "2024-03-31", "資格喪失日": "2024-06-01", "事業所記号": "秘密工場", "業種": "製造業",
    "居住地市町村コード": "13101", "所得区分": "ウ",
}  # fmt: skip
CLEAR = ("12345", "１２３４５", "花子", "ハナコ", "見本", "秘密工場", "19800402", "1980-04-02")


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A lake of its own, with keys."""
    made = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=ROOT / "config")
    keys.create(made, None)
    delta.create_all(made)
    return made


def write(folder: Path, *changes: dict[str, str], name: str = "members_20240701.csv", encoding: str = "cp932") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    rows = [list(HANAKO), *([*(HANAKO | change).values()] for change in changes)]
    path.write_bytes("".join(",".join(row) + "\r\n" for row in rows).encode(encoding))
    return path


def months(settings: Settings, **where: str) -> list[int]:
    return delta.read(settings, tables.MEMBER_MONTH).filter(**where)["service_month"].sort().to_list()


def load(settings: Settings, path: Path, insurer: str = INSURER, first: int = 202401, last: int = 202412) -> str:
    return member_month.run(settings, path, insurer, first, last)


def test_the_pseudonyms_are_those_of_the_receipts(own, tmp_path):
    (tmp_path / "11_RECODEINFO_MED.CSV").write_bytes(EXAMPLE.encode("cp932"))
    delivery.deliver(own, tmp_path / "11_RECODEINFO_MED.CSV", INSURER)
    ingest.run(own)
    load(own, write(tmp_path / "in", {"番号": "０12345", "生年月日": "S55.4.2", "性別": "女"}))
    (claim,) = (
        delta.read(own, tables.CLAIM).select("person_id1", "workplace_id", "sex", "birth_month", "age", "service_month").unique().to_dicts()
    )
    member = delta.read(own, tables.MEMBER_MONTH).filter(service_month=claim["service_month"]).row(0, named=True)
    assert {name: member[name] for name in claim} == claim


def test_each_month_with_a_day_of_eligibility_counts_the_day_of_loss_does_not(own, tmp_path):
    assert load(own, write(tmp_path / "in", {})).startswith(f"{INSURER}: 1 persons, 3 months")
    assert months(own) == [202403, 202404, 202405]
    row = delta.read(own, tables.MEMBER_MONTH).sort("service_month").row(1, named=True)
    assert [row[n] for n in ("age", "birth_month", "sex", "beneficiary_class", "branch_no", "industry", "residence_municipality", "income_class")] == [
        44, 198004, "2", "本人", "01", "製造業", "13101", "ウ",
    ]  # fmt: skip
    assert row["source_date"] == date(2024, 7, 1)


@pytest.mark.parametrize(
    ("acquired", "lost", "expected"),
    [
        ("2024-04-30", "2024-05-01", [202404]),
        ("2024-04-30", "2024-05-02", [202404, 202405]),
        ("2024-04-30", "2024-04-30", []),
        ("2010-01-01", "2024-01-02", [202401]),
        ("2010-01-01", "2024-01-01", []),
        ("2024-11-30", "", [202411, 202412]),
        ("2025-01-01", "", []),
    ],
)
def test_the_edges_of_a_period(own, tmp_path, acquired, lost, expected):
    load(own, write(tmp_path / "in", {"資格取得日": acquired, "資格喪失日": lost}))
    assert months(own) == expected


def test_months_are_those_of_a_plain_recount_day_by_day(own, tmp_path):
    starts = [date(2024, 2, 28) + timedelta(days=17 * n) for n in range(12)]
    changes = [
        {"番号": str(n), "資格取得日": start.isoformat(), "資格喪失日": (start + timedelta(days=23 * n)).isoformat()}
        for n, start in enumerate(starts, 1)
    ]
    load(own, write(tmp_path / "in", *changes))
    expected = 0
    for n, start in enumerate(starts, 1):
        days = (start + timedelta(days=d) for d in range(23 * n))
        expected += len({(d.year, d.month) for d in days if d.year == 2024})
    assert len(months(own)) == expected


def test_of_two_periods_in_a_month_the_later_one_says_what_the_person_was(own, tmp_path):
    load(
        own,
        write(
            tmp_path / "in",
            {"資格喪失日": "2024-04-10"},
            {"資格取得日": "2024-04-10", "本人家族区分": "家族", "居住地市町村コード": "27100"},
        ),
    )
    rows = (
        delta.read(own, tables.MEMBER_MONTH)
        .sort("service_month")
        .select("service_month", "beneficiary_class", "residence_municipality")
        .rows()
    )
    assert rows == [(202403, "本人", "13101"), (202404, "家族", "27100"), (202405, "家族", "27100")]


def test_twins_are_one_row_and_it_is_said(own, tmp_path):
    said = load(own, write(tmp_path / "in", {"枝番": "03"}, {"枝番": "02"}))
    assert "1 pseudonyms with several 枝番" in said
    assert months(own) == [202403, 202404, 202405]
    assert delta.read(own, tables.MEMBER_MONTH)["branch_no"].unique().to_list() == ["02"]


def test_loading_twice_writes_nothing_and_a_newer_file_replaces_its_months_of_its_insurer_only(own, tmp_path):
    path = write(tmp_path / "in", {})
    load(own, path)
    load(own, path, OTHER)
    load(own, path)
    version = delta.version(own, tables.MEMBER_MONTH)
    assert load(own, path).endswith("already there, skipped")
    assert delta.version(own, tables.MEMBER_MONTH) == version
    load(own, write(tmp_path / "in", {"資格喪失日": "2024-05-01"}, name="members_20240801.csv"), first=202405)
    assert months(own, insurer_number=INSURER) == [202403, 202404]
    assert months(own, insurer_number=OTHER) == [202403, 202404, 202405]
    ids = {insurer: set(of.to_list()) for (insurer,), of in _ids(own).items()}
    assert not ids[INSURER] & ids[OTHER]  # every insurer has its own key


def _ids(settings: Settings) -> dict:
    parts = delta.read(settings, tables.MEMBER_MONTH).partition_by("insurer_number", as_dict=True)
    return {key: part["person_id1"] for key, part in parts.items()}


def test_the_files_of_a_folder_are_one_delivery(own, tmp_path):
    write(tmp_path / "in", {}, name="a_20240701.csv")
    write(tmp_path / "in", {"番号": "9"}, name="b_20240701.csv", encoding="utf-8-sig")
    assert "2 persons" in load(own, tmp_path / "in")
    assert len(months(own)) == 6


def test_nothing_of_the_clear_text_is_written(own, tmp_path):
    load(own, write(tmp_path / "in", {}))
    for file in own.home_path.rglob("*"):
        if file.is_file():
            content = (
                file.read_bytes() if file.suffix != ".parquet" else pl.read_parquet(file, hive_partitioning=False).write_csv().encode()
            )
            assert not [text for text in CLEAR if text.encode() in content], file
    assert next(own.home_path.rglob("silver.db/member_month/**/*.parquet"))  # there was something to search


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"番号": ""}, "line 3: no 番号; expected as on the receipts"),
        ({"生年月日": "昭和の末"}, "line 3: 生年月日 of 4 characters; expected a date"),
        ({"性別": "X"}, "line 3: 性別 of 1 characters; expected 1 or 男"),
        ({"本人家族区分": "花子"}, "line 3: 本人家族区分 of 2 characters; expected 本人 or 家族"),
        ({"居住地市町村コード": "131016"}, "line 3: 居住地市町村コード of 6 characters; expected 5 digits"),
        ({"所得区分": "高い"}, "line 3: 所得区分 of 2 characters; expected ア, イ"),
        ({"資格取得日": "2024-07-01"}, "line 3: 資格喪失日 before 資格取得日"),
        ({"資格取得日": "2024-05-31", "資格喪失日": ""}, "line 3: a period that overlaps another one of the person"),
        ({"所得区分": "ウ,花子"}, "line 3: 15 fields; expected 14"),
    ],
)
def test_a_bad_row_rejects_the_file_and_never_shows_what_stood_there(own, tmp_path, change, message):
    with pytest.raises(LakeError) as caught:
        load(own, write(tmp_path / "in", {}, change))
    assert message in str(caught.value)
    assert not [text for text in (*CLEAR, "昭和", "高い") if text in str(caught.value)]
    assert delta.read(own, tables.MEMBER_MONTH).is_empty()


def test_a_missing_column_is_named(own, tmp_path):
    path = write(tmp_path / "in", {})
    path.write_bytes(path.read_bytes().replace("番号".encode("cp932"), "番".encode("cp932"), 1))
    with pytest.raises(LakeError, match="no column 番号; expected the contract's header"):
        load(own, path)


def test_a_column_of_names_in_the_place_of_industries_is_refused(own, tmp_path):
    changes = [{"番号": str(n), "業種": f"見本{n}郎"} for n in range(150)]
    with pytest.raises(LakeError, match="150 different 業種; expected at most 100") as caught:
        load(own, write(tmp_path / "in", *changes))
    assert "郎" not in str(caught.value)


def test_who_was_erased_does_not_come_back(own, tmp_path):
    path = write(tmp_path / "in", {}, {"番号": "9"})
    load(own, path)
    hanako = delta.read(own, tables.MEMBER_MONTH)["person_id1"].unique().sort()[0]
    delta.append(own, tables.PERSON, [{"insurer_number": INSURER, "person_id1": hanako, "key_version": 1}])
    erasure.run(own, INSURER, [hanako])
    assert hanako not in delta.read(own, tables.MEMBER_MONTH)["person_id1"].to_list()
    assert "1 rows of erased persons left out" in load(own, path)
    assert hanako not in delta.read(own, tables.MEMBER_MONTH)["person_id1"].to_list()


def test_after_a_rotation_the_same_file_is_read_again_under_the_new_key(own, tmp_path):
    path = write(tmp_path / "in", {})
    load(own, path)
    before = delta.read(own, tables.MEMBER_MONTH)
    rotation.run(own, INSURER)
    load(own, path)
    after = delta.read(own, tables.MEMBER_MONTH)
    assert (after["key_version"].unique().to_list(), after.height) == ([2], before.height)
    assert not set(after["person_id1"]) & set(before["person_id1"])


@pytest.mark.parametrize(("first", "last", "message"), [(202413, 202501, "a month such as"), (202405, 202404, "a first month before")])
def test_wrong_months_are_refused(own, tmp_path, first, last, message):
    with pytest.raises(LakeError, match=message):
        load(own, write(tmp_path / "in", {}), first=first, last=last)


def test_the_template_is_a_member_file(own, tmp_path):
    printed = CliRunner().invoke(app, ["members", "template"])
    path = tmp_path / "members_20240701.csv"
    path.write_text(printed.stdout, encoding="utf-8")
    assert "1 persons, 12 months" in load(own, path)


def test_the_key_of_the_table_is_unique(own, tmp_path):
    changes = [
        {"番号": n, "枝番": b, "資格取得日": d, "資格喪失日": ""} for n, b, d in itertools.product("12", ("01", "02"), ("2024-03-01",))
    ]
    load(own, write(tmp_path / "in", *changes))
    assert not delta.read(own, tables.MEMBER_MONTH).select(tables.MEMBER_MONTH.key).is_duplicated().any()
