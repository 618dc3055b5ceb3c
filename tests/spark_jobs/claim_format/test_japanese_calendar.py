import polars as pl
import pytest

from spark_jobs.claim_format.japanese_calendar import western, western_expr

DATES = {  # receipt-formats §1.3
    "3550402": "19800402",
    "4310107": "20190107",
    "5060601": "20240601",
    "43101": "201901",
    "1010101": "18680101",
    "2150101": "19260101",
    "19800402": "19800402",
    "202406": "202406",
    "6010101": None,  # no such era
    "0550402": None,
    "": None,
    "1980-04-02": None,
    "３５５０４０２": None,
}


@pytest.mark.parametrize(("text", "expected"), DATES.items())
def test_the_length_decides_the_calendar(text: str, expected: str | None) -> None:
    assert western(text) == expected


def test_the_expression_says_the_same() -> None:
    frame = pl.DataFrame({"text": list(DATES)}).with_columns(found=western_expr(pl.col("text")))
    assert frame["found"].to_list() == [western(text) for text in frame["text"]]
