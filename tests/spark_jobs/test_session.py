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


def test_a_lake_server_that_is_not_there_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    settings = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", spark_remote="sc://localhost:1")
    with pytest.raises(LakeError, match=r"sc://localhost:1: no lake server that lets us in \(FileNotFoundError\)"):
        session.start(settings)
    token = session.connect_token(settings)
    token.parent.mkdir(parents=True)
    token.write_text("wrong")
    with pytest.raises(LakeError, match=r"ConnectionRefusedError.*make services-status") as error:
        session.start(settings)
    assert error.value.code == ExitCode.NOT_READY
