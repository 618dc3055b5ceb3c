"""Fields of lines, by their names in `record_layouts.csv`, as columns."""

from collections.abc import Iterable

import polars as pl

from spark_jobs.claim_format import layouts


def cells(lines: pl.DataFrame, claim_kind: str, claim_form: str, record_id: str, names: Iterable[str]) -> pl.DataFrame:
    """The lines of one record (`line`) with the named fields as columns, blanks around them taken off, empty ones null.

    Names of one thing in several kinds of claims stand side by side (`a|b`): the column is named after the first. What this kind does not
    have is null. `day_1` makes `days`, all that begins there.
    """
    records = layouts.records(claim_kind, claim_form)
    held = {field.name_en: field.pos for field in records[record_id].fields} if record_id in records else {}
    prefix = len(layouts.INSURER_PREFIX) if claim_form == "insurer" else 0
    places: dict[str, int | None] = {}
    for alternatives in names:
        first, *_ = alternatives.split("|")
        places[first] = next((held[name] + prefix for name in alternatives.split("|") if name in held), None)
    has_days = "day_1" in places
    days = places.pop("day_1", None)
    last = max((place for place in places.values() if place), default=0)
    parts = lines.select(parts=pl.col("line").str.splitn(",", (days or last) + 1)).unnest("parts")  # once, not for each field
    part = [pl.col(name) for name in parts.columns]
    if lines["line"].str.contains(" ", literal=True).any():  # seldom, and taking blanks off costs as much as splitting
        parts = parts.with_columns(part[place - 1].str.strip_chars(" ") for place in set(places.values()) if place)
    values = {name: _cell(part[place - 1]) if place else pl.repeat(None, pl.len(), dtype=pl.String) for name, place in places.items()}
    if has_days:
        values["days"] = (
            pl.concat_str(part[days - 1], part[days].fill_null(""), separator=",") if days else pl.repeat(None, pl.len(), dtype=pl.String)
        )
    return lines.drop("line").hstack(parts.select(**values) if values else pl.DataFrame())


def _cell(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)
