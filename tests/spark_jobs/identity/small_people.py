"""A few people in the clear, as ingest hands them over, and what it makes of them."""

import polars as pl

from spark_jobs import delta
from spark_jobs.identity import keys, people, person_link
from spark_jobs.identity.pseudonym import pseudonym
from spark_jobs.settings import Settings
from spark_jobs.tables import PERSON

INSURER, OTHER, OUTSIDE = "06139901", "06279905", "06149900"  # the first two share a scope of joint use, the third is in none
FILE = "f" * 64


def id1(settings: Settings, insurer: str, number: str, birth_date: str, sex: str) -> str:
    return pseudonym(keys.chain(settings, insurer), insurer, "記号", number, birth_date, sex)


def people_of(settings: Settings, *rows: tuple, claim_month: int = 202405, lines_before: int = 0) -> pl.DataFrame:
    """(insurer, number, name, kana, birth date, sex) → the frame that ingest hands over."""
    names = ("insurer_number", "insured_number", "patient_name", "patient_name_kana", "birth_date", "sex")
    return pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row").with_columns(
        pl.Series("person_id1", [id1(settings, row[0], row[1], row[4], row[5]) for row in rows], pl.String),
        insured_symbol=pl.lit("記号"), branch_no=pl.lit("01"), workplace_id=pl.lit("w"), claim_month=pl.lit(claim_month, pl.Int32),
        file_sha256=pl.lit(FILE), lines_before=pl.lit(lines_before, pl.Int32),
    )  # fmt: skip


def take_in(settings: Settings, frame: pl.DataFrame, file: str, service_month: int) -> None:
    """What ingest does of people: identity rows, silver.person and its links."""
    for table, rows in people.rows(settings, frame.with_columns(file_sha256=pl.lit(file))).items():
        delta.replace(settings, table, rows.to_arrow(), {"file_sha256": [file]})
    for row in frame.to_dicts():
        chain = keys.chain(settings, row["insurer_number"])
        person = {
            "insurer_number": row["insurer_number"], "person_id1": row["person_id1"],
            "person_id2_kana": pseudonym(chain, row["patient_name_kana"], row["birth_date"], row["sex"]),
            "person_id2_kanji": pseudonym(chain, row["patient_name"], row["birth_date"], row["sex"]),
            "sex": row["sex"], "birth_month": int(row["birth_date"][:6]),
            "first_service_month": service_month, "last_service_month": service_month, "key_version": len(chain),
        }  # fmt: skip
        delta.append(settings, PERSON, [person])
    person_link.refresh(settings, frame["insurer_number"].unique())
