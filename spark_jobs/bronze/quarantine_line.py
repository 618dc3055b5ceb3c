"""bronze.quarantine_line: lines that can not be read, or belong to a receipt that can not, sealed to the public key of their depositor.

Only these lines pass through Python: age encryption is no Spark expression.
"""

from collections.abc import Callable, Iterator
from functools import cache, reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs import tables
from spark_jobs.bronze import piece, receipt
from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.encoding import BROKEN
from spark_jobs.identity import keys
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession


PLACE = (
    "insurer_number string, file_sha256 string, claim_month int, line_no int, receipt_seq int, rule string, detail string, "
    "path string, offset bigint, length bigint, place int"
)


def lines(spark: "SparkSession", settings: Settings, pieces: dict[tuple[str, str], list[piece.Piece]]) -> "DataFrame":
    """The quarantined lines of these pieces, by (kind, form)."""
    found = reduce(
        lambda left, right: left.unionByName(right),
        (unsound_lines(receipt.receipts(piece.read(spark, parts), kind, form), kind, form) for (kind, form), parts in pieces.items()),
    )
    sealed = found.mapInArrow(_sealer(keys.recipients(settings)), f"{PLACE}, sealed_line binary")
    return tables.QUARANTINE_LINE.shaped(sealed)


def unsound_lines(receipts: "DataFrame", claim_kind: str, claim_form: str) -> "DataFrame":
    """One row per quarantined line: rule, detail and where its bytes stand; no content."""
    own_rule, detail = _line_rule(claim_kind, claim_form)
    outside = f.lit("outside_receipt") if claim_form == "insurer" else f.lit(None)
    rule = (
        f.when(receipt.is_blank(f.col("line")), "blank_line")
        .when(f.col("rule") == "cut_receipt", f.col("rule"))
        .when(f.col("receipt_seq") > 0, f.coalesce(own_rule, "rule"))
        .otherwise(f.coalesce(own_rule, outside))
    )
    return (
        receipts.select("*", f.posexplode("lines").alias("index", "line"))
        .withColumn("found_rule", rule)
        .where("found_rule is not null")
        .select(
            "insurer_number",
            "file_sha256",
            "claim_month",
            (f.col("first_line") + f.col("index")).alias("line_no"),
            "receipt_seq",
            f.col("found_rule").alias("rule"),
            f.when(f.col("found_rule") == own_rule, detail).alias("detail"),
            "path",
            "offset",
            "length",
            (f.col("first_line") + f.col("index") - f.col("lines_before") - 1).alias("place"),
        )
    )


def _line_rule(claim_kind: str, claim_form: str) -> tuple["Column", "Column"]:
    """(rule that the line itself breaks, what was found) as expressions on `line`; null for a sound line."""
    prefix = receipt.prefix_fields(claim_form)
    records = layouts.records(claim_kind, claim_form)
    counts = f.create_map(*(f.lit(part) for r in records.values() for part in (r.record_id, r.length)))
    line = f.col("line")
    record_type = f.substring_index(f.substring_index(line, ",", prefix + 1), ",", -1)
    fields = f.size(f.split(line, ",")) - prefix
    rule = (
        f.when(line.contains(BROKEN), "bad_byte")
        .when(line.rlike(receipt.sound_line(claim_kind, claim_form)), None)
        .when(~line.rlike("^" + receipt.PREFIX[claim_form]), "bad_prefix")
        .when(~record_type.isin(list(records)), "unknown_record")
        .otherwise("field_count")
    )
    named = f.when(record_type.rlike("^[A-Z]{2}$"), record_type).otherwise("no record identifier")
    detail = (
        f.when(
            rule == "field_count", f.concat(named, f.lit(": "), fields, f.lit(" fields, expected "), f.try_element_at(counts, record_type))
        )
        .when(rule == "unknown_record", named)
        .when(rule == "bad_byte", f.concat(named, f.lit(": a byte that is no character")))
    )
    return rule, detail


def _sealer(recipients: dict[str, str]) -> Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """Reads the bytes of each line and seals them; null where the depositor has no public key."""

    def seal(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa
        from pyrage import encrypt, x25519

        @cache
        def owner(number: str) -> "x25519.Recipient | None":
            return x25519.Recipient.from_str(recipients[number]) if number in recipients else None

        at, content = None, []
        for batch in batches:
            sealed = []
            for row in batch.select(["insurer_number", "path", "offset", "length", "place"]).to_pylist():
                here = (row["path"], row["offset"], row["length"])
                if here != at:
                    at, content = here, piece.content_of(*here).split(b"\n")
                recipient = owner(row["insurer_number"])
                sealed.append(encrypt(content[row["place"]], [recipient]) if recipient else None)
            yield pa.RecordBatch.from_arrays([*batch.columns, pa.array(sealed, pa.binary())], [*batch.schema.names, "sealed_line"])

    return seal
