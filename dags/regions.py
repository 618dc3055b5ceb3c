"""config/regions and backfills as DAG files need them: keys, names, insurers. Whether they are right is `lake config check`'s to say."""

import os
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 141 files in a tenth of the time


class Region(NamedTuple):
    key: str
    name_ja: str
    insurers: list[str]


def regions() -> list[Region]:
    """All regions of LAKE_CONFIG, in order of their keys."""
    entries = [_read(file) for file in sorted((_config() / "regions").glob("*.yaml"))]
    return [Region(entry["region_key"], entry["name_ja"], entry["insurers"]) for entry in entries]


def region_of_backfill(key: str) -> str:
    """Whose claims a file of config/backfills is about."""
    return _read(_config() / "backfills" / f"{key}.yaml")["region_key"]


def _config() -> Path:
    return ROOT / os.environ.get("LAKE_CONFIG", "config")


def _read(file: Path) -> dict:
    return yaml.load(file.read_bytes(), Loader=LOADER)  # noqa: S506  a safe loader
