"""`lake erase`: a member's right, or the withdrawal of an insurer.

First the tombstone, which ingest consults; then rows; then old versions. Killed anywhere and run again, it goes on where it stopped.
What other commands must do (build, publish) stays open in ops.erasure until they have done it.
"""

import csv
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pyrage import DecryptError, decrypt, encrypt, x25519

from spark_jobs import config, delta, tables
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import access, keys, person_link, reidentify, removal
from spark_jobs.identity.person_link import advance
from spark_jobs.identity.pseudonym import pseudonym
from spark_jobs.landing import delivery
from spark_jobs.landing.delivery import Event
from spark_jobs.settings import Settings

TOMBSTONE, BUILD, PUBLISH = "tombstone", "build", "publish"
PSEUDONYM = re.compile(r"[0-9a-f]{64}")
IN_CLEAR = ("insured_symbol", "insured_number", "birth_date", "sex")
ID1, ID2, INSURER = "id1", "id2", "insurer"


@dataclass(frozen=True)
class Request:
    """One erasure and the steps that are done."""

    erasure_id: str
    insurer_number: str
    sealed: bytes | None
    done: frozenset[str]

    def names(self, settings: Settings) -> list[tuple[str, int, str]]:
        """(id1 or id2, key version, pseudonym), as known when it was asked for."""
        if self.sealed is None:
            return []
        try:
            text = decrypt(self.sealed, [keys.tombstone_identity(settings)]).decode()
        except DecryptError:
            raise LakeError(
                str(keys.folder(settings) / "tombstone.identity"), f"not the key of erasure {self.erasure_id}", "the key that sealed it",
                "Bring it back from the backup of the secrets; without it erased persons could come back.", ExitCode.NOT_READY,
            ) from None  # fmt: skip
        return [(kind, int(version), name) for kind, version, name in (line.split(" ") for line in text.splitlines())]

    def person(self, settings: Settings) -> removal.Person:
        """Whom to remove, in every key version from the known one on."""
        if self.sealed is None:
            return removal.Person(self.insurer_number)
        forms: dict[str, set[str]] = {ID1: set(), ID2: set()}
        chain = _chain(settings, self.insurer_number)
        for kind, version, name in self.names(settings):
            forms[kind] |= {advance(name, version, chain[:newest]) for newest in range(version, max(version, len(chain)) + 1)}
        return removal.Person(self.insurer_number, frozenset(forms[ID1]), frozenset(forms[ID2]))


def requests(settings: Settings) -> list[Request]:
    """All erasures, oldest first."""
    events = delta.read(settings, tables.ERASURE).sort("recorded_at", "erasure_id")
    found = []
    for tombstone in events.filter(pl.col("step") == TOMBSTONE).to_dicts():
        done = events.filter(pl.col("erasure_id") == tombstone["erasure_id"])["step"]
        found.append(Request(tombstone["erasure_id"], tombstone["insurer_number"], tombstone["sealed_person"], frozenset(done)))
    return found


def tombstones(settings: Settings) -> pl.DataFrame:
    """Who may not come back: insurer_number, kind (insurer, id1, id2), pseudonym by the newest key (null for a whole insurer)."""
    rows: list[tuple[str, str, str | None]] = []
    for request in requests(settings):
        if request.sealed is None:
            rows.append((request.insurer_number, INSURER, None))
        chain = _chain(settings, request.insurer_number)
        rows += [(request.insurer_number, kind, advance(name, version, chain)) for kind, version, name in request.names(settings)]
    return pl.DataFrame(rows, {"insurer_number": pl.String, "kind": pl.String, "pseudonym": pl.String}, orient="row").unique()


def without(receipts: pl.DataFrame, stones: pl.DataFrame, depositor: str) -> pl.DataFrame:
    """The receipts of a delivered file that may be taken in. Columns insurer_number (of the claim, null = public payers only), person_id1,
    person_id2_kana, person_id2_kanji, all by the newest keys."""
    gone = set(stones.filter(kind=INSURER)["insurer_number"])
    if depositor in gone:
        return receipts.clear()
    of_person = stones.filter(kind=ID1).select("insurer_number", person_id1="pseudonym")
    names = stones.filter(kind=ID2, insurer_number=depositor)["pseudonym"].implode()
    of_names = pl.col("person_id2_kana").is_in(names) | pl.col("person_id2_kanji").is_in(names)
    kept = receipts.filter(~pl.col("insurer_number").is_in(list(gone)).fill_null(False))
    kept = kept.filter(~(pl.col("insurer_number").is_null() & of_names.fill_null(False)))
    return kept.join(of_person, ["insurer_number", "person_id1"], "anti", maintain_order="left")


def run(
    settings: Settings,
    insurer_number: str,
    persons: Sequence[str] | None = None,
    person_file: Path | None = None,
    identity: Path | None = None,
) -> list[str]:
    """Erase these persons, or the whole insurer if none is named; and whatever an earlier call left undone. Says what was done."""
    _check(settings, insurer_number)
    if identity:
        reidentify.check_identity(settings, insurer_number, identity)  # a wrong one stops here, before anything is done
    names, count = None, None
    if persons or person_file:
        of_file = _of_file(settings, insurer_number, person_file) if person_file else []
        names, count = _names(settings, insurer_number, [*(persons or ()), *of_file])
    _bury(settings, insurer_number, names, count)
    return resume(settings, identity)


def resume(settings: Settings, identity: Path | None = None, again: bool = False) -> list[str]:
    """Carry out what earlier calls left undone; `again`: all erasures once more, on a lake restored from a backup."""
    private = reidentify.read_identity(identity) if identity else None
    found = [replace(request, done=frozenset()) if again else request for request in requests(settings)]
    return [line for request in found if not request.done >= set(STEPS) for line in _carry_out(settings, request, private)]


def after_build(settings: Settings) -> None:
    """After a whole build: the marts' old versions go, and the step is done of every erasure before it."""
    waiting = [request for request in requests(settings) if request.done >= set(STEPS) and BUILD not in request.done]
    if waiting:
        count = removal.destroy_marts(settings)
        for request in waiting:
            _record(settings, request, BUILD, f"old versions of {count} marts destroyed")


def after_publish(settings: Settings) -> None:
    """After a publication of such a build; of an insurer only when its file has left the configuration, which ends its login."""
    for request in requests(settings):
        leaves = request.sealed is not None or request.insurer_number not in config.insurers(settings)
        if BUILD in request.done and PUBLISH not in request.done and leaves:
            _record(settings, request, PUBLISH, "published without them")


def open_work(settings: Settings) -> list[str]:
    """What is still to be done, by whom, in words."""
    lines = []
    for request in requests(settings):
        who = "withdrawal" if request.sealed is None else "erasure of persons"
        head = f"{request.erasure_id} {who}, insurer {request.insurer_number}"
        left = [step for step in STEPS if step not in request.done]
        if left:
            lines.append(f"{head}: {', '.join(left)} (lake erase)")
            continue
        if request.sealed is None and request.insurer_number in config.insurers(settings):
            lines.append(f"{head}: take config/insurers/{request.insurer_number}.yaml and its place in config/regions/ out")
        if BUILD not in request.done:
            lines.append(f"{head}: lake build")
        if PUBLISH not in request.done:
            lines.append(f"{head}: lake publish, for every region")
    return lines


def _check(settings: Settings, insurer_number: str) -> None:
    files = delivery.files(settings, insurer_number)
    if not files:
        config.insurer(settings, insurer_number)
    if any(file.state == "bronze" for file in delivery.files(settings)):
        raise LakeError("landing.delivery", "files that are half taken in", "none", "Run lake ingest first.", ExitCode.NOT_READY)


def _chain(settings: Settings, insurer_number: str) -> tuple[bytes, ...]:
    return keys.chain(settings, insurer_number) if insurer_number in keys.versions(settings) else ()


def _of_file(settings: Settings, insurer_number: str, file: Path) -> list[str]:
    """Pseudonyms of a CSV file: a column person_id1, or what a member writes: insured_symbol, insured_number, birth_date, sex."""
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError("--person-file", f"{file}: {type(error).__name__}", "a CSV file in UTF-8", "Correct the path.") from None
    if rows and "person_id1" in rows[0]:
        return [row["person_id1"] for row in rows]
    if not rows or not set(IN_CLEAR) <= set(rows[0]):
        raise LakeError("--person-file", str(file), f"a column person_id1, or {', '.join(IN_CLEAR)}", "Correct the header.")
    if any(not re.fullmatch(r"\d{8}", row["birth_date"]) for row in rows):
        raise LakeError("--person-file", "a birth_date of another form", "YYYYMMDD", "Correct it.")
    chain = keys.chain(settings, insurer_number)
    return [
        pseudonym(chain[:version], insurer_number, *(row[name] for name in IN_CLEAR))
        for row in rows
        for version in range(1, len(chain) + 1)
    ]  # fmt: skip


def _names(settings: Settings, insurer_number: str, asked: Sequence[str]) -> tuple[list[tuple[str, int, str]], int]:
    """All pseudonyms of the persons asked for: their other numbers and key versions, names; how many of them the lake holds."""
    if wrong := sum(not PSEUDONYM.fullmatch(name) for name in asked):
        raise LakeError("--person", f"{wrong} of {len(asked)} that are no pseudonyms", "64 hexadecimal digits", "Take them from the lake.")
    if not asked:
        raise LakeError("--person", "nobody", "a pseudonym person_id1", "Name one, or a file of them.", ExitCode.USAGE)
    here = {"insurer_number": [insurer_number]}
    chain = _chain(settings, insurer_number)
    forms = {advance(name, version, chain) for name in asked for version in range(1, len(chain) + 1)} | set(asked)
    links = delta.read(settings, tables.PERSON_LINK, here)
    same = links.filter(pl.any_horizontal(pl.col("person_id1", "person_id").is_in(sorted(forms))))["person_id"].unique()
    linked = links.filter(pl.col("person_id").is_in(same.implode()))["person_id1"]
    persons = delta.read(settings, tables.PERSON, here).filter(pl.col("person_id1").is_in([*linked, *asked]))
    found = {(ID1, row["key_version"], row["person_id1"]) for row in persons.to_dicts()}
    found |= {
        (ID2, row["key_version"], row[name]) for row in persons.to_dicts() for name in person_link.NAMES if row[name]
    }  # fmt: skip
    known = {name for _, _, name in found}
    found |= {(ID1, version, name) for name in asked if name not in known for version in range(1, max(len(chain), 1) + 1)}
    return sorted(found | _older(settings, insurer_number, found, chain)), same.len()


def _older(settings: Settings, insurer_number: str, found: set[tuple[str, int, str]], chain: Sequence[bytes]) -> set[tuple[str, int, str]]:
    """The same persons by older keys, on lines of which silver holds no row (a second delivery of a claim counts nowhere)."""
    wanted = {advance(name, version, chain) for kind, version, name in found if kind == ID1}
    lines = pl.scan_delta(str(settings.table_path(tables.CLAIM_LINE.name))).filter(
        pl.col("record_type").is_in(["HO", "SN"]) & (pl.col("key_version") < len(chain))
    )
    names = lines.select("key_version", pl.col("line").str.extract_all(PSEUDONYM.pattern)).explode("line").unique().drop_nulls().collect()
    return {(ID1, version, name) for version, name in names.iter_rows() if advance(name, version, chain) in wanted}


def _bury(settings: Settings, insurer_number: str, names: list[tuple[str, int, str]] | None, count: int | None) -> None:
    """Write the tombstone, unless one that is not carried out yet says the same; the access log before it."""
    for earlier in requests(settings):
        is_same_kind = earlier.insurer_number == insurer_number and (earlier.sealed is None) == (names is None)
        known = {name for _, _, name in earlier.names(settings)} if is_same_kind else set()
        if is_same_kind and not earlier.done >= set(STEPS) and known >= {name for _, _, name in names or ()}:
            return
    sealed = None
    if names is not None:
        text = "\n".join(" ".join(map(str, name)) for name in names)
        sealed = encrypt(text.encode(), [keys.tombstone_identity(settings).to_public()])
    request = Request(secrets.token_hex(8), insurer_number, sealed, frozenset())
    access.record(settings, "erase", insurer_number, count, detail=f"erasure {request.erasure_id}")
    _record(settings, request, TOMBSTONE, "", sealed, count)


def _record(settings: Settings, request: Request, step: str, detail: str, sealed: bytes | None = None, count: int | None = None) -> None:
    row = {
        "erasure_id": request.erasure_id, "insurer_number": request.insurer_number, "step": step, "sealed_person": sealed,
        "person_count": count, "detail": detail, "recorded_at": datetime.now(UTC),
    }  # fmt: skip
    delta.append(settings, tables.ERASURE, [row])


def _carry_out(settings: Settings, request: Request, identity: x25519.Identity | None) -> list[str]:
    told, who = [], request.person(settings)
    for step, work in STEPS.items():
        if step not in request.done:
            detail = work(settings, who, identity)
            _record(settings, request, step, detail)
            told.append(f"{request.insurer_number} {step}: {detail}")
    return told


def _withdraw(settings: Settings, who: removal.Person, _: x25519.Identity | None) -> str:
    if who.id1 is not None:
        return "not an insurer's withdrawal"
    from spark_jobs.silver import batch  # which reads by ingest's own code, and ingest asks here for tombstones

    files = [file for file in delivery.files(settings, who.insurer_number) if file.state not in delivery.CLOSED]
    if files:
        batch.withdraw(settings, files)
        delivery.record(settings, [Event(file, "withdrawn", detail="insurer withdrawn") for file in files])
    return f"{len(files)} deliveries withdrawn"


def _from_silver(settings: Settings, who: removal.Person, _: x25519.Identity | None) -> str:
    count = removal.from_silver(settings, who)
    person_link.refresh(settings, [who.insurer_number])
    return f"{count} claims"


def _from_vault(settings: Settings, who: removal.Person, identity: x25519.Identity | None) -> str:
    lost = removal.from_vault(settings, who, identity)
    return f"entries of {lost} other persons went with the files they shared; new deliveries bring them back" if lost else "done"


def _from_bronze(settings: Settings, who: removal.Person, _: x25519.Identity | None) -> str:
    return f"{removal.from_bronze(settings, who)} receipts"


def _destroy_history(settings: Settings, _: removal.Person, __: x25519.Identity | None) -> str:
    return f"old versions of {removal.destroy_history(settings)} tables destroyed"


STEPS: dict[str, Callable[[Settings, removal.Person, x25519.Identity | None], str]] = {
    "delivery": _withdraw, "silver": _from_silver, "vault": _from_vault, "bronze": _from_bronze, "history": _destroy_history,
}  # fmt: skip
