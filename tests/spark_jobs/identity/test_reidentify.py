"""A mailing list comes out of the vault with the owner's private key only, and is logged."""

from pathlib import Path

import polars as pl
import pytest
from small_people import INSURER, OTHER, id1, people_of, take_in

from spark_jobs import config, delta, tables
from spark_jobs.errors import LakeError
from spark_jobs.identity import keys, reidentify, rotation
from spark_jobs.settings import Settings

HANAKO = ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2")
TARO = ("見本太郎", "ﾐﾎﾝ ﾀﾛｳ", "19790101", "1")
PURPOSE = "加入者への情報提供"


@pytest.fixture
def asked(small_lake: Settings, tmp_path: Path) -> Path:
    """A list of Hanako; the lake holds her under two numbers, and Taro."""
    take_in(small_lake, people_of(small_lake, (INSURER, "1", *HANAKO), (INSURER, "2", *TARO), claim_month=202405), "a" * 64, 202404)
    take_in(small_lake, people_of(small_lake, (INSURER, "9", *HANAKO), claim_month=202406), "b" * 64, 202405)
    file = tmp_path / "list.csv"
    file.write_text(f"person_id1,ingredient\n{id1(small_lake, INSURER, '1', *HANAKO[2:])},x\n{'0' * 64},x\n", encoding="utf-8")
    return file


def identity(settings: Settings, insurer: str) -> Path:
    return keys.folder(settings) / f"{insurer}.identity"


def test_the_list_has_the_newest_number_and_a_survey_key_in_place_of_the_pseudonym(
    small_lake: Settings, asked: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    told = reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, out, PURPOSE)
    assert "1 of 2 asked for" in told
    assert out.stat().st_mode & 0o777 == 0o600
    (row,) = pl.read_csv(out, infer_schema=False).to_dicts()
    assert (row["patient_name"], row["insured_number"], row["last_claim_month"]) == ("見本花子", "9", "202406")
    assert len(row["survey_key"]) == 16 and not {"person_id1", "person_id"} & set(row)
    (kept,) = delta.read(small_lake, tables.EXPORT_KEY).to_dicts()
    assert (kept["survey_key"], kept["person_id1"]) == (row["survey_key"], id1(small_lake, INSURER, "9", *HANAKO[2:]))


def test_it_works_after_a_rotation_and_gives_other_survey_keys(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, tmp_path / "1.csv", PURPOSE)
    rotation.run(small_lake, INSURER)
    reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, tmp_path / "2.csv", PURPOSE)
    one, two = (pl.read_csv(tmp_path / f"{i}.csv", infer_schema=False) for i in "12")
    assert one.drop("survey_key").equals(two.drop("survey_key")) and one["survey_key"][0] != two["survey_key"][0]


def test_every_use_is_logged_without_a_name(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, tmp_path / "out.csv", PURPOSE)
    (row,) = delta.read(small_lake, tables.ACCESS).to_dicts()
    assert (row["command"], row["insurer_number"], row["person_count"], row["purpose"]) == ("reidentify", INSURER, 1, PURPOSE)
    assert row["os_user"] and "見本" not in str(row) and id1(small_lake, INSURER, "9", *HANAKO[2:]) not in str(row)


def test_the_key_of_another_insurer_opens_nothing(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=f"does not open the vault of insurer {INSURER}"):
        reidentify.run(small_lake, INSURER, identity(small_lake, OTHER), asked, tmp_path / "out.csv", PURPOSE)
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_no_identity_is_not_shown(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("AGE-SECRET-KEY-1HUSH")
    with pytest.raises(LakeError, match="is no age identity") as error:
        reidentify.run(small_lake, INSURER, wrong, asked, tmp_path / "out.csv", PURPOSE)
    assert "HUSH" not in str(error.value)


@pytest.mark.parametrize("purpose", [None, "販売"])
def test_a_purpose_that_the_insurer_did_not_state_is_refused(
    small_lake: Settings, asked: Path, tmp_path: Path, purpose: str | None
) -> None:
    with pytest.raises(LakeError, match="expected " + " or ".join(config.insurer(small_lake, INSURER).purposes)):
        reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, tmp_path / "out.csv", purpose)


def test_never_inside_the_lake_and_never_over_an_earlier_list(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(small_lake.home_path)
    (tmp_path / "old.csv").write_text("")
    for out in (small_lake.home / "reports.csv", tmp_path / "link" / "x.csv", tmp_path / "old.csv"):
        with pytest.raises(LakeError, match="--out"):
            reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, out, PURPOSE)


def test_a_list_without_pseudonyms_is_told_so(small_lake: Settings, asked: Path, tmp_path: Path) -> None:
    asked.write_text("name\n見本花子\n", encoding="utf-8")
    with pytest.raises(LakeError, match="no pseudonym") as error:
        reidentify.run(small_lake, INSURER, identity(small_lake, INSURER), asked, tmp_path / "out.csv", PURPOSE)
    assert "花子" not in str(error.value)
