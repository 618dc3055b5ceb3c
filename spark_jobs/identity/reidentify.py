"""`lake reidentify`: pseudonyms → the mailing list of one insurer, with its private key only.

The list carries a survey key per person instead of a pseudonym; ops.export_key leads an answer back to the person without a name.
"""

import base64
import csv
import hmac
import io
import os
import secrets
from pathlib import Path

import polars as pl
from pyrage import DecryptError, IdentityError, decrypt, x25519

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import access, keys, people
from spark_jobs.settings import Settings

ID_COLUMNS = ("person_id1", "person_id")
SURVEY_KEY_BYTES = 10  # 16 letters and digits


def run(settings: Settings, insurer_number: str, identity: Path, persons: Path, out: Path, purpose: str | None = None) -> str:
    """Write the list of those asked for who stand in the vault, mode 600; says how many were found."""
    stated = _purpose(settings, insurer_number, purpose)
    _check_place(settings, out)
    wanted = _wanted(persons)
    links = delta.read(settings, tables.PERSON_LINK, {"insurer_number": [insurer_number]})
    asked = links.filter(pl.any_horizontal(pl.col(ID_COLUMNS).is_in(wanted))).select("person_id").unique()
    numbers = links.join(asked, "person_id").sort("valid_to_service_month").select("person_id1", "person_id")
    found = numbers.join(_opened(settings, insurer_number, identity, numbers["person_id1"]), "person_id1")
    one_each = people.latest(found.drop("person_id1").rename({"person_id": "person_id1"})).rename({"person_id1": "person_id"})

    export_id = secrets.token_hex(8)
    key = keys.chain(settings, insurer_number)[-1]
    survey_keys = [_survey_key(key, export_id, person) for person in one_each["person_id"]]
    listed = one_each.with_columns(survey_key=pl.Series(survey_keys, dtype=pl.String), export_id=pl.lit(export_id))
    newest = numbers.group_by("person_id", maintain_order=True).agg(pl.last("person_id1"))
    rows = listed.join(newest, "person_id").with_columns(insurer_number=pl.lit(insurer_number))

    told = f"{listed.height} of {len(wanted)} asked for"
    access.record(settings, "reidentify", insurer_number, listed.height, stated, f"export {export_id}: {told}")
    delta.append(settings, tables.EXPORT_KEY, rows.select(tables.EXPORT_KEY.column_names).to_dicts())
    shuffled = listed.sort("survey_key").select("survey_key", *people.TO_WRITE, "last_claim_month")  # its order tells nothing
    content = io.BytesIO()
    shuffled.write_csv(content, include_bom=True)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.getvalue())
    return f"{out}: {told} (export {export_id}). Survey keys lead answers back; delete the list when it is used."


def _purpose(settings: Settings, insurer_number: str, purpose: str | None) -> str:
    """One of the purposes that the insurer made known; may be left out where it has but one."""
    known = config.insurer(settings, insurer_number).purposes
    stated = purpose or (known[0] if len(known) == 1 else "")
    if stated not in known:
        raise LakeError(
            "--purpose", purpose or "none", " or ".join(known),
            f"Name one of the purposes of config/insurers/{insurer_number}.yaml.", ExitCode.USAGE,
        )  # fmt: skip
    return stated


def _check_place(settings: Settings, out: Path) -> None:
    if out.resolve().is_relative_to(settings.home_path):
        raise LakeError(
            "--out", f"{out}, inside the lake {settings.home_path}", "a place outside: the lake holds no names", "Choose another."
        )
    if out.exists() or not out.resolve().parent.is_dir():
        raise LakeError("--out", f"{out}", "a new file in an existing folder", "Choose another; an earlier list is never overwritten.")


def _wanted(persons: Path) -> list[str]:
    """The pseudonyms of a CSV file with a column person_id1 or person_id."""
    try:
        rows = list(csv.DictReader(persons.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError("--persons", f"{persons}: {type(error).__name__}", "a CSV file in UTF-8", "Correct the path.") from None
    column = next((name for name in ID_COLUMNS if rows and name in rows[0]), None)
    wanted = sorted({row[column].strip() for row in rows if row[column]}) if column else []
    if not wanted:
        raise LakeError("--persons", f"{persons}: no pseudonym", "a header person_id1 or person_id and one a line", "Correct the file.")
    return wanted


def _opened(settings: Settings, insurer_number: str, identity: Path, wanted: pl.Series) -> pl.DataFrame:
    """What the vault of an insurer holds of these person_id1, as far as this private key opens it; an error if it opens nothing."""
    vault = delta.read(settings, tables.VAULT, {"insurer_number": [insurer_number]})
    if vault.is_empty():
        raise LakeError(
            f"vault of {insurer_number}", "empty", "what ingest sealed",
            f"Run lake keys create and lake ingest --insurer {insurer_number}.", ExitCode.NOT_READY,
        )  # fmt: skip
    private = read_identity(identity)
    opened = (open_sealed(sealed, private) for sealed in vault["sealed"])
    frames = [frame.filter(pl.col("person_id1").is_in(wanted.implode())) for frame in opened if frame is not None]
    if not frames:
        raise LakeError(
            "--identity", f"{identity} does not open the vault of insurer {insurer_number}", f"the private key of {insurer_number}",
            "Ask the insurer, who keeps it. Nothing was shown.",
        )  # fmt: skip
    return pl.concat(frames)


def check_identity(settings: Settings, insurer_number: str, identity: Path) -> None:
    """An error where this private key does not open the vault of an insurer."""
    _opened(settings, insurer_number, identity, pl.Series(dtype=pl.String))


def open_sealed(sealed: bytes, private: x25519.Identity) -> pl.DataFrame | None:
    """The persons of one vault row; None where this key is not its owner's."""
    try:
        return pl.read_parquet(io.BytesIO(decrypt(sealed, [private])))
    except DecryptError:
        return None


def read_identity(file: Path) -> x25519.Identity:
    """An age identity file; an error never shows what stands in it."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        return x25519.Identity.from_str(next(line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-")))
    except (OSError, UnicodeDecodeError, StopIteration, IdentityError):
        raise LakeError(
            "--identity", f"{file} is no age identity", "a line AGE-SECRET-KEY-…", "Name the file of the private key."
        ) from None


def _survey_key(key: bytes, export_id: str, person: str) -> str:
    digest = hmac.digest(key, f"{export_id} {person}".encode(), "sha256")
    return base64.b32encode(digest[:SURVEY_KEY_BYTES]).decode()
