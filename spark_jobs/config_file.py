"""The YAML files of one folder of config/: read whole, every fault with file and line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from spark_jobs.errors import ExitCode, LakeError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast, the same result
ACTION = "Correct it and run lake config check."
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ConfigFile(Generic[Model]):
    """A file that obeys its model, with the place of each field."""

    path: Path
    entry: Model
    root: yaml.Node | None

    def fault(self, field: tuple[int | str, ...], found: str, expected: str, action: str = ACTION) -> LakeError:
        return _fault(self.path, _line(self.root, field), found, expected, action)


def read(folder: Path, model: type[Model], key: str) -> tuple[dict[str, ConfigFile[Model]], list[LakeError]]:
    """(the sound files by `key`, the faults of all files). A file is named after its `key`, so no two files have one."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        return {}, [LakeError(str(folder), "no *.yaml file", "at least one", "Copy one of this project's config/.", ExitCode.BAD_CONFIG)]
    found: dict[str, ConfigFile[Model]] = {}
    faults: list[LakeError] = []
    for path in paths:
        file, wrong = _read(path, model)
        faults += wrong
        if file and (name := getattr(file.entry, key)) != path.stem:
            also = f", as in {name}.yaml" if (folder / f"{name}.yaml").exists() else ""
            faults.append(file.fault((key,), f"{key} {name}{also}", f"the file's name, {path.stem}", "Rename one of the two."))
        elif file:
            found[name] = file
    return found, faults


def stop(faults: Iterable[LakeError]) -> None:
    """Raise the first fault, if any."""
    for fault in faults:
        raise fault


def _read(path: Path, model: type[Model]) -> tuple[ConfigFile[Model] | None, list[LakeError]]:
    loader = None
    try:
        loader = LOADER(path.read_bytes())
        root = loader.get_single_node()
        content = loader.construct_document(root) if root else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        told = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        return None, [_fault(path, mark.line + 1 if mark else 1, f"no YAML: {told}", "a YAML file")]
    finally:
        if loader:
            loader.dispose()
    faults = [_fault(path, line, f"{name} again", f"each field once (first in line {first})") for line, name, first in _twice(root)]
    try:
        entry = model.model_validate(content)
    except ValidationError as error:
        by_line: dict[int, LakeError] = {}
        for one in error.errors():
            line = _line(root, one["loc"])
            by_line.setdefault(line, _fault(path, line, *_words(one, model)))  # a union tells the same field once for each member
        return None, faults + [by_line[line] for line in sorted(by_line)]
    return ConfigFile(path, entry, root), faults


def _fault(path: Path, line: int, found: str, expected: str, action: str = ACTION) -> LakeError:
    return LakeError(f"{path}, line {line}", found, expected, action, ExitCode.BAD_CONFIG)


def _words(error, model: type[BaseModel]) -> tuple[str, str]:
    """(found, expected) of one fault."""
    name = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "missing":
            return f"no {name}", f"the field {name}"
        case "extra_forbidden":
            known = f": {', '.join(model.model_fields)}" if len(error["loc"]) == 1 else ""
            return f"an unknown field {name}", f"only known ones{known}"
    if not name:  # the file as a whole, or a rule over several fields
        found = "fields that do not fit each other" if isinstance(error["input"], dict) else "a file without fields"
        return found, error["msg"]
    return f"{name} is {error['input']!r}", error["msg"]


def _line(root: yaml.Node | None, field: tuple[int | str, ...]) -> int:
    """The line of a field, 1-based, or of what should hold it."""
    node, line = root, 1
    for step in field:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, step: int | str) -> tuple[int, yaml.Node] | None:
    """(line, node) of one step of a field's path."""
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line + 1, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _twice(node: yaml.Node | None) -> Iterator[tuple[int, str, int]]:
    """Fields that stand twice in one mapping, which YAML readers let pass: line, name, line of the first."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                yield line, key.value, seen[key.value]
            seen.setdefault(key.value, line)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(value)
