"""The loader in Spark: every load can be repeated, and a workbook wins over the extract."""

import pytest
from pyspark.sql import functions as f

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import load, ndb_open_data

REMICADE = "640462006"


def versions(spark) -> dict[str, int]:
    names = [t.name for t in (*load.SHIPPED, load.NDB)]
    return {name: spark.sql(f"describe history {name} limit 1").collect()[0]["version"] for name in names}


def test_masters_are_loaded_once_and_workbooks_replace_the_extract(lake, ndb_workbook):
    spark, settings = lake
    ndb = spark.table(load.NDB.name)
    remicade = ndb.where((f.col("fiscal_year") == 2022) & (f.col("drug_code") == REMICADE) & (f.col("setting") == "inpatient"))

    assert "wrote masters.drug" in load.run(spark, settings, "shipped")
    for table, rows in load.SHIPPED.items():
        assert spark.table(table.name).count() == len(rows()), table.name
    extract = ndb_open_data.read_extract()
    assert ndb.count() == extract.height

    before = versions(spark)
    assert load.run(spark, settings, "shipped").startswith("already there")
    assert versions(spark) == before

    workbook = ndb_workbook([(REMICADE, 900, {"13": "-", "27": "-", "14": 500})])
    for _ in range(2):  # a reload changes nothing
        load.run(spark, settings, "ndb-open-data", workbook)
        cells = {r.cell_key: r for r in remicade.collect()}
        assert len(cells) == 48
        assert (cells["all"].quantity_claim_unit, cells["13"].quantity_claim_unit, cells["01"].quantity_claim_unit) == (900, None, 0)
    assert ndb.where("fiscal_year = 2022 and setting = 'inpatient'").count() == 48  # the extract's rows of this sheet are gone
    others = ndb.where("not (fiscal_year = 2022 and setting = 'inpatient')").count()

    load.run(spark, settings, "shipped")  # takes nothing back
    assert remicade.count() == 48
    assert ndb.count() == others + 48
    assert ndb.groupBy(*load.NDB.key).count().where("count > 1").isEmpty()

    spark.sql("truncate table masters.prefecture")
    assert load.run(spark, settings, "shipped").startswith("wrote masters.prefecture 47; already there")


def test_a_wrong_workbook_stops_no_other_and_is_named(lake, ndb_workbook):
    spark, settings = lake
    good = ndb_workbook([(REMICADE, 900, {"13": 900})])
    ndb_workbook([(REMICADE, 900, {"13": "?"})], name="broken.xlsx")
    with pytest.raises(LakeError, match=r"broken\.xlsx, sheet 注射薬 入院, row 5, column 22.*The other 1 are loaded"):
        load.run(spark, settings, "ndb-open-data", good.parent)
    assert spark.table(load.NDB.name).count() == 48


@pytest.mark.parametrize(("kind", "expected"), [("prices", "shipped or ndb-open-data"), ("ndb-open-data", "a workbook or a folder")])
def test_a_wrong_call_says_what_to_give(kind, expected):
    with pytest.raises(LakeError, match=expected) as caught:
        load.run(None, None, kind)
    assert caught.value.code == ExitCode.USAGE
