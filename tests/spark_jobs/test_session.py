"""One process holds an embedded lake; the next one is told which."""

import os

import pytest

from spark_jobs import session
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings


def test_a_second_process_leaves_with_the_holders_name(tmp_path):
    settings = Settings(home=tmp_path, wait_seconds=0)
    with session.hold_lake(settings, "ingest"):
        with pytest.raises(LakeError) as error, session.hold_lake(settings, "build"):
            pass
        assert f"held by `lake ingest`, process {os.getpid()}" in str(error.value)
        assert error.value.code == ExitCode.BUSY
    with session.hold_lake(settings, "build"):
        pass
