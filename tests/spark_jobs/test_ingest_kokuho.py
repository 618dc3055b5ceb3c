"""A file as 国保連 may deliver it to a 国保 insurer: the shared layout, 審査支払機関 2, a KH record, a number of 6 digits, a name that says nothing."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from spark_jobs import delta, ingest, tables
from spark_jobs.claim_format import codes, layouts, words
from spark_jobs.identity import keys
from spark_jobs.identity.pseudonym import pseudonym
from spark_jobs.landing import delivery
from spark_jobs.settings import Settings

ROOT = Path(__file__).parents[2]
CITY = f"14999{codes.check_digit('14999')}"  # invented
EXAMPLE = (ROOT / "tests" / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
SECRET = "見本花子様に連絡済"


@pytest.fixture
def city(tmp_path: Path) -> Settings:
    """A lake of one 市町村国保, with keys."""
    folder = tmp_path / "config" / "insurers"
    folder.mkdir(parents=True)
    insurer = yaml.safe_load((ROOT / "config" / "insurers" / "06149900.yaml").read_text(encoding="utf-8"))
    insurer |= {
        "insurer_number": CITY,
        "name_ja": "見本市国民健康保険",
        "short_name_ja": "見本市",
        "kind": "kokuho_city",
        "structure": None,
    }
    (folder / f"{CITY}.yaml").write_text(yaml.safe_dump(insurer, allow_unicode=True), encoding="utf-8")
    made = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=tmp_path / "config")
    keys.create(made, None)
    delta.create_all(made)
    return made


@pytest.mark.parametrize("written", [f"  {CITY}", f"00{CITY}", CITY], ids=["padded with blanks", "padded with zeros", "as it is"])
def test_a_file_of_kokuhoren_comes_in_whole(city, tmp_path, written):
    own_record = ",".join(["2", "13", "0", *layouts.record("med", "KH").line(kokuho_info=SECRET)])
    text = EXAMPLE.replace("HO,06990014", f"HO,{written}").replace(",IR,1,", ",IR,2,").replace("2,13,1,EX", f"{own_record}\n2,14,1,EX")
    path = tmp_path / "in" / "見本_202406.csv"
    path.parent.mkdir()
    path.write_bytes(text.encode("cp932"))
    assert delivery.deliver(city, path.parent, CITY).received == 1
    summary = ingest.run(city)
    assert (summary.receipts, summary.lines, summary.quarantined, summary.findings) == (1, 15, 0, 0)
    claim = delta.read(city, tables.CLAIM).row(0, named=True)
    assert (claim["insurer_number"], claim["points_decided"], claim["is_public_payer_only"]) == (CITY, 456, False)
    assert claim["person_id1"] == pseudonym(keys.chain(city, CITY), CITY, "見本", "12345", "19800402", "2")
    assert delta.read(city, tables.CLAIM_DRUG)["insurer_number"].to_list() == [CITY] * 2
    assert delta.read(city, tables.VAULT)["insurer_number"].to_list() == [CITY]
    payer = delta.read(city, tables.CLAIM_PAYER).row(0, named=True)
    assert (payer["payer_number"], payer["law_number"]) == (CITY, None)
    (line,) = delta.read(city, tables.CLAIM_LINE).filter(pl.col("record_type") == "KH")["line"]
    assert line == "2,13,0,KH,"  # free text may name a person


def test_reasons_of_corrections_mean_what_kokuhoren_says():
    assert words.reasons("B", "2") == "B 過剰" and words.reasons("B", "1") != words.reasons("B", "2")
