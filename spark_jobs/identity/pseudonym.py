"""Pseudonyms: HMAC-SHA-256 of normalised text, lower hex, with the keys of the claim's insurer.

Key versions are a chain: version n is the HMAC, under key n, of the pseudonym of version n - 1, so that a rotation links old pseudonyms
to new ones without clear text. What several rows have in common is made one and hashed once.
"""

import hmac
from collections.abc import Sequence

import polars as pl
import polars_hash as plh

SEPARATOR = "\u001f"
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
    texts = distinct.with_columns(text=pl.concat_str(*(normalised(distinct[name].fill_null("")) for name in names), separator=SEPARATOR))
    made = [_hashed(chains[name], own) for (name,), own in texts.partition_by("owner", as_dict=True).items()]
    known = pl.concat([*made, texts.clear().with_columns(pseudonym="text")])
    return rows.join(known, on=rows.columns, how="left", maintain_order="left", nulls_equal=True)["pseudonym"]


def _hashed(chain: Sequence[bytes], texts: pl.DataFrame) -> pl.DataFrame:
    """Adds `pseudonym`: the `text` under each key of the chain in turn."""
    made = texts.with_columns(pseudonym="text")
    for key in chain:
        made = made.with_columns(pseudonym=_hmac_sha256(key, made["pseudonym"]))
    return made


def _hmac_sha256(key: bytes, texts: pl.Series) -> pl.Series:
    """polars-hash takes keys that are text, as keys are made since 2026-11-29; older ones are bytes."""
    if key.isascii():
        return pl.DataFrame({"text": texts}).select(plh.col("text").chash.hmac_sha256(key=key.decode())).to_series()
    return pl.Series([hmac.digest(key, text.encode(), "sha256").hex() for text in texts], dtype=pl.String)
