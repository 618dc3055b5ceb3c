"""ops.baseline, ops.baseline_figure: what a region's insurers were before it acts (基準値), frozen with a hash: nobody moves it later.

The figures are copied out of the marts: versions of marts are removed by `lake maintain`, a baseline stays. Each insurer has its own hash,
so that one of them can withdraw without touching what the others agreed to.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from spark_jobs import build, config, delta, tables
from spark_jobs.config import Region
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity.access import os_user
from spark_jobs.publish import marts
from spark_jobs.publish.marts import Mart
from spark_jobs.publish.serving import GRAIN
from spark_jobs.settings import Settings
from spark_jobs.touched import later

MARTS = ("fct_biosimilar_share", "fct_saving_realised")
PERIOD_KIND = "rolling_12"
MONTHS = 12
LAG = 1  # months from 診療年月 to the 請求年月 under which nearly all of it comes
KEY = ("mart", "place_level", "place_key", "geography", "ingredient_key", "setting", "period_kind", "period", "variant", "figure")
VALUE = pl.Decimal(38, 8)


def freeze(settings: Settings, region_key: str, by: str, last_service_month: int | None = None) -> list[str]:
    """Freeze the figures of the 12 months up to `last_service_month` (default: the newest that all insurers have). One line per insurer."""
    from spark_jobs.rollout.rollout_state import Rollout

    region, rollout, where = config.region(settings, region_key), Rollout.now(settings), f"lake rollout freeze {region_key}"
    if not by.strip():
        raise LakeError(where, "no --by", "who freezes it: a post or committee", "Give it.", ExitCode.USAGE)
    standing = rollout.standings[region_key]
    if (state := standing.state) != "baseline":
        raise LakeError(
            where, f"the region is {state or 'not joined'}", "a region in the state baseline: what acts already has no figures of before",
            "lake rollout status says what comes next.", ExitCode.NOT_READY,
        )  # fmt: skip
    months = rollout.common_run(region)
    last = last_service_month or later(months[-1], -LAG)  # a region in this state has months
    wanted = [later(last, LAG - n) for n in range(MONTHS)]
    if lacking := sorted(set(wanted) - set(months)):
        raise LakeError(
            where, f"claim months without all files: {', '.join(map(str, lacking))}", f"those of {MONTHS} service months up to {last}",
            "lake status names what is missing.", ExitCode.NOT_READY,
        )  # fmt: skip
    build.check_is_new(settings, where)
    found = marts.read(settings)
    if missing := [name for name in MARTS if name not in found]:
        raise LakeError(where, f"no marts.{missing[0]}", "the marts", "Run lake build.", ExitCode.NOT_READY)
    figures = pl.concat([_figures(found[name], region, last) for name in MARTS])
    if without := sorted(set(region.insurers) - set(figures.filter(pl.col("mart") == "fct_biosimilar_share")["insurer_number"])):
        raise LakeError(
            where, f"no shares of {', '.join(without)} for the 12 months up to {last}", "figures of each insurer",
            "Run lake build; an insurer without biologics can not be measured, take it out of the region.", ExitCode.NOT_READY,
        )  # fmt: skip
    known = set(_of_round(settings, region_key, standing.round_began_at)["sha256"])
    return list(_record(settings, region, last, by.strip(), figures, known, {name: found[name].version for name in MARTS}))


def _figures(mart: Mart, region: Region, last: int) -> pl.DataFrame:
    """Figures of the region's insurers over the window: for the nation and for the region's place, of its ingredients."""
    others = [name for name in GRAIN[mart.name] if name not in ("population_kind", "population_key", *KEY)]
    figures = [
        c.name for c in mart.columns if c.name not in GRAIN[mart.name] and (c.type.startswith("decimal") or c.name.endswith("_count"))
    ]
    is_here = (pl.col("place_level") == "nation") | (
        (pl.col("place_level") == region.place_level) & pl.col("place_key").is_in(region.place_keys)
    )
    rows = mart.frame().filter(
        pl.col("population_kind") == "insurer", pl.col("population_key").is_in(region.insurers), is_here,
        pl.col("period_kind") == PERIOD_KIND, pl.col("period") == last,
        pl.lit(True) if region.ingredients == "all" else pl.col("ingredient_key").is_in(region.ingredients),
    )  # fmt: skip
    variant = pl.concat_str([pl.concat_str(pl.lit(f"{name}="), pl.col(name).cast(pl.String)) for name in others], separator=", ")
    keys = ("insurer_number", *KEY[:-1])
    shaped = rows.with_columns(
        variant=variant, mart=pl.lit(mart.name), insurer_number="population_key", period=pl.col("period").cast(pl.Int32)
    )
    values = shaped.select(*keys, *(pl.col(figure).cast(VALUE) for figure in figures))
    return values.unpivot(figures, index=keys, variable_name="figure").drop_nulls("value")


def _record(
    settings: Settings, region: Region, last: int, by: str, figures: pl.DataFrame, known: Collection[str], versions: Mapping[str, int]
) -> Iterator[str]:  # fmt: skip
    for number in region.insurers:
        own = figures.filter(pl.col("insurer_number") == number).with_columns(region_key=pl.lit(region.region_key))
        sha256 = content_hash(own)
        if sha256 in known:
            yield f"{number}: frozen already, {sha256[:12]}"
            continue
        delta.replace(settings, tables.BASELINE_FIGURE, own.with_columns(sha256=pl.lit(sha256)), {"sha256": [sha256]})
        row = {
            "region_key": region.region_key, "insurer_number": number, "sha256": sha256, "first_service_month": later(last, 1 - MONTHS),
            "last_service_month": last, "figure_count": own.height, "mart_versions": json.dumps(dict(versions), sort_keys=True),
            "frozen_by": by, "os_user": os_user(), "recorded_at": datetime.now(UTC),
        }  # fmt: skip
        delta.append(settings, tables.BASELINE, [row])
        yield f"{number}: {own.height:,} figures of {later(last, 1 - MONTHS)}-{last} frozen, {sha256[:12]}"


def content_hash(figures: pl.DataFrame) -> str:
    """SHA-256 of the rows of one insurer as text: a row a line, fields between tabs, values with 8 decimals, lines in order."""
    columns = ("region_key", "insurer_number", *KEY)
    lines = sorted("\t".join([*map(str, keys), f"{Decimal(value):.8f}"]) for *keys, value in figures.select(*columns, "value").iter_rows())
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def latest(settings: Settings, region_key: str | None = None) -> pl.DataFrame:
    """The newest baseline of each region and insurer."""
    rows = delta.read(settings, tables.BASELINE, {"region_key": [region_key]} if region_key else None)
    return rows.sort("recorded_at").group_by("region_key", "insurer_number", maintain_order=True).last()


def _of_round(settings: Settings, region_key: str, since: datetime | None) -> pl.DataFrame:
    """The newest baselines of a region that were frozen since its round began."""
    own = latest(settings, region_key)
    return own.filter(pl.col("recorded_at") >= since) if since else own


def verify(settings: Settings, region_key: str | None = None) -> dict[tuple[str, str], str | None]:
    """Region and insurer of each baseline in force → what is wrong with its figures; None = they are as they were frozen."""
    found: dict[tuple[str, str], str | None] = {}
    for row in latest(settings, region_key).sort("region_key", "insurer_number").to_dicts():
        figures = delta.read(settings, tables.BASELINE_FIGURE, {"sha256": [row["sha256"]]})
        wrong = None
        if figures.height != row["figure_count"]:
            wrong = f"{figures.height} figures of {row['figure_count']}"
        elif content_hash(figures) != row["sha256"]:
            wrong = "figures that differ from what was frozen"
        found[row["region_key"], row["insurer_number"]] = wrong
    return found


def fault(settings: Settings, region: Region, since: datetime | None) -> tuple[str, str, str] | None:
    """(found, expected, what to do) where a region has no sound baseline of this round for each of its insurers."""
    key = region.region_key
    own = _of_round(settings, key, since)
    if without := [number for number in region.insurers if number not in set(own["insurer_number"])]:
        return f"no frozen baseline of {', '.join(without)}", "one for each insurer", f"lake rollout freeze {key} comes first."
    if changed := [f"{number}: {wrong}" for (_, number), wrong in verify(settings, key).items() if wrong and number in region.insurers]:
        return f"a baseline that was changed ({', '.join(changed)})", "as it was frozen", "Restore ops.baseline_figure from a backup."
    return None
