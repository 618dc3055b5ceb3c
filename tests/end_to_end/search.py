"""Search a folder for persons' data: every file as bytes, tables and compressed logs decoded too, in every encoding a text may stand in."""

import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc_jp")
TOKEN = re.compile(rb"[0-9A-Za-z]+(?:[-.][0-9A-Za-z]+)*")
WIDE_TOKEN = re.compile(rb"[0-9A-Za-z](?:\0[0-9A-Za-z.-]){4,}")  # either byte order
MEASURED = ("Value", "Update")  # of an accumulator in Spark's event log
BATCH_BYTES = 64 * 2**20  # the search for many words at once has a price of its own


class Words:
    """What to search for. Names (outside ASCII) are found anywhere; numbers only as whole words, since hashes hold all short numbers by chance."""

    def __init__(self, words: Iterable[str]):
        wide, narrow = set(), set()
        for word in filter(None, words):
            plain = unicodedata.normalize("NFKC", word)
            for form in (word, plain, re.sub(r"\s", "", word), re.sub(r"\s", " ", word)):
                (narrow if form.isascii() else wide).add(form)
        self.tokens = {word.encode() for word in narrow}
        self.patterns: dict[str, str] = {}
        for word in wide:
            for encoding in ENCODINGS:
                try:
                    self.patterns[word.encode(encoding).decode("latin-1")] = word
                except UnicodeEncodeError:
                    continue
            self.patterns[word.encode("unicode_escape").decode("latin-1")] = word  # JSON and Python literals

    def __len__(self) -> int:
        return len(self.tokens) + len(set(self.patterns.values()))

    def found_in(self, *data: bytes) -> list[set[str]]:
        """The words that stand in each piece of data."""
        found = [{token.decode() for token in tokens(piece) & self.tokens} for piece in data]
        texts = pl.Series([piece.decode("latin-1") for piece in data], dtype=pl.String)
        if self.patterns:
            for words, matches in zip(found, texts.str.extract_many(list(self.patterns)).to_list(), strict=True):
                words.update(self.patterns[match] for match in matches)
        return found


def tokens(data: bytes) -> set[bytes]:
    """Whole words of letters and digits, those in UTF-16 too."""
    return {*TOKEN.findall(data), *(wide.replace(b"\0", b"") for wide in WIDE_TOKEN.findall(data))}


def contents(path: Path) -> Iterator[bytes]:
    """What a reader sees of a file: its bytes; the texts of a table; what is inside a compressed log."""
    if path.suffix == ".parquet":
        yield b"\n".join(value for pair in (pq.read_metadata(path).metadata or {}).items() for value in pair)
        for column in pq.read_table(path).columns:
            yield from leaves(column.combine_chunks())
        return
    if path.name.startswith("events_"):
        with path.open(encoding="utf-8") as lines:
            yield "\n".join({part for line in lines for text in event_texts(line) for part in text.splitlines()}).encode()  # plans repeat
        return
    data = path.read_bytes()
    yield data
    if data[:4] == b"\x28\xb5\x2f\xfd":
        yield decompressed(data, "zstd")
    elif data[:2] == b"\x1f\x8b":
        yield zlib.decompress(data, 31)


def event_texts(line: str) -> Iterator[str]:
    """Names and texts of an event of Spark's log: plans, messages, settings. Measurements are left out: some of them equal short numbers of persons."""
    try:
        yield from texts(json.loads(line))
    except json.JSONDecodeError:  # the last line of a process that was killed
        yield line


def texts(event: Any, name: str = "") -> Iterator[str]:
    """Names and texts inside, but for JSON numbers and for the number that a metric writes as text."""
    if isinstance(event, dict):
        for key, value in event.items():
            yield key
            yield from texts(value, key)
    elif isinstance(event, list):
        for value in event:
            yield from texts(value, name)
    elif isinstance(event, str) and not (name in MEASURED and re.fullmatch("[0-9]+", event)):
        yield event


def leaves(values: pa.Array) -> Iterator[bytes]:
    """Every different text of a column, nested ones too, a line each."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks() if values.num_chunks else pa.array([], values.type)
    kind = values.type
    if pa.types.is_struct(kind):
        for field in values.flatten():
            yield from leaves(field)
    elif pa.types.is_map(kind):
        yield from leaves(values.keys)
        yield from leaves(values.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from leaves(values.flatten())
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield b"\n".join(v for v in pc.unique(values).to_pylist() if v is not None)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        yield "\n".join(str(v) for v in pc.unique(values).to_pylist() if v is not None).encode()


def decompressed(data: bytes, codec: str) -> bytes:
    """All that can be read; a log still being written ends in the middle."""
    parts = []
    with pa.input_stream(pa.py_buffer(data), compression=codec) as stream:
        try:
            while part := stream.read(1 << 20):
                parts.append(part)
        except OSError:
            pass
    return b"".join(parts)


def search(folder: Path, words: Words) -> dict[str, set[str]]:
    """Words found, by file."""
    found: dict[str, set[str]] = {}
    names, pieces = [], []

    def look() -> None:
        for name, hits in zip(names, words.found_in(*pieces), strict=True):
            if hits:
                found.setdefault(name, set()).update(hits)
        names.clear()
        pieces.clear()

    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        for data in contents(path):
            names.append(str(path.relative_to(folder)))
            pieces.append(data)
        if sum(map(len, pieces)) > BATCH_BYTES:
            look()
    look()
    return found
