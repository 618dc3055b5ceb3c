"""lake config new-insurer writes a file that is valid at once and says what nobody has confirmed yet."""

import shutil
from pathlib import Path

import pytest

from spark_jobs import config
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.rollout import insurer_file
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
GIVEN = {"insurer_number": "01130012", "name_ja": "見本支部: 東京", "kind": "kyokai", "prefecture_code": "13"}


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return Settings(config=tmp_path / "config")


def test_the_file_is_valid_and_links_nobody_between_insurers(place: Settings):
    path, left = insurer_file.create(place, GIVEN)
    assert config.faults(place) == []
    entry = config.insurer(place, "01130012")
    assert (entry.name_ja, entry.legal_basis, entry.joint_use_scope, entry.approver_role_ja) == (
        "見本支部: 東京",
        "entrustment",
        None,
        None,
    )
    assert path.name == "01130012.yaml"
    told = [line.split(": ")[1] for line in left]
    assert {"legal_basis", "purposes", "start_claim_month", "approver_role_ja"} <= set(told)
    assert not {"insurer_number", "name_ja", "kind", "structure"} & set(told)


def test_a_company_insurer_is_asked_for_its_industry_and_structure(place: Settings):
    _, left = insurer_file.create(place, GIVEN | {"insurer_number": "06149991", "kind": "kenpo", "prefecture_code": "14"})
    assert config.faults(place) == []
    assert {"industry_ja", "structure"} <= {line.split(": ")[1] for line in left}


def test_what_is_open_is_told_with_its_line_until_it_is_filled_in(place: Settings):
    path, left = insurer_file.create(place, GIVEN)
    assert insurer_file.all_left_open(place) == left
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(insurer_file.OPEN in lines[int(told.split("line ")[1].split(":")[0]) - 1] for told in left)
    path.write_text("\n".join(line.split(insurer_file.OPEN)[0] for line in lines), encoding="utf-8")
    assert insurer_file.all_left_open(place) == []


def test_a_file_is_never_overwritten(place: Settings):
    path, _ = insurer_file.create(place, GIVEN)
    before = path.read_bytes()
    with pytest.raises(LakeError, match="never overwritten"):
        insurer_file.create(place, GIVEN | {"name_ja": "他"})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"insurer_number": "01130013"}, "check digit 2"),
        ({"kind": "koiki"}, "begin with 39"),
        ({"prefecture_code": "48"}, "prefecture_code '48'"),
        ({"insurer_number": "../../etc/x"}, "8 digits"),
    ],
)
def test_a_wrong_option_writes_nothing(place: Settings, wrong: dict[str, str], message: str):
    before = sorted(place.config.rglob("*"))
    with pytest.raises(LakeError, match=message) as error:
        insurer_file.create(place, GIVEN | wrong)
    assert error.value.code == ExitCode.USAGE
    assert sorted(place.config.rglob("*")) == before
