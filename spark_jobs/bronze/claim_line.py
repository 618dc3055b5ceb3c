"""bronze.claim_line: the lines of delivered files, as sent, with pseudonyms where names and numbers stood (claim_format/privacy.csv).

A file's lines stand in bronze.claim_line or in bronze.quarantine_line, each exactly once; a run that finds otherwise fails.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs import delta, tables
from spark_jobs.bronze import finding, piece, quarantine_line, receipt
from spark_jobs.claim_format import layouts, privacy
from spark_jobs.claim_format.encoding import BROKEN
from spark_jobs.claim_format.japanese_calendar import western_column
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys, pseudonym
from spark_jobs.landing import finding as landing_finding
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from spark_jobs.landing.delivery import DeliveredFile

PARTS: dict[str, dict[str, tuple[str, ...]]] = {  # what identifies, beside birth date and sex: record → mark → fields of the same line
    "HO": {"id1": ("insurer_number", "insured_symbol", "insured_number"), "workplace": ("insurer_number", "insured_symbol")},
    "SN": {
        "id1": ("verified_insurer_number", "verified_symbol", "verified_number"),
        "workplace": ("verified_insurer_number", "verified_symbol"),
        "recipient": ("verified_insurer_number", "recipient_number"),
    },
    "KO": {"recipient": ("public_payer_number", "recipient_number")},
    "RE": {"id2_kanji": ("patient_name",), "id2_kana": ("patient_name_kana",)},
}
EMPTIED = ("drop", "free_text")
WITH_BIRTH_AND_SEX = ("id1", "id2_kanji", "id2_kana")


@dataclass(frozen=True)
class FileCount:
    """What came of one file."""

    file: "DeliveredFile"
    receipt_count: int
    line_count: int
    quarantine_count: int


def run(spark: "SparkSession", settings: Settings, files: list["DeliveredFile"]) -> tuple[list[FileCount], list[piece.LostFileError]]:
    """Write lines and findings of exactly these files; repeating it changes nothing. Files gone or changed are left out and returned."""
    for number in {file.insurer_number for file in files}:
        keys.key_file(settings, number)
    pieces: dict[tuple[str, str], list[piece.Piece]] = {}
    totals: dict[DeliveredFile, int] = {}
    lost: list[piece.LostFileError] = []
    for file in files:
        try:
            parts, totals[file] = piece.cut(file)
        except piece.LostFileError as error:
            lost.append(error)
        else:
            pieces.setdefault((file.claim_kind, file.claim_form), []).extend(parts)
    if not totals:
        return [], lost
    overwrite(settings, tables.CLAIM_LINE, totals, lines(spark, settings, pieces))
    kept = written(spark, tables.CLAIM_LINE, totals)
    short = {file for file, total in totals.items() if kept.get(file, (0, 0))[0] != total}
    if short:
        hashes = {file.file_sha256 for file in short}
        unread = {kind: [part for part in parts if part.file_sha256 in hashes] for kind, parts in pieces.items()}
        rows = quarantine_line.lines(spark, settings, {kind: parts for kind, parts in unread.items() if parts})
        overwrite(settings, tables.QUARANTINE_LINE, short, rows)
    out = written(spark, tables.QUARANTINE_LINE, short)
    for file, total in totals.items():
        if kept.get(file, (0, 0))[0] + out.get(file, (0, 0))[0] != total:
            raise LakeError(
                file.file_path, f"{kept.get(file)} lines and receipts in bronze, {out.get(file)} in quarantine", f"{total} lines together",
                "This is a fault of the lake: keep the file and report it.", ExitCode.FAILED,
            )  # fmt: skip
    found = finding.all_of(spark, totals, delta.condition(of_files(totals)), has_quarantine=bool(short))
    landing_finding.replace(settings, found, totals, finding.WRITTEN_RULES)
    return [FileCount(file, kept.get(file, (0, 0))[1], total, out.get(file, (0, 0))[0]) for file, total in totals.items()], lost


def lines(spark: "SparkSession", settings: Settings, pieces: dict[tuple[str, str], list[piece.Piece]]) -> "DataFrame":
    """The readable lines of these pieces, by (kind, form)."""
    pads, known = pseudonym.pads(spark, settings), sorted(keys.versions(settings))
    return reduce(
        lambda left, right: left.unionByName(right),
        (
            sound_lines(receipt.receipts(piece.read(spark, parts), kind, form), kind, form, pads, known)
            for (kind, form), parts in pieces.items()
        ),
    )


def sound_lines(receipts: "DataFrame", claim_kind: str, claim_form: str, pads: "DataFrame", known: list[str]) -> "DataFrame":
    """Lines of the receipts that no rule keeps out, sensitive fields replaced."""
    owner = f.when(f.col("ho_number").isin(known), f.col("ho_number")).otherwise(f.col("insurer_number"))
    prefix = receipt.prefix_fields(claim_form)
    is_sound = ~receipt.is_blank(f.col("line"))
    if claim_form == "claim":  # outside of receipts each line stands for itself
        stands = f.col("line").rlike(receipt.sound_line(claim_kind, claim_form)) & ~f.col("line").contains(BROKEN)
        is_sound &= (f.col("receipt_seq") > 0) | stands
    else:
        is_sound &= f.col("receipt_seq") > 0
    exploded = (
        receipts.join(f.broadcast(pads), owner == f.col("key_insurer"), "left")  # inner would make Spark read each header twice
        .withColumn("lines", f.when(f.col("rule").isNull(), f.col("lines")))
        .select("*", f.posexplode("lines").alias("place", "line"))
        .where(is_sound)
        .withColumn("record_type", f.substring_index(f.substring_index("line", ",", prefix + 1), ",", -1))
        .withColumn("line", _padded(claim_kind) if claim_form == "claim" else f.col("line"))
    )
    return tables.CLAIM_LINE.shaped(
        exploded.withColumns(
            {
                "claim_form": f.lit(claim_form),
                "claim_kind": f.lit(claim_kind),
                "line_no": f.col("first_line") + f.col("place"),
                "line": replaced(claim_kind, claim_form),
            }
        )
    )


def replaced(claim_kind: str, claim_form: str) -> "Column":
    """The line without what privacy.csv does not keep; pseudonyms from the pads and the birth date and sex of the receipt."""
    same: dict[tuple, list[str]] = {}  # records whose marks are equal share one expression
    for record_id, marks in privacy.marks(claim_kind, claim_form).items():
        empties = all(mark in EMPTIED for mark in marks.values())
        same.setdefault(tuple(sorted(marks)) if empties else (record_id,), []).append(record_id)
    cases = f.when(f.lit(False), None)
    for record_ids in same.values():
        record = layouts.record(claim_kind, record_ids[0], claim_form)
        marks = privacy.marks(claim_kind, claim_form)[record.record_id]
        values = {pos: _value(record, mark, claim_form) for pos, mark in marks.items()}
        cases = cases.when(f.col("record_type").isin(record_ids), _substitute(f.col("line"), values, receipt.prefix_fields(claim_form)))
    return cases.otherwise(f.col("line"))


def _substitute(line: "Column", values: dict[int, "Column | None"], prefix: int) -> "Column":
    """The line with other values at 1-based positions; None empties the field."""
    pattern, replacement, done = "^", [], 0
    for order, pos in enumerate(sorted(values)):
        index = pos - 1 + prefix
        pattern += f"(?<k{order}>{',' if done else ''}(?:[^,]*+,){{{index - done}}})[^,]*+"
        value = values[pos]
        replacement += [f.lit(f"${{k{order}}}"), *([value] if value is not None else [])]
        done = index + 1
    return f.regexp_replace(line, f.lit(pattern), f.concat(*replacement))


def _value(record: layouts.Record, mark: str, claim_form: str) -> "Column | None":
    """What is stored in place of a field of `line`."""
    if mark in EMPTIED:
        return None
    cells = f.split("line", ",", record.length + receipt.prefix_fields(claim_form) + 1)

    def cell(name: str) -> "Column":
        return f.coalesce(f.try_element_at(cells, f.lit(record.pos(name) + receipt.prefix_fields(claim_form))), f.lit(""))

    if mark == "suspicion":
        return f.when(f.endswith(cell("disease_name"), f.lit("疑い")), "疑い").otherwise("")
    birth_date = f.coalesce(western_column(cell("birth_date")), f.lit("")) if mark == "birth_month" else f.col("birth_date")
    if mark == "birth_month":
        return f.left(birth_date, f.lit(6))
    names = PARTS[record.record_id][mark]
    more = (birth_date, f.col("sex")) if mark in WITH_BIRTH_AND_SEX else ()
    return f.when(f.trim(cell(names[-1])) == "", "").otherwise(pseudonym.hmac(*map(cell, names), *more))


def _padded(claim_kind: str) -> "Column":
    """A line of the claim form with the trailing fields that its sender left out."""
    counts = f.create_map(*(f.lit(part) for r in layouts.records(claim_kind, "claim").values() for part in (r.record_id, r.length - 1)))
    commas = f.octet_length("line") - f.octet_length(f.replace(f.col("line"), f.lit(","), f.lit("")))
    return f.concat("line", f.repeat(f.lit(","), f.try_element_at(counts, f.col("record_type")) - commas))


def overwrite(settings: Settings, table: tables.Table, files: Iterable["DeliveredFile"], rows: "DataFrame") -> None:
    """Replace what the table holds of these files, and only that, in one commit; it holds nothing unless an earlier run was killed."""
    where = of_files(files)
    if delta.is_empty(settings, table, where):
        rows.writeTo(table.name).append()
    else:
        rows.writeTo(table.name).overwrite(f.expr(delta.condition(where)))


def written(spark: "SparkSession", table: tables.Table, files: Iterable["DeliveredFile"]) -> dict["DeliveredFile", tuple[int, int]]:
    """(lines, receipts) that the table holds of each of these files."""
    by_key = {(file.insurer_number, file.file_sha256): file for file in files}
    if not by_key:
        return {}
    rows = (
        spark.table(table.name)
        .where(delta.condition(of_files(by_key.values())))
        .groupBy("insurer_number", "file_sha256")
        .agg(f.count("*").alias("lines"), f.countDistinct(f.when(f.col("receipt_seq") > 0, f.col("receipt_seq"))).alias("receipts"))
        .collect()
    )
    return {file: (row.lines, row.receipts) for row in rows if (file := by_key.get((row.insurer_number, row.file_sha256)))}


def of_files(files: Iterable["DeliveredFile"]) -> delta.Where:
    """Exactly these files; insurer and month first, so that other Delta files are not opened."""
    files = list(files)
    return {
        "insurer_number": {file.insurer_number for file in files},
        "claim_month": {file.claim_month for file in files},
        "file_sha256": {file.file_sha256 for file in files},
    }
