"""Part 6, どこで: the prefectures, by where the drug was used and by who prescribed it."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.publish.report import wording
from spark_jobs.publish.report.charts import Tile
from spark_jobs.publish.report.subject import Row, Subject, patients, shared
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import HIDDEN, NO_DATA, Cell

UNKNOWN_PLACE = "00"
GEOGRAPHIES = ("facility_of_use", "prescriber")


@dataclass(frozen=True)
class Place:
    tiles: list[Tile]
    table: Table


def build(subject: Subject) -> Place:
    """All ingredients together, the main year."""
    found: dict[str, dict[str, Row]] = {}
    for geography in GEOGRAPHIES:
        frame = subject.brand.filter(
            (pl.col("population_kind") == "all") & (pl.col("place_level") == "prefecture") & (pl.col("geography") == geography)
            & (pl.col("setting") == "all")
        )  # fmt: skip
        found[geography] = {row["place_key"]: row for row in subject.year(frame, "all").to_dicts()}
    tiles, rows = [], []
    for place in subject.frames["dim_place"].filter(pl.col("place_level") == "prefecture").sort("place_key").to_dicts():
        code = place["place_key"]
        if code == UNKNOWN_PLACE:
            continue
        tiles.append(_tile(place, found["facility_of_use"].get(code)))
        rows.append([Cell(place["place_ja"]), *(cell for by_place in found.values() for cell in _cells(by_place.get(code)))])
    if any(UNKNOWN_PLACE in by_place for by_place in found.values()):
        unknown = (by_place.get(UNKNOWN_PLACE) for by_place in found.values())
        rows.append([Cell("所在地不明"), *(cell for row in unknown for cell in _cells(row))])
    header = ["都道府県", "使用した施設の所在地", "患者数（人）", "処方した医療機関の所在地", "患者数（人）"]
    return Place(tiles, Table("prefecture", f"都道府県別の数量シェア（全成分計、{subject.fiscal_year}年度）", header, rows))


def _tile(place: Row, row: Row | None) -> Tile:
    cell = shared(row)
    is_hidden = cell.text == HIDDEN
    value = float(row["share_ratio"]) if row and cell.value is not None else None
    text = f"{wording.rounded(value * 100, 0)}" if value is not None else HIDDEN if is_hidden else "なし"
    return Tile(place["tile_column"], place["tile_row"], place["place_short_ja"], text, value, is_hidden)


def _cells(row: Row | None) -> list[Cell]:
    return [Cell(NO_DATA), Cell("0", "0")] if row is None else [shared(row), patients(row)]
