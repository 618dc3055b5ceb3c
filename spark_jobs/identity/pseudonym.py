"""Pseudonyms: HMAC-SHA-256 of normalised text, lower hex, with the keys of the claim's insurer.

Key versions are a chain: version n is the HMAC, under key n, of the pseudonym of version n - 1, so that a rotation links old pseudonyms
to new ones without clear text. Each distinct text is hashed once.
"""

import hmac as hmac_
import unicodedata
from collections.abc import Sequence

import polars as pl

SEPARATOR = "\u001f"
LARGE_KANA = str.maketrans("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわかけアイウエオツヤユヨワカケ")


def normalise(text: str) -> str:
    """One width, no blanks, large kana, no leading zeros: providers write the same name and number in different ways."""
    whole = "".join(text.split())
    if whole.isascii():
        return whole.lstrip("0") or whole[-1:]
    wide = unicodedata.normalize("NFKC", whole)
    whole = unicodedata.normalize("NFC", wide.translate(LARGE_KANA))
    return whole.lstrip("0") or whole[-1:]


def pseudonym(chain: Sequence[bytes], *parts: str) -> str:
    """Of one thing, by the newest key of the chain."""
    digest = SEPARATOR.join([normalise(part) for part in parts])
    for key in chain:
        digest = hmac_.digest(key, digest.encode(), "sha256").hex()
    return digest


def pseudonyms(chains: dict[str, Sequence[bytes]], owner: pl.Series, *parts: pl.Series) -> pl.Series:
    """Pseudonyms of rows: `owner` names the chain of each row, `parts` what identifies (null = empty)."""
    named = [owner.alias("owner"), *(part.fill_null("").alias(f"part_{i}") for i, part in enumerate(parts))]
    texts = pl.DataFrame(named).select(text=pl.concat_str(pl.all(), separator=SEPARATOR))
    distinct = texts.unique()
    found = []
    for text in distinct["text"]:
        of_owner, *values = text.split(SEPARATOR)
        found.append(pseudonym(chains[of_owner], *values))
    return texts.join(distinct.with_columns(pl.Series("pseudonym", found, pl.String)), on="text", how="left", maintain_order="left")[
        "pseudonym"
    ]
