"""Input contracts: what a CSV that an insurer or the joint office makes must hold. docs/input_contracts.md shows them (a test compares)."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from spark_jobs import input_file
from spark_jobs.errors import LakeError

TYPES = {"string": pl.String, "int": pl.Int32, "boolean": pl.Boolean, "date": pl.Date}
Parse = Callable[[str], Any]  # text, never empty → value; None where it is none


def matching(pattern: str) -> Parse:
    """The text itself where it has a form."""
    form = re.compile(pattern)
    return lambda text: text if form.fullmatch(text) else None


@dataclass(frozen=True)
class Field:
    """One column; its head may be the name or the Japanese one."""

    name: str
    head_ja: str
    type: str
    parse: Parse
    example: str
    rule: str
    is_required: bool = True


@dataclass(frozen=True)
class Contract:
    title: str
    fields: tuple[Field, ...]
    is_personal: bool = False  # then no value of a bad row is ever told

    def template(self) -> str:
        """Header and one example row, to start a file from."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([[f.head_ja for f in self.fields], [f.example for f in self.fields]])
        return text.getvalue()

    def table(self) -> str:
        """The contract in Markdown."""
        rows = [(f"`{f.name}`", f.head_ja, f.type, "yes" if f.is_required else "", f.example, f.rule) for f in self.fields]
        heads = ("column", "日本語", "type", "required", "example", "rule")
        return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))

    def read(self, path: Path, lines: Iterable[input_file.Line] | None = None) -> pl.DataFrame:
        """Rows as values, with `line`; all bad rows at once as a LakeError, or none. `lines`: those of the file, where it is no table."""
        found = iter(input_file.iterate(path) if lines is None else lines)
        line, cells = next(found, (0, []))
        heads = [input_file.plain(cell) for cell in cells]
        names = ((field, {field.name, input_file.plain(field.head_ja)}) for field in self.fields)
        places = [(field, next((at for at, head in enumerate(heads) if head in known), None)) for field, known in names]
        if missing := [field.head_ja for field, place in places if field.is_required and place is None]:
            raise LakeError(
                f"{path.name}, line {line}", f"no column {', '.join(missing)}", "the contract's header", "Start from the template."
            )
        faults = input_file.Faults(path)
        rows: dict[str, list[Any]] = {"line": [], **{field.name: [] for field in self.fields}}
        for line, cells in found:
            if len(cells) > len(heads):
                faults.add(line, f"{len(cells)} fields", f"{len(heads)} as in the header")
                continue
            rows["line"].append(line)
            for field, place in places:
                text = input_file.cell(cells, place) if place is not None else ""
                rows[field.name].append(self._value(field, text, line, faults))
        faults.stop()
        return pl.DataFrame(rows, schema={"line": pl.Int64} | {field.name: TYPES[field.type] for field in self.fields})

    def _value(self, field: Field, text: str, line: int, faults: input_file.Faults) -> Any:
        if not text:
            if field.is_required:
                faults.add(line, f"no {field.head_ja}", field.rule)
            return None
        value = field.parse(text)
        if value is None:
            faults.add(line, f"{field.head_ja} {f'of {len(text)} characters' if self.is_personal else repr(text[:20])}", field.rule)
        return value
