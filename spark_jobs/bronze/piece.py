"""Delivered files in pieces of whole receipts, and pieces in bundles: what one task reads. Memory is bounded by a bundle and not by a file.

Only bytes are counted and cut here. The paths must be readable where the tasks run.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spark_jobs.claim_format.encoding import END_MARK, receipt_begin
from spark_jobs.errors import LakeError
from spark_jobs.landing.rule import RULES

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile

PIECE_BYTES = 32 * 2**20  # a larger file is cut
READ_BYTES = 2**22


class LostFileError(LakeError):
    """A delivered file that is no longer there, or no longer the same: the rule says which."""

    def __init__(self, rule: str, file: "DeliveredFile", found: str):
        self.rule, self.file = rule, file
        super().__init__(file.file_path, found, RULES[rule].expected, RULES[rule].action)


class Piece(NamedTuple):
    """Bytes of one file from `offset` on; what precedes it in the file is counted, so that numbers of lines and receipts are exact."""

    file: "DeliveredFile"
    offset: int
    length: int
    lines_before: int
    receipts_before: int
    is_last: bool


class Bundle(NamedTuple):
    """Pieces of one form and kind, at most PIECE_BYTES together: the work of one task."""

    claim_form: str
    claim_kind: str
    pieces: tuple[Piece, ...]


def bundles(files: "Sequence[DeliveredFile]", piece_bytes: int = PIECE_BYTES) -> tuple[list[Bundle], list[LostFileError]]:
    """All pieces of these files, bundled; files that are gone or changed are left out and returned.

    An insurer's files stand side by side, in the order given: they name the same persons, and their rows fill few data files.
    """
    held: dict[tuple[str, str], list[Piece]] = {}
    lost: list[LostFileError] = []
    for file in sorted(files, key=lambda file: file.insurer_number):
        try:
            held.setdefault((file.claim_form, file.claim_kind), []).extend(cut(file, piece_bytes))
        except LostFileError as error:
            lost.append(error)
    return [Bundle(*kind, tuple(group)) for kind, pieces in held.items() for group in _grouped(pieces, piece_bytes)], lost


def _grouped(pieces: list[Piece], most: int) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    for piece in pieces:
        if group and sum(other.length for other in group) + piece.length > most:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def cut(file: "DeliveredFile", piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """The pieces of a file, held against its hash. LostFileError if it is gone or no longer what was delivered."""
    whole_line = r"(?=[^\n]*\n)"  # a line that is not read to its end yet does not tell
    begin = (receipt_begin(file.claim_form, file.claim_kind) + whole_line).encode()
    try:
        if Path(file.file_path).stat().st_size <= piece_bytes:
            with Path(file.file_path).open("rb") as f:
                sha256 = hashlib.file_digest(f, "sha256").hexdigest()
                parts = [_Part(0, f.tell(), 0, 0)]
        else:
            sha256, parts = _parts(Path(file.file_path), begin, piece_bytes)
    except OSError as error:
        raise LostFileError("file_missing", file, error.strerror or "unreadable") from None
    if sha256 != file.file_sha256:
        raise LostFileError("file_changed", file, "other content than at delivery")
    pieces, lines, receipts = [], 0, 0
    for part in parts:
        pieces.append(Piece(file, part.offset, part.length, lines, receipts, part is parts[-1]))
        lines, receipts = lines + part.lines, receipts + part.receipts
    return pieces


class _Part(NamedTuple):
    offset: int
    length: int
    lines: int
    receipts: int


def _parts(path: Path, receipt: bytes, piece_bytes: int) -> tuple[str, list[_Part]]:
    begins, at_start, sha256 = re.compile(rb"\n\x1a*(?=" + receipt + rb")"), re.compile(rb"\x1a*" + receipt), hashlib.sha256()
    offset, held, parts = 0, b"", []
    with path.open("rb") as f:
        while block := f.read(piece_bytes):
            sha256.update(block)
            held += block
            starts = [match.end() for match in begins.finditer(held)]
            if starts:
                whole, held = held[: starts[-1]], held[starts[-1] :]
                parts.append(_Part(offset, len(whole), whole.count(b"\n"), len(starts) - 1 + bool(at_start.match(whole))))
                offset += len(whole)
    return sha256.hexdigest(), [*parts, _Part(offset, len(held), 0, 0)]


def content_of(piece: Piece) -> bytes:
    """The bytes of a piece, without 0x1A."""
    with Path(piece.file.file_path).open("rb") as f:
        f.seek(piece.offset)
        return f.read(piece.length).replace(END_MARK, b"")
