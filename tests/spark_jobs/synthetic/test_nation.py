"""The sample for the whole country is a sound config/, and says what in it is invented."""

from collections import Counter
from pathlib import Path

import pytest

from spark_jobs import config
from spark_jobs.errors import LakeError
from spark_jobs.settings import Settings
from spark_jobs.synthetic import nation

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("nation") / "config"
    assert nation.write(Settings(config=ROOT / "config"), folder) == (141, 141)
    return Settings(config=folder)


def test_it_is_sound(sample: Settings):
    assert config.faults(sample) == []


def test_each_kind_serves_each_prefecture_once(sample: Settings):
    insurers, regions = config.insurers(sample), config.regions(sample)
    assert Counter(i.kind for i in insurers.values()) == {"kyokai": 47, "kokuho_city": 47, "koiki": 47}
    assert len({(i.kind, i.prefecture_code) for i in insurers.values()}) == 141
    assert sorted(n for r in regions.values() for n in r.insurers) == sorted(insurers)
    assert all(r.place_keys == [insurers[r.insurers[0]].prefecture_code] for r in regions.values())


def test_waves_follow_each_other_and_all_but_the_last_have_comparisons(sample: Settings):
    regions = config.regions(sample)
    assert {r.wave for r in regions.values()} == {1, 2, 3, 4, 5, 6}
    for region in regions.values():
        assert {regions[key].wave for key in region.comparison_regions} == ({region.wave + 1} if region.wave < 6 else set())


def test_numbers_of_branches_have_their_form_and_the_others_are_called_invented(sample: Settings):
    assert {"01010016", "01130012", "01270016"} <= set(config.insurers(sample))  # 北海道, 東京, 大阪
    for number, insurer in config.insurers(sample).items():
        head = (sample.config / "insurers" / f"{number}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert ("INVENTED" in head) == (insurer.kind != "kyokai")


def test_a_folder_that_holds_something_is_left_alone(sample: Settings):
    with pytest.raises(LakeError, match="not empty"):
        nation.write(Settings(config=ROOT / "config"), sample.config)
