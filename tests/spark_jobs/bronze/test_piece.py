"""Files are cut between receipts; whatever the size of a piece, bytes, lines and receipts add up."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from spark_jobs.bronze import piece
from spark_jobs.landing.delivery import DeliveredFile

EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
DPC = (
    "IR,1,13,1,9900013,,,202406,00,\nRE,1,1111,202405,,,,,,,,,,,,,,,1\nHO,06990014\nRE,1,1111,202405,,,,,,,,,,,,,,,2,\nBU,x\n"
    "RE,1,1111,202405,,,,,,,,,,,,,,,3\nSY,x\n\x1aRE,2,1111,202405,,,,,,,,,,,,,,,0,\nGO,2,0,99\n"
)  # a receipt with two details, and one without
CLAIM = "IR,1,13,1,9900013,,,202406,00,\nRE,1,1112,202405\nHO,06990014\n\x1aRE,2,1112,202405\nSI,11\nGO,2,0,99\n"


def _file(folder: Path, text: str, claim_form: str, claim_kind: str = "med") -> DeliveredFile:
    path = folder / "file"
    path.write_bytes(text.replace("\n", "\r\n").encode("cp932"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return DeliveredFile("06149900", digest, path.name, str(path), claim_form, claim_kind, 202406, "keep")


@pytest.mark.parametrize(("text", "form", "lines", "receipts"), [(EXAMPLE * 5 + "\x1a", "insurer", 70, 5), (CLAIM, "claim", 6, 2)])
@pytest.mark.parametrize("size", [1, 7, 100, 1000, 10**6])
def test_pieces_of_any_size_add_up(tmp_path: Path, text: str, form: str, lines: int, receipts: int, size: int) -> None:
    file = _file(tmp_path, text, form)
    pieces = piece.cut(file, piece_bytes=size)
    whole = Path(file.file_path).read_bytes()
    assert b"".join(whole[p.offset : p.offset + p.length] for p in pieces) == whole
    assert sum(piece.content_of(p).count(b"\n") for p in pieces) == lines
    assert all(piece.content_of(p).endswith(b"\n") for p in pieces)
    assert [p.is_last for p in pieces] == [False] * (len(pieces) - 1) + [True]
    for p in pieces:
        before = whole[: p.offset]
        assert p.lines_before == before.count(b"\n")
        assert p.receipts_before == before.count(b",MN," if form == "insurer" else b"RE,")
    if size == 1:
        assert len(pieces) >= receipts


@pytest.mark.parametrize("size", [1, 7, 50, 100, 1000])
def test_details_of_a_dpc_receipt_stay_with_it(tmp_path: Path, size: int) -> None:
    file = _file(tmp_path, DPC, "claim", "dpc")
    whole, receipts = Path(file.file_path).read_bytes(), [b"RE,1", b"RE,2"]
    for p in piece.cut(file, piece_bytes=size):
        assert p.offset in (0, whole.index(receipts[0]), whole.index(b"\x1a"), whole.index(receipts[1]))
        assert p.receipts_before == sum(whole.index(start) < p.offset for start in receipts)


def test_small_files_of_one_kind_share_a_bundle_and_large_ones_are_cut(tmp_path: Path) -> None:
    files = []
    for name, text in {"a": EXAMPLE, "b": EXAMPLE + EXAMPLE, "c": EXAMPLE * 40}.items():
        (tmp_path / name).mkdir()
        files.append(_file(tmp_path / name, text, "insurer"))
    size = len(EXAMPLE.encode("cp932")) * 4
    bundles, lost = piece.bundles(files, piece_bytes=size)
    assert not lost
    assert [len({p.file for p in bundle.pieces}) for bundle in bundles][:1] == [2]
    assert all(sum(p.length for p in bundle.pieces) <= size * 1.1 for bundle in bundles)
    assert sum(p.length for bundle in bundles for p in bundle.pieces) == sum(Path(f.file_path).stat().st_size for f in files)


def test_a_file_that_is_gone_or_changed_is_said(tmp_path: Path) -> None:
    file = _file(tmp_path, EXAMPLE, "insurer")
    with pytest.raises(piece.LostFileError) as error:
        piece.cut(replace(file, file_sha256="0" * 64))
    assert error.value.rule == "file_changed"
    assert str(error.value) == (
        f"{file.file_path}: other content than at delivery; expected the delivered content. Deliver it again; it is a new delivery."
    )
    Path(file.file_path).unlink()
    with pytest.raises(piece.LostFileError) as error:
        piece.cut(file)
    assert error.value.rule == "file_missing"
    assert str(error.value) == (
        f"{file.file_path}: No such file or directory; expected the delivered file. Put it back and deliver it again."
    )
