"""A whole lake of an invented consortium drawn from a seed: config/, masters/, inbox/, home/, secrets/ below PLACE.

Drawn are the insurers (number, kinds, prefectures, start months, sizes), the months, how many claims come late, go back or are corrected,
how often the claim form comes beside the insurer form or in its place, and which products are supply-restricted when.

usage: random_lake.py PLACE SEED [HOME]        HOME: silver only, in a lake that stands there
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import supply_lists
import yaml

if TYPE_CHECKING:
    from spark_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KINDS = {  # kind → number without its check digit, by prefecture and a number of three digits
    "kenpo": "06{prefecture}{serial:03}", "kyokai": "01{prefecture}{serial:03}", "kyosai": "31{prefecture}{serial:03}",
    "kokuho_city": "{prefecture}{serial:03}",
}  # fmt: skip
INSURER_FORM = {"RECEIPTC.UKE": "11_RECODEINFO_MED.CSV", "RECEIPTD.UKE": "12_RECODEINFO_DPC.CSV",
                "RECEIPTS.UKE": "13_RECODEINFO_DEN.CSV", "RECEIPTY.CYO": "14_RECODEINFO_PHA.CSV"}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """What the seed decides."""

    rng: Random
    first_service_month: int
    months: int
    members: int
    biologic_use: float


def draw(seed: int) -> Drawn:
    rng = Random(f"consortium/{seed}")
    months = rng.randint(3, 16)
    return Drawn(rng, rng.randint(2020, 2025) * 100 + rng.randint(1, 12), months, 4000 // (months + 4), rng.choice((20.0, 40.0, 80.0)))


def write_config(folder: Path, drawn: Drawn) -> None:
    """config/ of two to nine insurers of several kinds in a few prefectures; all but insurers and regions is the project's."""
    from spark_jobs.claim_format.codes import check_digit
    from spark_jobs.synthetic.months import month_after

    rng = drawn.rng
    shutil.copytree(ROOT / "config", folder, ignore=shutil.ignore_patterns("insurers", "regions"))
    sample = yaml.safe_load((ROOT / "config/insurers/06119903.yaml").read_text(encoding="utf-8"))
    prefectures = rng.sample([f"{no:02}" for no in range(1, 48)], rng.randint(1, 4))
    if len(prefectures) > 1:
        prefectures[:2] = ["13", "14"]  # some who live around the capital go to a hospital in it, and to a pharmacy at home
    kinds = rng.sample(list(KINDS), rng.randint(1, len(KINDS)))
    (folder / "insurers").mkdir(parents=True)
    numbers = []
    for serial in range(rng.randint(2, 9)):
        kind, prefecture = rng.choice(kinds), rng.choice(prefectures)
        body = KINDS[kind].format(prefecture=prefecture, serial=serial + 1)
        number = f"{body}{check_digit(body)}"
        starts = month_after(drawn.first_service_month, rng.choice((0, 1, 1, 1, 2)))
        entry = sample | {"insurer_number": number, "kind": kind, "prefecture_code": prefecture, "start_claim_month": starts}
        entry |= {"member_count": rng.randint(1, 50) * 1000, "name_ja": f"架空保険者{serial}", "short_name_ja": f"架空{serial}"}
        entry = {name: value for name, value in entry.items() if kind == "kenpo" or name not in ("structure", "industry_ja")}
        (folder / "insurers" / f"{number}.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), encoding="utf-8")
        numbers.append(number)
    region = {"region_key": "random", "name_ja": "架空地域", "place_level": "nation", "place_keys": ["all"], "insurers": numbers, "wave": 1}
    (folder / "regions").mkdir()
    (folder / "regions" / "random.yaml").write_text(yaml.safe_dump(region | {"is_synthetic": True}, allow_unicode=True), encoding="utf-8")


def write_inbox(settings: "Settings", place: Path, drawn: Drawn, seed: int) -> None:
    """Receipts whose habits are drawn too; in some months of some insurers a kind comes in the claim form alone."""
    from spark_jobs.synthetic import block, consortium, history, plan, returns

    rng = drawn.rng
    late = sorted(rng.choices(range(60), k=3), reverse=True)
    habits: Mapping = {
        (history, "LATE_DELAYS"): (1000 - sum(late), *late), (returns, "RETURNED_PER_RECEIPT"): rng.choice((0.0, 0.01, 0.05)),
        (returns, "RECLAIMED_RATIO"): rng.random(), (block, "CORRECTED_PER_RECEIPT"): rng.choice((0.0, 0.02, 0.1)),
        (plan, "COPIED_EVERY"): rng.choice((1, 1, 2, 3)),
    }  # fmt: skip
    for (module, name), value in habits.items():
        setattr(module, name, value)
    consortium.write(
        settings, place, members=drawn.members, least_members=20, biologic_use=drawn.biologic_use,
        first_service_month=drawn.first_service_month, months=drawn.months, seed=seed, processes=1,
    )  # fmt: skip
    for claim_form in sorted((place / "inbox").rglob("RECEIPT*")):
        month = next(folder for folder in claim_form.parents if folder.parent.parent == place / "inbox")
        for other in month.rglob(INSURER_FORM[claim_form.name]):
            if rng.random() < 0.3:
                other.unlink()


def environment(place: Path, home: Path | None = None) -> dict[str, str]:
    """Settings of the lake at a place."""
    found = {f"LAKE_{name.upper()}": str(place / name) for name in ("home", "secrets", "config", "event_log")}
    return found | ({"LAKE_HOME": str(home)} if home else {})


def prepare(place: Path, seed: int, home: Path | None = None) -> "Settings":
    """Everything but the lake, and its settings."""
    from spark_jobs.settings import Settings

    drawn = draw(seed)
    write_config(place / "config", drawn)
    os.environ |= environment(place, home)
    settings = Settings()
    supply_lists.write(place / "masters", drawn.rng, drawn.first_service_month, drawn.months)
    write_inbox(settings, place, drawn, seed)
    return settings


def take_in(settings: "Settings", place: Path) -> None:
    """Masters and silver of what was prepared."""
    from spark_jobs import ingest
    from spark_jobs.identity import keys
    from spark_jobs.landing import delivery
    from spark_jobs.masters import load

    load.run(settings, "shipped")
    load.run(settings, "supply-status", place / "masters")
    keys.create(settings, None)
    for inbox in sorted((place / "inbox").iterdir()):
        delivery.deliver(settings, inbox, inbox.name)
    ingest.run(settings)


def only_take_in(place: Path) -> None:
    """Silver, and no marts."""
    from spark_jobs import session
    from spark_jobs.settings import Settings

    settings = Settings()
    with session.hold_lake(settings, "test"):
        take_in(settings, place)


def main(place: Path, seed: int) -> "Settings":
    from spark_jobs import build, session

    settings = prepare(place, seed)
    with session.hold_lake(settings, "test"):
        take_in(settings, place)
        print(build.run(settings))
    return settings


if __name__ == "__main__":
    if len(sys.argv) > 3:
        prepare(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
        only_take_in(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]))
