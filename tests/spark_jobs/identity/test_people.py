"""The vault opens with its owner's private key only; scope rows exist only inside a scope of joint use."""

import io

import polars as pl
import pyrage
import pytest
from small_people import FILE, INSURER, OTHER, OUTSIDE, people_of

from spark_jobs.identity import keys, people
from spark_jobs.settings import Settings
from spark_jobs.tables import SCOPE_PERSON, VAULT

HANAKO = ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2")


def opened(settings: Settings, sealed: bytes, insurer: str) -> pl.DataFrame:
    text = (keys.folder(settings) / f"{insurer}.identity").read_text().strip()
    return pl.read_parquet(io.BytesIO(pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(text)])))


def test_one_row_per_file_and_insurer_which_only_its_owner_opens(small_lake: Settings) -> None:
    found = people.rows(small_lake, people_of(small_lake, (INSURER, "1", *HANAKO), (INSURER, "2", *HANAKO), (OTHER, "1", *HANAKO)))[VAULT]
    assert found.select("insurer_number", "file_sha256", "claim_month", "person_count").rows() == [
        (INSURER, FILE, 202405, 2),
        (OTHER, FILE, 202405, 1),
    ]
    sealed = found["sealed"][0]
    assert opened(small_lake, sealed, INSURER)["insured_number"].sort().to_list() == ["1", "2"]
    assert "見本花子".encode() not in sealed
    with pytest.raises(pyrage.DecryptError):
        opened(small_lake, sealed, OTHER)


def test_the_latest_claim_counts_and_fills_its_gaps_from_before(small_lake: Settings) -> None:
    before = people_of(small_lake, (INSURER, "1", "旧姓花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2"), claim_month=202404)
    now = people_of(small_lake, (INSURER, "1", "見本花子", "", "19800402", "2"))
    sealed = people.rows(small_lake, pl.concat([now, before]))[VAULT]["sealed"][0]
    row = opened(small_lake, sealed, INSURER).row(0, named=True)
    assert (row["patient_name"], row["patient_name_kana"], row["last_claim_month"]) == ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", 202405)
    assert tuple(row) == people.SEALED


def test_without_a_public_key_nothing_is_kept_and_it_is_said(small_lake: Settings) -> None:
    (keys.folder(small_lake) / f"{OUTSIDE}.recipient").unlink()
    frame = people_of(small_lake, (OUTSIDE, "1", *HANAKO), (OUTSIDE, "2", *HANAKO), (INSURER, "1", *HANAKO))
    assert people.rows(small_lake, frame)[VAULT]["insurer_number"].to_list() == [INSURER]
    assert people.without_recipient(small_lake, frame) == {OUTSIDE: 2}


def test_scope_rows_only_of_insurers_of_a_scope_and_equal_for_one_person(small_lake: Settings) -> None:
    frame = people_of(small_lake, (INSURER, "1", *HANAKO), (OTHER, "9", "見本 花子", "", *HANAKO[2:]), (OUTSIDE, "1", *HANAKO))
    found = people.rows(small_lake, frame)[SCOPE_PERSON]
    assert found["insurer_number"].to_list() == [INSURER, OTHER]
    assert set(found["scope_key"]) == {"demo"}
    assert found["scope_id_kanji"].n_unique() == 1 and found["scope_id_kana"].to_list()[1] is None
    assert found["person_id1"].n_unique() == 2


def test_a_large_file_is_sealed_in_parts(small_lake: Settings) -> None:
    frame = people_of(small_lake, (INSURER, "1", *HANAKO), lines_before=500)
    assert people.rows(small_lake, frame)[VAULT]["lines_before"].to_list() == [500]


def test_no_people_no_rows(small_lake: Settings) -> None:
    assert [frame.height for frame in people.rows(small_lake, people_of(small_lake)).values()] == [0, 0]
