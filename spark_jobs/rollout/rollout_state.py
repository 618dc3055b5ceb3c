"""ops.rollout_state: where each region stands, and what must hold before it moves on.

joined → baseline (12 months of claims) → acting → evaluating; paused and withdrawn from each of them. Only acting changes what providers
and members experience, so it asks for most: a frozen baseline, an approver for each insurer, and earlier waves that act already.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from rich import box
from rich.table import Table

from spark_jobs import config, delta, tables
from spark_jobs.config import Region
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity.access import os_user
from spark_jobs.landing import delivery, status
from spark_jobs.rollout import baseline
from spark_jobs.settings import Settings
from spark_jobs.touched import later

NEXT = {  # state → where it may go; from a pause only back
    None: ("joined",),
    "joined": ("baseline", "paused", "withdrawn"),
    "baseline": ("acting", "paused", "withdrawn"),
    "acting": ("evaluating", "paused", "withdrawn"),
    "evaluating": ("baseline", "paused", "withdrawn"),  # the next round, with a baseline of its own
    "paused": ("withdrawn",),
    "withdrawn": (),
}
STATES_JA = {
    None: "予定", "joined": "参加", "baseline": "基準期間", "acting": "実施中", "evaluating": "評価中", "paused": "中断",
    "withdrawn": "離脱",
}  # fmt: skip
ACTED = ("acting", "evaluating")
BASELINE_MONTHS = 12


@dataclass(frozen=True)
class Standing:
    """Where a region stands."""

    state: str | None = None
    event_no: int = 0
    before_pause: str | None = None
    recorded_at: datetime | None = None
    round_began_at: datetime | None = None  # when it last came to the state baseline, a pause apart

    @property
    def allowed(self) -> tuple[str, ...]:
        back = (self.before_pause,) if self.state == "paused" and self.before_pause else ()
        return (*back, *NEXT[self.state])


@dataclass(frozen=True)
class Rollout:
    """All regions at one moment."""

    settings: Settings
    standings: Mapping[str, Standing]  # each region of config/regions and each that was ever recorded
    months: Mapping[str, list[int]]  # insurer → 請求年月 of which every kind of its file is in the lake, as lake status shows

    @classmethod
    def now(cls, settings: Settings) -> Self:
        return cls(settings, _standings(settings), _complete_months(settings))

    def common_run(self, region: Region) -> list[int]:
        """請求年月 without a gap, up to the newest that all insurers of a region have."""
        return last_run(set.intersection(*(set(self.months[number]) for number in region.insurers)))

    def not_ready(self, region: Region, state: str) -> list[tuple[str, str, str]]:
        """(found, expected, what to do) of what is missing before the region moves to `state`."""
        match state:
            case "baseline":
                return list(self._before_baseline(region))
            case "acting":
                return list(self._before_acting(region))
        return []

    def _before_baseline(self, region: Region) -> Iterator[tuple[str, str, str]]:
        todo = f"lake status names what is missing; take in {BASELINE_MONTHS} months."
        for number in region.insurers:
            if (count := len(last_run(self.months[number]))) < BASELINE_MONTHS:
                yield f"{count} months of claims of {number} without a gap", f"{BASELINE_MONTHS} up to its newest month", todo
        if (count := len(self.common_run(region))) < BASELINE_MONTHS and region.insurers[1:]:
            yield f"{count} months that all {len(region.insurers)} insurers have", f"{BASELINE_MONTHS} without a gap", todo

    def _before_acting(self, region: Region) -> Iterator[tuple[str, str, str]]:
        if fault := baseline.fault(self.settings, region, since=self.standings[region.region_key].round_began_at):
            yield fault
        insurers = config.insurers(self.settings)
        if nameless := [number for number in region.insurers if not insurers[number].approver_role_ja]:
            yield f"no approver_role_ja of {', '.join(nameless)}", "one for each insurer", "Add it to config/insurers."
        if region.wave is None:
            yield "a region without a wave", "its wave", f"Add it to config/regions/{region.region_key}.yaml."
        for key, other in config.regions(self.settings).items():
            state = self.standings[key].state
            if other.wave and region.wave and other.wave < region.wave and state not in (*ACTED, "paused", "withdrawn"):
                yield f"{key} of wave {other.wave} is {state or 'not joined'}", "earlier waves that act", f"Move or pause {key}."
            if key in region.comparison_regions and state in ACTED:
                yield f"the comparison region {key} is {state}", "one that does not act", "Compare with another region."


def _standings(settings: Settings) -> dict[str, Standing]:
    found = {key: Standing() for key in config.regions(settings)}
    for row in delta.read(settings, tables.ROLLOUT_STATE).sort("region_key", "event_no").to_dicts():
        last = found.get(row["region_key"], Standing())
        before = last.state if row["state"] == "paused" else None
        began = row["recorded_at"] if row["state"] == "baseline" and last.state != "paused" else last.round_began_at
        found[row["region_key"]] = Standing(row["state"], row["event_no"], before, row["recorded_at"], began)
    return found


def _complete_months(settings: Settings) -> dict[str, list[int]]:
    insurers = config.insurers(settings)
    arrived: dict[str, dict[int, set[str]]] = {number: {} for number in insurers}
    for (number, month, kind), state in status.kind_states(insurers, delivery.files(settings)).items():
        if number in insurers and state == "complete":
            arrived[number].setdefault(month, set()).add(kind)
    return {n: sorted(m for m, kinds in months.items() if kinds.issuperset(insurers[n].kinds)) for n, months in arrived.items()}


def last_run(months: Iterable[int]) -> list[int]:
    """The months without a gap up to the newest."""
    run: list[int] = []
    for month in sorted(months):
        run = [*run, month] if run and month == later(run[-1], 1) else [month]
    return run


def move(settings: Settings, region_key: str, state: str, by: str, reason: str) -> str:
    """Record a region's next state; refused where it is not allowed or not ready."""
    region, rollout = config.region(settings, region_key), Rollout.now(settings)
    now, where = rollout.standings[region_key], f"lake rollout move {region_key} {state}"
    if state not in NEXT:
        raise LakeError(where, f"no state {state}", ", ".join(filter(None, NEXT)), "Name one of them.", ExitCode.USAGE)
    if not (by.strip() and reason.strip()):
        raise LakeError(where, "no --by or --reason", "who decided (a post or committee) and why", "Give both.", ExitCode.USAGE)
    if state not in now.allowed:
        allowed = " or ".join(now.allowed) or "nothing: it is the end, a region that comes again has a new key"
        raise LakeError(where, f"the region is {now.state or 'not joined'}", allowed, "Take the steps one by one.", ExitCode.NOT_READY)
    is_back = now.state == "paused" and state == now.before_pause
    if missing := [] if is_back else rollout.not_ready(region, state):
        found, expected, action = missing[0]
        also = f" Also: {'; '.join(f'{f}, expected {e}' for f, e, _ in missing[1:])}." if missing[1:] else ""
        raise LakeError(where, found, expected, action + also, ExitCode.NOT_READY)
    row = {"region_key": region_key, "event_no": now.event_no + 1, "state": state, "decided_by": by.strip(), "reason": reason.strip()}
    delta.append(settings, tables.ROLLOUT_STATE, [row | {"os_user": os_user(), "recorded_at": datetime.now(UTC)}])
    return f"{region_key}: {now.state or 'not joined'} → {state}"


def table(settings: Settings) -> Table:
    """Regions by wave: state, since when, 請求年月 without a gap, the next state and what is missing for it."""
    shown = Table("wave", "region", "名称", "state", "since", "months", "next", "missing", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns[:-1]:
        column.no_wrap = True
    rollout, regions = Rollout.now(settings), config.regions(settings)
    for key in sorted(rollout.standings, key=lambda k: (regions[k].wave or 999 if k in regions else 1000, k)):
        now, region = rollout.standings[key], regions.get(key)
        label, since = f"{now.state or 'planned'} {STATES_JA[now.state]}", f"{now.recorded_at:%Y-%m-%d}" if now.recorded_at else ""
        if region is None:
            shown.add_row("", key, "not in config any more", label, since)
            continue
        following = next((state for state in now.allowed if state not in ("paused", "withdrawn")), "")
        missing = rollout.not_ready(region, following) if now.state != "paused" else []
        told = missing[0][0] + (f" (+{len(missing) - 1})" if missing[1:] else "") if missing else ""
        months = str(len(rollout.common_run(region)))
        shown.add_row(str(region.wave or ""), key, region.name_ja, label, since, months, following, told)
    return shown
