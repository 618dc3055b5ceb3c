"""Pictures for the report, drawn from the templates: matplotlib → SVG, narrow enough for a phone, readable in black and white.

Text stays text (a reader can search and hear it); matplotlib-fontja gives its metrics. One accent (Okabe–Ito blue) for the own unit.
"""

import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import matplotlib

    matplotlib.use("svg")
    import matplotlib_fontja  # noqa: F401  registers a Japanese font with matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

ACCENT, NEGATIVE, DARK, GREY, LIGHT = "#0072B2", "#D55E00", "#333333", "#767676", "#DDDDDD"
WIDTH = 4.6  # inches = 331 points = pixels of the viewBox: a phone shows it at full size
MARK_WIDTH = 0.075  # of a mark above a small panel, as a part of the panel's width
FONTS = "'Hiragino Sans','Yu Gothic','Noto Sans JP','Noto Sans CJK JP',Meiryo,sans-serif"
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "lake", "font.size": 9.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": GREY, "xtick.color": DARK, "ytick.color": DARK, "hatch.linewidth": 0.6, "axes.unicode_minus": False,
}  # fmt: skip


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot: own value with its interval, the nation's, the range of the insurers; None = not shown."""

    label: str
    n_text: str
    own: float | None
    why_not: str = ""
    nation: float | None = None
    low: float | None = None
    high: float | None = None
    is_small: bool = False
    target: float | None = None  # of this row alone


@dataclass(frozen=True)
class Series:
    """A line by month; None breaks it."""

    months: list[int]
    values: list[float | None]
    provisional_from: int | None


@dataclass(frozen=True)
class Bar:
    label: str
    value: float | None
    text: str


@dataclass(frozen=True)
class Span:
    """Money that lies between two ends; `tick` marks another way to count it."""

    label: str
    text: str
    low: float
    high: float
    tick: float | None


@dataclass(frozen=True)
class Tile:
    column: int
    row: int
    label: str
    text: str
    value: float | None
    is_hidden: bool = False


def dots(key: str, title: str, description: str, rows: list[Dot], target: float | None = None) -> Markup:
    """Each row: its name above, its dots below, so that long names do not take the width."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(0.46 * len(rows) + 0.4)
        for y, row in enumerate(reversed(rows)):
            axes.axhline(y, color=LIGHT, linewidth=0.8, zorder=0)
            goal = row.target if target is None else target
            if goal is not None:
                axes.plot([goal, goal], [y - 0.2, y + 0.2], color=DARK, linewidth=1.2, linestyle=(0, (2, 1)), zorder=1)
            axes.text(0, y + 0.46, row.label, va="center", fontsize=9, color=DARK)
            axes.text(1, y + 0.46, row.n_text, va="center", ha="right", fontsize=8.5, color=GREY)
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [y, y], color="#B0B0B0", linewidth=6, solid_capstyle="butt", zorder=1)
            if row.nation is not None:
                axes.plot([row.nation], [y], "D", markersize=6, markerfacecolor="white", markeredgecolor=DARK, zorder=2)
            if row.own is None:
                axes.text(
                    0.01, y, row.why_not, va="center", fontsize=8.5, color=GREY, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}
                )
            else:
                face = "white" if row.is_small else ACCENT
                axes.plot([row.own], [y], "o", markersize=7, markerfacecolor=face, markeredgecolor=ACCENT, markeredgewidth=1.6, zorder=3)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.45, len(rows) - 0.3), yticks=[])
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20", "40", "60", "80", "100％"])
        axes.spines["left"].set_visible(False)
        return _svg(key, title, description, figure)


def line(key: str, title: str, description: str, series: Series, target: float, breaks: list[tuple[int, str]]) -> Markup:
    """One small panel; all panels of a page have the same axes. Provisional months are dashed, breaks are numbered lines."""
    with plt.rc_context(SETTINGS | {"font.size": 11}):
        figure, axes = _axes(1.75, width=2.9)
        x = list(range(len(series.months)))
        first = next((i for i, m in enumerate(series.months) if series.provisional_from and m >= series.provisional_from), len(x))
        values = [float("nan") if v is None else v for v in series.values]
        axes.axhline(target, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.plot(x[:first], values[:first], color=ACCENT, linewidth=2)
        axes.plot(x[max(first - 1, 0) :], values[max(first - 1, 0) :], color=ACCENT, linewidth=2, linestyle=(0, (1.5, 1.5)))
        alone = [i for i in x if values[i] == values[i] and all(j < 0 or j >= len(x) or values[j] != values[j] for j in (i - 1, i + 1))]
        axes.plot(alone, [values[i] for i in alone], ".", color=ACCENT, markersize=5)
        before = float("-inf")
        for month, mark in breaks:
            if month in series.months:
                at = series.months.index(month) - 0.5
                axes.axvline(at, color=DARK, linewidth=0.8, linestyle=(0, (1, 2)))
                is_close = at - before < MARK_WIDTH * len(x)  # then it stands below the one before
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5} if is_close else None
                axes.text(at, 0.88 if is_close else 1.04, mark, ha="center", va="bottom", fontsize=12, bbox=paper)
                before = float("-inf") if is_close else at
        ticks = [i for i, m in enumerate(series.months) if m % 100 == 4]
        axes.set_xticks(ticks, [f"{series.months[i] // 100 % 100}年{series.months[i] % 100}月" for i in ticks], fontsize=12)
        axes.set_yticks([0, 0.5, 1.0], ["0", "50", "100％"], fontsize=12)
        axes.set(ylim=(0, 1.02), xlim=(-0.6, max(len(x) - 0.4, 1)))
        return _svg(key, title, description, figure)


def bars(key: str, title: str, description: str, rows: list[Bar], unit: str) -> Markup:
    """Money by row; what is negative has its own colour and hatching."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(0.47 * len(rows) + 0.6)
        values = [row.value for row in rows if row.value is not None] or [0.0]
        low, high = min(0.0, *values), max(0.0, *values)
        span = (high - low) or 1.0
        for y, row in enumerate(reversed(rows)):
            axes.text(low, y + 0.42, row.label, va="center", fontsize=9, color=DARK)
            axes.text(high, y + 0.42, row.text, va="center", ha="right", fontsize=8.5, color=GREY)
            axes.plot([0, 0], [y - 0.24, y + 0.24], color=DARK, linewidth=0.8)
            if row.value is not None and row.value >= 0:
                axes.barh(y, row.value, 0.34, color=ACCENT)
            elif row.value is not None:
                axes.barh(y, row.value, 0.34, facecolor="white", edgecolor=NEGATIVE, hatch="//////", linewidth=1.2)
        axes.set(xlim=(low - span * 0.01, high + span * 0.01), ylim=(-0.4, len(rows) - 0.35), yticks=[])
        _money_axis(axes, unit)
        return _svg(key, title, description, figure)


def spans(key: str, title: str, description: str, rows: list[Span], unit: str) -> Markup:
    """Money by row as an interval; a diamond marks what the other way of counting gives."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(0.46 * len(rows) + 0.5)
        ends = [0.0, *(end for row in rows for end in (row.low, row.high, row.tick or 0.0))]
        low, high = min(ends), max(ends) or 1.0
        for y, row in enumerate(reversed(rows)):
            axes.text(low, y + 0.4, row.label, va="center", fontsize=9, color=DARK)
            axes.text(high, y + 0.4, row.text, va="center", ha="right", fontsize=8.5, color=GREY)
            axes.plot([low, high], [y, y], color=LIGHT, linewidth=0.8, zorder=0)
            axes.plot([row.low, row.high], [y, y], color=ACCENT, linewidth=7, solid_capstyle="butt", zorder=2)
            axes.plot([row.low, row.high], [y, y], "|", color=DARK, markersize=11, zorder=3)
            if row.tick is not None:
                axes.plot([row.tick], [y], "D", markersize=6, markerfacecolor="white", markeredgecolor=DARK, zorder=4)
        axes.set(xlim=(low - (high - low) * 0.02, high + (high - low) * 0.02), ylim=(-0.4, len(rows) - 0.4), yticks=[])
        _money_axis(axes, unit)
        return _svg(key, title, description, figure)


def tiles(key: str, title: str, description: str, cells: list[Tile]) -> Markup:
    """Prefectures as equal tiles: darker = higher; hidden and no data are hatched differently."""
    columns, rows = max(t.column for t in cells), max(t.row for t in cells)
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(WIDTH * 1.5 * rows / columns, width=WIDTH * 1.5)
        for tile in cells:
            x, y = tile.column, -tile.row
            if tile.value is not None:
                shade = _blend(tile.value)
                axes.add_patch(Rectangle((x, y), 0.94, 0.94, facecolor=shade, edgecolor=GREY, linewidth=0.5))
                ink = "white" if tile.value > 0.55 else "black"
            else:
                hatch = "xxxx" if tile.is_hidden else "////"
                axes.add_patch(Rectangle((x, y), 0.94, 0.94, facecolor="white", edgecolor="#BBBBBB", hatch=hatch, linewidth=0.5))
                axes.add_patch(Rectangle((x + 0.08, y + 0.12), 0.78, 0.7, facecolor="white", edgecolor="none"))
                ink = DARK
            axes.text(x + 0.47, y + 0.63, tile.label, ha="center", va="center", fontsize=9, color=ink)
            axes.text(x + 0.47, y + 0.28, tile.text, ha="center", va="center", fontsize=8, color=ink)
        axes.set(xlim=(1, columns + 1), ylim=(-rows, 0), aspect="equal")
        axes.axis("off")
        return _svg(key, title, description, figure)


def matrix(key: str, title: str, description: str, labels: list[str], months: list[int], states: list[list[str]]) -> Markup:
    """Insurer × month: full square = all arrived, half = partly, hatched = missing, dot = not expected."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(0.4 * len(labels) + 0.35)
        for i, (label, row) in enumerate(zip(labels, states, strict=True)):
            y = -i * 1.8
            axes.text(0, y + 1.3, label, va="center", fontsize=9)
            for x, state in enumerate(row):
                if state == "arrived":
                    axes.add_patch(Rectangle((x, y), 0.86, 0.86, facecolor=ACCENT, edgecolor=ACCENT, linewidth=0.6))
                elif state == "partly":
                    axes.add_patch(Rectangle((x, y), 0.86, 0.86, facecolor="white", edgecolor=ACCENT, linewidth=0.6))
                    axes.add_patch(Rectangle((x, y), 0.86, 0.43, facecolor=ACCENT, edgecolor=ACCENT, linewidth=0.6))
                elif state == "missing":
                    axes.add_patch(Rectangle((x, y), 0.86, 0.86, facecolor="white", edgecolor=NEGATIVE, hatch="//////", linewidth=0.8))
                else:
                    axes.plot([x + 0.43], [y + 0.43], ".", color=GREY, markersize=2)
        bottom = -(len(labels) - 1) * 1.8
        for x, month in enumerate(months):
            if month % 100 in (4, 10):
                axes.text(x, bottom - 0.8, f"{month // 100 % 100}年{month % 100}月", fontsize=8.5)
        axes.set(xlim=(0, max(len(months), 1)), ylim=(bottom - 1.2, 1.9))
        axes.axis("off")
        return _svg(key, title, description, figure)


def _money_axis(axes: Any, unit: str) -> None:
    axes.set_xlabel(unit, fontsize=9)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}".replace("-", "−"))
    axes.spines["left"].set_visible(False)


def _axes(height: float, width: float = WIDTH) -> tuple[Figure, Any]:
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    return figure, axes


def _blend(value: float) -> tuple[float, float, float]:
    """White → accent, dark enough at the top to carry white text."""
    light, dark = (0.95, 0.97, 0.99), (0.0, 0.27, 0.45)
    return tuple(a + (b - a) * min(max(value, 0), 1) for a, b in zip(light, dark, strict=True))  # type: ignore[return-value]


def _svg(key: str, title: str, description: str, figure: Figure) -> Markup:
    """SVG for inside a page: own ids, a title and a description, no size of its own, no date."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", rf"font: \1px {FONTS}", text)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{key}-", text)
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', text)
    assert box, "matplotlib wrote no viewBox"
    head = f'<svg {box[0]} style="--width:{float(box[1]):.0f}px" role="img" aria-labelledby="{key}-title {key}-desc">'
    rest = text[text.index(">") + 1 :]
    words = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
    return Markup(f"{head}{words}{rest}")  # noqa: S704  matplotlib escapes texts, and so do we
