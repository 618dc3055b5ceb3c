"""Who is erased stands nowhere below LAKE_HOME, old versions and logs included, and does not come back; others lose nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from small_people import INSURER, OTHER, OUTSIDE, id1, people_of, take_in

from spark_jobs import delta, ingest, tables
from spark_jobs.errors import LakeError
from spark_jobs.identity import erasure, keys, person_link, removal, rotation
from spark_jobs.identity.pseudonym import pseudonym
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import DeliveredFile, Event
from spark_jobs.settings import Settings

ROOT = Path(__file__).parents[3]
HANAKO = ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2")
TARO = ("見本太郎", "ﾐﾎﾝ ﾀﾛｳ", "19790101", "1")
FILES = {"old": "a" * 64, "rotated": "b" * 64, "other": "c" * 64}
NAMED_COPY = ("insurer_number", "claim_month", "service_month", "file_sha256")
ROWS_OF = (
    "silver.claim_copy",
    "bronze.claim_line",
    "silver.claim",
    "silver.claim_drug",
    "silver.person",
    "silver.person_link",
    "marts.fct_course",
)


def receipt(
    settings: Settings, insurer: str | None, depositor: str, file: str, seq: int, person: tuple, month: int, number: str = "1"
) -> None:
    """One receipt of three lines in bronze, and its claim and drug in silver."""
    chain = keys.chain(settings, insurer or depositor)
    kana, kanji = (pseudonym(chain, person[i], person[2], person[3]) for i in (1, 0))
    who = id1(settings, insurer, number, *person[2:]) if insurer else None
    place = {"insurer_number": depositor, "file_sha256": file, "claim_month": month, "receipt_seq": seq, "key_version": len(chain)}
    lines = [("RE", f"1,1,0,RE,{seq},1112,{month},{kanji},{person[3]},{person[2][:6]},,,{kana}"), ("SY", "1,3,0,SY,8830417")]
    if insurer:
        lines.insert(1, ("HO", f"1,2,0,HO,{insurer},w,{who},1,100"))
    rows = [place | {"line_no": seq * 10 + i, "record_type": kind, "line": line} for i, (kind, line) in enumerate(lines)]
    delta.append(settings, tables.CLAIM_LINE, rows)
    key = f"{file[:1]}{seq}" * 8
    named = {
        "claim_key": key,
        "insurer_number": insurer,
        "claim_month": month,
        "service_month": month,
        "file_sha256": file,
        "person_id1": who,
    }
    claim = {"depositor_number": depositor, "receipt_seq": seq, "person_id2_kana": kana, "person_id2_kanji": kanji}
    delta.append(settings, tables.CLAIM, [named | claim])
    copy = {"depositor_number": depositor, "receipt_seq": seq, "event": "claim", "receipt_key": key, "claim_form": "insurer"}
    delta.append(settings, tables.CLAIM_COPY, [{name: named[name] for name in NAMED_COPY} | copy])
    delta.append(settings, tables.CLAIM_DRUG, [named | {"line_no": seq * 10 + 2}])


@pytest.fixture
def lake(small_lake: Settings) -> Settings:
    """Hanako and Taro at one insurer, before and after a rotation; Hanako also in a delivery of another insurer and once by a public payer
    alone; a mart that names persons; old versions of all tables."""
    person = {"1": HANAKO, "2": TARO}
    for version, file, month in ((1, FILES["old"], 202404), (2, FILES["rotated"], 202405)):
        if version == 2:
            rotation.run(small_lake, INSURER)
        take_in(small_lake, people_of(small_lake, *((INSURER, number, *who) for number, who in person.items())), file, month)
        for seq, (number, who) in enumerate(person.items(), 1):
            receipt(small_lake, INSURER, INSURER, file, seq, who, month, number)
    receipt(small_lake, None, INSURER, FILES["rotated"], 3, HANAKO, 202405)
    receipt(small_lake, INSURER, OTHER, FILES["other"], 1, HANAKO, 202405)
    receipt(small_lake, OTHER, OTHER, FILES["other"], 2, HANAKO, 202405)
    take_in(small_lake, people_of(small_lake, (OTHER, "1", *HANAKO)), FILES["other"], 202405)
    names = delta.read(small_lake, tables.PERSON_LINK).select("person_id", "insurer_number").unique()
    mart = small_lake.table_path("marts.fct_course")
    mart.mkdir(parents=True)
    names.write_delta(str(mart))
    for table in tables.ALL:
        held = DeltaTable(small_lake.table_path(table.name))
        if held.count():
            held.optimize.compact()
    for name, file in FILES.items():
        owner = OTHER if name == "other" else INSURER
        what = DeliveredFile(owner, file, f"{name}.CSV", "/x", "insurer", "med", 202405, "keep")
        delivery.record(small_lake, [Event(what, "silver")])
    return small_lake


def every_text(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The content of every file below a folder, Parquet also as text."""
    for file in (file for file in folder.rglob("*") if file.is_file()):
        yield file, file.read_bytes()
        if file.suffix == ".parquet":
            rows = pl.read_parquet(file, hive_partitioning=False).to_dicts()
            yield file, repr(rows).encode()


def found_in(settings: Settings, *names: str) -> set[str]:
    return {str(file) for file, text in every_text(settings.home_path) for name in names if name.encode() in text}


def of(settings: Settings, person: tuple, insurer: str = INSURER, number: str = "1") -> list[str]:
    """Every pseudonym of a person of an insurer, in all versions."""
    chain = keys.chain(settings, insurer)
    found = []
    for version in range(1, len(chain) + 1):
        found.append(pseudonym(chain[:version], insurer, "記号", number, *person[2:]))
        found += [pseudonym(chain[:version], name, *person[2:]) for name in person[:2]]
    return found


def counts(settings: Settings) -> dict[str, int]:
    return {name: pl.read_delta(str(settings.table_path(name))).height for name in ROWS_OF}


def test_the_search_finds_her_before(lake: Settings) -> None:
    assert len(found_in(lake, *of(lake, HANAKO))) > 10


@pytest.mark.parametrize("asked", [0, 3], ids=["by her old pseudonym", "by her new one"])
def test_a_member_is_found_nowhere_and_the_others_lose_nothing(lake: Settings, asked: int) -> None:
    before = counts(lake)
    her = of(lake, HANAKO)
    erasure.run(lake, INSURER, [her[asked]])
    assert found_in(lake, *her) == set()
    gone = {name: before[name] - now for name, now in counts(lake).items()}
    assert gone == {
        "bronze.claim_line": 3 + 3 + 2 + 3, "silver.claim": 4, "silver.claim_copy": 4, "silver.claim_drug": 4, "silver.person": 2, "silver.person_link": 2,
        "marts.fct_course": 1,
    }  # fmt: skip
    assert len(found_in(lake, of(lake, TARO, number="2")[3])) >= 4
    assert found_in(lake, id1(lake, OTHER, "1", *HANAKO[2:])), "as a member of the other insurer she asked for nothing"


def test_by_what_a_member_writes(lake: Settings, tmp_path: Path) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_text("insured_symbol,insured_number,birth_date,sex\n記号,１,19800402,2\n", encoding="utf-8")
    erasure.run(lake, INSURER, person_file=asked)
    assert found_in(lake, *of(lake, HANAKO)) == set()


def test_she_does_not_come_back_by_whatever_key(lake: Settings) -> None:
    erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])
    rotation.run(lake, INSURER)
    her, names = id1(lake, INSURER, "1", *HANAKO[2:]), of(lake, HANAKO)[-2:]
    rows = [(INSURER, her, *names), (None, None, *names), (INSURER, id1(lake, INSURER, "2", *TARO[2:]), "x", "y"), (None, None, "x", None)]
    columns = ("insurer_number", "person_id1", "person_id2_kana", "person_id2_kanji")
    delivered = pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row")
    assert erasure.without(delivered, erasure.tombstones(lake), INSURER).rows() == rows[2:]
    assert erasure.without(delivered, erasure.tombstones(lake), OTHER).rows() == rows[1:]


def test_with_the_owners_key_the_vault_keeps_the_others(lake: Settings) -> None:
    told = erasure.run(lake, INSURER, [of(lake, HANAKO)[0]], identity=keys.folder(lake) / f"{INSURER}.identity")
    vault = delta.read(lake, tables.VAULT, {"insurer_number": [INSURER]})
    assert vault["person_count"].to_list() == [1, 1] and not any("other persons" in line for line in told)


def test_without_it_the_entries_of_her_files_go_and_it_is_said(lake: Settings) -> None:
    told = erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])
    assert delta.read(lake, tables.VAULT)["insurer_number"].to_list() == [OTHER]
    assert any("entries of 2 other persons" in line for line in told)


def test_an_insurer_that_withdraws_leaves_nothing(lake: Settings) -> None:
    before = counts(lake)
    erasure.run(lake, INSURER)
    assert found_in(lake, *of(lake, HANAKO), *of(lake, TARO, number="2")) == set()
    now = counts(lake)
    assert (now["silver.claim"], now["bronze.claim_line"], before["silver.claim"]) == (1, 3, 7)
    assert {file.state for file in delivery.files(lake, INSURER)} == {"withdrawn"}
    delivered = pl.DataFrame({"insurer_number": [INSURER, OTHER], "person_id1": "x", "person_id2_kana": "x", "person_id2_kanji": "x"})
    stones = erasure.tombstones(lake)
    assert erasure.without(delivered, stones, OTHER)["insurer_number"].to_list() == [OTHER]
    assert erasure.without(delivered, stones, INSURER).is_empty()


KILLED = """
import os, signal, sys
from spark_jobs.identity import erasure
from spark_jobs.settings import Settings
from deltalake import DeltaTable

left = int(sys.argv[3])
def counted(work):
    def call(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given, **named)
    return call
DeltaTable.delete, DeltaTable.vacuum, DeltaTable.create_checkpoint = map(
    counted, (DeltaTable.delete, DeltaTable.vacuum, DeltaTable.create_checkpoint)
)
erasure.run(Settings(), sys.argv[1], [sys.argv[2]])
"""


@pytest.mark.parametrize("writes", [2, 7, 12])
def test_killed_and_run_again_it_ends_the_same(lake: Settings, writes: int) -> None:
    her = of(lake, HANAKO)
    places = {"LAKE_HOME": lake.home, "LAKE_SECRETS": lake.secrets, "LAKE_CONFIG": lake.config}
    env = os.environ | {name: str(value) for name, value in places.items()}
    killed = subprocess.run([sys.executable, "-c", KILLED, INSURER, her[0], str(writes)], env=env, capture_output=True)
    assert killed.returncode == -9
    assert found_in(lake, *her)
    erasure.run(lake, INSURER, [her[0]])
    assert found_in(lake, *her) == set()
    assert len(erasure.requests(lake)) == 1
    assert counts(lake)["silver.claim"] == 3


def test_what_ingest_took_in_goes_and_a_new_delivery_does_not_bring_it_back(small_lake: Settings, tmp_path: Path) -> None:
    """The whole way, of a file typed by hand: 見本花子 and, beside her, another number."""
    example = (ROOT / "tests" / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8").replace("06990014", OUTSIDE)
    other = example.replace("見本　花子", "見本　太郎").replace("１２３４５", "９９９").replace("ミホンハナコ", "ミホンタロウ")
    for name, text in (("a", example), ("b", other.replace("202406", "202407"))):
        (tmp_path / "inbox" / name).mkdir(parents=True)
        (tmp_path / "inbox" / name / "11_RECODEINFO_MED.CSV").write_bytes(text.encode("cp932"))
    delivery.deliver(small_lake, tmp_path / "inbox", OUTSIDE)
    ingest.run(small_lake)
    persons = set(delta.read(small_lake, tables.PERSON)["person_id1"])
    asked = tmp_path / "asked.csv"
    asked.write_text("insured_symbol,insured_number,birth_date,sex\n見本,12345,19800402,2\n", encoding="utf-8")
    erasure.run(small_lake, OUTSIDE, person_file=asked)
    left = set(delta.read(small_lake, tables.PERSON)["person_id1"])
    assert (len(persons), len(left)) == (2, 1)
    assert found_in(small_lake, *(persons - left)) == set() and found_in(small_lake, *left)
    assert delta.read(small_lake, tables.CLAIM).height == delta.read(small_lake, tables.CLAIM_COPY).height == 1
    again = tmp_path / "inbox" / "again"
    again.mkdir()
    (again / "11_RECODEINFO_MED.CSV").write_bytes(example.replace("202406", "202408").encode("cp932"))
    delivery.deliver(small_lake, again, OUTSIDE)
    rotation.run(small_lake, OUTSIDE)
    assert ingest.run(small_lake).files == 1
    her = {pseudonym(keys.chain(small_lake, OUTSIDE), OUTSIDE, "見本", "12345", "19800402", "2"), *(persons - left)}
    assert found_in(small_lake, *her) == set()
    assert delta.read(small_lake, tables.VAULT)["person_count"].to_list() == [1]


def test_what_others_must_do_stays_open_until_they_have_done_it(lake: Settings) -> None:
    erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])
    assert [line.split(": ")[1] for line in erasure.open_work(lake)] == ["lake build", "lake publish, for every region"]
    erasure.after_publish(lake)
    assert len(erasure.open_work(lake)) == 2, "published before the build: not without her"
    erasure.after_build(lake)
    erasure.after_publish(lake)
    assert erasure.open_work(lake) == []


def test_tables_are_read_and_written_as_before(lake: Settings) -> None:
    erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])
    person_link.refresh(lake, [INSURER])
    delta.append(lake, tables.CLAIM, [{"claim_key": "k", "insurer_number": INSURER}])
    assert delta.read(lake, tables.CLAIM).height == 4


def test_a_key_that_does_not_open_the_vault_stops_it_before_the_tombstone(lake: Settings) -> None:
    with pytest.raises(LakeError, match="does not open the vault"):
        erasure.run(lake, INSURER, [of(lake, HANAKO)[0]], identity=keys.folder(lake) / f"{OTHER}.identity")
    assert erasure.requests(lake) == []


def test_on_a_restored_lake_all_erasures_are_carried_out_again(lake: Settings) -> None:
    her = of(lake, HANAKO)
    erasure.run(lake, INSURER, [her[0]])
    receipt(lake, INSURER, INSURER, "e" * 64, 1, HANAKO, 202405)
    assert erasure.resume(lake) == [] and found_in(lake, *her)
    erasure.resume(lake, again=True)
    assert found_in(lake, *her) == set()


def test_without_the_key_of_the_tombstones_nothing_is_taken_in(lake: Settings) -> None:
    erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])
    (keys.folder(lake) / "tombstone.identity").unlink()
    with pytest.raises(LakeError, match="erased persons could come back"):
        erasure.tombstones(lake)


def test_what_is_no_pseudonym_is_refused_and_not_shown(lake: Settings) -> None:
    with pytest.raises(LakeError, match="1 of 1 that are no pseudonyms") as error:
        erasure.run(lake, INSURER, ["見本花子"])
    assert "花子" not in str(error.value) and erasure.requests(lake) == []


def test_a_file_half_taken_in_comes_first(lake: Settings) -> None:
    what = DeliveredFile(INSURER, "d" * 64, "d.CSV", "/x", "insurer", "med", 202405, "keep")
    delivery.record(lake, [Event(what, "bronze")])
    with pytest.raises(LakeError, match="Run lake ingest first"):
        erasure.run(lake, INSURER, [of(lake, HANAKO)[0]])


def test_no_person_table_is_forgotten(lake: Settings) -> None:
    """Whatever is declared with a pseudonym can be found by the columns that removal looks for."""
    looked_for = {"person_id1", "person_id", "claim_key"}
    for table in tables.ALL:
        if any(name.startswith(("person_id", "scope_id")) for name in table.column_names):
            assert looked_for & set(table.column_names), table.name
        if looked_for & set(table.column_names):
            assert set(removal.NAMING) & set(table.column_names), table.name
