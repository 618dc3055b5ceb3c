"""`lake explain`: from one figure of the marts to its cells, claims and lines. Reads the Delta tables, no Spark; every use is logged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from spark_jobs import delta, tables
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
    "variant": "quantity",
}  # fmt: skip
DEFAULT_SCOPE = {"fct_biosimilar_share": "brand", "fct_generic_share": "mhlw_insurer"}
ROOM = Decimal("0.000001")  # the marts keep six decimals
LINE = ["insurer_number", "service_month", "prefecture", "claim_key", "file_sha256", "receipt_seq", "line_no", "drug_code", "person"]


@dataclass(frozen=True)
class Explanation:
    """A row of a mart, and the drug lines that it is made of, each with what it adds to numerator and denominator."""

    name: str
    row: dict[str, Any]
    lines: pl.DataFrame
    is_of_persons: bool  # counts distinct persons: the lines do not add up

    @property
    def sums(self) -> tuple[Decimal, Decimal]:
        """Numerator and denominator once more, from the lines."""
        if self.is_of_persons:
            used = self.lines.filter(pl.col("denominator") > 0)
            return Decimal(persons(used.filter(pl.col("numerator") > 0))), Decimal(persons(used))
        return _sum(self.lines["numerator"]), _sum(self.lines["denominator"])

    @property
    def agrees(self) -> bool:
        return all(abs(found - self.row[name]) <= ROOM for name, found in zip(("numerator", "denominator"), self.sums, strict=True))


def persons(lines: pl.DataFrame) -> int:
    """Distinct persons; a person is known within one insurer."""
    return lines.filter(pl.col("person").is_not_null()).select("insurer_number", "person").n_unique()


def _sum(values: pl.Series) -> Decimal:
    return sum((value for value in values if value is not None), Decimal(0))


def explain(settings: Settings, name: str, asked: Mapping[str, str]) -> Explanation:
    """The one row of a mart that `asked` names (the rest by default, the latest period) with its lines."""
    if name not in LINES_OF:
        raise LakeError("lake explain", name, " or ".join(LINES_OF), "Name one of these figures.", ExitCode.USAGE)
    row = _row(settings, name, asked)
    if row["place_level"] not in PLACES or row["geography"] not in GEOGRAPHIES:
        raise LakeError(
            "lake explain", f"place_level={row['place_level']}, geography={row['geography']}",
            f"{' or '.join(PLACES)}, {' or '.join(GEOGRAPHIES)}", "Ask for such a place.", ExitCode.USAGE,
        )  # fmt: skip
    lines = LINES_OF[name](settings, row).filter(pl.col("denominator") > 0).select(*LINE, "quantity", "numerator", "denominator").collect()
    return Explanation(
        name, row, lines.sort("insurer_number", "service_month", "file_sha256", "line_no"), row.get("convention") == "patients"
    )


def _row(settings: Settings, name: str, asked: Mapping[str, str]) -> dict[str, Any]:
    grain = GRAIN[name]
    unknown = sorted(set(asked) - set(grain))
    if unknown:
        raise LakeError("lake explain", f"{unknown[0]}=…", ", ".join(grain), "Name columns of the figure's grain.", ExitCode.USAGE)
    mart = pl.scan_delta(str(_path(settings, f"marts.{name}")))
    wanted = {key: value for key, value in (DEFAULTS | {"scope": DEFAULT_SCOPE[name]} | dict(asked)).items() if key in grain}
    found = mart.filter(*(pl.col(key).cast(pl.String) == value for key, value in wanted.items())).collect()
    if "period" not in asked:
        found = found.filter(pl.col("period") == pl.col("period").max())
    if found.height != 1:
        said = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise LakeError(f"marts.{name}", f"{found.height} rows of {said}", "one row", "Name a row with use.", ExitCode.USAGE)
    return found.row(0, named=True)


def _path(settings: Settings, table: str) -> Any:
    path = settings.table_path(table)
    if not (path / "_delta_log").exists():
        raise LakeError(f"{table}", "no table", "what lake build made", "Run lake build first.", ExitCode.NOT_READY)
    return path


def _built(settings: Settings, table: str) -> pl.LazyFrame:
    return pl.scan_delta(str(_path(settings, table)))


def _claims(settings: Settings) -> pl.LazyFrame:
    """Current claims of health insurers, with the person over a changed number."""
    links = delta.scan(settings, tables.PERSON_LINK).select("insurer_number", "person_id1", "person_id")
    claims = delta.scan(settings, tables.CLAIM).filter(pl.col("known_to_claim_month") == STILL, pl.col("insurer_number").is_not_null())
    return claims.join(links, on=["insurer_number", "person_id1"], how="left").with_columns(person=pl.coalesce("person_id", "person_id1"))


def _in_cell(settings: Settings, lines: pl.LazyFrame, row: Mapping[str, Any]) -> pl.LazyFrame:
    """Lines of the population, place, setting and months of a row; `prefecture` is that of its geography."""
    kind, key = row["population_kind"], row["population_key"]
    insurers = delta.read(settings, tables.INSURER)
    if kind != "all":
        insurers = insurers.filter(pl.col("insurer_kind" if kind == "insurer_kind" else "insurer_number") == key)
    period = _built(settings, "marts.dim_period").filter(
        pl.col("period_kind") == row["period_kind"], pl.col("period") == row["period"]
    ).collect().row(0, named=True)  # fmt: skip
    facility = "facility_code" if row["geography"] == "facility_of_use" else "prescriber_facility_code"
    code = pl.col(facility).str.head(2)
    lines = lines.with_columns(prefecture=pl.when(code.is_between(pl.lit("01"), pl.lit("47"))).then(code).otherwise(pl.lit("00")))
    conditions = [
        pl.col("insurer_number").is_in(insurers["insurer_number"].implode()),
        pl.col("service_month").is_between(period["first_service_month"], period["last_service_month"]),
    ]
    if row["place_level"] == "prefecture":
        conditions.append(pl.col("prefecture") == row["place_key"])
    if row["setting"] != "all":
        conditions.append(pl.col("setting") == row["setting"])
    return lines.filter(*conditions)


def _biosimilar(settings: Settings, row: Mapping[str, Any]) -> pl.LazyFrame:
    """Lines of fct_biosimilar_share: int_drug_line but what a DPC bundle paid, with the receipt of each."""
    places = _claims(settings).select("claim_key", "file_sha256", "receipt_seq")
    used = _built(settings, "intermediate.int_drug_line").filter(pl.col("bundle_kind").ne_missing(pl.lit("dpc")))
    lines = _in_cell(settings, used, row).join(places, on="claim_key")
    if row["scope"] == "same_form_only":
        lines = lines.filter(pl.col("is_same_form"))
    if row["ingredient_key"] != "all":
        lines = lines.filter(pl.col("ingredient_key") == row["ingredient_key"])
    amount = {
        "claims_units": pl.col("quantity_share_unit"), "price_list_units": pl.col("quantity_price_list_unit"), "value": pl.col("value_yen"),
        "patients": pl.col("quantity_share_unit"),
    }  # fmt: skip
    if row["convention"] not in amount:
        raise LakeError("lake explain", f"convention={row['convention']}", " or ".join(amount), "Ask for one of these.", ExitCode.USAGE)
    counted = amount[row["convention"]].fill_null(0)
    is_counted = pl.lit(True) if row["convention"] != "patients" else pl.col("person_id").is_not_null()
    if row["convention"] == "patients":  # who has a line of no amount is a patient too
        counted = pl.lit(1, pl.Decimal(24, 12))
    return lines.filter(pl.col("share_side").is_not_null(), pl.col("quantity_claim_unit").is_not_null(), is_counted).with_columns(
        person="person_id", quantity="quantity_claim_unit", denominator=counted,
        numerator=pl.when(pl.col("share_side") == "bs").then(counted).otherwise(pl.lit(0)),
    )  # fmt: skip


def _generic(settings: Settings, row: Mapping[str, Any]) -> pl.LazyFrame:
    """Lines of fct_generic_share: every drug line of the scope, with its class of the month."""
    claims = _claims(settings)
    setting = (
        pl.when(pl.col("setting") == "inpatient").then(pl.lit("inpatient"))
        .when(pl.col("claim_kind") == "pha").then(pl.lit("outpatient_pharmacy")).otherwise(pl.lit("outpatient_in_hospital"))
    )  # fmt: skip
    prescriber = pl.when(pl.col("claim_kind") == "pha").then("prescriber_facility_code").otherwise("facility_code")
    claims = claims.select(
        "claim_key", "file_sha256", "receipt_seq", "insurer_number", "service_month", "claim_kind", "person", "facility_code",
        setting=setting, prescriber_facility_code=prescriber,
    )  # fmt: skip
    drugs = delta.scan(settings, tables.CLAIM_DRUG).select(
        "claim_key", "file_sha256", "line_no", "drug_code", "bundle_kind", "quantity_claim_unit"
    )
    lines = _in_cell(settings, drugs.join(claims, on=["claim_key", "file_sha256"]), row)
    if row["scope"] == "mhlw_insurer":
        lines = lines.filter(pl.col("bundle_kind").ne_missing(pl.lit("dpc")))
    elif row["scope"] == "dispensing_only":
        lines = lines.filter(pl.col("claim_kind") == "pha")
    lines = lines.filter(pl.col("quantity_claim_unit").is_not_null()).join(
        _built(settings, "intermediate.int_drug_class"), on=["service_month", "drug_code"]
    )
    if row["yakko_class_2"] != "all":
        lines = lines.filter(pl.col("yakko_class_2") == row["yakko_class_2"])
    units = pl.col("claim_units_per_list_unit").fill_null(1)
    quantity = (pl.col("quantity_claim_unit").cast(pl.Decimal(38, 12)) / units).cast(pl.Decimal(38, 12))
    value = (pl.col("quantity_claim_unit").cast(pl.Decimal(38, 9)) * pl.col("price_yen")).fill_null(0)
    is_generic = (pl.col("availability_class") == "3").fill_null(False)
    is_substitutable = pl.col("availability_class").is_in(["2", "3"]).fill_null(False)
    in_addon, in_cutoff = ~pl.col("is_excluded_from_addon"), ~pl.col("is_outside_cutoff")
    numerator, denominator, amount = {
        "quantity": (is_generic, is_substitutable, quantity),
        "value": (is_generic, is_substitutable, value),
        "addon": (is_generic & in_addon, is_substitutable & in_addon, quantity),
        "cutoff": ((is_substitutable | pl.col("is_counted_in_cutoff")) & in_cutoff, in_cutoff, quantity),
    }[row["variant"]]
    return lines.with_columns(
        quantity="quantity_claim_unit",
        numerator=pl.when(numerator).then(amount).otherwise(pl.lit(0)),
        denominator=pl.when(denominator).then(amount).otherwise(pl.lit(0)),
    )


LINES_OF: dict[str, Callable[[Settings, Mapping[str, Any]], pl.LazyFrame]] = {
    "fct_biosimilar_share": _biosimilar,
    "fct_generic_share": _generic,
}


def show(settings: Settings, name: str, asked: Mapping[str, str], with_lines: bool, limit: int, out: Console) -> None:
    """Print figure, definition, cells, claims and, if asked, the pseudonymised lines; the log says who looked."""
    found = explain(settings, name, asked)
    row, lines = found.row, found.lines
    insurer = row["population_key"] if row["population_kind"] == "insurer" else None
    said = " ".join(f"{key}={row[key]}" for key in GRAIN[name])
    access.record(settings, "explain", insurer, persons(lines), detail=f"{name} {said}, {'lines' if with_lines else 'claims'}")
    mart = marts.read(settings)[name]
    out.print(f"{name} {said}", style="bold", highlight=False, soft_wrap=True)
    out.print(mart.comment, highlight=False, markup=False, soft_wrap=True)
    for column in mart.columns:
        if column.name in ("convention", "scope", "variant", "numerator", "denominator", "share_ratio"):
            out.print(f"  {column.name} = {row[column.name]}: {column.comment}", highlight=False, markup=False, soft_wrap=True)
    numerator, denominator = found.sums
    verdict = "the sum of the lines is the figure" if found.agrees else "NOT the figure: the lake moved since the last lake build"
    out.print(
        f"from the lines: numerator {numerator}, denominator {denominator}; {verdict}. {lines.height:,} lines of "
        f"{lines['claim_key'].n_unique():,} claims, {persons(lines):,} persons",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    sums = [pl.sum("numerator"), pl.sum("denominator")]
    cell = ["service_month", "insurer_number", "prefecture"]
    cells = lines.group_by(cell).agg(pl.len().alias("lines"), *sums).sort(cell)
    _table(out, "cells (診療年月 × 保険者 × 都道府県)", cells, limit)
    names = delta.read(settings, tables.DELIVERY).sort("event_no").group_by("file_sha256").agg(pl.last("file_name"))
    claim = ["claim_key", "file_sha256", "receipt_seq"]
    claims = lines.group_by(claim, maintain_order=True).agg(pl.col("line_no").cast(pl.String).str.join(" "), pl.sum("quantity"), *sums)
    claims = claims.join(names, on="file_sha256", how="left", maintain_order="left")
    columns = ["claim_key", "file_name", "receipt_seq", "line_no", "quantity", "numerator", "denominator"]
    _table(out, "claims (レセプト)", claims.select(columns), limit)
    if with_lines:
        shown = lines.join(claims.head(limit).select(claim), on=claim, how="semi").select("file_sha256", "line_no").unique()
        held = delta.read(settings, tables.CLAIM_LINE, {"file_sha256": shown["file_sha256"].unique().to_list()})
        text = held.join(shown, on=["file_sha256", "line_no"], how="semi").unique(["file_sha256", "line_no"]).join(names, on="file_sha256")
        _table(out, "lines (仮名化済み)", text.sort("file_name", "line_no").select("file_name", "line_no", "line"), text.height)


def _table(out: Console, title: str, rows: pl.DataFrame, limit: int) -> None:
    more = f", the first {limit} of {rows.height:,}" if rows.height > limit else f", {rows.height:,}"
    table = Table(title=f"{title}{more}", title_justify="left", box=box.SIMPLE_HEAD)
    for name in rows.columns:
        table.add_column(name, overflow="fold", justify="right" if rows[name].dtype.is_numeric() else "left")
    for row in rows.head(limit).rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)
