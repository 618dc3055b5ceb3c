"""What bronze finds on delivered files: one finding per file and rule, with count and first place.

Quarantined lines by rule; payers with a wrong check digit; claims of another insurer; totals of GO that its receipts do not add up to.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs import tables
from spark_jobs.bronze import receipt
from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.codes import check_digit
from spark_jobs.landing.finding import Finding

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from spark_jobs.landing.delivery import DeliveredFile

LINE_RULES = (
    "bad_byte", "bad_prefix", "unknown_record", "field_count", "receipt_of_bad_line", "cut_receipt", "receipt_shape", "outside_receipt",
    "blank_line",
)  # fmt: skip
WRITTEN_RULES = (*LINE_RULES, "insurer_mismatch", "check_digit", "go_total")
FILE = ["insurer_number", "file_sha256"]
PAYERS = {"HO": "insurer_number", "KO": "public_payer_number"}
LAST_VOLUME, ONLY_VOLUME = "99", "00"  # マルチボリューム識別情報 of GO, of IR and YK


def quarantined(quarantine: "DataFrame") -> Iterator[Finding]:
    """One finding per rule and file from lines of bronze.quarantine_line."""
    first = f.min_by(f.struct("line_no", "receipt_seq", "detail"), "line_no").alias("first")
    rows = quarantine.groupBy(*FILE, "rule").agg(f.count("*").alias("lines"), f.countDistinct("receipt_seq").alias("receipts"), first)
    for row in rows.orderBy(*FILE, "rule").collect():
        detail = f"; the first: {row.first.detail}" if row.first.detail else ""
        found = f"{_count(row.lines, 'line')} of {_count(row.receipts, 'receipt')} kept out{detail}"
        yield Finding(
            row.insurer_number, row.file_sha256, row.rule, found, row.first.line_no, row.first.receipt_seq or None, severity="stop"
        )


def payers(lines: "DataFrame", kinds: set[tuple[str, str]]) -> Iterator[Finding]:
    """Claims of another insurer than the depositor, and numbers with a wrong check digit; the distinct numbers of a file are few."""
    numbered = reduce(
        lambda left, right: left.unionByName(right),
        (
            _of_kind(lines, kind, form)
            .where(f.col("record_type") == record_id)
            .select(
                *FILE, "record_type", "line_no", "receipt_seq", receipt.insurer_number(_cell(kind, form, record_id, name)).alias("number")
            )
            for kind, form in sorted(kinds)
            for record_id, name in PAYERS.items()
        ),
    )
    rows = (
        numbered.groupBy(*FILE, "record_type", "number")
        .agg(f.countDistinct("receipt_seq").alias("receipts"), f.min(f.struct("line_no", "receipt_seq")).alias("first"))
        .orderBy(*FILE, "first")
        .collect()
    )
    for (insurer, sha256), group in groupby(rows, key=lambda row: (row.insurer_number, row.file_sha256)):
        found = list(group)
        other = [row for row in found if row.record_type == "HO" and row.number != insurer]
        wrong = [row for row in found if not _is_valid(row.number)]
        if other:
            told = f"{_count(sum(row.receipts for row in other), 'receipt')} of {_names(row.number for row in other)}"
            yield _first_place(Finding(insurer, sha256, "insurer_mismatch", told, expected=f"HO {insurer}"), other)
        if wrong:
            told = f"{_count(sum(row.receipts for row in wrong), 'receipt')} with {_names(row.number for row in wrong)}"
            yield _first_place(Finding(insurer, sha256, "check_digit", told), wrong)


def totals(lines: "DataFrame", kinds: set[tuple[str, str]]) -> Iterator[Finding]:
    """GO against its receipts (receipt-formats §2.2): 総件数 counts each payer, 総合計点数 adds HO, or the first KO where there is no HO.

    A file that is one of several volumes is left alone, as is a GO of zeros (claims were moved after the eligibility check).
    """
    for kind in sorted(kind for kind, form in kinds if form == "claim"):
        provider = "YK" if kind == "pha" else "IR"
        of_kind = _of_kind(lines, kind, "claim")
        record = f.col("record_type")

        def points(record_id: str, kind: str = kind) -> "Column":
            return f.coalesce(_cell(kind, "claim", record_id, "total_points").try_cast("bigint"), f.lit(0))

        per_receipt = (
            of_kind.where("receipt_seq > 0 and record_type in ('HO', 'KO')")
            .groupBy(*FILE, "receipt_seq")
            .agg(
                f.count("*").alias("payers"),
                f.max(f.when(record == "HO", points("HO"))).alias("of_insurer"),
                f.min_by(points("KO"), f.when(record == "KO", f.col("line_no"))).alias("of_first_public_payer"),
            )
        )
        added = per_receipt.groupBy(*FILE).agg(
            f.sum("payers").alias("count"), f.sum(f.coalesce("of_insurer", "of_first_public_payer")).alias("points")
        )
        said = (
            of_kind.where(record.isin("GO", provider))
            .groupBy(*FILE)
            .agg(
                f.max(f.when(record == "GO", _cell(kind, "claim", "GO", "volume_no"))).alias("go_volume"),
                f.max(f.when(record == provider, _cell(kind, "claim", provider, "volume_no"))).alias("volume"),
                f.max(f.when(record == "GO", _cell(kind, "claim", "GO", "total_receipts").try_cast("bigint"))).alias("said_count"),
                f.max(f.when(record == "GO", _cell(kind, "claim", "GO", "total_points").try_cast("bigint"))).alias("said_points"),
                f.max(f.when(record == "GO", f.col("line_no"))).alias("line_no"),
            )
            .where((f.col("go_volume") == LAST_VOLUME) & (f.col("volume") == ONLY_VOLUME))
            .where("said_count <> 0 or said_points <> 0")
        )
        differing = said.join(added, FILE, "left").where("not (said_count <=> count and said_points <=> points)")
        for row in differing.orderBy(*FILE).collect():
            expected = f"{row['count'] or 0} receipts by payer, {row.points or 0} points, as its receipts add up"
            found = f"GO says {row.said_count} and {row.said_points}"
            yield Finding(row.insurer_number, row.file_sha256, "go_total", found, row.line_no, expected=expected)


def all_of(spark: "SparkSession", files: Iterable["DeliveredFile"], condition: str, has_quarantine: bool) -> list[Finding]:
    """Everything that bronze finds on these files, which `condition` selects."""
    lines = spark.table(tables.CLAIM_LINE.name).where(condition)
    kinds = {(file.claim_kind, file.claim_form) for file in files}
    found = list(quarantined(spark.table(tables.QUARANTINE_LINE.name).where(condition))) if has_quarantine else []
    stopped = {(finding.insurer_number, finding.file_sha256, finding.rule) for finding in found}
    more = [*payers(lines, kinds), *totals(lines, kinds)]
    return found + [finding for finding in more if (finding.insurer_number, finding.file_sha256, finding.rule) not in stopped]


def _of_kind(lines: "DataFrame", claim_kind: str, claim_form: str) -> "DataFrame":
    return lines.where((f.col("claim_kind") == claim_kind) & (f.col("claim_form") == claim_form))


def _cell(claim_kind: str, claim_form: str, record_id: str, name: str) -> "Column":
    place = layouts.record(claim_kind, record_id, claim_form).pos(name) + receipt.prefix_fields(claim_form)
    return f.try_element_at(f.split("line", ",", place + 1), f.lit(place))


def _is_valid(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) in (6, 8) and check_digit(number[:-1]) == int(number[-1])


def _first_place(finding: Finding, rows: list) -> Finding:
    return replace(finding, line_no=rows[0].first.line_no, receipt_seq=rows[0].first.receipt_seq)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _names(numbers: Iterable[str]) -> str:
    """Up to three payer numbers; what is no number is not quoted."""
    named = sorted({number if number.isascii() and number.isdigit() else "(no number)" for number in numbers})
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
