"""A publication: gates, what moved since the last one, the marts into the serving store, the region's report. What did not change is
skipped.

The serving store holds one publication for all: a region's gates and approval are asked before its figures are among those shown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deltalake.exceptions import DeltaError
from rich import box
from rich.markup import escape
from rich.table import Table

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import approval, figure_change, marts, serving
from spark_jobs.publish.report import page
from spark_jobs.rollout import gate_result
from spark_jobs.settings import Settings


@dataclass(frozen=True)
class Preview:
    """What would be published."""

    marts_key: str
    is_new: bool  # other figures than readers see
    moved: str
    path: Path
    summary: Path  # for the committee
    of_insurers: dict[str, Path]  # for the approver of each insurer of which a published figure moved

    def __str__(self) -> str:
        return f"{self.moved}\npreview: {self.path}\nmarts: {self.marts_key}"


def preview(settings: Settings, region_key: str) -> Preview:
    """The report as it would be, and what moved since the last publication (fct_figure_change); readers see nothing of it."""
    config.region(settings, region_key)
    last = figure_change.last(settings)
    moved = figure_change.write(settings, marts.read(settings))
    found = marts.read(settings)
    key = marts.key(found)
    path, _ = page.write(settings, region_key, found, "preview")
    region, changes = config.region(settings, region_key), found[marts.CHANGES].frame()
    summary = path.with_name("approval.md")
    summary.write_text(approval.text(settings, region, key, changes, path), "utf-8")
    of_insurers = {}
    for number, text in approval.of_insurers(settings, region, changes).items():
        of_insurers[number] = path.with_name(f"approval_{number}.md")
        of_insurers[number].write_text(text, "utf-8")
    return Preview(key, last is None or last.versions != marts.versions(found), moved, path, summary, of_insurers)


def run(
    settings: Settings, region_key: str, *, marts_key: str | None = None, decided_by: str | None = None, despite: str | None = None
) -> str:  # fmt: skip
    """Publish one region; says what was done and where it stands.

    `marts_key`: the figures that were previewed and approved; others are refused. `despite`: why, though a gate stops.
    """
    config.region(settings, region_key)
    where = f"lake publish --region {region_key}"
    if despite is not None and not despite.strip():
        raise LakeError(where, "--despite without a reason", "why it is published all the same", "Give the reason.", ExitCode.USAGE)
    refused = gate_result.refusal(region_key, gate_result.measure(settings, region_key))
    if refused and despite is None:
        raise refused
    found = marts.read(settings)
    if marts_key is not None and marts_key != marts.key(found):
        raise LakeError(
            where, f"marts {marts.key(found)}, built since the preview", f"those that were previewed and approved ({marts_key})",
            "Preview and approve again; readers see the publication before.", ExitCode.NOT_READY,
        )  # fmt: skip
    last, moved = figure_change.last(settings), figure_change.write(settings, found)
    found = marts.read(settings)
    store = serving.load(settings, found)
    path, is_new = page.write(settings, region_key, found)
    said = {"region_key": region_key, "event": "published", "decided_by": decided_by, "reason": despite if refused else None}
    figure_change.record(settings, marts.versions(found), datetime.now(UTC), **said)
    noted = f"published despite its gates ({refused.found}); the reason is kept\n" if refused else ""
    if last and (gone := sorted(last.insurers - set(config.insurers(settings)))):
        noted += f"without {', '.join(gone)}, in the publication before; kept in ops.publication\n"
    return f"{noted}{moved}\n{store}\nreport: {'written' if is_new else 'skipped, nothing changed'}: {path}"


def roll_back(settings: Settings, region_key: str, decided_by: str | None, reason: str) -> str:
    """Show the publication before the present one again; the lake and its marts stay as they are."""
    where = "lake publish --roll-back"
    if not reason.strip() or not decided_by:
        raise LakeError(where, "no reason or no --by", "why, and who decided", "Give both.", ExitCode.USAGE)
    before = figure_change.before_last(settings)
    if before is None:
        raise LakeError(where, "no earlier publication", "one to go back to", "Publish what is right instead.", ExitCode.NOT_READY)
    if gone := sorted(before.insurers - set(config.insurers(settings))):
        raise LakeError(
            where, f"figures of {', '.join(gone)}, which left since", "a publication of insurers that take part", "Publish what is right.",
            ExitCode.NOT_READY,
        )  # fmt: skip
    try:
        figure_change.clear(settings)
        found = marts.read(settings, before.versions) | {marts.CHANGES: marts.read(settings)[marts.CHANGES]}
        store = serving.load(settings, found)
        path, _ = page.write(settings, region_key, found)
    except (DeltaError, OSError):
        raise LakeError(
            where, f"the tables of {before.published_at:%Y-%m-%d} are gone (lake erase, or a lake restored)", "their versions",
            "Mend the cause, build and publish.", ExitCode.NOT_READY,
        ) from None  # fmt: skip
    figure_change.record_roll_back(
        settings, before, datetime.now(UTC), region_key=region_key, event="rolled_back", decided_by=decided_by, reason=reason.strip()
    )
    return f"rolled back to the publication of {before.published_at:%Y-%m-%d %H:%M}\n{store}\nreport: {path}"


EVENTS_JA = {"published": "公表", "rolled_back": "前回に戻した"}


def table(settings: Settings) -> Table:
    """ops.publication for the eye; the last row is what readers see."""
    rows = delta.read(settings, tables.PUBLICATION).sort("published_at")
    shown = Table(
        "日時", "地域", "区分", "決定者", "理由", "離脱した保険者", title=f"公表の記録: {rows.height}", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for row in rows.to_dicts():
        cells = [row["region_key"], EVENTS_JA[row["event"] or "published"], row["decided_by"], row["reason"], row["left_insurers"]]
        shown.add_row(f"{row['published_at']:%Y-%m-%d %H:%M}", *(escape(cell or "") for cell in cells))
    return shown
