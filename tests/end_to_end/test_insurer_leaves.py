"""An insurer's contract ends: after the steps of docs/runbooks/erase.md nothing of it is in the lake or the next publication, whose record names
it, and the figures of the others are what they were."""

import os
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
from served import BIN, ROOT

from spark_jobs import config, delta, tables
from spark_jobs.publish.postgres import running
from spark_jobs.settings import Settings

LEAVES = "06279905"
OF_OTHERS = "fct_biosimilar_share"


def shares(settings: Settings) -> pl.DataFrame:
    return pl.read_delta(str(settings.table_path(f"marts.{OF_OTHERS}")))


@pytest.mark.long
@pytest.mark.timeout(30 * 60)
def test_the_next_publication_is_without_it_and_the_record_says_so(tiny_lake: Path, tmp_path: Path, lake_config: Path):
    settings = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=tmp_path / "config")
    of_dbt = shutil.ignore_patterns(
        "staging.db", "intermediate.db", "marts.db", "build_run"
    )  # the catalog knows the tables of dbt by their places
    shutil.copytree(tiny_lake / "home" / "warehouse", settings.home / "warehouse", ignore=of_dbt)
    shutil.copytree(tiny_lake / "secrets", settings.secrets)
    shutil.copytree(lake_config, settings.config)

    def lake(*words: str) -> str:
        env = {"LAKE_HOME": str(settings.home), "LAKE_SECRETS": str(settings.secrets), "LAKE_CONFIG": str(settings.config)}
        command = [BIN / "python", "-m", "spark_jobs.cli", *words]
        done = subprocess.run(command, env=os.environ | env | {"LAKE_DRIVER_MEMORY_GIB": "2"}, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    lake("build")
    before = shares(settings)
    lake("publish", "--region", "demo", "--by", "委員会", "--despite", "試験")
    with running(settings) as cluster, cluster.connect() as connection:
        assert LEAVES in {number for (number,) in connection.execute("select insurer_number from access.login_insurer")}

    lake("erase", "--insurer", LEAVES, "--yes")
    (settings.config / "insurers" / f"{LEAVES}.yaml").unlink()
    for region in (settings.config / "regions").glob("*.yaml"):
        told = region.read_text(encoding="utf-8").replace(f'"{LEAVES}", ', "").replace(f"'{LEAVES}', ", "")
        assert LEAVES not in told
        region.write_text(told, encoding="utf-8")
    lake("build")
    lake("publish", "--region", "demo", "--by", "委員会", "--despite", "試験")

    after = shares(settings)
    assert LEAVES in before["population_key"] and LEAVES not in after["population_key"]
    of = pl.col("population_key").is_in(list(config.insurers(settings)))
    kept = [rows.filter(of).sort(pl.all()) for rows in (before, after)]
    assert kept[1].height > 1000 and kept[0].equals(kept[1])
    assert not delta.read(settings, tables.CLAIM).filter(pl.col("insurer_number") == LEAVES).height
    with running(settings) as cluster, cluster.connect() as connection:
        assert LEAVES not in {number for (number,) in connection.execute("select insurer_number from access.login_insurer")}
        names = {key for (key,) in connection.execute(f"select distinct population_key from marts.{OF_OTHERS}")}
        assert LEAVES not in names and names
    last = delta.read(settings, tables.PUBLICATION).sort("published_at").row(-1, named=True)
    assert (last["left_insurers"], last["decided_by"]) == (LEAVES, "委員会") and LEAVES not in last["insurers"]
    assert {"tombstone"} <= set(delta.read(settings, tables.ERASURE).filter(pl.col("insurer_number") == LEAVES)["step"])
    assert "nothing" in lake("erase")
