"""The loader: every load can be repeated, and a workbook wins over the extract."""

import polars as pl
import pytest

from spark_jobs import delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import load, ndb_open_data

REMICADE = "640462006"


def versions(settings) -> dict[str, int]:
    return {t.name: delta.version(settings, t) for t in (*load.SHIPPED, load.NDB, load.NDB_CLASS)}


def ndb(settings) -> pl.DataFrame:
    return delta.read(settings, load.NDB)


def remicade(settings) -> dict:
    """Its cells of 2022, inpatient."""
    own = ndb(settings).filter(fiscal_year=2022, drug_code=REMICADE, setting="inpatient")
    return dict(own.select("cell_key", "quantity_claim_unit").rows())


def test_masters_are_loaded_once_and_workbooks_replace_the_extract(lake, ndb_workbook):
    settings = lake
    assert "wrote masters.drug" in load.run(settings, "shipped")
    for table, rows in load.SHIPPED.items():
        assert delta.read(settings, table).height == len(rows()), table.name
    extract = ndb_open_data.read_extract()
    assert ndb(settings).height == extract.height

    before = versions(settings)
    assert load.run(settings, "shipped").startswith("already there")
    assert versions(settings) == before

    workbook = ndb_workbook([(REMICADE, 900, {"13": "-", "27": "-", "14": 500})])
    for _ in range(2):  # a reload changes nothing
        load.run(settings, "ndb-open-data", workbook)
        cells = remicade(settings)
        assert len(cells) == 48
        assert (cells["all"], cells["13"], cells["01"]) == (900, None, 0)
    assert ndb(settings).filter(fiscal_year=2022, setting="inpatient").height == 48  # the extract's rows of this sheet are gone
    classes = delta.read(settings, load.NDB_CLASS).filter(fiscal_year=2022, setting="inpatient")
    assert classes.select("yakko_class_3", "row_count").rows() == [("239", 1)]
    before = versions(settings)

    load.run(settings, "shipped")  # takes nothing back
    assert remicade(settings) == cells
    assert ndb(settings).filter(fiscal_year=2022, setting="inpatient").height == 48
    assert versions(settings)[load.NDB.name] == before[load.NDB.name] + 1
    assert not ndb(settings).select(load.NDB.key).is_duplicated().any()

    delta.replace(settings, tables.PREFECTURE, [])
    assert load.run(settings, "shipped").startswith("wrote masters.prefecture 47; already there")


def test_a_wrong_workbook_stops_no_other_and_is_named(lake, ndb_workbook):
    settings = lake
    good = ndb_workbook([(REMICADE, 900, {"13": 900})])
    ndb_workbook([(REMICADE, 900, {"13": "?"})], name="broken.xlsx")
    with pytest.raises(LakeError, match=r"broken\.xlsx, sheet 注射薬 入院, row 5, column 22.*The other 1 are loaded"):
        load.run(settings, "ndb-open-data", good.parent)
    assert ndb(settings).height == 48


@pytest.mark.parametrize(
    ("kind", "expected"), [("prices", "shipped, drug-master.* or ndb-open-data"), ("ndb-open-data", "a file or a folder as downloaded")]
)
def test_a_wrong_call_says_what_to_give(kind, expected):
    with pytest.raises(LakeError, match=expected) as caught:
        load.run(None, kind)
    assert caught.value.code == ExitCode.USAGE
