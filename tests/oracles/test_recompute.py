"""The oracle itself, on the example that the documents print and on what they say of prices."""

from decimal import Decimal
from pathlib import Path

import pytest
import recompute

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
