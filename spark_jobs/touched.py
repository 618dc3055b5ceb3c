"""What changed in silver and landing since the last build, as insurers and months: all that a build must make anew.

Read from the difference of two versions of a table, never from its history: only data files that one of the two versions does not name are
opened. Rows that were merely written again (`lake maintain`, a repeated ingest) are no change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from deltalake.exceptions import DeltaError

from spark_jobs import config, delta, tables
from spark_jobs.settings import Settings
from spark_jobs.silver.claim import STILL
from spark_jobs.tables import Table

FOLLOWED = (
    tables.DELIVERY, tables.DELIVERY_FINDING, tables.CLAIM, tables.CLAIM_DIAGNOSIS, tables.CLAIM_DRUG, tables.CLAIM_PAYER,
    tables.PERSON_LINK,
)  # fmt: skip
LOOKS_BACK = 12  # months: who used an ingredient in them does not start it anew (int_new_start)
SERVICE_MONTH = "intermediate.int_service_month"  # of dbt: read as the last build that ended well left it, also after one that did not


@dataclass(frozen=True)
class Touched:
    """Insurers and months of claims that came, went or changed; 請求年月 of deliveries that did; months that the last build knew."""

    insurers: frozenset[str]
    service_months: frozenset[int]
    claim_months: frozenset[int]
    known_months: frozenset[int] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        months = f"months {min(self.service_months)}-{max(self.service_months)}" if self.service_months else "no claims"
        return f"{len(self.insurers)} insurers, {months}"

    def variables(self, settings: Settings) -> dict[str, Any]:
        """For dbt: the values that each key column of a table can have in rows that contain what was touched (macros/touched.sql).

        A month that no claim had before, or has any more, makes the year longer or shorter for every population: then rows of all of
        them are made anew.
        """
        figures = self._months_of_figures()
        found, untouched = periods(figures), self.known_months - self.service_months
        values: dict[str, Any] = {
            "insurer_number": sorted(self.insurers),
            "service_month": sorted(self.service_months),
            "claim_month": sorted(self.claim_months),
            "month_of_figure": sorted(figures),
            "first_month_of_past": later(min(figures), -LOOKS_BACK) if figures else None,
            "first_month_of_last_year": later(max(untouched), -11) if untouched else None,  # the last month is none before these
            "period": {kind: sorted(months) for kind, months in found.items()},
            "month_of_period": _months(found),
            "month_of_fiscal_year": _months({"fiscal_year": found["fiscal_year"]}),
        }
        if self.service_months <= self.known_months & _months_of_claims(settings, self.service_months):
            kinds = {entry.kind for number, entry in config.insurers(settings).items() if number in self.insurers}
            values["population_key"] = sorted({"all", *kinds, *self.insurers})
        return values

    def _months_of_figures(self) -> set[int]:
        """The touched months, and those with data whose figures can look back on one of them: the next twelve, in which a new start can
        be one no more, and the eleven in which what it uses counts. All, where the data begin earlier than before."""
        known, last = self.known_months, LOOKS_BACK + 11
        after = {month for month in known for touched in self.service_months if touched < month <= later(touched, last)}
        begins_earlier = bool(known) and min(self.service_months, default=min(known)) < min(known)
        return set(self.service_months) | (known if begins_earlier else after)


def _months_of_claims(settings: Settings, service_months: Iterable[int]) -> set[int]:
    """Those of these months that have claims now, of any insurer in config."""
    where: delta.Where = {
        "service_month": set(service_months),
        "insurer_number": set(config.insurers(settings)),
        "known_to_claim_month": {STILL},
    }
    return set(delta.scan(settings, tables.CLAIM, where).select("service_month").unique().collect()["service_month"])


def months_of_history(settings: Settings) -> int:
    """Over how many months the claims reach, by the statistics of their data files."""
    files = pl.DataFrame(delta.opened(settings, tables.CLAIM.name).get_add_actions(flatten=True))
    if not {"min.service_month", "max.service_month"} <= set(files.columns):
        return 1
    first, last = files["min.service_month"].min(), files["max.service_month"].max()
    return months_between(first, last) + 1 if first and last else 1  # type: ignore[arg-type]


def periods(service_months: Iterable[int]) -> dict[str, set[int]]:
    """The periods that contain a month (int_period_member says the same in SQL): kind → periods."""
    months = sorted(service_months)
    return {
        "month": set(months),
        "rolling_12": {later(month, n) for month in months for n in range(12)},
        "fiscal_year": {later(month, -3) // 100 for month in months},
        "benefit_year": {later(month, -2) // 100 for month in months},
    }


def months_of(period_kind: str, period: int) -> list[int]:
    """The months that a period is made of; a rolling one is named by its last month."""
    first, months = {
        "month": (period, 1),
        "rolling_12": (later(period, -11), 12),
        "fiscal_year": (period * 100 + 4, 12),
        "benefit_year": (period * 100 + 3, 12),
    }[period_kind]
    return [later(first, n) for n in range(months)]


def _months(periods: dict[str, set[int]]) -> list[int]:
    return sorted({month for kind, values in periods.items() for period in values for month in months_of(kind, period)})


def later(month: int, months: int) -> int:
    """`months` after a YYYYMM month."""
    year, zero_based = divmod(month // 100 * 12 + month % 100 - 1 + months, 12)
    return year * 100 + zero_based + 1


def since(settings: Settings, versions: Mapping[str, int]) -> Touched | None:
    """What differs between these versions of the followed tables and the present ones; null = a version is gone, all must be made anew."""
    try:
        claims = changed(settings, tables.CLAIM, versions[tables.CLAIM.name])
        months = claims.select("insurer_number", "service_month", "claim_month").unique().collect()
        links = changed(settings, tables.PERSON_LINK, versions[tables.PERSON_LINK.name])
        relinked = months_of_relinked(links)
        events = [changed(settings, table, versions[table.name]).collect() for table in (tables.DELIVERY, tables.DELIVERY_FINDING)]
        known = pl.scan_delta(str(settings.table_path(SERVICE_MONTH)), version=versions[SERVICE_MONTH]).select("service_month").collect()
    except (DeltaError, FileNotFoundError, KeyError, OSError):
        return None
    files = pl.concat([event.select("insurer_number", "file_sha256") for event in events]).unique()
    deliveries = delta.read(settings, tables.DELIVERY)
    delivered = deliveries.join(files, ["insurer_number", "file_sha256"], "semi")
    claim_months = set(months["claim_month"].drop_nulls()) | set(delivered["claim_month"].fill_null(0))
    latest = max(deliveries.join(files, ["insurer_number", "file_sha256"], "anti")["claim_month"].drop_nulls(), default=0)
    if latest and claim_months and max(claim_months) > latest:  # the months between are expected of all, or are not any more
        claim_months |= {later(latest, n + 1) for n in range(months_between(latest, max(claim_months)))}
    return Touched(
        frozenset(months["insurer_number"].drop_nulls()) | frozenset(relinked["insurer_number"]),
        frozenset(months["service_month"].drop_nulls()) | frozenset(relinked["service_month"]),
        frozenset(claim_months),
        frozenset(known["service_month"]),
    )


def of_backfill(settings: Settings, backfill: config.Backfill) -> Touched:
    """The claims of a backfill, as if each of them had changed."""
    where: delta.Where = {"insurer_number": set(config.region(settings, backfill.region_key).insurers), "known_to_claim_month": {STILL}}
    is_ordered = pl.col("service_month").is_between(backfill.first_service_month, backfill.last_service_month)
    of_region = delta.scan(settings, tables.CLAIM, where).filter(is_ordered)
    claims = of_region.select("insurer_number", "service_month", "claim_month").unique().collect()
    known = pl.read_delta(str(settings.table_path(SERVICE_MONTH)), columns=["service_month"])
    return Touched(
        frozenset(claims["insurer_number"]), frozenset(claims["service_month"]), frozenset(claims["claim_month"]),
        frozenset(known["service_month"]),
    )  # fmt: skip


def changed(settings: Settings, table: Table, version: int) -> pl.LazyFrame:
    """Rows that only one of the two versions has (a changed row twice), with `sign` -1 as it was, +1 as it is; facts are not to be held."""
    old, new = delta.opened(settings, table.name, version), delta.opened(settings, table.name)
    was, now = set(old.file_uris()), set(new.file_uris())
    gone, come = (_rows(table, files) for files in (was - now, now - was))
    if gone.head(1).collect().is_empty():
        return come.with_columns(sign=pl.lit(1))
    both = pl.concat([gone.with_columns(sign=pl.lit(-1)), come.with_columns(sign=pl.lit(1))])
    return both.group_by(table.column_names).agg(pl.sum("sign")).filter(pl.col("sign") != 0)


def _rows(table: Table, files: set[str]) -> pl.LazyFrame:
    wanted = delta.frame_schema(table)
    if not files:
        return pl.LazyFrame(schema=wanted)
    stored = pl.scan_parquet(
        sorted(files), hive_partitioning=bool(table.partition_by), hive_schema={name: pl.String for name in table.partition_by} or None,
        missing_columns="insert", extra_columns="ignore", schema=wanted,
    )  # fmt: skip
    return stored.select(table.column_names)


def months_of_relinked(links: pl.LazyFrame) -> pl.DataFrame:
    """(insurer_number, service_month) of persons who stand for another one now. A new person is none: the claims tell."""
    persons = links.group_by("insurer_number", "person_id1").agg(
        pl.col("person_id").n_unique().alias("persons"),
        pl.min("valid_from_service_month").alias("first"),
        pl.max("valid_to_service_month").alias("last"),
        is_gone=~(pl.col("sign") > 0).any(),
    )
    spans = persons.filter((pl.col("persons") > 1) | pl.col("is_gone")).select("insurer_number", "first", "last").unique().collect()
    months = [(number, later(first, n)) for number, first, last in spans.iter_rows()
              for n in range(months_between(first, last) + 1)]  # fmt: skip
    return pl.DataFrame(months, {"insurer_number": pl.String, "service_month": pl.Int32}, orient="row").unique()


def months_between(first: int, last: int) -> int:
    return (last // 100 - first // 100) * 12 + last % 100 - first % 100
