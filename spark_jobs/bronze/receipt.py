"""Receipts of delivered files, decoded but not yet replaced: one row per receipt, with its lines and the rule that keeps it out, if any.

A receipt begins with MN in the insurer form and with RE in the claim form; there IR, YK and GO stand outside of any receipt (sequence 0).
Frames of this module hold persons' data: they are never written, cached or shown.
"""

from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.encoding import BROKEN, JAVA_CHARSET, receipt_begin
from spark_jobs.claim_format.japanese_calendar import western_column

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PREFIX = {"insurer": r"\d{1,2},\d{1,5},\d{1,3},", "claim": ""}  # データ識別, 行番号, 枝番号
OUTSIDE = {"insurer": "", "claim": "|(?:GO|IR|YK),"}  # what stands outside of any receipt and ends the one before
IN_QUOTES = r',(?=[^"]*"(?:[^"]*"[^"]*")*[^"]*$)'  # a comma with an odd number of quote marks after it
HEADERS = {"insurer": r"\n1,[^,\n]*,[^,\n]*,((?:IR|YK|RE|HO),[^\n]*)", "claim": r"\n((?:RE|HO),[^\n]*)"}  # as sent, not as corrected
SHAPE = {  # (form, is DPC) → those records in alphabetical order; a DPC receipt may repeat header and payer (総括)
    ("insurer", False): "^(HO )?(IR RE|RE YK)$",
    ("insurer", True): "^(HO )*IR RE( RE)*$",
    ("claim", False): "^(HO )?RE$",
    ("claim", True): "^(HO )*RE( RE)*$",
}
LINE_COUNT = r"cast(octet_length(stretch) - octet_length(replace(stretch, '\n', '')) + 1 as int)"
NUMBERED = """transform(stretches, (stretch, place) -> named_struct(
    'text', stretch,
    'first_line', line_sums[place] + 1,
    'receipt_seq', if(receipt_sums[place + 1] > receipt_sums[place], receipt_sums[place + 1], 0),
    'is_last_of_piece', place = size(stretches) - 1))"""
BLANKS = " \t\r\u3000"


def prefix_fields(claim_form: str) -> int:
    """Columns before the record identifier."""
    return len(layouts.INSURER_PREFIX) if claim_form == "insurer" else 0


def sound_line(claim_kind: str, claim_form: str) -> str:
    """Regular expression of a readable line: known record, full count of fields (claim form: trailing ones may be left out)."""
    by_count: dict[int, list[str]] = {}
    for record in layouts.records(claim_kind, claim_form).values():
        by_count.setdefault(record.length - 1, []).append(record.record_id)
    records = (
        rf"(?:{'|'.join(ids)})(?:,[^,]*+){{{'0,' if claim_form == 'claim' and ids != ['GO'] else ''}{count}}}+"
        for count, ids in by_count.items()
    )
    return rf"^{PREFIX[claim_form]}(?:{'|'.join(records)})\z"


def receipts(pieces: "DataFrame", claim_kind: str, claim_form: str) -> "DataFrame":
    """One row per receipt (and per stretch outside of receipts, sequence 0) of pieces of one form and kind."""
    lines = f.split("text", "\n")
    unquoted = f.transform(lines, lambda line: f.replace(f.regexp_replace(line, IN_QUOTES, "，"), f.lit('"'), f.lit("")))
    header = layouts.record(claim_kind, "RE", claim_form)
    payer = layouts.record(claim_kind, "HO", claim_form)
    birth_date = _field("RE", header.pos("birth_date"))
    begin = receipt_begin(claim_form, claim_kind)
    return (
        pieces.withColumn("stretches", f.split(f.decode("content", JAVA_CHARSET), rf"\n(?={begin}{OUTSIDE[claim_form]})"))
        .withColumn("line_sums", _running("lines_before", LINE_COUNT))
        .withColumn("receipt_sums", _running("receipts_before", f"cast(stretch rlike r'^{begin}' as int)"))
        .withColumn("stretches", f.expr(NUMBERED))
        .drop("content", "line_sums", "receipt_sums")
        .select("*", f.inline("stretches"))
        .withColumns(
            {
                "is_last": f.col("is_last") & f.col("is_last_of_piece"),
                "lines": f.when(f.contains("text", f.lit('"')), unquoted).otherwise(lines),
                "has_broken_byte": f.contains("text", f.lit(BROKEN)),
                "headers": f.regexp_extract_all(f.concat(f.lit("\n"), "text"), f.lit(HEADERS[claim_form]), 1),
            }
        )
        .drop("stretches", "text")
        .withColumns(
            {
                "sex": _field("RE", header.pos("sex")),
                "birth_date": f.coalesce(western_column(birth_date), birth_date),
                "ho_number": insurer_number(_field("HO", payer.pos("insurer_number"))),
            }
        )
        .withColumn("rule", f.when(f.col("receipt_seq") > 0, _rule(claim_kind, claim_form)))
        .drop("headers")
    )


def is_blank(line: "Column") -> "Column":
    return f.btrim(line, f.lit(BLANKS)) == ""


def insurer_number(text: "Column") -> "Column":
    """保険者番号 as config/insurers writes it: 国保 numbers have 6 digits and are padded to 8 on receipts."""
    return f.regexp_replace(f.trim(text), r"^00(?=\d{6}$)", "")


def _running(before: str, number: str) -> "Column":
    """Running sums over the stretches of a piece, from what precedes the piece; a window would sort and shuffle all lines instead.

    An aggregate copies what it holds at each step: it holds numbers only, and pieces are small.
    """
    return f.expr(f"aggregate(stretches, array({before}), (sums, stretch) -> array_append(sums, element_at(sums, -1) + {number}))")


def _field(record_id: str, pos: int) -> "Column":
    """A field of the first such record of a receipt, empty if there is none."""
    line = f.get(f.filter("headers", lambda header: header.startswith(f"{record_id},")), f.lit(0))
    return f.coalesce(f.get(f.split(line, ",", pos + 1), f.lit(pos - 1)), f.lit(""))


def _rule(claim_kind: str, claim_form: str) -> "Column":
    """The rule that keeps a receipt out as a whole; null if none does. A claim-form file is cut if no GO stands after its last receipt."""
    last_line = f.element_at("lines", -1)
    is_cut = f.lit(True) if claim_form == "claim" else ~f.col("is_ended") | ~last_line.rlike(f"^{PREFIX[claim_form]}RC,")
    sound = sound_line(claim_kind, claim_form)
    is_readable = ~f.col("has_broken_byte") & f.forall("lines", lambda line: line.rlike(sound) | is_blank(line))
    records = f.array_join(f.array_sort(f.transform("headers", lambda header: f.left(header, f.lit(2)))), " ")
    is_rejected = (f.col("mismatch_rule") == "reject") & (f.col("ho_number") != "") & (f.col("ho_number") != f.col("insurer_number"))
    return (
        f.when(f.col("is_last") & is_cut, f.lit("cut_receipt"))
        .when(~is_readable, f.lit("receipt_of_bad_line"))
        .when(~records.rlike(SHAPE[claim_form, claim_kind == "dpc"]), f.lit("receipt_shape"))
        .when(is_rejected, f.lit("insurer_mismatch"))
    )
