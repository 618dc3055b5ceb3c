"""bronze.claim_line: the lines of delivered files, as sent, with pseudonyms where names and numbers stood (claim_format/privacy.csv).

A file's lines stand in bronze.claim_line or in bronze.quarantine_line, each exactly once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from spark_jobs.bronze.line import prefix_fields
from spark_jobs.bronze.piece import Bundle
from spark_jobs.claim_format import layouts, privacy
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
EMPTIED = ("drop", "free_text")
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

    The people are for their insurer's sealed vault; they are never written or shown otherwise.
    """
    form, kind = bundle.claim_form, bundle.claim_kind
    kept = lines.filter(pl.col("rule").is_null())
    if form == "claim":
        kept = _padded(kept, kind)
    persons = receipts.select("rid", "sex", "birth_date", "owner")
    found: dict[str, pl.DataFrame] = {}
    clear: dict[str, pl.DataFrame] = {}
    for (record_id,), of_record in kept.partition_by("record_type", as_dict=True, maintain_order=True).items():
        marks = privacy.marks(kind, form).get(record_id)
        if layouts.record(kind, record_id, form).is_open:
            of_record = _closed(of_record, layouts.record(kind, record_id, form), form)
        found[record_id] = _substituted(of_record, record_id, marks, bundle, persons, keys, clear) if marks else of_record
    return found, _people(clear, persons)


def table(groups: dict[str, pl.DataFrame], receipts: pl.DataFrame, bundle: Bundle, keys: Keys) -> pl.DataFrame:
    """Rows of bronze.claim_line."""
    files = pl.DataFrame(
        {
            "file_no": range(len(bundle.pieces)),
            "insurer_number": [p.file.insurer_number for p in bundle.pieces],
            "file_sha256": [p.file.file_sha256 for p in bundle.pieces],
            "claim_month": [p.file.claim_month for p in bundle.pieces],
        },
        schema_overrides={"file_no": pl.UInt32},
    )
    versions = {number: keys.version(number) for number in keys.chains}
    owners = receipts.select("rid", key_version=pl.col("owner").replace_strict(versions, default=None, return_dtype=pl.Int32))
    lines = pl.concat(
        [group.select("file_no", "rid", "line_no", "receipt_seq", "record_type", "line") for group in groups.values()] or [_NO_LINES]
    )
    return (
        lines.join(files, on="file_no", how="left", maintain_order="left")
        .join(owners, on="rid", how="left", maintain_order="left")
        .with_columns(claim_form=pl.lit(bundle.claim_form), claim_kind=pl.lit(bundle.claim_kind))
    )


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


def _substituted(
    lines: pl.DataFrame, record_id: str, marks: dict[int, str], bundle: Bundle, persons: pl.DataFrame, keys: Keys,
    clear: dict[str, pl.DataFrame],
) -> pl.DataFrame:  # fmt: skip
    """The lines of one record with what may be stored at the marked positions."""
    form, kind = bundle.claim_form, bundle.claim_kind
    record, prefix = layouts.record(kind, record_id, form), prefix_fields(form)
    if all(mark in EMPTIED for mark in marks.values()):
        # most lines hold nothing to be emptied: only the others are taken apart
        before = [0, *sorted(marks)]
        gaps = (place - last - 1 + (prefix if last == 0 else 0) for last, place in itertools.pairwise(before))
        nothing = "^" + "".join(f"(?:[^,]*,){{{gap}}}(?:,|$)" for gap in gaps)
        flags = lines.select(holds=~pl.col("line").str.contains(nothing))["holds"]
        if not flags.any():
            return lines
        rest, lines = lines.filter(~flags), lines.filter(flags)
        done = _joined(lines, max(marks) + prefix, {pos + prefix: pl.lit("") for pos in marks})
        return pl.concat([rest, done])
    last = max(marks) + prefix
    place = {field.name_en: field.pos + prefix for field in record.fields}
    rows = _split(lines, last).join(persons, on="rid", how="left", maintain_order="left")

    def column(name: str) -> pl.Series:
        return rows[str(place[name])] if place[name] <= last else pl.Series([""] * rows.height)

    values: dict[int, pl.Expr | pl.Series] = {}
    for pos, mark in marks.items():
        if mark in EMPTIED:
            values[pos + prefix] = pl.lit("")
        elif mark == "suspicion":
            is_suspected = pl.col(str(place["disease_name"])).str.ends_with("疑い")
            values[pos + prefix] = pl.when(is_suspected).then(pl.lit("疑い")).otherwise(pl.lit(""))
        elif mark == "birth_month":
            values[pos + prefix] = western_expr(pl.col(str(place["birth_date"]))).str.slice(0, 6).fill_null("")
        else:
            names = PARTS[record_id][mark]
            more = (rows["birth_date"], rows["sex"]) if mark in WITH_BIRTH_AND_SEX else ()
            made = pseudonyms(keys.chains, rows["owner"], *(column(name) for name in names), *more)
            values[pos + prefix] = pl.when(column(names[-1]).str.strip_chars(" \u3000") == "").then(pl.lit("")).otherwise(made)
    if record_id in ("RE", "HO", "SN"):
        clear[record_id] = _clear(rows, record_id, place, values, last)
    return _joined(lines, last, values, rows)


def _split(lines: pl.DataFrame, last: int) -> pl.DataFrame:
    """The lines with their fields up to `last` (prefix included) as columns "1", "2", …, and "rest"."""
    parts = pl.col("line").str.splitn(",", last + 1).struct.rename_fields([*map(str, range(1, last + 1)), "rest"])
    return lines.with_columns(parts=parts).unnest("parts")


def _joined(lines: pl.DataFrame, last: int, values: dict[int, "pl.Expr | pl.Series"], rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """The lines with other values at places counted from 1, the prefix included."""
    rows = _split(lines, last) if rows is None else rows
    rows = rows.with_columns(**{f"value_{place}": value for place, value in values.items()})
    fields = [pl.col(f"value_{place}" if place in values else str(place)) for place in range(1, last + 1)]
    line = pl.concat_str(*fields, "rest", separator=",", ignore_nulls=True)
    return rows.select(*(name for name in lines.columns if name != "line"), line=line).select(lines.columns)


def _clear(rows: pl.DataFrame, record_id: str, place: dict[str, int], values: dict[int, "pl.Expr | pl.Series"], last: int) -> pl.DataFrame:
    """Of one record, what names a person in the clear, and the pseudonyms that took its place."""
    names = {
        "RE": ("patient_name", "patient_name_kana"),
        "HO": ("insurer_number", "insured_symbol", "insured_number"),
        "SN": ("branch_no",),
    }
    known = [pl.col(str(place[name])).alias(name) for name in names[record_id] if name in place and place[name] <= last]
    made = {
        "RE": {"person_id2_kanji": "patient_name", "person_id2_kana": "patient_name_kana"},
        "HO": {"person_id1": "insured_number", "workplace_id": "insured_symbol"},
        "SN": {},
    }[record_id]
    pseudonyms_ = {name: values[place[field]] for name, field in made.items() if field in place and place[field] in values}
    return rows.select("rid", "file_no", *known, **pseudonyms_)


def _people(clear: dict[str, pl.DataFrame], persons: pl.DataFrame) -> pl.DataFrame:
    """One row per line that names an insured person (HO; RE alone where no insurer pays): rid, file_no, what names him in the clear,
    and his pseudonyms."""
    people = pl.DataFrame(schema={name: pl.UInt32 if name in ("rid", "file_no") else pl.String for name in PEOPLE})
    if "RE" in clear:
        header = clear["RE"].unique("rid", keep="first", maintain_order=True)
        numbers = [clear[name].drop("file_no").unique(maintain_order=True) for name in ("HO", "SN") if name in clear]
        for frame in numbers:
            header = header.join(frame if "person_id1" in frame.columns else frame.unique("rid", keep="first"), on="rid", how="left")
        people = pl.concat([people, header.join(persons, on="rid", how="left")], how="diagonal_relaxed")
    number = insurer_number(pl.col("insurer_number"))
    texts = (pl.col(name).fill_null("") for name in ("branch_no", "patient_name", "patient_name_kana"))
    ids = (pl.when(pl.col(name) != "").then(name).alias(name) for name in ("person_id1", "person_id2_kanji", "person_id2_kana"))
    return people.select(PEOPLE).with_columns(*texts, *ids, insurer_number=pl.when(number != "").then(number))


PEOPLE = [
    "rid", "file_no", "insurer_number", "person_id1", "person_id2_kanji", "person_id2_kana", "workplace_id", "insured_symbol",
    "insured_number", "branch_no", "patient_name", "patient_name_kana", "birth_date", "sex",
]  # fmt: skip
