"""Fields of lines, by their names in `record_layouts.csv`, as columns."""

from collections.abc import Iterable

import polars as pl

from spark_jobs.claim_format import layouts


def split(line: pl.Series, last: int, first: int = 1) -> pl.DataFrame:
    """The fields of lines as columns `first`, … `last`, named by their places (of the insurer form with its prefix), and `rest`."""
    names = [*map(str, range(first, last + 1)), "rest"]
    return line.str.splitn(",", len(names)).struct.rename_fields(names).struct.unnest()


def cells(lines: pl.DataFrame, claim_kind: str, claim_form: str, record_id: str, names: Iterable[str]) -> pl.DataFrame:
    """The lines of one record (`line`; `fields`, where they are split already) with the named fields as columns, blanks around them taken
    off, empty ones null.

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
    parts = _apart(lines, days - 1 if days else max((place for place in places.values() if place), default=0))
    if lines["line"].str.contains(" ", literal=True).any():  # seldom, and taking blanks off costs as much as splitting
        parts = parts.with_columns(pl.col(str(place)).str.strip_chars(" ") for place in set(places.values()) if place)
    none = pl.repeat(None, pl.len(), dtype=pl.String)
    values = {name: _cell(pl.col(str(place))) if place else none for name, place in places.items()}
    if has_days:
        values["days"] = pl.concat_str(parts.columns[days - 1 :], separator=",", ignore_nulls=True) if days else none
    return lines.drop("line", "fields", strict=False).hstack(parts.select(**values) if values else pl.DataFrame())


def _apart(lines: pl.DataFrame, last: int) -> pl.DataFrame:
    """Fields up to `last` at least, and the rest; what is split already is not split again."""
    if "fields" not in lines.columns:
        return split(lines["line"], last)
    parts = lines["fields"].struct.unnest()
    known = parts.width - 1
    return parts.drop("rest").hstack(split(parts["rest"], last, known + 1)) if known < last else parts


def _cell(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)
