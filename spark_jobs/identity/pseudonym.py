"""Pseudonyms as Spark expressions: HMAC-SHA-256 of normalised text, lower hex, with the key of the claim's insurer.

The pads of HMAC come from the key files as a small broadcast table: no key is in a plan, a log or an error; no row passes through Python.
"""

import unicodedata
from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs.identity import keys
from spark_jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

SEPARATOR = "\u001f"
BLANKS = " \t\r\n\u00a0\u3000"
SMALL_KANA = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ"
LARGE_KANA = "あいうえおつやゆよわかけアイウエオツヤユヨワカケ"
FULL_WIDTH = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
HALF_KANA = "".join(chr(code) for code in range(0xFF61, 0xFFA0))  # the last two are the voicing marks, combining after the change
VOICED = [  # カ, ゛ and ガ
    base + mark + whole
    for base in map(chr, range(0x3041, 0x30FF))
    for mark in "\u3099\u309a"
    if len(whole := unicodedata.normalize("NFC", base + mark)) == 1
]
_FROM = FULL_WIDTH + HALF_KANA + SMALL_KANA
_TO = unicodedata.normalize("NFKC", FULL_WIDTH) + "".join(unicodedata.normalize("NFKC", c) for c in HALF_KANA) + LARGE_KANA
# a half-width small kana becomes a large one at once; blanks stand in no place of the target and so disappear
_TARGET = _TO.translate(str.maketrans(SMALL_KANA, LARGE_KANA))


def normalise(text: "Column") -> "Column":
    """One width, no blanks, large kana, no leading zeros in any part: providers write the same name and number in different ways."""
    plain = f.translate(text, _FROM + BLANKS, _TARGET)
    voiced = f.aggregate(  # each word: base, mark, the one letter they make
        f.split(f.lit(" ".join(VOICED)), " "), plain, lambda done, word: f.replace(done, f.left(word, f.lit(2)), f.right(word, f.lit(1)))
    )
    return f.regexp_replace(f.when(plain.rlike("[\u3099\u309a]"), voiced).otherwise(plain), f"(^|{SEPARATOR})0+(?=[^{SEPARATOR}])", "$1")


def pads(spark: "SparkSession", settings: Settings) -> "DataFrame":
    """One row per insurer with a key: key_insurer, key_version, ipad, opad (64 bytes each), read from the newest key files."""
    newest = keys.versions(settings)
    files = [str(keys.key_file(settings, number)) for number in sorted(newest)]
    names = f.create_map(*(f.lit(part) for number, version in newest.items() for part in (f"{number}.v{version}.key", number)))
    versions = f.create_map(*(f.lit(part) for pair in newest.items() for part in pair))
    digits = f.rpad(f.hex("content"), 128, "0")  # HMAC fills the key with zero bytes up to the block of 64

    def pad(constant: int) -> "Column":
        one = lambda i: f.lpad(  # noqa: E731
            f.hex(f.conv(f.substring(digits, i * 2 + 1, f.lit(2)), 16, 10).cast("int").bitwiseXOR(f.lit(constant))), 2, "0"
        )
        return f.unhex(f.array_join(f.transform(f.sequence(f.lit(0), f.lit(63)), one), ""))

    number = names[f.element_at(f.split("path", "/"), -1)]
    return (
        spark.read.format("binaryFile")
        .load(files)
        .select(number.alias("key_insurer"), versions[number].alias("key_version"), pad(0x36).alias("ipad"), pad(0x5C).alias("opad"))
    )


def hmac(*parts: "Column") -> "Column":
    """Pseudonym of the normalised parts; the frame has `ipad` and `opad`."""
    text = normalise(f.concat_ws(SEPARATOR, *(f.coalesce(part, f.lit("")) for part in parts)))
    inner = f.unhex(f.sha2(f.concat(f.col("ipad"), text.cast("binary")), 256))
    return f.sha2(f.concat(f.col("opad"), inner), 256)
