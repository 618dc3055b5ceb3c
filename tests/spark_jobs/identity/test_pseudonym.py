"""The Spark expression equals a plain Python hmac of a plainly written normalisation, and the key is nowhere but in its file."""

import hashlib
import hmac
import unicodedata

import pytest
from hypothesis import given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as f

from spark_jobs.identity import keys, pseudonym

INSURER = "06149900"
LETTERS = "アガカキギハバパヴーｶｷﾊﾞﾟｯｧァッャヮヵヶがっゃゎ見本　花子髙﨑ＡａZ９0１5-－ \t\u3000\u00a0々ヽｰ･"
PARTS = st.lists(st.text(alphabet=LETTERS, max_size=12), min_size=1, max_size=5)


def normalise(text: str) -> str:
    """No blanks, NFKC, large kana (a voicing mark joins the letter before it), no leading zeros (one stays)."""
    wide = unicodedata.normalize("NFKC", "".join(c for c in text if not c.isspace()))
    large = wide.translate(str.maketrans("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ"))
    whole = unicodedata.normalize("NFC", large)
    return whole.lstrip("0") or ("0" if whole else "")


@pytest.fixture(scope="module")
def pads(spark, settings):
    keys.create(settings, INSURER)
    return pseudonym.pads(spark, settings).where(f.col("key_insurer") == INSURER)


def test_pseudonyms_equal_plain_python(spark, settings, pads) -> None:
    cases: list[list[str]] = [
        ["0012", "", "０００"],
        ["0"],
        ["00"],
        ["ﾊﾞｯﾊﾟ"],
        ["ハ\u3099"],
        ["06149900", "見本", "００１２３", "19800402", "2"],
    ]

    @seed(3)
    @hypothesis_settings(max_examples=500, database=None, deadline=None)
    @given(PARTS)
    def gather(parts: list[str]) -> None:
        cases.append(parts)

    gather()
    frame = spark.createDataFrame(
        [(i, [*parts, *[None] * (5 - len(parts))]) for i, parts in enumerate(cases)], "case int, parts array<string>"
    )
    by_count = f.lit(None)
    for count in range(1, 6):
        by_count = f.when(
            f.size(f.filter("parts", lambda p: p.isNotNull())) == count, pseudonym.hmac(*(f.col("parts")[i] for i in range(count)))
        ).otherwise(by_count)
    key = keys.key_file(settings, INSURER).read_bytes()
    found = {row.case: row.found for row in frame.crossJoin(f.broadcast(pads)).select("case", by_count.alias("found")).collect()}
    assert len(found) > 400
    for case, parts in enumerate(cases):
        text = "\u001f".join(map(normalise, parts))
        assert found[case] == hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), parts


def test_the_key_is_in_no_plan_and_no_event_log(spark, settings, pads, capsys: pytest.CaptureFixture[str]) -> None:
    frame = spark.createDataFrame([("見本",)], "name string").crossJoin(f.broadcast(pads)).select(pseudonym.hmac(f.col("name")))
    frame.explain("extended")
    frame.collect()
    key = keys.key_file(settings, INSURER).read_bytes()
    inner = bytes(b ^ 0x36 for b in key)
    shown = capsys.readouterr().out
    assert "HashAggregate" in shown or "Project" in shown
    logs = b"".join(file.read_bytes() for file in settings.event_log.rglob("*") if file.is_file())
    assert b"SparkListenerSQLExecutionStart" in logs
    for secret in (key, inner):
        assert secret not in logs
        assert secret.hex() not in shown.lower() and secret.hex().encode() not in logs.lower()
