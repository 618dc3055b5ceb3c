"""Part 3, second half: 後発医薬品の使用割合 in the official scopes, beside the targets."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.publish.disclosure import hidden_parts
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.charts import Dot
from spark_jobs.publish.report.subject import Row, Subject
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import HIDDEN, NO_DATA, NOT_COMPUTABLE, Cell

OFFICIAL = "generic_quantity_share_mhlw_insurer"
MEASURES = {  # measure → scope and variant
    OFFICIAL: ("mhlw_insurer", "quantity"),
    "generic_quantity_share_dispensing": ("dispensing_only", "quantity"),
    "generic_quantity_share_kyokai": ("kyokai_with_dpc_coding", "quantity"),
    "generic_value_share": ("mhlw_insurer", "value"),
}
CLASS_LIST_NOTE = "名簿（後発医薬品に関する情報）が有効でない月を含む"


@dataclass(frozen=True)
class Generics:
    value: str  # of the last month that the official figure exists for, else of the year
    note: str
    sentence: str
    dots: list[Dot]
    table: Table
    insurers_table: Table
    by_month: dict[int, float | None]


def build(subject: Subject) -> Generics:
    frame = subject.here(subject.frames["fct_generic_share"]).filter((pl.col("setting") == "all") & (pl.col("yakko_class_2") == "all"))
    of_region = subject.region_rows(frame)
    month = _official_month(subject, of_region)
    periods = [("month", month, f"{wording.month(month)}診療分")] if month else []
    periods += [("fiscal_year", subject.fiscal_year, subject.year_text)]
    rows, dots = [], []
    for period_kind, period, period_text in periods:
        for measure, (scope, variant) in MEASURES.items():
            row = _one(of_region, period_kind, period, scope, variant)
            told = _told(subject, period_kind, period)
            share = Cell(NO_DATA) if row is None else wording.share(row["share_ratio"]) if told else Cell(HIDDEN)
            target = subject.targets(measure)
            rows.append([Cell(subject.measure(measure)["name_ja"]), Cell(period_text), share, *_target_cells(target, share), _remark(row)])
            if period_kind == "fiscal_year":
                own = float(row["share_ratio"]) if row and share.value else None
                goal = float(target[-1]["value_ratio"]) if target else None
                dots.append(Dot(subject.measure(measure)["name_ja"], period_text, own, share.text, target=goal))
    lead = rows[0]
    goal_text = "" if lead[3].text == "—" else f"。国の目標は {lead[3]}"
    sentence = f"{lead[0]}は {lead[1]}で {lead[2]}{goal_text}。" + (
        "公式値のある3月・9月診療分のうち最新の確定分。" if month else f"3月・9月診療分の確定値がまだないため{subject.year_text}の値。"
    )  # fmt: skip
    header = ["指標", "期間", "本地域", "目標（期限）", "目標まで", "注"]
    by_month = {row["period"]: float(row["share_ratio"]) if _told(subject, "month", row["period"]) else None
                for row in _all(of_region, "month", *MEASURES[OFFICIAL]).to_dicts()}  # fmt: skip
    return Generics(
        lead[2].text, f"{lead[1]}{goal_text.replace('。', '・').replace('は ', ' ')}", sentence, dots,
        Table("generics", "後発医薬品の使用割合と目標", header, rows), _insurers(subject, frame, month), by_month,
    )  # fmt: skip


def _all(frame: pl.DataFrame, period_kind: str, scope: str, variant: str) -> pl.DataFrame:
    return frame.filter((pl.col("period_kind") == period_kind) & (pl.col("scope") == scope) & (pl.col("variant") == variant))


def _one(frame: pl.DataFrame, period_kind: str, period: int, scope: str, variant: str) -> Row | None:
    rows = _all(frame, period_kind, scope, variant).filter(pl.col("period") == period).to_dicts()
    return rows[0] if rows else None


def _official_month(subject: Subject, frame: pl.DataFrame) -> int | None:
    """The last final month for which the official figure exists."""
    final = [month for month in subject.months if month not in subject.provisional]
    months = _all(frame, "month", *MEASURES[OFFICIAL]).filter(pl.col("is_month_of_official_figure") & pl.col("period").is_in(final))
    return int(months["period"].max()) if months.height else None  # type: ignore[arg-type]


def _told(subject: Subject, period_kind: str, period: int) -> bool:
    """As many as used a biologic stand behind it at least."""
    rows = subject.rows(subject.share, period_kind, "all").filter(pl.col("period") == period)
    return rows.height == 1 and rows["hidden_ja"][0] is None


def _target_cells(targets: list[Row], share: Cell) -> list[Cell]:
    if not targets:
        return [Cell("—"), Cell("—")]
    target = targets[-1]
    goal = Cell(
        f"{wording.share(target['value_ratio'])}（{wording.day(target['due_date'])}まで）", str(wording.share(target["value_ratio"]).value)
    )
    if share.value is None:
        return [goal, Cell(share.text)]
    gap = float(target["value_ratio"]) - float(share.value) / 100
    return [goal, wording.difference(gap) if gap > 0 else Cell("達成")]


def _remark(row: Row | None) -> Cell:
    return Cell(CLASS_LIST_NOTE if row is not None and not row["is_class_list_in_force"] else "—")


def _insurers(subject: Subject, frame: pl.DataFrame, month: int | None) -> Table:
    """Official scope, quantity; where patients with a biologic are few, nothing is told (more stand behind it, but are not counted)."""
    periods = [("month", month, f"{wording.month(month)}診療分")] if month else []
    periods += [("fiscal_year", subject.fiscal_year, subject.year_text)]
    own = subject.insurer_rows(frame)
    rows = []
    for number in subject.by_size:
        cells = [Cell(subject.short(number))]
        for period_kind, period, _ in periods:
            users = subject.rows(subject.insurer_rows(subject.here(subject.brand)), period_kind, "all")
            users = users.filter((pl.col("period") == period) & (pl.col("setting") == "all"))
            hidden = hidden_parts(dict(users.select("population_key", "patient_count").iter_rows()))
            row = _one(own.filter(pl.col("population_key") == number), period_kind, period, *MEASURES[OFFICIAL])
            is_told = number in users["population_key"].to_list() and number not in hidden
            cells.append(Cell(NOT_COMPUTABLE) if row is None else wording.share(row["share_ratio"]) if is_told else Cell(HIDDEN))
        rows.append(cells)
    return Table(
        "generics-insurers",
        "保険者別の後発医薬品の使用割合（保険者別の対象レセプト、数量）",
        ["保険者", *(text for *_, text in periods)],
        rows,
    )
