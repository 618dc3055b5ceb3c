"""ops.gate_result: each gate (公表前の関門) of a region, measured on the marts as they stand; and whether they may be published.

Marts and ops tables are read, one pass for all insurers of the region; no claim is. A result belongs to the versions of the marts that it
was measured on (`marts_key`): other versions are other figures, and are measured again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

import polars as pl
from deltalake.exceptions import DeltaError
from rich import box
from rich.table import Table

from spark_jobs import build, config, delta, tables
from spark_jobs.config import Region
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import figure_change, marts
from spark_jobs.rollout.gate import GATES, GateKey
from spark_jobs.settings import Settings
from spark_jobs.touched import later

SHARE = "fct_biosimilar_share"
LEADING = {  # 主指標: the share that the report leads with
    "convention": "claims_units", "scope": "brand", "ingredient_key": "all", "setting": "all", "geography": "facility_of_use",
    "period_kind": "rolling_12",
}  # fmt: skip
LEAST_PATIENTS = 10  # among fewer, one patient's change is a jump
NAMED = 3  # of what is missing, told by name
VALUE = Decimal("0.00000001")
OUTCOMES = {"passed": ("合格", "green"), "told": ("要確認", "yellow"), "stopped": ("不合格", "red")}


@dataclass(frozen=True)
class Measured:
    """What a gate found: its value (None: nothing that could be measured), in words for who approves and for the log."""

    value: Decimal | None
    found_ja: str
    found: str


@dataclass(frozen=True)
class GateResult:
    """One row of ops.gate_result."""

    gate_key: GateKey
    measured: Measured
    limit: Decimal
    outcome: str

    def row(self) -> dict[str, object]:
        return {
            "gate_key": self.gate_key, "outcome": self.outcome, "limit_value": self.limit, "found": self.measured.found,
            "measured_value": self.measured.value, "found_ja": self.measured.found_ja,
            "action_ja": None if self.outcome == "passed" else GATES[self.gate_key].action_ja,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.gate_key}: {self.measured.found}"


@dataclass(frozen=True)
class Seen:
    """What the gates look at."""

    settings: Settings
    region: Region

    @cached_property
    def arrivals(self) -> pl.DataFrame:
        """Rows of fct_completeness of the region's insurers."""
        return self.mart("fct_completeness").filter(pl.col("insurer_number").is_in(self.region.insurers)).collect()

    @cached_property
    def drug_lines(self) -> pl.DataFrame:
        """service_month, line_count (of unknown codes), all_line_count of the region's insurers together."""
        rows = self.mart("fct_unknown_code").filter(
            pl.col("population_kind") == "insurer", pl.col("population_key").is_in(self.region.insurers), pl.col("drug_code") == "all"
        )
        return rows.group_by("service_month").agg(pl.sum("line_count", "all_line_count")).collect()

    def mart(self, name: str, version: int | None = None) -> pl.LazyFrame:
        return pl.scan_delta(str(self.settings.table_path(f"marts.{name}")), version=version)

    def leading_share(self, version: int | None = None) -> pl.DataFrame:
        """population_key, place_key, period, share of the region and each insurer with enough patients, by period."""
        rows = self.mart(SHARE, version).filter(
            *(pl.col(name) == value for name, value in LEADING.items()),
            pl.col("place_level") == self.region.place_level, pl.col("place_key").is_in(self.region.place_keys),
            pl.col("population_key").is_in(["all", *self.region.insurers]), pl.col("patient_count") >= LEAST_PATIENTS,
        )  # fmt: skip
        return rows.select("population_key", "place_key", "period", share="share_ratio").sort("period").collect()

    def name(self, population: str) -> str:
        known = config.insurers(self.settings)
        return known[population].short_name_ja if population in known else "全参加保険者"


def _completeness(seen: Seen) -> Measured:
    """An expected month that is absent, rejected or not taken in fails."""
    expected = seen.arrivals.filter("is_expected").sort("insurer_number", "claim_month", "claim_kind")
    missing = expected.filter(pl.col("status") != "arrived")
    if expected.is_empty():
        return Measured(None, "提出予定がない", "no month is expected")
    value = Decimal(expected.height - missing.height) / expected.height
    named = missing.head(NAMED).select("insurer_number", "claim_month", "claim_kind", "status_ja", "status").rows()
    more = missing.height > NAMED
    told_ja = "、".join(f"{seen.name(n)} {month} {kind} {status}" for n, month, kind, status, _ in named) + (" ほか" if more else "")
    told = ", ".join(f"{n} {month} {kind} {status}" for n, month, kind, _, status in named) + (" and more" if more else "")
    return Measured(
        value, f"予定{expected.height}件のうち{missing.height}件が揃わない" + (f": {told_ja}" if named else ""),
        f"{missing.height} of {expected.height} expected are not in" + (f": {told}" if named else ""),
    )  # fmt: skip


def _worst(rows: pl.DataFrame, month: str, bad: str, of: str) -> tuple[int, int, int] | None:
    """(month, bad, all) of the month with the largest part of bad ones; None where nothing was counted."""
    counted = rows.filter(pl.col(of) > 0).sort(pl.col(bad) / pl.col(of), month, descending=True)
    return counted.select(month, bad, of).row(0) if counted.height else None


def _code_coverage(seen: Seen) -> Measured:
    found = _worst(seen.drug_lines, "service_month", "line_count", "all_line_count")
    if found is None:
        return Measured(None, "医薬品の行がない", "no drug line")
    month, unknown, lines = found
    return Measured(
        1 - Decimal(unknown) / lines, f"最も低い診療年月 {month}: {lines:,}行のうち{unknown:,}行のコードがマスターにない",
        f"{unknown} of {lines} drug lines of {month} have a code that no master knows",
    )  # fmt: skip


def _points_reconciliation(seen: Seen) -> Measured:
    by_month = seen.arrivals.group_by("claim_month").agg(pl.sum("points_mismatch_claim_count", "claim_count"))
    found = _worst(by_month, "claim_month", "points_mismatch_claim_count", "claim_count")
    if found is None:
        return Measured(None, "レセプトがない", "no claim")
    month, off, claims = found
    return Measured(
        Decimal(off) / claims, f"最も多い請求年月 {month}: {claims:,}件のうち{off:,}件の明細が合計点数に合わない",
        f"lines of {off} of {claims} claims of {month} do not add up to their points",
    )  # fmt: skip


def _masters_fresh(seen: Seen) -> Measured:
    if seen.drug_lines.is_empty():
        return Measured(None, "医薬品の行がない", "no drug line")
    month = int(seen.drug_lines["service_month"].max())  # type: ignore[arg-type]
    end = date(later(month, 1) // 100, later(month, 1) % 100, 1) - timedelta(days=1)
    prices = delta.scan(seen.settings, tables.DRUG_PRICE).filter(~pl.col("is_assumed"), pl.col("valid_from") <= end)
    newest = prices.select(pl.max("valid_from")).collect().item()
    if newest is None:
        return Measured(None, "薬価の収載リストがない", "no price list")
    return Measured(
        Decimal((end - newest).days), f"診療年月 {month} の末日に対し、最新の薬価は {newest:%Y-%m-%d} から",
        f"the newest prices are of {newest}, the newest service month is {month}",
    )  # fmt: skip


def _dbt_tests(seen: Seen) -> Measured:
    """The last run of each test of the models as they are now."""
    code_key = build.Inputs.now(seen.settings).code_key
    runs = delta.read(seen.settings, tables.MODEL_RUN, {"code_key": [code_key], "node_kind": ["test"]}).sort("recorded_at")
    last = runs.group_by("node_name").last()
    if last.is_empty():
        return Measured(None, "テストの記録がない", "no test is on record")
    wrong = sorted(last.filter(~pl.col("outcome").is_in(["pass", "warn"]))["node_name"])
    told = f": {', '.join(wrong[:NAMED])}" if wrong else ""
    warned = last.filter(pl.col("outcome") == "warn").height
    return Measured(
        Decimal(len(wrong)), f"{last.height}件のテストのうち{len(wrong)}件が不合格{told}（参考: 要確認 {warned}件）",
        f"{len(wrong)} of {last.height} tests did not pass{told}",
    )  # fmt: skip


def _change_within_limits(seen: Seen) -> Measured:
    """Each period beside the same one as published; a new period beside the newest published before it."""
    last = figure_change.last(seen.settings)
    if last is None or SHARE not in last.versions:
        return Measured(Decimal(0), "初回の公表で、比べる値がない", "first publication: nothing to compare with")
    try:
        before = seen.leading_share(last.versions[SHARE]).with_columns(before="share")
    except (DeltaError, FileNotFoundError):
        return Measured(None, "前回公表した表が残っていない", "the tables of the last publication are gone")
    keys = ["population_key", "place_key"]
    both = seen.leading_share().join_asof(before.drop("share"), on="period", by=keys, check_sortedness=False)
    moved = both.with_columns(change=(pl.col("share") - pl.col("before")).abs()).drop_nulls("change").sort("change", "period")
    if moved.is_empty():
        return Measured(Decimal(0), "前回と比べられる値がない", "no figure that was published before")
    population, period, now, was, change = moved.select("population_key", "period", "share", "before", "change").row(-1)
    return Measured(
        Decimal(change), f"最大の変動: {seen.name(population)} {period}（直近12か月）{was:.1%} → {now:.1%}",
        f"largest change: {population} {period} {was:.4f} -> {now:.4f}",
    )  # fmt: skip


def _place_coverage(seen: Seen) -> Measured:
    """By the insurers' own counts (config/insurers), wherever their members live; insurers of which nothing is in count nothing."""
    insurers = config.insurers(seen.settings)
    arrived = set(seen.arrivals.filter(pl.col("status") == "arrived")["insurer_number"])
    insured = sum(insurers[number].member_count or 0 for number in arrived)
    if not seen.region.insured_count:
        return Measured(None, f"加入者{insured:,}人。地域の被保険者総数が未登録", f"{insured} insured; the place's own count is not given")
    value = min(Decimal(insured) / seen.region.insured_count, Decimal(1))
    return Measured(
        value, f"加入者{insured:,}人／地域の被保険者{seen.region.insured_count:,}人", f"{insured} of {seen.region.insured_count} insured"
    )


MEASURES: Mapping[GateKey, Callable[[Seen], Measured]] = {
    "completeness": _completeness,
    "code_coverage": _code_coverage,
    "points_reconciliation": _points_reconciliation,
    "masters_fresh": _masters_fresh,
    "dbt_tests": _dbt_tests,
    "change_within_limits": _change_within_limits,
    "place_coverage": _place_coverage,
}


def measure(settings: Settings, region_key: str) -> list[GateResult]:
    """Measure every gate of a region on the marts as they stand, and keep the results."""
    region = config.region(settings, region_key)
    build.write_config(settings)
    build.check_is_new(settings, f"lake gates --region {region_key}")
    seen, key = Seen(settings, region), marts.key(marts.read(settings))
    results = [_result(region, gate, MEASURES[gate](seen)) for gate in GATES]
    stamp = {"region_key": region_key, "marts_key": key, "recorded_at": datetime.now(UTC)}
    delta.append(settings, tables.GATE_RESULT, [result.row() | stamp for result in results])
    return results


def of_marts(settings: Settings, region_key: str, marts_key: str) -> pl.DataFrame:
    """The newest result of each gate of a region, measured on these marts; in the order of the gates."""
    rows = delta.read(settings, tables.GATE_RESULT, {"region_key": [region_key], "marts_key": [marts_key]}).sort("recorded_at")
    newest = rows.group_by("gate_key").last()
    return newest.sort(pl.col("gate_key").cast(pl.Enum(list(GATES))))


def _result(region: Region, key: GateKey, found: Measured) -> GateResult:
    limit, reaction = region.gate(key)
    rounded = Measured(None if found.value is None else Decimal(found.value).quantize(VALUE), found.found_ja, found.found)
    outcome = "passed" if GATES[key].holds(rounded.value, limit) else {"stop": "stopped", "tell": "told"}[reaction]
    return GateResult(key, rounded, limit, outcome)


def stopped(results: list[GateResult]) -> list[GateResult]:
    return [result for result in results if result.outcome == "stopped"]


def refusal(region_key: str, results: list[GateResult]) -> LakeError | None:
    """Why these figures may not be published; None = they may."""
    if not (wrong := stopped(results)):
        return None
    return LakeError(
        f"region {region_key}", "; ".join(map(str, wrong)), f"{len(GATES)} gates that hold ({len(wrong)} do not)",
        f"lake gates --region {region_key} says what to do; lake publish --despite REASON publishes all the same, on record.",
        ExitCode.GATE,
    )  # fmt: skip


def table(region: Region, results: list[GateResult]) -> Table:
    """The gates for the eye, in Japanese."""
    shown = Table(
        "関門", "結果", "実測値", "基準", "所見と対応", title=f"公表前の関門: {region.name_ja}", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in shown.columns[:4]:
        column.no_wrap = True
    for result in results:
        gate, (word, colour) = GATES[result.gate_key], OUTCOMES[result.outcome]
        told = result.measured.found_ja + ("" if result.outcome == "passed" else f" → {gate.action_ja}")
        limit = f"{'≥' if gate.is_minimum else '≤'} {in_words(result.limit, gate.unit)}"
        shown.add_row(
            gate.title_ja, f"[{colour}]{word}[/]", in_words(result.measured.value, gate.unit), limit, told,
        )  # fmt: skip
    return shown


def in_words(value: Decimal | None, unit: str) -> str:
    if value is None:
        return "—"
    return f"{value:.2%}" if unit == "ratio" else f"{value:.0f}{'日' if unit == 'day' else '件'}"
