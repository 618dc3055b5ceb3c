"""歯科 receipts in the insurer form: HO 合計点数 = Σ 点数 × 回数 over SS and IY, as in 医科 (identity 1). Procedure codes are invented."""

from dataclasses import replace
from decimal import Decimal

from spark_jobs.synthetic.lines import day_cells, day_template, number, template
from spark_jobs.synthetic.visits import DRUG, DentalVisit, Treatment
from spark_jobs.synthetic.written import FREE_TEXT_COMMENT, Ask, Written, add_checks, high_cost, open_receipt, payer_number, receipt_type

KIND = "den"
RE = template(
    KIND, "RE", "receipt_no", "receipt_type", "treatment_month", "patient_name", "sex", "birth_date", "start_date", "special_notes",
    "chart_no", "search_no", "patient_name_kana", outcome=1,
)  # fmt: skip
HO = template(KIND, "HO", "insurer_number", "insured_symbol", "insured_number", "treatment_days", "total_points", "copay_amount")
KO = template(KIND, "KO", "public_payer_number", "recipient_number", "treatment_days", "total_points")
HS = template(KIND, "HS", "tooth_codes", "disease_code", "disease_name", "supplementary_comment")
OF_LINE = ("treatment_class", "burden_class")
SS = day_template(KIND, "SS", *OF_LINE, "procedure_code", "points", "times")
IY = day_template(KIND, "IY", *OF_LINE, "drug_code", "quantity", "points", "times")
CO = template(KIND, "CO", *OF_LINE, "comment_code", "comment_text")
NOTE_RATIO = 0.012  # free text that names the person


class DentalReceipt:
    """One receipt while it is written."""

    def __init__(self, ask: Ask, visit: DentalVisit):
        self.ask, self.visit = ask, visit
        self.person, self.rng = ask.person, ask.person.paper_rng
        self.receipt = open_receipt(KIND, visit.facility, ask)
        self.ho_row = 0
        self.ko_rows: list[int] = []
        self.rows: list[list[int]] = []  # of each treatment

    def write(self) -> Written:
        treatments = list(self.visit.treatments)
        points = sum(t.total_points for t in treatments)
        self._head(points)
        for treatment in treatments:
            self.rows.append(self._lines(treatment))
        if self.rng.random() < NOTE_RATIO:
            self.receipt.add(CO("99", self._burden, FREE_TEXT_COMMENT, f"{self.person.name}様へ口腔清掃を指導"))
        decided = points
        if self.ask.is_to_correct and len(treatments) > 1:
            i = self.rng.randrange(1, len(treatments))
            for row in self.rows[i]:
                self.receipt.delete(row, "D")
            treatments[i] = replace(treatments[i], points=0, lines=[])
            decided = sum(t.total_points for t in treatments)
            self.receipt.replace(self.ho_row, self._ho(decided))
            for row, ko in zip(self.ko_rows, self._kos(decided), strict=True):
                self.receipt.replace(row, ko)
        text = self.receipt.close(self.ask.claim_month)
        drugs = [(code, (q or Decimal(0)) * t.times) for t in treatments for code, q in t.lines if code[0] == DRUG]
        return Written(text, self.receipt.lines, points, decided, bool(self.receipt.corrections), drugs)

    @property
    def _burden(self) -> str:
        return self.visit.burden(bool(self.visit.laws))

    def _head(self, points: int) -> None:
        person, visit, ask, receipt = self.person, self.visit, self.ask, self.receipt
        notes, copay_info_class, self.copay = high_cost(person, ask.service_month, points)
        receipt.add(
            RE(
                self.rng.randint(1, 999),
                receipt_type("3", person, ask.service_month, visit, is_inpatient=False),
                ask.month(ask.service_month),
                person.name,
                person.sex,
                ask.day(person.born),
                ask.day(visit.diseases[0].start),
                notes,
                person.chart_at(visit.facility),
                ask.first_search_no,
                person.kana_as_written(visit.facility.style),
            )
        )
        if not visit.is_public_only:
            self.ho_row = receipt.add(self._ho(points))
        self.ko_rows = [receipt.add(ko) for ko in self._kos(points)]
        add_checks(receipt, ask, visit, visit.days, copay_info_class)
        for disease in visit.diseases:
            note = f"{person.name}本人希望" if self.rng.random() < NOTE_RATIO / 4 else ""
            receipt.add(HS(visit.tooth_codes, disease.code, disease.name_ja, note))

    def _ho(self, points: int) -> str:
        person, style = self.person, self.visit.facility.style
        symbol, insured_number = person.symbol_as_written(style), person.number_as_written(style)
        return HO(f"{person.insurer_number:>8}", symbol, insured_number, len(self.visit.days), points, self.copay)

    def _kos(self, points: int) -> list[str]:
        visit, person = self.visit, self.person
        shared = zip(visit.laws, visit.public_points(points, points), strict=True)
        return [KO(payer_number(law, person.prefecture), person.recipient_no, len(visit.days), of_payer) for law, of_payer in shared]

    def _lines(self, treatment: Treatment) -> list[int]:
        rows, last, days = [], len(treatment.lines) - 1, day_cells(treatment.days)
        for i, (code, quantity) in enumerate(treatment.lines):
            head = treatment.treatment_class if i == 0 else "", self._burden, code
            points = treatment.points if i == last else ""
            amount = points, treatment.times, days
            rows.append(self.receipt.add(SS(*head, *amount) if quantity is None else IY(*head, number(quantity), *amount)))
        return rows


def write(ask: Ask, visit: DentalVisit) -> Written:
    """One 歯科 receipt."""
    return DentalReceipt(ask, visit).write()
