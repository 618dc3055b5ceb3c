"""Fields of a line that was split at its commas, by the names of `record_layouts.csv`. An empty field is null."""

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as f

from spark_jobs.claim_format import layouts

KINDS_READ = ("med", "pha")  # 医科, 調剤; DPC and 歯科 stay in bronze for now
INSURER_PREFIX = len(layouts.INSURER_PREFIX)


def _places(record_id: str, names: tuple[str, ...]) -> dict[str, int]:
    """Kind of claim → 0-based place after the prefix; kinds whose record has none of the names are left out."""
    found = {}
    for kind in KINDS_READ:
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
    places = _places(record_id, names)
    if len(places) == len(KINDS_READ) and len(set(places.values())) == 1:
        found = f.get(cells, f.lit(next(iter(places.values()))))
    else:
        found = reduce(
            lambda case, item: case.when(kind == item[0], f.get(cells, f.lit(item[1]))),
            list(places.items())[1:],
            f.when(kind == next(iter(places)), f.get(cells, f.lit(next(iter(places.values()))))),
        )
    return f.nullif(f.trim(found), f.lit(""))


def place(claim_kind: str, record_id: str, name: str) -> int:
    """0-based place of a field after the prefix."""
    return layouts.record(claim_kind, record_id).pos(name) - 1
