"""Everything is lost but the backup of docs/runbooks/restore.md: its own commands bring back the same figures and the same logins."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import psycopg
import pytest

from spark_jobs.publish.postgres import DATABASE, HOST, running
from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "docs" / "runbooks" / "restore.md"


def commands() -> str:
    (block,) = re.findall(r"## Restore\n.*?```bash\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
    return block.replace("BACKUP", "$BACKUP").replace("--region R", "--region demo")


def figures(home: Path) -> dict[str, pl.DataFrame]:
    """Every mart but what moved since the publication before, its rows in one order."""
    found = {log.parent.name: pl.read_delta(str(log.parent)) for log in sorted((home / "warehouse/marts.db").glob("*/_delta_log"))}
    return {name: rows.select(sorted(rows.columns)).sort(pl.all()) for name, rows in found.items() if name != "fct_figure_change"}


def logins(settings: Settings) -> list[tuple]:
    """Who may log in, and how many rows of a mart each sees."""
    seen = []
    with running(settings) as cluster, cluster.connect() as connection:
        for role, number in connection.execute("select login, insurer_number from access.login_insurer order by login").fetchall():
            with psycopg.connect(host=HOST, port=cluster.port, dbname=DATABASE, user=role, password=cluster.password(role)) as own:
                rows = own.execute("select count(*), sum(patient_count) from marts.fct_biosimilar_share").fetchone()
            seen.append((role, number, rows))
    return seen


@pytest.mark.long
@pytest.mark.timeout(30 * 60)
def test_the_runbook_brings_everything_back(tiny_lake: Path, tmp_path: Path, lake_config: Path):
    backup, home, secrets = tmp_path / "backup", tmp_path / "home", tmp_path / "secrets"
    shutil.copytree(tiny_lake / "home" / "warehouse", backup / "warehouse")
    shutil.copytree(tiny_lake / "secrets", secrets)
    home.mkdir()
    env = os.environ | {
        "BACKUP": str(backup), "LAKE_HOME": str(home), "LAKE_SECRETS": str(secrets), "LAKE_CONFIG": str(lake_config),
        "LAKE_DRIVER_MEMORY_GIB": "2", "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(["bash", "-euc", commands()], env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    before, after = figures(tiny_lake / "home"), figures(home)
    assert before.keys() == after.keys()
    assert [name for name in before if not before[name].equals(after[name])] == []
    was, now = (Settings(home=place / "home", secrets=place / "secrets", config=lake_config) for place in (tiny_lake, tmp_path))
    assert logins(now) == logins(was)
