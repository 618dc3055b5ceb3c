"""医薬品マスター (y file): rows as published → `masters.drug_master_item`; all editions and the shipped lists → `masters.drug` and
`masters.drug_price`. Layout: receipt-formats.md §5.7.

What is made of the editions is a function of their set: the order in which they were loaded changes nothing.

- A row holds from its 変更年月日 on; of two editions with one 変更年月日 the later one is right.
- It ends with the 廃止年月日, else the 経過措置年月日, of the last edition that has it. A code that vanishes without either ends the day
  before the next whole edition.
- Editions win over the shipped lists from their first day of a code on, and for codes that no edition has, from the first whole edition on.
- 旧金額 holds between the two 薬価改定 before a price of a 薬価改定, where only an assumed price would stand.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from spark_jobs import input_file, tables
from spark_jobs.errors import LakeError
from spark_jobs.masters import edition, shipped

SOURCE = "医薬品マスター"
LENGTHS = (35, 42)  # until 2024; since 令和6年7月
WHOLE = 10_000  # a whole edition has some 20,000 rows; fewer are an excerpt or 変更分: nothing is gone because it is not there
PLACES = {  # 0-based
    "change_class": 0, "kind": 1, "drug_code": 2, "drug_name_ja": 4, "unit_ja": 9, "amount_kind": 10, "price_yen": 11, "is_biological": 15,
    "counts_for_addon": 16, "old_amount_kind": 23, "old_price_yen": 24, "changed_on": 29, "abolished_on": 30, "yakka_code_12": 31,
    "transitional_until": 33, "listed_on": 35, "generic_name_code": 36,
}  # fmt: skip
IS_PRICE = "1"  # 金額種別
NO_DATES = {"", "0", "00000000", "99999999"}
ONE_DAY = timedelta(days=1)
ORDER = ("in_force_from", "edition_date")


def read(path: Path, given: date | None = None) -> pl.DataFrame:
    """Rows of one edition, 35 or 42 columns, with or without a header line."""
    found = input_file.lines(path)
    if found and input_file.plain(input_file.cell(found[0][1], 0)) == "変更区分":
        found = found[1:]
    if not found:
        raise LakeError(str(path), "no rows", "the rows of a 医薬品マスター", input_file.FORMAT_ACTION)
    edition_date = edition.date_of(path, given)
    faults, rows = input_file.Faults(path), []
    seen: dict[str, int] = {}
    for line, cells in found:
        if len(cells) not in LENGTHS:
            faults.add(line, f"{len(cells)} fields", "35 or 42")
            continue
        row = _row({name: input_file.cell(cells, place) for name, place in PLACES.items()}, line, faults)
        first = seen.setdefault(row["drug_code"], line)
        if first != line:
            faults.add(line, f"医薬品コード {row['drug_code']} again, first in line {first}", "each code once")
        rows.append(row)
    faults.stop()
    changes = [row["changed_on"] for row in rows if row["changed_on"]]
    in_force_from = max([edition_date, *changes])
    of_edition = {
        "edition_key": f"{edition_date} {in_force_from}",
        "edition_date": edition_date,
        "in_force_from": in_force_from,
        "is_whole": len(rows) >= WHOLE,
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": f"{SOURCE} ({path.name})",
        "source_date": edition_date,
    }
    return edition.frame(tables.DRUG_MASTER_ITEM, [row | of_edition for row in rows])


def _row(text: dict[str, str], line: int, faults: input_file.Faults) -> dict[str, Any]:
    if text["kind"] != "Y":
        faults.add(line, f"マスター種別 {text['kind'][:5]!r}", "Y")
    if not re.fullmatch(r"6\d{8}", text["drug_code"]):
        faults.add(line, f"医薬品コード {text['drug_code'][:12]!r}", "9 digits, the first of them 6")
    if not re.fullmatch(r"[0-9A-Z]{12}|0*", text["yakka_code_12"]):
        faults.add(line, f"薬価基準収載医薬品コード {text['yakka_code_12'][:15]!r}", "12 characters or nothing")

    def day(name: str) -> date | None:
        found = None if text[name] in NO_DATES else input_file.day(text[name])
        if found is None and text[name] not in NO_DATES:
            faults.add(line, f"{name} {text[name][:10]!r}", "a date such as 20260401")
        return found

    def price(name: str, kind: str) -> Decimal | None:
        try:
            found = Decimal(text[name] or 0)
        except InvalidOperation:
            faults.add(line, f"{name} {text[name][:15]!r}", "an amount such as 15.10")
            return None
        return found if text[kind] == IS_PRICE and found.is_finite() and (found > 0 or name == "price_yen") else None

    return {
        "drug_code": text["drug_code"],
        "change_class": text["change_class"],
        "drug_name_ja": text["drug_name_ja"],
        "unit_ja": text["unit_ja"] or None,
        "price_yen": price("price_yen", "amount_kind"),
        "is_biological": text["is_biological"] == "1",
        "counts_for_addon": text["counts_for_addon"] == "1",
        "old_price_yen": price("old_price_yen", "old_amount_kind"),
        "changed_on": day("changed_on"),
        "abolished_on": day("abolished_on"),
        "yakka_code_12": text["yakka_code_12"] if text["yakka_code_12"].strip("0") else None,
        "transitional_until": day("transitional_until"),
        "listed_on": day("listed_on"),
        "generic_name_code": text["generic_name_code"] or None,
    }


def revisions() -> list[date]:
    """Days of 薬価改定, in order."""
    return sorted(b.break_date for b in shipped.structural_breaks() if b.break_kind == "price_revision")


def statements(items: pl.DataFrame) -> dict[str, list[dict]]:
    """Drug code → what the editions say of it, in time, each with `start` and `end`: at most one for any day, without holes."""
    if items.is_empty():
        return {}
    ordered = items.sort(ORDER).with_columns(pl.coalesce("changed_on", "in_force_from").alias("start"))
    whole = ordered.filter("is_whole").select(*ORDER).unique().sort(ORDER).rows()
    days = revisions()
    found: dict[str, list[dict]] = {}
    distinct = ordered.unique(["drug_code", "start"], keep="last")
    last_of = {row["drug_code"]: row for row in ordered.unique("drug_code", keep="last").iter_rows(named=True)}
    for row in distinct.sort("drug_code", *ORDER).iter_rows(named=True):
        last = last_of[row["drug_code"]]
        end = last["abolished_on"] or last["transitional_until"]
        if end is None:
            end = next(
                (first - ONE_DAY for first, dated in whole if (first, dated) > (last["in_force_from"], last["edition_date"])), date.max
            )
        if row["start"] > end:  # changed only to be abolished: what it says held before
            row["start"] = max((day for day in days if day <= end), default=shipped.FIRST_DAY)
        found.setdefault(row["drug_code"], []).append(row | {"last_day": end})
    for code, rows in found.items():
        by_start = {row["start"]: row for row in sorted(rows, key=lambda r: (r["start"], *(r[o] for o in ORDER)))}
        chain = list(by_start.values())
        for row, following in zip(chain, [*chain[1:], None], strict=True):
            row["end"] = min(row["last_day"], following["start"] - ONE_DAY) if following else row["last_day"]
        found[code] = chain
    return found


def drugs(items: pl.DataFrame, below: Sequence[shipped.Drug]) -> tuple[shipped.Drug, ...]:
    """`masters.drug`: what a product is; before the first statement that of the shipped lists, else as the first statement says."""
    said = statements(items)
    known = {drug.drug_code for drug in below}
    class_names = {drug.yakko_class_3: drug.yakko_class_name_ja for drug in below if drug.yakko_class_name_ja}
    rows: list[shipped.Drug] = []
    for code, chain in said.items():
        for number, row in enumerate(chain):
            start = row["start"]
            if number == 0 and code not in known:
                start = min(start, row["listed_on"] or shipped.FIRST_DAY)
            class_3 = row["yakka_code_12"] and row["yakka_code_12"][:3]
            rows.append(
                shipped.Drug(
                    code, row["drug_name_ja"], row["unit_ja"], row["yakka_code_12"], class_3, class_names.get(class_3),
                    row["counts_for_addon"], start, _open(row["end"]), SOURCE, row["edition_date"],
                )
            )  # fmt: skip
    return _layered(rows, below, blocked=_blocked(items, said, known))


def prices(items: pl.DataFrame, of_lists: Sequence[shipped.DrugPrice], below: Sequence[shipped.DrugPrice]) -> tuple[shipped.DrugPrice, ...]:
    """`masters.drug_price`: editions, then price lists (`of_lists`), shipped prices of their month, 旧金額, assumed prices."""
    said = statements(items)
    now, old, days = [], [], revisions()
    for code, chain in said.items():
        for row in chain:
            if row["price_yen"] is not None:
                now.append(shipped.DrugPrice(code, row["price_yen"], row["start"], _open(row["end"]), False, SOURCE, row["edition_date"]))
            before = [day for day in days if day < row["start"]]
            if row["old_price_yen"] is not None and row["start"] in days and before:
                first = max(before[-1], row["listed_on"] or before[-1])
                old.append(
                    shipped.DrugPrice(
                        code, row["old_price_yen"], first, row["start"] - ONE_DAY, False, f"{SOURCE} 旧金額", row["edition_date"]
                    )
                )
    exact = [row for row in below if not row.is_assumed]
    assumed = [row for row in below if row.is_assumed]
    blocked = _blocked(items, said, {row.drug_code for row in (*below, *of_lists)})
    return _layered(now, of_lists, exact, old, assumed, blocked=blocked)


def _blocked(items: pl.DataFrame, said: dict[str, list[dict]], codes: set[str]) -> dict[str, date]:
    """Drug code → day from which the editions alone speak of it."""
    first_whole = items.filter("is_whole")["in_force_from"].min()
    return {code: chain[0]["start"] for code, chain in said.items()} | (
        {code: first_whole for code in codes - set(said)} if isinstance(first_whole, date) else {}
    )


Row = TypeVar("Row", bound=shipped.Drug | shipped.DrugPrice)


def _layered(first: Iterable[Row], *others: Iterable[Row], blocked: dict[str, date]) -> tuple[Row, ...]:
    """Rows of the first layer as they are; of each following layer only the days that no layer before it has and that are not blocked.
    Rows that say the same one after the other become one."""
    taken: dict[str, list[tuple[date, date]]] = defaultdict(list)
    found: dict[str, list[Row]] = defaultdict(list)
    for number, layer in enumerate((first, *others)):
        pieces = []
        for row in layer:
            end = row.valid_to or date.max
            if number and row.drug_code in blocked:
                end = min(end, blocked[row.drug_code] - ONE_DAY)
            holes = _without(row.valid_from, end, taken[row.drug_code])
            pieces += [replace(row, valid_from=a, valid_to=_open(b)) for a, b in holes]
        for piece in pieces:
            taken[piece.drug_code].append((piece.valid_from, piece.valid_to or date.max))
            found[piece.drug_code].append(piece)
    return tuple(row for code in sorted(found) for row in _merged(sorted(found[code], key=lambda r: r.valid_from)))


def _without(start: date, end: date, taken: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """The days from start to end that are not taken, as periods."""
    free = []
    for a, b in sorted(taken):
        if b < start or a > end:
            continue
        if a > start:
            free.append((start, a - ONE_DAY))
        if b >= end:
            return free
        start = b + ONE_DAY
    return [*free, (start, end)] if start <= end else free


def _merged(rows: list[Row]) -> list[Row]:
    """Neighbours of editions that differ in nothing but dates become one, from the first edition that said so."""
    done: list[Row] = []
    for row in rows:
        last = done[-1] if done else None
        if (
            last is not None
            and last.source == row.source == SOURCE
            and last.valid_to == row.valid_from - ONE_DAY
            and replace(row, valid_from=last.valid_from, valid_to=last.valid_to, source_date=last.source_date) == last
        ):
            done[-1] = replace(last, valid_to=row.valid_to)
        else:
            done.append(row)
    return done


def _open(end: date) -> date | None:
    return None if end == date.max else end
