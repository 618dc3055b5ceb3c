"""The lines of a bundle, decoded but not yet replaced: which receipt each stands in, and the rule that keeps it out, if any.

A receipt begins with MN in the insurer form and with RE in the claim form; there IR, YK and GO stand outside of any receipt (sequence 0).
Frames of this module hold persons' data: they are never written or shown.
"""

import polars as pl

from spark_jobs.bronze.piece import Bundle, content_of
from spark_jobs.claim_format import data_id, layouts, privacy
from spark_jobs.claim_format.cell import cells
from spark_jobs.claim_format.codes import insurer_number
from spark_jobs.claim_format.encoding import BROKEN, CHARSET, OF_DETAIL, PROVIDERS
from spark_jobs.claim_format.japanese_calendar import western_expr

BLANK = "^[ \t\r\u3000]*$"
UNREADABLE = BROKEN + "\x80\xa0\uf8f1\uf8f2\uf8f3"  # how Python reads bytes that are no characters (80, A0, FD-FF as the last ones)
OUTSIDE = (*PROVIDERS, "GO")  # of the claim form
MODES = {"N": "[-0-9. ]", "A": r"[ -+\x2d-~]"}  # 数字, 英数 (a comma is no character of a field)
OF_PERSONS = ("RE", "HO", "KO", "SN")
NUMBERS = ("insurer_number", "public_payer_number", "verified_insurer_number")


def prefix_fields(claim_form: str) -> int:
    """Columns before the record identifier."""
    return len(layouts.INSURER_PREFIX) if claim_form == "insurer" else 0


def read(bundle: Bundle, known_keys: set[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(lines, receipts) of a bundle. Lines: file_no, line_no, receipt_seq, rid (receipt in the bundle), data_id, place, record_type,
    line, rule, detail. Receipts: rid, file_no, receipt_seq, sent (データ識別 of the lines as sent), sex, birth_date, ho_number, owner."""
    lines = pl.concat([_of_piece(bundle, number) for number in range(len(bundle.pieces))])
    lines = lines.with_columns(rid=pl.col("border").cum_sum().cast(pl.UInt32), receipt_seq=pl.col("receipt_seq").forward_fill())
    lines = _checked(lines, bundle)
    receipts = _receipts(lines, bundle, known_keys)
    is_clean = receipts["receipt_rule"].is_null().all() and lines["own_rule"].is_null().all() and not lines["is_blank"].any()
    is_outside = (pl.col("receipt_seq") == 0) & ~(pl.col("record_type").is_in(OUTSIDE) & pl.lit(bundle.claim_form == "claim"))
    if is_clean and not lines.select(is_outside.any()).item():  # nearly always: nothing to be told apart
        nothing = pl.lit(None, pl.String)
        return lines.with_columns(rule=nothing, detail=nothing).drop("border", "is_blank", "own_rule", "field_count", "expected"), receipts
    lines = lines.with_columns(detail=_detail()).join(receipts.select("rid", "receipt_rule"), on="rid", how="left", maintain_order="left")
    rule = (
        pl.when(pl.col("is_blank"))
        .then(pl.lit("blank_line"))
        .when(pl.col("receipt_rule") == "cut_receipt")
        .then("receipt_rule")
        .when(pl.col("receipt_seq") > 0)
        .then(pl.when(pl.col("receipt_rule").is_not_null()).then(pl.coalesce("own_rule", "receipt_rule")))
        .otherwise(pl.coalesce("own_rule", pl.when(is_outside).then(pl.lit("outside_receipt"))))
    )
    told = pl.when(rule == pl.col("own_rule")).then("detail")
    return lines.with_columns(rule=rule, detail=told).drop(
        "border", "is_blank", "own_rule", "receipt_rule", "field_count", "expected"
    ), receipts


def _of_piece(bundle: Bundle, number: int) -> pl.DataFrame:
    """Lines of one piece, numbered as in the file; `border` where a receipt, or a stretch outside of receipts, begins."""
    piece, form, kind = bundle.pieces[number], bundle.claim_form, bundle.claim_kind
    text = content_of(piece).decode(CHARSET, "replace")
    lines = pl.read_lines(text.encode())
    if '"' in text:
        has_quote = pl.col("line").str.contains('"', literal=True)
        lines = lines.with_columns(pl.when(has_quote).then(pl.col("line").map_elements(_unquoted, pl.String)).otherwise("line"))
    if form == "insurer":
        parts = pl.col("line").str.split_exact(",", 3).struct.rename_fields(["data_id", "row_no", "branch_no", "record_type"])
        lines = lines.with_columns(parts=parts).unnest("parts").with_columns(pl.col("record_type").fill_null(""))
        begins = pl.col("record_type") == "MN"
        is_border = begins
    else:
        record = pl.col("line").str.split_exact(",", 1).struct[0]
        lines = lines.with_columns(data_id=pl.lit(None, pl.String), row_no=None, branch_no=None, record_type=record)
        begins = pl.col("record_type") == "RE"
        if kind == "dpc":
            place = layouts.record("dpc", "RE", "claim").pos("summary_class") - 1
            begins &= ~pl.col("line").str.contains(rf"^RE,(?:[^,]*,){{{place - 1}}}{OF_DETAIL}(?:,|$)")
        is_border = begins | pl.col("record_type").is_in(OUTSIDE)
    is_first = pl.int_range(pl.len()) == 0
    is_broken = pl.col("line").str.contains(f"[{UNREADABLE}]") if any(sign in text for sign in UNREADABLE) else pl.lit(False)
    return lines.with_columns(
        file_no=pl.lit(number, pl.UInt32),
        line_no=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32) + piece.lines_before,
        border=is_border | is_first,
        receipt_seq=pl.when(begins).then(begins.cum_sum() + piece.receipts_before).when(is_border | is_first).then(0).cast(pl.UInt32),
        is_broken=is_broken,
        is_ended=pl.lit(text.endswith("\n")),
    )


def _unquoted(line: str) -> str:
    """A comma inside of quote marks becomes a full-width one, the marks go; an odd mark quotes nothing."""
    parts = line.split('"')
    quoted = range(1, len(parts) - 1, 2)
    return "".join(part.replace(",", "，") if i in quoted else part for i, part in enumerate(parts))


def _checked(lines: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """Adds is_blank, own_rule (what is wrong with the line itself), field_count and expected; the prefix as numbers."""
    form, kind = bundle.claim_form, bundle.claim_kind
    prefix, records = prefix_fields(form), layouts.records(kind, form)
    expected = pl.col("record_type").replace_strict({name: r.length for name, r in records.items()}, default=None, return_dtype=pl.Int32)
    fields = pl.col("line").str.count_matches(",", literal=True).cast(pl.Int32) + 1 - prefix
    lines = lines.with_columns(
        is_blank=pl.col("line").str.contains(BLANK),
        field_count=fields,
        expected=expected,
        data_id=pl.col("data_id").cast(pl.Int8, strict=False) if prefix else pl.lit(data_id.SENT, pl.Int8),
        place=pl.col("row_no").cast(pl.Int64, strict=False) * 1000 + pl.col("branch_no").cast(pl.Int16, strict=False),
    ).with_columns(has_prefix=pl.all_horizontal(pl.col("data_id", "place").is_not_null()) if prefix else pl.lit(True))
    is_short = pl.col("field_count") < pl.col("expected")
    is_open = pl.col("record_type").is_in([name for name, record in records.items() if record.is_open])
    is_counted = (
        (pl.col("field_count") == pl.col("expected"))
        | (is_open & (pl.col("field_count") >= pl.col("expected") - 1))
        | (is_short & (pl.lit(form == "claim") & (pl.col("record_type") != "GO")))
    )
    wrong = (
        pl.when("is_blank")
        .then(None)
        .when("is_broken")
        .then(pl.lit("bad_byte"))
        .when(~pl.col("has_prefix"))
        .then(pl.lit("bad_prefix"))
        .when(pl.col("expected").is_null())
        .then(pl.lit("unknown_record"))
        .when(~is_counted)
        .then(pl.lit("field_count"))
    )
    lines = lines.with_columns(own_rule=wrong).drop("has_prefix", "is_broken", "row_no", "branch_no")
    return lines.with_columns(own_rule=_with_field_modes(lines, bundle))


def _detail() -> pl.Expr:
    """What was found of a line that breaks a rule of its own; never its content."""
    own_rule = pl.col("own_rule")
    is_named = pl.col("record_type").str.contains("^[A-Z]{2}$")
    named = pl.when(is_named).then("record_type").otherwise(pl.lit("no record identifier"))
    return (
        pl.when(own_rule == "field_count")
        .then(pl.format("{}: {} fields, expected {}", named, "field_count", "expected"))
        .when(own_rule == "unknown_record")
        .then(named)
        .when(own_rule == "bad_byte")
        .then(pl.format("{}: a byte that is no character", named))
        .when(own_rule == "field_mode")
        .then(pl.format("{}: a field that does not fit its mode or length", named))
    )


def _with_field_modes(lines: pl.DataFrame, bundle: Bundle) -> pl.Series:
    """`own_rule` with field_mode where a kept field is not of its mode and length (max_bytes): a name or a number may stand there. So for
    lines that name a person, and for records that such a line, its identifier broken, could pass for by its count of fields. In the claim
    form for every record: a comma in a text (no escape exists) shifts what follows, and trailing fields may be missing, so that the count
    tells little."""
    form, kind = bundle.claim_form, bundle.claim_kind
    marks = privacy.marks(kind, form)
    found = lines["own_rule"]
    records = layouts.records(kind, form)
    counts = {records[name].length for name in OF_PERSONS if name in records}
    alike = [name for name, record in records.items() if record.length in counts or record.is_open]
    for record_id in records if form == "claim" else alike:
        of_record = marks.get(record_id, {})
        record, before = layouts.record(kind, record_id, form), "[^,]*," * prefix_fields(form)
        cells_ = "".join(f",{'[^,]*' if x.pos in of_record else _mode(x)}" for x in record.fields[1:])
        looked_at = (lines["record_type"] == record_id) & found.is_null()
        padded = lines.filter(looked_at)["line"] + "," * (record.length + 1)  # trailing fields may be left out
        fits = padded.str.contains(f"^{before}{record_id}{cells_},")
        if not fits.all():
            places = looked_at.arg_true().filter(~fits)
            found = found.scatter(places, "field_mode")
    return found


def _mode(field: layouts.Field) -> str:
    if field.name_en in NUMBERS:
        return "[ 0-9]*"
    return f"{MODES[field.mode]}{{0,{field.max_bytes}}}" if field.mode in MODES and field.max_bytes else "[^,]*"


def _receipts(lines: pl.DataFrame, bundle: Bundle, known_keys: set[str]) -> pl.DataFrame:
    """One row per receipt: what its headers, as sent, say, and the rule that keeps it out as a whole."""
    form, kind = bundle.claim_form, bundle.claim_kind
    files = [piece.file for piece in bundle.pieces]
    per_piece = pl.DataFrame(
        {
            "file_no": range(len(files)),
            "depositor": [x.insurer_number for x in files],
            "mismatch_rule": [x.mismatch_rule for x in files],
            "is_last_piece": [piece.is_last for piece in bundle.pieces],
        },
        schema_overrides={"file_no": pl.UInt32},
    )
    is_head = pl.col("record_type").is_in(["RE", "HO", *PROVIDERS])
    heads = lines.filter(is_head & pl.col("data_id").is_in([data_id.SENT, data_id.RETURNED]))
    # what was sent, else what is returned (返戻)
    sent = heads.group_by("rid").agg(
        pl.when((pl.col("data_id") == data_id.SENT).any())
        .then(pl.lit(data_id.SENT, pl.Int8))
        .otherwise(pl.lit(data_id.RETURNED, pl.Int8))
        .alias("sent")
    )
    heads = heads.join(sent, on="rid", maintain_order="left").filter(pl.col("data_id") == pl.col("sent"))
    counts = heads.group_by("rid").agg(
        headers=(pl.col("record_type") == "RE").sum(),
        payers=(pl.col("record_type") == "HO").sum(),
        providers=pl.col("record_type").is_in(list(PROVIDERS)).sum(),
    )
    header = cells(
        heads.filter(pl.col("record_type") == "RE").unique("rid", keep="first", maintain_order=True),
        kind,
        form,
        "RE",
        ("sex", "birth_date"),
    )
    payer = cells(
        heads.filter(pl.col("record_type") == "HO").unique("rid", keep="first", maintain_order=True), kind, form, "HO", ("insurer_number",)
    )
    birth_date = pl.col("birth_date").fill_null("")
    bad = lines.filter(pl.col("own_rule").is_not_null())["rid"].unique().to_list()
    whole = lines.filter((pl.col("file_no") != pl.col("file_no").shift(-1)).fill_null(True) & (pl.col("record_type") == "RC"))["rid"]
    receipts = (
        lines.filter("border")
        .select("rid", "file_no", "receipt_seq", "is_ended")
        .with_columns(is_readable=~pl.col("rid").is_in(bad), is_whole=pl.col("rid").is_in(whole.to_list()))
        .join(per_piece, on="file_no", maintain_order="left")
        .with_columns(is_last=pl.col("is_last_piece") & (pl.col("rid") == pl.col("rid").max().over("file_no")))
        .join(sent, on="rid", how="left", maintain_order="left")
        .join(counts, on="rid", how="left", maintain_order="left")
        .join(header.select("rid", "sex", "birth_date"), on="rid", how="left", maintain_order="left")
        .join(payer.select("rid", "insurer_number"), on="rid", how="left", maintain_order="left")
        .with_columns(
            sex=pl.col("sex").fill_null(""),
            birth_date=pl.coalesce(western_expr(birth_date), birth_date),
            ho_number=insurer_number(pl.col("insurer_number").fill_null("")),
        )
    )
    is_cut = (~pl.col("is_ended") | ~pl.col("is_whole")) if form == "insurer" else pl.lit(True)
    providers = {"claim": (0, 0), "insurer": (1, 2 if kind == "den" else 1)}[form]
    many = kind == "dpc"  # a DPC receipt may repeat header and payer (総括)
    has_shape = (
        (pl.col("headers") >= 1 if many else pl.col("headers") == 1)
        & (pl.lit(many) | (pl.col("payers") <= 1))
        & pl.col("providers").is_between(*providers)
    ).fill_null(False)
    is_other = (pl.col("ho_number") != "") & (pl.col("ho_number") != pl.col("depositor"))
    rule = (
        pl.when(pl.col("receipt_seq") == 0)
        .then(None)
        .when(pl.col("is_last") & is_cut)
        .then(pl.lit("cut_receipt"))
        .when(~pl.col("is_readable"))
        .then(pl.lit("receipt_of_bad_line"))
        .when(~has_shape)
        .then(pl.lit("receipt_shape"))
        .when((pl.col("mismatch_rule") == "reject") & is_other)
        .then(pl.lit("insurer_mismatch"))
    )
    owner = pl.when(pl.col("ho_number").is_in(list(known_keys))).then("ho_number").otherwise("depositor")
    return receipts.with_columns(receipt_rule=rule, owner=owner).select(
        "rid", "file_no", "receipt_seq", "sent", "sex", "birth_date", "ho_number", "owner", "receipt_rule"
    )
