"""A rotation changes the pseudonyms of what comes after it and keeps every person one person."""

import polars as pl
import pytest
from small_people import INSURER, OTHER, id1, people_of, take_in

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys, person_link, rotation
from spark_jobs.settings import Settings

HANAKO = ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2")
TARO = ("見本太郎", "ﾐﾎﾝ ﾀﾛｳ", "19790101", "1")


def month(settings: Settings, file: str, service_month: int) -> None:
    """Both insurers deliver a month of the same two people."""
    for insurer in (INSURER, OTHER):
        take_in(settings, people_of(settings, (insurer, "1", *HANAKO), (insurer, "2", *TARO)), insurer[:1] + file * 63, service_month)


def test_persons_stay_linked_and_the_other_insurer_is_not_touched(small_lake: Settings) -> None:
    month(small_lake, "a", 202404)
    before = {insurer: id1(small_lake, insurer, "1", *HANAKO[2:]) for insurer in (INSURER, OTHER)}
    rotation.run(small_lake, INSURER)
    month(small_lake, "b", 202405)
    links = delta.read(small_lake, tables.PERSON_LINK)
    mine = links.filter(insurer_number=INSURER)
    assert mine["person_id1"].n_unique() == 4 and mine["person_id"].n_unique() == 2 and mine["is_linked"].all()
    now = id1(small_lake, INSURER, "1", *HANAKO[2:])
    assert now != before[INSURER] and set(mine.filter(person_id=now)["person_id1"]) == {now, before[INSURER]}
    assert (
        set(links.filter(pl.col("insurer_number") == OTHER)["link_version"]) == {1}
        and id1(small_lake, OTHER, "1", *HANAKO[2:]) == before[OTHER]
    )


def test_the_links_are_rewritten_at_once(small_lake: Settings) -> None:
    month(small_lake, "a", 202404)
    rotation.run(small_lake, INSURER)
    assert delta.read(small_lake, tables.PERSON_LINK, {"insurer_number": [INSURER]})["link_version"].to_list() == [2, 2]
    assert delta.read(small_lake, tables.ACCESS)["command"].to_list() == ["keys rotate"]


def test_a_rotation_killed_between_key_and_links_is_finished_not_repeated(small_lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    month(small_lake, "a", 202404)
    with monkeypatch.context() as patched:
        patched.setattr(person_link, "refresh", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rotation.run(small_lake, INSURER)
    assert "version 2 finished" in rotation.run(small_lake, INSURER)
    assert keys.version(small_lake, INSURER) == 2
    assert "version 3 made" in rotation.run(small_lake, INSURER)


def test_without_a_first_key_there_is_nothing_to_rotate(small_lake: Settings) -> None:
    (keys.folder(small_lake) / f"{INSURER}.v1.key").unlink()
    with pytest.raises(LakeError) as error:
        rotation.run(small_lake, INSURER)
    assert error.value.code == ExitCode.NOT_READY
