"""The report of a region: one HTML file in Japanese that works offline, on a phone and on A4.

It reads the published marts and config/ only. One part of the page = one module here (its figures and its words) and one template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import polars as pl
from markupsafe import Markup

from spark_jobs import config
from spark_jobs.config import Insurer, Region, Scenario
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import disclosure, marts
from spark_jobs.publish.marts import Mart
from spark_jobs.publish.report import (
    arrival,
    change,
    charts,
    distance,
    generics,
    key_points,
    official,
    place,
    saving,
    terms,
    trend,
    wording,
)  # fmt: skip
from spark_jobs.publish.report.subject import Subject
from spark_jobs.publish.report.table import Table
from spark_jobs.settings import Settings

HERE = Path(__file__).parent
NEEDED = (
    "dim_ingredient", "dim_measure", "dim_place", "dim_structural_break", "dim_target", "fct_biosimilar_kpi", "fct_biosimilar_share",
    "fct_completeness", "fct_figure_change", "fct_generic_share", "fct_ndb_share", "fct_reconciliation", "fct_saving_bundled",
    "fct_saving_potential", "fct_saving_realised",
)  # fmt: skip
PARTS = (
    ("key_points", "今月の要点"), ("official", "公式値との照合"), ("distance", "目標までの距離"), ("trend", "推移"), ("saving", "金額"),
    ("place", "どこで"), ("change", "前回からの変化"), ("arrival", "データの状態"), ("terms", "用語と算出方法"),
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """All that the report says."""

    title: str
    region: Region
    year: str
    facts: list[tuple[str, str]]  # part 0
    notes: list[str]
    key_points: key_points.KeyPoints
    official: official.Official
    distance: distance.Distance
    generics: generics.Generics
    trend: trend.Trend
    saving: saving.Saving
    place: place.Place
    change: change.Change
    arrival: arrival.Arrival
    terms: Table


def write(settings: Settings, region_key: str, found: Mapping[str, Mart], name: str = "report") -> tuple[Path, bool]:
    """The path of the report NAME.html, and whether it was written: not if it stands there, made from the same versions, configuration and
    code."""
    region, insurers, scenarios = config.region(settings, region_key), config.insurers(settings), config.scenarios(settings)
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise LakeError(
            str(settings.warehouse / "marts.db"), f"no {', '.join(missing)}", "all marts", "Run lake build.", ExitCode.NOT_READY
        )
    said = [entry.model_dump_json() for entry in (region, *insurers.values(), *scenarios.values())]
    key = marts.fingerprint({name: found[name] for name in NEEDED}, *said, *_code())
    path = settings.reports / region_key / f"{name}.html"
    if _key_of(path) == key:
        return path, False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    page = build({name: found[name].frame() for name in NEEDED}, region, insurers, scenarios, key[:12])
    part.write_text(render(page, key), encoding="utf-8")
    part.replace(path)
    return path, True


def build(
    frames: dict[str, pl.DataFrame], region: Region, insurers: dict[str, Insurer], scenarios: dict[str, Scenario], version: str
) -> Page:
    """Marts → what the page says. Pure: frames in, dataclasses out."""
    subject = Subject(frames, region, insurers, scenarios, version)
    of_distance, of_generics, of_saving = distance.build(subject), generics.build(subject), saving.build(subject)
    return Page(
        title=f"バイオシミラー使用状況レポート　{region.name_ja}",
        region=region,
        year=subject.year_text,
        facts=_facts(subject),
        notes=_notes(region),
        key_points=key_points.build(subject, of_distance, of_generics, of_saving),
        official=official.build(subject),
        distance=of_distance,
        generics=of_generics,
        trend=trend.build(subject, of_generics.by_month),
        saving=of_saving,
        place=place.build(subject),
        change=change.build(subject),
        arrival=arrival.build(subject),
        terms=terms.build(subject),
    )


def render(page: Page, key: str) -> str:
    """Page → HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    style = Markup((HERE / "templates" / "report.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    parts = [(number, name, title) for number, (name, title) in enumerate(PARTS, 1)]
    return environment.get_template("page.html.j2").render(page=page, key=key, style=style, charts=charts, parts=parts)


def _facts(subject: Subject) -> list[tuple[str, str]]:
    """Part 0: whose figures, of which months, counted how."""
    region, months, provisional = subject.region, subject.months, subject.provisional
    members = sum(subject.insurers[number].member_count or 0 for number in region.insurers)
    until = f"（{wording.months(provisional[0], provisional[-1])}は暫定）" if provisional else ""
    return [
        ("対象", f"{len(region.insurers)}保険者・加入者 {members:,}人（保険者の届出）"),
        ("診療年月", f"{wording.months(months[0], months[-1])}{until}"),
        ("主な集計期間", f"{subject.year_text}（診療年月）"),
        ("審査年月", f"{wording.month(subject.last_claim_month)}請求分まで"),
        ("数え方", "請求単位（レセプトの数量をそのまま合計）"),
        ("薬価", "診療月の薬価"),
        ("加入者カバー率", f"{wording.NO_DATA}（地域全体の加入者数が未登録）"),
        ("版", subject.version),
    ]


def _notes(region: Region) -> list[str]:
    notes = []
    if region.is_synthetic:
        notes.append("このレポートの保険者・医療機関・加入者・レセプトはすべて架空です。数値から現実の状況を読み取ることはできません。")
    if region.note_ja:
        notes.append(region.note_ja)
    return notes


def _code() -> list[bytes]:
    """What decides how the page looks and what it says beside the marts."""
    files = [*HERE.glob("*.py"), *HERE.glob("*.yaml"), *(HERE / "templates").iterdir(), Path(disclosure.__file__)]
    return [file.read_bytes() for file in sorted(files)]


def _key_of(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as page:
        found = re.search(r'name="publication" content="(\w+)"', page.read(2000))
    return found[1] if found else None
