"""ops.action (施策台帳): who did what to which target, when, at what cost, for which ingredients. Its contract and its load.

Append-only: what was entered stays. A correction is a new row that names the one in whose place it stands; the same row twice is one.
Persons are named only by the mailing list that they stand on (export_id), never by a name or number.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from rich import box
from rich.markup import escape
from rich.table import Table

from spark_jobs import config, config_file, delta, input_file, tables
from spark_jobs.contract import Contract, Field, matching
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity.access import os_user
from spark_jobs.masters import shipped
from spark_jobs.settings import Settings

KINDS = {
    "member_notice": "加入者への通知",
    "member_event": "加入者向け説明会",
    "facility_visit": "医療機関訪問",
    "facility_letter": "医療機関への文書",
    "pharmacy_request": "薬局への依頼",
    "formulary": "地域フォーミュラリ",
    "training": "研修会",
    "public_relations": "広報",
    "other": "その他",
}
TARGETS = {"facility": "医療機関・薬局", "person_list": "加入者名簿", "area": "地域"}
TARGET_FORMS = {
    "facility": (r"\d{10}", "a facility code of 10 digits"),
    "person_list": (r"[0-9A-Za-z_-]{1,64}", "the export_id of a mailing list"),
    "area": (r"(?:0[1-9]|[1-3]\d|4[0-7])(?:\d{2,3})?", "prefecture 2 digits, 二次医療圏 4 or municipality 5"),
}
TEXT = 80  # characters of free text
NUMBER_OF_SOMEBODY = re.compile(r"\d{5,}|\d[\d-]{6,}\d|@")  # a telephone, an insured number, an address
SEPARATORS = re.compile(r"[,、;\s]+")
DAY = "a date: 20260401, 2026-04-01 or R8.4.1"
YEN = re.compile(r"[¥￥]?(\d{1,3}(?:,\d{3})+|\d{1,9})円?")


def _key_of(names: Mapping[str, str]) -> Callable[[str], str | None]:
    """The English key of a name in either language."""
    known = {input_file.plain(text): key for key, name in names.items() for text in (key, name)}
    return lambda text: known.get(input_file.plain(text))


def _yen(text: str) -> int | None:
    match = YEN.fullmatch(input_file.plain(text))
    return int(match[1].replace(",", "")) if match else None


def _ingredients(text: str) -> str | None:
    """Keys in order, comma between."""
    known = {
        input_file.plain(name): i.ingredient_key for i in shipped.biosimilar_ingredients() for name in (i.ingredient_key, i.ingredient_ja)
    }
    known |= dict.fromkeys(("all", "全て", "すべて", "全成分"), "all")
    keys = {known.get(input_file.plain(part)) for part in SEPARATORS.split(text.strip())}
    return None if None in keys or ("all" in keys and len(keys) > 1) else ",".join(sorted(filter(None, keys)))


def _words(text: str) -> str | None:
    return None if len(text) > TEXT or NUMBER_OF_SOMEBODY.search(input_file.plain(text)) else text


FREE_TEXT = f"at most {TEXT} characters, no name, telephone or number of a person"
CONTRACT = Contract(
    "Action file (施策台帳)",
    (
        Field("region_key", "地域", "string", matching(r"[a-z][a-z0-9_]*"), "demo", "a file of config/regions"),
        Field("insurer_number", "実施保険者", "string", matching(r"\d{6}|\d{8}"), "06139901",
              "one of the region; empty = the joint office (事務局)", is_required=False),
        Field("actor_ja", "実施者", "string", _words, "保健事業課", f"the post or organisation that did it; {FREE_TEXT}"),
        Field("action_kind", "施策", "string", _key_of(KINDS), "医療機関訪問", ", ".join(f"{k} {v}" for k, v in KINDS.items())),
        Field("target_kind", "対象区分", "string", _key_of(TARGETS), "医療機関・薬局", ", ".join(f"{k} {v}" for k, v in TARGETS.items())),
        Field("target_key", "対象", "string", matching(r"[0-9A-Za-z_-]{1,64}"), "1310000001",
              "; ".join(f"{kind}: {said}" for kind, (_, said) in TARGET_FORMS.items())),
        Field("first_date", "開始日", "date", input_file.day, "2026-06-01", f"first day, {DAY}"),
        Field("last_date", "終了日", "date", input_file.day, "", f"last day, {DAY}; empty = the first", is_required=False),
        Field("cost_yen", "費用", "int", _yen, "12000", "yen, a whole number; 0 where it cost nothing"),
        Field("ingredient_keys", "対象成分", "string", _ingredients, "all",
              "all or すべて, or keys or names of masters.biosimilar_ingredient, comma or blank between"),
        Field("detail_ja", "内容", "string", _words, "使用状況の説明", FREE_TEXT, is_required=False),
        Field("replaces_action_id", "訂正元", "string", matching(r"[0-9a-f]{12}"), "",
              "action_id of the row in whose place this one stands", is_required=False),
        Field("is_void", "取消", "boolean", {"1": True, "0": False, "true": True, "false": False}.get, "",
              "1 = the row named in 訂正元 never took place", is_required=False),
    ),
    is_personal=True,  # it should hold nobody's data; what was written into it by mistake is not told again
)  # fmt: skip
CONTENT = tuple(field.name for field in CONTRACT.fields)


@dataclass(frozen=True)
class Loaded:
    """What a load did."""

    source: str
    added: list[str]
    known: int

    def __str__(self) -> str:
        new = f" ({', '.join(self.added[:5])}{' …' if self.added[5:] else ''})" if self.added else ""
        return f"{self.source}: {len(self.added)} actions recorded{new}, {self.known} known already"


def load(settings: Settings, path: Path) -> Loaded:
    """Record the actions of a CSV, workbook or YAML file: all of them, or none where one is faulty."""
    cells = _yaml(path) if path.suffix.lower() in (".yaml", ".yml") else None
    return _record(settings, CONTRACT.read(path, cells), path, path.name)


def add(settings: Settings, values: Mapping[str, str]) -> Loaded:
    """Record one action given field by field."""
    place = Path("lake action add")
    lines = [(1, list(values)), (1, list(values.values()))]
    return _record(settings, CONTRACT.read(place, lines), place, place.name)


def _yaml(path: Path) -> Iterator[tuple[int, list[str]]]:
    """A list of actions, field by field, as lines: text as it is written, so that a number keeps its zeros."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=config_file.LOADER)
    except OSError:
        raise LakeError(str(path), "no such file", "a file", "Give its path.", ExitCode.USAGE) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise LakeError(f"{path.name}, line {mark.line + 1 if mark else 1}", "no YAML", "a list of actions", "Mend the file.") from None
    action = "Write one `- region_key: …` per action."
    if not isinstance(root, yaml.SequenceNode):
        raise LakeError(f"{path.name}, line 1", "no list", "a list of actions", action)
    heads = list(CONTENT)
    yield 1, heads
    for entry in root.value:
        line = entry.start_mark.line + 1
        if not isinstance(entry, yaml.MappingNode):
            raise LakeError(f"{path.name}, line {line}", "no fields", "an action", action)
        values = {key.value: (key.start_mark.line + 1, _text(value)) for key, value in entry.value}
        for name, (at, _) in values.items():
            if name not in heads:
                raise LakeError(
                    f"{path.name}, line {at}", f"an unknown field {name[:40]}", f"one of {', '.join(heads)}", "Correct its name."
                )
        yield line, [values.get(name, (line, ""))[1] for name in heads]


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return ",".join(_text(value) for value in node.value)
    return "" if node.value in ("null", "~") else str(node.value)


def _record(settings: Settings, rows: pl.DataFrame, path: Path, source: str) -> Loaded:
    held = {row["action_id"]: row for row in delta.read(settings, tables.ACTION).to_dicts()}
    lists = delta.read(settings, tables.EXPORT_KEY).select("export_id", "insurer_number").unique()
    exports = dict(lists.iter_rows())
    faults = input_file.Faults(path, "Mend the row; nothing was recorded.")
    added: dict[str, dict[str, Any]] = {}
    replaced = {row["replaces_action_id"]: row["action_id"] for row in held.values() if row["replaces_action_id"]}
    known = 0
    for row in rows.to_dicts():
        line = row.pop("line")
        row["last_date"] = row["last_date"] or row["first_date"]
        row["is_void"] = bool(row["is_void"])
        wrong = list(_faults(settings, row, exports))
        action_id = _id(row)
        if action_id in held or action_id in added:
            known += 1
            continue
        if earlier := row["replaces_action_id"]:
            if earlier not in held and earlier not in added:
                wrong.append((f"訂正元 {earlier}", "an action_id of lake action list"))
            elif earlier in replaced:
                wrong.append((f"訂正元 {earlier}", f"the row in force: {replaced[earlier]} stands in its place already"))
            replaced[earlier] = action_id
        for found, expected in wrong:
            faults.add(line, found, expected)
        added[action_id] = row
    faults.stop()
    stamp = {"source": source, "os_user": os_user(), "recorded_at": datetime.now(UTC)}
    if added:
        delta.append(settings, tables.ACTION, pl.DataFrame([row | stamp | {"action_id": key} for key, row in added.items()]))
    return Loaded(source, list(added), known)


def _faults(settings: Settings, row: Mapping[str, Any], exports: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(found, expected) of what a row says against itself, config/ or the mailing lists."""
    region = config.regions(settings).get(row["region_key"]) if row["region_key"] else None
    if row["region_key"] and region is None:
        yield f"地域 {row['region_key']}", "a file of config/regions"
    if region and row["insurer_number"] and row["insurer_number"] not in region.insurers:
        yield f"実施保険者 {row['insurer_number']}", f"one of the {len(region.insurers)} of the region"
    target = f"対象 of {len(row['target_key'] or '')} characters"
    form, expected = TARGET_FORMS[row["target_kind"]]
    if not re.fullmatch(form, row["target_key"]):
        yield target, expected
    elif row["target_kind"] == "person_list" and row["target_key"] not in exports:
        yield target, "an export_id that lake reidentify gave"
    elif row["target_kind"] == "person_list" and region and exports[row["target_key"]] not in region.insurers:
        yield target, "a mailing list of an insurer of the region"
    if row["last_date"] < row["first_date"]:
        yield f"終了日 {row['last_date']}", f"not before 開始日 {row['first_date']}"
    if row["is_void"] and not row["replaces_action_id"]:
        yield "取消 without 訂正元", "the action_id of what never took place"


def _id(row: Mapping[str, Any]) -> str:
    """The same content has the same id, wherever it comes from."""
    text = "\t".join("" if row[name] is None else str(row[name]) for name in CONTENT)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def in_force(settings: Settings, region_key: str | None = None) -> pl.DataFrame:
    """The actions that took place, corrections applied, in order of their days."""
    rows = delta.read(settings, tables.ACTION)
    replaced = rows["replaces_action_id"].drop_nulls().implode()  # also by a row of another region: the region itself may be corrected
    found = rows.filter(~pl.col("action_id").is_in(replaced), ~pl.col("is_void")).sort("first_date", "action_id")
    return found.filter(pl.col("region_key") == region_key) if region_key else found


def table(settings: Settings, region_key: str | None, is_whole: bool) -> Table:
    """The actions in force; or all rows ever entered, in the order of entry."""
    if is_whole:
        rows = delta.read(settings, tables.ACTION, {"region_key": [region_key]} if region_key else None).sort("recorded_at", "action_id")
        title = f"{rows.height} rows entered"
    else:
        rows = in_force(settings, region_key)
        title = f"{rows.height} actions, {rows['cost_yen'].sum() or 0:,} yen"
    heads = (
        "action_id",
        "地域",
        "実施者",
        "施策",
        "対象",
        "期間",
        "費用",
        "成分",
        "内容",
        *(("訂正元", "取消", "入力") if is_whole else ()),
    )
    shown = Table(*heads, title=f"施策台帳: {title}", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows.to_dicts():
        last = f" – {row['last_date']}" if row["last_date"] != row["first_date"] else ""
        who = " ".join(filter(None, (row["insurer_number"], row["actor_ja"])))
        target = f"{TARGETS[row['target_kind']]} {row['target_key']}"
        cells = [row["action_id"], row["region_key"], who, KINDS[row["action_kind"]], target, f"{row['first_date']}{last}"]
        cells += [f"{row['cost_yen']:,}", row["ingredient_keys"], row["detail_ja"] or ""]
        if is_whole:
            entered = f"{row['recorded_at']:%Y-%m-%d} {row['os_user']} {row['source']}"
            cells += [row["replaces_action_id"] or "", "取消" if row["is_void"] else "", entered]
        shown.add_row(*map(escape, cells))
    return shown
