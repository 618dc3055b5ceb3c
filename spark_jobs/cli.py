"""The `lake` command: every step of the house, the same by hand, from make and from Airflow."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from spark_jobs import errors, log
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.progress import console, step
from spark_jobs.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Receipts (レセプト) of many insurers → a lake → biosimilar shares and savings.

A month, by hand: **deliver** → **ingest** → **build** → **publish**. `lake status` says what is there.
Exit codes: 0 done · 2 wrong call · 3 input to be mended by its sender · 4 configuration · 5 something must come first · 6 lake in use ·
7 disk, folder or memory · 8 a gate stands in the way of publication · 9 marts older than the claims or lists.""",
)
masters_app = typer.Typer(no_args_is_help=True, help="Official lists: drugs, prices, biosimilars, NDB Open Data.")
members_app = typer.Typer(no_args_is_help=True, help="Who was insured when: the insurer's member file.")
reviews_app = typer.Typer(no_args_is_help=True, help="Results of later reviews (再審査, 過誤).")
keys_app = typer.Typer(no_args_is_help=True, help="Each insurer's own key; without it nothing is ingested.")
persons_app = typer.Typer(no_args_is_help=True, help="Persons of several insurers, inside a scope of joint use.")
config_app = typer.Typer(no_args_is_help=True, help="Insurers, regions, measures, targets and scenarios, as files.")
rollout_app = typer.Typer(no_args_is_help=True, help="Where each region stands: joined, baseline, acting, evaluating.")
action_app = typer.Typer(no_args_is_help=True, help="The record of actions taken (施策台帳).")
app.add_typer(masters_app, name="masters")
app.add_typer(members_app, name="members")
app.add_typer(reviews_app, name="reviews")
app.add_typer(keys_app, name="keys")
app.add_typer(persons_app, name="persons")
app.add_typer(config_app, name="config")
app.add_typer(rollout_app, name="rollout")
app.add_typer(action_app, name="action")

InsurerOption = Annotated[str | None, typer.Option("--insurer", help="保険者番号, 8 digits (国保: 6)")]
DateOption = Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="date of the list, if its name does not tell it")]
MonthOption = Annotated[int | None, typer.Option("--claim-month", help="請求年月, YYYYMM")]


MIGRATE = "migrate"


@contextmanager
def lake(purpose: str) -> Iterator[Settings]:
    """The lake, held, with its tables; begin and end of the command go to the log."""
    from spark_jobs import migrate, session

    settings, start, code = Settings(), time.perf_counter(), int(ExitCode.FAILED)
    log.write(settings, [{"event": "begin", "command": purpose}])
    try:
        if purpose != MIGRATE:
            migrate.check(settings)
        with session.hold_lake(settings, purpose):
            yield settings
        code = ExitCode.OK
    except typer.Exit as end:
        code = end.exit_code
        raise
    except LakeError as error:
        code = error.code
        raise
    finally:
        log.write(
            settings, [{"event": "end", "command": purpose, "seconds": round(time.perf_counter() - start, 1), "exit_code": int(code)}]
        )


def tell_caller(result: dict[str, object]) -> None:
    """The last line, for the program that called: JSON on standard output."""
    console.file.flush()
    sys.stdout.write(json.dumps(result) + "\n")


@app.command()
def demo(
    members: Annotated[int, typer.Option(help="members of the invented consortium (the smallest insurer never under 300)")] = 3000,
    biologic_use: Annotated[float, typer.Option(help="multiplier of biologic use, so that a small demo has patients to show")] = 8.0,
    seed: Annotated[int, typer.Option(help="same seed, same files")] = 1,
    folder: Annotated[Path, typer.Option(help="where the invented files are written")] = Path("demo"),
) -> None:
    """The whole chain on invented receipts in the true formats: first report in about five minutes."""
    from spark_jobs.demo import run

    run(folder, members=members, biologic_use=biologic_use, seed=seed)


@app.command()
def synthesize(
    folder: Annotated[Path, typer.Argument(help="FOLDER/inbox/<insurer>/… are the deliveries, FOLDER/truth/ what was planted")],
    members: int = 3000,
    biologic_use: float = 8.0,
    first_service_month: int = 202410,
    months: int = 24,
    seed: int = 1,
) -> None:
    """Write the receipts of an invented consortium (config/insurers) in the real file formats."""
    from spark_jobs.synthetic import consortium

    with step("invent receipts"):
        consortium.write(
            Settings(),
            folder,
            members=members,
            biologic_use=biologic_use,
            first_service_month=first_service_month,
            months=months,
            seed=seed,
        )


@app.command()
def deliver(
    path: Annotated[Path, typer.Argument(help="a receipt file, or a folder that is searched for them")],
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号 of the depositor")],
    replace: Annotated[bool, typer.Option("--replace", help="these take the place of earlier files of their kinds and months")] = False,
) -> None:
    """Record files as delivered. Idempotent: the same content twice is one delivery. The files stay where they are."""
    from spark_jobs.landing import delivery

    with lake("deliver") as settings:
        summary = delivery.deliver(settings, path, insurer, is_replacing=replace)
        console.print(summary)
        raise typer.Exit(ExitCode.BAD_INPUT if summary.rejected else ExitCode.OK)


@app.command()
def withdraw(
    file: Annotated[str, typer.Argument(help="path or name of the delivered file, or the first digits of its hash")],
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号 of the depositor")],
    reason: Annotated[str, typer.Option(help="why; kept in landing.delivery (no person's data)")] = "not given",
) -> None:
    """Take a wrong delivery back: as if it had never come. Claims that it kept from counting count again."""
    from spark_jobs import ingest as job
    from spark_jobs.landing import delivery

    with lake("withdraw") as settings, step("withdraw"):
        (taken,) = delivery.withdraw(settings, insurer, file, reason)
        job.take_out(settings)
        console.print(f"{taken.file_name} of {taken.claim_month} is withdrawn; next: lake build, lake publish")


@app.command()
def ingest(insurer: InsurerOption = None, claim_month: MonthOption = None) -> None:
    """Deliveries → bronze → silver; only what is new."""
    from spark_jobs import ingest as job

    with lake("ingest") as settings, step("ingest"):
        summary = job.run(settings, insurer_number=insurer, claim_month=claim_month)
        console.print(summary)
    tell_caller({"claim_months": sorted(summary.claim_months)})
    raise typer.Exit(ExitCode.BAD_INPUT if summary.rejected else ExitCode.OK)


@masters_app.command("load")
def masters_load(
    kind: Annotated[
        str,
        typer.Argument(
            help="`shipped` (what this project carries), `drug-master` (医薬品マスター), `price-list` (薬価基準収載品目リスト), "
            "`generic-list` (後発医薬品に関する情報), `supply-status` (医薬品の供給状況), `facilities` or `ndb-open-data`"
        ),
    ],
    path: Annotated[Path | None, typer.Argument(help="the file as downloaded, or a folder of them")] = None,
    dated: DateOption = None,
) -> None:
    """Load an official list as downloaded. Any order, any number of times: the same tables. docs/input_contracts.md has the formats."""
    from spark_jobs.masters import load

    with lake("masters load") as settings, step(f"masters: {kind}"):
        console.print(load.run(settings, kind, path, dated.date() if dated else None))


@masters_app.command("diff")
def masters_diff(
    kind: Annotated[str, typer.Argument(help="`drug-master`")],
    path: Annotated[Path, typer.Argument(help="the edition, as downloaded")],
    against: Annotated[Path | None, typer.Option(help="an earlier edition; what is loaded by default")] = None,
    dated: DateOption = None,
    against_dated: Annotated[datetime | None, typer.Option("--against-date", formats=["%Y-%m-%d"], help="date of the earlier one")] = None,
) -> None:
    """New, gone, renumbered and repriced codes of an edition: a table for the eye, CSV on standard output. Writes nothing."""
    from spark_jobs.masters import diff

    days = (dated.date() if dated else None, against_dated.date() if against_dated else None)
    found = diff.run(Settings(), kind, path, against, *days)
    console.print(diff.table(found))
    sys.stdout.write(found.write_csv())


@members_app.command("template")
def members_template() -> None:
    """Print the header and an example row of a member file (加入者ファイル)."""
    from spark_jobs.members import member_file

    sys.stdout.write(member_file.CONTRACT.template())


@members_app.command("load")
def members_load(
    path: Annotated[Path, typer.Argument(help="a member file, or a folder of files that are one delivery")],
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号")],
    first_month: Annotated[int, typer.Option("--first-month", help="YYYYMM")],
    last_month: Annotated[int, typer.Option("--last-month", help="YYYYMM; how far the file knows")],
    dated: DateOption = None,
) -> None:
    """Member file → silver.member_month: pseudonyms only; in place of the insurer's rows of these months."""
    from spark_jobs.members import member_month

    with lake("members load") as settings, step("members"):
        console.print(member_month.run(settings, path, insurer, first_month, last_month, dated.date() if dated else None))


@reviews_app.command("template")
def reviews_template() -> None:
    """Print the header and an example row of a file of review results (再審査・過誤結果)."""
    from spark_jobs.reviews import review_file

    sys.stdout.write(review_file.CONTRACT.template())


@reviews_app.command("load")
def reviews_load(
    path: Annotated[Path, typer.Argument(help="a file of review results")],
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号")],
) -> None:
    """Review results → silver.claim_review; what was returned stops counting from its 処理年月 on. Before or after the claims: the same."""
    from spark_jobs.reviews import load

    with lake("reviews load") as settings, step("reviews"):
        console.print(load.run(settings, path, insurer), soft_wrap=True)


@reviews_app.command("withdraw")
def reviews_withdraw(
    file: Annotated[str, typer.Argument(help="path or name of the loaded file, or the first digits of its hash")],
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号")],
) -> None:
    """Take a wrong file of review results back: as if it had never come."""
    from spark_jobs.reviews import load

    with lake("reviews withdraw") as settings, step("reviews"):
        console.print(load.withdraw(settings, file, insurer), soft_wrap=True)


@app.command()
def build(
    select: Annotated[str | None, typer.Option(help="dbt selection; all by default")] = None,
    docs: Annotated[bool, typer.Option("--docs", help="write the documentation of all models instead")] = False,
    backfill: Annotated[str | None, typer.Option(help="make these months anew: a file of config/backfills")] = None,
) -> None:
    """dbt build in this process: silver → marts, with all tests. Does nothing if nothing changed."""
    from spark_jobs import build as job
    from spark_jobs.identity import erasure
    from spark_jobs.publish import marts

    with lake("build") as settings, step("docs" if docs else "build"):
        made = job.docs(settings) if docs else job.backfill(settings, backfill) if backfill else job.run(settings, select=select)
        console.print(str(made), soft_wrap=True)
        if not docs and select is None:
            erasure.after_build(settings)
    if not docs and select is None:
        tell_caller({"marts": marts.key(marts.read(settings))})


RegionOption = Annotated[str, typer.Option("--region", help="a file of config/regions")]
ByDecision = Annotated[str | None, typer.Option("--by", help="who decided: a post or committee, never a person's name")]


@app.command()
def gates(region: RegionOption = "demo") -> None:
    """Measure the gates (公表前の関門) of a region on the marts as they stand; kept in ops.gate_result. Exit code 8 where one stops."""
    from spark_jobs import config
    from spark_jobs.rollout import gate_result

    with lake("gates") as settings:
        results = gate_result.measure(settings, region)
        Console().print(gate_result.table(config.region(settings, region), results))
        if refused := gate_result.refusal(region, results):
            raise refused


@app.command()
def publish(
    region: RegionOption = "demo",
    preview: Annotated[bool, typer.Option("--preview", help="write preview.html and what moved; readers see nothing of it yet")] = False,
    marts: Annotated[str | None, typer.Option("--marts", help="key that the preview gave: publish these figures or none")] = None,
    by: ByDecision = None,
    despite: Annotated[str | None, typer.Option("--despite", help="reason to publish though a gate stops; kept in ops.publication")] = None,
    roll_back: Annotated[str | None, typer.Option("--roll-back", help="reason to show the publication before again; kept")] = None,
) -> None:
    """Marts → PostgreSQL (a login per insurer) and the region's report, where its gates hold."""
    from spark_jobs.identity import erasure
    from spark_jobs.publish import publication

    with lake("publish") as settings:
        if preview:
            with step("preview"):
                shown = publication.preview(settings, region)
                console.print(str(shown))
            of_insurers = {number: str(path) for number, path in shown.of_insurers.items()}
            tell_caller({"marts": shown.marts_key, "is_new": shown.is_new, "summary": str(shown.summary), "of_insurers": of_insurers})
            return
        if roll_back is not None:
            with step("roll back"):
                console.print(publication.roll_back(settings, region, by, roll_back), soft_wrap=True)
            return
        with step("publish"):
            console.print(publication.run(settings, region, marts_key=marts, decided_by=by, despite=despite))
        erasure.after_publish(settings)


@app.command()
def publications() -> None:
    """Every publication and roll-back: when, for which region, who decided, why."""
    from spark_jobs.publish import publication

    Console().print(publication.table(Settings()))


@app.command()
def serve() -> None:
    """Start the serving PostgreSQL and keep it until Ctrl-C; prints how to log in."""
    from spark_jobs.publish import serving

    serving.serve(Settings(), console)


@app.command()
def status() -> None:
    """Insurer × month: what arrived, what is in, what was found."""
    from spark_jobs.landing import status as job

    job.show(Settings(), Console())


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="a receipt file, delivered or not")],
    receipt: Annotated[int, typer.Option(help="which receipt of the file, from 1 on", min=1)] = 1,
) -> None:
    """Show one receipt of a file in words. Names, numbers and free text are never shown."""
    from spark_jobs.landing import view

    view.show(path, receipt, Console())


@app.command()
def explain(
    figure: Annotated[str, typer.Argument(help="fct_biosimilar_share, fct_biosimilar_kpi, fct_generic_share, fct_saving_…")],
    filters: Annotated[list[str] | None, typer.Argument(help="key=value of the row, e.g. ingredient_key=infliximab period=202504")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="show the pseudonymised lines of the claims shown")] = False,
    limit: Annotated[int, typer.Option(help="rows shown of each list; totals are of all", min=1)] = 20,
) -> None:
    """From a figure to its cells, claims and lines. Logged. What is not named is all, the nation, the latest month."""
    from spark_jobs.publish import explain as job

    asked = dict(text.partition("=")[::2] for text in filters or ())
    with lake("explain") as settings:
        job.show(settings, figure, asked, lines, limit, Console())


@app.command()
def maintain(
    keep_days: Annotated[int, typer.Option(help="days for which older versions of the tables can still be read", min=0)] = 7,
) -> None:
    """Fold small files, remove what no version needs, shorten the log. Once a month; contents stay."""
    from spark_jobs import maintain as job

    with lake("maintain") as settings, step("maintain"):
        done = job.run(settings, keep_days)
        console.print("\n".join(map(str, done)) if done else "nothing to do", soft_wrap=True)


@app.command(MIGRATE)
def migrate_tables() -> None:
    """Bring a lake of an earlier version of this project forward. Once after an update; the other commands say when."""
    from spark_jobs import migrate as job

    with lake(MIGRATE) as settings, step(MIGRATE):
        done = job.run(settings)
        console.print("\n".join(done) if done else "nothing to do", soft_wrap=True)


@keys_app.command("create")
def keys_create(insurer: InsurerOption = None) -> None:
    """Make the missing keys of an insurer (all of config/insurers by default); never replaces one."""
    from spark_jobs.identity import keys

    for made in keys.create(Settings(), insurer):
        console.print(f"made {made}")


@keys_app.command("rotate")
def keys_rotate(insurer: Annotated[str, typer.Option("--insurer", help="保険者番号")]) -> None:
    """Make the next key of an insurer; persons stay linked. The older keys stay: new pseudonyms are built on theirs."""
    from spark_jobs.identity import rotation

    with lake("keys rotate") as settings:
        console.print(rotation.run(settings, insurer), soft_wrap=True)


@persons_app.command("link")
def persons_link(scope: Annotated[str, typer.Option(help="joint_use_scope of the insurers' files")]) -> None:
    """Link persons between the insurers of one scope of joint use (共同利用); refused under entrustment (委託)."""
    from spark_jobs.identity import scope_link

    with lake("persons link") as settings:
        console.print(scope_link.run(settings, scope))


@app.command()
def reidentify(
    insurer: Annotated[str, typer.Option("--insurer", help="保険者番号 of the owner")],
    identity: Annotated[Path, typer.Option(help="the owner's private key (age identity)")],
    persons: Annotated[Path, typer.Option(help="CSV with a column person_id1 or person_id")],
    out: Annotated[Path, typer.Option(help="the mailing list, a new file outside the lake")],
    purpose: Annotated[str | None, typer.Option(help="利用目的: one of the insurer's file; needed where it states several")] = None,
) -> None:
    """Pseudonyms → the insurer's mailing list, by its private key only. Logged. The list carries survey keys, no pseudonyms."""
    from spark_jobs.identity import reidentify as job

    with lake("reidentify") as settings:
        console.print(job.run(settings, insurer, identity, persons, out, purpose), soft_wrap=True)


@app.command()
def erase(
    insurer: InsurerOption = None,
    person: Annotated[list[str] | None, typer.Option(help="person_id1 of a member; may be given several times")] = None,
    person_file: Annotated[
        Path | None, typer.Option(help="CSV with person_id1, or insured_symbol, insured_number, birth_date, sex as the member writes them")
    ] = None,
    identity: Annotated[Path | None, typer.Option(help="the owner's private key: then the vault keeps the other persons")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before a whole insurer is erased")] = False,
    again: Annotated[bool, typer.Option("--again", help="carry out all erasures once more: after a restore from a backup")] = False,
) -> None:
    """Destroy what the lake holds of a member, or of an insurer that withdraws; old versions too. Without options: finish what is open."""
    from spark_jobs.identity import erasure

    if (person or person_file) and not insurer:
        raise LakeError("lake erase", "persons without their insurer", "--insurer N", "Name the insurer.", ExitCode.USAGE)
    if insurer and not (person or person_file or yes):
        typer.confirm(f"Erase all of insurer {insurer}? It can not be undone", abort=True)
    with lake("erase") as settings:
        done = erasure.run(settings, insurer, person, person_file, identity) if insurer else erasure.resume(settings, identity, again)
        left = [f"to do: {line}" for line in erasure.open_work(settings)]
        for line in [*done, *left] or ["nothing is open"]:
            console.print(line, soft_wrap=True)


@app.command()
def access(insurer: InsurerOption = None) -> None:
    """Who used what concerns persons: when, for what, how many. No names."""
    from spark_jobs.identity import access as job

    job.show(Settings(), insurer, Console())


@config_app.command("check")
def config_check() -> None:
    """Read every file of config/; says file, line, found, expected of every fault."""
    from spark_jobs import config
    from spark_jobs.rollout import insurer_file

    settings = Settings()
    if faults := config.faults(settings):
        for fault in faults:
            console.print(f"[red]fault[/red] {escape(str(fault))}", soft_wrap=True)
        raise typer.Exit(ExitCode.BAD_CONFIG)
    counts = {
        "insurers": len(config.insurers(settings)),
        "regions": len(config.regions(settings)),
        "measures": len(config.measures(settings)),
        "targets": sum(len(owner.targets) for owner in config.targets(settings).values()),
        "scenarios": len(config.scenarios(settings)),
    }
    console.print(f"config: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    if left := insurer_file.all_left_open(settings):
        console.print(
            f"to fill in: {left[0]}" + (f" (and {len(left) - 1} more lines with {insurer_file.OPEN!r})" if left[1:] else ""), soft_wrap=True
        )


@config_app.command("new-insurer")
def config_new_insurer(
    number: Annotated[str, typer.Argument(help="保険者番号, 8 digits (国保: 6)")],
    name: Annotated[str, typer.Option(help="名称")],
    kind: Annotated[str, typer.Option(help="kenpo, kyokai, kyosai, kokuho_city, kokuho_union, koiki")],
    prefecture: Annotated[str, typer.Option(help="所在地, 01-47")],
    start_claim_month: Annotated[int | None, typer.Option(help="first 請求年月 delivered, YYYYMM")] = None,
) -> None:
    """Write config/insurers/NUMBER.yaml with comments; says what is left to fill in. Never overwrites."""
    from spark_jobs.rollout import insurer_file

    given = {"insurer_number": number, "name_ja": name, "kind": kind, "prefecture_code": prefecture}
    path, left = insurer_file.create(Settings(), given | ({"start_claim_month": start_claim_month} if start_claim_month else {}))
    console.print(f"wrote {path}; to fill in:", soft_wrap=True)
    for line in left:
        console.print(f"  {line}", soft_wrap=True, highlight=False)
    console.print("then: lake config check, lake keys create, and its number in a file of config/regions")


@config_app.command("sample")
def config_sample(folder: Annotated[Path, typer.Argument(help="a new folder; read it with LAKE_CONFIG=FOLDER")]) -> None:
    """Write a sample of config/ for the whole country: 141 insurers and regions in waves, invented numbers marked as such."""
    from spark_jobs.synthetic import nation

    insurers, regions = nation.write(Settings(), folder)
    console.print(f"wrote {insurers} insurers and {regions} regions; next: LAKE_CONFIG={folder} lake config check", soft_wrap=True)


ByOption = Annotated[str, typer.Option("--by", help="who decided: a post or committee, never a person's name")]


@rollout_app.command("status")
def rollout_status() -> None:
    """Regions by wave: state, months of data without a gap, the next state and what is missing for it."""
    from spark_jobs.rollout import rollout_state

    Console().print(rollout_state.table(Settings()))


@rollout_app.command("move")
def rollout_move(
    region: Annotated[str, typer.Argument(help="a file of config/regions")],
    state: Annotated[str, typer.Argument(help="joined, baseline, acting, evaluating, paused or withdrawn")],
    by: ByOption,
    reason: Annotated[str, typer.Option(help="why; kept in ops.rollout_state (no person's data)")],
) -> None:
    """Record the next state of a region; refused where it is not allowed or not ready."""
    from spark_jobs.rollout import rollout_state

    with lake("rollout move") as settings:
        console.print(rollout_state.move(settings, region, state, by, reason), soft_wrap=True)


@rollout_app.command("freeze")
def rollout_freeze(
    region: Annotated[str, typer.Argument(help="a file of config/regions, in the state baseline")],
    by: ByOption,
    last_service_month: Annotated[int | None, typer.Option(help="last of the 12 months, YYYYMM; by default the newest of all")] = None,
) -> None:
    """Freeze shares and savings of the 12 months before a region acts, with their hash."""
    from spark_jobs.rollout import baseline

    with lake("rollout freeze") as settings:
        for line in baseline.freeze(settings, region, by, last_service_month):
            console.print(line, soft_wrap=True)


@rollout_app.command("verify")
def rollout_verify(region: Annotated[str | None, typer.Argument(help="a file of config/regions; all by default")] = None) -> None:
    """Check that the frozen baselines are as they were frozen."""
    from spark_jobs.rollout import baseline

    found = baseline.verify(Settings(), region)
    for (key, number), wrong in found.items():
        Console().print(f"{key} {number}: " + (f"[red]{wrong}[/red]" if wrong else "unchanged"), soft_wrap=True, highlight=False)
    if not found:
        console.print("no frozen baseline: lake rollout freeze REGION")
    raise typer.Exit(ExitCode.FAILED if any(found.values()) else ExitCode.OK)


@action_app.command("template")
def action_template() -> None:
    """Print the header and an example row of an action file (施策台帳)."""
    from spark_jobs.rollout import action

    sys.stdout.write(action.CONTRACT.template())


@action_app.command("load")
def action_load(path: Annotated[Path, typer.Argument(help="CSV, workbook or YAML: docs/input_contracts.md")]) -> None:
    """Record the actions of a file; the same row twice is one."""
    from spark_jobs.rollout import action

    with lake("action load") as settings:
        console.print(str(action.load(settings, path)), soft_wrap=True)


@action_app.command("add")
def action_add(
    region: Annotated[str, typer.Option(help="a file of config/regions")],
    actor: Annotated[str, typer.Option(help="実施者: post or organisation, never a person's name")],
    kind: Annotated[
        str, typer.Option(help="施策: facility_visit, member_notice, formulary …: lake action template, docs/input_contracts.md")
    ],
    target_kind: Annotated[str, typer.Option(help="facility, person_list or area")],
    target: Annotated[str, typer.Option(help="facility code, export_id of a mailing list, or code of an area")],
    first_date: Annotated[str, typer.Option(help="開始日")],
    cost_yen: Annotated[str, typer.Option(help="費用, yen")],
    ingredients: Annotated[str, typer.Option(help="keys of ingredients, comma between")] = "all",
    insurer: Annotated[str, typer.Option("--insurer", help="実施保険者; none: the joint office")] = "",
    last_date: Annotated[str, typer.Option(help="終了日; none: the first")] = "",
    detail: Annotated[str, typer.Option(help="内容, in a few words")] = "",
    replaces: Annotated[str, typer.Option(help="訂正元: action_id of the row in whose place this one stands")] = "",
    void: Annotated[bool, typer.Option("--void", help="取消: what --replaces names never took place")] = False,
) -> None:
    """Record one action."""
    from spark_jobs.rollout import action

    values = {
        "region_key": region, "insurer_number": insurer, "actor_ja": actor, "action_kind": kind, "target_kind": target_kind,
        "target_key": target, "first_date": first_date, "last_date": last_date, "cost_yen": cost_yen, "ingredient_keys": ingredients,
        "detail_ja": detail, "replaces_action_id": replaces, "is_void": "1" if void else "",
    }  # fmt: skip
    with lake("action add") as settings:
        console.print(str(action.add(settings, values)), soft_wrap=True)


@action_app.command("list")
def action_list(
    region: Annotated[str | None, typer.Option(help="a file of config/regions")] = None,
    whole: Annotated[bool, typer.Option("--all", help="every row ever entered, corrected and void ones too")] = False,
) -> None:
    """The actions taken, corrections applied."""
    from spark_jobs.rollout import action

    Console().print(action.table(Settings(), region, whole))


def main() -> None:
    """Entry point: one clear line for whatever goes wrong, an exit code for scripts; never a text that could quote a receipt."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LAKE_TRACEBACK"):
            raise
        settings = Settings()
        told = errors.explained(error, settings.home_path)
        if told is None:
            told = errors.unforeseen(error, settings.home_path)
            log.write(settings, [{"event": "failed", "error": type(error).__name__, "frames": ", ".join(errors.frames(error))}])
        console.print(f"[red]lake:[/red] {escape(str(told))}", soft_wrap=True)
        sys.exit(told.code)


if __name__ == "__main__":
    main()
