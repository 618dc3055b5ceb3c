"""Code structures of the receipts: check digits, kinds of receipt, who pays a line. Source: receipt-formats.md §5."""

import polars as pl

# 負担区分 that include medical insurance (別表21)
INSURER_PAYS = ["1", "2", "3", "E", "G", "4", "M", "N", "O", "P", "Q", "V", "W", "X", "Y", "9"]
J038 = ("140057810", "140057910", "140058010", *(f"140058{n}10" for n in range(1, 7)))  # 人工腎臓: its fee covers the drugs of dialysis
SUSPECTED_MODIFIER = "8002"  # 修飾語 の疑い
RECUPERATION_WARD = "07"  # 病棟区分 療養: its admission fee covers the drugs
MAIN_OF_DPC = "11"  # 傷病名区分: 主傷病名 (記録条件仕様 DPC用, 別表23)
BENEFICIARY_CLASS = {  # last digit of レセプト種別 (別表5)
    **dict.fromkeys("12", "本人"),
    **dict.fromkeys("34", "未就学"),
    **dict.fromkeys("56", "家族"),
    **dict.fromkeys("78", "高齢一般"),
    **dict.fromkeys("90", "高齢7割"),
}


def insurer_number(text: pl.Expr) -> pl.Expr:
    """保険者番号 as config/insurers writes it: 国保 numbers have 6 digits and are padded to 8, with blanks or zeros, on receipts."""
    return text.str.strip_chars(" ").str.replace(r"^00(\d{6})$", "$1")


def check_digit(body: str) -> int:
    """検証番号 of an insurer or institution number from its other digits: weights 2, 1 from the right, digits of the products added."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        product = int(digit) * (2 if place % 2 == 0 else 1)
        total += product // 10 + product % 10
    return (10 - total % 10) % 10
