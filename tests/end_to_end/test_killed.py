"""SIGKILL at any step of deliver, ingest, maintain and erase; the same command run again leaves the tables of an undisturbed run.

Each command begins on a copy of the same lake. The steps of an undisturbed run are counted, the kills spread over them. 3 in `make test`, more
than 20 in `make test-long`.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pytest
from compare import contents, differences
from lakes import ROOT, lake_at

from spark_jobs import cli, ingest, session
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

KILLER = Path(__file__).with_name("killer.py")
INSURERS = ("06019905", "06139901")
FIRST_SERVICE_MONTH, MONTHS = 202410, 8  # claim months 202411-202506: a fiscal year that is closed
OLDER_MONTHS = 6  # taken in before
COMMANDS = ("deliver", "ingest", "maintain", "erase")
IN_MAKE_TEST = (("deliver", 0.6, "after"), ("ingest", 0.4, "before"), ("maintain", 0.5, "after"))
POINTS = 6  # of each command in test-long, spread over its steps


@dataclass
class Stage:
    """A lake just before a command, and what the command makes of it."""

    place: Path
    command: str
    words: tuple[str, ...]

    def copy(self, name: str) -> Path:
        """Home and secrets as they are before the command."""
        target = self.place / name
        shutil.copytree(self.place / "before", target)
        return target

    @cached_property
    def undisturbed(self) -> tuple[dict[str, pl.DataFrame], int]:
        """(contents afterwards, steps) of a run that nobody kills."""
        target = self.copy("undisturbed")
        done = lake(target, *self.words, kill_at=0)
        assert done.returncode in (0, 3), done.stderr
        return contents(target / "home"), int((target / "steps").read_text())


def lake(place: Path, *words: str, kill_at: int | None = None, when: str = "before") -> subprocess.CompletedProcess:
    """`lake WORDS` on the lake of this place, counted and perhaps killed."""
    program = ["-m", "spark_jobs.cli"] if kill_at is None else [str(KILLER), str(kill_at), when, str(place / "steps")]
    env = os.environ | {"LAKE_HOME": str(place / "home"), "LAKE_SECRETS": str(place / "secrets"), "LAKE_CONFIG": str(ROOT / "config")}
    env |= {"COLUMNS": "300", "PYTHONPATH": str(ROOT), "LAKE_WAIT_SECONDS": "5"}
    started = subprocess.Popen(
        [sys.executable, *program, *words],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = started.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)  # workers that a killed run left
    return subprocess.CompletedProcess(words, started.returncode, out, err)


@pytest.fixture(scope="module")
def stages(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """The lake before each of the commands, one made from the other, every command run undisturbed."""
    place = tmp_path_factory.mktemp("killed")
    consortium.write(
        settings, place, members=160, least_members=20, biologic_use=60.0, first_service_month=FIRST_SERVICE_MONTH, months=MONTHS, seed=9
    )  # fmt: skip
    begin = place / "begin"
    lake_there = lake_at(begin)
    keys.create(lake_there, None)
    months = sorted({path.name for path in (place / "inbox").glob("*/20*")})
    for month in months[:OLDER_MONTHS]:
        with session.hold_lake(lake_there, "test"):
            for number in INSURERS:
                delivery.deliver(lake_there, place / "inbox" / number / month, number)
            ingest.run(lake_there)
    newest = place / "newest"
    newest.mkdir()
    for month in months[OLDER_MONTHS:]:
        shutil.copytree(place / "inbox" / INSURERS[1] / month, newest / month)
    (newest / "empty").mkdir()
    (newest / "empty" / "11_RECODEINFO_MED.CSV").touch()

    words = {
        "deliver": ("deliver", str(newest), "--insurer", INSURERS[1]),
        "ingest": ("ingest",),
        "maintain": ("maintain", "--keep-days", "0"),
    }
    if erase := erase_words(begin):
        words["erase"] = erase
    found, before = {}, begin
    for command in (name for name in COMMANDS if name in words):
        stage = Stage(place / command, command, words[command])
        stage.place.mkdir()
        shutil.copytree(before, stage.place / "before")
        found[command] = stage
        assert stage.undisturbed[1] > 0, f"{command} changed nothing: nowhere to kill it"
        before = stage.place / "undisturbed"
    return found


def erase_words(place: Path) -> tuple[str, ...] | None:
    """A call of `lake erase` that finds somebody, if there is such a command."""
    if "erase" not in {command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback}:
        return None
    claims = pl.read_delta(str(place / "home" / "warehouse" / "silver.db" / "claim")).filter(pl.col("insurer_number") == INSURERS[0])
    return ("erase", "--insurer", INSURERS[0], "--person", str(claims["person_id1"].drop_nulls().sort()[0]), "--yes")


def kill_and_run_again(stage: Stage, share: float, when: str) -> None:
    """Killed at this share of its steps, then run to its end."""
    wanted, steps = stage.undisturbed
    number = max(1, min(steps, round(share * steps)))
    place = stage.copy(f"killed-{number}-{when}")
    killed = lake(place, *stage.words, kill_at=number, when=when)
    told = f"{stage.command} killed {when} step {number} of {steps}"
    assert killed.returncode == -signal.SIGKILL, f"{told}: ended with {killed.returncode}: {killed.stderr}"
    again = lake(place, *stage.words)
    assert again.returncode in (0, 3) and "Traceback" not in again.stderr, f"{told}: {again.stderr}"
    assert differences(contents(place / "home"), wanted) == [], told
    shutil.rmtree(place)


def stage_of(stages: dict[str, Stage], command: str) -> Stage:
    if command not in stages:
        pytest.skip(f"there is no lake {command}")
    return stages[command]


@pytest.mark.parametrize(("command", "share", "when"), IN_MAKE_TEST, ids=[command for command, *_ in IN_MAKE_TEST])
def test_killed_and_run_again(stages: dict[str, Stage], command: str, share: float, when: str):
    kill_and_run_again(stage_of(stages, command), share, when)


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", range(POINTS))
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_anywhere_and_run_again(stages: dict[str, Stage], command: str, point: int, when: str):
    kill_and_run_again(stage_of(stages, command), (point + 0.5) / POINTS, when)


def test_a_killed_run_differs_before_it_is_run_again(stages: dict[str, Stage]):
    """The comparison can fail: what a kill half way leaves is not what the run makes."""
    stage = stages["deliver"]
    place = stage.copy("not-run-again")
    lake(place, *stage.words, kill_at=1, when="before")
    assert differences(contents(place / "home"), stage.undisturbed[0]) != []
