"""The file of review results (再審査・過誤結果): its contract. An insurer makes it from what the review body or its own system lists."""

from pathlib import Path

import polars as pl

from spark_jobs import delta, input_file
from spark_jobs.contract import Contract, Field, matching
from spark_jobs.silver.claim_review import EFFECT_OF_CODE, EFFECTS, REDUCED, RESTORED, RETURNED, UPHELD
from spark_jobs.tables import CLAIM_REVIEW

WORDS = dict(zip(EFFECTS, EFFECTS, strict=True)) | {
    "返戻": RETURNED, "資格返戻": RETURNED, "過誤": RETURNED, "過誤返戻": RETURNED, "過誤取下げ": RETURNED, "過誤取下": RETURNED,
    "取下げ": RETURNED, "取下": RETURNED, "査定": REDUCED, "減点": REDUCED, "復活": RESTORED, "原審どおり": UPHELD, "原審通り": UPHELD,
    "請求どおり": UPHELD,
}  # fmt: skip
MONTH = "a month: 202405, 2024-05, R6.5 or 50605"


def month(text: str) -> int | None:
    """YYYYMM of a month in any common writing; None if it is none."""
    clean = input_file.plain(text)
    found = next((day for end in ("01", "-1", "1日") if (day := input_file.day(clean + end)) is not None), None)
    return found.year * 100 + found.month if found else None


def points(text: str) -> int | None:
    clean = input_file.plain(text).replace(",", "")
    return int(clean) if clean.isascii() and clean.isdigit() else None


CONTRACT = Contract(
    "Review results (再審査・過誤結果)",
    (
        Field("search_no", "検索番号", "string", matching(r"\d{9,30}|\d{6}/\d{1,16}"), "13150606900000123",
              "17 digits or more, of the claim under review, as text: a spreadsheet rounds it"),
        Field("service_month", "診療年月", "int", month, "202405", f"of the claim, {MONTH}"),
        Field("processing_month", "処理年月", "int", month, "202411", f"of the result, not before 診療年月, {MONTH}"),
        Field("result_code", "審査結果", "string", matching(r"[12]\d\d"), "101",
              "code of 支払基金 (101-199) or 国保連 (2xx); may be left out where 結果 is given", is_required=False),
        Field("effect", "結果", "string", lambda text: WORDS.get(input_file.plain(text)), "返戻",
              f"{', '.join(f'{word} ({effect})' for word, effect in WORDS.items() if word != effect)}, or the word in brackets; "
              "may be left out where 審査結果 is a code of the list below", is_required=False),
        Field("points_after", "決定後点数", "int", points, "", "合計点数 after the result", is_required=False),
    ),
    is_personal=True,
)  # fmt: skip


def read(path: Path, insurer_number: str, file_sha256: str) -> pl.DataFrame:
    """Rows of silver.claim_review; all bad rows at once as a LakeError, or none."""
    told = CONTRACT.read(path)
    of_code = pl.col("result_code").replace_strict(EFFECT_OF_CODE, default=None, return_dtype=pl.String)
    rows = told.with_columns(of_code=of_code, effect=pl.coalesce("effect", of_code))
    faults = input_file.Faults(path)
    for row in rows.sort("line").iter_rows(named=True):
        if row["effect"] is None:
            code = f"審査結果 {row['result_code']}" if row["result_code"] else "neither 審査結果"
            faults.add(row["line"], f"{code}{' without' if row['result_code'] else ' nor'} 結果", "結果, where the code does not say it")
        elif row["of_code"] not in (None, row["effect"]):
            faults.add(row["line"], f"結果 {row['effect']} with 審査結果 {row['result_code']}", row["of_code"])
        elif row["processing_month"] < row["service_month"]:
            faults.add(row["line"], f"処理年月 {row['processing_month']}", f"{row['service_month']} (診療年月) or later")
    faults.stop()
    of_file = {"insurer_number": insurer_number, "depositor_number": insurer_number, "file_sha256": file_sha256, "file_name": path.name}
    return delta.shaped(
        CLAIM_REVIEW, rows.rename({"line": "line_no"}).with_columns(pl.lit(value).alias(name) for name, value in of_file.items())
    )
