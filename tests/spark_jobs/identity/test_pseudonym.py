"""Pseudonyms equal a plain hmac of a plainly written normalisation; one chain per insurer; distinct texts only once."""

import hashlib
import hmac
import unicodedata

import polars as pl
import polars_hash as plh
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spark_jobs.identity import pseudonym

LETTERS = "アガカキギハバパヴーｶｷﾊﾞﾟｯｧァッャヮヵヶがっゃゎ見本　花子髙﨑ＡａZ９0１5-－ \t\u3000\u00a0々ヽｰ･"
PARTS = st.lists(st.text(alphabet=LETTERS, max_size=12), min_size=1, max_size=5)
KEYS = bytes(range(32)).hex().encode(), bytes(range(32, 64)).hex().encode()  # as keys are made
OLD_KEY = bytes(range(128, 160))  # as they were made before: no text


def normalise(text: str) -> str:
    """No blanks, NFKC, large kana (a voicing mark joins the letter before it), no leading zeros (one stays)."""
    wide = unicodedata.normalize("NFKC", "".join(c for c in text if not c.isspace()))
    large = wide.translate(str.maketrans("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ"))
    whole = unicodedata.normalize("NFC", large)
    return whole.lstrip("0") or ("0" if whole else "")


@given(PARTS)
@hypothesis_settings(max_examples=500, deadline=None)
def test_a_pseudonym_is_the_hmac_of_the_normalised_parts(parts: list[str]) -> None:
    text = "\u001f".join(map(normalise, parts))
    assert pseudonym.pseudonym(KEYS[:1], *parts) == hmac.new(KEYS[0], text.encode(), hashlib.sha256).hexdigest()


def test_every_character_of_a_receipt_is_made_one_alike() -> None:
    codes = [bytes([first, second]) for first in range(0x81, 0xFD) for second in range(0x40, 0xFD)] + [bytes([code]) for code in range(256)]
    signs = sorted(set("".join(code.decode("cp932", "ignore") for code in codes)))
    assert len(signs) > 7000
    texts = [*signs, *(f"0{sign}0{sign}ﾞ" for sign in signs)]
    assert pseudonym.normalised(pl.Series(texts)).to_list() == [normalise(text) for text in texts]


def test_one_person_written_in_several_ways_has_one_pseudonym() -> None:
    ways = [("ﾐﾎﾝ ﾊﾅｺ", "００１２３"), ("ミホン　ハナコ", "123"), ("ミホンハナコ", " 0123")]
    assert len({pseudonym.pseudonym(KEYS[:1], *way) for way in ways}) == 1
    assert pseudonym.pseudonym(KEYS[:1], "ab", "c") != pseudonym.pseudonym(KEYS[:1], "a", "bc")


def test_a_newer_key_is_put_on_the_older_pseudonym() -> None:
    old = pseudonym.pseudonym(KEYS[:1], "見本", "1")
    assert pseudonym.pseudonym(KEYS, "見本", "1") == hmac.new(KEYS[1], old.encode(), hashlib.sha256).hexdigest()


def test_a_key_of_an_older_lake_goes_on_and_is_rotated_to_a_newer_one() -> None:
    old = pseudonym.pseudonym([OLD_KEY], "見本", "1")
    assert old == hmac.new(OLD_KEY, "見本\u001f1".encode(), hashlib.sha256).hexdigest()
    assert pseudonym.pseudonym([OLD_KEY, KEYS[1]], "見本", "1") == hmac.new(KEYS[1], old.encode(), hashlib.sha256).hexdigest()


def test_no_error_or_plan_shows_a_key() -> None:
    hashed = plh.col("text").chash.hmac_sha256(key=KEYS[0].decode())
    assert KEYS[0].decode() not in str(hashed) + pl.LazyFrame({"text": ["a"]}).select(hashed).explain()
    with pytest.raises(pl.exceptions.PolarsError) as raised:
        pl.DataFrame({"text": [1]}).select(hashed)
    assert KEYS[0].decode() not in str(raised.value)


def test_rows_are_hashed_by_the_chain_of_their_owner() -> None:
    owner, name, number = pl.Series(["a", "b", "a", "a"]), pl.Series(["見本", "見本", "見本", None]), pl.Series(["1", "1", "１", "1"])
    found = pseudonym.pseudonyms({"a": KEYS[:1], "b": KEYS}, owner, name, number).to_list()
    assert found[0] == found[2] == pseudonym.pseudonym(KEYS[:1], "見本", "1") and found[1] == pseudonym.pseudonym(KEYS, "見本", "1")
    assert found[3] == pseudonym.pseudonym(KEYS[:1], "", "1")
