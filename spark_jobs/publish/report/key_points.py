"""Part 1, 今月の要点: the message in sentences built from numbers. What the insurer saves comes first."""

from dataclasses import dataclass

from spark_jobs.publish.report import wording
from spark_jobs.publish.report.chance import MIN_PATIENTS_COMPARED, differs
from spark_jobs.publish.report.distance import Distance
from spark_jobs.publish.report.generics import Generics
from spark_jobs.publish.report.saving import Saving
from spark_jobs.publish.report.subject import Subject, patients, shared
from spark_jobs.publish.report.table import Headline


@dataclass(frozen=True)
class KeyPoints:
    headlines: list[Headline]
    sentences: list[str]


def build(subject: Subject, distance: Distance, generics: Generics, saving: Saving) -> KeyPoints:
    total = subject.own_year["all"]
    year = subject.year_text
    headlines = [
        Headline("保険者負担の軽減額", saving.gain, saving.gain_note),
        Headline("まだ減らせる保険者負担", saving.reachable, saving.reachable_note),
        Headline("バイオシミラー数量シェア", shared(total).text, f"{year}・請求単位・患者 {patients(total)}人"),
        Headline(f"数量シェア{wording.percent(subject.reached_from)}以上の成分", distance.kpi, f"{year}・{distance.kpi_note}"),
        Headline("後発医薬品の使用割合", generics.value, generics.note),
    ]
    share = f"バイオシミラー数量シェア（{len(subject.ingredients)}成分計、請求単位）は {year}で {shared(total)}。{_change(subject)}"
    return KeyPoints(headlines, [*saving.sentences, share, distance.kpi_sentence, generics.sentence])


def _change(subject: Subject) -> str:
    """This fiscal year's final months against the same months of the year before; silent when chance could explain it."""
    rows = {row["period"]: row for row in subject.rows(subject.share, "month", "all").to_dicts() if not row["hidden_ja"]}
    final = [month for month in subject.months if month not in subject.provisional]
    now = [month for month in final if wording.fiscal_year(month) == wording.fiscal_year(final[-1])] if final else []
    before = [wording.add_months(month, -12) for month in now]
    if not now or any(month not in rows for month in (*now, *before)):
        return ""
    shares, people = [], []
    for months in (now, before):
        numerator, denominator = (sum(rows[month][part] for month in months) for part in ("numerator", "denominator"))
        shares.append(float(numerator / denominator) if denominator else 0.0)
        people.append(max(rows[month]["patient_count"] for month in months))
    if min(people) < MIN_PATIENTS_COMPARED or not differs(shares[0], people[0], shares[1], people[1]):
        return ""
    gap = shares[0] - shares[1]
    points = abs(wording.rounded(gap * 100, 1))
    moved = "上がった" if gap > 0 else "下がった"
    return f"{wording.months(now[0], now[-1])}診療は {wording.share(shares[0])}で、前年同期より {points}ポイント{moved}。"
