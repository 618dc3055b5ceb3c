"""Part 3, 目標までの距離: the national KPI over its denominators, each ingredient and its way to 80 %, the insurers beside each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import polars as pl

from spark_jobs.publish.disclosure import hidden_parts
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.chance import MIN_PATIENTS_COMPARED, differs, interval
from spark_jobs.publish.report.charts import Dot
from spark_jobs.publish.report.subject import Row, Subject, patients, shared
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import FEW, HIDDEN, NO_DATA, NOT_COMPUTABLE, Cell

DENOMINATORS = {"listed": "収載されている成分（国の数え方）", "used": "使用のあった成分", "used_by_n_patients": "一定数の患者が使った成分"}


@dataclass(frozen=True)
class Distance:
    kpi: str  # 4 / 20
    kpi_note: str
    kpi_sentence: str
    kpi_table: Table
    dots: list[Dot]
    target: float
    goal: str  # the target in words: 80％
    reached: int  # dots at or above it
    note: str
    table: Table
    peers: list[Dot]
    peers_table: Table
    peer_ingredients_table: Table


def build(subject: Subject) -> Distance:
    kpi, note, sentence, kpi_table = _kpi(subject)
    dots, table, unused = _ingredients(subject)
    peers, peers_table = _peers(subject)
    hidden = [dot.label for dot in dots if dot.own is None]
    notes = [f"秘匿：{'、'.join(hidden)}。" if hidden else "", f"使用のなかった成分：{'、'.join(unused)}。" if unused else ""]
    target = subject.reached_from
    reached = sum(dot.own is not None and dot.own >= target for dot in dots)
    return Distance(
        kpi, note, sentence, kpi_table, dots, target, wording.percent(target), reached, "".join(notes), table, peers, peers_table,
        _peer_ingredients(subject),
    )  # fmt: skip


def _kpi(subject: Subject) -> tuple[str, str, str, Table]:
    rows = _kpi_rows(subject)
    target = subject.target("biosimilar_kpi")
    goal = f"国の目標 {wording.percent(target['value_ratio'])}以上（{wording.day(target['due_date'])}まで）"
    table = Table(
        "kpi", f"{wording.percent(subject.reached_from)}以上の成分の割合（KPI、{subject.year_text}）",
        ["分母の取り方", "成分数", "達した成分", "割合", "目標まであと", "ESAを除く割合"],
        [_kpi_cells(subject, row) for row in rows.values()],
    )  # fmt: skip
    if subject.own_year["all"]["hidden_ja"]:
        empty = Table(table.key, table.caption, table.header, [[row[0], *[Cell(HIDDEN)] * 5] for row in table.rows])
        return HIDDEN, goal, "達した成分の割合は患者が少ないため秘匿。", empty
    if "listed" not in rows:
        return NOT_COMPUTABLE, goal, f"達した成分の割合は{NOT_COMPUTABLE}（収載成分の数がない）。", table
    row = rows["listed"]
    listed, reached = row["ingredient_count"], row["reached_ingredient_count"]
    sentence = f"数量シェアが {wording.percent(subject.reached_from)}以上の成分は、収載 {listed}成分中 {reached}成分"
    sentence += f"（{subject.year_text}、{wording.share(_ratio(row))}）。"
    for other in subject.targets("biosimilar_kpi"):
        missing = ceil(listed * other["value_ratio"]) - reached
        owner = "国の目標" if other["owner_kind"] == "nation" else other["name_ja"]
        left = f"まであと {missing}成分" if missing > 0 else "に達している"
        sentence += f"{owner}（{wording.percent(other['value_ratio'])}、{wording.day(other['due_date'])}まで）{left}。"
    return f"{reached} / {listed}", goal, sentence, table


def _kpi_rows(subject: Subject) -> dict[str, Row]:
    """Of the mart; where only some of its insurers take part, counted over their shares."""
    frame = subject.here(subject.frames["fct_biosimilar_kpi"]).filter(
        (pl.col("population_kind") == "all") & (pl.col("period_kind") == "fiscal_year") & (pl.col("period") == subject.fiscal_year)
    )
    rows = {row["denominator_kind"]: row for row in frame.to_dicts()}
    if not subject.is_whole and "listed" in rows:
        used = [row for key, row in subject.own_year.items() if key in subject.ingredients]
        reached = sum(float(row["share_ratio"] or 0) >= subject.reached_from for row in used)
        counted = {"reached_ingredient_count": reached, "esa_ingredient_count": None}
        rows = {
            "listed": rows["listed"] | counted,
            "used": rows["listed"] | counted | {"ingredient_count": len(used), "denominator_kind": "used"},
        }
    return {kind: rows[kind] for kind in DENOMINATORS if kind in rows}


def _kpi_cells(subject: Subject, row: Row) -> list[Cell]:
    missing = max(ceil(row["ingredient_count"] * subject.target("biosimilar_kpi")["value_ratio"]) - row["reached_ingredient_count"], 0)
    without = wording.share(None)
    if row["esa_ingredient_count"] is not None and row["ingredient_count"] > row["esa_ingredient_count"]:
        others = row["ingredient_count"] - row["esa_ingredient_count"]
        without = wording.share((row["reached_ingredient_count"] - row["esa_reached_ingredient_count"]) / others)
    return [
        Cell(DENOMINATORS[row["denominator_kind"]]), wording.count(row["ingredient_count"]), wording.count(row["reached_ingredient_count"]),
        wording.share(_ratio(row)), Cell(f"{missing}成分", str(missing)), without,
    ]  # fmt: skip


def _ratio(row: Row) -> float | None:
    return row["reached_ingredient_count"] / row["ingredient_count"] if row["ingredient_count"] else None


def _nation(subject: Subject) -> dict[str, Row]:
    """The latest NDB year of each ingredient, whole country, all settings."""
    frame = subject.frames["fct_ndb_share"].filter(
        (pl.col("place_level") == "nation") & (pl.col("setting") == "all") & pl.col("share_ratio").is_not_null()
    )
    return {row["ingredient_key"]: row for row in frame.sort("fiscal_year").to_dicts()}


def _ingredients(subject: Subject) -> tuple[list[Dot], Table, list[str]]:
    nation, peers = _nation(subject), subject.year(subject.insurer_rows(subject.here(subject.brand)).filter(pl.col("setting") == "all"))
    dots, rows, unused = [], [], []
    for key in subject.ingredients:
        row, other = subject.own_year.get(key), nation.get(key)
        of_insurers = peers.filter(pl.col("ingredient_key") == key).to_dicts()
        hidden = hidden_parts({r["population_key"]: r["patient_count"] for r in of_insurers})
        seen = [float(r["share_ratio"]) for r in of_insurers if r["population_key"] not in hidden and r["share_ratio"] is not None]
        low, high = (min(seen), max(seen)) if len(seen) > 1 else (None, None)
        cell = shared(row)
        value = float(row["share_ratio"]) if row and cell.value is not None else None
        rows.append([
            Cell(subject.name(key)), cell, patients(row), *_way(subject, row, value, cell), _nation_cell(other),
            Cell(f"{wording.share(low)}〜{wording.share(high)}" if low is not None else NOT_COMPUTABLE),
            Cell(f"{len(seen)}保険者", str(len(seen))),
        ])  # fmt: skip
        if row is None:
            unused.append(subject.name(key))
            continue
        year = f"・全国{other['fiscal_year']}" if other else ""
        n_text = {None: f"{row['patient_count']:,}人", FEW: "10人未満"}.get(row["hidden_ja"], HIDDEN)
        dots.append(Dot(
            subject.name(key), f"{n_text}{year}", value, f"{HIDDEN}（{'患者10人未満' if row['hidden_ja'] == FEW else '差し引きで分かる'}）",
            float(other["share_ratio"]) if other else None, low, high, is_small=row["patient_count"] < MIN_PATIENTS_COMPARED,
        ))  # fmt: skip
    goal = wording.percent(subject.reached_from)
    header = [
        "成分", f"数量シェア（{subject.fiscal_year}年度）", "患者数（人）", f"{goal}まで", "切り替える数量（請求単位）", "NDB 全国（年度）",
        "保険者の範囲", "範囲に含む保険者",
    ]  # fmt: skip
    return dots, Table("distance", f"成分別の数量シェアと{goal}までの距離", header, rows), unused


def _way(subject: Subject, row: Row | None, value: float | None, cell: Cell) -> list[Cell]:
    """Points to the target, and the units that would have to change at constant use."""
    if row is None or value is None:
        return [Cell(cell.text), Cell(cell.text)]
    if value >= subject.reached_from:
        return [Cell("達成"), Cell("0", "0")]
    target = subject.target("biosimilar_quantity_share")["value_ratio"]
    return [wording.difference(subject.reached_from - value), wording.quantity(target * row["denominator"] - row["numerator"])]


def _nation_cell(row: Row | None) -> Cell:
    if row is None:
        return Cell(NO_DATA)
    share = wording.share(row["share_ratio"])
    return Cell(f"{share}（{row['fiscal_year']}年度）", share.value)


def _peers(subject: Subject) -> tuple[list[Dot], Table]:
    frame = subject.insurer_rows(subject.here(subject.brand)).filter(pl.col("setting") == "all")
    own = {row["population_key"]: row for row in subject.year(frame, "all").to_dicts()}
    together = subject.own_year["all"]
    whole = None if together["hidden_ja"] else float(together["share_ratio"] or 0)
    hidden = hidden_parts({key: row["patient_count"] for key, row in own.items()})
    ranked = _ranked(own.values(), hidden)
    dots, rows = [], []
    for number in subject.by_size:
        row, members, name = own.get(number), wording.count(subject.insurers[number].member_count), Cell(subject.short(number))
        if row is None or number in hidden or row["share_ratio"] is None:
            text = HIDDEN if number in hidden else NOT_COMPUTABLE
            n = Cell("0", "0") if row is None else Cell(FEW if number in hidden and row["patient_count"] < 10 else text)
            rows.append([name, members, Cell(text), Cell(text), n, Cell(text), Cell(text), Cell("比べない")])
            dots.append(Dot(name.text, "10人未満" if n.text == FEW else n.text, None, text))
            continue
        value, n_of = float(row["share_ratio"]), row["patient_count"]
        low, high = interval(value, n_of)
        small = n_of < MIN_PATIENTS_COMPARED
        words = "少数（順位をつけない）" if small else _words(value, n_of, whole)
        rank = Cell(f"—（{MIN_PATIENTS_COMPARED}人未満）") if small else Cell(f"{ranked.index(number) + 1} / {len(ranked)}")
        rows.append([
            name, members, wording.share(value), Cell(f"{wording.share(low)}〜{wording.share(high)}"), wording.count(n_of),
            Cell(HIDDEN) if whole is None else wording.difference(value - whole), rank, Cell(words),
        ])  # fmt: skip
        dots.append(Dot(name.text, f"{n_of:,}人" + ("・少数" if small else ""), value, "", whole, low, high, is_small=small))
    header = ["保険者", "加入者数（人）", "数量シェア", "95％区間", "患者数（人）", "地域全体との差", "高い順", "読み方"]
    return dots, Table("peers", f"保険者別の数量シェア（全成分計、{subject.fiscal_year}年度）", header, rows, is_prose=True)


def _words(value: float, patients: int, whole: float | None) -> str:
    if whole is None:
        return "比べない"
    return "偶然を超える差" if differs(value, patients, whole) else "偶然の範囲"


def _ranked(rows: Iterable[Row], hidden: set[str]) -> list[str]:
    able = [row for row in rows if row["patient_count"] >= MIN_PATIENTS_COMPARED and row["population_key"] not in hidden]
    return [row["population_key"] for row in sorted(able, key=lambda row: -row["share_ratio"])]


def _peer_ingredients(subject: Subject) -> Table:
    frame = subject.year(subject.insurer_rows(subject.here(subject.brand)).filter(pl.col("setting") == "all"))
    rows = []
    for key in subject.ingredients:
        own = {row["population_key"]: row for row in frame.filter(pl.col("ingredient_key") == key).to_dicts()}
        hidden = hidden_parts({number: row["patient_count"] for number, row in own.items()})
        rows.append(
            [Cell(subject.name(key)), *(Cell(HIDDEN) if number in hidden else _with_n(own.get(number)) for number in subject.by_size)]
        )
    caption = f"保険者別・成分別の数量シェア（患者数、{subject.fiscal_year}年度）"
    return Table("peer-ingredients", caption, ["成分", *map(subject.short, subject.by_size)], rows)


def _with_n(row: Row | None) -> Cell:
    cell = shared(row)
    return cell if row is None or cell.value is None else Cell(f"{cell}（{row['patient_count']:,}）", cell.value)
