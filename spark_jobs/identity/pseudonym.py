"""Pseudonyms: HMAC-SHA-256 of normalised text, lower hex, with the keys of the claim's insurer.

Key versions are a chain: version n is the HMAC, under key n, of the pseudonym of version n - 1, so that a rotation links old pseudonyms
to new ones without clear text. What several rows have in common is made one and hashed once.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

SEPARATOR = "\u001f"
BLOCK_BYTES = 64  # of SHA-256
BLANKS = r"[\s\x1c-\x1f]+"
LARGE_KANA = dict(zip("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわかけアイウエオツヤユヨワカケ", strict=True))


def normalised(texts: pl.Series) -> pl.Series:
    """One width, no blanks, large kana, no leading zeros: providers write the same name and number in different ways."""
    text = pl.col("text")
    whole = pl.DataFrame({"text": texts}).with_columns(text.str.replace_all(BLANKS, ""))
    if not whole.select((text.str.len_bytes() == text.str.len_chars()).all()).item():  # else all ASCII: nothing to be made one
        whole = whole.with_columns(text.str.normalize("NFKC").str.replace_many(LARGE_KANA).str.normalize("NFC"))
    short = whole.with_columns(short=text.str.strip_chars_start("0"))
    return short.select(pl.when(pl.col("short") == "").then(text.str.slice(-1)).otherwise("short").alias(texts.name)).to_series()


def pseudonym(chain: Sequence[bytes], *parts: str) -> str:
    """Of one thing, by the newest key of the chain."""
    return pseudonyms({"": chain}, pl.Series([""]), *(pl.Series([part]) for part in parts)).item()


def pseudonyms(chains: dict[str, Sequence[bytes]], owner: pl.Series, *parts: pl.Series) -> pl.Series:
    """Pseudonyms of rows: `owner` names the chain of each row, `parts` what identifies (null = empty)."""
    names = [f"part_{i}" for i in range(len(parts))]
    rows = pl.DataFrame([owner.alias("owner"), *(part.alias(name) for name, part in zip(names, parts, strict=True))])
    distinct = rows.unique()  # a person is on many receipts
    texts = distinct.select("owner", pl.concat_str(*(normalised(distinct[name].fill_null("")) for name in names), separator=SEPARATOR))
    begun = {name: [_begun(key) for key in chain] for name, chain in chains.items()}
    made = []
    for name, text in texts.iter_rows():
        for with_inner, with_outer in begun[name]:
            inner, outer = with_inner.copy(), with_outer.copy()
            inner.update(text.encode())
            outer.update(inner.digest())
            text = outer.hexdigest()
        made.append(text)
    known = distinct.with_columns(pseudonym=pl.Series(made, dtype=pl.String))
    return rows.join(known, on=rows.columns, how="left", maintain_order="left", nulls_equal=True)["pseudonym"]


def _begun(key: bytes) -> "tuple[HASH, HASH]":
    """The two hashes of HMAC-SHA-256 with the key worked in. Written out (RFC 2104), since `hmac` works the key into each hash anew: 2.4 ×
    the time."""
    padded = (key if len(key) <= BLOCK_BYTES else sha256(key).digest()).ljust(BLOCK_BYTES, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in padded)), sha256(bytes(byte ^ 0x5C for byte in padded))
