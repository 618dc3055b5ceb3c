"""Search a folder for persons' data: every file as bytes, tables and compressed logs decoded too, in every encoding a text may stand in."""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc_jp")
TOKEN = re.compile(rb"[0-9A-Za-z]+(?:[-.][0-9A-Za-z]+)*")


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

    def found_in(self, data: bytes) -> set[str]:
        """The words that stand in the data."""
        narrow = {token for text in (data, data.replace(b"\0", b"")) for token in TOKEN.findall(text)} & self.tokens
        text = pl.Series([data.decode("latin-1")])
        wide = text.str.extract_many(list(self.patterns)).explode().drop_nulls() if self.patterns else []
        return {token.decode() for token in narrow} | {self.patterns[match] for match in wide}


def contents(path: Path) -> Iterator[bytes]:
    """A file as it is and, if it is a table or compressed, what a reader would see."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        for column in pq.read_table(path).columns:
            yield from leaves(column.combine_chunks())
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        yield decompressed(data, "zstd")
    elif data[:2] == b"\x1f\x8b":
        yield zlib.decompress(data, 31)


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
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        for data in contents(path):
            if hits := words.found_in(data):
                found.setdefault(str(path.relative_to(folder)), set()).update(hits)
    return found
