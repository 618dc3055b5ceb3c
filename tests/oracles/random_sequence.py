"""Random deliveries of a random consortium, step by step: months, some of them late, corrected files in place of others, withdrawals.

After each step what it touched is built; in the end all is built. said.json has what each build said, and which tables differ then.

usage: random_sequence.py PLACE SEED
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import polars as pl
import random_lake

if TYPE_CHECKING:
    from spark_jobs.settings import Settings

STEPS = 5
HELD_BACK, DROPPED = 0.2, 0.1  # of the deliveries; of the receipts of a corrected file
SCHEMAS = ("intermediate", "marts")


def plan(inbox: Path, rng: Random) -> list[list[Path]]:
    """Folders insurer/claim month by step: months in order, some of them steps too late."""
    months = sorted({folder.name for folder in inbox.glob("*/20*")})
    of_step = {month: no * STEPS // len(months) for no, month in enumerate(months)}
    steps: dict[int, list[Path]] = defaultdict(list)
    for folder in sorted(inbox.glob("*/20*")):
        late = rng.randint(1, STEPS) if rng.random() < HELD_BACK else 0
        steps[min(of_step[folder.name] + late, STEPS - 1)].append(folder)
    return [steps[no] for no in range(STEPS)]


def corrected(file: Path, target: Path, rng: Random) -> Path:
    """The insurer-form file without some of its receipts."""
    lines = file.read_bytes().splitlines(keepends=True)
    kept, is_kept = [], True
    for line in lines:
        if line.split(b",", 4)[3:4] == [b"MN"]:
            is_kept = not kept or rng.random() >= DROPPED  # the first receipt names the month
        kept += [line] if is_kept or line == b"\x1a" else []
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"".join(kept))
    return target


def contents(settings: "Settings") -> dict[str, pl.DataFrame]:
    """Every table that dbt makes, its rows in one order."""
    found = {}
    for schema in SCHEMAS:
        for log in sorted((settings.warehouse / f"{schema}.db").glob("*/_delta_log")):
            rows = pl.read_delta(str(log.parent))
            found[f"{schema}.{log.parent.name}"] = rows.select(sorted(rows.columns)).sort(pl.all())
    return found


def main(place: Path, seed: int) -> None:
    from spark_jobs import build, ingest, session
    from spark_jobs.identity import keys
    from spark_jobs.landing import delivery
    from spark_jobs.masters import load

    settings, rng, said, delivered = random_lake.prepare(place, seed), Random(f"sequence/{seed}"), [], []
    with session.hold_lake(settings, "test"):
        load.run(settings, "shipped")
        keys.create(settings, None)
        for no, folders in enumerate(plan(place / "inbox", rng)):
            done = []
            for folder in folders:
                delivery.deliver(settings, folder, folder.parent.name)
            if delivered and rng.random() < 0.7:
                file = rng.choice(delivered)
                insurer = file.relative_to(place / "inbox").parts[0]
                delivery.deliver(settings, corrected(file, place / "corrected" / str(no) / file.name, rng), insurer, is_replacing=True)
                done.append(f"corrected {file.name}")
            ingest.run(settings)
            held = sorted((file for file in delivery.files(settings) if file.state == "silver"), key=lambda file: file.file_sha256)
            if no and held and rng.random() < 0.7:
                file = rng.choice(held)
                delivery.withdraw(settings, file.insurer_number, file.file_sha256, "test")
                ingest.take_out(settings)
                done.append(f"withdrew {file.file_name} of {file.claim_month}")
            delivered += [file for folder in folders for file in sorted(folder.rglob("1[1-4]_RECODEINFO_*.CSV"))]
            said.append(f"{len(folders)} deliveries, {', '.join(done) or 'nothing else'}; built {build.run(settings)}")
            print(said[-1], flush=True)
        touched = contents(settings)
        (settings.home_path / "dbt" / "unfinished").write_text("all")
        said.append(build.run(settings))
        whole = contents(settings)
    differ = sorted(name for name in touched.keys() | whole.keys() if name not in touched or not touched[name].equals(whole.get(name)))
    (place / "said.json").write_text(json.dumps({"said": said, "tables": len(whole), "differ": differ}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
