"""The files that are measured: invented receipts, made once by `lake synthesize` and kept in the data folder."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmarks import measure
from benchmarks.lake import LAKE, ROOT

FIRST_SERVICE_MONTH, MONTHS = 202310, 37
MB_PER_MEMBER = 0.0137  # of all months; a first guess that the first files correct
SEED = 3
NAME = "11_RECODEINFO_MED.CSV"


class Months:
    """Files below folder/<insurer>/<month>."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.months = sorted({path.name for path in folder.glob("*/*") if path.is_dir()})

    def of(self, months: Iterable[str]) -> list[Path]:
        wanted = set(months)
        return sorted(path for path in self.folder.glob("*/*/**/*") if path.is_file() and path.relative_to(self.folder).parts[1] in wanted)

    def put(self, months: Iterable[str], inbox: Path) -> float:
        """Links to the files of these months below `inbox`; their MB."""
        files = self.of(months)
        for path in files:
            target = inbox / path.relative_to(self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
        return size(files)


class Consortium(Months):
    """All that eight insurers deliver in so many months: every kind, both forms, corrections."""

    def __init__(self, data: Path, members: int, months: int):
        place = data / f"consortium-{members}-{months}"
        if not (place / "truth" / "parameters.json").exists():
            synthesize(place, members, months)
        super().__init__(place / "inbox")


class Files(Months):
    """医科 receipts in the insurer form, of at least `megabytes` altogether, of `months` months."""

    def __init__(self, data: Path, megabytes: float, months: int = MONTHS):
        self.folder = data / f"med-{megabytes:g}mb-{months}"
        if not (self.folder / "made.json").exists():
            self._make(megabytes, months)
        super().__init__(self.folder)

    def _make(self, megabytes: float, months: int) -> None:
        members = max(2400, round(megabytes / MB_PER_MEMBER * MONTHS / months))
        while True:
            shutil.rmtree(self.folder, ignore_errors=True)
            source = self.folder / "synthesized"
            synthesize(source, members, months)
            for path in sorted((source / "inbox").rglob(NAME)):
                number, month = path.relative_to(source / "inbox").parts[:2]
                (self.folder / number / month).mkdir(parents=True, exist_ok=True)
                path.rename(self.folder / number / month / NAME)
            shutil.rmtree(source)
            made = size(self.folder.glob("*/*/*.CSV"))
            if made >= megabytes:
                break
            members = round(members * megabytes / made * 1.03) + 1
        (self.folder / "made.json").write_text(json.dumps({"members": members, "months": months, "mb": made}))


def synthesize(place: Path, members: int, months: int) -> None:
    """`place`/inbox/<insurer>/<month>/…, `place`/truth."""
    shutil.rmtree(place, ignore_errors=True)
    print(f"  inventing receipts of {members:,} members over {months} months …", flush=True)
    measure.run(
        [*LAKE, "synthesize", str(place), "--members", str(members), "--months", str(months), "--seed", str(SEED),
         "--first-service-month", str(FIRST_SERVICE_MONTH), "--biologic-use", "8"],
        {"LAKE_CONFIG": str(ROOT / "config")},
    )  # fmt: skip


def size(files: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6
