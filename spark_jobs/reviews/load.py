"""`lake reviews load` and `withdraw`: one file of results in, or out again. Before or after the receipts, once or often: the same lake."""

import hashlib
from pathlib import Path

import polars as pl

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import erasure
from spark_jobs.landing.delivery import DeliveredFile
from spark_jobs.reviews import review_file
from spark_jobs.settings import Settings
from spark_jobs.silver import batch, claim_review

HASH_DIGITS = 8  # enough to name a file


def run(settings: Settings, path: Path, insurer_number: str) -> str:
    """Put the results of this file in place of what it said before; returns what it holds."""
    config.insurer(settings, insurer_number)
    if not erasure.tombstones(settings).filter(kind=erasure.INSURER, insurer_number=insurer_number).is_empty():
        raise LakeError(f"--insurer {insurer_number}", "an insurer that was erased", "an insurer that takes part", "Nothing was loaded.")
    if not path.is_file():
        raise LakeError(str(path), "no such file", "a file of review results", "Give its path.", ExitCode.USAGE)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    results = review_file.read(path, insurer_number, sha256)
    batch.review(settings, _file(insurer_number, sha256, path.name), results)
    counts = dict(results.group_by("effect").len().iter_rows())
    told = ", ".join(f"{counts[effect]:,} {effect}" for effect in claim_review.EFFECTS if effect in counts)
    lacking = claim_review.without_claim(settings, results).height
    return f"{insurer_number}: {results.height:,} results: {told or 'none'}" + (
        f"; {lacking:,} for claims that are not here" if lacking else ""
    )


def withdraw(settings: Settings, named: str, insurer_number: str) -> str:
    """Take the file of this path, name or hash (its first digits) out; claims that it closed count again."""
    config.insurer(settings, insurer_number)
    loaded = delta.read(settings, tables.CLAIM_REVIEW, {"depositor_number": [insurer_number]}).filter(pl.col("file_name").is_not_null())
    place = Path(named)
    sha256 = hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else named
    is_named = (pl.col("file_name") == named) | (pl.col("file_sha256").str.starts_with(sha256) & pl.lit(len(sha256) >= HASH_DIGITS))
    found = loaded.filter(is_named).select("file_sha256", "file_name").unique()
    if found.height != 1:
        raise LakeError(
            f"--insurer {insurer_number} {named}", f"{found.height} loaded files", "one: a path, a name, or the first digits of its hash",
            "Look at silver.claim_review.",
        )  # fmt: skip
    batch.withdraw(settings, [_file(insurer_number, *found.row(0))])
    return f"{insurer_number}: {found.item(0, 'file_name')} is withdrawn"


def _file(insurer_number: str, sha256: str, name: str) -> DeliveredFile:
    return DeliveredFile(insurer_number, sha256, name, "", "", "", 0, "keep")
