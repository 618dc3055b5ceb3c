"""The lines of receipts as decided: the review body does not change a line; it adds a corrected one (データ識別 2) and a JY line that says
which line to replace, drop, or where to add (receipt-formats §4.4).

Lines that were dropped or replaced stay in the order, marked as not decided: a blank 診療識別 below them still means "as above".
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from spark_jobs.claim_format import layouts
from spark_jobs.silver.cell import INSURER_PREFIX, cell, place
from spark_jobs.tables import CLAIM_LINE

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile

SENT, REVIEWED = 1, 2  # データ識別: claim as sent, correction by the review body; 3, 4, 8, 11-14 are no claims (§4.2)
ADD, REPLACE, DELETE = "1", "2", "3"  # 補正区分
WITH_ITEMS = ("med", "dpc")  # 医科 and DPC share the layout of ITEMS
ITEMS = ("SI", "IY", "TO", "CO")  # the lines that carry 診療識別
GROUP_BORDERS = ("SH", "TK", "KI", "ST")  # 調剤: each ends the group of the SH before it (§6.4)
RECORDS = ("MN", "IR", "YK", "RE", "HO", "KO", "SN", "MF", "SY", *ITEMS, "SB", "GT", "CD", "SH", "CZ", "TK", "KI", "ST", "JY")
NO_POINTS = "97"  # 食事療養・生活療養: yen, not points
BUNDLE = "93"  # 診療識別 of GT, the points of the DPC bundle
J038 = ("140057810", "140057910", "140058010", *(f"140058{n}10" for n in range(1, 7)))  # 人工腎臓: its fee covers the drugs of dialysis
RECEIPT = ("file_no", "receipt_seq")
OF_REVIEW = ("MN", "SN")  # added by the review body, yet no correction: receipt number and place, eligibility as confirmed


def number(spark: SparkSession, files: "Sequence[DeliveredFile]") -> DataFrame:
    """The files of the batch, numbered; a number is shorter than a hash in every shuffle."""
    rows = [
        (n, x.insurer_number, x.file_sha256, x.claim_form, x.claim_kind, x.claim_month)
        for n, x in enumerate(sorted(files, key=lambda x: (x.insurer_number, x.file_sha256)))
    ]
    schema = "file_no int, depositor_number string, file_sha256 string, claim_form string, claim_kind string, claim_month int"
    return spark.createDataFrame(rows, schema)


def read(spark: SparkSession, files: "Sequence[DeliveredFile]", numbered: DataFrame) -> DataFrame:
    """The lines of the batch that silver needs, split: `cells` without the prefix. Only these files are scanned."""
    form, record = f.col("claim_form"), f.col("record_type")
    offset = f.when(form == "insurer", INSURER_PREFIX).otherwise(0)
    kept = f.when(record == "IY", place("med", "IY", "day_1") + 1).when(record.isin(*ITEMS), place("med", "SI", "times") + 2)
    limit = f.coalesce(f.when(f.col("claim_kind").isin(*WITH_ITEMS), kept + offset), f.lit(-1))  # the day fields of a line stay one string
    bronze = (
        spark.table(CLAIM_LINE.name)
        .where(f.col("insurer_number").isin(*{x.insurer_number for x in files}))
        .where(f.col("claim_month").isin(*{x.claim_month for x in files}))
        .where(f.col("file_sha256").isin(*{x.file_sha256 for x in files}))
        .where(record.isin(*RECORDS))
        .withColumnRenamed("insurer_number", "depositor_number")
    )
    return (
        bronze.select("depositor_number", "file_sha256", "receipt_seq", "line_no", "record_type", "line", "key_version")
        .join(f.broadcast(numbered), ["depositor_number", "file_sha256"])
        .withColumn("cells", f.split("line", ",", limit))
        .select(
            *RECEIPT,
            "line_no",
            "record_type",
            "claim_kind",
            "key_version",
            f.when(form == "insurer", f.get("cells", f.lit(0)).try_cast("int")).otherwise(SENT).alias("data_id"),
            f.when(form == "insurer", place_in_receipt(f.get("cells", f.lit(1)), f.get("cells", f.lit(2)))).alias("place"),
            f.when(form == "insurer", f.slice("cells", INSURER_PREFIX + 1, 1000)).otherwise(f.col("cells")).alias("cells"),
        )
        .where(f.col("data_id").isin(SENT, REVIEWED))
    )


def providers(lines: DataFrame) -> DataFrame:
    """`file_provider`, the fields of IR or YK of each file in the claim form: there it stands once, before the receipts."""
    of_file = lines.where((f.col("receipt_seq") == 0) & f.col("record_type").isin("IR", "YK"))
    return of_file.groupBy("file_no").agg(f.min_by("cells", "line_no").alias("file_provider"))


def place_in_receipt(row_no: Column, branch_no: Column) -> Column:
    """行番号 and 枝番号 as one number, compared as integers ("10" is not before "2")."""
    return row_no.try_cast("bigint") * 1000 + f.coalesce(branch_no.try_cast("bigint"), f.lit(0))


def correct(lines: DataFrame) -> DataFrame:
    """One row per receipt that has JY lines: `sequence`, its lines in the decided order, and `missing`, JY lines that point to nothing."""
    of_jy = lines.where((f.col("record_type") == "JY") & (f.col("data_id") == REVIEWED)).select(*RECEIPT).distinct()
    jy, kind = f.col("cells"), f.lit(layouts.KINDS[0])

    def target(what: str) -> Column:
        return f.when(
            (f.col("record_type") == "JY") & (f.col("data_id") == REVIEWED),
            place_in_receipt(cell(jy, kind, "JY", f"{what}_row_no"), cell(jy, kind, "JY", f"{what}_branch_no")),
        )

    correction_class = f.when(f.col("record_type") == "JY", cell(jy, kind, "JY", "correction_class"))
    line = f.struct("line_no", "data_id", "record_type", "place", correction_class.alias("correction_class"),
                    target("target").alias("target"), target("after").alias("after"))  # fmt: skip
    whole = lines.join(f.broadcast(of_jy), list(RECEIPT)).groupBy(*RECEIPT).agg(f.array_sort(f.collect_list(line)).alias("lines"))
    sent = f.transform(f.filter("lines", lambda x: x.data_id == SENT), lambda x: _element(x, x.line_no))
    corrections = f.filter("lines", lambda x: (x.record_type == "JY") & (x.data_id == REVIEWED))
    added = f.filter("lines", lambda x: (x.data_id == REVIEWED) & (x.record_type != "JY"))
    with_after = f.transform(
        corrections,
        lambda jy: f.struct(
            jy.line_no, jy.correction_class, jy.target,
            f.get(f.filter("added", lambda x: x.place == jy.after), f.lit(0)).alias("after"),
        ),
    )  # fmt: skip
    start = f.struct(f.col("sent").alias("sequence"), f.array().cast("array<int>").alias("missing"))
    return (
        whole.select(*RECEIPT, "lines", sent.alias("sent"), added.alias("added"))
        .select(*RECEIPT, "sent", with_after.alias("corrections"))
        .select(*RECEIPT, f.aggregate("corrections", start, apply_correction).alias("state"))
        .select(*RECEIPT, f.transform("state.sequence", lambda x, i: x.withField("position", i)).alias("sequence"), "state.missing")
    )


def _element(line: Column, slot: Column, is_decided: bool = True) -> Column:
    """A line in the sequence; `slot` = the line as sent whose place it takes."""
    return f.struct(
        line.line_no.alias("line_no"),
        line.place.alias("place"),
        line.record_type.alias("record_type"),
        slot.alias("slot"),
        f.lit(is_decided).alias("is_decided"),
    )


def apply_correction(state: Column, jy: Column) -> Column:
    """One JY. A target or a line to put in that is not there leaves the sequence as it is and is kept in `missing`;
    only a line to be added whose target is not there still goes in, at the end of its records."""
    lines, after = state.sequence, jy.after

    def is_target(x: Column) -> Column:
        return x.is_decided & (x.place == jy.target)

    def changed(put: Callable[[Column], Column]) -> Column:
        """The sequence with another list of lines in the place of the target."""
        return f.flatten(f.transform(lines, lambda x: f.when(is_target(x), put(x)).otherwise(f.array(x))))

    def dropped(x: Column) -> Column:
        return _element(x, x.slot, is_decided=False)

    has_target = f.coalesce(f.exists(lines, is_target), f.lit(False))
    has_after = after.isNotNull() & ~f.coalesce(f.exists(lines, lambda x: x.line_no == after.line_no), f.lit(False))
    last = f.array_max(f.transform(lines, lambda x, i: f.when(x.is_decided & (x.record_type == after.record_type), i + 1)))
    end = f.coalesce(last, f.size(lines))
    new = _element(after, after.line_no)
    at_end = f.concat(f.slice(lines, f.lit(1), end), f.array(new), f.slice(lines, end + 1, f.size(lines)))
    kind = jy.correction_class
    done = (
        f.when((kind == DELETE) & has_target, changed(lambda x: f.array(dropped(x))))
        .when((kind == REPLACE) & has_target & has_after, changed(lambda x: f.array(dropped(x), _element(after, x.slot))))
        .when((kind == ADD) & has_after & has_target, changed(lambda x: f.array(x, new)))
        .when((kind == ADD) & has_after, at_end)
    )
    is_clean = done.isNotNull() & (has_target | ((kind == ADD) & jy.target.isNull()))
    missing = f.when(is_clean, state.missing).otherwise(f.concat(state.missing, f.array(jy.line_no)))
    return f.struct(f.coalesce(done, lines).alias("sequence"), missing.alias("missing"))


def order(lines: DataFrame, corrected: DataFrame | None) -> DataFrame:
    """Every line as sent or put in, with `position` in the receipt, `is_decided`, `slot`; 診療識別 carried forward, 調剤 groups counted;
    `block_no` and `summary_class` (総括区分) of the block of a DPC receipt that the line stands in.

    MN and SN of the review body (データ識別 2) are kept too, never as decided.
    """
    in_order = lines.where("record_type <> 'JY'")
    is_kept = (f.col("data_id") == SENT) | f.col("record_type").isin(*OF_REVIEW)
    if corrected is None:
        placed = in_order.where(is_kept).select(
            "*",
            f.col("line_no").alias("position"),
            (f.col("data_id") == SENT).alias("is_decided"),
            f.col("line_no").alias("slot"),
            f.lit(False).alias("is_corrected"),
        )
    else:
        own = f.get(f.filter("sequence", lambda x: x.line_no == f.col("line_no")), f.lit(0))
        placed = (
            in_order.join(corrected.select(*RECEIPT, "sequence"), list(RECEIPT), "left")
            .select(*in_order.columns, f.col("sequence").isNotNull().alias("is_corrected"), own.alias("own"))
            .where(is_kept | f.col("own").isNotNull())
            .select(
                *in_order.columns,
                f.coalesce("own.position", "line_no").alias("position"),
                f.coalesce("own.is_decided", f.col("data_id") == SENT).alias("is_decided"),
                f.coalesce("own.slot", "line_no").alias("slot"),
                "is_corrected",
            )
        )
    above = Window.partitionBy(*RECEIPT).orderBy("position", "line_no").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        placed.select("*", *_of_items(), points_of_line().alias("line_points"))
        .withColumn("treatment_class", f.last("treatment_class", ignorenulls=True).over(above))
        .withColumn("group_no", f.sum("is_border").over(above))
        .withColumn("block_no", f.sum("is_block").over(above))
        .withColumn("summary_class", f.last("summary_class", ignorenulls=True).over(above))
        .drop("is_border", "is_block")
    )


def _of_items() -> list[Column]:
    cells, kind, record = f.col("cells"), f.col("claim_kind"), f.col("record_type")
    is_item = kind.isin(*WITH_ITEMS) & record.isin(*ITEMS)
    is_block = (kind == "dpc") & (record == "RE") & f.col("is_decided")
    return [
        f.when(is_item, cell(cells, f.lit("med"), "SI", "treatment_class")).when(record == "GT", BUNDLE).alias("treatment_class"),
        f.when(is_block, 1).otherwise(0).alias("is_block"),
        f.when(is_block, cell(cells, kind, "RE", "summary_class")).alias("summary_class"),
        f.when((record == "SI") & cell(cells, f.lit("med"), "SI", "procedure_code").isin(*J038), True).alias("is_dialysis"),
        f.when((kind == "pha") & record.isin(*GROUP_BORDERS), 1).otherwise(0).alias("is_border"),
    ]


def points_of_line() -> Column:
    """What a line adds to the total: 医科 点数 × 回数; DPC these and the bundle (GT); 調剤 the points of CZ and KI, split dispensing (ST)
    put right (§7: 1, 4, 8, 9)."""
    cells, kind, record = f.col("cells"), f.col("claim_kind"), f.col("record_type")

    def number(record_id: str, claim_kind: str, name: str) -> Column:
        return f.coalesce(f.get(cells, f.lit(place(claim_kind, record_id, name))).try_cast("bigint"), f.lit(0))

    def total(record_id: str) -> Column:
        names = [field.name_en for field in layouts.record("pha", record_id).fields if field.name_en.endswith("_points")]
        if record_id == "CZ":
            names = ["dispensing_fee_points", "drug_points", *(f"addition_{n}_points" for n in range(1, 11))]
        return sum((number(record_id, "pha", name) for name in names), f.lit(0))

    return (
        f.when(kind.isin(*WITH_ITEMS) & record.isin("SI", "IY", "TO"), number("SI", "med", "points") * number("SI", "med", "times"))
        .when((kind == "dpc") & (record == "GT"), number("GT", "dpc", "bundled_total_points"))
        .when((kind == "pha") & (record == "CZ"), total("CZ"))
        .when((kind == "pha") & (record == "KI"), total("KI"))
        .when((kind == "pha") & (record == "ST"), number("ST", "pha", "split_result_points") - number("ST", "pha", "split_target_points"))
    )
