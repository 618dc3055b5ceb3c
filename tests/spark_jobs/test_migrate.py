"""A lake of an earlier version comes forward: in the tables where that can be, else by deriving anew; nothing else runs on it before."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from spark_jobs import delta, migrate, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import DeliveredFile, Event
from spark_jobs.settings import Settings
from spark_jobs.tables import Column, Table

FILE = DeliveredFile("06139901", "ab" * 32, "x.UKE", "/x.UKE", "claim", "med", 202404, "keep", 1)
RUN, CLAIM_LINE, DRUG = tables.BUILD_RUN, tables.CLAIM_LINE, tables.CLAIM_DRUG


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def earlier(table: Table, *, without: str = "", other_type: str = "", also: str = "", version: int = 1) -> Table:
    """The table as an earlier version declared it."""
    columns = [replace(c, type="bigint") if c.name == other_type else c for c in table.columns if c.name != without]
    return replace(table, columns=(*columns, *([Column(also, "string", "gone")] if also else [])), version=version)


def a_lake_of(settings: Settings, monkeypatch: pytest.MonkeyPatch, *changed: Table) -> None:
    """Its tables as declared then, a file in silver."""
    with monkeypatch.context() as then:
        by_name = {table.name: table for table in changed}
        then.setattr(tables, "ALL", tuple(by_name.get(table.name, table) for table in tables.ALL))
        for name, table in vars(tables).copy().items():
            if isinstance(table, Table):
                then.setattr(tables, name, by_name.get(table.name, table))
        delta.create_all(settings)
        taken_in(settings)


def taken_in(settings: Settings) -> None:
    received = delivery.record(settings, [Event(FILE, "received")])
    taken = delivery.record(settings, [Event(file, "bronze") for file in received])
    delivery.record(settings, [Event(file, "silver") for file in taken])


def killed_now() -> None:
    raise KeyboardInterrupt


def state(settings: Settings) -> str:
    (file,) = delivery.files(settings)
    return file.state


def columns(settings: Settings, table: Table) -> dict[str, str]:
    return {field.name: field.type.type for field in DeltaTable(settings.table_path(table.name)).schema().fields}


def declared(table: Table) -> dict[str, str]:
    return {field.name: field.type.type for field in delta.schema(table).fields}


def test_a_lake_of_this_version_needs_nothing(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch)
    migrate.check(settings)
    assert migrate.run(settings) == [] and state(settings) == "silver"


def test_a_new_lake_holds_the_version_that_is_declared(settings: Settings, monkeypatch):
    monkeypatch.setattr(tables, "ALL", tuple(replace(t, version=2) if t is DRUG else t for t in tables.ALL))
    delta.create_all(settings)
    migrate.check(settings)


def test_where_there_is_no_lake_yet_nothing_is_wrong(settings: Settings):
    migrate.check(settings)


def test_a_new_column_of_silver_is_added_and_its_rows_are_derived_anew(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch, earlier(DRUG, without="sex"))
    with pytest.raises(LakeError, match="Run lake migrate") as refused:
        migrate.check(settings)
    assert refused.value.code == ExitCode.NOT_READY
    done = migrate.run(settings)
    assert done == ["1 deliveries to be derived anew from bronze: run lake ingest", "silver.claim_drug: column sex added"]
    assert columns(settings, DRUG) == declared(DRUG) and state(settings) == "bronze"
    migrate.check(settings)
    assert migrate.run(settings) == []


def test_a_new_column_of_bronze_needs_the_files(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch, earlier(CLAIM_LINE, without="key_version"))
    assert "1 deliveries to be derived anew from the delivered files: run lake ingest" in migrate.run(settings)
    assert state(settings) == "received"


def test_killed_before_the_last_step_it_goes_on(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch, earlier(DRUG, without="sex"))
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(DeltaTable, "alter", property(lambda _: killed_now()))
        migrate.run(settings)
    migrate.run(settings)
    assert columns(settings, DRUG) == declared(DRUG) and state(settings) == "bronze"


def test_a_column_of_another_type_or_gone_is_written_anew_with_its_rows(settings: Settings, monkeypatch):
    old = earlier(tables.DELIVERY, other_type="event_no", also="note")
    a_lake_of(settings, monkeypatch, old)
    assert columns(settings, old)["event_no"] == "long"
    before = delta.read(settings, tables.DELIVERY).height
    assert migrate.run(settings) == ["landing.delivery: written anew (event_no, note gone or of another type)"]
    assert columns(settings, tables.DELIVERY) == declared(tables.DELIVERY)
    assert delta.read(settings, tables.DELIVERY).height == before == 3


def test_other_contents_in_the_same_columns_are_derived_anew_once(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch)
    monkeypatch.setattr(tables, "ALL", tuple(replace(t, version=2) if t is DRUG else t for t in tables.ALL))
    assert migrate.run(settings)[1] == "silver.claim_drug: contents of version 1, now 2"
    assert state(settings) == "bronze" and migrate.run(settings) == []


def test_words_are_brought_up_to_date_and_stop_no_command(settings: Settings, monkeypatch):
    worded = replace(RUN, comment="before", columns=tuple(replace(c, comment="before") for c in RUN.columns))
    a_lake_of(settings, monkeypatch, worded)
    migrate.check(settings)
    assert len(migrate.run(settings)) == len(RUN.columns) + 1
    held = DeltaTable(settings.table_path(RUN.name))
    assert held.metadata().description == RUN.comment
    assert [field.metadata["comment"] for field in held.schema().fields] == [c.comment for c in RUN.columns]


def test_rows_written_after_a_column_was_added_stand_in_their_columns(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch, earlier(RUN, without="recorded_at"))
    migrate.run(settings)
    delta.append(settings, RUN, [{"build_key": "a", "detail": "b"}])
    assert delta.read(settings, RUN).select("build_key", "detail").rows() == [("a", "b")]
    assert pl.read_delta(str(settings.table_path(RUN.name))).columns == [
        *(n for n in RUN.column_names if n != "recorded_at"),
        "recorded_at",
    ]


def test_persons_of_a_lake_without_links_are_linked_once(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch)
    delta.append(settings, tables.PERSON, [{"insurer_number": "06139901", "person_id1": "a", "key_version": 1}])
    assert migrate.run(settings) == ["silver.person_link: persons of 1 insurers linked"]
    assert delta.read(settings, tables.PERSON_LINK)["person_id1"].to_list() == ["a"] and migrate.run(settings) == []


def test_a_table_divided_otherwise_is_written_anew(settings: Settings, monkeypatch):
    a_lake_of(settings, monkeypatch, replace(DRUG, partition_by=()))
    delta.append(settings, DRUG, [{"claim_key": "a", "insurer_number": "06139901"}])
    assert "silver.claim_drug: written anew (divided by insurer_number)" in migrate.run(settings)
    assert delta.read(settings, DRUG)["claim_key"].to_list() == ["a"]
    assert list(settings.table_path(DRUG.name).glob("insurer_number=06139901/*.parquet"))
