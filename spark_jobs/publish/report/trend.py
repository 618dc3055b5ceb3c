"""Part 4, 推移: is it moving? Small panels by month, with the dates at which rules or products bend a series."""

from dataclasses import dataclass

from spark_jobs.publish.report import wording
from spark_jobs.publish.report.charts import Series
from spark_jobs.publish.report.generics import OFFICIAL
from spark_jobs.publish.report.subject import Subject, shared
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import HIDDEN, NO_DATA, Cell

MIN_MONTHS_DRAWN = 6
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
BREAKS_OF_ALL = (
    "薬価改定",
    "診療報酬改定",
    "長期収載品の選定療養",
)  # how events begin that bend every series; others bend their ingredients'
GENERIC = "後発医薬品の使用割合"


@dataclass(frozen=True)
class Panel:
    key: str
    name: str
    series: Series
    target: float
    breaks: list[int]  # months

    @property
    def words(self) -> str:
        """For who can't see the picture."""
        values = [value for value in self.series.values if value is not None]
        return f"{len(values)}か月分。最初 {wording.share(values[0])}、最後 {wording.share(values[-1])}。"


@dataclass(frozen=True)
class Trend:
    panels: list[Panel]
    marks: dict[int, str]  # month of a break → its mark
    legend: list[tuple[str, str]]  # (mark, what happened)
    undrawn: list[str]
    table: Table

    def marks_of(self, panel: Panel) -> list[tuple[int, str]]:
        return [(month, self.marks[month]) for month in panel.breaks]


def build(subject: Subject, of_generics: dict[int, float | None]) -> Trend:
    """`of_generics`: month → generic share, None hidden."""
    breaks = _breaks(subject)
    since = subject.provisional[0] if subject.provisional else None
    panels, rows, undrawn = [], [], []
    for key in ["all", "generic", *subject.ingredients]:
        if key == "generic":
            name, target = GENERIC, float(subject.target(OFFICIAL)["value_ratio"])
            cells = [Cell(NO_DATA) if month not in of_generics else Cell(HIDDEN) if of_generics[month] is None
                     else wording.share(of_generics[month]) for month in subject.months]  # fmt: skip
            values = [of_generics.get(month) for month in subject.months]
        else:
            name, target = subject.name(key), subject.reached_from
            by_month = {row["period"]: row for row in subject.rows(subject.share, "month", key).to_dicts()}
            cells = [shared(by_month.get(month)) for month in subject.months]
            values = [float(by_month[month]["share_ratio"]) if cell.value is not None else None
                      for month, cell in zip(subject.months, cells, strict=True)]  # fmt: skip
        rows.append([Cell(name), *cells])
        if sum(value is not None for value in values) >= min(MIN_MONTHS_DRAWN, len(subject.months)):
            bent = sorted({month for month, _, keys in breaks if not keys or key in keys})
            panels.append(Panel(key, name, Series(subject.months, values, since), target, bent))
        elif any(cell.text == HIDDEN for cell in cells):
            undrawn.append(name)
    header = ["成分", *(wording.month(month) + ("（暫定）" if month in subject.provisional else "") for month in subject.months)]
    marks = dict(zip(sorted({month for panel in panels for month in panel.breaks}), CIRCLED, strict=False))
    legend = [
        (mark, f"{wording.month(month)} {'・'.join(title for at, title, _ in breaks if at == month)}")
        for month, mark in marks.items()
    ]  # fmt: skip
    scope = subject.measure(OFFICIAL)["name_ja"]
    table = Table("trend", f"数量シェアの推移（月別。{GENERIC}は「{scope}」の数え方、他は請求単位）", header, rows)
    return Trend(panels, marks, legend, undrawn, table)


def _breaks(subject: Subject) -> list[tuple[int, str, set[str]]]:
    """(month, title, ingredients) of what bends a series of this report; no ingredient = all of them."""
    keys: dict[tuple[int, str], set[str]] = {}
    for row in subject.frames["dim_structural_break"].sort("break_date", "title_ja").to_dicts():
        keys.setdefault((row["break_month"], row["title_ja"]), set()).add(row["ingredient_key"])
    found = []
    for (month, title), of in keys.items():
        concerned = of - {"all"}
        is_drawn = not concerned.isdisjoint(subject.ingredients) if concerned else title.startswith(BREAKS_OF_ALL)
        if is_drawn and subject.months[0] < month <= subject.months[-1]:
            found.append((month, title, concerned))
    return found
