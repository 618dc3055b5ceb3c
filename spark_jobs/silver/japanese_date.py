"""Dates of receipts as columns; Western or 和暦 (claim_format/japanese_calendar.py). What is no date becomes null, never an error."""

from pyspark.sql import Column
from pyspark.sql import functions as f

from spark_jobs.claim_format.japanese_calendar import western_column


def to_date(text: Column) -> Column:
    """年月日 → date."""
    return f.try_to_date(western_column(text), "yyyyMMdd")


def to_month(text: Column) -> Column:
    """年月 → int YYYYMM."""
    return western_column(text).substr(1, 6).try_cast("int")
