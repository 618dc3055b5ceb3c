"""No name, insured number, chart number or telephone of the generated people, and no key, in any file of the lake; and the search would find them."""

import base64
from pathlib import Path

import pytest
from deltalake import DeltaTable
from people import people
from search import Words, contents, search

from spark_jobs import ingest, tables
from spark_jobs.claim_format import privacy
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.publish import postgres
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium


def key_forms(secrets: Path) -> list[bytes]:
    """Every key and its two HMAC pads: as bytes, in hex, in base64."""
    found = []
    for file in sorted(secrets.rglob("*.key")):
        key = file.read_bytes()
        for secret in (key, bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key)):
            found += [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")]
    assert found
    return found


def dump(settings: Settings) -> bytes:
    """Every table of the serving store, the system's own included, as text."""
    parts = []
    with postgres.running(settings) as cluster, cluster.connect() as connection:
        tables = "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
        for (table,) in connection.execute(tables).fetchall():
            with connection.cursor().copy(f"copy {table} to stdout") as copy:
                parts += [bytes(part) for part in copy]
    return b"".join(parts)


def test_no_person_in_any_file_of_the_lake(tiny_lake: Path):
    words = Words(word for column in people(tiny_lake / "truth").values() for word in column)
    assert len(words) > 3000
    assert search(tiny_lake / "home", words) == {}
    assert search(tiny_lake / "event_log", words) == {}
    assert list((tiny_lake / "event_log").rglob("*")), "Spark wrote its event log"
    assert words.found_in((tiny_lake / "said.txt").read_bytes()) == [set()]


def test_no_person_in_postgresql(tiny_lake: Path):
    words = Words(word for column in people(tiny_lake / "truth").values() for word in column)
    dumped = dump(Settings(home=tiny_lake / "home", secrets=tiny_lake / "secrets"))
    assert b"fct_biosimilar_share" in dumped and b"06139901" in dumped
    assert words.found_in(dumped) == [set()]


def test_no_key_in_any_file_of_the_lake(tiny_lake: Path):
    forms = key_forms(tiny_lake / "secrets")
    for folder in ("home", "event_log"):
        for path in (p for p in (tiny_lake / folder).rglob("*") if p.is_file()):
            for data in contents(path):
                assert not any(form in data for form in forms), path
    dumped = dump(Settings(home=tiny_lake / "home", secrets=tiny_lake / "secrets"))
    assert not any(form in dumped for form in forms)


@pytest.fixture
def clean_lake(lake):
    """The lake; afterwards the files of its bronze and silver are gone."""
    yield lake
    for table in tables.ALL:
        if table.name.startswith(("bronze.", "silver.")):
            held = DeltaTable(lake.table_path(table.name))
            held.delete()
            held.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)


def test_with_the_pseudonymiser_off_the_search_finds_everybody(clean_lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = clean_lake
    consortium.write(settings, tmp_path, members=700, least_members=60, biologic_use=40.0, first_service_month=202503, months=1, seed=11)
    monkeypatch.setattr(privacy, "marks", lambda kind, form: {})
    keys.create(settings, None)
    number = "06139901"
    delivery.deliver(settings, tmp_path / "inbox" / number, number)
    ingest.run(settings)
    found = set().union(
        *search(settings.warehouse / "bronze.db", Words(w for c in people(tmp_path / "truth").values() for w in c)).values()
    )
    named = {column: words for column, words in people(tmp_path / "truth").items() if words}
    assert set(people(tmp_path / "truth")) - set(named) <= {"wrong_number"}, "one month may have no mistyped number"
    for column, words in named.items():
        assert Words(words).found_in("\n".join(found).encode()) != [set()], f"nothing of {column} was found"


def test_every_table_can_be_written_without_spark(tiny_lake: Path):
    """`lake erase` and `lake maintain` write by delta-rs: in a table with a feature that it does not know, all would stay."""
    folders = [log.parent for log in (tiny_lake / "home" / "warehouse").glob("*.db/*/_delta_log")]
    features = {folder.name: set(DeltaTable(folder).protocol().writer_features or ()) for folder in folders}
    assert len(features) > 80
    assert {name: found for name, found in features.items() if not found <= {"appendOnly", "invariants"}} == {}
