"""Persons of several insurers are linked inside one scope of joint use, and nowhere else."""

import shutil
from pathlib import Path

import pytest
from small_people import INSURER, OTHER, OUTSIDE, id1, people_of, take_in

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import rotation, scope_link
from spark_jobs.settings import Settings

HANAKO = ("見本花子", "ﾐﾎﾝ ﾊﾅｺ", "19800402", "2")
TARO = ("見本太郎", "ﾐﾎﾝ ﾀﾛｳ", "19790101", "1")


def move(settings: Settings, first: int = 202404, then: int = 202405) -> None:
    take_in(settings, people_of(settings, (INSURER, "1", *HANAKO), (INSURER, "2", *TARO)), "a" * 64, first)
    take_in(settings, people_of(settings, (OTHER, "7", *HANAKO), (OUTSIDE, "8", *HANAKO)), "b" * 64, then)


def linked(settings: Settings) -> list[tuple[str, str]]:
    scope_link.run(settings, "demo")
    found = delta.read(settings, tables.SCOPE_LINK)
    assert found["scope_person_id"].n_unique() <= 1
    return found.select("insurer_number", "person_id1").sort("insurer_number").rows()


def both(settings: Settings) -> list[tuple[str, str]]:
    return [(INSURER, id1(settings, INSURER, "1", *HANAKO[2:])), (OTHER, id1(settings, OTHER, "7", *HANAKO[2:]))]


def test_a_person_who_moved_is_linked_inside_the_scope_only(small_lake: Settings) -> None:
    move(small_lake)
    assert linked(small_lake) == both(small_lake)
    assert delta.read(small_lake, tables.ACCESS).select("command", "person_count", "detail").rows() == [("persons link", 1, "scope demo")]


def test_the_month_of_the_move_may_have_both_but_no_more(small_lake: Settings) -> None:
    move(small_lake, 202405, 202405)
    assert len(linked(small_lake)) == 2
    take_in(small_lake, people_of(small_lake, (INSURER, "3", "別人", "ﾍﾞﾂｼﾞﾝ", *HANAKO[2:])), "c" * 64, 202405)
    assert len(linked(small_lake)) == 2


def test_two_of_one_name_at_one_insurer_are_not_guessed(small_lake: Settings) -> None:
    move(small_lake)
    take_in(small_lake, people_of(small_lake, (INSURER, "3", *HANAKO)), "c" * 64, 202404)
    assert linked(small_lake) == []


def test_links_stand_over_a_rotation(small_lake: Settings) -> None:
    move(small_lake)
    before = both(small_lake)
    rotation.run(small_lake, INSURER)
    assert linked(small_lake) == before


def under(settings: Settings, basis: str, scope: str = "") -> Settings:
    """The same lake with other files of both insurers."""
    place = settings.home / "config"
    shutil.copytree(settings.config, place)
    for insurer in (INSURER, OTHER):
        file: Path = place / "insurers" / f"{insurer}.yaml"
        text = (
            file.read_text(encoding="utf-8")
            .replace("joint_use_scope: demo", scope)
            .replace("legal_basis: joint_use", f"legal_basis: {basis}")
        )
        file.write_text(text, encoding="utf-8")
    return settings.model_copy(update={"config": place})


@pytest.mark.parametrize("basis", ["entrustment", "own"])
def test_without_joint_use_it_is_refused_though_rows_stand_there(small_lake: Settings, basis: str) -> None:
    move(small_lake)
    assert len(linked(small_lake)) == 2
    with pytest.raises(LakeError, match="only inside a scope of joint use, never under entrustment") as error:
        scope_link.run(under(small_lake, basis), "demo")
    assert error.value.code == ExitCode.BAD_CONFIG
    assert delta.read(small_lake, tables.SCOPE_LINK).is_empty() and delta.read(small_lake, tables.SCOPE_PERSON).is_empty()


def test_a_scope_under_entrustment_is_no_valid_file(small_lake: Settings) -> None:
    with pytest.raises(LakeError, match="a scope only where legal_basis is joint_use"):
        scope_link.run(under(small_lake, "entrustment", "joint_use_scope: demo"), "demo")
