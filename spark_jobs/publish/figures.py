"""Marts → what the report shows: sentences, tables, and the numbers of each picture. Pure: frames in, dataclasses out.

Every member of the consortium reads the report, so what fewer than 10 patients stand behind is hidden, and one cell more where
subtraction from a total would find a single hidden one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from spark_jobs.claim_format.words import KIND_JA
from spark_jobs.config import Insurer, Region
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters.shipped import Prefecture, StructuralBreak
from spark_jobs.publish import wording
from spark_jobs.publish.chance import MIN_PATIENTS_COMPARED, MIN_PATIENTS_SHOWN, differs, hidden_cells, interval
from spark_jobs.publish.charts import Bar, Dot, Series, Tile
from spark_jobs.publish.wording import FEW, HIDDEN, NO_DATA, NOT_COMPUTABLE, Cell

TARGET_SHARE, TARGET_KPI = 0.8, Decimal("0.6")  # 国の目標: 80 % of the quantity in 60 % of the ingredients by the end of FY2029
LATE_CLAIM_MONTHS = 3  # a service month is 暫定 until the third claim month after it has arrived (月遅れ, 返戻の再請求)
MIN_MONTHS_DRAWN = 6
ARRIVED = ("arrived", "unexpected")
COUNTED = {
    "receipt_count": "レセプト（件）", "line_count": "行", "quarantine_line_count": "隔離した行", "drug_line_count": "医薬品の行",
    "unknown_drug_line_count": "マスターにない医薬品の行",
}  # fmt: skip
UNITS_JA = {
    "ratio": "％", "yen": "円", "claim_unit": "請求単位", "price_list_unit": "規格単位", "count": "件", "point": "ポイント",
    "per_1000_members": "人（加入者千人当たり）",
}  # fmt: skip
UNKNOWN_PLACE = "00"
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
BREAKS_OF_ALL = (
    "薬価改定",
    "診療報酬改定",
    "長期収載品の選定療養",
)  # how events begin that bend every series; others bend their ingredients'
POPULATION = ("population_kind", "population_key")
ADDITIVE = (
    "numerator", "denominator", "bioag_numerator", "patient_count", "both_patient_count", "unpriced_quantity",
    "quantity", "saving_yen", "uncomputable_quantity",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """First column = row headers; every cell has a text."""

    key: str
    caption: str
    header: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Trend:
    key: str
    name: str
    series: Series
    breaks: list[tuple[int, str]]  # (month, its mark in the legend)


@dataclass(frozen=True)
class Headline:
    """One large number with what it is."""

    name: str
    value: str
    note: str


@dataclass
class Page:
    """All that the report says; `report.html.j2` gives it a shape."""

    title: str
    region: Region
    facts: list[tuple[str, str]]  # part 0
    notes: list[str]
    year: str
    headlines: list[Headline]
    sentences: list[str]  # part 1
    official: Table  # part 2
    official_note: str
    kpi_sentence: str
    distance: list[Dot]  # part 3
    distance_table: Table
    distance_note: str
    unused: list[str]
    peers: list[Dot]
    peers_table: Table
    peer_ingredients_table: Table
    trends: list[Trend]  # part 4
    trends_table: Table
    break_legend: list[tuple[str, str]]
    undrawn: list[str]
    savings: list[Bar]  # part 5
    savings_unit: str
    savings_table: Table
    savings_note: str
    tiles: list[Tile]  # part 6
    tiles_table: Table
    arrivals: tuple[list[str], list[int], list[list[str]]]  # part 8
    arrivals_table: Table
    arrivals_sentence: str
    terms: Table = field(default_factory=lambda: Table("terms", "", [], []))  # part 9


def build(
    frames: dict[str, pl.DataFrame],
    region: Region,
    insurers: dict[str, Insurer],
    prefectures: Iterable[Prefecture],
    breaks: Iterable[StructuralBreak],
    version: str,
) -> Page:
    """The page of a region."""
    return _Builder(frames, region, insurers, list(prefectures), list(breaks), version).page()


class _Builder:
    def __init__(
        self,
        frames: dict[str, pl.DataFrame],
        region: Region,
        insurers: dict[str, Insurer],
        prefectures: list[Prefecture],
        breaks: list[StructuralBreak],
        version: str,
    ) -> None:
        if len(region.place_keys) != 1:
            raise LakeError(f"config/regions/{region.region_key}.yaml", f"{len(region.place_keys)} places", "one", "Name one place.",
                            ExitCode.BAD_CONFIG)  # fmt: skip
        shares = frames["fct_biosimilar_share"].filter(pl.col("scope") == "brand")  # as the published figures count
        self.frames = frames | {"fct_biosimilar_share": shares}
        self.region, self.insurers, self.prefectures, self.version = region, insurers, prefectures, version
        self.is_whole = set(region.insurers) == set(insurers)
        share = self._here(shares).filter(pl.col("setting") == "all")
        self.share, self.share_of_insurers = self._region_rows(share), self._insurer_rows(share)
        if self.share.is_empty():
            raise LakeError("marts.fct_biosimilar_share", "no row of this region", "shares", "Run lake ingest and lake build.",
                            ExitCode.NOT_READY)  # fmt: skip
        self.fiscal_year, self.year_months = self._main_year()
        self.months = sorted(set(self._rows(self.share, "month", "all")["period"]))
        self.last_claim_month = self._last_claim_month()
        last_final = wording.add_months(self.last_claim_month, -LATE_CLAIM_MONTHS)
        self.provisional = [m for m in self.months if m > last_final]
        self.names = dict(frames["dim_ingredient"].select("ingredient_key", "ingredient_ja").iter_rows())
        self.ingredients = self._ingredients()
        self.breaks = self._breaks(breaks)
        self.marks = dict(zip(sorted({month for month, _, _ in self.breaks}), CIRCLED, strict=False))

    def _breaks(self, breaks: list[StructuralBreak]) -> list[tuple[int, str, set[str]]]:
        """(month, title, ingredients) of what bends a series of this report; no ingredient = all of them."""
        found = []
        for event in breaks:
            month = event.break_date.year * 100 + event.break_date.month
            keys = set(event.ingredient_keys.split(",")) if event.ingredient_keys else set()
            is_drawn = not keys.isdisjoint(self.ingredients) if keys else event.title_ja.startswith(BREAKS_OF_ALL)
            if is_drawn and self.months[0] < month <= self.months[-1]:
                found.append((month, event.title_ja, keys))
        return found

    # --- selections -------------------------------------------------------------------------------------------------

    def _here(self, frame: pl.DataFrame, geography: str = "facility_of_use") -> pl.DataFrame:
        place = (pl.col("place_level") == self.region.place_level) & (pl.col("place_key") == self.region.place_keys[0])
        return frame.filter(place & (pl.col("geography") == geography))

    def _insurer_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter((pl.col("population_kind") == "insurer") & pl.col("population_key").is_in(self.region.insurers))

    def _region_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the region's insurers together. Patients add up too: a person is known inside one insurer only."""
        if self.is_whole:
            return frame.filter(pl.col("population_kind") == "all")
        parts = [c for c in ADDITIVE if c in frame.columns]
        keys = [c for c in frame.columns if c not in (*parts, *POPULATION, "share_ratio", "months_in_period")]
        more = [pl.col("months_in_period").max()] if "months_in_period" in frame.columns else []
        pooled = self._insurer_rows(frame).group_by(keys).agg(*(pl.col(c).sum() for c in parts), *more)
        if "numerator" in parts:
            ratio = pl.when(pl.col("denominator") > 0).then(pl.col("numerator").cast(float) / pl.col("denominator").cast(float))
            pooled = pooled.with_columns(ratio.alias("share_ratio"))
        return pooled

    def _rows(self, frame: pl.DataFrame, period_kind: str, ingredient: str | None = None, convention: str = "claims_units") -> pl.DataFrame:
        chosen = (pl.col("period_kind") == period_kind) & (pl.col("convention") == convention)
        return frame.filter(chosen if ingredient is None else chosen & (pl.col("ingredient_key") == ingredient))

    def _year(self, frame: pl.DataFrame, ingredient: str | None = None, convention: str = "claims_units") -> pl.DataFrame:
        return self._rows(frame, "fiscal_year", ingredient, convention).filter(pl.col("period") == self.fiscal_year)

    def _main_year(self) -> tuple[int, int]:
        """The last fiscal year with twelve months, else the last: what a year says is compared with official years."""
        years = self._rows(self.share, "fiscal_year", "all").select("period", "months_in_period").sort("period").rows()
        return max(((y, n) for y, n in years if n >= 12), default=years[-1])

    def _last_claim_month(self) -> int:
        arrived = self.frames["fct_completeness"].filter(
            pl.col("insurer_number").is_in(self.region.insurers) & pl.col("status").is_in(ARRIVED)
        )
        return int(arrived["claim_month"].max() or 0)  # type: ignore[arg-type]

    def _ingredients(self) -> list[str]:
        """Ingredients with a BS listed by the end of the year; the one with most money still on the originator first, hidden ones last."""
        end = (self.fiscal_year + 1) * 100 + 3
        is_listed = pl.col("is_in_kpi_denominator") & (pl.col("first_bs_listing_month") <= end)
        listed = self.frames["dim_ingredient"].filter(is_listed)["ingredient_key"].to_list()
        value = {r["ingredient_key"]: r["denominator"] - r["numerator"] for r in self._year(self.share, convention="value").to_dicts()}
        n = self._patients()
        return sorted(listed, key=lambda key: (0 < n.get(key, 0) < MIN_PATIENTS_SHOWN, n.get(key, 0) == 0, -value.get(key, 0), key))

    def _patients(self) -> dict[str, int]:
        return {r["ingredient_key"]: r["patient_count"] for r in self._year(self.share).to_dicts()}

    def _name(self, ingredient: str) -> str:
        """Without the remark in brackets that the official name may carry."""
        return self.names.get(ingredient, ingredient).split("(")[0].split("（")[0]

    def _short(self, number: str) -> str:
        return self.insurers[number].short_name_ja

    # --- parts ------------------------------------------------------------------------------------------------------

    def page(self) -> Page:
        year_text = f"{self.fiscal_year}年度" + (f"（{self.year_months}か月分）" if self.year_months < 12 else "")
        distance, distance_table, unused = self._distance()
        peers, peers_table = self._peers()
        trends, trends_table, undrawn = self._trends()
        bars, unit, savings_table, savings_sentence, savings_note = self._savings()
        tiles, tiles_table = self._tiles()
        arrivals, arrivals_table, arrivals_sentence = self._arrivals()
        kpi, kpi_sentence = self._kpi()
        total = self._year(self.share, "all").to_dicts()[0]
        n_text = _patients(total["patient_count"]).text
        headlines = [
            Headline("バイオシミラー数量シェア", _shared(total).text, f"{year_text}・請求単位・患者 {n_text}人"),
            Headline("数量シェア80％以上の成分", kpi, f"{year_text}・国の目標は60％以上の成分"),
            Headline("医療費適正効果額", savings_sentence[0], savings_sentence[1]),
        ]
        return Page(
            title=f"バイオシミラー使用状況レポート　{self.region.name_ja}",
            region=self.region,
            facts=self._facts(year_text),
            notes=self._notes(),
            year=year_text,
            headlines=headlines,
            sentences=self._sentences(total, year_text, kpi_sentence, savings_sentence),
            official=self._official(),
            official_note=self._official_note(),
            kpi_sentence=kpi_sentence,
            distance=distance,
            distance_table=distance_table,
            distance_note=self._hidden_note(distance),
            unused=unused,
            peers=peers,
            peers_table=peers_table,
            peer_ingredients_table=self._peer_ingredients(),
            trends=trends,
            trends_table=trends_table,
            break_legend=[
                (mark, f"{wording.month(month)} {'・'.join(title for at, title, _ in self.breaks if at == month)}")
                for month, mark in self.marks.items()
            ],
            undrawn=undrawn,
            savings=bars,
            savings_unit=unit,
            savings_table=savings_table,
            savings_note=savings_note,
            tiles=tiles,
            tiles_table=tiles_table,
            arrivals=arrivals,
            arrivals_table=arrivals_table,
            arrivals_sentence=arrivals_sentence,
            terms=self._terms(year_text),
        )

    def _facts(self, year_text: str) -> list[tuple[str, str]]:
        members = sum(self.insurers[n].member_count or 0 for n in self.region.insurers)
        provisional = f"（{wording.months(self.provisional[0], self.provisional[-1])}は暫定）" if self.provisional else ""
        return [
            ("対象", f"{len(self.region.insurers)}保険者・加入者 {members:,}人（保険者の届出）"),
            ("診療年月", f"{wording.months(self.months[0], self.months[-1])}{provisional}"),
            ("主な集計期間", f"{year_text}（診療年月）"),
            ("審査年月", f"{wording.month(self.last_claim_month)}請求分まで"),
            ("数え方", "請求単位（レセプトの数量をそのまま合計）"),
            ("薬価", "診療月の薬価"),
            ("加入者カバー率", f"{NO_DATA}（地域全体の加入者数が未登録）"),
            ("版", self.version),
        ]

    def _notes(self) -> list[str]:
        notes = []
        if self.region.is_synthetic:
            notes.append("このレポートの保険者・医療機関・加入者・レセプトはすべて架空です。数値から現実の状況を読み取ることはできません。")
        if self.region.note_ja:
            notes.append(self.region.note_ja)
        return notes

    def _sentences(self, total: Row, year_text: str, kpi_sentence: str, saving: tuple[str, str]) -> list[str]:
        number = len(self.ingredients)
        first = f"バイオシミラー数量シェア（{number}成分計、請求単位）は {year_text}で {_shared(total)}。{self._change()}"
        sentences = [first, kpi_sentence]
        if saving[0] not in (NOT_COMPUTABLE, HIDDEN):
            sentences.append(f"先行バイオ医薬品の薬価との差でみた医療費適正効果額は {saving[0]}（{saving[1]}）。")
        return sentences

    def _change(self) -> str:
        """This fiscal year's final months against the same months of the year before; silent when chance could explain it."""
        rows = {r["period"]: r for r in self._rows(self.share, "month", "all").to_dicts()}
        final = [m for m in self.months if m not in self.provisional]
        now = [m for m in final if wording.fiscal_year(m) == wording.fiscal_year(final[-1])] if final else []
        before = [wording.add_months(m, -12) for m in now]
        if not now or any(m not in rows for m in before):
            return ""
        shares, patients = [], []
        for months in (now, before):
            numerator, denominator = (sum(rows[m][part] for m in months) for part in ("numerator", "denominator"))
            shares.append(float(numerator / denominator) if denominator else 0.0)
            patients.append(max(rows[m]["patient_count"] for m in months))
        if min(patients) < MIN_PATIENTS_COMPARED or not differs(shares[0], patients[0], shares[1], patients[1]):
            return ""
        gap = shares[0] - shares[1]
        points = abs(wording.rounded(gap * 100, 1))
        moved = "上がった" if gap > 0 else "下がった"
        return f"{wording.months(now[0], now[-1])}診療は {wording.share(shares[0])}で、前年同期より {points}ポイント{moved}。"

    def _kpi(self) -> tuple[str, str]:
        """The national KPI for the year: from its mart; counted over the region's ingredients where only some insurers take part."""
        frame = self._here(self.frames["fct_biosimilar_kpi"]).filter(
            (pl.col("population_kind") == "all") & (pl.col("period_kind") == "fiscal_year") & (pl.col("period") == self.fiscal_year)
        )
        rows = {r["denominator_kind"]: r for r in frame.to_dicts()}
        if "listed" not in rows:
            return NOT_COMPUTABLE, "80％以上の成分数は算定不可（収載成分の数がない）。"
        listed = rows["listed"]["ingredient_count"]
        if self.is_whole:
            reached = rows["listed"]["reached_ingredient_count"]
        else:
            shares = self._year(self.share).filter(pl.col("ingredient_key") != "all")
            reached = shares.filter(pl.col("share_ratio") >= TARGET_SHARE).height
        missing = ceil(listed * TARGET_KPI) - reached
        goal = f"国の目標（60％）まであと {missing}成分。" if missing > 0 else "国の目標（60％）に達している。"
        used = f"使用のあった {rows['used']['ingredient_count']}成分でみると {wording.share(rows['used']['kpi_ratio'])}。" if (
            self.is_whole and "used" in rows and rows["used"]["ingredient_count"]
        ) else ""  # fmt: skip
        return f"{reached} / {listed}", f"80％以上の成分は 収載 {listed}成分中 {reached}成分（{self.fiscal_year}年度）。{goal}{used}"

    def _nation(self) -> dict[str, Row]:
        """The latest NDB year of each ingredient, whole country, all settings."""
        frame = self.frames["fct_ndb_share"].filter(
            (pl.col("place_level") == "nation") & (pl.col("setting") == "all") & pl.col("share_ratio").is_not_null()
        )
        return {r["ingredient_key"]: r for r in frame.sort("fiscal_year").to_dicts()}

    def _official(self) -> Table:
        nation, own = self._nation(), {r["ingredient_key"]: r for r in self._year(self.share).to_dicts()}
        rows = []
        for key in self.ingredients:
            row, other = own.get(key), nation.get(key)
            ours, n = _shared(row), _patients(row["patient_count"] if row else 0)
            if other is None:
                rows.append([Cell(self._name(key)), ours, n, Cell(NO_DATA), Cell(NOT_COMPUTABLE), Cell("全国値がない")])
                continue
            official = Cell(
                f"{wording.share(other['share_ratio'])}（{other['fiscal_year']}年度）", str(wording.share(other["share_ratio"]).value)
            )
            if ours.value is None or row is None:
                rows.append([Cell(self._name(key)), ours, n, official, Cell(ours.text), Cell("比べない")])
                continue
            gap = float(row["share_ratio"]) - float(other["share_ratio"])
            real = differs(float(row["share_ratio"]), row["patient_count"], float(other["share_ratio"]))
            years = self.fiscal_year - other["fiscal_year"]
            words = (f"偶然を超える差（{years}年度の違いを含む）" if years else "偶然を超える差") if real else "偶然の範囲"
            rows.append([Cell(self._name(key)), ours, n, official, wording.difference(gap), Cell(words)])
        header = ["成分", f"本地域（{self.fiscal_year}年度）", "患者数（人）", "NDB 全国（年度）", "差", "読み方"]
        return Table("official", "数量シェア：本地域と NDBオープンデータの全国値", header, rows)

    def _official_note(self) -> str:
        if not self._nation():
            return f"全国値は{NO_DATA}（NDBオープンデータが未取込。取り込むと、この表と次の図に全国値が入る）。"
        return (
            "違いの主な理由：年度の違い、対象の違い（全国民と本地域の加入者）、NDBオープンデータの非表示（400未満は0として扱う）と掲載品目の上限。"
            "どちらも請求単位の合計で、DPC包括分の薬剤は含まない。"
        )

    def _distance(self) -> tuple[list[Dot], Table, list[str]]:
        nation, own = self._nation(), {r["ingredient_key"]: r for r in self._year(self.share).to_dicts()}
        peers = self._year(self.share_of_insurers)
        dots, rows, unused = [], [], []
        for key in self.ingredients:
            row = own.get(key)
            n = row["patient_count"] if row else 0
            of_key = peers.filter(pl.col("ingredient_key") == key).to_dicts()
            hidden = hidden_cells({r["population_key"]: r["patient_count"] for r in of_key})
            seen = [float(r["share_ratio"]) for r in of_key if r["population_key"] not in hidden and r["share_ratio"] is not None]
            low, high = (min(seen), max(seen)) if len(seen) > 1 else (None, None)
            other = nation.get(key)
            cell, value = _shared(row), None
            if row and cell.value is not None:
                value = float(row["share_ratio"])
            rest = (
                wording.difference(TARGET_SHARE - value)
                if value is not None and value < TARGET_SHARE
                else Cell("達成" if value else cell.text)
            )
            rows.append([
                Cell(self._name(key)), cell, _patients(n), rest, _nation_cell(other),
                Cell(f"{wording.share(low)}〜{wording.share(high)}" if low is not None else NOT_COMPUTABLE),
                Cell(f"{len(seen)}保険者", str(len(seen))),
            ])  # fmt: skip
            if n == 0:
                unused.append(self._name(key))
                continue
            year = f"・全国{other['fiscal_year']}" if other else ""
            dots.append(Dot(
                self._name(key), f"{_patients(n)}人{year}", value, f"{cell}（患者10人未満）",
                float(other["share_ratio"]) if other else None, low, high, is_small=n < MIN_PATIENTS_COMPARED,
            ))  # fmt: skip
        header = [
            "成分",
            f"数量シェア（{self.fiscal_year}年度）",
            "患者数（人）",
            "80％まで",
            "NDB 全国（年度）",
            "保険者の範囲",
            "範囲に含む保険者",
        ]
        return dots, Table("distance", "成分別の数量シェアと80％までの距離", header, rows), unused

    def _hidden_note(self, dots: list[Dot]) -> str:
        hidden = sum(1 for dot in dots if dot.own is None)
        return f"{hidden}成分は患者が10人未満のため秘匿。" if hidden else ""

    def _by_size(self) -> list[str]:
        return sorted(self.region.insurers, key=lambda n: (-(self.insurers[n].member_count or 0), n))

    def _peers(self) -> tuple[list[Dot], Table]:
        own = {r["population_key"]: r for r in self._year(self.share_of_insurers, "all").to_dicts()}
        whole = float(self._year(self.share, "all")["share_ratio"][0] or 0)
        hidden = hidden_cells({key: r["patient_count"] for key, r in own.items()})
        ranked = sorted(
            (k for k, r in own.items() if r["patient_count"] >= MIN_PATIENTS_COMPARED and k not in hidden),
            key=lambda k: -own[k]["share_ratio"],
        )
        dots, rows = [], []
        for number in self._by_size():
            row, members = own.get(number), wording.count(self.insurers[number].member_count)
            name = Cell(self._short(number))
            n = row["patient_count"] if row else 0
            if row is None or number in hidden or row["share_ratio"] is None:
                text = HIDDEN if number in hidden else NOT_COMPUTABLE
                patients = Cell(HIDDEN) if number in hidden and n >= MIN_PATIENTS_SHOWN else _patients(n)
                rows.append([name, members, Cell(text), Cell(text), patients, Cell(text), Cell(text), Cell("比べない")])
                dots.append(Dot(name.text, f"{patients}人" if patients.text != HIDDEN else HIDDEN, None, text))
                continue
            value = float(row["share_ratio"])
            low, high = interval(value, n)
            small = n < MIN_PATIENTS_COMPARED
            words = "少数（順位をつけない）" if small else "偶然を超える差" if differs(value, n, whole) else "偶然の範囲"
            rank = Cell("—（30人未満）") if small else Cell(f"{ranked.index(number) + 1} / {len(ranked)}")
            rows.append([
                name, members, wording.share(value), Cell(f"{wording.share(low)}〜{wording.share(high)}"), _patients(n),
                wording.difference(value - whole), rank, Cell(words),
            ])  # fmt: skip
            dots.append(Dot(name.text, f"{_patients(n)}人" + ("・少数" if small else ""), value, "", whole, low, high, is_small=small))
        header = ["保険者", "加入者数（人）", "数量シェア", "95％区間", "患者数（人）", "地域全体との差", "高い順", "読み方"]
        return dots, Table("peers", f"保険者別の数量シェア（全成分計、{self.fiscal_year}年度）", header, rows)

    def _peer_ingredients(self) -> Table:
        frame = self._year(self.share_of_insurers)
        numbers, rows = self._by_size(), []
        for key in self.ingredients:
            own = {r["population_key"]: r for r in frame.filter(pl.col("ingredient_key") == key).to_dicts()}
            hidden = hidden_cells({k: r["patient_count"] for k, r in own.items()})
            rows.append([Cell(self._name(key)), *(Cell(HIDDEN) if n in hidden else _with_n(own.get(n)) for n in numbers)])
        caption = f"保険者別・成分別の数量シェア（患者数、{self.fiscal_year}年度）"
        return Table("peer-ingredients", caption, ["成分", *map(self._short, numbers)], rows)

    def _trends(self) -> tuple[list[Trend], Table, list[str]]:
        trends, rows, undrawn = [], [], []
        since = self.provisional[0] if self.provisional else None
        for key in ["all", *self.ingredients]:
            by_month = {r["period"]: r for r in self._rows(self.share, "month", key).to_dicts()}
            cells = [_shared(by_month.get(month)) for month in self.months]
            values = [float(by_month[m]["share_ratio"]) if c.value is not None else None for m, c in zip(self.months, cells, strict=True)]
            name = "全成分計" if key == "all" else self._name(key)
            rows.append([Cell(name), *cells])
            if sum(v is not None for v in values) >= min(MIN_MONTHS_DRAWN, len(self.months)):
                months = sorted({month for month, _, keys in self.breaks if not keys or key in keys})
                trends.append(Trend(key, name, Series(self.months, values, since), [(month, self.marks[month]) for month in months]))
            elif by_month:
                undrawn.append(name)
        header = ["成分", *(wording.month(m) + ("（暫定）" if m in self.provisional else "") for m in self.months)]
        return trends, Table("trend", "数量シェアの推移（月別、請求単位）", header, rows), undrawn

    def _savings(self) -> tuple[list[Bar], str, Table, tuple[str, str], str]:
        frame = self._region_rows(self._here(self.frames["fct_saving_realised"])).filter(
            (pl.col("setting") == "all") & (pl.col("period_kind") == "fiscal_year")
        )
        vintages = {year: "・".join(map(_vintage, sorted(part["price_vintage"].unique()))) for (year,), part in frame.group_by("period")}
        frame = frame.group_by("period", "ingredient_key").agg(pl.col("quantity", "saving_yen", "uncomputable_quantity").sum())
        years = sorted(vintages)
        saved = {(r["period"], r["ingredient_key"]): r for r in frame.to_dicts()}
        patients = {(r["period"], r["ingredient_key"]): r["patient_count"] for r in self._rows(self.share, "fiscal_year").to_dicts()}
        months = dict(self._rows(self.share, "fiscal_year", "all").select("period", "months_in_period").rows())
        keys = [k for k in self.ingredients if any((y, k) in saved for y in years)]
        hidden = {(y, k) for y in years for k in hidden_cells({k: patients.get((y, k), 0) for k in keys if (y, k) in saved})}
        rows, drawn = [], []
        partly: list[str] = []
        not_computable: list[str] = []
        for key in keys:
            cells = [Cell(self._name(key))]
            for year in years:
                cells += _saving_cells(saved.get((year, key)), (year, key) in hidden)
            rows.append(cells)
            now = saved.get((self.fiscal_year, key))
            if now is None or (self.fiscal_year, key) in hidden:
                continue
            if _is_computable(now):
                drawn.append((self._name(key), now["saving_yen"]))
            if now["uncomputable_quantity"]:
                (partly if _is_computable(now) else not_computable).append(self._name(key))
        rows.append([Cell("合計"), *(c for y in years for c in _total_cells(saved.get((y, "all"))))])
        drawn.sort(key=lambda pair: -pair[1])
        top = max((abs(v) for _, v in drawn), default=Decimal(0))
        scale, unit = (10**8, "億円") if top >= 10**9 else (10**4, "万円") if top >= 10**4 else (1, "円")
        bars = [Bar(name, float(value) / scale, wording.yen(value).text) for name, value in drawn]
        header = ["成分"]
        for year in years:
            part = f"{year}年度" + (f"（{months[year]}か月）" if months.get(year, 12) < 12 else "")
            header += [f"{part} 効果額（薬価 {vintages[year]}）", f"{part} BS数量", f"{part} 算定不可の数量"]
        total = saved.get((self.fiscal_year, "all"))
        headline = _total_cells(total)[0].text
        note = f"{self.fiscal_year}年度・薬価 {vintages.get(self.fiscal_year, NO_DATA)}・{len(keys)}成分計"
        negative = [name for name, value in drawn if value < 0]
        remark = f"{'、'.join(negative)}は、BSの薬価が対応する先行品を上回るため負の値になる。" if negative else ""
        if not_computable:
            remark += f"{NOT_COMPUTABLE}（対応する先行品の薬価がない）：{'、'.join(not_computable)}。"
        if partly:
            remark += f"数量の一部が{NOT_COMPUTABLE}：{'、'.join(partly)}。"
        n_hidden = sum(1 for y, _ in hidden if y == self.fiscal_year)
        if n_hidden:
            remark += f"{n_hidden}成分は患者が少ないため秘匿（合計には含む）。"
        table = Table("savings", "医療費適正効果額（薬価ベース、年度別・成分別）", header, rows)
        return bars, unit, table, (headline, note), remark

    def _tiles(self) -> tuple[list[Tile], Table]:
        found: dict[str, dict[str, Row]] = {}
        for geography in ("facility_of_use", "prescriber"):
            frame = self.frames["fct_biosimilar_share"].filter(
                (pl.col("place_level") == "prefecture") & (pl.col("geography") == geography) & (pl.col("setting") == "all")
            )
            found[geography] = {r["place_key"]: r for r in self._year(self._region_rows(frame), "all").to_dicts()}
        hidden = {g: hidden_cells({k: r["patient_count"] for k, r in rows.items()}) for g, rows in found.items()}
        tiles, rows = [], []
        for prefecture in self.prefectures:
            code = prefecture.prefecture_code
            row, is_hidden = found["facility_of_use"].get(code), code in hidden["facility_of_use"]
            value = float(row["share_ratio"]) if row and not is_hidden and row["share_ratio"] is not None else None
            text = f"{wording.rounded(value * 100, 0)}" if value is not None else HIDDEN if is_hidden else "なし"
            tiles.append(Tile(prefecture.tile_column, prefecture.tile_row, prefecture.prefecture_short_ja, text, value, is_hidden))
            cells = [Cell(prefecture.prefecture_ja)]
            for geography, by_place in found.items():
                cells += _place_cells(by_place.get(code), code in hidden[geography])
            rows.append(cells)
        if any(UNKNOWN_PLACE in by_place for by_place in found.values()):
            unknown = ((by_place.get(UNKNOWN_PLACE), UNKNOWN_PLACE in hidden[g]) for g, by_place in found.items())
            rows.append([Cell("所在地不明"), *(cell for row, is_hidden in unknown for cell in _place_cells(row, is_hidden))])
        header = ["都道府県", "使用した施設の所在地", "患者数（人）", "処方した医療機関の所在地", "患者数（人）"]
        return tiles, Table("prefecture", f"都道府県別の数量シェア（全成分計、{self.fiscal_year}年度）", header, rows)

    def _arrivals(self) -> tuple[tuple[list[str], list[int], list[list[str]]], Table, str]:
        frame = self.frames["fct_completeness"].filter(pl.col("insurer_number").is_in(self.region.insurers))
        months = sorted(set(frame["claim_month"]))
        kinds: dict[tuple[str, int], list[Row]] = {}
        for row in frame.to_dicts():
            kinds.setdefault((row["insurer_number"], row["claim_month"]), []).append(row)
        states, rows, total_missing = [], [], 0
        for number in self._by_size():
            cells = [_arrival(kinds.get((number, month), [])) for month in months]
            states.append(cells)
            expected = [r for m in months for r in kinds.get((number, m), []) if r["is_expected"]]
            missing = [r for r in expected if r["status"] not in ARRIVED]
            total_missing += len(missing)
            which = "、".join(f"{wording.month(r['claim_month'])} {_kind(r)} {r['status_ja']}" for r in missing) or "なし"
            counted = frame.filter(pl.col("insurer_number") == number).select(pl.col(*COUNTED).sum()).row(0)
            rows.append([
                Cell(self._short(number)), wording.count(len(expected)), wording.count(len(expected) - len(missing)), Cell(which),
                *map(wording.count, counted),
            ])  # fmt: skip
        sentence = (
            f"予定した提出のうち {total_missing}件が届いていない。その月の値は低めに出る。"
            if total_missing
            else f"予定した提出は {wording.months(months[0], months[-1])}請求分まですべて届いている。"
        )
        sums = frame.select(pl.col(*COUNTED).sum()).row(0, named=True)
        sentence += f"読めずに隔離した行は {_part(sums['quarantine_line_count'], sums['line_count'])}、"
        sentence += f"マスターにない医薬品の行は {_part(sums['unknown_drug_line_count'], sums['drug_line_count'])}。"
        header = ["保険者", "予定（月×種別）", "到着（月×種別）", "未着", *COUNTED.values()]
        names = [self._short(n) for n in self._by_size()]
        return (names, months, states), Table("arrival", "レセプトの到着状況（請求年月）", header, rows), sentence

    def _terms(self, year_text: str) -> Table:
        entries = yaml.safe_load((Path(__file__).parent / "terms.yaml").read_text(encoding="utf-8"))
        header, parts = list(entries["header"].values()), list(entries["header"])
        measures = {row["measure_key"]: row for row in self.frames["dim_measure"].to_dicts()}
        rows = [[Cell(_term(entry, measures).get(part, "—")) for part in parts] for entry in entries["terms"]]
        return Table("terms", f"用語と算出方法（特に断らない値は{year_text}）", header, rows)


def _term(entry: Row, measures: dict[str, Row]) -> Row:
    """An entry of terms.yaml, or the words of the measure that it names."""
    if "measure" not in entry:
        return entry
    if entry["measure"] not in measures:
        raise LakeError("marts.dim_measure", f"no measure {entry['measure']}", "a measure for each figure of the report",
                        f"Put config/measures/{entry['measure']}.yaml back and run lake build.", ExitCode.NOT_READY)  # fmt: skip
    measure = measures[entry["measure"]]
    named = {
        "name": "name_ja",
        "definition": "definition_ja",
        "convention": "convention_ja",
        "n": "n_ja",
        "price": "price_ja",
        "source": "data_ja",
    }
    return {part: measure[column] for part, column in named.items()} | {"unit": UNITS_JA[measure["unit"]]}


def _vintage(text: str) -> str:
    """2025-04 → 2025年4月改定."""
    return f"{wording.month(int(text.replace('-', '')))}改定" if text != "unknown" else "時点不明"


def _part(part: int, whole: int) -> str:
    return f"{part:,} / {whole:,}行"


def _kind(row: Row) -> str:
    return KIND_JA.get(row["claim_kind"], str(row["claim_kind"]))


def _patients(n: int | None) -> Cell:
    return Cell(FEW) if n and n < MIN_PATIENTS_SHOWN else wording.count(n or 0)


def _shared(row: Row | None) -> Cell:
    """A share, or why there is none."""
    if row is None or row["share_ratio"] is None:
        return Cell(NOT_COMPUTABLE)
    return Cell(HIDDEN) if row["patient_count"] < MIN_PATIENTS_SHOWN else wording.share(row["share_ratio"])


def _with_n(row: Row | None) -> Cell:
    cell = _shared(row)
    return cell if row is None or cell.value is None else Cell(f"{cell}（{row['patient_count']:,}）", cell.value)


def _nation_cell(row: Row | None) -> Cell:
    if row is None:
        return Cell(NO_DATA)
    share = wording.share(row["share_ratio"])
    return Cell(f"{share}（{row['fiscal_year']}年度）", share.value)


def _is_computable(row: Row) -> bool:
    """There is a quantity whose reference has a price; a saving of nothing but others is 算定不可, not 0."""
    return bool(row["quantity"])


def _saving_cells(row: Row | None, is_hidden: bool) -> list[Cell]:
    if is_hidden:
        return [Cell(HIDDEN)] * 3
    if row is None:
        return [Cell("0円", "0"), Cell("0", "0"), Cell("0", "0")]
    amount = wording.yen(row["saving_yen"]) if _is_computable(row) else Cell(NOT_COMPUTABLE)
    return [amount, wording.quantity(row["quantity"]), wording.quantity(row["uncomputable_quantity"])]


def _total_cells(row: Row | None) -> list[Cell]:
    """The sum over ingredients has no quantity: units of different ingredients don't add up to anything."""
    amount = wording.yen(row["saving_yen"]) if row is not None and _is_computable(row) else Cell(NOT_COMPUTABLE)
    return [amount, Cell("—（単位が異なる）"), Cell("—（単位が異なる）")]


def _place_cells(row: Row | None, is_hidden: bool) -> list[Cell]:
    if row is None:
        return [Cell(NO_DATA), Cell("0", "0")]
    if is_hidden:
        return [Cell(HIDDEN), Cell(FEW if row["patient_count"] < MIN_PATIENTS_SHOWN else HIDDEN)]
    return [_shared(row), _patients(row["patient_count"])]


def _arrival(rows: list[Row]) -> str:
    expected = [r for r in rows if r["is_expected"]]
    arrived = [r for r in expected if r["status"] in ARRIVED]
    if not expected:
        return "none"
    return "arrived" if len(arrived) == len(expected) else "partly" if arrived else "missing"
