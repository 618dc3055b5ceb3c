"""医科 receipts in the insurer form; identities 1, 2, 3, 10 and 11 of receipt-formats.md §7 hold by construction."""

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from random import Random

from spark_jobs.claim_format import layouts
from spark_jobs.synthetic.formulary import Formulary
from spark_jobs.synthetic.history import NOT_CODED, RETURN_MANAGEMENT
from spark_jobs.synthetic.lines import day_cells, day_template, number, template
from spark_jobs.synthetic.visits import Disease, MedicalVisit, Treatment
from spark_jobs.synthetic.written import (
    FREE_TEXT_COMMENT,
    Ask,
    Written,
    add_checks,
    high_cost,
    open_receipt,
    payer_number,
    receipt_type,
)  # fmt: skip

KIND = "med"
RE = template(
    KIND, "RE", "receipt_no", "receipt_type", "treatment_month", "patient_name", "sex", "birth_date", "admission_date", "special_notes",
    "chart_no", "search_no", "claim_info", "patient_name_kana",
)  # fmt: skip
HO = template(
    KIND, "HO", "insurer_number", "insured_symbol", "insured_number", "treatment_days", "total_points", "meal_times", "meal_amount",
    "copay_amount",
)  # fmt: skip
KO = template(KIND, "KO", "public_payer_number", "recipient_number", "treatment_days", "total_points")
SY = template(
    KIND, "SY", "disease_code", "start_date", "modifier_codes", "disease_name", "main_disease", "supplementary_comment", outcome=1
)
OF_LINE = ("treatment_class", "burden_class")
SI = day_template(KIND, "SI", *OF_LINE, "procedure_code", "points", "times")
IY = day_template(KIND, "IY", *OF_LINE, "drug_code", "quantity", "points", "times")
NOTED_IY = day_template(
    KIND, "IY", *OF_LINE, "drug_code", "quantity", "points", "times", "comment_text_1", comment_code_1=FREE_TEXT_COMMENT
)
CO = template(KIND, "CO", *OF_LINE, "comment_code", "comment_text")
SJ = template(KIND, "SJ", "symptom_note_class", "symptom_note_text")
QUANTITY_POSITION = str(layouts.record(KIND, "IY").pos("quantity"))
SUSPECTED = "の疑い"
NOTE_PER_RECEIPT = 0.012  # free text that names the person
SYMPTOM_NOTE_FROM_POINTS = 80_000


class MedicalReceipt:
    """One receipt while it is written: its lines, and which line holds which 剤, for corrections."""

    def __init__(self, ask: Ask, visit: MedicalVisit, formulary: Formulary, month_no: int):
        self.ask, self.visit, self.formulary, self.month_no = ask, visit, formulary, month_no
        self.person, self.rng = ask.person, ask.person.rng
        self.receipt = open_receipt(KIND, visit.facility, ask)
        self.rows: list[list[int]] = []  # of each treatment
        self.drugs: list[list[tuple[str, Decimal]]] = []  # decided, of each treatment
        self.ho_row = 0
        self.ko_rows: list[int] = []

    def write(self) -> Written:
        treatments = self.visit.treatments
        points, public_points = _totals(treatments)
        self._head(points, public_points)
        for treatment in treatments:
            self._treatment(treatment)
        self._notes(points)
        decided = self._correct(points, public_points) if self.ask.is_to_correct else points
        text = self.receipt.close(self.ask.claim_month)
        drugs = [drug for of_treatment in self.drugs for drug in of_treatment]
        return Written(text, self.receipt.lines, points, decided, bool(self.receipt.corrections), drugs)

    def _head(self, points: int, public_points: int) -> None:
        person, visit, month = self.person, self.visit, self.ask.service_month
        style, receipt = visit.facility.style, self.receipt
        self.notes, copay_info_class, self.copay = high_cost(person, month, points)
        claim_info = f"{person.name}様　紹介" if self.rng.random() < NOTE_PER_RECEIPT else ""
        receipt.add(
            RE(
                self.rng.randint(1, 999),
                receipt_type("1", person, month, visit, visit.admission is not None),
                self.ask.month(month),
                person.name,
                person.sex,
                self.ask.day(person.born),
                self.ask.day(visit.admission) if visit.admission else "",
                self.notes,
                person.chart_at(visit.facility),
                self.ask.first_search_no,
                claim_info,
                person.kana_as_written(style),
            )
        )
        if not visit.is_public_only:
            self.ho_row = receipt.add(self._ho(points))
        self.ko_rows = [receipt.add(ko) for ko in self._kos(points, public_points)]
        add_checks(receipt, self.ask, visit, visit.days, copay_info_class)
        for i, disease in enumerate(visit.diseases):
            note = f"{person.name}本人申告" if self.rng.random() < NOTE_PER_RECEIPT / 4 else ""
            receipt.add(sy(self.ask, disease, is_main=i == 0, note=note))

    def _ho(self, points: int) -> str:
        person, style = self.person, self.visit.facility.style
        meals = next((t for t in self.visit.treatments if t.is_yen), None)
        return HO(
            f"{person.insurer_number:>8}",
            person.symbol_as_written(style),
            person.number_as_written(style),
            len(self.visit.days),
            points,
            meals.times if meals else "",
            meals.times * meals.points if meals else "",
            self.copay,
        )

    def _kos(self, points: int, public_points: int) -> list[str]:
        visit, person = self.visit, self.person
        shared = zip(visit.laws, visit.public_points(points, public_points), strict=True)
        return [KO(payer_number(law, person.prefecture), person.recipient_no, len(visit.days), of_payer) for law, of_payer in shared]

    def _line(self, treatment: Treatment, i: int, quantity: Decimal | None, points: int | str, treatment_class: str, note: str = "") -> str:
        code = treatment.lines[i][0]
        burden, days = self.visit.burden(treatment.is_public), day_cells(treatment.days)
        if quantity is None:
            return SI(treatment_class, burden, code, points, treatment.times, days)
        if note:
            return NOTED_IY(treatment_class, burden, code, number(quantity), points, treatment.times, note, days)
        return IY(treatment_class, burden, code, number(quantity), points, treatment.times, days)

    def _treatment(self, treatment: Treatment) -> None:
        """Lines of one 剤: 診療識別 on the first (or on the comment above it), 点数 on the last."""
        rows, last, treatment_class = [], len(treatment.lines) - 1, treatment.treatment_class
        if treatment.comment:
            self.receipt.add(CO(treatment_class, self.visit.burden(treatment.is_public), FREE_TEXT_COMMENT, treatment.comment))
            treatment_class = ""
        for i, (_, quantity) in enumerate(treatment.lines):
            note = ""
            if quantity is not None and self.rng.random() < NOTE_PER_RECEIPT / 4:
                note = f"{self.person.name}へ説明"
            points = treatment.points if i == last else ""
            rows.append(self.receipt.add(self._line(treatment, i, quantity, points, treatment_class, note)))
            treatment_class = ""
        self.rows.append(rows)
        self.drugs.append([(code, quantity * treatment.times) for code, quantity in treatment.lines if quantity is not None])

    def _notes(self, points: int) -> None:
        """Free text that names the person: what must never reach the lake."""
        if self.rng.random() < NOTE_PER_RECEIPT:
            text = self.rng.choice((f"{self.person.name}様へ電話連絡{self.person.phone}", f"患者氏名{self.person.name}を確認"))
            self.receipt.add(CO("99", self.visit.burden(False), FREE_TEXT_COMMENT, text))
        if points >= SYMPTOM_NOTE_FROM_POINTS:
            self.receipt.add(SJ("07", f"患者{self.person.name}（{self.person.kana}）の経過は良好である。"))

    # --- corrections of the review body

    def _correct(self, points: int, public_points: int) -> int:
        """One correction; HO and KO replaced with what then adds up. The decided points."""
        treatments = self.visit.treatments
        open_to = [i for i, t in enumerate(treatments) if i > 0 and t.treatment_class not in ("90", "97") and not t.comment]
        if not open_to:
            return points
        i = self.rng.choice(open_to)
        decided = treatments[i]
        lines = [
            k for k, (_, quantity) in enumerate(decided.lines) if quantity is not None and _less(quantity, self.rng) and decided.is_priced
        ]
        if lines and self.rng.random() < 0.5:
            decided = self._lower_quantity(i, self.rng.choice(lines))
        else:
            for row in self.rows[i]:
                self.receipt.delete(row, "B")
            decided = replace(decided, points=0)
            self.drugs[i] = []
            if not treatments[i].drugs_only and self.rng.random() < 0.4:
                decided = self._cheaper_instead(i)
        changed = decided.total_points - treatments[i].total_points
        decided_points = points + changed
        self.receipt.replace(self.ho_row, self._ho(decided_points))
        before = self._kos(points, public_points)
        after = self._kos(decided_points, public_points + changed * treatments[i].is_public)
        for row, old, new in zip(self.ko_rows, before, after, strict=True):
            if new != old:
                self.receipt.replace(row, new)
        return decided_points

    def _lower_quantity(self, i: int, k: int) -> Treatment:
        treatment = self.visit.treatments[i]
        quantity = _less(treatment.lines[k][1] or Decimal(0), self.rng)
        lines = list(treatment.lines)
        lines[k] = (lines[k][0], quantity)
        points = self.formulary.points(tuple((code, amount or Decimal(0)) for code, amount in lines), self.month_no)
        decided = replace(treatment, lines=lines, points=points)
        last = len(lines) - 1
        for j in sorted({k, last}):  # the line itself, and the last one, where the points stand
            treatment_class = treatment.treatment_class if j == 0 else ""
            body = self._line(decided, j, lines[j][1], points if j == last else "", treatment_class)
            self.receipt.replace(self.rows[i][j], body, "B", QUANTITY_POSITION if j == k else "")
        self.drugs[i][k] = (lines[k][0], quantity * treatment.times)
        return decided

    def _cheaper_instead(self, i: int) -> Treatment:
        """追加: a cheaper procedure in the place of the deleted one, after the line that stood before it."""
        treatment, (code, points) = self.visit.treatments[i], RETURN_MANAGEMENT
        decided = replace(treatment, lines=[(code, None)], points=min(points, treatment.points))
        self.receipt.insert(self.rows[i][0] - 1, self._line(decided, 0, None, decided.points, treatment.treatment_class))
        return decided


def sy(ask: Ask, disease: Disease, *, is_main: bool, note: str = "") -> str:
    """SY of a disease."""
    coded = disease.code != NOT_CODED
    name = "" if coded else disease.name_ja + (SUSPECTED if disease.is_suspected else "")
    modifier = "8002" if coded and disease.is_suspected else ""
    return SY(disease.code, ask.day(disease.start), modifier, name, "01" if is_main else "", note)


def _totals(treatments: list[Treatment]) -> tuple[int, int]:
    """Points in all, and those that the first public payer shares."""
    return sum(t.total_points for t in treatments), sum(t.total_points for t in treatments if t.is_public)


def _less(quantity: Decimal, rng: Random) -> Decimal:
    """A smaller amount (0 = there is none)."""
    return (quantity * rng.randint(3, 8) / 10).quantize(Decimal(1), ROUND_DOWN) if quantity >= 2 else Decimal(0)


def write(ask: Ask, visit: MedicalVisit, formulary: Formulary, month_no: int) -> Written:
    """One 医科 receipt."""
    return MedicalReceipt(ask, visit, formulary, month_no).write()
