"""Input contracts: what a CSV that an insurer or the joint office makes must hold. docs/input_contracts.md shows them (a test compares)."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_jobs import input_file
from spark_jobs.errors import LakeError

Parse = Callable[[str], Any]  # text, never empty → value; None where it is none


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

    def read(self, path: Path) -> list[dict[str, Any]]:
        """Rows as values, with `line`; all bad rows at once as a LakeError, or none."""
        found = input_file.lines(path)
        if not found:
            raise LakeError(str(path), "an empty file", f"the columns {', '.join(f.head_ja for f in self.fields)}", "Fill in the template.")
        heads = [input_file.plain(cell) for cell in found[0][1]]
        places = {
            f.name: next((heads.index(head) for head in (f.name, input_file.plain(f.head_ja)) if head in heads), None) for f in self.fields
        }
        if missing := [f.head_ja for f in self.fields if f.is_required and places[f.name] is None]:
            raise LakeError(
                f"{path.name}, line {found[0][0]}", f"no column {', '.join(missing)}", "the contract's header", "Start from the template."
            )
        faults, rows = input_file.Faults(path), []
        for line, cells in found[1:]:
            if len(cells) > len(heads):
                faults.add(line, f"{len(cells)} fields", f"{len(heads)} as in the header")
                continue
            rows.append({"line": line} | {f.name: self._value(f, cells, places[f.name], line, faults) for f in self.fields})
        faults.stop()
        return rows

    def _value(self, field: Field, cells: list[str], place: int | None, line: int, faults: input_file.Faults) -> Any:
        text = input_file.cell(cells, place) if place is not None else ""
        if not text:
            if field.is_required:
                faults.add(line, f"no {field.head_ja}", field.rule)
            return None
        value = field.parse(text)
        if value is None:
            faults.add(line, f"{field.head_ja} {f'of {len(text)} characters' if self.is_personal else repr(text[:20])}", field.rule)
        return value
