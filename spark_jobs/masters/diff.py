"""`lake masters diff`: what an edition of the 医薬品マスター changes, against what is loaded or an earlier edition. Writes nothing."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
from rich.table import Table as RichTable

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import drug_master
from spark_jobs.settings import Settings

CHANGES = {
    "new": "new code",
    "gone": "code no longer there",
    "renumbered": "same name or 12-digit code under another 9-digit code",
    "moved": "another 12-digit code",
    "repriced": "another price per claim unit",
}
SHOWN = 40  # rows of a change on the screen; the CSV has all
FACTS = ("drug_code", "drug_name_ja", "yakka_code_12", "price_yen")
COLUMNS = (
    "change",
    "drug_code",
    "old_drug_code",
    "drug_name_ja",
    "yakka_code_12",
    "old_yakka_code_12",
    "price_yen",
    "old_price_yen",
    "change_percent",
)


def run(
    settings: Settings, kind: str, path: Path, against: Path | None = None, dated: date | None = None, against_dated: date | None = None
) -> pl.DataFrame:
    """One row per change of a code: `COLUMNS`."""
    if kind != "drug-master":
        raise LakeError("masters diff", f"kind {kind}", "drug-master", "Give it.", ExitCode.USAGE)
    edition = drug_master.read(path, dated)
    first_day = edition["in_force_from"][0]
    before = drug_master.read(against, against_dated) if against else _loaded(settings, first_day - timedelta(days=1))
    if before.is_empty():
        raise LakeError(
            "masters diff", "no drug master is loaded", "one, or --against", "Run lake masters load shipped.", ExitCode.NOT_READY
        )
    ended = pl.min_horizontal("abolished_on", "transitional_until") < first_day
    now = edition.filter(~ended.fill_null(False)).select(FACTS)
    return compare(before.select(FACTS), now, is_whole=edition["is_whole"][0])


def _loaded(settings: Settings, day: date) -> pl.DataFrame:
    """Codes, names and prices of a day by `masters.drug` and `masters.drug_price`."""
    holds = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
    prices = delta.read(settings, tables.DRUG_PRICE).filter(holds).select("drug_code", "price_yen")
    return delta.read(settings, tables.DRUG).filter(holds).join(prices, on="drug_code", how="left")


def compare(before: pl.DataFrame, now: pl.DataFrame, *, is_whole: bool = True) -> pl.DataFrame:
    """Changes from one state to the next. Of an excerpt nothing is gone. A renumbered code is neither new nor gone."""
    old = before.rename({name: f"old_{name}" for name in FACTS})
    new = now.join(before, on="drug_code", how="anti")
    gone = old.join(now, left_on="old_drug_code", right_on="drug_code", how="anti")
    by_name = _pairs(new, gone, "drug_name_ja")
    by_code = _pairs(
        new.join(by_name, on="drug_code", how="anti"), gone.join(by_name, on="old_drug_code", how="anti"), "yakka_code_12"
    )  # fmt: skip
    renumbered = pl.concat([by_name, by_code])
    kept = now.join(old, left_on="drug_code", right_on="old_drug_code", how="inner").with_columns(old_drug_code="drug_code")
    parts = {
        "new": new.join(renumbered, on="drug_code", how="anti"),
        "gone": gone.join(renumbered, on="old_drug_code", how="anti").filter(is_whole).with_columns(drug_name_ja="old_drug_name_ja"),
        "renumbered": renumbered,
        "moved": kept.filter(pl.col("yakka_code_12").ne_missing(pl.col("old_yakka_code_12"))),
        "repriced": kept.filter(pl.col("price_yen") != pl.col("old_price_yen")),
    }
    both = {**before.schema, **old.schema}
    frames = [part.with_columns(pl.lit(change).alias("change")) for change, part in parts.items()]
    percent = ((pl.col("price_yen") / pl.col("old_price_yen")).cast(pl.Float64) - 1).mul(100).round(1)
    together = pl.concat([pl.DataFrame(schema={"change": pl.String, **both}), *frames], how="diagonal")
    priced = pl.col("old_price_yen").cast(pl.Float64) > 0
    return (
        together.with_columns(pl.when(priced).then(percent).alias("change_percent"))
        .sort(pl.col("change").cast(pl.Enum(list(CHANGES))), pl.coalesce("drug_code", "old_drug_code"))
        .select(COLUMNS)
    )


def _pairs(new: pl.DataFrame, gone: pl.DataFrame, fact: str) -> pl.DataFrame:
    """New and gone codes that share a fact which no third code has."""
    alone = lambda frame, name: frame.filter(pl.col(name).is_not_null() & pl.col(name).is_unique())  # noqa: E731
    pairs = alone(new, fact).join(alone(gone, f"old_{fact}"), left_on=fact, right_on=f"old_{fact}", how="inner", coalesce=False)
    return pairs.select([*new.columns, *gone.columns])


def table(changes: pl.DataFrame) -> RichTable:
    """The changes for the eye; of many of one kind the first."""
    counts = dict(changes["change"].value_counts().rows())
    title = ", ".join(f"{counts.get(change, 0):,} {change}" for change in CHANGES)
    shown = RichTable(title=title, caption="; ".join(f"{change}: {words}" for change, words in CHANGES.items()))
    for name in ("change", "code", "name", "12-digit code", "yen", "%"):
        shown.add_column(name, justify="right" if name in ("yen", "%") else "left", no_wrap=name != "name", overflow="fold")
    for change in CHANGES:
        of_change = changes.filter(change=change)
        for row in of_change.head(SHOWN).iter_rows(named=True):
            pairs = ((_text(row[f"old_{name}"]), _text(row[name])) for name in ("drug_code", "yakka_code_12", "price_yen"))
            code, yakka, yen = (" → ".join(dict.fromkeys(filter(None, pair))) for pair in pairs)
            shown.add_row(change, code, row["drug_name_ja"], yakka, yen, _text(row["change_percent"]))
        if of_change.height > SHOWN:
            shown.add_row(change, f"… {of_change.height - SHOWN:,} more in the CSV")
    return shown


def _text(value: Decimal | float | str | None) -> str:
    return "" if value is None else f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
