"""`lake migrate`: a lake of an earlier version of this project comes forward, its tables in the shape that spark_jobs/tables.py declares.

What can be said in the table is done in the table. What only bronze or the files themselves know is derived anew: the deliveries concerned
are set back, and `lake ingest` does the rest. Killed anywhere and run again, it ends the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.exceptions import DeltaError

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import person_link
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import Event
from spark_jobs.settings import Settings
from spark_jobs.tables import Table

SET_BACK = {"silver": "bronze", "bronze": "received"}  # schema whose contents are wanted anew → state of the deliveries


@dataclass(frozen=True)
class Step:
    """One change of one table. `is_needed`: without it no other command may run. `is_content`: its rows must be derived anew."""

    table: Table
    what: str
    do: Callable[[], object]
    is_needed: bool = True
    is_content: bool = False

    def __str__(self) -> str:
        return f"{self.table.name}: {self.what}"


def run(settings: Settings) -> list[str]:
    """Bring every table forward; returns what was done."""
    delta.create_all(settings)
    wanted = steps(settings)
    done = _set_back(settings, wanted)  # first: a step that is done no longer tells that its contents are old
    for step in wanted:
        step.do()
        done.append(str(step))
    return done + _link_persons(settings)


def check(settings: Settings) -> None:
    """Stop before a table of another version is read or written."""
    if needed := [step for step in steps(settings) if step.is_needed]:
        raise LakeError(
            str(settings.home_path), f"{len(needed)} tables of an earlier version ({needed[0]})", "the tables of this version",
            "Run lake migrate.", ExitCode.NOT_READY,
        )  # fmt: skip


def steps(settings: Settings) -> list[Step]:
    """What lies between the tables that stand there and those that are declared."""
    found: list[Step] = []
    for table in tables.ALL:
        if DeltaTable.is_deltatable(str(settings.table_path(table.name))):
            found += _steps(settings, table, delta.opened(settings, table.name))
    return found


def _steps(settings: Settings, table: Table, held: DeltaTable) -> Iterator[Step]:
    metadata = held.metadata()
    has, declared = {field.name: field for field in held.schema().fields}, {field.name: field for field in delta.schema(table).fields}
    new = [field for name, field in declared.items() if name not in has]
    other = [name for name, field in has.items() if name not in declared or field.type != declared[name].type]
    is_derived = table.name.split(".")[0] in SET_BACK
    why = [f"{', '.join(other)} gone or of another type"] if other else []
    if metadata.partition_columns != list(table.partition_by):
        why.append(f"divided by {', '.join(table.partition_by) or 'nothing'}")
    if why:
        yield Step(
            table, f"written anew ({'; '.join(why)})", partial(_rewrite, settings, table), is_content=bool(other or new) and is_derived
        )
    elif new:
        yield Step(table, f"column {', '.join(f.name for f in new)} added", partial(_add, settings, table, new), is_content=is_derived)
    if not why:
        for name, field in declared.items():
            if name in has and has[name].metadata.get("comment") != field.metadata["comment"]:
                yield Step(table, f"comment of {name}", partial(_comment, settings, table, field), is_needed=False)
    if metadata.description != table.comment:
        yield Step(table, "description", partial(_describe, settings, table), is_needed=False)
    if (version := int(metadata.configuration.get(delta.VERSION, "1"))) != table.version:
        yield Step(table, f"contents of version {version}, now {table.version}", partial(_stamp, settings, table), is_content=is_derived)


def _set_back(settings: Settings, wanted: list[Step]) -> list[str]:
    """Deliveries whose rows are wanted anew go back to the state before; whoever was there already stays."""
    schemas = {step.table.name.split(".")[0] for step in wanted if step.is_content}
    if not schemas:
        return []
    state = SET_BACK["bronze" if "bronze" in schemas else "silver"]
    files = [file for file in delivery.files(settings) if file.state in ("silver", "bronze") and file.state != state]
    delivery.record(settings, [Event(file, state, detail="lake migrate") for file in files])
    source = "the delivered files" if state == "received" else "bronze"
    return [f"{len(files)} deliveries to be derived anew from {source}: run lake ingest"] if files else []


def _link_persons(settings: Settings) -> list[str]:
    """Links of persons (silver.person_link) for insurers that have persons and none; ingest writes them only where persons change."""

    def insurers(table: Table) -> set[str]:
        return set(delta.scan(settings, table).select("insurer_number").unique().collect()["insurer_number"].drop_nulls())

    if missing := insurers(tables.PERSON) - insurers(tables.PERSON_LINK):
        person_link.refresh(settings, missing)
    return [f"{tables.PERSON_LINK.name}: persons of {len(missing)} insurers linked"] if missing else []


def _rewrite(settings: Settings, table: Table) -> None:
    """The same rows in the declared columns and types, streamed, in one commit."""
    held, wanted = delta.opened(settings, table.name), delta.arrow_schema(table)
    source = held.to_pyarrow_dataset()
    kept = [name for name in wanted.names if name in source.schema.names]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source.to_batches(columns=kept):
            part = pa.Table.from_batches([batch])
            columns = [part[field.name].cast(field.type) if field.name in kept else pa.nulls(part.num_rows, field.type) for field in wanted]
            yield from pa.Table.from_arrays(columns, schema=wanted).to_batches()

    try:
        write_deltalake(
            held, pa.RecordBatchReader.from_batches(wanted, batches()), mode="overwrite", schema_mode="overwrite",
            partition_by=list(table.partition_by),
        )  # fmt: skip
    except (pa.ArrowInvalid, DeltaError) as error:
        raise LakeError(
            table.name, f"rows that do not fit ({type(error).__name__})", "rows that fit the declared types",
            "Nothing was changed; begin a new lake from the delivered files.", ExitCode.NOT_READY,
        ) from None  # fmt: skip


def _add(settings: Settings, table: Table, new: list[Field]) -> None:
    delta.opened(settings, table.name).alter.add_columns(new)


def _comment(settings: Settings, table: Table, field: Field) -> None:
    delta.opened(settings, table.name).alter.set_column_metadata(field.name, {"comment": field.metadata["comment"]})


def _describe(settings: Settings, table: Table) -> None:
    delta.opened(settings, table.name).alter.set_table_description(table.comment)


def _stamp(settings: Settings, table: Table) -> None:
    held = delta.opened(settings, table.name)
    held.alter.set_table_properties({delta.VERSION: str(table.version)}, raise_if_not_exists=False)
