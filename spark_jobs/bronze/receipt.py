"""Receipts of delivered files, decoded but not yet replaced: one row per receipt, with its lines and the rule that keeps it out, if any.

A receipt begins with MN in the insurer form and with RE in the claim form; there IR, YK and GO stand outside of any receipt (sequence 0).
Frames of this module hold persons' data: they are never written, cached or shown.
"""

from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.encoding import BROKEN, JAVA_CHARSET
from spark_jobs.claim_format.japanese_calendar import western_column

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PREFIX = {"insurer": r"\d{1,2},\d{1,5},\d{1,3},", "claim": ""}  # データ識別, 行番号, 枝番号
AS_SENT = {"insurer": r"1,[^,\n]*,[^,\n]*,", "claim": ""}  # データ識別 1: by the provider, not a correction
BEGINS = {"insurer": r"\n(?=[^,\r\n]*,[^,\r\n]*,[^,\r\n]*,MN,)", "claim": r"\n(?=(?:RE|GO|IR|YK),)"}
RECEIPT_BEGINS = {"insurer": r"^[^,\r\n]*,[^,\r\n]*,[^,\r\n]*,MN,", "claim": "^RE,"}
IN_QUOTES = r',(?=[^"]*"(?:[^"]*"[^"]*")*[^"]*$)'  # a comma with an odd number of quote marks after it
LINE_COUNT = r"cast(octet_length(stretch) - octet_length(replace(stretch, '\n', '')) + 1 as int)"
NUMBERED = """transform(stretches, (stretch, place) -> named_struct(
    'text', stretch,
    'first_line', line_sums[place] + 1,
    'receipt_seq', if(receipt_sums[place + 1] > receipt_sums[place], receipt_sums[place + 1], 0),
    'is_last_of_piece', place = size(stretches) - 1))"""
BLANK = "^[ \t\r\u3000]*$"


def prefix_fields(claim_form: str) -> int:
    """Columns before the record identifier."""
    return len(layouts.INSURER_PREFIX) if claim_form == "insurer" else 0


def sound_line(claim_kind: str, claim_form: str) -> str:
    """Regular expression of a readable line: known record, no broken byte, full count of fields (claim form: trailing ones may be cut)."""
    by_count: dict[int, list[str]] = {}
    for record in layouts.records(claim_kind, claim_form).values():
        by_count.setdefault(record.length - 1, []).append(record.record_id)
    records = (
        rf"(?:{'|'.join(ids)})(?:,[^,{BROKEN}]*+){{{'0,' if claim_form == 'claim' and ids != ['GO'] else ''}{count}}}+"
        for count, ids in by_count.items()
    )
    return rf"^{PREFIX[claim_form]}(?:{'|'.join(records)})\z"


def receipts(pieces: "DataFrame", claim_kind: str, claim_form: str) -> "DataFrame":
    """One row per receipt (and per stretch outside of receipts, sequence 0) of pieces of one form and kind."""
    text = f.replace(f.replace(f.decode("content", JAVA_CHARSET), f.lit("\u001a"), f.lit("")), f.lit("\r\n"), f.lit("\n"))
    stretches = (
        pieces.withColumn("text", text)
        .withColumn("is_ended", f.endswith("text", f.lit("\n")))
        .withColumn("text", f.when(f.col("is_ended"), f.expr("left(text, char_length(text) - 1)")).otherwise(f.col("text")))
        .withColumn("stretches", f.split("text", BEGINS[claim_form]))
        .withColumn("line_sums", _running("lines_before", LINE_COUNT))
        .withColumn("receipt_sums", _running("receipts_before", f"cast(stretch rlike r'{RECEIPT_BEGINS[claim_form]}' as int)"))
        .withColumn("stretches", f.expr(NUMBERED))
        .drop("content", "text", "line_sums", "receipt_sums")
        .select("*", f.inline("stretches"))
        .drop("stretches")
        .withColumn("is_last", f.col("is_last") & f.col("is_last_of_piece"))
    )
    lines = f.split("text", "\n")
    unquoted = f.transform(lines, lambda line: f.replace(f.regexp_replace(line, IN_QUOTES, "，"), f.lit('"'), f.lit("")))
    birth_date = _first("birth_date", "RE", claim_kind, claim_form)
    return (
        stretches.withColumn("lines", f.when(f.contains("text", f.lit('"')), unquoted).otherwise(lines))
        .withColumn("sex", _first("sex", "RE", claim_kind, claim_form))
        .withColumn("birth_date", f.coalesce(western_column(birth_date), birth_date))
        .withColumn("ho_number", insurer_number(_first("insurer_number", "HO", claim_kind, claim_form)))
        .withColumn("rule", f.when(f.col("receipt_seq") > 0, _rule(claim_kind, claim_form)))
        .drop("text")
    )


def insurer_number(text: "Column") -> "Column":
    """保険者番号 as config/insurers writes it: 国保 numbers have 6 digits and are padded to 8 on receipts."""
    return f.regexp_replace(f.trim(text), r"^00(?=\d{6}$)", "")


def _running(before: str, number: str) -> "Column":
    """Running sums over the stretches of a piece, from what precedes the piece; a window would sort and shuffle all lines instead.

    An aggregate copies what it holds at each step: it holds numbers only, and pieces are small.
    """
    return f.expr(f"aggregate(stretches, array({before}), (sums, stretch) -> array_append(sums, element_at(sums, -1) + {number}))")


def _first(name: str, record_id: str, claim_kind: str, claim_form: str) -> "Column":
    """A field of the first such record of a receipt, empty if there is none."""
    place = layouts.record(claim_kind, record_id, claim_form).pos(name) - 2
    before = r"(?:[^,\n]*,){3}" if claim_form == "insurer" else ""
    return f.regexp_extract("text", rf"(?:^|\n){before}{record_id},(?:[^,\n]*,){{{place}}}([^,\n]*)", 1)


def _rule(claim_kind: str, claim_form: str) -> "Column":
    """The rule that keeps a receipt out as a whole; null if none does. A claim-form file is cut if no GO stands after its last receipt."""
    last_line = f.element_at("lines", -1)
    is_cut = f.lit(True) if claim_form == "claim" else ~f.col("is_ended") | ~last_line.rlike(f"^{PREFIX[claim_form]}RC,")
    readable = f.forall("lines", lambda line: line.rlike(sound_line(claim_kind, claim_form)) | line.rlike(BLANK))

    def count(records: str) -> "Column":
        return f.size(f.split("text", rf"\n{AS_SENT[claim_form]}(?:{records}),")) - 1

    is_shaped = count("HO") <= 1 if claim_kind != "dpc" else f.lit(True)  # a DPC receipt may repeat header and payers (総括)
    if claim_form == "insurer":
        is_shaped &= (count("RE") >= 1) & (count("IR|YK") == 1)
        is_shaped &= (count("RE") == 1) if claim_kind != "dpc" else f.lit(True)
    is_rejected = (f.col("mismatch_rule") == "reject") & (f.col("ho_number") != "") & (f.col("ho_number") != f.col("insurer_number"))
    return (
        f.when(f.col("is_last") & is_cut, f.lit("cut_receipt"))
        .when(~readable, f.lit("receipt_of_bad_line"))
        .when(~is_shaped, f.lit("receipt_shape"))
        .when(is_rejected, f.lit("insurer_mismatch"))
    )
