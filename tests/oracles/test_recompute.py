"""The oracle itself, on the example that the documents print, on what they say of prices, and on the truth of an invented consortium."""

import csv
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
import recompute

from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

EXAMPLE = """\
2,1,0,MN,900000123,東京都千代田区見本町一丁目,13150606900000123,,,
1,2,0,IR,1,13,1,9900013,,見本クリニック,202406,00,
1,3,0,RE,1,1112,202405,見本　花子,2,19800402,,,,,,,M-0001,,,,,,,,,,,,,,,,,,,,,,,ミホンハナコ,
1,4,0,HO,06990014,見本,１２３４５,1,491,,,,,,,,,
1,5,0,SY,0000999,20240510,1,,見本傷病,01,
1,6,0,SI,11,1,199990001,,288,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
1,7,0,IY,21,1,699990001,3,,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,8,0,IY,,1,699990002,1.5,12,14,,,,,,,,,,,,,,,,14,,,,,,,,,,,,,,,,,,,,,
1,9,0,IY,23,1,699990003,20,35,1,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,,,,,
2,10,0,HO,06990014,見本,１２３４５,1,456,,,,,,,,,
2,11,0,JY,2,4,0,,,10,0,
2,12,0,JY,3,9,0,,B,,,
2,13,1,EX,,,,,,,,,,,,1:202406:
2,14,0,RC,Ver0000100112233445566778899aabbccddeeff
"""


def test_the_printed_receipt_comes_out_as_printed(tmp_path: Path):
    (tmp_path / "11_RECODEINFO_MED.CSV").write_bytes(EXAMPLE.replace("\n", "\r\n").encode("cp932") + b"\x1a")
    (claim,) = recompute.claims(tmp_path)
    assert (claim.points_billed, claim.points_decided, claim.points_of_lines) == (491, 456, 456)
    assert [(d.code, d.quantity) for d in claim.drugs] == [("699990001", 42), ("699990002", 21)]
    assert claim.person == ("6990014", "見本", "12345", "19800402", "2")
    assert (claim.facility, claim.setting) == ("1319900013", "outpatient_in_hospital")


@pytest.mark.parametrize(
    "code, month, price, reference, units",
    [
        ("630011002", 202605, "533.0", "716.8", "1"),  # テリパラチドBS 回分: 14,924 / 28 against 20,071 / 28
        ("622461501", 202605, "11772", "13101", "0.93808630"),  # ソマトロピンBS 5 mg against ジェノトロピンTC 5.33 mg
        ("629940701", 202605, "254206", "192647", "2"),  # ウステキヌマブBS 90 mg against 45 mg × 2
        ("629940701", 202604, None, "192647", "2"),  # listed 2026-05-20: no price in April
    ],
)
def test_prices_and_references_by_hand(code: str, month: int, price: str | None, reference: str, units: str):
    product = recompute.products()[code]
    assert recompute.price_in(product.prices, month) == (price and Decimal(price))
    assert recompute.price_in(product.reference_prices, month) == Decimal(reference)
    assert product.reference_units == Decimal(units)


def test_the_price_vintage_changes_in_april():
    assert [recompute.vintage(m) for m in (202410, 202503, 202504, 202603, 202604)] == [
        "2024-04",
        "2024-04",
        "2025-04",
        "2025-04",
        "2026-04",
    ]
    assert [recompute.fiscal_year(m) for m in (202503, 202504, 202512, 202601)] == [2024, 2025, 2025, 2025]


# The oracle and the generator know the formats independently of each other: they must agree


@pytest.fixture(scope="module", params=[202501, 201909], ids=["Western dates", "Japanese dates"])
def invented(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invented")
    config = Path(__file__).resolve().parents[2] / "config"
    consortium.write(
        Settings(config=config), folder, members=1, biologic_use=60.0, first_service_month=request.param, months=9, seed=4, least_members=60,
        processes=1,
    )  # fmt: skip
    return folder


def truth(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_drugs_and_claims_equal_the_truth(invented: Path):
    found = list(recompute.claims(invented / "inbox"))
    drugs: dict[tuple, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    claims: Counter = Counter()
    for c in found:
        if not c.insurer_number:
            continue
        for measure, value in (("receipts", 1), ("points_billed", c.points_billed), ("points_decided", c.points_decided)):
            claims[c.insurer_number, c.claim_month, c.claim_kind, measure] += value
        for drug in c.drugs:
            sums = drugs[c.insurer_number, c.service_month, c.claim_kind, drug.code]
            sums[0] += drug.quantity
            sums[1] += drug.quantity * drug.is_bundled
    rows = truth(invented, "drug_totals")
    place = ("insurer_number", "service_month", "claim_kind", "drug_code")
    expected = {tuple(r[n] for n in place): [Decimal(r["quantity"]), Decimal(r["bundled_quantity"])] for r in rows}
    assert {tuple(map(str, key)): sums for key, sums in drugs.items()} == expected
    counted = {
        (r["insurer_number"], int(r["claim_month"]), r["claim_kind"], m): int(r[m])
        for r in truth(invented, "claims") if r["claim_kind"] != "nur"
        for m in ("receipts", "points_billed", "points_decided")
    }  # fmt: skip
    assert {key: claims[key] for key in counted} == counted and set(claims) <= set(counted)
    assert [c for c in found if c.points_of_lines not in (None, c.points_decided)] == []


def test_returns_copies_and_bundles_are_there_to_be_understood(invented: Path):
    drugs = {(c.claim_kind, d.is_bundled) for c in recompute.claims(invented / "inbox") for d in c.drugs}
    assert drugs == {("med", False), ("den", False), ("pha", False), ("dpc", False), ("dpc", True)}
    assert recompute.claim_form_files(invented / "inbox") and len(truth(invented, "returns")) > 3


def test_what_was_known_in_a_claim_month_equals_the_truth(invented: Path):
    rows = truth(invented, "as_of")
    for month in {int(r["as_of_claim_month"]) for r in rows}:
        known: Counter = Counter()
        for c in recompute.claims(invented / "inbox", as_of=month):
            if c.insurer_number:
                known[c.insurer_number, c.service_month, "receipts"] += 1
                known[c.insurer_number, c.service_month, "points_decided"] += c.points_decided
        expected = {
            (r["insurer_number"], int(r["service_month"]), m): int(r[m])
            for r in rows if int(r["as_of_claim_month"]) == month
            for m in ("receipts", "points_decided")
        }  # fmt: skip
        assert known == expected
