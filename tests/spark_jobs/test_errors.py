"""Whatever goes wrong, `lake` says one line that a stranger can act on, and never a word of a receipt."""

import errno
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from spark_jobs import cli, errors, session
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing import delivery

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "tests" / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
INSURER = "06149900"
HOME = Path("/the/lake")


@pytest.mark.parametrize(
    "error, found, code",
    [
        (OSError(errno.ENOSPC, "No space left on device", "/the/lake/x.parquet"), "no space left", ExitCode.MACHINE),
        (
            pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"),
            "no space left",
            ExitCode.MACHINE,
        ),
        (OSError(errno.EROFS, "Read-only file system", "/the/lake/x.parquet"), "may not be written or read", ExitCode.MACHINE),
        (
            Exception('Could not create\nError: Os { code: 20, kind: NotADirectory, message: "見本" }'),
            "a file where a folder",
            ExitCode.MACHINE,
        ),
        (MemoryError(), "no memory left", ExitCode.MACHINE),
        (
            CommitFailedError("Unsupported table features required: [ClusteredTable] 見本"),
            "a table of an earlier build",
            ExitCode.NOT_READY,
        ),
        (CommitFailedError("version 3 is there already"), "another program wrote", ExitCode.BUSY),
        (LakeError("a", "b", "c", "d"), "b", ExitCode.BAD_INPUT),
    ],
    ids=["full", "full in polars", "read-only", "delta-rs", "memory", "feature", "conflict", "ours"],
)
def test_errors_of_the_machine_are_told_in_four_parts(error: Exception, found: str, code: ExitCode):
    told = errors.explained(error, HOME)
    assert told is not None and found in told.found and told.code == code and told.expected and told.action
    assert "見本" not in str(told)


def test_an_error_that_led_to_another_is_found():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as inner:
            raise RuntimeError("見本　花子") from inner
    except RuntimeError as error:
        told = errors.explained(error, HOME)
    assert told is not None and told.where == "/the/lake" and told.found == "no space left"


def test_two_writers_of_one_table_are_told_so(tmp_path: Path):
    write_deltalake(tmp_path, pl.DataFrame({"a": [1]}).to_arrow())
    late = DeltaTable(tmp_path)
    DeltaTable(tmp_path).delete()
    with pytest.raises(Exception) as raised:
        write_deltalake(late, pl.DataFrame({"a": [2]}).to_arrow(), mode="overwrite")
    told = errors.explained(raised.value, HOME)
    assert told is not None and told.code == ExitCode.BUSY and "one writer" in told.expected


def test_what_nobody_foresaw_is_told_by_kind_and_place_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def fails(*_: object, **__: object) -> None:
        raise ValueError("見本　花子")

    monkeypatch.setenv("LAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(delivery, "deliver", fails)
    monkeypatch.setattr(sys, "argv", ["lake", "deliver", str(tmp_path), "--insurer", INSURER])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == ExitCode.FAILED
    log = (tmp_path / "home" / "logs" / "lake.jsonl").read_text(encoding="utf-8")
    for text in (capsys.readouterr().err, log):
        assert "ValueError" in text and "spark_jobs/cli.py:" in text and "見本" not in text and "Traceback" not in text


@pytest.mark.parametrize("command", [["deliver", "."], ["ingest"], ["status"], ["masters", "load", "shipped"]], ids=" ".join)
def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path, command: list[str]):
    """LAKE_HOME below a file: what a wrong mount or a read-only folder looks like to every command."""
    (tmp_path / "file").write_text("x")
    if command[0] == "deliver":
        command = ["deliver", str(ROOT / "tests" / "fixtures"), "--insurer", INSURER]
    done = lake(*command, LAKE_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == (ExitCode.OK if command == ["status"] else ExitCode.MACHINE), done.stderr
    assert "Traceback" not in done.stderr and "見本" not in done.stderr
    if command != ["status"]:
        assert f"lake: {tmp_path / 'file' / 'home'}: a file where a folder should be; expected a folder." in done.stderr


def test_a_full_disk_leaves_the_lake_as_it_was_and_the_command_can_be_run_again(tmp_path: Path):
    """A limit on the size of files stands for the disk: the write of a table breaks off in the middle in the same way."""
    (tmp_path / "11_RECODEINFO_MED.CSV").write_bytes(EXAMPLE.replace("06990014", INSURER).encode("cp932"))
    homes = {"LAKE_HOME": str(tmp_path / "home"), "LAKE_SECRETS": str(tmp_path / "secrets")}
    assert lake("keys", "create", **homes).returncode == 0
    (tmp_path / "none").mkdir()
    lake("deliver", str(tmp_path / "none"), "--insurer", INSURER, **homes)  # makes the tables
    broken = lake("deliver", str(tmp_path / "11_RECODEINFO_MED.CSV"), "--insurer", INSURER, limit_bytes=100, **homes)
    assert broken.returncode == ExitCode.MACHINE, broken.stderr
    assert "lake: " in broken.stderr and "may not grow further" in broken.stderr and "Traceback" not in broken.stderr
    again = lake("deliver", str(tmp_path / "11_RECODEINFO_MED.CSV"), "--insurer", INSURER, **homes)
    assert again.returncode == 0 and "1 received, 0 known" in again.stderr


def lake(*words: str, limit_bytes: int | None = None, **env: str) -> subprocess.CompletedProcess:
    """Runs `lake WORDS` in a process of its own, if asked with a limit on the size of the files that it writes."""
    import os
    import resource

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "spark_jobs.cli", *words], env=os.environ | {"LAKE_CONFIG": str(ROOT / "config"), "COLUMNS": "300"} | env,
        capture_output=True, text=True, cwd=ROOT, preexec_fn=limit,
    )  # fmt: skip


def test_a_held_lake_names_its_holder(tmp_path: Path):
    import os

    from spark_jobs.settings import Settings

    settings = Settings(home=tmp_path / "home", config=ROOT / "config")
    with session.hold_lake(settings, "maintain"):
        done = lake("ingest", LAKE_HOME=str(tmp_path / "home"), LAKE_WAIT_SECONDS="0")
    assert done.returncode == ExitCode.BUSY
    assert f"held by `lake maintain`, process {os.getpid()}" in done.stderr
