"""dbt in this process: silver → marts, with all data tests. Makes anew what changed: nothing, what the deliveries touched, or all.

Unit tests of the models run in the test suite, not here: they prove the code, and the code is the same in each build.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from spark_jobs import config, delta, session, tables, touched
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.progress import console
from spark_jobs.settings import Settings
from spark_jobs.tables import Table

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
CODE = ("dbt_project.yml", "macros/**/*.sql", "models/**/*.*", "tests/**/*.*")  # what a figure depends on, under PROJECT
SOURCES = (
    tables.DELIVERY,
    tables.DELIVERY_FINDING,
    tables.CLAIM,
    tables.CLAIM_DIAGNOSIS,
    tables.CLAIM_DRUG,
    tables.CLAIM_PAYER,
    tables.MEMBER_MONTH,
    tables.PERSON_LINK,
    tables.DRUG,
    tables.DRUG_PRICE,
    tables.PRICE_LIST_ITEM,
    tables.GENERIC_CLASS,
    tables.BIOSIMILAR_INGREDIENT,
    tables.BIOSIMILAR_PRODUCT,
    tables.BIOSIMILAR_FORM,
    tables.BIOSIMILAR_INDICATION,
    tables.DISEASE,
    tables.THERAPEUTIC_AREA,
    tables.FACILITY_LIST,
    tables.PREFECTURE,
    tables.STRUCTURAL_BREAK,
    tables.NDB_QUANTITY,
    tables.NDB_CLASS,
    tables.PUBLISHED_SERIES,
    tables.INSURER,
    tables.MEASURE,
    tables.TARGET,
    tables.SUPPLY_STATUS,
    tables.HIGH_COST_CAP,
    tables.SCENARIO,
)
SHOWN = ("model", "test")
ALL, SELECTION, BACKFILL = "all", "a selection", "backfill"
WHOLE = (ALL, SELECTION)
TOUCHED = "touched"  # a build of what was touched: repeated, it makes good what it left half done


def run(settings: Settings, select: str | None = None) -> str:
    """Build the marts and test them; returns what was done, in words. Where only claims and deliveries have changed since the last build,
    what they touch is made anew and no more. A selection builds these models only, whole, and always."""
    write_config(settings)
    inputs, last = Inputs.now(settings), last_build(settings)
    unfinished = _target(settings) / "unfinished"
    is_whole = unfinished.exists() and unfinished.read_text() != TOUCHED  # a build of all or of a selection was cut off or failed
    variables: dict[str, Any] = {}
    if select is not None:
        selected, what = [select], SELECTION
    elif is_whole or last is None or last["code_key"] != inputs.code_key:
        selected, what = [], ALL
    elif not unfinished.exists() and (last["build_key"] == inputs.build_key or not inputs.changed(last)):
        return "nothing changed: sources, configuration and models are as at the last build (skipped)"
    else:
        selected, variables, what = _what_changed(settings, inputs, last)
    return _build(settings, inputs, selected, variables, what)


def backfill(settings: Settings, key: str) -> str:
    """Bring the marts up to date, then make anew what holds the claims of a backfill (config/backfills), whether they changed or not."""
    ordered = config.backfill(settings, key)
    console.print(run(settings), soft_wrap=True)
    found = touched.of_backfill(settings, ordered)
    if not found.service_months:
        raise LakeError(
            f"config/backfills/{key}.yaml", f"no claim of {ordered.first_service_month}-{ordered.last_service_month}",
            f"months of region {ordered.region_key} that are in the lake", "Correct the months, or deliver them first.", ExitCode.NOT_READY,
        )  # fmt: skip
    return _build(settings, Inputs.now(settings), *_of_touched(settings, touched.FOLLOWED, found), f"{BACKFILL} {key}: {found}")


def _build(settings: Settings, inputs: "Inputs", selected: list[str], variables: dict[str, Any], what: str) -> str:
    unfinished = _target(settings) / "unfinished"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_text(TOUCHED if variables and not what.startswith(BACKFILL) else what)
    selection = ["--select", *selected] if selected else []
    whole = {"history_months": touched.months_of_history(settings), "shuffle_partitions": settings.shuffle_partitions}
    given = ["--vars", json.dumps(variables or whole)]
    results = _dbt(settings, ["build", "--exclude-resource-type", "unit_test", *selection, *given])
    _record(settings, inputs, results)
    _stop_at_failure(results)
    counts = {kind: sum(r.node.resource_type == kind for r in results) for kind in SHOWN}
    warned = [r for r in results if r.status == "warn"]
    detail = f"{counts['model']} models built, {counts['test'] - len(warned)} tests passed"
    if what not in WHOLE:
        detail = f"{what}: {detail}"
    if warned:
        detail += f", {len(warned)} to look at: {', '.join(r.node.name for r in warned)}"
    if what != SELECTION:
        versions = inputs.versions | {touched.SERVICE_MONTH: delta.opened(settings, touched.SERVICE_MONTH).version()}
        run = {"build_key": inputs.build_key, "code_key": inputs.code_key, "source_versions": json.dumps(versions, sort_keys=True)}
        delta.append(settings, tables.BUILD_RUN, [run | {"recorded_at": datetime.now(UTC), "detail": detail}])
        unfinished.unlink()
    return detail


def check_is_new(settings: Settings, where: str) -> None:
    """Stop where the marts are of an earlier state of the claims or lists, or half made: the next build would move their figures."""
    last = last_build(settings)
    if last is None or (_target(settings) / "unfinished").exists() or Inputs.now(settings).changed(last):
        raise LakeError(where, "marts older than the claims or lists", "marts of what is in the lake", "Run lake build.", ExitCode.OUTDATED)


@dataclass(frozen=True)
class Inputs:
    """What the marts are made of: Delta versions of the tables read, and a hash of the code."""

    versions: dict[str, int]
    code_key: str

    @classmethod
    def now(cls, settings: Settings) -> "Inputs":
        digest = hashlib.sha256()
        for table in SOURCES:
            digest.update(f"{table.name} {table.version}\n".encode())
        for file in sorted(file for pattern in CODE for file in PROJECT.glob(pattern)):
            digest.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
        return cls({table.name: delta.version(settings, table) for table in SOURCES}, digest.hexdigest())

    @property
    def build_key(self) -> str:
        return hashlib.sha256((json.dumps(self.versions, sort_keys=True) + self.code_key).encode()).hexdigest()

    def changed(self, last: dict[str, Any]) -> list[Table]:
        """Tables of another version than the last build read."""
        before = json.loads(last["source_versions"])
        return [table for table in SOURCES if before.get(table.name) != self.versions[table.name]]


def _what_changed(settings: Settings, inputs: Inputs, last: dict[str, Any]) -> tuple[list[str], dict[str, Any], str]:
    """(selection and variables for dbt, in words): what depends on the tables that changed; where only claims and deliveries did, what they
    touch of it."""
    changed = inputs.changed(last)
    below = [f"source:{table.name}+" for table in changed]
    found = touched.since(settings, json.loads(last["source_versions"])) if set(changed) <= set(touched.FOLLOWED) else None
    if found is None:
        return below, {}, f"all that depends on {', '.join(table.name for table in changed)}"
    if not found.service_months:
        changed = [tables.DELIVERY, tables.DELIVERY_FINDING]
    return *_of_touched(settings, changed, found), str(found)


def _of_touched(settings: Settings, sources: Iterable[Table], found: touched.Touched) -> tuple[list[str], dict[str, Any]]:
    """Selection and variables for dbt: what depends on these tables, as far as it was touched."""
    return [f"source:{table.name}+" for table in sources], {"touched": found.variables(settings)}


def docs(settings: Settings) -> Path:
    """Every table, column, test and their lineage as one web page; needs a built lake. Returns its path."""
    _stop_at_failure(_dbt(settings, ["docs", "generate", "--static"]))
    return _target(settings) / "static_index.html"


def unit_tests(settings: Settings) -> int:
    """Prove the models on the rows written beside them; needs a built lake (dbt reads the types there). Returns how many passed."""
    results = _dbt(settings, ["test", "--select", "test_type:unit"])
    _stop_at_failure(results)
    return len(results)


def write_config(settings: Settings) -> None:
    """config/ → masters, only where it changed."""
    insurers = [
        (i.insurer_number, i.name_ja, i.short_name_ja, i.kind, i.prefecture_code, i.member_count, i.start_claim_month, ",".join(i.kinds))
        for i in config.insurers(settings).values()
    ]
    members = [(r.region_key, r.name_ja, number) for r in config.regions(settings).values() for number in r.insurers]
    measures = [
        (
            m.measure_key, m.name_ja, m.name_en, m.definition_ja, m.definition_en, m.numerator_ja, m.denominator_ja, m.unit, m.convention,
            m.convention_ja, m.n_ja, m.price_ja, m.data_ja,
            m.direction, " ".join(m.limits_ja), "; ".join(m.sources), "; ".join(m.checked_against) or None,
            "、".join(config.SCHEMES[scheme] for scheme in m.schemes) or None, m.status, m.next_review, m.model, m.column,
            " and ".join(f"{column} = '{value}'" for column, value in m.where.items()) or None,
        )
        for m in config.measures(settings).values()
    ]  # fmt: skip
    targets = [
        (
            t.target_key, t.name_ja, owner.owner_kind, owner.owner_key, t.measure_key, t.value_ratio, t.due_date, t.valid_from, t.valid_to,
            t.source,
        )
        for owner in config.targets(settings).values()
        for t in owner.targets
    ]  # fmt: skip
    scenarios = [
        (s.scenario_key, s.title_ja, s.title_en, s.kind, s.parameter, s.least_patient_count, s.description_ja, s.source)
        for s in config.scenarios(settings).values()
    ]
    written: tuple[tuple[tables.Table, list[tuple[Any, ...]]], ...] = (
        (tables.INSURER, insurers),
        (tables.REGION_INSURER, members),
        (tables.MEASURE, measures),
        (tables.TARGET, targets),
        (tables.SCENARIO, scenarios),
    )
    for table, rows in written:
        if set(delta.read(settings, table).rows()) != set(rows):
            delta.replace(settings, table, [dict(zip(table.column_names, row, strict=True)) for row in rows])


def last_build(settings: Settings) -> dict[str, Any] | None:
    """The last build that ended well and said what it read."""
    builds = delta.read(settings, tables.BUILD_RUN).filter(pl.col("source_versions").is_not_null()).sort("recorded_at")
    return None if builds.is_empty() else builds.row(-1, named=True)


def _target(settings: Settings) -> Path:
    return settings.home_path / "dbt"


def _record(settings: Settings, inputs: Inputs, results: list[Any]) -> None:
    """ops.model_run: how each model and test of this build ended; of one that failed too."""
    now = datetime.now(UTC)
    stamp = {"build_no": now.isoformat(timespec="seconds"), "code_key": inputs.code_key, "recorded_at": now}
    rows = [
        {
            "node_name": result.node.name, "node_kind": str(result.node.resource_type), "outcome": str(result.status),
            "folder": str(Path(result.node.original_file_path).parent), "seconds": round(result.execution_time, 3),
            "failure_count": result.failures,
        }
        for result in results
        if result.node.resource_type in SHOWN
    ]  # fmt: skip
    delta.append(settings, tables.MODEL_RUN, [row | stamp for row in rows])
    delta.compact(settings, tables.MODEL_RUN)


def _stop_at_failure(results: list[Any]) -> None:
    """Raise what failed, in words."""
    for result in results:
        if result.status in ("error", "fail"):
            raise _failure(result)


def _dbt(settings: Settings, arguments: list[str]) -> list[Any]:
    """Results of a dbt call in this process, on the session that runs; says each node as it ends."""
    session.start(settings)
    os.environ |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1"}
    from dbt.cli.main import dbtRunner

    places = {"project-dir": PROJECT, "profiles-dir": PROJECT, "target-path": _target(settings), "log-path": settings.home_path / "logs"}
    options = [part for name, path in places.items() for part in (f"--{name}", str(path))]
    outcome = dbtRunner(callbacks=[_tell] if arguments[0] == "build" else []).invoke(
        [*arguments, *options, "--log-level", "none", "--log-level-file", "info"]
    )
    if outcome.exception:
        raise LakeError(
            f"dbt {arguments[0]}", _first_line(outcome.exception), "a project that dbt can read",
            f"Correct the model it names; the log is {settings.home_path / 'logs' / 'dbt.log'}.", ExitCode.FAILED,
        )  # fmt: skip
    return list(getattr(outcome.result, "results", None) or [])


def _failure(result: Any) -> LakeError:
    """A test that found rows, or a model that Spark refused: which, how many, what to do."""
    node = result.node
    if result.status == "error":
        return LakeError(
            f"dbt {node.resource_type} {node.name}", _first_line(result.message), "a query that Spark runs",
            f"Correct dbt_project/{node.original_file_path}.", ExitCode.FAILED,
        )  # fmt: skip
    action = node.config.meta.get("action", "")
    return LakeError(
        f"dbt test {node.name}", f"{result.failures} {'row' if result.failures == 1 else 'rows'} against it",
        f"none ({node.description})" if node.description else "none",
        f"{action} Look at the rows, the query is {Path(node.compiled_path).resolve()}; the marts are not to be published.".strip(),
        ExitCode.FAILED,
    )  # fmt: skip


def _first_line(message: object) -> str:
    """The line that says it: below dbt's headings (`Runtime Error in model …`)."""
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return next((line for line in lines if "Error in " not in line and not line.endswith("Error")), "no message")


def _tell(event: Any) -> None:
    """A line for each table and each test that is not green, as dbt ends it."""
    if event.info.name != "NodeFinished":
        return
    node, result = event.data.node_info, event.data.run_result
    if node.resource_type == "model" and node.materialized == "table" and node.node_status == "success":
        console.print(f"  [dim]{node.node_name:<40}{result.execution_time:5.1f} s[/dim]")
    elif node.node_status in ("warn", "fail", "error"):
        console.print(f"  [yellow]{node.node_status}[/yellow] {node.node_name}: {_first_line(result.message)}")
