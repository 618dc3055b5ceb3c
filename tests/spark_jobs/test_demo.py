from pathlib import Path

import pytest

from spark_jobs import demo
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

WANTED = {"members": 700, "biologic_use": 8.0, "first_service_month": 202503, "months": 2, "seed": 3}


def test_the_same_receipts_are_written_once(settings: Settings, tmp_path: Path):
    assert not demo._is_written(tmp_path, WANTED)
    consortium.write(settings, tmp_path, least_members=60, **WANTED)
    assert demo._is_written(tmp_path, WANTED)
    for name, value in WANTED.items():
        assert not demo._is_written(tmp_path, WANTED | {name: value + 1}), name


@pytest.mark.parametrize("place", ["truth", "."])
def test_a_folder_without_parameters_is_not_taken_for_written(tmp_path: Path, place: str):
    (tmp_path / place).mkdir(exist_ok=True)
    assert not demo._is_written(tmp_path, WANTED)
