"""後発医薬品に関する情報 (各先発医薬品の後発医薬品の有無に関する情報) → `masters.generic_class`."""

import re
from datetime import date, timedelta
from pathlib import Path

from spark_jobs import input_file
from spark_jobs.masters import edition, price_list, shipped

CLASSES = ("1", "2", "3", "★", "☆")
HEADS = {
    "yakka_code_12": "薬価基準収載医薬品コード",
    "availability_class": "各先発医薬品の後発医薬品の有無に関する情報",
    "transitional_until": "経過措置による使用期限",
    "remark": "備考",
    "is_excluded_from_addon": "診療報酬における加算等の算定対象から除外する品目",
    "is_counted_in_cutoff": "カットオフ値の(計算|算出)に含める品目",
}
CHANGE = re.compile(r"(.+)から(.)に変更")


def read(path: Path, given: date | None = None) -> list[shipped.GenericClass]:
    """Classes from the list's date on; a remark such as R7.10.1から「2」に変更 changes it on its day."""
    found = input_file.lines(path)
    top, places = input_file.header(path, found, HEADS)
    dated = edition.date_of(path, given, (text for _, cells in found[:top] for text in cells))
    faults, rows = input_file.Faults(path), []
    seen: dict[str, int] = {}
    for line, cells in found[top + 1 :]:
        text = {name: input_file.cell(cells, place) for name, place in places.items()}
        code, class_ = text["yakka_code_12"], input_file.plain(text["availability_class"])
        if not re.fullmatch(r"[0-9A-Z]{12}", code):
            faults.add(line, f"薬価基準収載医薬品コード {code[:15]!r}", "12 characters")
        if class_ and class_ not in CLASSES:
            faults.add(line, f"後発医薬品の有無 {class_[:10]!r}", f"{', '.join(CLASSES)} or nothing")
        until = price_list.until(text["transitional_until"])
        if text["transitional_until"] and until is None:
            faults.add(line, f"経過措置による使用期限 {text['transitional_until'][:15]!r}", "a day such as R9.3.31まで")
        first = seen.setdefault(code, line)
        if first != line:
            faults.add(line, f"{code} again, first in line {first}", "each code once")
        change = CHANGE.fullmatch(input_file.plain(text["remark"]))
        day = input_file.day(change[1]) if change else None
        periods = [(class_ or None, dated, until)]
        if change and day and day > dated:
            periods = [(class_ or None, dated, day - timedelta(days=1)), (change[2], day, until)]
        flags = (bool(text["is_excluded_from_addon"]), bool(text["is_counted_in_cutoff"]))
        rows += [
            shipped.GenericClass(code, class_now, *flags, start, end, f"{shipped.GENERIC_LIST} ({path.name})", dated)
            for class_now, start, end in periods
            if end is None or end >= start
        ]
    faults.stop()
    return rows
