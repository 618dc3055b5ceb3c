"""config/ is read and checked; each fault names file, field, found, expected."""

import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from spark_jobs import config
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
INSURER = "06139901"


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return Settings(config=tmp_path / "config")


def test_the_demo_consortium_has_eight_company_insurers_in_the_ratios_of_the_model(place: Settings):
    members = sorted((i.member_count or 0) // 1000 for i in config.insurers(place).values())
    assert members == [2, 4, 5, 6, 60, 148, 281, 322]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "start_claim_month: 202411",
            "start_claim_month: 202613",
            "start_claim_month is 202613; expected Value error, a month such as 202604",
        ),
        (f'"{INSURER}"', '"06139902"', "insurer_number is '06139902'; expected Value error, check digit 1 at the end"),
        ("kind: kenpo", "kind: union", "kind is 'union'; expected Input should be 'kenpo'"),
        ("retention_years: 5", "retention: 5", "retention"),
        ("legal_basis: joint_use", "legal_basis: entrustment", "joint_use_scope is 'demo'; expected Value error, a scope only where"),
    ],
    ids=["month", "check digit", "kind", "unknown field", "scope under entrustment"],
)
def test_a_fault_in_an_insurer_file_names_file_found_and_expected(place: Settings, old: str, new: str, message: str):
    file = place.config / "insurers" / f"{INSURER}.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LakeError) as error:
        config.insurers(place)
    assert str(file) in str(error.value) and message in str(error.value)
    assert error.value.code == ExitCode.BAD_CONFIG


def test_a_region_may_name_only_insurers_that_have_a_file(place: Settings):
    (place.config / "insurers" / f"{INSURER}.yaml").unlink()
    with pytest.raises(LakeError, match=f"insurer {INSURER}"):
        config.regions(place)


def test_an_unknown_depositor_is_told_what_to_do(place: Settings):
    with pytest.raises(LakeError, match=r"an unknown depositor; expected one of the 8 .* Add .*99999999\.yaml"):
        config.insurer(place, "99999999")


def test_insurers_of_one_scope_make_known_the_same_purposes(place: Settings):
    file = place.config / "insurers" / f"{INSURER}.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("効果の検証", "研究"), encoding="utf-8")
    with pytest.raises(LakeError, match="purposes of its own in scope demo"):
        config.insurers(place)


def test_a_scope_holds_only_the_insurers_that_name_it(place: Settings):
    assert config.scope(place, "demo") == [INSURER, "06279905"]
    with pytest.raises(LakeError, match="never under entrustment"):
        config.scope(place, "other")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("measures/biosimilar_quantity_share", "unit: ratio", "unit: percent", "line 9: unit is 'percent'; expected Input should be 'ratio'"),
        ("measures/biosimilar_quantity_share", "numerator_ja: ", "numerators_ja: ", "numerator_ja"),
        ("measures/biosimilar_quantity_share", "denominator_ja: 分子＋先行バイオ医薬品の数量\n", "", "denominator_ja, as the unit is ratio"),
        ("measures/biosimilar_quantity_share", "[health_cost_plan]", "[some_plan]", "schemes.0 is 'some_plan'"),
        ("measures/biosimilar_quantity_share", "2027-03-31", "soon", "next_review is 'soon'"),
        ("measures/biosimilar_quantity_share", "unit: ratio", "unit: [ratio", "no YAML"),
        ("targets/nation", "value_ratio: 0.65", "value_ratio: 65", "line 31: targets.3.value_ratio is 65; expected Input should be less"),
        ("targets/nation", "owner_key: all", 'owner_key: "13"', "owner_key is '13'; expected Value error, all, the key of the nation"),
        ("targets/nation", "measure_key: generic_value_share", "measure_key: generic_share", "a file config/measures/generic_share.yaml"),
        ("targets/nation", "measure_key: generic_value_share", "measure_key: biosimilar_saving_realised", "whose unit is yen"),
        ("targets/nation", "target_key: generic_value", "target_key: biosimilar_kpi", "target biosimilar_kpi again"),
        ("targets/nation", "due_date: 2030-03-31", "due_date: 2020-03-31", "valid_from before valid_to and due_date"),
        ("targets/kyokai", "owner_key: kyokai", "owner_key: kyoukai", "one of kenpo, kyokai"),
    ],
)  # fmt: skip
def test_a_fault_in_a_measure_or_target_names_file_line_found_and_expected(place: Settings, file: str, old: str, new: str, message: str):
    path = place.config / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LakeError) as error:
        config.targets(place)
    assert file in str(error.value) and message in str(error.value)
    assert error.value.code == ExitCode.BAD_CONFIG


def test_national_targets_are_those_of_the_roadmap(place: Settings):
    """domain.md §1.6"""
    found = {
        t.target_key: (owner.owner_kind, str(t.value_ratio), t.due_date.isoformat())
        for owner in config.targets(place).values()
        for t in owner.targets
    }
    assert found == {
        "biosimilar_ingredient_reached": ("nation", "0.8", "2030-03-31"),
        "biosimilar_kpi": ("nation", "0.6", "2030-03-31"),
        "generic_quantity_all_prefectures": ("nation", "0.8", "2030-03-31"),
        "generic_value": ("nation", "0.65", "2030-03-31"),
        "kyokai_biosimilar_kpi_2025": ("insurer_kind", "0.21", "2026-03-31"),
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("to_80", 'parameter: "0.80"', 'parameter: "1.80"', "parameter is '1.80'; expected Input should be less than or equal to 1"),
        ("to_80", 'parameter: "0.80"\n', "", "expected Value error, a parameter where kind is target_share or peer_share"),
        (
            "full",
            "kind: full",
            'kind: full\nparameter: "0.5"',
            "expected Value error, a parameter where kind is target_share or peer_share",
        ),
        ("best_peer", "least_patient_count: 10\n", "", "expected Value error, a least_patient_count where kind is peer_share"),
        ("full", "scenario_key: full", "scenario_key: all", "scenario_key all; expected the file's name, full"),
    ],
    ids=["over 1", "no parameter", "a parameter too many", "no least count", "name"],
)
def test_a_fault_in_a_scenario_file_is_named(place: Settings, file: str, old: str, new: str, message: str):
    path = place.config / "scenarios" / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LakeError) as error:
        config.scenarios(place)
    assert str(path) in str(error.value) and message in str(error.value)


def test_the_seven_scenarios_are_there(place: Settings):
    assert set(config.scenarios(place)) == {
        "to_80", "best_peer", "p75_peer", "new_starts_only", "same_form_only", "full", "own_use_at_mean_price"
    }  # fmt: skip


FAULTY = sorted((ROOT / "tests" / "fixtures" / "faulty").glob("[bir]*/*.yaml"))


def test_there_are_samples_of_faulty_files():
    assert len(FAULTY) >= 20


@pytest.mark.parametrize("sample", FAULTY, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_faulty_file_is_refused_with_its_line(place: Settings, sample: Path):
    """The first line of a sample says as which file it stands in config/, and what is told."""
    other_regions(place)
    assert config.faults(place) == []
    name, line, message = re.match(r"# (\S+), line (\d+): (.+)", sample.read_text(encoding="utf-8")).groups()
    file = place.config / sample.parent.name / name
    file.parent.mkdir(exist_ok=True)
    shutil.copy(sample, file)
    config._insurers.cache_clear(), config._regions.cache_clear(), config._backfills.cache_clear()
    told = [str(fault) for fault in config.faults(place)]
    assert len(told) == 1, told
    assert told[0].startswith(f"{file}, line {line}: ") and message in told[0], told


def test_every_fault_of_every_file_is_told_at_once(place: Settings):
    for number in (INSURER, "06149900"):
        file = place.config / "insurers" / f"{number}.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace("kind: kenpo", "kind: union").replace("retention_years: 5", ""), "utf-8")
    assert [fault.found for fault in config.faults(place)] == ["no retention_years", "kind is 'union'"] * 2


def test_a_region_changes_only_the_gates_that_it_names(place: Settings):
    entry = config.region(place, "demo")
    assert entry.gate("points_reconciliation") == (Decimal("0.01"), "stop")
    assert entry.gate("completeness") == (1, "tell")


def other_regions(place: Settings) -> None:
    """A region of wave 1 and one of wave 3, of other insurers than the samples'."""
    for key, wave, number in (("earlier", 1, "06129902"), ("middle", 2, "06129902"), ("later", 3, "06119903")):
        (place.config / "regions" / f"{key}.yaml").write_text(
            f'region_key: {key}\nname_ja: 見本\nplace_level: nation\nplace_keys: [all]\ninsurers: ["{number}"]\nwave: {wave}\n', "utf-8"
        )


def test_the_command_tells_each_fault_on_a_line_of_its_own(place: Settings):
    run = [sys.executable, "-m", "spark_jobs.cli", "config", "check"]
    env = {"LAKE_CONFIG": str(place.config), "PATH": "/usr/bin:/bin", "COLUMNS": "80"}
    shutil.copy(
        ROOT / "tests" / "fixtures" / "faulty" / "insurers" / "unknown_kind_of_claim.yaml", place.config / "insurers" / "06149991.yaml"
    )
    file = place.config / "regions" / "demo.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("wave: 1", "wave: first"), encoding="utf-8")
    done = subprocess.run(run, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == ExitCode.BAD_CONFIG
    first, second = done.stderr.splitlines()
    assert first.startswith(f"fault {place.config}/insurers/06149991.yaml, line 9: kinds.1 is 'drug'")
    assert second.startswith(f"fault {file}, line 8: wave is 'first'")
