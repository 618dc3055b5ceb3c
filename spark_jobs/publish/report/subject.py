"""Whose figures the report tells and of which months: the selections of marts that its sections share."""

from collections.abc import Iterable
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from spark_jobs.config import Insurer, Region, Scenario
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.publish import disclosure
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.wording import Cell

LATE_CLAIM_MONTHS = 3  # a service month is 暫定 until the third claim month after it has arrived (月遅れ, 返戻の再請求)
ARRIVED = ("arrived", "unexpected")
KEYS = [key for key in disclosure.CELL if key not in disclosure.POPULATION]
KEYS += ["yakko_class_2", "variant", "scenario_key", "price_vintage"]
Row = dict[str, Any]


class Subject:
    """A region: its insurers together (`region_rows`), one by one (`insurer_rows`), its place, its main fiscal year.

    `frames`: marts by name. Rows of the region's share carry `hidden_ja`: what is hidden in PostgreSQL is hidden here.
    """

    def __init__(
        self, frames: dict[str, pl.DataFrame], region: Region, insurers: dict[str, Insurer], scenarios: dict[str, Scenario], version: str
    ) -> None:
        if len(region.place_keys) != 1:
            raise LakeError(f"config/regions/{region.region_key}.yaml", f"{len(region.place_keys)} places", "one", "Name one place.",
                            ExitCode.BAD_CONFIG)  # fmt: skip
        self.frames, self.region, self.insurers, self.scenarios, self.version = frames, region, insurers, scenarios, version
        self.is_whole = set(region.insurers) == set(insurers)
        self.kinds = {number: insurer.kind for number, insurer in insurers.items()}
        self.brand = self.judged(frames["fct_biosimilar_share"]).filter(pl.col("scope") == "brand")
        self.share = self.here(self.brand).filter((pl.col("setting") == "all") & (pl.col("population_kind") == "all"))
        if self.share.is_empty():
            raise LakeError("marts.fct_biosimilar_share", "no row of this region", "shares", "Run lake ingest and lake build.",
                            ExitCode.NOT_READY)  # fmt: skip
        self.fiscal_year, self.year_months = self._main_year()
        self.months = sorted(set(self.rows(self.share, "month", "all")["period"]))
        self.last_claim_month = self._last_claim_month()
        last_final = wording.add_months(self.last_claim_month, -LATE_CLAIM_MONTHS)
        self.provisional = [month for month in self.months if month > last_final]
        self.names = dict(frames["dim_ingredient"].select("ingredient_key", "ingredient_ja").iter_rows())
        self.reached_from = float(self.target("biosimilar_quantity_share")["value_ratio"])
        self.ingredients = self._ingredients()

    @property
    def year_text(self) -> str:
        return f"{self.fiscal_year}年度" + (f"（{self.year_months}か月分）" if self.year_months < 12 else "")

    # --- rows of marts ------------------------------------------------------------------------------------------------

    def here(self, frame: pl.DataFrame, geography: str = "facility_of_use") -> pl.DataFrame:
        place = (pl.col("place_level") == self.region.place_level) & (pl.col("place_key") == self.region.place_keys[0])
        return frame.filter(place & (pl.col("geography") == geography)) if "geography" in frame.columns else frame.filter(place)

    def insurer_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter((pl.col("population_kind") == "insurer") & pl.col("population_key").is_in(self.region.insurers))

    def region_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the region's insurers together."""
        return frame.filter(pl.col("population_kind") == "all") if self.is_whole else self.together(frame)

    def together(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Sum of the insurers' rows. Patients add up too: a person is known inside one insurer only. Of remarks the least stands."""
        keys = [name for name in KEYS if name in frame.columns]
        others = [name for name in frame.columns if name not in (*keys, *disclosure.POPULATION) and not name.endswith("_ratio")]
        numbers = [name for name in others if frame.schema[name].is_decimal() or name.endswith("_count")]
        remarks = [name for name in others if name not in (*numbers, "months_in_period")]
        longest = [pl.col(name).max() for name in others if name == "months_in_period"]
        summed = self.insurer_rows(frame).group_by(keys).agg(pl.col(numbers).sum(), pl.col(remarks).min(), *longest)
        if "numerator" in numbers:
            parts = (pl.col("numerator").cast(pl.Float64), pl.col("denominator").cast(pl.Float64))
            summed = summed.with_columns(share_ratio=pl.when(parts[1] > 0).then(parts[0] / parts[1]))
        return summed.with_columns(population_kind=pl.lit("all"), population_key=pl.lit("all"))

    def rows(self, frame: pl.DataFrame, period_kind: str, ingredient: str | None = None, convention: str = "claims_units") -> pl.DataFrame:
        chosen = (pl.col("period_kind") == period_kind) & (pl.col("convention") == convention)
        return frame.filter(chosen if ingredient is None else chosen & (pl.col("ingredient_key") == ingredient))

    def year(self, frame: pl.DataFrame, ingredient: str | None = None, convention: str = "claims_units") -> pl.DataFrame:
        return self.rows(frame, "fiscal_year", ingredient, convention).filter(pl.col("period") == self.fiscal_year)

    def judged(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows that count patients, of the region (as `all`) and of its insurers, with hidden_ja of the former."""
        rows = self._region_and_insurers(frame)
        return _with(rows, disclosure.of_units(rows.lazy(), self.kinds))

    def judged_amounts(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same for rows of money, which count no patients: those of the shares stand behind them."""
        rows, cells = self._region_and_insurers(frame), self.brand.filter(pl.col("convention") == "claims_units")
        units = cells.filter(disclosure.IS_SHARED).select(*(key for key in disclosure.CELL if key != "convention"), "hidden_ja")
        return _with(rows, disclosure.of_amounts(rows.lazy(), cells.lazy(), units, self.kinds))

    def _region_and_insurers(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame if self.is_whole else pl.concat([self.together(frame), self.insurer_rows(frame)], how="diagonal_relaxed")

    # --- periods, people, targets -------------------------------------------------------------------------------------

    def _main_year(self) -> tuple[int, int]:
        """The last fiscal year with twelve months, else the last: what a year says is compared with official years."""
        years = self.rows(self.share, "fiscal_year", "all").select("period", "months_in_period").sort("period").rows()
        return max(((year, months) for year, months in years if months >= 12), default=years[-1])

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
        value = {r["ingredient_key"]: r["denominator"] - r["numerator"] for r in self.year(self.share, convention="value").to_dicts()}
        own = self.own_year
        return sorted(listed, key=lambda key: (key in own and own[key]["hidden_ja"] is not None, key not in own, -value.get(key, 0), key))

    @cached_property
    def own_year(self) -> dict[str, Row]:
        """Ingredient → the region's row of the main year."""
        return {row["ingredient_key"]: row for row in self.year(self.share).to_dicts()}

    @cached_property
    def by_size(self) -> list[str]:
        return sorted(self.region.insurers, key=lambda number: (-(self.insurers[number].member_count or 0), number))

    def name(self, ingredient: str) -> str:
        """Without the remark in brackets that the official name may carry."""
        return "全成分計" if ingredient == "all" else self.names.get(ingredient, ingredient).split("(")[0].split("（")[0]

    def short(self, number: str) -> str:
        return self.insurers[number].short_name_ja

    def target(self, measure: str) -> Row:
        """The nation's target of a measure, in force in the last month."""
        found = [row for row in self.targets(measure) if row["owner_kind"] == "nation"]
        if not found:
            raise LakeError("marts.dim_target", f"no target of the nation for {measure}", "one in force", "See config/targets.",
                            ExitCode.NOT_READY)  # fmt: skip
        return found[-1]

    def targets(self, measure: str) -> list[Row]:
        """Targets in force that concern this region: of the nation, its place, its insurers and their kinds; by the day they are due."""
        last = date(self.months[-1] // 100, self.months[-1] % 100, 1)
        owners = {("nation", "all"), *(("insurer", number) for number in self.region.insurers),
                  *(("insurer_kind", self.insurers[number].kind) for number in self.region.insurers),
                  *((self.region.place_level, key) for key in self.region.place_keys)}  # fmt: skip
        rows = self.frames["dim_target"].filter(
            (pl.col("measure_key") == measure) & (pl.col("valid_from") <= last) & pl.col("valid_to").fill_null(last).ge(last)
        )
        return [row for row in rows.sort("due_date").to_dicts() if (row["owner_kind"], row["owner_key"]) in owners]

    def measure(self, key: str) -> Row:
        """The words of a measure."""
        found = self.frames["dim_measure"].filter(pl.col("measure_key") == key).to_dicts()
        if not found:
            raise LakeError("marts.dim_measure", f"no measure {key}", "a measure for each figure of the report",
                            f"Put config/measures/{key}.yaml back and run lake build.", ExitCode.NOT_READY)  # fmt: skip
        return found[0]


def _with(rows: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    return rows.join(judged, [name for name in judged.columns if name != "hidden_ja"], "left", maintain_order="left")


def patients(row: Row | None) -> Cell:
    """Their number, or why it is not told."""
    if row is None:
        return Cell("0", "0")
    return Cell(row["hidden_ja"]) if row["hidden_ja"] else wording.count(row["patient_count"])


def shared(row: Row | None) -> Cell:
    """A share, or why there is none."""
    if row is None or row["share_ratio"] is None:
        return Cell(wording.NOT_COMPUTABLE)
    return Cell(wording.HIDDEN) if row["hidden_ja"] else wording.share(row["share_ratio"])


def vintages(found: Iterable[str]) -> str:
    """2025-04 → 2025年4月改定."""
    words = [f"{wording.month(int(text.replace('-', '')))}改定" if text != "unknown" else "時点不明" for text in sorted(set(found))]
    return "・".join(words) or wording.NO_DATA
