"""silver.member_month: one row per person and month in which he was eligible on at least one day, from the insurer's member file.

資格取得日 is the first day of eligibility, 資格喪失日 the first day without it (退職日の翌日): acquired 2025-04-30 and lost 2025-05-01 is
April only. Where several periods touch a month, the latest says what he was. Nothing of the clear text is written: pseudonyms equal those
of receipts. Twins of one sex have one ID1, on receipts too: they are one row.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import erasure, keys
from spark_jobs.identity.pseudonym import pseudonyms
from spark_jobs.masters import edition
from spark_jobs.members.member_file import CONTRACT
from spark_jobs.settings import Settings
from spark_jobs.silver.claim import age

INDUSTRIES = 100  # more names than this are no industries: another column may stand in its place
PERSON = ("insurer_number", "person_id1")
FACTS = (
    "beneficiary_class",
    "sex",
    "birth_month",
    "branch_no",
    "workplace_id",
    "employer_id",
    "industry",
    "residence_municipality",
    "income_class",
)
FILE_ACTION = "The insurer mends the file; nothing of it was loaded."


def run(settings: Settings, path: Path, insurer_number: str, first_month: int, last_month: int, dated: date | None = None) -> str:
    """Read one delivery (a file or all CSV of a folder) and put it in place of the insurer's rows from first to last month."""
    config.insurer(settings, insurer_number)
    months = _months(first_month, last_month)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise LakeError(str(path), "no CSV file", "a member file or a folder of them", "Give its path.", ExitCode.USAGE)
    source_date = dated or edition.date_of(files[0], None)
    table, version = tables.MEMBER_MONTH, keys.version(settings, insurer_number)
    periods = pl.concat([read(settings, file, insurer_number) for file in files])
    source = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
    mark = f"{insurer_number} {first_month}-{last_month} {source} {source_date} key {version}"
    if delta.last_mark(settings, table) == mark:
        return f"{insurer_number}: already there, skipped"
    _check(periods)
    known = _without_erased(settings, periods, insurer_number)
    known = known.with_columns(key_version=pl.lit(version), source=pl.lit(source), source_date=pl.lit(source_date))
    counts = dict.fromkeys(months, 0)

    def batches() -> Iterator[pa.RecordBatch]:
        """Month by month: a whole insurer's years would not fit into memory."""
        for month in months:
            rows = of_month(known, month)
            counts[month] = rows.height
            yield from delta.shaped(table, rows).to_arrow().cast(delta.arrow_schema(table)).to_batches()

    delta.replace(
        settings,
        table,
        pa.RecordBatchReader.from_batches(delta.arrow_schema(table), batches()),
        {"insurer_number": [insurer_number], "service_month": months},
        mark,
    )
    twins = known.group_by(PERSON).agg(pl.col("branch_no").n_unique() > 1)["branch_no"].sum()
    notes = [f"{periods.height - known.height:,} rows of erased persons left out"] if known.height < periods.height else []
    notes += [f"{twins:,} pseudonyms with several 枝番 (twins, one row each)"] if twins else []
    return f"{insurer_number}: {known['person_id1'].n_unique():,} persons, {sum(counts.values()):,} months; {'; '.join(notes)}".rstrip("; ")


def read(settings: Settings, file: Path, insurer_number: str) -> pl.DataFrame:
    """Periods of a file: line, acquired_on, lost_on, pseudonyms and facts, and nothing of the clear text."""
    rows = CONTRACT.read(file)
    if rows["industry"].n_unique() > INDUSTRIES:
        raise LakeError(
            file.name,
            f"{rows['industry'].n_unique()} different 業種",
            f"at most {INDUSTRIES}; another column may stand in its place",
            FILE_ACTION,
        )
    owner = pl.repeat(insurer_number, rows.height, eager=True)
    chains: dict[str, Sequence[bytes]] = {insurer_number: keys.chain(settings, insurer_number)}
    number, symbol, employer = owner, rows["insured_symbol"], rows["employer_symbol"]
    birth_date = rows["birth_date"].dt.strftime("%Y%m%d")
    return rows.with_columns(
        owner.alias("insurer_number"),
        pseudonyms(chains, owner, number, symbol, rows["insured_number"], birth_date, rows["sex"]).alias("person_id1"),
        pl.when(symbol.is_not_null()).then(pseudonyms(chains, owner, number, symbol)).alias("workplace_id"),
        pl.when(employer.is_not_null()).then(pseudonyms(chains, owner, number, employer)).alias("employer_id"),
        birth_date.str.slice(0, 6).cast(pl.Int32).alias("birth_month"),
        pl.lit(file.name).alias("file"),
    ).select("file", "line", *PERSON, "acquired_on", "lost_on", *FACTS)


def of_month(periods: pl.DataFrame, month: int) -> pl.DataFrame:
    """Who was eligible on a day of the month: one row per person; of several periods the latest counts, of twins the first 枝番."""
    first_day = date(month // 100, month % 100, 1)
    start, lost = pl.col("acquired_on"), pl.col("lost_on").fill_null(date.max)
    return (
        periods.filter(start <= pl.lit(first_day).dt.month_end(), lost > first_day, lost > start)
        .sort("acquired_on", "branch_no", descending=[True, False], nulls_last=True)
        .unique(PERSON, keep="first", maintain_order=True)
        .with_columns(pl.lit(month).alias("service_month"), age(pl.lit(month), pl.col("birth_month")).alias("age"))
    )


def _months(first: int, last: int) -> list[int]:
    for name, month in (("--first-month", first), ("--last-month", last)):
        if not (190001 <= month <= 299912 and 1 <= month % 100 <= 12):
            raise LakeError(f"members load {name}", str(month), "a month such as 202604", "Correct it.", ExitCode.USAGE)
    found = [month for month in range(first, last + 1) if 1 <= month % 100 <= 12]
    if not found:
        raise LakeError("members load", f"{first} to {last}", "a first month before the last", "Correct them.", ExitCode.USAGE)
    return found


def _check(periods: pl.DataFrame) -> None:
    """Stop where a period ends before it begins, or two of one person overlap (枝番 tell twins apart; without them nothing can)."""
    order = ["acquired_on", "lost_on", "file", "line"]
    branch = [*PERSON, "branch_no"]
    ends = pl.col("lost_on").fill_null(date.max).cum_max().shift(1).over(branch)
    judged = periods.sort(order).with_columns(
        (pl.col("lost_on") < pl.col("acquired_on")).fill_null(False).alias("is_backward"),
        (pl.col("branch_no").is_not_null() & (ends > pl.col("acquired_on"))).fill_null(False).alias("overlaps"),
    )
    wrong = judged.filter(pl.col("is_backward") | pl.col("overlaps")).sort("file", "line")
    for file, line, is_backward in wrong.select("file", "line", "is_backward").iter_rows():
        found, expected = (
            ("資格喪失日 before 資格取得日", "資格喪失日 on that day or later")
            if is_backward
            else ("a period that overlaps another one of the person", "資格取得日 on or after 資格喪失日 of the period before")
        )
        more = f" {wrong.height - 1:,} more such rows." if wrong.height > 1 else ""
        raise LakeError(f"{file}, line {line}", found, expected, FILE_ACTION + more)


def _without_erased(settings: Settings, periods: pl.DataFrame, insurer_number: str) -> pl.DataFrame:
    """The periods of persons who were not erased."""
    no_name = {name: pl.lit(None, pl.String) for name in ("person_id2_kana", "person_id2_kanji")}
    kept = erasure.without(periods.with_columns(**no_name), erasure.tombstones(settings), insurer_number)
    return kept.drop(no_name)
