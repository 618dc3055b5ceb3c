"""identity.vault and identity.scope_person: what stays of the people of a delivered file, who are in the clear only here and in memory.

The vault is sealed to the public key of each insurer: ingest can write it, only the owner's private key reads it.
"""

import io
from collections.abc import Sequence

import polars as pl
from pyrage import encrypt, x25519

from spark_jobs import config, delta
from spark_jobs.identity import keys
from spark_jobs.identity.pseudonym import pseudonyms
from spark_jobs.settings import Settings
from spark_jobs.tables import SCOPE_PERSON, VAULT, Table

PART = ("file_sha256", "lines_before")  # a delivered file, or the part of it after so many lines
TO_WRITE = ("insured_symbol", "insured_number", "branch_no", "patient_name", "patient_name_kana", "birth_date", "sex")
MAY_LACK = ("branch_no", "patient_name", "patient_name_kana")
SEALED = ("person_id1", *TO_WRITE, "last_claim_month")  # the columns of a vault, opened


def rows(settings: Settings, people: pl.DataFrame) -> dict[Table, pl.DataFrame]:
    """The rows of delivered files, or of parts of them. `people`: of which part (PART), insurer_number, person_id1, claim_month and what
    names a person, in the clear; in any order, a person as often as he was seen."""
    known = people.filter(pl.col("insurer_number").is_not_null() & (pl.col("person_id1") != ""))
    return {VAULT: _vault(settings, known), SCOPE_PERSON: _scope_persons(settings, known)}


def without_recipient(settings: Settings, people: pl.DataFrame) -> dict[str, int]:
    """Insurer number → persons of whom no vault can hold anything, since the insurer has no public key here."""
    missing = people.filter(pl.col("insurer_number").is_not_null() & ~pl.col("insurer_number").is_in(list(keys.recipients(settings))))
    return dict(missing.group_by("insurer_number").agg(pl.col("person_id1").n_unique()).sort("insurer_number").iter_rows())


def _vault(settings: Settings, people: pl.DataFrame) -> pl.DataFrame:
    recipients = keys.recipients(settings)
    found = []
    for (number, *part), own in people.partition_by("insurer_number", *PART, as_dict=True).items():
        if number in recipients:
            persons = latest(own.rename({"claim_month": "last_claim_month"}))
            found.append({
                "insurer_number": number, **dict(zip(PART, part, strict=True)), "claim_month": persons["last_claim_month"].max(),
                "person_count": persons.height, "sealed": seal(persons, recipients[number]),
            })  # fmt: skip
    return pl.DataFrame(found, delta.frame_schema(VAULT)).sort("insurer_number", *PART)


def latest(people: pl.DataFrame) -> pl.DataFrame:
    """One row per person_id1: what the latest claim month says; a name or 枝番 that it lacks is taken from before."""
    texts = [pl.col(name).replace("", None) for name in TO_WRITE]
    seen = people.select("person_id1", *texts, "last_claim_month")
    is_several = pl.col("person_id1").is_duplicated()  # of few persons: the others need no order
    merged = (
        seen.filter(is_several)
        .sort("last_claim_month", *TO_WRITE)
        .group_by("person_id1")
        .agg(
            *(pl.col(name).drop_nulls().last() if name in MAY_LACK else pl.col(name).last() for name in TO_WRITE),
            pl.max("last_claim_month"),
        )
    )
    return pl.concat([seen.filter(~is_several), merged]).select(SEALED).sort("person_id1")


def seal(persons: pl.DataFrame, recipient: str) -> bytes:
    """An age file that holds the persons as Parquet, so that its owner can open it with tools of his own."""
    content = io.BytesIO()
    persons.write_parquet(content, compression="zstd")
    return encrypt(content.getvalue(), [x25519.Recipient.from_str(recipient)])


def _scope_persons(settings: Settings, people: pl.DataFrame) -> pl.DataFrame:
    """Only of insurers that take part in a scope of joint use; nothing of any other."""
    scopes = {number: entry.joint_use_scope for number, entry in config.insurers(settings).items() if entry.joint_use_scope}
    own = people.filter(pl.col("insurer_number").is_in(list(scopes)))
    own = own.with_columns(scope_key=pl.col("insurer_number").replace_strict(scopes, default=None, return_dtype=pl.String))
    chains: dict[str, Sequence[bytes]] = {scope: (keys.scope_key(settings, scope),) for scope in own["scope_key"].unique()}

    def made(name: str) -> pl.Series:
        found = pseudonyms(chains, own["scope_key"], own[name], own["birth_date"], own["sex"])
        return pl.select(pl.when(own[name].str.strip_chars() != "").then(found)).to_series()

    named = own.with_columns(scope_id_kana=made("patient_name_kana"), scope_id_kanji=made("patient_name"))
    key = ("insurer_number", *PART, "person_id1")
    return named.group_by(key).agg(pl.first("scope_key"), pl.max("scope_id_kana"), pl.max("scope_id_kanji")).sort(key)
