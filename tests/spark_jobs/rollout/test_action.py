"""The record of actions: what is entered stays, what is faulty is refused with file and line, a correction stands in its place."""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from spark_jobs import delta, tables
from spark_jobs.errors import LakeError
from spark_jobs.rollout import action
from tests.spark_jobs.rollout.conftest import CHIBA, TOKYO

FAULTY = Path(__file__).resolve().parents[2] / "fixtures" / "faulty" / "actions"
EXPECTED = [line.split("|") for line in (FAULTY / "expected.txt").read_text(encoding="utf-8").splitlines()]
VISIT = {
    "region_key": "first", "insurer_number": TOKYO, "actor_ja": "保健事業課", "action_kind": "facility_visit", "target_kind": "facility",
    "target_key": "1310000001", "first_date": "2026-06-01", "cost_yen": "12000", "ingredient_keys": "infliximab", "detail_ja": "説明",
}  # fmt: skip


@pytest.fixture
def lake(place):
    lists = [
        {"export_id": key, "insurer_number": n, "person_id1": "p", "survey_key": "s"} for key, n in (("a1b2", TOKYO), ("chibalist", CHIBA))
    ]
    delta.append(place, tables.EXPORT_KEY, lists)
    return place


def rows(settings) -> list[dict]:
    return delta.read(settings, tables.ACTION).sort("recorded_at", "action_id").to_dicts()


def test_every_faulty_sample_has_its_expected_message():
    assert sorted(name for name, *_ in EXPECTED) == sorted(p.name for p in FAULTY.iterdir() if p.name != "expected.txt")


@pytest.mark.parametrize(("name", "line", "message"), EXPECTED, ids=[name for name, *_ in EXPECTED])
def test_a_faulty_file_is_refused_whole_with_its_line(lake, name, line, message):
    with pytest.raises(LakeError) as error:
        action.load(lake, FAULTY / name)
    assert str(error.value).startswith(f"{name}, line {line}: ") and message in str(error.value), str(error.value)
    assert rows(lake) == []


def test_an_error_does_not_repeat_what_may_be_a_persons(lake):
    for name in ("telephone.csv", "person_list.csv"):
        with pytest.raises(LakeError) as error:
            action.load(lake, FAULTY / name)
        assert "1234" not in str(error.value) and "06139901-123" not in str(error.value)


def test_csv_yaml_and_command_record_the_same_row_once(lake, tmp_path):
    csv = tmp_path / "施策.csv"
    csv.write_bytes(
        "地域,実施保険者,実施者,施策,対象区分,対象,開始日,費用,対象成分,内容\r\n"
        f'first,{TOKYO},保健事業課,医療機関訪問,医療機関・薬局,1310000001,R8.6.1,"12,000円",インフリキシマブ,説明\r\n'.encode("cp932")
    )
    text = "- " + "\n  ".join(f"{name}: {value}" for name, value in VISIT.items()) + "\n"
    (tmp_path / "a.yaml").write_text(text.replace("infliximab", "[infliximab]"), encoding="utf-8")
    assert len(action.load(lake, csv).added) == 1
    assert [action.load(lake, csv).known, action.load(lake, tmp_path / "a.yaml").known, action.add(lake, VISIT).known] == [1, 1, 1]
    (row,) = rows(lake)
    assert (row["action_kind"], row["target_key"], row["first_date"], row["last_date"]) == (
        "facility_visit", "1310000001", date(2026, 6, 1), date(2026, 6, 1),
    )  # fmt: skip
    assert (row["cost_yen"], row["ingredient_keys"], row["source"], row["is_void"]) == (Decimal(12000), "infliximab", "施策.csv", False)


def test_the_same_row_twice_in_a_file_is_one(lake, tmp_path):
    line = "first,,事務局,研修会,地域,13,2026-06-01,0,all\n"
    (tmp_path / "a.csv").write_text("地域,実施保険者,実施者,施策,対象区分,対象,開始日,費用,対象成分\n" + line * 2, encoding="utf-8")
    said = action.load(lake, tmp_path / "a.csv")
    assert (len(said.added), said.known, len(rows(lake))) == (1, 1, 1)


def test_a_correction_stands_in_place_of_its_row_and_both_stay(lake):
    (first,) = action.add(lake, VISIT).added
    (second,) = action.add(lake, VISIT | {"cost_yen": "15000", "replaces_action_id": first}).added
    assert [row["action_id"] for row in action.in_force(lake, "first").to_dicts()] == [second]
    with pytest.raises(LakeError, match=f"訂正元 {first}; expected the row in force: {second} stands in its place already"):
        action.add(lake, VISIT | {"cost_yen": "1", "replaces_action_id": first})
    (third,) = action.add(lake, VISIT | {"replaces_action_id": second}).added  # back to what it was
    assert [row["cost_yen"] for row in action.in_force(lake, "first").to_dicts()] == [Decimal(12000)]
    action.add(lake, VISIT | {"replaces_action_id": third, "is_void": "1"})
    assert action.in_force(lake).is_empty() and len(rows(lake)) == 4


def test_a_corrected_region_takes_the_action_away_from_the_first(lake):
    (first,) = action.add(lake, VISIT).added
    action.add(lake, VISIT | {"region_key": "second", "insurer_number": "", "replaces_action_id": first})
    assert action.in_force(lake, "first").is_empty() and action.in_force(lake, "second").height == 1


def test_a_mailing_list_of_the_region_is_a_target(lake):
    action.add(lake, VISIT | {"action_kind": "member_notice", "target_kind": "person_list", "target_key": "a1b2"})
    assert rows(lake)[0]["target_key"] == "a1b2"


def test_the_template_can_be_loaded(lake, tmp_path):
    (tmp_path / "a.csv").write_text(action.CONTRACT.template().replace("demo", "first"), encoding="utf-8")
    assert len(action.load(lake, tmp_path / "a.csv").added) == 1


def test_the_list_shows_what_is_in_force_and_what_was_spent(lake):
    (first,) = action.add(lake, VISIT).added
    (second,) = action.add(lake, VISIT | {"cost_yen": "15000", "detail_ja": "[説明]", "replaces_action_id": first}).added
    shown, whole = (_shown(action.table(lake, "first", is_whole)) for is_whole in (False, True))
    assert "施策台帳: 1 actions, 15,000 yen" in shown and "[説明]" in shown and first not in shown
    assert whole.count(first) == 2 and second in whole


def _shown(table) -> str:
    out = io.StringIO()
    Console(file=out, width=250).print(table)
    return out.getvalue()
