"""Any order, duplication and splitting of the deliveries of eight insurers over 24 months gives the same silver, compared by content.

2 permutations in `make test`, 30 in `make test-long`. A failure names its seed.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random

import polars as pl
import pytest
from compare import OF_THE_RUN, contents, differences
from lakes import lake_at

from spark_jobs import ingest, session
from spark_jobs.claim_format import encoding
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

MEMBERS, LEAST_MEMBERS, BIOLOGIC_USE, SEED = 120, 12, 30.0, 21
FIRST_SERVICE_MONTH, MONTHS = 202410, 24
PLACE = ("file_sha256", "line_no", "receipt_seq")  # where a line stood: another file after splitting
SPLIT, TWICE = 0.15, 0.1  # of the files
SILVER = ("silver",)


@dataclass(frozen=True)
class Unit:
    """A file as it is delivered: whole, or a part of one."""

    insurer_number: str
    name: str
    content: bytes
    is_part: bool = False


@pytest.fixture(scope="module")
def units(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """All deliveries of the consortium, in order."""
    folder = tmp_path_factory.mktemp("order")
    consortium.write(
        settings, folder, members=MEMBERS, least_members=LEAST_MEMBERS, biologic_use=BIOLOGIC_USE, first_service_month=FIRST_SERVICE_MONTH,
        months=MONTHS, seed=SEED,
    )  # fmt: skip
    inbox = folder / "inbox"
    files = sorted((path for path in inbox.rglob("*") if path.is_file()), key=lambda path: path.relative_to(inbox).parts[1:])
    found = [Unit(path.relative_to(inbox).parts[0], path.name, path.read_bytes()) for path in files]
    assert len({unit.insurer_number for unit in found}) == 8
    shutil.rmtree(folder)
    return found


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same keys for every lake, else no pseudonym is the same."""
    place = tmp_path_factory.mktemp("keys") / "secrets"
    keys.create(lake_at(place.parent, place), None)
    return place


@pytest.fixture(scope="module")
def in_order(secrets: Path, units: list[Unit], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Silver of all deliveries, in order, in one run."""
    made = silver_of(secrets, [units], tmp_path_factory.mktemp("in_order"))
    assert {"silver.claim", "silver.claim_drug", "silver.claim_diagnosis", "silver.claim_payer", "silver.person"} <= set(made)
    return made


def silver_of(secrets: Path, batches: list[list[Unit]], place: Path) -> dict[str, pl.DataFrame]:
    """Each batch delivered and ingested by itself."""
    lake = lake_at(place, secrets)
    for no, batch in enumerate(batches):
        for ordinal, unit in enumerate(batch):
            path = place / "inbox" / str(no) / unit.insurer_number / f"{ordinal:04}" / unit.name
            path.parent.mkdir(parents=True)
            path.write_bytes(unit.content)
        with session.hold_lake(lake, "test"):
            for number in sorted(
                {unit.insurer_number for unit in batch}, key=lambda number: hashlib.sha256(f"{no}{number}".encode()).hexdigest()
            ):
                delivery.deliver(lake, place / "inbox" / str(no) / number, number)
            ingest.run(lake)
    assert all(file.state not in delivery.OPEN for file in delivery.files(lake) if file.claim_kind != "nur")
    made = contents(lake.home_path, SILVER)
    shutil.rmtree(place)
    return made


def permuted(units: list[Unit], seed: int) -> list[list[Unit]]:
    """The same receipts: files cut at MN, delivered twice, in any order, in several runs."""
    rng = Random(seed)
    made: list[Unit] = []
    for unit in units:
        parts = list(split(unit, rng.choice((2, 3)))) if rng.random() < SPLIT else [unit]
        made += parts
        if rng.random() < TWICE:
            made.append(replace(parts[0], name=f"{rng.randrange(100)}_{unit.name}" if rng.random() < 0.3 else unit.name))
    rng.shuffle(made)
    borders = sorted(rng.sample(range(1, len(made)), rng.choice((0, 2, 5))))
    return [made[first:last] for first, last in zip([0, *borders], [*borders, len(made)], strict=True)]


def split(unit: Unit, count: int) -> Iterator[Unit]:
    """Parts of an insurer-form file, each of whole receipts; a claim-form file is one provider's and stays whole."""
    lines = unit.content.replace(encoding.END_MARK, b"").splitlines(keepends=True)
    starts = [no for no, line in enumerate(lines) if b",MN," in line[:16]]
    if len(starts) < count or starts[0] != 0:
        yield unit
        return
    borders = [starts[len(starts) * part // count] for part in range(count)] + [len(lines)]
    for first, last in pairwise(borders):
        yield replace(unit, content=b"".join(lines[first:last]) + encoding.END_MARK, is_part=True)


def of_whole_files(tables: dict[str, pl.DataFrame], whole: set[str]) -> dict[str, pl.DataFrame]:
    return {name: rows.filter(pl.col("file_sha256").is_in(list(whole))) for name, rows in tables.items() if "file_sha256" in rows.columns}


def without_place(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    dropped = {*PLACE, *OF_THE_RUN}
    kept = {name: rows.select(column for column in rows.columns if column not in dropped) for name, rows in tables.items()}
    return {name: rows.sort(rows.columns, nulls_last=True) for name, rows in kept.items()}


def check(secrets: Path, units: list[Unit], in_order: dict[str, pl.DataFrame], seed: int, place: Path) -> None:
    batches = permuted(units, seed)
    delivered = [unit for batch in batches for unit in batch]
    made = silver_of(secrets, batches, place)
    assert differences(without_place(made), without_place(in_order)) == [], f"seed {seed}: {len(delivered)} files in {len(batches)} runs"
    whole = {hashlib.sha256(unit.content).hexdigest() for unit in delivered if not unit.is_part}
    assert differences(of_whole_files(made, whole), of_whole_files(in_order, whole)) == [], f"seed {seed}: places of lines in whole files"


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_gives_the_same_silver(secrets: Path, units, in_order, tmp_path: Path, seed: int):
    check(secrets, units, in_order, seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_any_of_30_orders_gives_the_same_silver(secrets: Path, units, in_order, tmp_path: Path, seed: int):
    check(secrets, units, in_order, seed, tmp_path)


def test_a_lost_file_would_be_seen(in_order: dict[str, pl.DataFrame]):
    """The comparison can fail."""
    lost = {name: rows.head(rows.height - 1) if name == "silver.claim" else rows for name, rows in in_order.items()}
    assert differences(lost, in_order) and not differences(in_order, in_order)


def test_parts_of_a_split_file_hold_its_receipts(units: list[Unit]):
    unit = max(units, key=lambda unit: len(unit.content))
    parts = list(split(unit, 3))
    assert len(parts) == 3 and all(b",MN," in part.content[:16] for part in parts)
    assert b"".join(part.content.removesuffix(encoding.END_MARK) for part in parts) == unit.content.replace(encoding.END_MARK, b"")
