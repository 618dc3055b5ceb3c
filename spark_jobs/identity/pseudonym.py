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
    wide = unicodedata.normalize("NFKC", "".join(text.split()))
    whole = unicodedata.normalize("NFC", wide.translate(LARGE_KANA))
    return whole.lstrip("0") or whole[-1:]


def pseudonym(chain: Sequence[bytes], *parts: str) -> str:
    """Of one thing, by the newest key of the chain."""
    digest = SEPARATOR.join(map(normalise, parts))
    for key in chain:
        digest = hmac_.digest(key, digest.encode(), "sha256").hex()
    return digest


def pseudonyms(chains: dict[str, Sequence[bytes]], owner: pl.Series, *parts: pl.Series) -> pl.Series:
    """Pseudonyms of rows: `owner` names the chain of each, `parts` what identifies (null = empty). Null where the last part before birth
    date and sex is blank is the caller's to see to."""
    frame = pl.DataFrame([owner.alias("owner"), *(part.fill_null("").alias(f"part_{i}") for i, part in enumerate(parts))])
    distinct = frame.unique()
    found = [pseudonym(chains[owner], *texts) for owner, *texts in distinct.iter_rows()]
    return frame.join(distinct.with_columns(pl.Series("pseudonym", found, pl.String)), on=frame.columns, how="left", maintain_order="left")[
        "pseudonym"
    ]
