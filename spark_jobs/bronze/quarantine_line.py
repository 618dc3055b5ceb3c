"""bronze.quarantine_line: lines that can not be read, or belong to a receipt that can not, sealed to the public key of their depositor."""

import polars as pl
from pyrage import encrypt, x25519

from spark_jobs.bronze.piece import Bundle, content_of


def table(lines: pl.DataFrame, bundle: Bundle, recipients: dict[str, str]) -> pl.DataFrame:
    """Rows of bronze.quarantine_line: the lines that a rule keeps out, sealed; null where the depositor has no public key."""
    out = lines.filter(pl.col("rule").is_not_null()).select("file_no", "line_no", "receipt_seq", "rule", "detail")
    rows = []
    for (number,), of_piece in out.partition_by("file_no", as_dict=True, maintain_order=True).items():
        piece = bundle.pieces[number]
        content = content_of(piece).replace(b"\r\n", b"\n").split(b"\n")
        key = recipients.get(piece.file.insurer_number)
        owner = [x25519.Recipient.from_str(key)] if key else None
        places = (of_piece["line_no"] - piece.lines_before - 1).to_list()
        kept = (of_piece["rule"] != "erased").to_list()
        sealed = [encrypt(content[place], owner) if owner and is_kept else None for place, is_kept in zip(places, kept, strict=True)]
        rows.append(
            of_piece.with_columns(
                pl.Series("sealed_line", sealed, pl.Binary),
                insurer_number=pl.lit(piece.file.insurer_number),
                file_sha256=pl.lit(piece.file.file_sha256),
                claim_month=pl.lit(piece.file.claim_month),
            )
        )
    return pl.concat(rows) if rows else out.clear()
