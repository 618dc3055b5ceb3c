"""The serving store: the marts in PostgreSQL, one login per insurer, each sees the shared rows and its own.

A load is one transaction: readers see the old publication or the new one, whole. In rows that others read, small cells are hidden
(`disclosure.py`). Row-level security is generated from `config/insurers`
(table `access.login_insurer`) and forced; a table that names insurers or people and has no rule below is loaded but nobody is let in.
See `postgres.py` for the server itself: as root it runs as the OS user `pgserver` and opens the folders above LAKE_HOME.
"""

import json
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum
from itertools import islice
from pathlib import Path

import polars as pl
import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv
from rich.console import Console

from spark_jobs import config
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import disclosure, figure_change, marts
from spark_jobs.publish.marts import Mart, MartColumn
from spark_jobs.publish.postgres import DATABASE, HOST, OWNER, READER, Cluster, running
from spark_jobs.settings import Settings

CODE = (Path(__file__), Path(disclosure.__file__))
POPULATION = ("population_kind", "population_key")
PLACE = ("place_level", "place_key", "geography")
PERIOD = ("period_kind", "period")
GRAIN = {  # one row per …: the primary key of the served table
    "dim_ingredient": ("ingredient_key",),
    "dim_insurer": ("insurer_number",),
    "dim_measure": ("measure_key",),
    "dim_period": PERIOD,
    "dim_place": ("place_level", "place_key"),
    "dim_population": POPULATION,
    "dim_structural_break": ("break_date", "title_en", "ingredient_key"),
    "dim_target": ("target_key",),
    "dim_yakko_class": ("yakko_class_2",),
    "fct_biosimilar_share": (*POPULATION, *PLACE, "scope", "ingredient_key", "setting", *PERIOD, "convention"),
    "fct_biosimilar_kpi": (*POPULATION, *PLACE, *PERIOD, "denominator_kind"),
    "fct_biosimilar_gap": (*POPULATION, *PLACE, "ingredient_key", *PERIOD),
    "fct_biosimilar_use": (*POPULATION, *PLACE, "ingredient_key", *PERIOD),
    "fct_biosimilar_share_by_sex_age": (*POPULATION, *PLACE, "sex", "age_group", "ingredient_key", *PERIOD),
    "fct_biosimilar_share_by_area": (*POPULATION, *PLACE, "therapeutic_area_key", "scope", "ingredient_key", *PERIOD),
    "fct_biosimilar_share_by_place": (*POPULATION, *PLACE, "ingredient_key", *PERIOD),
    "fct_biosimilar_share_by_employer": (*POPULATION, *PLACE, "employer_key", "ingredient_key", *PERIOD),
    "fct_share_projection": (*POPULATION, *PLACE, "target_key", "ingredient_key"),
    "fct_saving_realised": (*POPULATION, *PLACE, "ingredient_key", "setting", *PERIOD, "price_vintage"),
    "fct_saving_bundled": (*POPULATION, *PLACE, "ingredient_key", *PERIOD, "price_vintage"),
    "fct_saving_potential": (*POPULATION, *PLACE, "ingredient_key", *PERIOD, "scenario_key"),
    "fct_completeness": ("insurer_number", "claim_month", "claim_kind"),
    "fct_unknown_code": (*POPULATION, "service_month", "claim_kind", "drug_code"),
    figure_change.NAME: figure_change.KEY,
    "fct_generic_share": (*POPULATION, *PLACE, "setting", *PERIOD, "yakko_class_2", "scope", "variant"),
    "fct_ndb_share": ("fiscal_year", "place_level", "place_key", "setting", "ingredient_key"),
    "fct_ndb_share_month": (*PERIOD, "setting", "ingredient_key"),
    "fct_reconciliation": (*PERIOD, "place_level", "place_key", "setting", "ingredient_key", "convention", "official_kind"),
}
OWN_ROWS = {"fct_completeness"}  # tables of which an insurer sees the rows of its insurer_number
OF_OWN_EMPLOYERS = {"fct_biosimilar_share_by_employer"}  # rows of insurers alone, each with its own
SHARED_NAMES = {"dim_insurer", "dim_population"}  # who takes part is known to all who take part
OUR_FIGURES = {  # where they are not all that stands beside the key
    "fct_reconciliation": ("share_ratio", "patient_count", "difference_point"),
    figure_change.NAME: ("value_before", "value_now"),
}
BATCHES_JUDGED = 64  # of 8,192 rows
WHY_HIDDEN = (
    "hidden_ja",
    "秘匿の理由: null 公表, 10未満 患者が10人未満, 秘匿 差し引きで分かる. Why figures of this row are null (docs/privacy.md).",
)
SOMEBODY = r"insurer|employer|workplace|population|depositor|person|claim_key"
NAMES_SOMEBODY = re.compile(rf"^(?=.*({SOMEBODY}))(?!.*_(count|ratio|yen|kind|kind_ja)$)")
TYPES = {
    "string": "text", "byte": "smallint", "short": "smallint", "integer": "integer", "long": "bigint", "float": "real",
    "double": "double precision", "boolean": "boolean", "date": "date", "timestamp": "timestamptz", "timestamp_ntz": "timestamp",
}  # fmt: skip


class Rule(Enum):
    """Who sees which rows of a table."""

    SHARED = "true"
    POPULATION = (
        f"population_kind in {disclosure.SHARED_POPULATIONS} "
        "or (population_kind = 'insurer' and population_key = (select access.own_insurer()))"
    )
    OWN = "insurer_number = (select access.own_insurer())"
    NOBODY = "false"


def rule_of(name: str, columns: list[str]) -> Rule:
    """Default is nobody for whatever names an insurer, an employer or a person."""
    named = {column for column in columns if NAMES_SOMEBODY.search(column)}
    if name in SHARED_NAMES or not named:
        return Rule.SHARED
    if name in OWN_ROWS and named == {"insurer_number"}:
        return Rule.OWN
    if (named == {"population_key"} or name in OF_OWN_EMPLOYERS) and set(POPULATION) <= set(columns):
        return Rule.POPULATION
    return Rule.NOBODY


def load(settings: Settings, found: dict[str, Mart] | None = None) -> str:
    """Roles from config, tables from the marts (as they stand, unless given); says what was done. The load is skipped when these Delta
    versions are published already."""
    found = found or marts.read(settings)
    kinds = {number: insurer.kind for number, insurer in config.insurers(settings).items()}
    key = marts.fingerprint(found, json.dumps(kinds), *(file.read_bytes() for file in CODE))
    with running(settings) as cluster, cluster.connect() as connection:
        connection.autocommit = True
        with connection.transaction():
            _prepare(connection)
            removed = _sync_roles(cluster, connection)
        logins = f"{len(config.insurers(settings))} logins" + (f", removed {', '.join(removed)}" if removed else "")
        if _published_key(connection) == key:
            return f"PostgreSQL: skipped, these versions are published already ({len(found)} tables, {logins})"
        connection.execute("drop schema if exists marts_old cascade")
        with connection.transaction():
            rows, closed = _load_tables(connection, found, disclosure.verdicts(found, kinds))
            _write_publication(connection, found, key)
            if connection.execute("select to_regnamespace('marts')").fetchone() != (None,):
                connection.execute("alter schema marts rename to marts_old")
            connection.execute("alter schema marts_next rename to marts")
        _drop_old(connection)
        note = f"; no access rule, so closed to all: {', '.join(closed)}" if closed else ""
        return f"PostgreSQL: {len(found)} tables, {rows:,} rows, {logins}{note}"


def _prepare(connection: psycopg.Connection) -> None:
    """Groups, the schema of access rights, and nothing for the public."""
    known = {name for (name,) in connection.execute("select rolname from pg_roles")}
    for role in (READER, OWNER):
        if role not in known:
            connection.execute(f"create role {role} nologin")
    connection.execute(f"""
        revoke all on database {DATABASE} from public;
        revoke all on schema public from public;
        grant connect on database {DATABASE} to {READER};
        create schema if not exists access;
        grant usage on schema access to {READER}, {OWNER};
        create table if not exists access.login_insurer (login name primary key, insurer_number text not null unique);
        comment on table access.login_insurer is 'ログインと保険者の対応: one row per login; generated from config/insurers';
        create or replace function access.own_insurer() returns text
          language sql stable security definer set search_path = pg_catalog, pg_temp
          as $$ select insurer_number from access.login_insurer where login = session_user $$;
        revoke all on function access.own_insurer() from public;
        grant execute on function access.own_insurer() to {READER}, {OWNER};
        comment on function access.own_insurer() is 'その接続の保険者番号: of the login itself; SET ROLE does not change it';
    """)


def _sync_roles(cluster: Cluster, connection: psycopg.Connection) -> list[str]:
    """One login per insurer of config; a login whose insurer left is ended, disconnected and dropped. Returns the dropped ones."""
    wanted = {f"insurer_{number}": number for number in config.insurers(cluster.settings)}
    known = {name for (name,) in connection.execute("select rolname from pg_roles where rolname like 'insurer\\_%'")}
    connection.execute("delete from access.login_insurer where login <> all(%s)", [list(wanted)])
    for role, number in wanted.items():
        # the verifier is made here, so that no statement and no log holds the password
        verifier = connection.pgconn.encrypt_password(cluster.password(role).encode(), role.encode(), b"scram-sha-256").decode()
        verb = "alter" if role in known else "create"
        connection.execute(
            sql.SQL(
                "{} role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls connection limit 10 password {}"
            ).format(sql.SQL(verb), sql.Identifier(role), sql.Literal(verifier))
        )
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(READER), sql.Identifier(role)))
        connection.execute(
            "insert into access.login_insurer values (%s, %s) on conflict (login) do update set insurer_number = excluded.insurer_number",
            [role, number],
        )
    gone = sorted(known - set(wanted))
    connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", [gone])
    for role in gone:
        connection.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(role)))
        cluster.password_file(role).unlink(missing_ok=True)
    return gone


def _published_key(connection: psycopg.Connection) -> str | None:
    if connection.execute("select to_regclass('marts.publication')").fetchone() == (None,):
        return None
    row = connection.execute("select publication_key from marts.publication").fetchone()
    return row[0] if row else None


def _load_tables(connection: psycopg.Connection, found: dict[str, Mart], judged: dict[str, pl.DataFrame]) -> tuple[int, list[str]]:
    """Every mart into the schema `marts_next`, with comments, keys and rules; the number of rows, and the tables closed to all."""
    connection.execute(f"create schema marts_next authorization {OWNER}")
    connection.execute(f"grant usage on schema marts_next to {READER}")
    connection.execute("comment on schema marts_next is '公表済みの集計表: one publication, see marts.publication'")
    rows, closed = 0, []
    for mart in found.values():
        table, columns = sql.Identifier("marts_next", mart.name), list(mart.columns)
        rule, batches = rule_of(mart.name, [c.name for c in columns]), mart.batches()
        if rule is Rule.POPULATION or mart.name in judged:
            columns.append(MartColumn(WHY_HIDDEN[0], "string", WHY_HIDDEN[1]))
            batches = _told(mart, judged.get(mart.name))
        definitions = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(_postgres_type(mart, c.name, c.type))) for c in columns]
        connection.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(definitions)))
        rows += _copy(connection, table, batches)
        _comment(connection, sql.SQL("table {}").format(table), mart.comment)
        for column in columns:
            _comment(connection, sql.SQL("column {}").format(sql.Identifier("marts_next", mart.name, column.name)), column.comment)
        _add_key(connection, table, mart)
        _protect(connection, table, rule)
        if rule is Rule.NOBODY:
            closed.append(mart.name)
        connection.execute(sql.SQL("analyze {}").format(table))
    return rows, closed


def _postgres_type(mart: Mart, column: str, kind: str) -> str:
    if kind.startswith("decimal"):
        return kind.replace("decimal", "numeric")
    if kind not in TYPES:
        raise LakeError(f"marts.{mart.name}.{column}", f"type {kind}", "a plain type", "Change the dbt model.", ExitCode.FAILED)
    return TYPES[kind]


def _told(mart: Mart, judged: pl.DataFrame | None) -> Iterator[pa.RecordBatch]:
    """The rows with small cells hidden."""
    beside_key = [c.name for c in mart.columns if c.name not in (*GRAIN.get(mart.name, ()), *disclosure.CELL)]
    batches = mart.batches()
    while together := list(islice(batches, BATCHES_JUDGED)):
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(together)))
        yield from disclosure.hide(rows, judged, OUR_FIGURES.get(mart.name, beside_key)).to_arrow().to_batches()


def _copy(connection: psycopg.Connection, table: sql.Composable, batches: Iterable[pa.RecordBatch]) -> int:
    """Arrow batches → CSV → COPY. A null is an empty field, an empty text is a quoted one."""
    rows = 0
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin (format csv)").format(table)) as copy:
        for batch in batches:
            buffer = pa.BufferOutputStream()
            csv.write_csv(_as_plain_text(batch), buffer, options)
            copy.write(buffer.getvalue().to_pybytes())
            rows += batch.num_rows
    return rows


def _as_plain_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Types that the CSV writer does not know (decimals, views of strings) as text."""
    plain = [
        a if pa.types.is_integer(a.type) or pa.types.is_boolean(a.type) or pa.types.is_date(a.type) else a.cast(pa.string())
        for a in batch.columns
    ]
    return pa.RecordBatch.from_arrays(plain, names=batch.schema.names)


def _comment(connection: psycopg.Connection, what: sql.Composable, text: str) -> None:
    if text:
        connection.execute(sql.SQL("comment on {} is {}").format(what, sql.Literal(text)))


def _add_key(connection: psycopg.Connection, table: sql.Composable, mart: Mart) -> None:
    grain = GRAIN.get(mart.name)
    if not grain:
        return
    missing = [name for name in grain if name not in {c.name for c in mart.columns}]
    if missing:
        raise LakeError(f"marts.{mart.name}", f"no column {', '.join(missing)}", f"the grain {', '.join(grain)}", "Change one of the two.")
    try:
        connection.execute(sql.SQL("alter table {} add primary key ({})").format(table, sql.SQL(", ").join(map(sql.Identifier, grain))))
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
        raise LakeError(
            f"marts.{mart.name}", error.diag.message_primary or "a broken key", f"one row per {', '.join(grain)}, never null",
            "Mend the dbt model; the publication before stays.", ExitCode.FAILED,
        ) from None  # fmt: skip


def _protect(connection: psycopg.Connection, table: sql.Composable, rule: Rule) -> None:
    """Row-level security, after the rows are in; without a grant and without a policy nobody reads."""
    connection.execute(sql.SQL("alter table {0} enable row level security; alter table {0} force row level security").format(table))
    connection.execute(sql.SQL("alter table {} owner to {}").format(table, sql.Identifier(OWNER)))
    if rule is not Rule.NOBODY:
        connection.execute(sql.SQL("create policy reads on {} for select to {} using ({})").format(
            table, sql.Identifier(READER), sql.SQL(rule.value)
        ))  # fmt: skip
        connection.execute(sql.SQL("grant select on {} to {}").format(table, sql.Identifier(READER)))


def _write_publication(connection: psycopg.Connection, found: dict[str, Mart], key: str) -> None:
    table = sql.Identifier("marts_next", "publication")
    connection.execute("""
        create table marts_next.publication (
          published_at timestamptz not null default now(), delta_version jsonb not null, publication_key text not null
        );
        comment on table marts_next.publication is '公表: exactly one row: the publication that the tables of this schema hold';
        comment on column marts_next.publication.published_at is '公表日時: when it was loaded';
        comment on column marts_next.publication.delta_version is '版: Delta version of each table';
        comment on column marts_next.publication.publication_key is '鍵: hash of tables, versions and loader; equal = nothing to load';
    """)
    versions = json.dumps({name: mart.version for name, mart in found.items()})
    connection.execute("insert into marts_next.publication (delta_version, publication_key) values (%s, %s)", [versions, key])
    _protect(connection, table, Rule.SHARED)


def _drop_old(connection: psycopg.Connection) -> None:
    """The publication before; if somebody still reads it, the next load drops it."""
    connection.execute("set lock_timeout = '5s'")
    with suppress(psycopg.errors.LockNotAvailable):
        connection.execute("drop schema if exists marts_old cascade")


def serve(settings: Settings, console: Console) -> None:
    """Keep the store up until Ctrl-C (or SIGTERM, from a process manager); prints how to log in, never a password."""
    with running(settings) as cluster:
        with cluster.connect() as connection:
            if _published_key(connection) is None:
                raise LakeError(str(cluster.folder), "nothing published", "the marts", "Run lake publish first.", ExitCode.NOT_READY)
            logins = connection.execute("select login, insurer_number from access.login_insurer order by login").fetchall()
        console.print(f"PostgreSQL: host {HOST}, port {cluster.port}, database {DATABASE}, schema marts. Ctrl-C ends it.")
        for login, number in logins:
            name = config.insurers(settings)[number].short_name_ja if number in config.insurers(settings) else "not in config any more"
            console.print(f"  {login} ({name}): password in {cluster.password_file(login)}")
        if logins:
            first = logins[0][0]
            console.print(
                f'  e.g. PGPASSWORD="$(cat {cluster.password_file(first)})" psql -h {HOST} -p {cluster.port} -U {first} {DATABASE}',
                soft_wrap=True,
            )
        ended = threading.Event()
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, lambda *_: ended.set())
        ended.wait()
    console.print("stopped")
