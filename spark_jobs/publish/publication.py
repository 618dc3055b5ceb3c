"""A publication: gates, what moved since the last one, the marts into the serving store, the region's report. What did not change is
skipped.

The serving store holds one publication for all: a region's gates and approval are asked before its figures are among those shown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from spark_jobs import config
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import figure_change, marts, report, serving
from spark_jobs.rollout import gate_result
from spark_jobs.settings import Settings


@dataclass(frozen=True)
class Preview:
    """What would be published."""

    marts_key: str
    moved: str
    path: Path

    def __str__(self) -> str:
        return f"{self.moved}\npreview: {self.path}\nmarts: {self.marts_key}"


def preview(settings: Settings, region_key: str) -> Preview:
    """The report as it would be, and what moved since the last publication (fct_figure_change); readers see nothing of it."""
    config.region(settings, region_key)
    moved = figure_change.write(settings, marts.read(settings))
    found = marts.read(settings)
    path, _ = report.write(settings, region_key, found, "preview")
    return Preview(marts.key(found), moved, path)


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
    moved = figure_change.write(settings, found)
    found = marts.read(settings)
    store = serving.load(settings, found)
    path, is_new = report.write(settings, region_key, found)
    said = {"region_key": region_key, "event": "published", "decided_by": decided_by, "reason": despite if refused else None}
    figure_change.record(settings, marts.versions(found), datetime.now(UTC), **said)
    noted = f"published despite its gates ({refused.found}); the reason is kept\n" if refused else ""
    return f"{noted}{moved}\n{store}\nreport: {'written' if is_new else 'skipped, nothing changed'}: {path}"


def roll_back(settings: Settings, region_key: str, decided_by: str | None, reason: str) -> str:
    """Show the publication before the present one again; the lake and its marts stay as they are."""
    where = "lake publish --roll-back"
    if not reason.strip() or not decided_by:
        raise LakeError(where, "no reason or no --by", "why, and who decided", "Give both.", ExitCode.USAGE)
    before = figure_change.before_last(settings)
    if before is None:
        raise LakeError(where, "no earlier publication", "one to go back to", "Publish what is right instead.", ExitCode.NOT_READY)
    try:
        figure_change.clear(settings)
        found = marts.read(settings, before.versions) | {marts.CHANGES: marts.read(settings)[marts.CHANGES]}
        store = serving.load(settings, found)
        path, _ = report.write(settings, region_key, found)
    except FileNotFoundError:
        raise LakeError(
            where, f"the tables of {before.published_at:%Y-%m-%d} are gone (lake erase, or a lake restored)", "their versions",
            "Mend the cause, build and publish.", ExitCode.NOT_READY,
        ) from None  # fmt: skip
    figure_change.record_roll_back(
        settings, before, datetime.now(UTC), region_key=region_key, event="rolled_back", decided_by=decided_by, reason=reason.strip()
    )
    return f"rolled back to the publication of {before.published_at:%Y-%m-%d %H:%M}\n{store}\nreport: {path}"
