"""silver.claim_review: one row per result of a later review (再審査, 過誤), of result files and, where they stand there, of receipts (MK).

A result that sends the claim back closes it from its 処理年月 on (`as_copies`, resolved beside delivered returns). What reduces or restores
points stays here: `silver.claim.points_decided` is that of the first review.
"""

from collections.abc import Iterator

import polars as pl

from spark_jobs import delta
from spark_jobs.claim_format.data_id import REREVIEWED
from spark_jobs.claim_format.japanese_calendar import to_month
from spark_jobs.landing.finding import Finding
from spark_jobs.settings import Settings
from spark_jobs.silver.fields import cells
from spark_jobs.tables import CLAIM_COPY, CLAIM_REVIEW, DELIVERY_FINDING

RETURNED, REDUCED, RESTORED, UPHELD = EFFECTS = ("returned", "reduced", "restored", "upheld")
EFFECT_OF_CODE = {  # 審査結果 of 支払基金, edition of about 2014; the 200-series of 国保連 is not known (receipt-formats §4.5)
    "101": RETURNED,  # 資格返戻
    "102": UPHELD,  # 原審どおり
    "103": REDUCED,  # 査定
    "104": RETURNED,  # 返戻 (診療内容)
    "105": RETURNED,  # 返戻 (事務)
    "107": UPHELD,  # 突合: 原審どおり, 査定, 返戻
    "108": REDUCED,
    "109": RETURNED,
    "110": UPHELD,  # 医療機関の申し出: 原審どおり, 復活, 返戻
    "111": RESTORED,
    "112": RETURNED,
    "113": REDUCED,  # by another request: 査定, 返戻
    "114": RETURNED,
}
SILENT = ("106", "115", "116", "199")  # 請求先変更, done with another receipt, withdrawn, other: what becomes of the claim is not confirmed
RULES = ("review_without_claim", "review_effect_unknown")


def read(lines: pl.DataFrame, claims: pl.DataFrame, kind: str, form: str) -> pl.DataFrame:
    """Results in receipts: MK with データ識別 4, beside the lines as sent. That receipts reach insurers so is [unconfirmed], as is that the
    result concerns the 検索番号 in RE, else the receipt's own."""
    results = cells(lines.filter(pl.col("data_id") == REREVIEWED), kind, form, "MK").select(
        "rid", "line_no", "processing_month", "review_result"
    )
    of_receipt = claims.select(
        "rid", "insurer_number", "depositor_number", "file_sha256", "service_month", "claim_month",
        search_no=pl.coalesce("refers_search_no", "search_no"),
    )  # fmt: skip
    return results.join(of_receipt, on="rid", maintain_order="left").with_columns(
        processing_month=pl.coalesce(to_month(pl.col("processing_month")), "claim_month"),
        result_code=pl.col("review_result"),
        effect=pl.col("review_result").replace_strict(EFFECT_OF_CODE, default=None, return_dtype=pl.String),
    )


def as_copies(results: pl.DataFrame) -> pl.DataFrame:
    """Results that close their claim, as rows of silver.claim_copy; they are worked out anew each time, and stand in that table never."""
    returns = results.filter(pl.col("effect") == RETURNED)
    return delta.shaped(
        CLAIM_COPY,
        returns.select(
            "insurer_number", "depositor_number", "file_sha256", "service_month",
            receipt_seq=-pl.col("line_no"), claim_month="processing_month", event=pl.lit("return"), is_reclaim=pl.lit(False),
            refers_search_no="search_no",
        ),
    )  # fmt: skip


def tell(settings: Settings) -> None:
    """Write what there is to tell of all results, as the lake stands: a claim that comes later answers a finding."""
    held = delta.read(settings, DELIVERY_FINDING, {"rule": RULES})
    results = delta.read(settings, CLAIM_REVIEW)
    if not (held.height or results.height):
        return
    found = delta.shaped(DELIVERY_FINDING, pl.DataFrame([finding.row() for finding in _findings(settings, results)]))
    if not found.sort(pl.all()).equals(held.sort(pl.all())):
        delta.replace(settings, DELIVERY_FINDING, found, {"rule": RULES})


def without_claim(settings: Settings, results: pl.DataFrame) -> pl.DataFrame:
    """The results whose claim the lake does not hold."""
    if not results.height:
        return results
    numbered = ["insurer_number", "service_month", "search_no"]
    claims = delta.scan(settings, CLAIM_COPY, {"service_month": set(results["service_month"])}).filter(pl.col("event") == "claim")
    known = claims.select(numbered).filter(pl.col("search_no").is_in(results["search_no"].unique().implode())).unique().collect()
    return results.join(known, on=numbered, how="anti", nulls_equal=True)


def _findings(settings: Settings, results: pl.DataFrame) -> Iterator[Finding]:
    kinds = {
        "review_without_claim": (without_claim(settings, results), "for a claim that is not here"),
        "review_effect_unknown": (results.filter(pl.col("effect").is_null()), "with a 審査結果 that leaves the effect open"),
    }
    for rule, (rows, told) in kinds.items():
        of_file = rows.sort("line_no").group_by("depositor_number", "file_sha256", "file_name", maintain_order=True)
        for depositor, sha256, name, count, line_no in of_file.agg(pl.len(), pl.col("line_no").first()).iter_rows():
            yield Finding(depositor, sha256, rule, f"{f'{name}: ' if name else ''}{count} results {told}", line_no=line_no)
