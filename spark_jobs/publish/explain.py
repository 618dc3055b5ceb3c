"""`lake explain`: from one figure of the marts to its cells, claims and lines. Reads the Delta tables, no Spark; every use is logged.

The lines of a figure are never held: what they add up to is aggregated as they are read, and only those of the claims shown are collected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from spark_jobs import build, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import access
from spark_jobs.publish import marts
from spark_jobs.publish.serving import GRAIN
from spark_jobs.settings import Settings
from spark_jobs.silver.claim import STILL

PLACES = ("nation", "prefecture")
GEOGRAPHIES = ("facility_of_use", "prescriber")
DEFAULTS = {
    "population_kind": "all", "population_key": "all", "place_level": "nation", "place_key": "all", "geography": "facility_of_use",
    "ingredient_key": "all", "setting": "all", "period_kind": "month", "convention": "claims_units", "yakko_class_2": "all",
    "variant": "quantity", "denominator_kind": "listed", "scenario_key": "full",
}  # fmt: skip
DEFAULTS_OF = {
    "fct_biosimilar_share": {"scope": "brand"}, "fct_generic_share": {"scope": "mhlw_insurer"},
    "fct_saving_potential": {"period_kind": "fiscal_year"},
}  # fmt: skip
ROOM = Decimal("0.000001")  # the marts keep six decimals
KEY = ["insurer_number", "service_month", "prefecture", "claim_key", "line_no", "drug_code", "person"]
CELL = ["service_month", "insurer_number", "prefecture"]
RECEIPT = ["claim_key", "file_sha256", "receipt_seq"]
SUM, EXACT = pl.Decimal(38, 12), pl.Decimal(38, 9)
Row = Mapping[str, Any]
Sums = dict[str, Decimal]


@dataclass(frozen=True)
class Figure:
    """How a row of a mart comes from drug lines. `lines`: KEY, and what each line adds; `again`: columns of the row, from the lines."""

    lines: Callable[[Settings, Row], pl.LazyFrame]
    again: Callable[[Settings, Row, pl.LazyFrame], Sums]
    cell: tuple[str, ...] = tuple(CELL)


@dataclass(frozen=True)
class Explanation:
    """A row of a mart, its drug lines, and what they add up to."""

    name: str
    row: dict[str, Any]
    lines: pl.LazyFrame
    sums: Sums

    @property
    def agrees(self) -> bool:
        """Every sum is the figure, but for what the marts round of each line, each part of it, and the units that a scenario moves."""
        least = max(Decimal(self.counts["lines"]), Decimal(1), self.dearest)
        return all(abs(found - self.row[name]) <= ROOM * max(least, found) for name, found in self.sums.items())

    @cached_property
    def dearest(self) -> Decimal:
        """Yen of a unit where it is most, once for each drug; 0 where no scenario moves units."""
        if "scenario_key" not in self.row:
            return Decimal(0)
        unit = (pl.col("saving_yen").cast(pl.Float64) / pl.col("quantity").cast(pl.Float64)).abs()
        yen, drugs = _collect(self.lines.filter(pl.col("quantity") > 0).select(unit.max(), drugs=pl.col("drug_code").n_unique())).row(0)
        return Decimal(yen or 0) * drugs

    @cached_property
    def counts(self) -> dict[str, int]:
        """Lines, and distinct claims and persons."""
        counted = self.lines.select(lines=pl.len(), claims=pl.col("claim_key").hash().n_unique(), persons=distinct_persons())
        return _collect(counted).row(0, named=True)


def distinct_persons(where: pl.Expr | None = None) -> pl.Expr:
    """How many; a person is known within one insurer."""
    known = pl.col("person").is_not_null() if where is None else pl.col("person").is_not_null() & where
    return pl.struct("insurer_number", "person").hash().filter(known).n_unique()


def explain(settings: Settings, name: str, asked: Mapping[str, str]) -> Explanation:
    """The one row of a mart that `asked` names (the rest by default, the latest period) with its lines."""
    if name not in FIGURES:
        raise LakeError("lake explain", name, " or ".join(FIGURES), "Name one of these figures.", ExitCode.USAGE)
    row = _row(settings, name, asked)
    if row["place_level"] not in PLACES or row["geography"] not in GEOGRAPHIES:
        raise LakeError(
            "lake explain", f"place_level={row['place_level']}, geography={row['geography']}",
            f"{' or '.join(PLACES)}, {' or '.join(GEOGRAPHIES)}", "Ask for such a place.", ExitCode.USAGE,
        )  # fmt: skip
    lines = FIGURES[name].lines(settings, row)
    return Explanation(name, row, lines, FIGURES[name].again(settings, row, lines))


def _row(settings: Settings, name: str, asked: Mapping[str, str]) -> dict[str, Any]:
    grain = GRAIN[name]
    unknown = sorted(set(asked) - set(grain))
    if unknown:
        raise LakeError("lake explain", f"{unknown[0]}=…", ", ".join(grain), "Name columns of the figure's grain.", ExitCode.USAGE)
    wanted = {key: value for key, value in (DEFAULTS | DEFAULTS_OF.get(name, {}) | dict(asked)).items() if key in grain}
    found = _built(settings, f"marts.{name}").filter(*(pl.col(key).cast(pl.String) == value for key, value in wanted.items())).collect()
    if "period" not in asked:
        found = found.filter(pl.col("period") == pl.col("period").max())
    if found.height != 1:
        said = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise LakeError(f"marts.{name}", f"{found.height} rows of {said}", "one row", "Name a row with use.", ExitCode.USAGE)
    return found.row(0, named=True)


def _built(settings: Settings, table: str) -> pl.LazyFrame:
    path = settings.table_path(table)
    if not (path / "_delta_log").exists():
        raise LakeError(f"{table}", "no table", "what lake build made", "Run lake build first.", ExitCode.NOT_READY)
    return pl.scan_delta(str(path))


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.collect(engine="streaming")


def _claims(settings: Settings) -> pl.LazyFrame:
    """Current claims of health insurers, with the person over a changed number."""
    links = delta.scan(settings, tables.PERSON_LINK).select("insurer_number", "person_id1", "person_id")
    claims = delta.scan(settings, tables.CLAIM).filter(pl.col("known_to_claim_month") == STILL, pl.col("insurer_number").is_not_null())
    return claims.join(links, on=["insurer_number", "person_id1"], how="left").with_columns(person=pl.coalesce("person_id", "person_id1"))


def _period(settings: Settings, row: Row) -> dict[str, Any]:
    periods = _built(settings, "marts.dim_period").filter(pl.col("period_kind") == row["period_kind"], pl.col("period") == row["period"])
    return periods.collect().row(0, named=True)


def _in_cell(settings: Settings, rows: pl.LazyFrame, row: Row) -> pl.LazyFrame:
    """Those of the population, place, setting, ingredient and months of a row; `prefecture` is that of its geography."""
    kind, key, period = row["population_kind"], row["population_key"], _period(settings, row)
    insurers = delta.read(settings, tables.INSURER)
    if kind != "all":
        insurers = insurers.filter(pl.col("insurer_kind" if kind == "insurer_kind" else "insurer_number") == key)
    place = "facility_prefecture_code" if row["geography"] == "facility_of_use" else "prescriber_prefecture_code"
    conditions = [
        pl.col("insurer_number").is_in(insurers["insurer_number"].implode()),
        pl.col("service_month").is_between(period["first_service_month"], period["last_service_month"]),
    ]
    if row["place_level"] == "prefecture":
        conditions.append(pl.col(place) == row["place_key"])
    for name in ("setting", "ingredient_key"):
        if row.get(name, "all") != "all":
            conditions.append(pl.col(name) == row[name])
    return rows.filter(*conditions).with_columns(prefecture=place)


def _sum(settings: Settings, row: Row, lines: pl.LazyFrame) -> Sums:
    """Whatever the lines add that the row has a column for."""
    added = [name for name in lines.collect_schema() if name in row and name not in GRAIN_COLUMNS]
    sums = _collect(lines.select(pl.col(name).cast(SUM).sum() for name in added)).row(0, named=True)
    return {name: value or Decimal(0) for name, value in sums.items()}


GRAIN_COLUMNS = {name for grain in GRAIN.values() for name in grain}

# --- shares --------------------------------------------------------------------------------------------------------------------------


def _biosimilar(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of fct_biosimilar_share: int_drug_line but what a DPC bundle paid. Persons are counted, not summed: each line has 1."""
    convention = row["convention"]
    used = _built(settings, "intermediate.int_drug_line").filter(
        pl.col("bundle_kind").ne_missing(pl.lit("dpc")), pl.col("share_side").is_not_null(), pl.col("quantity_claim_unit").is_not_null()
    )  # fmt: skip
    lines = _in_cell(settings, used, row)
    if row["scope"] == "same_form_only":
        lines = lines.filter("is_same_form")
    if convention == "new_starts":
        starts = _built(settings, "intermediate.int_new_start")
        lines = lines.join(starts, on=["insurer_number", "person_id", "ingredient_key", "service_month"], how="semi")
    if convention in OF_PERSONS:  # who has a line of no amount is a patient too
        lines = lines.filter(pl.col("person_id").is_not_null())
        amount = pl.lit(1, SUM)
    else:
        amounts = {"claims_units": "quantity_share_unit", "price_list_units": "quantity_price_list_unit", "value": "value_yen"}
        amount = pl.col(amounts[convention]).fill_null(0)
        lines = lines.filter(amount > 0)
    is_bs = pl.col("share_side") == "bs"
    return lines.select(
        *KEY[:-1], "ingredient_key", person="person_id", quantity="quantity_claim_unit",
        numerator=pl.when(is_bs).then(amount).otherwise(pl.lit(0)), denominator=amount,
    )  # fmt: skip


OF_PERSONS = ("patients", "new_starts")


def _share(settings: Settings, row: Row, lines: pl.LazyFrame) -> Sums:
    if row["convention"] not in OF_PERSONS:
        return _sum(settings, row, lines)
    counted = lines.select(numerator=distinct_persons(pl.col("numerator") > 0), denominator=distinct_persons())
    return {name: Decimal(value) for name, value in _collect(counted).row(0, named=True).items()}


def _of_kpi(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of the ingredients that the KPI counts in the period."""
    share = dict(row) | {"scope": "brand", "convention": "claims_units", "setting": "all", "ingredient_key": "all"}
    return _biosimilar(settings, share).filter(pl.col("ingredient_key").is_in(_listed(settings, row).implode()))


def _listed(settings: Settings, row: Row) -> pl.Series:
    last = _period(settings, row)["last_service_month"]
    found = _built(settings, "marts.dim_ingredient").filter("is_in_kpi_denominator", pl.col("first_bs_listing_month") <= last)
    return found.collect()["ingredient_key"]


def _kpi(settings: Settings, row: Row, lines: pl.LazyFrame) -> Sums:
    """Ingredients of the denominator, and those whose lines reach the share."""
    of_each = _collect(lines.group_by("ingredient_key").agg(
        pl.col("numerator", "denominator").cast(SUM).sum(), persons=distinct_persons()
    ))  # fmt: skip
    if row["denominator_kind"] == "used_by_n_patients":
        project = yaml.safe_load((build.PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
        of_each = of_each.filter(pl.col("persons") >= project["vars"]["kpi_least_patients"])
    is_reached = [bs >= row["reached_from_share_ratio"] * both for bs, both in of_each.select("numerator", "denominator").rows()]
    count = _listed(settings, row).len() if row["denominator_kind"] == "listed" else of_each.height
    return {"ingredient_count": Decimal(count), "reached_ingredient_count": Decimal(sum(is_reached))}


def _generic(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of fct_generic_share: every drug line of the scope, with its class of the month."""
    setting = (
        pl.when(pl.col("setting") == "inpatient").then(pl.lit("inpatient"))
        .when(pl.col("claim_kind") == "pha").then(pl.lit("outpatient_pharmacy")).otherwise(pl.lit("outpatient_in_hospital"))
    )  # fmt: skip
    prescriber = pl.when(pl.col("claim_kind") == "pha").then("prescriber_facility_code").otherwise("facility_code")
    claims = _claims(settings).select(
        "claim_key", "file_sha256", "insurer_number", "service_month", "claim_kind", "person", setting=setting,
        facility_prefecture_code=_prefecture(pl.col("facility_code")), prescriber_prefecture_code=_prefecture(prescriber),
    )  # fmt: skip
    if row["scope"] == "dispensing_only":
        claims = claims.filter(pl.col("claim_kind") == "pha")
    drugs = delta.scan(settings, tables.CLAIM_DRUG).select(
        "claim_key", "file_sha256", "line_no", "drug_code", "bundle_kind", "quantity_claim_unit"
    )
    lines = drugs.join(_in_cell(settings, claims, row), on=["claim_key", "file_sha256"])
    if row["scope"] == "mhlw_insurer":
        lines = lines.filter(pl.col("bundle_kind").ne_missing(pl.lit("dpc")))
    lines = lines.filter(pl.col("quantity_claim_unit").is_not_null()).join(
        _built(settings, "intermediate.int_drug_class"), on=["service_month", "drug_code"]
    )
    if row["yakko_class_2"] != "all":
        lines = lines.filter(pl.col("yakko_class_2") == row["yakko_class_2"])
    units = pl.col("claim_units_per_list_unit").fill_null(1)
    quantity = (pl.col("quantity_claim_unit").cast(SUM) / units).cast(SUM)
    value = (pl.col("quantity_claim_unit").cast(EXACT) * pl.col("price_yen")).fill_null(0)
    is_generic = (pl.col("availability_class") == "3").fill_null(False)
    is_substitutable = pl.col("availability_class").is_in(["2", "3"]).fill_null(False)
    in_addon, in_cutoff = ~pl.col("is_excluded_from_addon"), ~pl.col("is_outside_cutoff")
    numerator, denominator, amount = {
        "quantity": (is_generic, is_substitutable, quantity),
        "value": (is_generic, is_substitutable, value),
        "addon": (is_generic & in_addon, is_substitutable & in_addon, quantity),
        "cutoff": ((is_substitutable | pl.col("is_counted_in_cutoff")) & in_cutoff, in_cutoff, quantity),
    }[row["variant"]]
    counted = lines.select(
        *KEY, quantity="quantity_claim_unit", numerator=pl.when(numerator).then(amount).otherwise(pl.lit(0)),
        denominator=pl.when(denominator).then(amount).otherwise(pl.lit(0)),
    )  # fmt: skip
    return counted.filter(pl.col("denominator") > 0)


def _prefecture(facility: pl.Expr) -> pl.Expr:
    code = facility.str.head(2)
    return pl.when(code.is_between(pl.lit("01"), pl.lit("47"))).then(code).otherwise(pl.lit("00"))


# --- savings -------------------------------------------------------------------------------------------------------------------------


def _realised(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of fct_saving_realised: each BS and what it saved. Payers gain by units of 高額療養費, not by lines (int_payer_gain)."""
    made = _in_cell(settings, _saving_lines(settings), row).filter(pl.col("product_role").is_in(["BS", "bioAG"]))
    quantity, saving = pl.col("quantity_price_list_unit"), pl.col("saving_yen")
    return _of_vintage(settings, made, row).select(
        *KEY, "saving_yen", "constant_saving_yen", quantity=pl.when(saving.is_not_null()).then(quantity),
        uncomputable_quantity=pl.when(saving.is_null()).then(quantity), negative_saving_yen=pl.when(saving < 0).then(saving),
    )  # fmt: skip


def _bundled(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of fct_saving_bundled: each BS that the bundle of a DPC stay pays."""
    used = _built(settings, "intermediate.int_drug_line").filter(
        pl.col("bundle_kind") == "dpc", pl.col("product_role").is_in(["BS", "bioAG"]), pl.col("quantity_claim_unit").is_not_null()
    )  # fmt: skip
    quantity, is_computed = pl.col("quantity_price_list_unit"), pl.col("saving_yen").is_not_null()
    return _of_vintage(settings, _in_cell(settings, used, row), row).select(
        *KEY[:-1], person="person_id", hospital_saving_yen="saving_yen", quantity=pl.when(is_computed).then(quantity),
        uncomputable_quantity=pl.when(~is_computed).then(quantity),
    )  # fmt: skip


def _potential(settings: Settings, row: Row) -> pl.LazyFrame:
    """Lines of fct_saving_potential: each line that can move, by the part of its ingredient's quantity that the scenario moves."""
    scenario = delta.read(settings, tables.SCENARIO).row(by_predicate=pl.col("scenario_key") == row["scenario_key"], named=True)
    kind = scenario["scenario_kind"]
    yen = {"full": "full_saving_yen", "mean_price": "over_mean_yen"}.get(kind, "form_saving_yen")
    lines = _in_cell(settings, _saving_lines(settings), row).filter(pl.col(yen).is_not_null())
    if kind == "new_starts":
        lines = lines.filter("is_new_start")
    cell = [key for key in GRAIN["fct_saving_potential"] if key != "ingredient_key"]
    of_ingredient = _built(settings, "marts.fct_saving_potential").filter(
        pl.col("ingredient_key") != "all", *(pl.col(key) == row[key] for key in cell)
    )  # fmt: skip
    can_move = lines.group_by("ingredient_key").agg(can_move=pl.col("quantity_share_unit").cast(SUM).sum())
    part = of_ingredient.join(can_move, on="ingredient_key").select(
        "ingredient_key", part=pl.when(pl.col("can_move") > 0).then(pl.col("quantity").cast(SUM) / pl.col("can_move")).otherwise(pl.lit(0)),
        is_saved=pl.col("saving_yen") != 0,
    )  # fmt: skip
    moved = lines.join(part, on="ingredient_key")
    return moved.select(
        *KEY, quantity=(pl.col("quantity_share_unit").cast(SUM) * pl.col("part")).cast(SUM),
        saving_yen=pl.when("is_saved").then((pl.col(yen).cast(SUM) * pl.col("part")).cast(SUM)).otherwise(pl.lit(0)),
    )  # fmt: skip


def _saving_lines(settings: Settings) -> pl.LazyFrame:
    of_person = pl.when(pl.col("person_key") != pl.col("claim_key")).then("person_key")
    return _built(settings, "intermediate.int_saving_line").with_columns(person=of_person)


def _of_vintage(settings: Settings, lines: pl.LazyFrame, row: Row) -> pl.LazyFrame:
    months = _built(settings, "intermediate.int_service_month").filter(pl.col("price_vintage") == row["price_vintage"])
    return lines.join(months, on="service_month", how="semi")


FIGURES = {
    "fct_biosimilar_share": Figure(_biosimilar, _share),
    "fct_biosimilar_kpi": Figure(_of_kpi, _kpi, ("ingredient_key",)),
    "fct_generic_share": Figure(_generic, _sum),
    "fct_saving_realised": Figure(_realised, _sum),
    "fct_saving_potential": Figure(_potential, _sum),
    "fct_saving_bundled": Figure(_bundled, _sum),
}


def show(settings: Settings, name: str, asked: Mapping[str, str], with_lines: bool, limit: int, out: Console) -> None:
    """Print figure, definition, cells, claims and, if asked, the pseudonymised lines; the log says who looked."""
    found = explain(settings, name, asked)
    row, lines, counts = found.row, found.lines, found.counts
    insurer = row["population_key"] if row["population_kind"] == "insurer" else None
    said = " ".join(f"{key}={row[key]}" for key in GRAIN[name])
    access.record(settings, "explain", insurer, counts["persons"], detail=f"{name} {said}, {'lines' if with_lines else 'claims'}")
    mart = marts.read(settings)[name]
    out.print(f"{name} {said}", style="bold", highlight=False, soft_wrap=True)
    out.print(mart.comment, highlight=False, markup=False, soft_wrap=True)
    for column in mart.columns:
        if column.name in ("convention", "scope", "variant", "share_ratio", "kpi_ratio", *found.sums):
            out.print(f"  {column.name} = {row[column.name]}: {column.comment}", highlight=False, markup=False, soft_wrap=True)
    verdict = "the sum of the lines is the figure" if found.agrees else "NOT the figure: the lake moved since the last lake build"
    sums = ", ".join(f"{column} {value}" for column, value in found.sums.items())
    out.print(
        f"from the lines: {sums}; {verdict}. {counts['lines']:,} lines of {counts['claims']:,} claims, {counts['persons']:,} persons",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    cell, added = list(FIGURES[name].cell), [column for column in lines.collect_schema() if column not in (*KEY, "ingredient_key")]
    totals = [pl.col(column).cast(SUM).sum() for column in added]
    cells = _collect(lines.group_by(cell).agg(pl.len().alias("lines"), *totals)).sort(cell)
    _table(out, f"cells ({' × '.join(cell)})", cells, limit, cells.height)
    shown = claims(settings, lines, limit)
    _table(out, "claims (レセプト)", shown.select("claim_key", "file_name", "receipt_seq", "line_no", *added), limit, counts["claims"])
    if with_lines:
        text = written(settings, lines, shown)
        _table(out, "lines (仮名化済み)", text.select("file_name", "line_no", "line"), text.height, text.height)


def claims(settings: Settings, lines: pl.LazyFrame, limit: int) -> pl.DataFrame:
    """At most `limit` claims of these lines, the first by insurer, month and key, with their file; what their lines add."""
    order = ["insurer_number", "service_month", "claim_key"]
    first = _collect(lines.select(order).bottom_k(limit, by=order)).unique().lazy()
    added = [column for column in lines.collect_schema() if column not in (*KEY, "ingredient_key")]
    of_claim = lines.join(first, on=order, how="semi").group_by(order).agg(
        pl.col("line_no").sort().cast(pl.String).str.join(" "), pl.col(added).cast(SUM).sum()
    )  # fmt: skip
    receipts = _claims(settings).join(first, on=order, how="semi").select(*RECEIPT)
    names = delta.read(settings, tables.DELIVERY).sort("event_no").group_by("file_sha256").agg(pl.last("file_name"))
    return _collect(of_claim.join(receipts, on="claim_key")).join(names, on="file_sha256", how="left").sort(order)


def written(settings: Settings, lines: pl.LazyFrame, of_claims: pl.DataFrame) -> pl.DataFrame:
    """The stored lines, pseudonymised, that those of these claims were read from."""
    wanted = _collect(
        lines.select("claim_key", "line_no", "drug_code").join(of_claims.lazy().select("claim_key"), on="claim_key", how="semi")
    )
    wanted = wanted.join(of_claims.select(*RECEIPT, "file_name"), on="claim_key")
    held = delta.scan(settings, tables.CLAIM_LINE, {"file_sha256": wanted["file_sha256"].unique().to_list()})
    at = ["file_sha256", "line_no"]
    text = _collect(held.join(wanted.lazy().select(at), on=at, how="semi").select(*at, "line")).unique(at)
    return wanted.join(text, on=at, how="left").sort("file_name", "line_no")


def _table(out: Console, title: str, rows: pl.DataFrame, limit: int, count: int) -> None:
    more = f", the first {min(limit, rows.height)} of {count:,}" if count > rows.height or rows.height > limit else f", {count:,}"
    table = Table(title=f"{title}{more}", title_justify="left", box=box.SIMPLE_HEAD)
    for name in rows.columns:
        table.add_column(name, overflow="fold", justify="right" if rows[name].dtype.is_numeric() else "left")
    for row in rows.head(limit).rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)
