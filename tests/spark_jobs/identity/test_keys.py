from pathlib import Path

import pytest
from pyrage import decrypt, encrypt, x25519

from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.identity import keys
from spark_jobs.settings import Settings

ROOT = Path(__file__).parents[3]
INSURER = "06149900"


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=ROOT / "config")


def test_a_key_is_made_once_readable_by_its_owner_only_and_never_replaced(own: Settings) -> None:
    assert keys.create(own, INSURER) == [f"{INSURER}.v1.key", f"{INSURER}.identity", f"{INSURER}.recipient"]
    key = keys.key_file(own, INSURER)
    content = key.read_bytes()
    assert len(content) == 64
    assert {file.stat().st_mode & 0o777 for file in key.parent.iterdir()} == {0o600}
    assert key.parent.stat().st_mode & 0o777 == own.secrets_path.stat().st_mode & 0o777 == 0o700
    assert keys.create(own, INSURER) == []
    assert key.read_bytes() == content


def test_all_insurers_get_keys_of_their_own(own: Settings) -> None:
    assert len(made := keys.create(own, None)) == 3 * 8 + 1
    assert "scope.demo.v1.key" in made and len(keys.scope_key(own, "demo")) == 64
    assert len({keys.key_file(own, number).read_bytes() for number in keys.versions(own)}) == 8


def test_what_is_sealed_to_the_recipient_only_the_identity_opens(own: Settings) -> None:
    keys.create(own, INSURER)
    sealed = encrypt(b"line", [x25519.Recipient.from_str(keys.recipients(own)[INSURER])])
    assert decrypt(sealed, [x25519.Identity.from_str((keys.folder(own) / f"{INSURER}.identity").read_text().strip())]) == b"line"


def test_an_owner_may_take_the_identity_away(own: Settings) -> None:
    keys.create(own, INSURER)
    (keys.folder(own) / f"{INSURER}.identity").unlink()
    assert keys.create(own, INSURER) == []


def test_the_newest_version_counts(own: Settings) -> None:
    keys.create(own, INSURER)
    (keys.folder(own) / f"{INSURER}.v2.key").write_bytes(b"2" * 32)
    assert keys.key_file(own, INSURER).name == f"{INSURER}.v2.key"


def test_the_next_version_leaves_the_older_ones(own: Settings) -> None:
    keys.create(own, INSURER)
    assert keys.add_version(own, INSURER) == 2
    assert len(keys.chain(own, INSURER)) == 2 and keys.create(own, INSURER) == []


def test_a_scope_without_a_key_says_which_command_makes_it(own: Settings) -> None:
    with pytest.raises(LakeError, match=r"scope\.demo\.v1\.key\. Run lake keys create"):
        keys.scope_key(own, "demo")


def test_a_missing_key_says_which_command_makes_it(own: Settings) -> None:
    with pytest.raises(LakeError) as error:
        keys.key_file(own, INSURER)
    assert error.value.code == ExitCode.NOT_READY
    assert str(error.value) == (
        f"{keys.folder(own)}: no key of insurer {INSURER}; expected {INSURER}.v1.key. Run lake keys create --insurer {INSURER}."
    )


def test_the_chain_holds_every_version_oldest_first(own: Settings) -> None:
    keys.create(own, INSURER)
    first = keys.key_file(own, INSURER).read_bytes()
    (keys.folder(own) / f"{INSURER}.v2.key").write_bytes(b"2" * 32)
    assert keys.chain(own, INSURER) == (first, b"2" * 32)


def test_a_gap_in_the_chain_is_an_error(own: Settings) -> None:
    keys.create(own, INSURER)
    (keys.folder(own) / f"{INSURER}.v3.key").write_bytes(b"3" * 32)
    with pytest.raises(LakeError, match=f"no {INSURER}.v2.key"):
        keys.chain(own, INSURER)


def test_without_a_key_there_is_no_chain(own: Settings) -> None:
    with pytest.raises(LakeError) as error:
        keys.chain(own, INSURER)
    assert error.value.code == ExitCode.NOT_READY
