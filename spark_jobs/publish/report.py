"""The report of a region: one HTML file in Japanese that works offline, on a phone and on A4.

It reads the published marts and config/ only. `figures.py` decides what is said, `charts.py` draws, the template gives the shape.
"""

import base64
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
import polars as pl
from markupsafe import Markup

from spark_jobs import config
from spark_jobs.config import Insurer, Region
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import shipped
from spark_jobs.publish import charts, figures, marts
from spark_jobs.publish.figures import Page, Table
from spark_jobs.publish.marts import Mart
from spark_jobs.settings import Settings

HERE = Path(__file__).parent
NEEDED = (
    "fct_biosimilar_share", "fct_biosimilar_kpi", "fct_saving_realised", "fct_completeness", "fct_ndb_share", "dim_ingredient",
    "dim_measure",
)  # fmt: skip


def write(settings: Settings, region_key: str, found: Mapping[str, Mart], name: str = "report") -> tuple[Path, bool]:
    """The path of the report NAME.html, and whether it was written: not if it stands there, made from the same versions, configuration and
    code."""
    region, insurers = config.region(settings, region_key), config.insurers(settings)
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise LakeError(
            str(settings.warehouse / "marts.db"), f"no {', '.join(missing)}", "all marts", "Run lake build.", ExitCode.NOT_READY
        )
    key = marts.fingerprint({name: found[name] for name in NEEDED}, region.model_dump_json(), *_said_of(insurers), *_code())
    path = settings.reports / region_key / f"{name}.html"
    if _key_of(path) == key:
        return path, False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(render(view({name: found[name].frame() for name in NEEDED}, region, insurers, key[:12]), key), encoding="utf-8")
    part.replace(path)
    return path, True


def view(frames: dict[str, pl.DataFrame], region: Region, insurers: dict[str, Insurer], version: str) -> Page:
    return figures.build(frames, region, insurers, shipped.prefectures(), shipped.structural_breaks(), version)


def render(page: Page, key: str) -> str:
    """Page → HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["csv_uri"] = csv_uri
    style = Markup((HERE / "templates" / "report.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    pictures = {name: Markup(svg) for name, svg in draw(page).items()}  # noqa: S704  charts.py escapes what it is given
    trends = [(trend.name, pictures[f"trend-{trend.key}"]) for trend in page.trends]
    return environment.get_template("report.html.j2").render(page=page, key=key, style=style, pictures=pictures, trends=trends)


def draw(page: Page) -> dict[str, str]:
    """Every picture of the page, each with what a screen reader says instead."""
    shown = sum(dot.own is not None for dot in page.distance)
    reached = sum(dot.own is not None and dot.own >= figures.TARGET_SHARE for dot in page.distance)
    names, months, states = page.arrivals
    under = "値は下の表にある。"
    counted = f"{shown}成分のうち80％以上は{reached}成分。{under}"
    tiles_words = f"色が濃いほど高い。斜線はデータなし、格子は秘匿。{under}"
    savings_words = f"{len(page.savings)}成分。負の値は斜線。{under}"
    drawn = {
        "distance": charts.dots("distance", "成分別の数量シェアと80％の線", counted, page.distance),
        "peers": charts.dots("peers", "保険者別の数量シェアと95％区間", f"保険者を加入者数の順に並べた。{under}", page.peers),
        "savings": charts.bars("savings", "成分別の医療費適正効果額", savings_words, page.savings, page.savings_unit),
        "tiles": charts.tiles("tiles", "都道府県別の数量シェア", tiles_words, page.tiles),
        "arrivals": charts.matrix("arrivals", "保険者×請求年月の到着状況", page.arrivals_sentence, names, months, states),
    }
    for trend in page.trends:
        values = [v for v in trend.series.values if v is not None]
        words = f"{len(values)}か月分。最初 {values[0]:.0%}、最後 {values[-1]:.0%}。" if values else ""
        drawn[f"trend-{trend.key}"] = charts.line(
            f"trend-{trend.key}", f"{trend.name}の数量シェアの推移", words, trend.series, trend.breaks
        )
    return drawn


def csv_uri(table: Table) -> str:
    """The table as a download inside the page; a byte order mark, so that a spreadsheet reads UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.header)
    writer.writerows([cell.plain for cell in row] for row in table.rows)
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.getvalue().encode("utf-8-sig")).decode()


def _said_of(insurers: dict[str, Insurer]) -> list[str]:
    return [insurer.model_dump_json() for insurer in insurers.values()]


def _code() -> list[bytes]:
    """What decides how the page looks and what it says beside the marts."""
    files = [*HERE.glob("*.py"), *HERE.glob("*.yaml"), *(HERE / "templates").iterdir(), *shipped.SEEDS.glob("structural_breaks.csv")]
    return [file.read_bytes() for file in sorted(files)]


def _key_of(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as page:
        found = re.search(r'name="publication" content="(\w+)"', page.read(2000))
    return found[1] if found else None
