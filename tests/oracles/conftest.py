"""What the receipt files say, read once for all oracles."""

from functools import cache
from pathlib import Path

import pytest
import recompute


@cache
def of_inbox(inbox: Path) -> list[recompute.Claim]:
    """Once per process: test_faults.py asks again and again."""
    return list(recompute.claims(inbox))


@cache
def shares_of(inbox: Path, config: Path) -> dict[tuple, recompute.Share]:
    entries = recompute.insurer_entries(config)
    kinds, starts = ({number: entry[name] for number, entry in entries.items()} for name in ("kind", "start_claim_month"))
    return recompute.shares(of_inbox(inbox), kinds, starts)


@pytest.fixture(scope="session")
def claims(tiny_lake: Path) -> list[recompute.Claim]:
    return of_inbox(tiny_lake / "inbox")


@pytest.fixture(scope="session")
def entries(lake_config: Path) -> dict[str, dict]:
    """Insurer → its file in config/insurers."""
    return recompute.insurer_entries(lake_config)


@pytest.fixture(scope="session")
def kinds(entries: dict[str, dict]) -> dict[str, str]:
    return {number: entry["kind"] for number, entry in entries.items()}


@pytest.fixture(scope="session")
def starts(entries: dict[str, dict]) -> dict[str, int]:
    """Insurer → first claim month."""
    return {number: entry["start_claim_month"] for number, entry in entries.items()}


@pytest.fixture(scope="session")
def shares(tiny_lake: Path, lake_config: Path) -> dict[tuple, recompute.Share]:
    return shares_of(tiny_lake / "inbox", lake_config)
