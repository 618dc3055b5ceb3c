"""Each insurer's own secrets, in `secrets`, never under the lake: keys for pseudonyms, an age key pair that seals its vault and its
quarantined lines; beside them the key of each scope of joint use, and the lake's own key pair for tombstones.

The lake keeps an insurer's private half only until its owner takes `<insurer_number>.identity` away; ingest never reads it.
"""

import os
import re
import secrets
from functools import cache
from pathlib import Path

from pyrage import x25519

from spark_jobs import config
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

KEY_BYTES = 32
FIRST_VERSION = 1


def folder(settings: Settings) -> Path:
    return settings.secrets_path / "keys"


def create(settings: Settings, insurer_number: str | None) -> list[str]:
    """Make what is missing for one insurer or for all; returns the names made. A key is never replaced: its pseudonyms would be lost."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.secrets_path.chmod(0o700)
    place.chmod(0o700)
    numbers = [config.insurer(settings, insurer_number).insurer_number] if insurer_number else sorted(config.insurers(settings))
    made = []
    for number in numbers:
        if number not in versions(settings):
            made.append(_write(place / f"{number}.v{FIRST_VERSION}.key", _new_key()))
        if not (place / f"{number}.recipient").exists():
            identity = x25519.Identity.generate()
            made.append(_write(place / f"{number}.identity", f"{identity}\n".encode()))
            made.append(_write(place / f"{number}.recipient", f"{identity.to_public()}\n".encode()))
    for scope in sorted({entry for number in numbers if (entry := config.insurer(settings, number).joint_use_scope)}):
        if not (file := _scope_file(settings, scope)).exists():
            made.append(_write(file, _new_key()))
    return made


def add_version(settings: Settings, insurer_number: str) -> int:
    """Make the next key of an insurer that has one; the older ones stay, since each pseudonym is built on them. Returns its version."""
    newest = len(chain(settings, insurer_number)) + 1
    _write(folder(settings) / f"{insurer_number}.v{newest}.key", _new_key())
    return newest


def scope_key(settings: Settings, scope: str) -> bytes:
    """The key of a scope of joint use."""
    file = _scope_file(settings, scope)
    if not file.exists():
        raise LakeError(f"{folder(settings)}", f"no key of scope {scope}", file.name, "Run lake keys create.", ExitCode.NOT_READY)
    return file.read_bytes()


def _scope_file(settings: Settings, scope: str) -> Path:
    return folder(settings) / f"scope.{scope}.v{FIRST_VERSION}.key"


def tombstone_identity(settings: Settings) -> x25519.Identity:
    """The lake's own key pair, made at first need: the pseudonyms of erased persons stand in no table, but ingest must know them."""
    file = folder(settings) / "tombstone.identity"
    if not file.exists():
        folder(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(file, f"{x25519.Identity.generate()}\n".encode())
    return x25519.Identity.from_str(file.read_text(encoding="ascii").strip())


def versions(settings: Settings) -> dict[str, int]:
    """Insurer number → newest version of its key."""
    found: dict[str, int] = {}
    for file in folder(settings).glob("*.key"):
        if match := re.fullmatch(r"(\d{6}|\d{8})\.v(\d+)\.key", file.name):
            found[match[1]] = max(found.get(match[1], 0), int(match[2]))
    return found


def version(settings: Settings, insurer_number: str) -> int:
    """The newest version of an insurer's key; a clear error if it has none."""
    newest = versions(settings).get(insurer_number)
    if newest is None:
        raise LakeError(
            f"{folder(settings)}", f"no key of insurer {insurer_number}", f"{insurer_number}.v{FIRST_VERSION}.key",
            f"Run lake keys create --insurer {insurer_number}.", ExitCode.NOT_READY,
        )  # fmt: skip
    return newest


def key_file(settings: Settings, insurer_number: str) -> Path:
    """The newest key of an insurer; a clear error if it has none."""
    return folder(settings) / f"{insurer_number}.v{version(settings, insurer_number)}.key"


def chain(settings: Settings, insurer_number: str) -> tuple[bytes, ...]:
    """All keys of an insurer, oldest first: the pseudonym of version n is HMAC(key n, pseudonym of version n - 1); none may be missing."""
    newest = version(settings, insurer_number)
    found = []
    for number in range(FIRST_VERSION, newest + 1):
        file = folder(settings) / f"{insurer_number}.v{number}.key"
        if not file.exists():
            raise LakeError(
                str(folder(settings)), f"no {file.name} below {insurer_number}.v{newest}.key", "every version of the key since the first",
                "Bring it back from the backup of the secrets; without it persons can't be linked.", ExitCode.NOT_READY,
            )  # fmt: skip
        found.append(file.read_bytes())
    return tuple(found)


def recipients(settings: Settings) -> dict[str, str]:
    """Insurer number → public key (age) that its quarantined lines are sealed to."""
    return {file.stem: _public_key(file) for file in folder(settings).glob("*.recipient")}


@cache
def _public_key(file: Path) -> str:
    return file.read_text(encoding="ascii").strip()


def _new_key() -> bytes:
    """Random bytes, written as hex: a key that is text, as what hashes with it takes it (identity.pseudonym)."""
    return secrets.token_hex(KEY_BYTES).encode()


def _write(file: Path, content: bytes) -> str:
    """Readable by its owner only from the first byte on."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    return file.name
