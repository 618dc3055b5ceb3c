"""Invented publications of 医薬品の供給状況, written as the ministry writes them, and what they say of a month."""

import csv
import re
import unicodedata
from collections import defaultdict
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random

import recompute

HEADS = ("⑤YJコード", "⑥品名", "⑦製造販売業者名", "⑧製品区分", "⑫出荷対応の状況", "⑭限定出荷/供給停止の理由", "⑮限定出荷の解除見込み",
         "⑰製造販売業者の出荷量の現在の状況")  # fmt: skip
STATUS = ("①通常出荷", "②限定出荷（自社の事情）", "③限定出荷（他社品の影響）", "④限定出荷（その他）", "⑤供給停止", "")


def write(folder: Path, rng: Random, first_month: int, months: int) -> None:
    """Three publications, on any day: a third of the biosimilars in each, some of them by two makers."""
    folder.mkdir(parents=True)
    codes = sorted(row["yakka_code_12"] for row in recompute.seed("biosimilar_products.csv") if row["role"] == "BS")
    for place in (0, months // 3, 2 * months // 3):
        month = recompute.earlier(first_month, -place)
        day = date(month // 100, month % 100, rng.randint(1, 28))
        with (folder / f"supply_{day:%Y%m%d}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADS)
            for code in rng.sample(codes, len(codes) // 3):
                for maker in range(rng.choice((1, 1, 1, 2))):
                    writer.writerow((code, "見本", f"製薬{maker}", "後発品", rng.choice(STATUS), "", "", ""))


@cache
def restricted(folder: Path, month: int) -> frozenset[str]:
    """12-digit codes that on the last day of the month no maker who reports delivers freely, by the publication in force."""
    last = date(month // 100 + month % 100 // 12, month % 100 % 12 + 1, 1) - timedelta(days=1)
    published = {date.fromisoformat(re.sub(r"\D", "", path.stem)): path for path in folder.glob("supply_*.csv")}
    if not (past := [day for day in published if day <= last]):
        return frozenset()
    said = defaultdict(list)
    with published[max(past)].open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if status := unicodedata.normalize("NFKC", row["⑫出荷対応の状況"]):
                said[row["⑤YJコード"]].append(status[0] != "1")
    return frozenset(code for code, makers in said.items() if all(makers))
