"""Small receipt files in both forms, as text."""

from collections.abc import Callable
from pathlib import Path

EXAMPLE = (Path(__file__).parents[2] / "fixtures" / "insurer_form_example.csv").read_text(encoding="utf-8")
INSURER = "06149900"
OTHER = "06279905"


def receipts(*changes: Callable[[str], str], insurer: str = INSURER) -> str:
    """Receipts in insurer form: the example of receipt-formats §4.8, one per change, of this insurer."""
    return "".join(change(EXAMPLE.replace("06990014", insurer).replace("見本　花子", f"見本　花子{i}")) for i, change in enumerate(changes))


def same(text: str) -> str:
    return text


def claims(*texts: str, go: str = "GO,{count},{points},99") -> str:
    """A claim-form file: IR, the receipts, GO with true totals of receipts of 288 points."""
    end = go.format(count=len(texts), points=288 * len(texts))
    return "\n".join(["IR,1,13,1,9900013,,見本クリニック,202406,00,0312345678", *texts, end]) + "\n"


def claim(number: int, insurer: str = INSURER) -> str:
    """One receipt in claim form, trailing fields left out."""
    return "\n".join(
        [
            f"RE,{number},1112,202405,見本　太郎,1,3550402,,,,,,,M-{number}",
            f"HO,{insurer:>8},見本,{number}９９,1,288",
            "SY,0000999,20240510,1,,見本病の疑い,01",
            "SI,11,1,199990001,,288,1,810000001,太郎さん",
            "IY,21,1,699990001,3,0,1",
        ]
    )
