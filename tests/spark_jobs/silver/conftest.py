"""Silver from hand-written receipts."""

from collections.abc import Callable, Iterable

import pytest
from bronze_rows import Receipts

from spark_jobs import delta, tables


@pytest.fixture(scope="session")
def write_silver(settings) -> Callable[[Iterable[Receipts]], None]:
    """Writes bronze rows of the files (once) and runs the batch on them."""
    from spark_jobs.landing import delivery
    from spark_jobs.silver import batch

    def write(receipts: Iterable[Receipts]) -> None:
        receipts = list(receipts)
        known = set(delta.read(settings, tables.CLAIM_LINE)["file_sha256"])
        rows = [row for x in receipts if x.file.file_sha256 not in known for row in x.bronze()]
        if rows:
            delta.append(settings, tables.CLAIM_LINE, rows)
        delivery.record(settings, [delivery.Event(x.file, "bronze") for x in receipts])
        batch.run(settings, [x.file for x in receipts])

    return write
