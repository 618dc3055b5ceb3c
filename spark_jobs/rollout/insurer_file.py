"""A new file of config/insurers, with comments; what the caller could not know is marked to be filled in."""

from collections.abc import Mapping
from pathlib import Path

from spark_jobs.config import Insurer
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.settings import Settings

OPEN = "# to fill in: "  # begins the comment of a value that nobody has confirmed yet
FIELDS = {  # in the order of the file: field → (what it is, what to do about it where it is open)
    "insurer_number": ("保険者番号", ""),
    "name_ja": ("名称", ""),
    "short_name_ja": ("略称", "a short name for charts"),
    "kind": ("kenpo, kyokai, kyosai, kokuho_city, kokuho_union, koiki", ""),
    "industry_ja": ("業態", "業態 of the 健保組合, as in the contribution return"),
    "structure": ("single 単一, joint 総合", "single (単一) or joint (総合)"),
    "prefecture_code": ("所在地", ""),
    "member_count": ("加入者数", "members at the end of the last fiscal year"),
    "form": ("insurer form (レセ電コード情報ファイル) or claim form", "insurer or claim, as the files are"),
    "kinds": ("kinds that arrive each month", "those that arrive each month: med, dpc, den, pha, nur"),
    "start_claim_month": ("first 請求年月 delivered", "first 請求年月 that will be delivered"),
    "mismatch": ("claims of another insurer in a delivery: keep or reject", "keep or reject"),
    "legal_basis": ("joint_use 共同利用, entrustment 委託, own", "joint_use, entrustment or own, as the contract says"),
    "purposes": ("利用目的", "as announced to the members"),
    "retention_years": ("保存年数", "as the contract says"),
    "approver_role_ja": ("公表する数値の承認者: a post, never a name", "the post that approves figures, never a person's name"),
}
ASSUMED: dict[str, object] = {  # the cautious value of what is not given
    "member_count": None,
    "form": "insurer",
    "kinds": ["med", "dpc", "den", "pha"],
    "start_claim_month": 202604,
    "mismatch": "keep",
    "legal_basis": "entrustment",  # links nobody between insurers
    "purposes": ["バイオ後続品の使用状況の分析"],
    "retention_years": 5,
    "approver_role_ja": None,
}


def create(settings: Settings, given: Mapping[str, object]) -> tuple[Path, list[str]]:
    """Write the file of a new insurer. Returns its path and what is left to fill in; never overwrites."""
    number = str(given["insurer_number"])
    path = settings.config / "insurers" / f"{number}.yaml"
    company = {"industry_ja": None, "structure": None} if given["kind"] == "kenpo" else {}
    values = {**ASSUMED, **company, "short_name_ja": given["name_ja"], **given}
    try:
        Insurer.model_validate(values)
    except ValueError as error:
        fault = error.errors()[0]  # type: ignore[attr-defined]
        field = ".".join(map(str, fault["loc"]))
        raise LakeError(
            "lake config new-insurer",
            f"{field} {fault['input']!r}",
            fault["msg"],
            "Correct the option; nothing was written.",
            ExitCode.USAGE,
        ) from None
    is_open = {name for name in values if name not in given}
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text(values, is_open))
    except FileExistsError:
        raise LakeError(str(path), "a file already", "a new insurer", "Edit that file; it is never overwritten.", ExitCode.USAGE) from None
    return path, left_open(path)


def text(values: Mapping[str, object], is_open: set[str], head: str = "One insurer = one file.") -> str:
    """The file: a field a line, each with what it is. A value that is not known stands as a comment."""
    lines = [f"# {head} `lake config check` tells what is wrong with it."]
    for name, (meaning, todo) in FIELDS.items():
        if name in values:
            value = values[name]
            note = f"{OPEN}{todo}" if name in is_open else f"# {meaning}"
            lines.append(f"# {name}: {note}" if value is None else f"{name}: {_scalar(value)} {note}")
    return "\n".join(lines) + "\n"


def left_open(path: Path) -> list[str]:
    """`FILE, line N: field: what to do` of what is still to be filled in."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [f"{path}, line {no}: {line.lstrip('# ').split(':')[0]}: {line.split(OPEN)[1]}" for no, line in lines if OPEN in line]


def all_left_open(settings: Settings) -> list[str]:
    return [line for path in sorted((settings.config / "insurers").glob("*.yaml")) for line in left_open(path)]


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str) and (value.isdigit() or not value.isidentifier()):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
