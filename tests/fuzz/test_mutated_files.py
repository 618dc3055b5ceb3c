"""Mutated receipt files of all kinds and forms, in one delivery with untouched ones: nothing raised, no line unaccounted for, nobody disturbed, nobody named.

300 files in `make test`, 10,000 and more in `make test-long`. A failure prints the round's seed; the files of the round stay in pytest's folder.
"""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import polars as pl
import pytest
from lakes import ROOT, lake_at
from mutation import MUTATIONS, mutated
from people import people
from search import Words, search

from spark_jobs import delta, ingest, session, tables
from spark_jobs.claim_format import encoding
from spark_jobs.identity import keys
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

ROUND_FILES = 100
RECEIPTS_PER_SAMPLE = 4
NAMES = {".csv": "11_RECODEINFO_MED.CSV"}  # of files typed by hand: other CSV files of a delivery are no receipts
OF_FILE = (tables.CLAIM, tables.CLAIM_DRUG, tables.CLAIM_DIAGNOSIS, tables.CLAIM_PAYER)
FIXTURES = ROOT / "tests" / "fixtures"
PUBLISHED = ROOT.parent / "shared" / "reference" / "samples" / "RECEIPTC_GAIRAI_SAMPLE.UKE"


@dataclass(frozen=True)
class Sample:
    """A sound file of a few receipts, and who delivers it."""

    name: str
    content: bytes
    insurer_number: str


@dataclass
class Figures:
    """What the rounds saw."""

    files: int = 0
    rejected: int = 0
    in_silver: int = 0
    lines: int = 0
    bronze_lines: int = 0
    quarantined: int = 0
    rules: Counter = field(default_factory=Counter)
    mutations: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        rules = ", ".join(f"{rule} {count}" for rule, count in self.rules.most_common())
        return (
            f"{self.files:,} mutated files ({len(self.mutations)} mutations): {self.in_silver:,} taken in, {self.rejected:,} rejected; "
            f"{self.lines:,} lines = {self.bronze_lines:,} in bronze + {self.quarantined:,} in quarantine; findings: {rules}"
        )


@pytest.fixture(scope="module")
def invented(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invented")
    consortium.write(settings, folder, members=160, least_members=20, biologic_use=60.0, first_service_month=202503, months=2, seed=5)
    return folder


@pytest.fixture(scope="module")
def samples(invented: Path) -> list[Sample]:
    """A few receipts of each kind and form that the generator writes, and files typed by hand."""
    found: dict[tuple, list[Sample]] = {}
    for path in sorted(p for p in (invented / "inbox").rglob("*") if p.is_file()):
        number, content = path.relative_to(invented / "inbox").parts[0], few_receipts(path.read_bytes())
        try:
            kind = encoding.recognise(content)
        except encoding.NotAReceiptFileError:
            continue
        of_kind = found.setdefault((kind.claim_form, kind.claim_kind), [])
        if number not in {sample.insurer_number for sample in of_kind}:
            of_kind.append(Sample(path.name, content, number))
    assert len(found) >= 2 and typed_samples()
    return [sample for of_kind in found.values() for sample in of_kind] + typed_samples()


def typed_samples() -> list[Sample]:
    """Receipts typed by hand, and the published sample where it is here."""
    typed = [path for path in sorted(FIXTURES.rglob("*")) if path.suffix.lower() in delivery.SUFFIXES]
    paths = [*typed, *([PUBLISHED] if PUBLISHED.exists() else [])]
    return [Sample(NAMES.get(path.suffix, path.name), in_windows_31j(path.read_bytes()), "06139901") for path in paths]


def few_receipts(content: bytes) -> bytes:
    """The first receipts of a file, or the last ones with GO (claim form)."""
    lines = content.replace(b"\x1a", b"").splitlines(keepends=True)
    starts = [no for no, line in enumerate(lines) if b",MN," in line[:16] or line.startswith(b"RE,")]
    if len(starts) <= RECEIPTS_PER_SAMPLE:
        return content
    end = starts[RECEIPTS_PER_SAMPLE]
    return b"".join([*lines[:end], *(line for line in lines[end:] if line.startswith(b"GO,"))]) + b"\x1a"


def in_windows_31j(content: bytes) -> bytes:
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\n", "\r\n").encode("cp932")
    except UnicodeDecodeError:
        return content


@pytest.fixture(scope="module")
def named(invented: Path) -> Words:
    """Who is named in the samples: nothing of it may stand anywhere in the lake."""
    invented_people = {word for name, column in people(invented / "truth").items() if name != "birth_date" for word in column}
    return Words(invented_people | {name for sample in typed_samples() for name in names_of(sample.content)})


def names_of(content: bytes) -> set[str]:
    """Names and kana names of the headers of a file."""
    headers = [line for line in content.decode("cp932").splitlines() if re.match(r"(?:[^,]*,){0,3}RE,", line)]
    return {
        name for header in headers for name in re.findall(r"RE(?:,[^,]*){3},([^,]+)|([ァ-ヶー　]{6,})", header) for name in name if name
    }


def line_count(content: bytes) -> int:
    """Physical lines: each ends in LF; what stands behind the last one is a line if there is more than 0x1A."""
    return content.count(b"\n") + bool(content.rpartition(b"\n")[2].replace(b"\x1a", b""))


def take_in(settings: Settings, folder: Path) -> None:
    """What `lake deliver` and `lake ingest` do; an error that is not foreseen ends the test."""
    with session.hold_lake(settings, "test"):
        keys.create(settings, None)
        for number in sorted(path.name for path in folder.iterdir()):
            delivery.deliver(settings, folder / number, number)
        ingest.run(settings)


def put(folder: Path, number: str, no: int, name: str, content: bytes) -> str:
    path = folder / number / f"{no:04}" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def silver_of(settings: Settings, sha256: set[str]) -> dict[str, list[str]]:
    return {table.name: sorted(map(str, delta.read(settings, table, {"file_sha256": sha256}).rows())) for table in OF_FILE}


def lines_of(settings: Settings, table: tables.Table) -> dict[tuple[str, str], int]:
    rows = delta.read(settings, table)
    assert not rows.select("insurer_number", "file_sha256", "line_no").is_duplicated().any(), f"{table.name}: a line stands twice"
    return {row[:2]: row[2] for row in rows.group_by("insurer_number", "file_sha256").agg(pl.len()).iter_rows()}


def run_round(secrets: Path, samples: list[Sample], seed: int, place: Path, named: Words, figures: Figures, capfd) -> None:
    """One delivery of mutated files and, between them, untouched ones of other insurers."""
    rng = Random(seed)
    insurers = sorted({sample.insurer_number for sample in samples})
    rng.shuffle(insurers)
    quiet = set(insurers[:2])  # nobody mutates their receipts: no claim of theirs can meet another version of itself
    broken, sound = [s for s in samples if s.insurer_number not in quiet], [s for s in samples if s.insurer_number in quiet]
    both, alone = place / "both", place / "alone"
    expected: dict[tuple[str, str], tuple[int, list[str]]] = {}
    untouched = set()
    for no, sample in enumerate(sound):
        untouched.add(put(both, sample.insurer_number, no, sample.name, sample.content))
        put(alone, sample.insurer_number, no, sample.name, sample.content)
    while len(expected) < ROUND_FILES:
        sample = rng.choice(broken)
        content, names = mutated(sample.content, rng)
        depositor = rng.choice(insurers) if rng.random() < 0.05 else sample.insurer_number
        name = rng.choice(samples).name if rng.random() < 0.1 else sample.name
        key = depositor, hashlib.sha256(content).hexdigest()
        if key not in expected:
            put(both, depositor, len(sound) + len(expected), name, content)
            expected[key] = (line_count(content), names)
            figures.mutations.update(names)

    lake, undisturbed = (lake_at(place / name, secrets) for name in ("lake", "undisturbed"))
    take_in(undisturbed, alone)
    take_in(lake, both)

    bronze, quarantine = lines_of(lake, tables.CLAIM_LINE), lines_of(lake, tables.QUARANTINE_LINE)
    findings = delta.read(lake, tables.DELIVERY_FINDING)
    found = {row[:2]: row[2] for row in findings.group_by("insurer_number", "file_sha256").agg(pl.col("rule")).iter_rows()}
    states = {(file.insurer_number, file.file_sha256): file.state for file in delivery.files(lake)}
    for key, (lines, names) in expected.items():
        told = f"seed {seed}, {names}, file {key[1][:12]} of {key[0]} below {both}"
        assert key in states, f"{told}: no event"
        taken = bronze.get(key, 0) + quarantine.get(key, 0)
        if states[key] == "rejected":
            assert taken == 0 and found.get(key), f"{told}: rejected with {taken} lines and findings {found.get(key)}"
            figures.rejected += 1
        else:
            assert states[key] not in delivery.OPEN or states[key] == "bronze", f"{told}: left {states[key]}"
            assert taken == lines, f"{told}: {lines} lines, {bronze.get(key, 0)} in bronze + {quarantine.get(key, 0)} in quarantine"
            assert not quarantine.get(key) or found.get(key), f"{told}: lines in quarantine without a finding"
            figures.in_silver += 1
            figures.lines += lines
        figures.files += 1
    figures.bronze_lines += sum(bronze.get(key, 0) for key in expected)
    figures.quarantined += sum(quarantine.get(key, 0) for key in expected)
    figures.rules.update(findings["rule"].to_list())
    assert silver_of(lake, untouched) == silver_of(undisturbed, untouched), f"seed {seed}: an untouched file came out otherwise"
    assert any(silver_of(lake, untouched).values())
    assert search(lake.home_path, named) == {}, f"seed {seed}: somebody is named"
    assert named.found_in("".join(capfd.readouterr()).encode()) == [set()], f"seed {seed}: somebody is named in what was printed"


def rounds(first: int, count: int) -> Iterator[int]:
    yield from range(first, first + count)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "secrets"


def test_300_mutated_files(secrets, samples, named, tmp_path, capfd):
    figures = Figures()
    for seed in rounds(1, 3):
        run_round(secrets, samples, seed, tmp_path / str(seed), named, figures, capfd)
    print(figures)
    assert figures.files == 300 and figures.rejected > 0 and figures.quarantined > 0 and figures.bronze_lines > 0
    assert figures.lines == figures.bronze_lines + figures.quarantined


@pytest.mark.long
@pytest.mark.parametrize("part", range(5), ids=lambda part: f"part{part}")
def test_10_000_mutated_files(secrets, samples, named, tmp_path, capfd, record_property, part: int):
    figures = Figures()
    for seed in rounds(1000 + part * 21, 21):
        run_round(secrets, samples, seed, tmp_path / str(seed), named, figures, capfd)
        shutil.rmtree(tmp_path / str(seed))
    print(figures)
    for name in ("files", "in_silver", "rejected", "lines", "bronze_lines", "quarantined"):
        record_property(name.replace("_", " "), getattr(figures, name))
    assert figures.files == 2100 and figures.lines == figures.bronze_lines + figures.quarantined


def test_the_count_of_lines_is_independent_of_the_reader():
    assert [line_count(c) for c in (b"", b"\x1a", b"a", b"a\n", b"a\r\n\x1a", b"a\n\nb", b"a\rb")] == [0, 0, 1, 1, 1, 3, 1]


def test_every_mutation_changes_a_file_and_is_seeded(samples):
    content = samples[0].content
    for name, mutate in MUTATIONS.items():
        assert mutate(content, Random(3)) == mutate(content, Random(3)), name
        assert any(mutate(content, Random(seed)) != content for seed in range(9)), name
