"""Pseudonyms: HMAC-SHA-256 of normalised text, lower hex, with the keys of the claim's insurer.

Key versions are a chain: version n is the HMAC, under key n, of the pseudonym of version n - 1, so that a rotation links old pseudonyms
to new ones without clear text. Each distinct text is hashed once.
"""

import hmac as hmac_
from collections.abc import Sequence

import polars as pl

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
    return _pseudonym(chain, SEPARATOR.join(normalised(pl.Series("", parts, pl.String))))


def pseudonyms(chains: dict[str, Sequence[bytes]], owner: pl.Series, *parts: pl.Series) -> pl.Series:
    """Pseudonyms of rows: `owner` names the chain of each row, `parts` what identifies (null = empty)."""
    named = [normalised(part.fill_null("")).alias(f"part_{i}") for i, part in enumerate(parts)]
    texts = pl.DataFrame(named).select(owner.alias("owner"), text=pl.concat_str(pl.all(), separator=SEPARATOR))
    distinct = texts.unique(maintain_order=False)
    found = [_pseudonym(chains[of_owner], text) for of_owner, text in distinct.iter_rows()]
    return texts.join(
        distinct.with_columns(pl.Series("pseudonym", found, pl.String)), on=["owner", "text"], how="left", maintain_order="left"
    )["pseudonym"]


def _pseudonym(chain: Sequence[bytes], text: str) -> str:
    for key in chain:
        text = hmac_.digest(key, text.encode(), "sha256").hex()
    return text
