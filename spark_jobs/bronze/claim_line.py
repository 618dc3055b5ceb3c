"""bronze.claim_line: the lines of delivered files, as sent, with pseudonyms where names and numbers stood (claim_format/privacy.csv).

A file's lines stand in bronze.claim_line or in bronze.quarantine_line, each exactly once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from spark_jobs.bronze.line import prefix_fields
from spark_jobs.bronze.piece import Bundle
from spark_jobs.claim_format import layouts, privacy
from spark_jobs.claim_format.cell import split
from spark_jobs.claim_format.codes import insurer_number
from spark_jobs.claim_format.japanese_calendar import western_expr
from spark_jobs.identity.pseudonym import pseudonyms

PARTS: dict[str, dict[str, tuple[str, ...]]] = {  # what identifies, beside birth date and sex: record → mark → fields of the same line
    "HO": {"id1": ("insurer_number", "insured_symbol", "insured_number"), "workplace": ("insurer_number", "insured_symbol")},
    "SN": {
        "id1": ("verified_insurer_number", "verified_symbol", "verified_number"),
        "workplace": ("verified_insurer_number", "verified_symbol"),
        "recipient": ("verified_insurer_number", "recipient_number"),
    },
    "KO": {"recipient": ("public_payer_number", "recipient_number")},
    "RE": {"id2_kanji": ("patient_name",), "id2_kana": ("patient_name_kana",)},
}
IN_CLEAR = {  # fields that name a person, for the vault
    "RE": ("patient_name", "patient_name_kana"),
    "HO": ("insurer_number", "insured_symbol", "insured_number"),
    "SN": ("branch_no",),
}
BESIDE = {  # and the pseudonyms that took the place of fields
    "RE": {"person_id2_kanji": "patient_name", "person_id2_kana": "patient_name_kana"},
    "HO": {"person_id1": "insured_number", "workplace_id": "insured_symbol"},
}
BIRTH_AND_SEX = ("birth_date", "sex")
WITH_BIRTH_AND_SEX = ("id1", "id2_kanji", "id2_kana")
COMMAS = "," * 200


@dataclass(frozen=True)
class Keys:
    """The chain of keys of each insurer (identity.keys), and what tells their newest version."""

    chains: dict[str, Sequence[bytes]]

    def version(self, insurer_number: str) -> int:
        return len(self.chains[insurer_number])


def replaced(lines: pl.DataFrame, receipts: pl.DataFrame, bundle: Bundle, keys: Keys) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """(lines that no rule keeps out, by record type, sensitive fields replaced; people of these receipts, in the clear).

    `receipts` are in the order of their `rid` 1, 2, …. The people are for their insurer's sealed vault; they are never written or shown
    otherwise.
    """
    form, kind = bundle.claim_form, bundle.claim_kind
    kept = lines.filter(pl.col("rule").is_null())
    if form == "claim":
        kept = _padded(kept, kind)
    of_receipt = receipts.select("owner", *BIRTH_AND_SEX)
    found: dict[str, pl.DataFrame] = {}
    clear: dict[str, pl.DataFrame] = {}
    for (record_id,), of_record in kept.partition_by("record_type", as_dict=True, maintain_order=True).items():
        record, marks = layouts.record(kind, record_id, form), privacy.marks(kind, form).get(record_id)
        if record.is_open:
            of_record = _closed(of_record, record, form)
        if marks:
            of_record, in_clear = _replaced(of_record, record, marks, form, of_receipt, keys)
            if record_id in IN_CLEAR:
                clear[record_id] = in_clear
        found[record_id] = of_record
    return found, _people(clear, receipts)


def table(groups: dict[str, pl.DataFrame], receipts: pl.DataFrame, bundle: Bundle, keys: Keys) -> pl.DataFrame:
    """Rows of bronze.claim_line."""
    versions = {number: keys.version(number) for number in keys.chains}
    key_version = receipts["owner"].replace_strict(versions, default=None, return_dtype=pl.Int32)
    files = pl.DataFrame([(p.file.insurer_number, p.file.file_sha256, p.file.claim_month) for p in bundle.pieces], OF_FILE, orient="row")
    lines = pl.concat(
        [group.select("file_no", "rid", "line_no", "receipt_seq", "record_type", "line") for group in groups.values()] or [_NO_LINES]
    )
    return lines.hstack(files[lines["file_no"]]).with_columns(
        key_version=key_version.gather(lines["rid"] - 1), claim_form=pl.lit(bundle.claim_form), claim_kind=pl.lit(bundle.claim_kind)
    )


OF_FILE = {"insurer_number": pl.String, "file_sha256": pl.String, "claim_month": pl.Int32}
_NO_LINES = pl.DataFrame(
    schema={
        "file_no": pl.UInt32,
        "rid": pl.UInt32,
        "line_no": pl.UInt32,
        "receipt_seq": pl.UInt32,
        "record_type": pl.String,
        "line": pl.String,
    }
)


def _padded(lines: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Lines of the claim form with the trailing fields that their sender left out."""
    commas = {name: record.length - 1 for name, record in layouts.records(kind, "claim").items()}
    wanted = pl.col("record_type").replace_strict(commas, default=0, return_dtype=pl.Int64)
    missing = wanted - pl.col("line").str.count_matches(",", literal=True)
    return lines.with_columns(line=pl.concat_str("line", pl.repeat(COMMAS, pl.len()).str.slice(0, missing)))


def _closed(lines: pl.DataFrame, record: layouts.Record, form: str) -> pl.DataFrame:
    """Lines of a record whose full count of fields is not known, without what stands from `rest` on."""
    known = prefix_fields(form) + record.length - 1
    return lines.with_columns(pl.col("line").str.replace(f"^((?:[^,]*,){{{known - 1}}}[^,]*).*$", "${1},"))


def _replaced(
    lines: pl.DataFrame, record: layouts.Record, marks: dict[int, str], form: str, of_receipt: pl.DataFrame, keys: Keys
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the lines of one record with what may be stored at the marked places, their `fields` beside them; what names persons in the clear,
    beside the pseudonyms)."""
    prefix, last = prefix_fields(form), max(marks) + prefix_fields(form)
    fields = split(lines["line"], last)
    place = {field.name_en: str(field.pos + prefix) for field in record.fields if field.pos + prefix <= last}
    parts = PARTS.get(record.record_id, {})
    texts = of_receipt[lines["rid"] - 1].with_columns(
        fields[place[name]].alias(name) for name in {name for names in parts.values() for name in names}
    )
    values: dict[str, pl.Expr | pl.Series] = {}
    for pos, mark in marks.items():
        text = pl.col(str(pos + prefix))
        if mark == "suspicion":
            values[str(pos + prefix)] = pl.when(text.str.ends_with("疑い")).then(pl.lit("疑い")).otherwise(pl.lit(""))
        elif mark == "birth_month":
            values[str(pos + prefix)] = western_expr(text).str.slice(0, 6).fill_null("")
        elif mark in parts:
            named = (fields[str(pos + prefix)].str.strip_chars(" \u3000") != "").arg_true()
            names = (*parts[mark], *(BIRTH_AND_SEX if mark in WITH_BIRTH_AND_SEX else ()))
            made = pseudonyms(keys.chains, *texts[named].select("owner", *names))
            values[str(pos + prefix)] = pl.repeat("", fields.height, eager=True).scatter(named, made)
        else:
            values[str(pos + prefix)] = pl.lit("")
    stored = fields.with_columns(**values)
    places = fields.select(pl.any_horizontal(pl.col(name) != "" for name in values)).to_series().arg_true()  # mostly few lines
    joined = stored[places].select(line=pl.concat_str(pl.all(), separator=",", ignore_nulls=True)).to_series()
    in_clear = lines.select("rid", "file_no").hstack(
        [fields[place[name]].alias(name) for name in IN_CLEAR.get(record.record_id, ())]
        + [stored[place[field]].alias(name) for name, field in BESIDE.get(record.record_id, {}).items()]
    )
    return lines.with_columns(line=lines["line"].scatter(places, joined), fields=stored.to_struct()), in_clear


def _people(clear: dict[str, pl.DataFrame], receipts: pl.DataFrame) -> pl.DataFrame:
    """One row per line that names an insured person (HO; RE alone where no insurer pays): rid, file_no, what names him in the clear,
    and his pseudonyms."""
    people = pl.DataFrame(schema={name: pl.UInt32 if name in ("rid", "file_no") else pl.String for name in PEOPLE})
    if "RE" in clear:
        header = clear["RE"].unique("rid", keep="first", maintain_order=True)
        numbers = [clear[name].drop("file_no").unique(maintain_order=True) for name in ("HO", "SN") if name in clear]
        for frame in numbers:
            header = header.join(frame if "person_id1" in frame.columns else frame.unique("rid", keep="first"), on="rid", how="left")
        people = pl.concat([people, header.join(receipts.select("rid", "sex", "birth_date"), on="rid", how="left")], how="diagonal_relaxed")
    number = insurer_number(pl.col("insurer_number"))
    texts = (pl.col(name).fill_null("") for name in ("branch_no", "patient_name", "patient_name_kana"))
    ids = (pl.when(pl.col(name) != "").then(name).alias(name) for name in ("person_id1", "person_id2_kanji", "person_id2_kana"))
    return people.select(PEOPLE).with_columns(*texts, *ids, insurer_number=pl.when(number != "").then(number))


PEOPLE = [
    "rid", "file_no", "insurer_number", "person_id1", "person_id2_kanji", "person_id2_kana", "workplace_id", "insured_symbol",
    "insured_number", "branch_no", "patient_name", "patient_name_kana", "birth_date", "sex",
]  # fmt: skip
