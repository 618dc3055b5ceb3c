"""silver.claim_copy: one row per delivered receipt, and what it says of a claim: a copy of it, its return (返戻), its re-claim (再請求).

What counts is a pure function of the copies (`resolve`): any order of arrival, any splitting of files, gives the same claims.

- **Which claim.** Equal `receipt_key` (insurer, facility, kind, receipt type, service month, person, prescriber, admission date) of one
  claim month and form are one receipt if their 検索番号 is the same, else receipts of their own, numbered by what they bill.
- **Delivered more than once** in one claim month: the insurer form counts before the claim form, then the smaller file hash.
- **Returned.** From the month of its return on a claim does not count, be it delivered (データ識別 8) or the result of a later review
  (`silver.claim_review`: 資格返戻, 過誤取下げ).
- **Claimed again.** A receipt that bears the 検索番号 of an earlier one (RE), or lines of the state before a re-claim (データ識別 11-14),
  takes its place from its own claim month on; also under another receipt key, since what was wrong may have been the number.
- **A later receipt that says nothing of the kind** while the earlier one counts is a copy of it: the first known counts.

How the review bodies mark returns in what they deliver to insurers is [unconfirmed] (receipt-formats §4.2, §10).
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

import polars as pl

from spark_jobs.silver.claim import STILL

NEVER = 0  # known_to_claim_month of a copy that does not count
COPY = ["file_sha256", "depositor_number", "receipt_seq"]
OF_RECEIPT = ["receipt_key", "claim_month", "claim_form"]
PRECEDENCE = [pl.col("claim_form") != "insurer", *map(pl.col, COPY)]
NUMBERED = ["search_no", "insurer_number", "service_month"]  # each review body numbers for itself: two may give one number
SEEN = [  # what `resolve` looks at
    *COPY, "receipt_key", "claim_month", "claim_form", "event", "is_reclaim", "content", "search_no", "refers_search_no", "insurer_number",
    "service_month",
]  # fmt: skip
SEEDS = ["receipt_key", "search_no", "refers_search_no", "insurer_number", "service_month"]
KNOWN = ["claim_key", "known_from_claim_month", "known_to_claim_month"]


def resolve(copies: pl.DataFrame) -> pl.DataFrame:
    """The copies (at least what is SEEN of them) with `claim_key` and the claim months from and to which each is the known state; NEVER
    where it does not count."""
    named = copies.get_column("refers_search_no").drop_nulls().unique()
    is_plain = (
        pl.col("receipt_key").is_unique()
        & (pl.col("event") == "claim")
        & pl.col("refers_search_no").is_null()
        & ~pl.col("search_no").is_in(named.implode()).fill_null(False)
    )
    # most are delivered once, neither returned nor claimed again
    split = copies.with_columns(is_plain=is_plain)
    plain = split.filter("is_plain").with_columns(claim_key=pl.col("receipt_key"), known_to_claim_month=pl.lit(STILL, pl.Int32))
    others = _resolved(split.filter(~pl.col("is_plain")))
    return pl.concat([plain, others.select(plain.columns)]).drop("is_plain").with_columns(known_from_claim_month=pl.col("claim_month"))


def _resolved(copies: pl.DataFrame) -> pl.DataFrame:
    claims = _numbered(copies.filter(pl.col("event") == "claim"))
    counting = claims.sort("claim_key", "claim_month", *PRECEDENCE).unique(["claim_key", "claim_month"], keep="first", maintain_order=True)
    counting = counting.join(_closings(copies), on=NUMBERED, how="left", nulls_equal=True, maintain_order="left")
    counting = counting.join(_returns_by_key(copies), on="receipt_key", how="left", maintain_order="left")
    none = pl.lit([], pl.List(pl.Int32))
    closings = pl.concat_list(pl.col("closed").fill_null(none), pl.col("returned_by_key").fill_null(none)).list.sort()
    counting = counting.with_columns(closings=closings).select(*COPY, "claim_key", "claim_month", "is_reclaim", "closings")
    states = _timeline(counting)
    return (
        copies.join(claims.select(*COPY, "claim_key"), on=COPY, how="left", maintain_order="left")
        .join(states, on=COPY, how="left", maintain_order="left")
        .with_columns(pl.coalesce("claim_key", "receipt_key").alias("claim_key"), pl.col("known_to_claim_month").fill_null(NEVER))
    )


def _numbered(claims: pl.DataFrame) -> pl.DataFrame:
    """Adds `claim_key`: the receipt key, and from the second receipt of a claim month on its number."""
    occurrence = pl.int_range(pl.len()).over("file_sha256", "depositor_number", "receipt_key", "content")
    own = pl.when(pl.col("search_no").is_not_null() & (pl.col("claim_form") == "insurer")).then(pl.format("no {}", "search_no"))
    claims = claims.sort(*COPY).with_columns(identity=pl.coalesce(own, pl.format("{}#{}", "content", occurrence)))
    alone = pl.len().over(*OF_RECEIPT) == 1
    plain, several = claims.filter(alone), claims.filter(~alone)
    if several.height:
        first_content = pl.col("content").sort_by(*PRECEDENCE).first().over(*OF_RECEIPT, "identity")
        several = several.with_columns(content_of_identity=first_content)
        number = pl.struct("content_of_identity", "identity").rank("dense").over(*OF_RECEIPT).cast(pl.Int64)
        key = pl.when(number == 1).then("receipt_key").otherwise(pl.format("{}-{}", "receipt_key", number))
        several = several.with_columns(claim_key=key).drop("content_of_identity")
    else:
        several = several.with_columns(claim_key=pl.col("receipt_key"))
    return pl.concat([plain.with_columns(claim_key=pl.col("receipt_key")), several])


def _closings(copies: pl.DataFrame) -> pl.DataFrame:
    """検索番号 (of an insurer and service month) → the claim months in which a return, a re-claim or a re-review named it."""
    named = copies.filter(pl.col("refers_search_no").is_not_null()).drop("search_no").rename({"refers_search_no": "search_no"})
    return named.group_by(NUMBERED).agg(closed=pl.col("claim_month").unique())


def _returns_by_key(copies: pl.DataFrame) -> pl.DataFrame:
    """Receipt key → the months of its returns that name no 検索番号."""
    returned = copies.filter((pl.col("event") == "return") & pl.col("refers_search_no").is_null())
    return returned.group_by("receipt_key").agg(returned_by_key=pl.col("claim_month").unique())


def _timeline(counting: pl.DataFrame) -> pl.DataFrame:
    """Per copy that is known at some time: `known_to_claim_month`."""
    rows = []
    for _, claim in groupby(counting.sort("claim_key", "claim_month").iter_rows(named=True), itemgetter("claim_key")):
        rows += _states(claim)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {name: counting.schema[name] for name in COPY} | {"known_to_claim_month": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _states(copies: Iterable[dict]) -> list[tuple]:
    """Of one claim in the order of claim months: which copies are states of knowledge, and until when."""
    states: list[list] = []
    for copy in copies:
        month = copy["claim_month"]
        if states and states[-1][-1] >= month:  # the state before still counts
            if not copy["is_reclaim"]:
                continue
            states[-1][-1] = before(month)
        closed = next((closing for closing in copy["closings"] if closing >= month), None)
        if closed == month:  # at no month known
            continue
        states.append([copy[name] for name in COPY] + [before(closed) if closed else STILL])
    return [tuple(state) for state in states if state[-1] != NEVER]


def before(month: int) -> int:
    """The month before YYYYMM."""
    return month - 1 if month % 100 > 1 else month - 89


def related(copies: pl.LazyFrame, seeds: pl.DataFrame) -> pl.DataFrame:
    """The copies whose claims the seeds (at least what is SEEDS of them) may change, and all that these depend on in turn."""
    found: list[pl.DataFrame] = []
    new = seeds
    while new.height:
        numbers = pl.concat([new["search_no"], new["refers_search_no"]]).drop_nulls().implode()
        is_related = (
            pl.col("receipt_key").is_in(new["receipt_key"].implode())
            | pl.col("search_no").is_in(numbers)
            | pl.col("refers_search_no").is_in(numbers)
        )
        rows = copies.filter(is_related).collect()
        new = rows.join(pl.concat(found), on=COPY, how="anti", nulls_equal=True) if found else rows
        found.append(new)
    return pl.concat(found)
