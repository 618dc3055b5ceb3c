"""A delivered file in pieces of whole receipts, so that memory is bounded by a piece and not by a file, and cores share a large one.

Only bytes are counted and cut here; decoding and everything after is Spark's. The paths must be readable where Spark's workers run.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spark_jobs.claim_format.encoding import END_MARK, receipt_begin
from spark_jobs.errors import LakeError
from spark_jobs.landing.rule import RULES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from spark_jobs.landing.delivery import DeliveredFile

PIECE_BYTES = 2**19


class LostFileError(LakeError):
    """A delivered file that is no longer there, or no longer the same: the rule says which."""

    def __init__(self, rule: str, file: "DeliveredFile", found: str):
        self.rule, self.file = rule, file
        super().__init__(file.file_path, found, RULES[rule].expected, RULES[rule].action)


class Piece(NamedTuple):
    """Bytes of one file from `offset` on; what precedes it in the file is counted, so that numbers of lines and receipts are exact."""

    insurer_number: str
    file_sha256: str
    claim_month: int
    mismatch_rule: str
    path: str
    offset: int
    length: int
    lines_before: int
    receipts_before: int
    is_last: bool


SCHEMA = (
    "insurer_number string, file_sha256 string, claim_month int, mismatch_rule string, path string, offset bigint, length bigint, "
    "lines_before int, receipts_before int, is_last boolean"
)


def cut(file: "DeliveredFile", piece_bytes: int = PIECE_BYTES) -> tuple[list[Piece], int]:
    """(pieces, physical lines) of a file. LostFileError if it is gone or no longer what was delivered."""
    try:
        whole_line = r"(?=[^\n]*\n)"  # a line that is not read to its end yet does not tell
        parts = list(_parts(Path(file.file_path), (receipt_begin(file.claim_form, file.claim_kind) + whole_line).encode(), piece_bytes))
    except OSError as error:
        raise LostFileError("file_missing", file, error.strerror or "unreadable") from None
    if parts[-1].sha256 != file.file_sha256:
        raise LostFileError("file_changed", file, "other content than at delivery")
    pieces, lines, receipts = [], 0, 0
    for part in parts:
        pieces.append(
            Piece(
                file.insurer_number,
                file.file_sha256,
                file.claim_month,
                file.mismatch_rule,
                file.file_path,
                part.offset,
                part.length,
                lines,
                receipts,
                part is parts[-1],
            )
        )
        lines, receipts = lines + part.lines, receipts + part.receipts
    return pieces, lines


class _Part(NamedTuple):
    offset: int
    length: int
    lines: int
    receipts: int
    sha256: str  # of the file up to the end of this part


def _parts(path: Path, receipt: bytes, piece_bytes: int) -> Iterator[_Part]:
    begins, at_start, sha256 = re.compile(rb"\n\x1a*(?=" + receipt + rb")"), re.compile(rb"\x1a*" + receipt), hashlib.sha256()
    offset, held = 0, b""
    with path.open("rb") as f:
        while block := f.read(piece_bytes):
            sha256.update(block)
            held += block
            starts = [match.end() for match in begins.finditer(held)]
            if starts:
                whole, held = held[: starts[-1]], held[starts[-1] :]
                yield _Part(offset, len(whole), whole.count(b"\n"), len(starts) - 1 + bool(at_start.match(whole)), "")
                offset += len(whole)
    unended = held.rpartition(b"\n")[2].replace(END_MARK, b"")
    yield _Part(offset, len(held), held.count(b"\n") + bool(unended), 0, sha256.hexdigest())


def read(spark: "SparkSession", pieces: list[Piece]) -> "DataFrame":
    """One row per piece, with its bytes as `content`, the last line end taken off (`is_ended`)."""
    return spark.createDataFrame(pieces, SCHEMA).mapInArrow(_contents, SCHEMA + ", is_ended boolean, content binary")


def _contents(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    for batch in batches:
        for i in range(batch.num_rows):
            row = batch.slice(i, 1)
            content = content_of(row["path"][0].as_py(), row["offset"][0].as_py(), row["length"][0].as_py())
            more = [pa.array([content.endswith(b"\n")]), pa.array([content.removesuffix(b"\n")], pa.binary())]
            yield pa.RecordBatch.from_arrays([*row.columns, *more], [*row.schema.names, "is_ended", "content"])


def content_of(path: str, offset: int, length: int) -> bytes:
    """The bytes of a piece, without 0x1A, lines ended by LF."""
    with Path(path).open("rb") as f:
        f.seek(offset)
        return f.read(length).replace(END_MARK, b"").replace(b"\r\n", b"\n")
