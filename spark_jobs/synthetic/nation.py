"""A sample of config/ for the country: 47 branches of 協会けんぽ, 国保 of 47 prefectures, 47 広域連合, in waves by part of the country.

What is true and what is invented stands at the head of each file. 協会けんぽ: numbers in the form of its branches (法別01, prefecture, 001,
check digit). 国保, 広域連合: invented numbers with a valid check digit; a true one is one municipality's, here one stands for all.
Waves, legal basis, purposes, approvers: examples, nobody's plan.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from spark_jobs.claim_format.codes import check_digit
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import shipped
from spark_jobs.rollout import insurer_file
from spark_jobs.settings import Settings

PARTS = {  # 地方: the wave in which its prefectures take part
    1: ("関東", range(8, 15)),
    2: ("近畿", range(25, 31)),
    3: ("中部", range(15, 25)),
    4: ("九州・沖縄", range(40, 48)),
    5: ("北海道・東北", range(1, 8)),
    6: ("中国・四国", range(31, 40)),
}
INVENTED = "999"  # 保険者別番号 of invented numbers
KINDS = {  # kind → region's prefix, body of the number by prefecture, name, short name, first line of the file
    "kyokai": (
        "kyokai", "01{code}001", "全国健康保険協会 {short}支部", "協会けんぽ{short}",
        "Sample: a number in the form of a branch's (法別01, prefecture, 001, check digit); compare it with the branch's own before use.",
    ),
    "kokuho_city": (
        "kokuho", f"{{code}}{INVENTED}", "{name}の国民健康保険（見本）", "国保{short}",
        "Sample with an INVENTED number: each municipality has its own; put their files in place of this one.",
    ),
    "koiki": (
        "koiki", f"39{{code}}{INVENTED}", "{name}後期高齢者医療広域連合（見本）", "広域連合{short}",
        "Sample with an INVENTED number: claims carry the number of a municipality; put the true ones in place of this one.",
    ),
}  # fmt: skip
COMPARED = 2  # regions of the same kind, of the wave after, with which a region is compared


def write(settings: Settings, folder: Path) -> tuple[int, int]:
    """Write FOLDER/insurers and FOLDER/regions; whatever else config/ holds is copied. Returns how many of each. Never overwrites."""
    if folder.exists() and any(folder.iterdir()):
        raise LakeError(str(folder), "a folder that is not empty", "a new folder", "Name another.", ExitCode.USAGE)
    for name in ("insurers", "regions"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for other in sorted(settings.config.iterdir()):
        if other.is_dir() and not (folder / other.name).exists() and not folder.resolve().is_relative_to(other.resolve()):
            shutil.copytree(other, folder / other.name)
    files = dict(_files())
    for path, content in files.items():
        (folder / path).write_text(content, encoding="utf-8")
    return sum(path.startswith("insurers/") for path in files), sum(path.startswith("regions/") for path in files)


def _files() -> Iterator[tuple[str, str]]:
    """(path, content) of every file."""
    waves = {f"{no:02}": wave for wave, (_, numbers) in PARTS.items() for no in numbers}
    for prefecture in shipped.prefectures():
        code = prefecture.prefecture_code
        names = {"code": code, "name": prefecture.prefecture_ja, "short": prefecture.prefecture_short_ja}
        wave = waves[code]
        compared = [other for other, of_other in waves.items() if of_other == wave + 1][:COMPARED]
        for kind, (prefix, body, name, short_name, head) in KINDS.items():
            digits = body.format(**names)
            number = f"{digits}{check_digit(digits)}"
            values = {
                **insurer_file.ASSUMED, "insurer_number": number, "name_ja": name.format(**names),
                "short_name_ja": short_name.format(**names), "kind": kind, "prefecture_code": code,
            }  # fmt: skip
            yield f"insurers/{number}.yaml", insurer_file.text(values, set(insurer_file.ASSUMED), head)
            yield f"regions/{prefix}_{code}.yaml", "\n".join([
                f"# Sample: wave {wave} = {PARTS[wave][0]}, an example of an order and nobody's plan.",
                f"region_key: {prefix}_{code}",
                f"name_ja: {short_name.format(**names)}（見本）",
                "place_level: prefecture",
                f'place_keys: ["{code}"]',
                f'insurers: ["{number}"]',
                "ingredients: all",
                f"wave: {wave}",
                f"comparison_regions: [{', '.join(f'{prefix}_{other}' for other in compared)}] # 比較地域: of the wave after",
                "",
            ])  # fmt: skip
