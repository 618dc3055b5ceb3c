"""A real PostgreSQL on small hand-made Delta marts: who sees what, and that nobody sees more by a trick."""

import io
import os
import shutil
import signal
import threading
import time
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from rich.console import Console

from spark_jobs.errors import LakeError
from spark_jobs.publish import postgres, serving
from spark_jobs.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"
ONE, TWO = "06139901", "06279905"


def write_mart(settings: Settings, name: str, rows: list[dict], comment: str = "", **comments: str) -> None:
    table = pa.Table.from_pylist(rows)
    fields = [f.with_metadata({"comment": comments.get(f.name, "")}) for f in table.schema]
    write_deltalake(
        settings.table_path(f"marts.{name}"), table.cast(pa.schema(fields)), mode="overwrite", schema_mode="overwrite", description=comment
    )


def share(kind: str, key: str, numerator: str, period: int = 2025, patients: int = 12) -> dict:
    return {
        "population_kind": kind, "population_key": key, "place_level": "nation", "place_key": "all", "geography": "facility_of_use",
        "scope": "brand", "ingredient_key": "all", "setting": "all", "period_kind": "fiscal_year", "period": period,
        "convention": "claims_units",
        "numerator": Decimal(numerator), "denominator": Decimal("100.00000"), "patient_count": patients,
    }  # fmt: skip


ROWS = [share("all", "all", "3.5"), share("insurer_kind", "kenpo", "3.5"), share("insurer", ONE, "1.5"), share("insurer", TWO, "2.0"),
        share("employer", "w1", "0.5"), share("all", "all", "7.5", 2024, 9), share("insurer", ONE, "7.5", 2024, 9)]  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    place = tmp_path_factory.mktemp("serving")
    (place / "config" / "insurers").mkdir(parents=True)
    for number in (ONE, TWO):
        shutil.copy(CONFIG / "insurers" / f"{number}.yaml", place / "config" / "insurers")
    settings = Settings(home=place / "home", secrets=place / "secrets", config=place / "config")
    write_mart(settings, "fct_biosimilar_share", ROWS, comment="数量シェア: One row per …", share_ratio="x", numerator="分子: numerator")
    write_mart(
        settings, "dim_insurer", [{"insurer_number": n, "insurer_ja": "", "member_count": count} for n, count in ((ONE, None), (TWO, 5))]
    )
    write_mart(settings, "fct_completeness", [
        {"insurer_number": n, "claim_month": 202510, "claim_kind": "med", "is_expected": True} for n in (ONE, TWO)
    ])  # fmt: skip
    write_mart(settings, "fct_unheard_of", [{"insurer_number": n, "value": 1} for n in (ONE, TWO)])
    return settings


@pytest.fixture(scope="module")
def cluster(settings: Settings):
    with postgres.running(settings) as cluster:
        serving.load(settings)
        yield cluster


def login(cluster: postgres.Cluster, role: str, password: str | None = None, **more: str) -> psycopg.Connection:
    password = cluster.password(role) if password is None else password
    where = {"host": postgres.HOST, "dbname": postgres.DATABASE, **more}
    return psycopg.connect(port=cluster.port, user=role, password=password, connect_timeout=10, autocommit=True, **where)


def keys_seen(connection: psycopg.Connection, query: str = "select population_key from marts.fct_biosimilar_share") -> set[str]:
    return {key for (key,) in connection.execute(query)}


@pytest.mark.parametrize("number", [ONE, TWO])
def test_an_insurer_sees_the_shared_rows_and_its_own_only(cluster, number):
    with login(cluster, f"insurer_{number}") as connection:
        assert keys_seen(connection) == {"all", "kenpo", number}
        assert keys_seen(connection, "select insurer_number from marts.fct_completeness") == {number}
        assert keys_seen(connection, "select insurer_number from marts.dim_insurer") == {ONE, TWO}
        assert connection.execute(
            "select numerator from marts.fct_biosimilar_share where period = 2025 and population_key = %s", [number]
        ).fetchall() == [(Decimal("1.5") if number == ONE else Decimal("2.0"),)]


def test_small_cells_of_others_are_hidden_and_own_rows_are_whole(cluster):
    """The rule itself: test_disclosure.py."""
    query = "select numerator, denominator, patient_count, hidden_ja from marts.fct_biosimilar_share where period = 2024 and population_kind = %s"
    with login(cluster, f"insurer_{ONE}") as connection:
        assert connection.execute(query, ["all"]).fetchall() == [(None, None, None, "10未満")]
        assert connection.execute(query, ["insurer"]).fetchall() == [(Decimal("7.5"), Decimal("100.00000"), 9, None)]


def test_no_trick_shows_more(cluster):
    with login(cluster, f"insurer_{ONE}") as connection:
        for trick in (
            f"set role insurer_{TWO}", "set role lake_owner", "set role postgres", f"set session authorization insurer_{TWO}",
            "set row_security = off; select * from marts.fct_biosimilar_share", "create view marts.v as select 1", "create schema mine",
            "create table public.t (a int)", "create temp table t (a int)", "create function pg_temp.f() returns int language sql as 'select 1'",
            "select * from access.login_insurer", "select * from marts.fct_unheard_of", "select * from pg_authid",
            "select pg_read_file('pg_hba.conf')", "copy marts.dim_insurer to program 'cat'", "drop policy reads on marts.fct_biosimilar_share",
            "alter table marts.fct_biosimilar_share disable row level security", f"grant insurer_{TWO} to insurer_{ONE}",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(trick).fetchall()
        connection.execute("set role lake_reader")
        assert keys_seen(connection) == {"all", "kenpo", ONE}, "the group sees no more than the login"
        assert TWO not in str(connection.execute("select * from pg_stats where schemaname = 'marts'").fetchall())


@pytest.mark.parametrize("write", [
    "insert into marts.dim_insurer values ('1', 'x', 1)", "update marts.fct_biosimilar_share set numerator = 0",
    "delete from marts.publication", "truncate marts.dim_insurer", "drop table marts.dim_insurer",
    "insert into access.login_insurer values ('a', 'b')", "create or replace function access.own_insurer() returns text language sql as 'select null'",
])  # fmt: skip
def test_an_insurer_cannot_write(cluster, write):
    with login(cluster, f"insurer_{ONE}") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(write)


def test_wrong_password_is_refused(cluster):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(cluster, f"insurer_{ONE}", password=cluster.password(f"insurer_{TWO}"))


def test_superuser_is_refused_over_tcp_and_without_password_on_the_socket(cluster):
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        login(cluster, "postgres")
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password"):
        login(cluster, "postgres", password="", host=str(cluster.socket_folder), dbname="postgres")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        login(cluster, f"insurer_{ONE}", dbname="postgres")


def test_nobody_is_trusted(cluster):
    with cluster.connect() as connection:
        rules = connection.execute("select type, auth_method from pg_hba_file_rules").fetchall()
        verifiers = connection.execute("select rolpassword from pg_authid where rolcanlogin").fetchall()
    assert rules and {method for _, method in rules} == {"scram-sha-256", "reject"}
    assert len(verifiers) == 3 and all(v.startswith("SCRAM-SHA-256$") for (v,) in verifiers)
    assert "trust" not in (cluster.data / "pg_hba.conf").read_text()


def test_passwords_are_private_and_not_under_the_lake(cluster, settings):
    for file in (settings.secrets_path / "serving").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        secret = file.read_bytes()
        assert not any(secret in path.read_bytes() for path in settings.home_path.rglob("*") if path.is_file())


def test_comments_and_keys_are_there(cluster):
    with login(cluster, f"insurer_{ONE}") as connection:
        table = "'marts.fct_biosimilar_share'::regclass"
        assert connection.execute(f"select obj_description({table})").fetchone() == ("数量シェア: One row per …",)
        numerator = connection.execute(f"select attnum from pg_attribute where attrelid = {table} and attname = 'numerator'").fetchone()[0]
        assert connection.execute(f"select col_description({table}, {numerator})").fetchone() == ("分子: numerator",)
        key = connection.execute(
            f"select pg_get_constraintdef(oid) from pg_constraint where conrelid = {table} and contype = 'p'"
        ).fetchone()
        assert key[0].startswith("PRIMARY KEY (population_kind, population_key")


def test_empty_text_and_null_stay_apart(cluster):
    with login(cluster, f"insurer_{ONE}") as connection:
        assert set(connection.execute("select insurer_ja, member_count from marts.dim_insurer")) == {("", None), ("", 5)}


def test_an_unknown_table_with_insurers_is_closed_and_said(settings, cluster):
    with cluster.connect() as connection:
        assert connection.execute("select count(*) from marts.fct_unheard_of").fetchone() == (2,)
    assert serving.rule_of("fct_unheard_of", ["insurer_number", "value"]) is serving.Rule.NOBODY
    assert serving.rule_of("fct_biosimilar_share", ["population_kind", "population_key", "person_id1"]) is serving.Rule.NOBODY
    by_employer = ["population_kind", "population_key", "employer_key", "share_ratio"]
    assert serving.rule_of("fct_biosimilar_share_by_employer", by_employer) is serving.Rule.POPULATION
    assert serving.rule_of("fct_unheard_of", by_employer) is serving.Rule.NOBODY
    assert serving.rule_of("fct_completeness", ["insurer_number", "claim_of_other_insurer_count"]) is serving.Rule.OWN
    assert serving.rule_of("fct_completeness", ["insurer_number", "depositor_number"]) is serving.Rule.NOBODY
    assert serving.rule_of("dim_population", ["population_kind", "population_key", "population_ja"]) is serving.Rule.SHARED
    assert serving.rule_of("fct_ndb_share", ["fiscal_year", "patient_count"]) is serving.Rule.SHARED


def test_the_same_versions_are_not_loaded_again(settings, cluster):
    assert "skipped" in serving.load(settings)
    with cluster.connect() as connection:
        (versions,) = connection.execute("select delta_version from marts.publication").fetchone()
    assert versions["fct_biosimilar_share"] == DeltaTable(settings.table_path("marts.fct_biosimilar_share")).version()


def test_a_failed_load_leaves_the_publication_and_a_good_one_replaces_it(settings, cluster):
    twice = [*ROWS, ROWS[0]]
    with login(cluster, f"insurer_{ONE}") as reader:
        write_mart(settings, "fct_biosimilar_share", twice)
        with pytest.raises(LakeError, match="one row per population_kind"):
            serving.load(settings)
        assert keys_seen(reader) == {"all", "kenpo", ONE}, "the publication before stays"
        assert reader.execute("select to_regnamespace('marts_next')").fetchone() == (None,)

        write_mart(settings, "fct_biosimilar_share", [*ROWS, share("insurer", ONE, "9", period=2026)])
        with reader.transaction():  # an open reader does not stop a load, and the load does not stop him
            assert len(reader.execute("select * from marts.fct_biosimilar_share").fetchall()) == 5
            assert "4 tables" in serving.load(settings)
            assert len(reader.execute("select * from marts.fct_biosimilar_share").fetchall()) == 6
        assert reader.execute("select count(*) from marts.publication").fetchone() == (1,)


def test_column_mapped_tables_are_refused(settings, tmp_path):
    """Readers outside Spark would get nulls without an error."""
    other = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=settings.config)
    write_mart(other, "fct_ndb_share", [{"a": 1}])
    log = other.table_path("marts.fct_ndb_share") / "_delta_log" / "00000000000000000000.json"
    log.write_text(log.read_text().replace('"configuration":{}', '"configuration":{"delta.columnMapping.mode":"name"}'))
    with pytest.raises(LakeError, match="column mapping is on"):
        serving.load(other)


def test_no_marts_says_what_to_do_first(settings, tmp_path):
    with pytest.raises(LakeError, match="Run lake build first"):
        serving.load(Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=settings.config))


def test_an_insurer_that_leaves_loses_its_login(settings, cluster, tmp_path):
    """Last: it changes the roles of the shared cluster."""
    fewer = tmp_path / "config"
    shutil.copytree(settings.config, fewer)
    (fewer / "insurers" / f"{TWO}.yaml").unlink()
    password, session = cluster.password(f"insurer_{TWO}"), login(cluster, f"insurer_{TWO}")
    assert f"removed insurer_{TWO}" in serving.load(Settings(home=settings.home, secrets=settings.secrets, config=fewer))
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        login(cluster, f"insurer_{TWO}", password=password)
    with cluster.connect() as connection:
        assert connection.execute("select login from access.login_insurer").fetchall() == [(f"insurer_{ONE}",)]


def test_the_store_stops_only_if_it_was_started_here(settings, cluster):
    with postgres.running(settings):
        pass
    assert cluster.is_running


def test_a_mart_without_its_grain_is_refused(settings, tmp_path):
    other = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=settings.config)
    write_mart(other, "fct_completeness", [{"insurer_number": ONE, "claim_month": 202510}])
    with pytest.raises(LakeError, match="no column claim_kind; expected the grain insurer_number, claim_month, claim_kind"):
        serving.load(other)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_how_to_log_in_without_a_password_and_stops_when_told(tmp_path, settings, ending):
    mine = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=settings.config)
    write_mart(mine, "dim_insurer", [{"insurer_number": ONE}])
    serving.load(mine)
    console = Console(file=io.StringIO(), width=200)

    def tell_when_it_is_up() -> None:
        while "psql" not in console.file.getvalue():
            time.sleep(0.1)
        time.sleep(0.5)
        os.kill(os.getpid(), ending)

    tell = threading.Thread(target=tell_when_it_is_up, daemon=True)
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    tell.start()
    try:
        serving.serve(mine, console)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    said, cluster = console.file.getvalue(), postgres.Cluster(mine)
    assert f"port {cluster.port}" in said and f"insurer_{ONE}" in said and str(cluster.password_file(f"insurer_{ONE}")) in said
    assert cluster.password(f"insurer_{ONE}") not in said
    assert said.endswith("stopped\n") and not cluster.is_running
