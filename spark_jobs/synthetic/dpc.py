"""DPC receipts in the insurer form; identities 4, 5, 10 and 11 of receipt-formats.md §7 hold by construction.

A stay is one block, or a header (総括) with details: discharge and readmission in the month (2, 2), or a move to a ward that
医科 fees pay (2, 3). 包括評価点数 = 包括小計点数合算 × 医療機関別係数, rounded half up to whole points
[unconfirmed]. Coefficients are invented.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zlib import crc32

from spark_jobs.claim_format.codes import MAIN_OF_DPC
from spark_jobs.synthetic import medical
from spark_jobs.synthetic.dpc_stay import MATERIAL_NAME, OPERATION, OPERATION_NAME
from spark_jobs.synthetic.lines import day_cells, day_template, number, template
from spark_jobs.synthetic.months import age_at, first_day
from spark_jobs.synthetic.visits import DRUG, MATERIAL, DpcVisit, Episode, Group, Treatment
from spark_jobs.synthetic.written import (
    FREE_TEXT_COMMENT,
    Ask,
    Written,
    add_checks,
    high_cost,
    open_receipt,
    payer_number,
    receipt_type,
)

KIND = "dpc"
ALONE, HEADER, DETAIL, MEDICAL_DETAIL = "0", "1", "2", "3"  # レセプト総括区分
THIS_MONTH, OWN_INSURANCE = "2", "1"  # 請求調整区分, 自他保険区分
RE = template(
    KIND, "RE", "receipt_no", "receipt_type", "treatment_month", "patient_name", "sex", "birth_date", "admission_date", "special_notes",
    "chart_no", "summary_class", "detail_count", "search_no", "patient_name_kana",
)  # fmt: skip
HO = template(
    KIND, "HO", "insurer_number", "insured_symbol", "insured_number", "treatment_days", "total_points", "meal_times", "meal_amount",
    "copay_amount", "standard_copay_amount",
)  # fmt: skip
KO = template(KIND, "KO", "public_payer_number", "recipient_number", "treatment_days", "total_points")
BU = template(KIND, "BU", "dpc_code", "current_admission_date", "current_discharge_date", "dpc_outcome")
SB = template(KIND, "SB", "disease_code", "disease_name", "icd10_code", "disease_class")
KK = template(
    KIND, "KK", "admission_urgency", "previous_discharge_date", "previous_same_disease", "age_at_admission", "months_at_admission"
)
SK = template(KIND, "SK", "procedure_code", "performed_date", "procedure_name")
GA = template(KIND, "GA", "treatment_month", "leave_days", "dpc_code", "hospital_coefficient", claim_adjustment_class=THIS_MONTH)
OF_BUNDLE: dict[str, Any] = {"claim_adjustment_class": THIS_MONTH, "own_insurance_class": OWN_INSURANCE}
HH = template(
    KIND, "HH", "treatment_month", "burden_class", "stay_period", "stay_period_points", "stay_days", "bundled_subtotal_points", **OF_BUNDLE
)
GT = template(
    KIND, "GT", "treatment_month", "burden_class", "bundled_sum_points", "bundled_points", "adjustment_points", "bundled_total_points",
    treatment_class="93", **OF_BUNDLE,
)  # fmt: skip
GR = template(KIND, "GR", "dpc_code", fee_schedule_reason="11")  # moved to a 地域包括ケア ward
TO = day_template(
    KIND, "TO", "treatment_class", "burden_class", "material_code", "quantity", "points", "times", "product_name", unit_code="010"
)
CD = template(KIND, "CD", "performed_date", "treatment_class", "sequence_no", "detail_no", "receipt_code", "quantity", "unit_code", "times")
SJ = template(KIND, "SJ", "symptom_note_class", "symptom_note_text")

NOT_IN_CODING = ("90", "92", "97")  # admission fees and meals
PNEUMONIA, PNEUMONIA_ICD10, ANY_ICD10 = "肺炎", "J189", "R69"
TRIGGER, RESOURCE, COMORBID = "21", "22", "31"  # 傷病名区分: 入院の契機, 医療資源, 併存
MEAL_COPAY_YEN = 490
NOTE_RATIO = 0.05  # free text that names the person


def coefficient(facility_code: str) -> Decimal:
    """医療機関別係数, invented: 1.0000 to 1.5999."""
    return 1 + Decimal(crc32(f"{facility_code}係数".encode()) % 6000) / 10000


@dataclass(slots=True)
class Apart:
    """A 剤 paid apart, and where it stands: its own lines and those of the coding data."""

    episode_no: int
    treatment: Treatment
    rows: list[int] = field(default_factory=list)
    drugs: list[tuple[str, Decimal]] = field(default_factory=list)


@dataclass(slots=True)
class Totals:
    points: int
    public_points: int
    days: int
    meal_times: int
    meal_yen: int

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.points + other.points,
            self.public_points + other.public_points,
            self.days + other.days,
            self.meal_times + other.meal_times,
            self.meal_yen + other.meal_yen,
        )


@dataclass(slots=True)
class Head:
    """Where the totals of a block stand."""

    totals: Totals
    copay: str
    ho_row: int = 0
    ko_rows: list[int] = field(default_factory=list)


class DpcReceipt:
    """One receipt while it is written."""

    def __init__(self, ask: Ask, visit: DpcVisit):
        self.ask, self.visit = ask, visit
        self.person, self.rng = ask.person, ask.person.paper_rng
        self.receipt = open_receipt(KIND, visit.facility, ask)
        self.receipt_no = self.rng.randint(1, 999)
        self.coefficient = coefficient(visit.facility.facility_code)
        self.is_public = bool(visit.laws)
        self.apart: list[Apart] = []
        self.bundled: list[tuple[str, Decimal]] = []
        self.heads: list[Head] = []  # of the header, if there is one, then of each episode

    def write(self) -> Written:
        episodes, receipt = self.visit.episodes, self.receipt
        totals = [self._totals(i) for i in range(len(episodes))]
        total = sum(totals[1:], totals[0])
        self.notes, copay_info_class, copay = high_cost(self.person, self.ask.service_month, total.points)
        if len(episodes) > 1:
            self._head(HEADER, total, copay, episodes[0].days[0], copay_info_class, len(episodes))
            if self.rng.random() < NOTE_RATIO:
                receipt.add(SJ("07", f"患者{self.person.name}（{self.person.kana}）は転棟または再入院した。"))
        for i, episode in enumerate(episodes):
            if len(episodes) == 1:
                self._head(ALONE, totals[i], copay, episode.days[0], copay_info_class)
            else:
                first = episode.days[0] if episode.is_readmission else episodes[0].days[0]
                self._head(DETAIL if episode.group else MEDICAL_DETAIL, totals[i], "", first)
            if episode.group:
                self._dpc(i, episode, episode.group)
            else:
                self._medical(i, episode)
        billed = total.points
        decided = self._correct(billed) if self.ask.is_to_correct else billed
        text = receipt.close(self.ask.claim_month)
        drugs = [drug for apart in self.apart for drug in apart.drugs]
        return Written(text, receipt.lines, billed, decided, bool(receipt.corrections), drugs, self.bundled)

    def _day(self, day: int) -> str:
        return self.ask.day(self._date(day))

    def _date(self, day: int) -> date:
        return first_day(self.ask.service_month) + timedelta(days=day - 1)

    def _periods(self, episode: Episode, group: Group) -> list[tuple[int, int, int]]:
        """入院期間区分, points a day, days."""
        found, first = [], 1
        for period, (last, points) in enumerate(group.periods, 1):
            days = min(last, len(episode.days)) - first + 1
            if days > 0:
                found.append((period, points, days))
            first = last + 1
        return found

    def _bundle(self, i: int) -> tuple[int, int, int, int]:
        """包括小計点数合算, 包括評価点数, 調整点数, 今月包括合計点数 of an episode."""
        episode = self.visit.episodes[i]
        if episode.group is None:
            return 0, 0, 0, 0
        summed = sum(points * days for _, points, days in self._periods(episode, episode.group))
        bundled = int((summed * self.coefficient).quantize(Decimal(1), ROUND_HALF_UP))
        adjustment = 0 if i else self.visit.adjustment
        return summed, bundled, adjustment, bundled + adjustment

    def _totals(self, i: int) -> Totals:
        episode, bundle = self.visit.episodes[i], self._bundle(i)[3]
        meals = [t for t in episode.treatments if t.is_yen]
        apart = sum(t.total_points for t in episode.treatments)
        shared = sum(t.total_points for t in episode.treatments if t.is_public) + bundle * self.is_public
        times = sum(t.times for t in meals)
        return Totals(bundle + apart, shared, len(episode.days), times, sum(t.times * t.points for t in meals))

    def _head(
        self, summary_class: str, totals: Totals, copay: str, first: int, copay_info_class: str = "", detail_count: int | str = ""
    ) -> None:
        """RE, HO, KO, and in the first block SN, JD, MF."""
        person, visit, ask, receipt = self.person, self.visit, self.ask, self.receipt
        receipt.add(
            RE(
                self.receipt_no,
                receipt_type("1", person, ask.service_month, visit, is_inpatient=True),
                ask.month(ask.service_month),
                person.name,
                person.sex,
                ask.day(person.born),
                self._day(first),
                self.notes,
                person.chart_at(visit.facility),
                summary_class,
                detail_count,
                ask.first_search_no,
                person.kana_as_written(visit.facility.style),
            )
        )
        head = Head(totals, copay)
        head.ho_row = receipt.add(self._ho(head))
        head.ko_rows = [receipt.add(ko) for ko in self._kos(head)]
        self.heads.append(head)
        if summary_class in (ALONE, HEADER):
            add_checks(receipt, ask, visit, visit.days, copay_info_class)

    def _ho(self, head: Head) -> str:
        person, style, totals = self.person, self.visit.facility.style, head.totals
        meals = (totals.meal_times, totals.meal_yen) if totals.meal_times else ("", "")
        standard = totals.meal_times * MEAL_COPAY_YEN or ""
        symbol, insured_number = person.symbol_as_written(style), person.number_as_written(style)
        return HO(
            f"{person.insurer_number:>8}", symbol, insured_number, totals.days, totals.points, *meals, head.copay, standard
        )  # fmt: skip

    def _kos(self, head: Head) -> list[str]:
        visit, person, totals = self.visit, self.person, head.totals
        shared = zip(visit.laws, visit.public_points(totals.points, totals.public_points), strict=True)
        return [KO(payer_number(law, person.prefecture), person.recipient_no, totals.days, points) for law, points in shared]

    def _dpc(self, i: int, episode: Episode, group: Group) -> None:
        """BU … GT, what is paid apart, the coding data."""
        receipt, ask, person, visit = self.receipt, self.ask, self.person, self.visit
        first, last = self._date(episode.days[0]), episode.days[-1]
        receipt.add(BU(group.dpc_code, ask.day(first), self._day(last) if episode.has_left else "", 3 if episode.has_left else ""))
        for k, disease in enumerate(visit.diseases):
            icd10 = PNEUMONIA_ICD10 if disease.name_ja == PNEUMONIA else ANY_ICD10
            for disease_class in (COMORBID,) if k else (MAIN_OF_DPC, TRIGGER, RESOURCE):
                receipt.add(SB(disease.code, "" if disease.code != medical.NOT_CODED else disease.name_ja, icd10, disease_class))
        before = self._day(visit.episodes[0].days[-1]) if episode.is_readmission else ""
        age = age_at(person.born, first)
        months = "" if age else (first.year - person.born.year) * 12 + first.month - person.born.month - (first.day < person.born.day)
        receipt.add(KK(1 + person.person_no % 3, before, 1 if before else "", age, months))
        if any(code == OPERATION[0] for t in episode.treatments for code, _ in t.lines):
            receipt.add(SK(OPERATION[0], ask.day(first), OPERATION_NAME))
        month, burden = ask.month(ask.service_month), visit.burden(self.is_public)
        receipt.add(GA(month, "0" * 31, group.dpc_code, f"{self.coefficient:.4f}"))
        for period, points, days in self._periods(episode, group):
            receipt.add(HH(month, burden, period, points, days, points * days))
        summed, bundled, adjustment, total = self._bundle(i)
        receipt.add(GT(month, burden, summed, bundled, adjustment or "", total))
        apart = [self._apart(i, t) for t in episode.treatments if not t.is_bundled]
        if self.rng.random() < NOTE_RATIO:
            receipt.add(medical.CO("99", visit.burden(False), FREE_TEXT_COMMENT, f"{person.name}様へ退院時指導"))
        self._coding(episode, apart)

    def _medical(self, i: int, episode: Episode) -> None:
        """GR, SY, and all lines as in 医科: there is no coding data."""
        group = next(e.group for e in self.visit.episodes if e.group)
        self.receipt.add(GR(group.dpc_code))
        for k, disease in enumerate(self.visit.diseases):
            self.receipt.add(medical.sy(self.ask, disease, is_main=k == 0))
        for treatment in episode.treatments:
            apart = self._apart(i, treatment)
            apart.drugs = [
                (code, quantity * treatment.times) for code, quantity in treatment.lines if quantity is not None and code[0] == DRUG
            ]

    def _apart(self, i: int, treatment: Treatment) -> Apart:
        """The lines of a 剤: SI, IY or TO, 点数 on the last."""
        apart, last = Apart(i, treatment), len(treatment.lines) - 1
        burden, days = self.visit.burden(treatment.is_public), day_cells(treatment.days)
        for k, (code, quantity) in enumerate(treatment.lines):
            head = treatment.treatment_class if k == 0 else "", burden, code
            points = treatment.points if k == last else ""
            if quantity is None:
                line = medical.SI(*head, points, treatment.times, days)
            elif code[0] == MATERIAL:
                line = TO(*head, number(quantity), points, treatment.times, MATERIAL_NAME, days)
            else:
                line = medical.IY(*head, number(quantity), points, treatment.times, days)
            apart.rows.append(self.receipt.add(line))
        self.apart.append(apart)
        return apart

    def _coding(self, episode: Episode, apart: list[Apart]) -> None:
        """CD: all that was done, by 診療識別 and day, what is paid apart once more; no points, no admission fees, no meals."""
        of_treatment = {id(a.treatment): a for a in apart}
        given = [
            (t.treatment_class, day, times, t)
            for t in episode.treatments
            for day, times in t.days
            if t.treatment_class not in NOT_IN_CODING
        ]
        sequence_no, before = 0, ""
        for treatment_class, day, times, treatment in sorted(given, key=lambda g: g[:2]):
            sequence_no = sequence_no + 1 if treatment_class == before else 1
            before = treatment_class
            own = of_treatment.get(id(treatment))
            for detail_no, (code, quantity) in enumerate(treatment.lines, 1):
                amount, unit = (number(quantity), "010" if code[0] == MATERIAL else "") if quantity is not None else ("", "")
                row = self.receipt.add(CD(self._day(day), treatment_class, sequence_no, detail_no, code, amount, unit, times))
                drug = [(code, quantity * times)] if quantity is not None and code[0] == DRUG else []
                if own:
                    own.rows.append(row)
                    own.drugs += drug
                else:
                    self.bundled += drug

    # --- corrections of the review body

    def _correct(self, points: int) -> int:
        """One 剤 that is paid apart goes, in the coding data too; HO and KO of its block and of the header follow. The decided points."""
        open_to = [a for a in self.apart if a.treatment.treatment_class not in ("90", "97")]
        if not open_to:
            return points
        apart = self.rng.choice(open_to)
        for row in apart.rows:
            self.receipt.delete(row, "B")
        apart.drugs = []
        less = apart.treatment.total_points
        details = self.heads[len(self.heads) - len(self.visit.episodes) :]
        for head in {id(h): h for h in (self.heads[0], details[apart.episode_no])}.values():
            before = self._kos(head)
            head.totals.points -= less
            head.totals.public_points -= less * apart.treatment.is_public
            self.receipt.replace(head.ho_row, self._ho(head))
            for row, old, new in zip(head.ko_rows, before, self._kos(head), strict=True):
                if new != old:
                    self.receipt.replace(row, new)
        return points - less


def write(ask: Ask, visit: DpcVisit) -> Written:
    """One DPC receipt."""
    return DpcReceipt(ask, visit).write()
