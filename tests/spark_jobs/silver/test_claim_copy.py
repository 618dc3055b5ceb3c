"""Which copies a change of others may reach: all that receipt keys and 検索番号 lead to, each once."""

import polars as pl
import pytest

from spark_jobs.silver import claim_copy


def copies(*rows: tuple[int | None, str, str | None, str | None]) -> pl.DataFrame:
    """(receipt_seq, receipt_key, search_no, refers_search_no) each."""
    frame = pl.DataFrame(
        rows, {"receipt_seq": pl.Int32, "receipt_key": pl.String, "search_no": pl.String, "refers_search_no": pl.String}, orient="row"
    )
    return frame.with_columns(
        file_sha256=pl.lit("f"), depositor_number=pl.lit("1"), insurer_number=pl.lit("1"), service_month=pl.lit(202401, pl.Int32)
    )


@pytest.mark.timeout(60)  # what is found again and again would be looked for without end
def test_related_copies_are_found_over_keys_and_numbers_each_once() -> None:
    held = copies((1, "a", "n1", None), (2, "b", None, "n1"), (3, "b", "n2", None), (None, "c", None, "n2"), (4, "z", "n9", None))
    seeds = copies((9, "a", None, None)).select(claim_copy.SEEDS)
    assert claim_copy.related(held.lazy(), seeds)["receipt_key"].sort().to_list() == ["a", "b", "b", "c"]
    assert claim_copy.related(held.lazy(), copies((9, "y", None, None))).is_empty()
