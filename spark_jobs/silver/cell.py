"""Fields of a line that was split at its commas, by the names of `record_layouts.csv`. An empty field is null."""

from pyspark.sql import Column
from pyspark.sql import functions as f

from spark_jobs.claim_format import layouts

INSURER_PREFIX = len(layouts.INSURER_PREFIX)


def _places(record_id: str, names: tuple[str, ...]) -> dict[str, int]:
    """Kind of claim → 0-based place after the prefix; kinds whose record has none of the names are left out."""
    found = {}
    for kind in layouts.KINDS:
        record = layouts.records(kind).get(record_id)
        held = {field.name_en for field in record.fields} if record else set()
        for name in names:
            if record and name in held:
                found[kind] = record.pos(name) - 1
    if not found:
        raise KeyError(f"no {record_id} has a field {names}")
    return found


def cell(cells: Column, kind: Column, record_id: str, *names: str) -> Column:
    """One field of a record without its prefix; `names` are its names in the kinds of claims."""
    kinds_at: dict[int, list[str]] = {}
    for claim_kind, at in _places(record_id, names).items():
        kinds_at.setdefault(at, []).append(claim_kind)
    if list(kinds_at.values()) == [list(layouts.KINDS)]:
        found = f.get(cells, f.lit(next(iter(kinds_at))))
    else:
        found = f.coalesce(*(f.when(kind.isin(kinds), f.get(cells, f.lit(at))) for at, kinds in kinds_at.items()))
    return f.nullif(f.trim(found), f.lit(""))


def place(claim_kind: str, record_id: str, name: str) -> int:
    """0-based place of a field after the prefix."""
    return layouts.record(claim_kind, record_id).pos(name) - 1
