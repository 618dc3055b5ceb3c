"""What bronze finds on delivered files, as partial counts per bundle (`landing.finding.PARTIAL`), which `added_up` there makes findings of.

Quarantined lines by rule; payers with a wrong check digit; claims of another insurer; totals of GO that its receipts do not add up to.
"""

import polars as pl

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.cell import cells
from spark_jobs.claim_format.codes import check_digit, insurer_number
from spark_jobs.claim_format.encoding import FILE_HEADS
from spark_jobs.landing.finding import PARTIAL

LINE_RULES = (
    "bad_byte", "bad_prefix", "unknown_record", "field_count", "field_mode", "receipt_of_bad_line", "cut_receipt", "receipt_shape",
    "outside_receipt", "blank_line", "erased",
)  # fmt: skip
WRITTEN_RULES = (*LINE_RULES, "insurer_mismatch", "check_digit", "go_total")
PAYERS = {"HO": "insurer_number", "KO": "public_payer_number"}
LAST_VOLUME, ONLY_VOLUME = "99", "00"  # マルチボリューム識別情報 of GO, of IR and YK
FILE = ["file_sha256", "insurer_number"]


def quarantined(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Lines of bronze.quarantine_line by file and rule; `what` = the detail of the first."""
    return _partial(
        quarantine.sort("line_no")
        .group_by(*FILE, "rule", maintain_order=True)
        .agg(count=pl.len(), receipts=pl.col("receipt_seq").n_unique(), what=pl.col("detail").first(), line_no=pl.col("line_no").first(),
             receipt_seq=pl.col("receipt_seq").first())
    )  # fmt: skip


def payers(groups: dict[str, pl.DataFrame], files: pl.DataFrame, kind: str, form: str) -> pl.DataFrame:
    """Receipts by payer number, where the number has a wrong check digit (rule check_digit) or is another insurer's (insurer_mismatch)."""
    found = []
    for record_id, name in PAYERS.items():
        if record_id not in groups or record_id not in layouts.records(kind, form):
            continue
        lines = cells(groups[record_id], kind, form, record_id, (name,)).rename({name: "number"}).join(files, on="file_no")
        numbers = (
            lines.with_columns(number=insurer_number(pl.col("number").fill_null("")))
            .sort("line_no")
            .group_by(*FILE, "number", maintain_order=True)
            .agg(count=pl.len(), receipts=pl.col("rid").n_unique(), line_no=pl.col("line_no").first(),
                 receipt_seq=pl.col("receipt_seq").first())
        )  # fmt: skip
        wrong = [number for number in numbers["number"].unique() if not _is_valid(number)]
        told = numbers.with_columns(what="number")
        found.append(_partial(told.filter(pl.col("number").is_in(wrong)).with_columns(rule=pl.lit("check_digit"))))
        if record_id == "HO":
            found.append(_partial(told.filter(pl.col("number") != pl.col("insurer_number")).with_columns(rule=pl.lit("insurer_mismatch"))))
    return pl.concat(found) if found else pl.DataFrame(schema=PARTIAL)


def totals(groups: dict[str, pl.DataFrame], files: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Claim form: what GO says of a file (rule go_said) and what its receipts add up to (go_sum); receipts in `count`, points in
    `receipts`.

    §2.2: 総件数 counts each payer, 総合計点数 adds HO, or the first KO where there is no HO; of a DPC receipt the first header only.
    A file that is one of several volumes is left alone, as is a GO of zeros (claims were moved after the eligibility check).
    """
    if layouts.record(kind, "GO", "claim").is_open:  # 訪問看護: what its GO says is not known
        return pl.DataFrame(schema=PARTIAL)
    found = []
    own = [
        cells(groups[record_id], kind, "claim", record_id, ("total_points",))
        .filter(pl.col("receipt_seq") > 0)
        .select("rid", "file_no", "line_no", points=pl.col("total_points").cast(pl.Int64, strict=False),
                is_insurer=pl.lit(record_id == "HO"))
        for record_id in PAYERS
        if record_id in groups
    ]  # fmt: skip
    if own:
        payers_ = pl.concat(own)
        if kind == "dpc" and "RE" in groups:
            second = groups["RE"].group_by("rid").agg(second=pl.col("line_no").sort().slice(1, 1).first().fill_null(2**32 - 1))
            payers_ = payers_.join(second, on="rid").filter(pl.col("line_no") < pl.col("second"))
        per_receipt = payers_.sort("line_no").group_by("rid", "file_no", maintain_order=True).agg(
            payers=pl.len(), of_insurer=pl.col("points").filter("is_insurer").max(),
            of_public=pl.col("points").filter(~pl.col("is_insurer")).first()
        )  # fmt: skip
        sums = per_receipt.group_by("file_no").agg(
            count=pl.col("payers").sum(), receipts=pl.coalesce(pl.col("of_insurer"), pl.col("of_public")).sum()
        )
        found.append(_partial(sums.join(files, on="file_no").with_columns(rule=pl.lit("go_sum"), what=pl.lit(""))))
    if "GO" in groups:
        volumes = pl.concat(
            [groups[name].select("file_no", volume=_field(kind, name, "volume_no")) for name in (FILE_HEADS[kind],) if name in groups]
            or [pl.DataFrame(schema={"file_no": pl.UInt32, "volume": pl.String})]
        ).unique("file_no", keep="first")
        said = groups["GO"].select(
            "file_no", "line_no", go_volume=_field(kind, "GO", "volume_no"),
            count=_field(kind, "GO", "total_receipts").cast(pl.Int64, strict=False),
            receipts=_field(kind, "GO", "total_points").cast(pl.Int64, strict=False),
        ).join(volumes, on="file_no", how="left")  # fmt: skip
        said = said.filter((pl.col("go_volume") == LAST_VOLUME) & (pl.col("volume") == ONLY_VOLUME))
        said = said.filter((pl.col("count").fill_null(-1) != 0) | (pl.col("receipts").fill_null(-1) != 0))
        found.append(_partial(said.join(files, on="file_no").with_columns(rule=pl.lit("go_said"), what=pl.lit(""))))
    return pl.concat(found) if found else pl.DataFrame(schema=PARTIAL)


def _field(kind: str, record_id: str, name: str) -> pl.Expr:
    records = layouts.records(kind, "claim")
    if record_id not in records:
        return pl.lit(None, pl.String)
    place = records[record_id].pos(name)
    return pl.col("line").str.splitn(",", place + 1).struct[place - 1].str.strip_chars(" ")


def _partial(rows: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, kind).alias(name) for name, kind in PARTIAL.items() if name not in rows.columns]
    return rows.with_columns(*missing).select(*PARTIAL).cast(PARTIAL)  # type: ignore[arg-type]


def _is_valid(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) in (6, 8) and check_digit(number[:-1]) == int(number[-1])
