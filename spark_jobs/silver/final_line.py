"""The lines of receipts as decided: the review body does not change a line; it adds a corrected one (データ識別 2) and a JY line that says
which line to replace, drop, or where to add (receipt-formats §4.4).

Lines that were dropped or replaced stay in the order, marked as not decided: a blank 診療識別 below them still means "as above".
"""

from dataclasses import dataclass, field

import polars as pl

from spark_jobs.claim_format.data_id import REVIEWED, SENT
from spark_jobs.silver.fields import cells

ADD, REPLACE, DELETE = "1", "2", "3"  # 補正区分
KEPT_OF_REVIEW = (
    "MN",
    "SN",
    "HR",
)  # added by the review body, yet no correction: receipt number, eligibility as confirmed, reason of return
ORDER = {"rid": pl.UInt32, "line_no": pl.UInt32, "position": pl.UInt32, "slot": pl.UInt32, "is_decided": pl.Boolean}
MISSING = {"rid": pl.UInt32, "line_no": pl.UInt32}


@dataclass
class _Line:
    line_no: int
    place: int  # 行番号 × 1000 + 枝番号: compared as integers ("10" is not before "2")
    record_type: str
    slot: int  # the line as sent whose place it takes
    is_decided: bool = True


@dataclass
class _Receipt:
    """The lines of one receipt while its corrections are applied."""

    sequence: list[_Line] = field(default_factory=list)
    added: dict[int, _Line] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)  # JY lines that point to nothing

    def correct(self, line_no: int, kind: str, target_place: int | None, after_place: int | None) -> None:
        """One JY. What it names and is not there leaves the lines as they are; only a line to be added goes in all the same, at the end
        of its records."""
        at = next((i for i, x in enumerate(self.sequence) if x.is_decided and x.place == target_place), None)
        after = self.added.get(after_place) if after_place is not None else None
        if kind == DELETE and at is not None:
            self.sequence[at].is_decided = False
        elif kind == REPLACE and at is not None and after:
            target = self.sequence[at]
            target.is_decided = False
            self.sequence.insert(at + 1, _Line(after.line_no, after.place, after.record_type, target.slot))
            del self.added[after.place]
        elif kind == ADD and after:
            same = [i for i, x in enumerate(self.sequence) if x.is_decided and x.record_type == after.record_type]
            end = same[-1] + 1 if same else len(self.sequence)
            self.sequence.insert(end if at is None else at + 1, after)
            del self.added[after.place]
            if at is None and target_place is not None:
                self.missing.append(line_no)
        else:
            self.missing.append(line_no)


def correct(lines: pl.DataFrame, jy: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(decided order of the lines, JY lines that point to nothing) of receipts that have JY lines, a few of a hundred.

    `lines`: rid, line_no, data_id, place, record_type, sent (データ識別 of the lines as sent); `jy`: rid, line_no and its fields, both in
    the order of the file.
    """
    receipts: dict[int, _Receipt] = {}
    for rid, line_no, data_id, place, record_type, sent in lines.iter_rows():
        receipt = receipts.setdefault(rid, _Receipt())
        line = _Line(line_no, place, record_type, line_no)
        if data_id == sent:
            receipt.sequence.append(line)
        elif data_id == REVIEWED and record_type != "JY":
            receipt.added.setdefault(place, line)
    for rid, line_no, kind, target, after in jy.select("rid", "line_no", "correction_class", "target", "after").iter_rows():
        receipts[rid].correct(line_no, kind, target, after)
    rows = [
        (rid, line.line_no, position, line.slot, line.is_decided)
        for rid, receipt in receipts.items()
        for position, line in enumerate(receipt.sequence)
    ]
    missing = [(rid, line_no) for rid, receipt in receipts.items() for line_no in receipt.missing]
    return pl.DataFrame(rows, schema=ORDER, orient="row"), pl.DataFrame(missing, schema=MISSING, orient="row")


def _place(row: str, branch: str) -> pl.Expr:
    return pl.col(row).cast(pl.Int64, strict=False) * 1000 + pl.col(branch).cast(pl.Int64, strict=False).fill_null(0)


def order(
    groups: dict[str, pl.DataFrame], receipts: pl.DataFrame, claim_kind: str, claim_form: str
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """(lines by record type, receipts that were corrected, JY lines that point to nothing).

    Lines: those as sent or put in, with `position` in the receipt, `is_sent`, `is_decided`, `slot`, `is_corrected`; of the review body
    MN, SN and HR are kept too, never as decided.
    """
    sent = receipts.select("rid", pl.col("sent").fill_null(SENT))  # outside of a receipt all is as sent
    sent_of = _by_rid(sent["rid"], sent["sent"])
    jy = groups.get("JY")
    corrected, missing = pl.DataFrame(schema=ORDER), pl.DataFrame(schema=MISSING)
    if jy is not None and (jy := jy.filter(pl.col("data_id") == REVIEWED)).height:
        jy = cells(jy, claim_kind, claim_form, "JY").with_columns(
            target=_place("target_row_no", "target_branch_no"), after=_place("after_row_no", "after_branch_no")
        )
        columns = ("rid", "line_no", "data_id", "place", "record_type")
        of_jy = pl.concat([group.select(columns).join(jy, on="rid", how="semi") for group in groups.values()])
        of_jy = of_jy.join(sent, on="rid", how="left").sort("rid", "line_no")
        corrected, missing = correct(of_jy, jy.sort("rid", "line_no"))
    rids = corrected.select(pl.col("rid").unique()).with_columns(is_corrected=True)
    is_corrected = _by_rid(receipts["rid"], receipts["rid"].is_in(rids["rid"].implode()))
    found = {}
    for record_id, group in groups.items():
        if record_id == "JY":
            continue
        lines = group.drop("data_id", "place").with_columns(
            is_sent=group["data_id"] == sent_of.gather(group["rid"]), is_corrected=is_corrected.gather(group["rid"])
        )
        is_kept = lines["is_sent"] | ((group["data_id"] == REVIEWED) & (record_id in KEPT_OF_REVIEW))
        plain = lines.filter(is_kept & ~lines["is_corrected"])
        found[record_id] = plain.with_columns(position=pl.col("line_no"), slot=pl.col("line_no"), is_decided=pl.col("is_sent"))
        if corrected.height:
            of_review = (
                lines.with_columns(is_kept=is_kept)
                .filter("is_corrected")
                .join(corrected, on=["rid", "line_no"], how="left", maintain_order="left")
            )
            put = of_review.filter(pl.col("is_kept") | pl.col("position").is_not_null()).with_columns(
                pl.coalesce("position", "line_no"), pl.coalesce("slot", "line_no"), pl.coalesce("is_decided", "is_sent")
            )
            found[record_id] = pl.concat([found[record_id], put.select(found[record_id].columns)])
    return found, rids, missing


def _by_rid(rid: pl.Series, values: pl.Series) -> pl.Series:
    """Values of receipts in the places that their `rid` says, to be gathered by it: a join on numbers with few gaps."""
    most: int = rid.to_frame().select(pl.all().max().fill_null(0)).item()
    return values.clear(most + 1).scatter(rid, values)
