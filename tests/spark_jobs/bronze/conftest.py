"""A lake with keys and empty landing and bronze, for all tests of a module."""

import pytest

from spark_jobs import tables
from spark_jobs.identity import keys


@pytest.fixture(scope="module")
def empty_lake(spark, settings):
    """(spark, settings) with empty landing and bronze and with keys, for a whole module."""
    for table in (tables.DELIVERY, tables.DELIVERY_FINDING, tables.CLAIM_LINE, tables.QUARANTINE_LINE):
        spark.sql(f"truncate table {table.name}")
    keys.create(settings, None)
    return spark, settings
