"""調剤 receipts in the insurer form; identities 6, 7, 8, 10 and 11 of receipt-formats.md §7 hold by construction.

8 is stated for receipts whose CZ has nothing after pos 54. Some pharmacies here fill 調剤管理料 (pos 58-62):
those points are in the total too.
"""

from dataclasses import replace
from datetime import date, timedelta

from spark_jobs.claim_format import layouts
from spark_jobs.synthetic.formulary import Formulary
from spark_jobs.synthetic.lines import number, template
from spark_jobs.synthetic.months import first_day
from spark_jobs.synthetic.visits import PharmacyVisit, Unit
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

KIND = "pha"
RE = template(
    KIND, "RE", "receipt_no", "receipt_type", "treatment_month", "patient_name", "sex", "birth_date", "special_notes",
    "prescriber_prefecture", "prescriber_fee_table", "prescriber_institution_code", "prescriber_institution_name",
    "prescriber_institution_address", "doctor_name_1", "doctor_name_2", "doctor_name_3", "chart_no", "search_no", "patient_name_kana",
)  # fmt: skip
HO = template(KIND, "HO", "insurer_number", "insured_symbol", "insured_number", "prescription_count", "total_points", "copay_amount")
KO = template(KIND, "KO", "public_payer_number", "recipient_number", "prescription_count", "total_points")
SH = template(
    KIND,
    "SH",
    "prescription_no",
    "dosage_form",
    "usage_code",
    "special_instruction",
    "unit_drug_points",
    "public_1_unit_drug_points",
    "public_2_unit_drug_points",
)
CZ_NAMES = (
    "doctor_no", "prescription_date", "dispensing_date", "reception_no", "dispensed_quantity", "dispensing_fee_burden_class",
    "dispensing_fee_charge_class", "dispensing_fee_target_no", "dispensing_fee_code", "dispensing_fee_points", "drug_points",
)  # fmt: skip
CZ = template(KIND, "CZ", *CZ_NAMES)
MANAGED_CZ = template(
    KIND, "CZ", *CZ_NAMES, "management_fee_burden_class", "management_fee_target_no", "management_fee_points",
    management_fee_charge_class=1, management_fee_code="499990004",
)  # fmt: skip
IY = template(KIND, "IY", "burden_class", "drug_code", "quantity")
CO = template(KIND, "CO", "comment_code", "comment_text")
TK = template(KIND, "TK", "comment_code", "comment_text")
KI = template(
    KIND, "KI", "charge_date", "reception_no", "base_fee_burden_class", "base_fee_points", "pharm_fee_1_burden_class", "pharm_fee_1_points",
    "base_fee_addition_1_burden_class", "base_fee_addition_1_code", "base_fee_addition_1_points",
    base_fee_code="499990001", pharm_fee_1_code="499990002",
)  # fmt: skip
QUANTITY_POSITION = str(layouts.record(KIND, "IY").pos("quantity"))
DISPENSED_POSITION = str(layouts.record(KIND, "CZ").pos("dispensed_quantity"))
FEE_CODES = {"1": "499990011", "4": "499990014", "5": "499990015"}  # 薬剤調製料 by 剤形, invented
FEE_POINTS = {"1": 24, "4": 26, "5": 10}
CHARGED_UNITS = 3  # 内服: three units of a reception are charged
USAGE = {"1": "003", "4": "900", "5": "900"}
BASE_FEE, GUIDANCE_FEE = 45, 45
GENERIC_ADDITION, GENERIC_ADDITION_CODE = 30, "499990003"
MANAGEMENT_BY_DAYS = ((7, 4), (14, 28), (28, 50), (999, 60))
NONE = ("", "")
NOTE_PER_RECEIPT = 0.012  # free text that names the person


class PharmacyReceipt:
    """One receipt while it is written."""

    def __init__(self, ask: Ask, visit: PharmacyVisit, formulary: Formulary, month_no: int):
        self.ask, self.visit, self.formulary, self.month_no = ask, visit, formulary, month_no
        self.person, self.rng = ask.person, ask.person.rng
        self.receipt = open_receipt(KIND, visit.facility, ask)
        self.is_all_public = bool(visit.laws) and all(u.is_public for u in visit.units)
        self.ho_row = 0
        self.ko_rows: list[int] = []
        self.sh_rows: list[int] = []
        self.cz_rows: list[list[int]] = []
        self.iy_rows: list[list[int]] = []
        self.co_rows: list[list[int]] = []
        self.ki_rows: list[int] = []
        self.fees = [self._fees(i) for i in range(len(visit.units))]

    def write(self) -> Written:
        units = self.visit.units
        points, public_points = self._totals(units)
        self._head(points, public_points)
        for i in range(len(units)):
            self._unit(i)
        if self.rng.random() < NOTE_PER_RECEIPT:
            self.receipt.add(TK(FREE_TEXT_COMMENT, f"{self.person.name}様電話{self.person.phone}へ連絡済"))
        for reception in range(1, len(self.visit.receptions) + 1):
            self.ki_rows.append(self.receipt.add(self._ki(reception, GENERIC_ADDITION)))
        decided_units, decided = self._correct(points, public_points) if self.ask.is_to_correct else (units, points)
        text = self.receipt.close(self.ask.claim_month)
        drugs = [(code, quantity * sum(n for _, n in unit.dispensed)) for unit in decided_units for code, quantity in unit.drugs]
        return Written(text, self.receipt.lines, points, decided, bool(self.receipt.corrections), drugs)

    def _fees(self, i: int) -> list[tuple[int, int, int]]:
        """算定区分, 薬剤調製料, 調剤管理料 of each dispensing of unit i."""
        unit, found = self.visit.units[i], []
        for reception, quantity in unit.dispensed:
            before = sum(u.dosage_form == unit.dosage_form for u in self.visit.units[:i] if any(r == reception for r, _ in u.dispensed))
            charged = before < CHARGED_UNITS
            is_first = not any(r == reception for u in self.visit.units[:i] for r, _ in u.dispensed)
            management = 0
            if self.visit.facility.has_management_fee and is_first:
                management = next(fee for days, fee in MANAGEMENT_BY_DAYS if quantity <= days) if unit.dosage_form == "1" else 4
            found.append((1 if charged else 2, FEE_POINTS[unit.dosage_form] if charged else 0, management))
        return found

    def _unit_points(self, unit: Unit, i: int) -> int:
        if not unit.drugs:
            return 0
        return sum(unit.points * quantity for _, quantity in unit.dispensed) + sum(fee + management for _, fee, management in self.fees[i])

    def _totals(self, units: list[Unit], additions: int | None = None) -> tuple[int, int]:
        """Points in all, and those that the first public payer shares."""
        visits = len(self.visit.receptions)
        fees = (BASE_FEE + GUIDANCE_FEE) * visits + (GENERIC_ADDITION * visits if additions is None else additions)
        of_unit = [self._unit_points(unit, i) for i, unit in enumerate(units)]
        public = sum(p for p, unit in zip(of_unit, units, strict=True) if unit.is_public) + (fees if self.is_all_public else 0)
        return sum(of_unit) + fees, public

    def _head(self, points: int, public_points: int) -> None:
        person, visit, month, receipt = self.person, self.visit, self.ask.service_month, self.receipt
        prescriber, pharmacy = visit.prescriber, visit.facility
        notes, copay_info_class, self.copay = high_cost(person, month, points)
        receipt.add(
            RE(
                self.rng.randint(1, 2999),
                receipt_type("4", person, month, visit, is_inpatient=False),
                self.ask.month(month),
                person.name,
                person.sex,
                self.ask.day(person.born),
                notes,
                prescriber.prefecture,
                prescriber.facility_code[2],
                prescriber.institution_code,
                prescriber.name_ja,
                prescriber.address_ja,
                *prescriber.doctors,
                person.chart_at(pharmacy),
                self.ask.first_search_no,
                person.kana_as_written(pharmacy.style),
            )
        )
        if not visit.is_public_only:
            self.ho_row = receipt.add(self._ho(points))
        self.ko_rows = [receipt.add(ko) for ko in self._kos(points, public_points)]
        add_checks(receipt, self.ask, visit, set(visit.receptions), copay_info_class)

    def _ho(self, points: int) -> str:
        person, style = self.person, self.visit.facility.style
        symbol, insured_number = person.symbol_as_written(style), person.number_as_written(style)
        return HO(f"{person.insurer_number:>8}", symbol, insured_number, len(self.visit.receptions), points, self.copay)

    def _kos(self, points: int, public_points: int) -> list[str]:
        visit, person = self.visit, self.person
        shared = zip(visit.laws, visit.public_points(points, public_points), strict=True)
        return [KO(payer_number(law, person.prefecture), person.recipient_no, len(visit.receptions), of_payer) for law, of_payer in shared]

    def _sh(self, i: int, unit: Unit) -> str:
        instruction = f"{self.person.name}様用" if self.person.person_no % 97 == 0 else ""
        of_payers = [unit.points if unit.is_public else "", unit.points][: len(self.visit.laws)]
        return SH(f"{i + 1:02d}", unit.dosage_form, USAGE[unit.dosage_form], instruction, unit.points, *of_payers, *NONE[len(of_payers) :])

    def _cz(self, i: int, unit: Unit, k: int) -> str:
        reception, quantity = unit.dispensed[k]
        charge_class, fee, management = self.fees[i][k]
        day, burden = self._day(reception), self.visit.burden(unit.is_public)
        cells = (
            1,
            day,
            day,
            reception,
            quantity,
            burden,
            charge_class,
            f"{i + 1:02d}",
            FEE_CODES[unit.dosage_form],
            fee,
            unit.points * quantity,
        )
        return MANAGED_CZ(*cells, burden, f"{i + 1:02d}", management) if management else CZ(*cells)

    def _day(self, reception: int) -> str:
        day: date = first_day(self.ask.service_month) + timedelta(days=self.visit.receptions[reception - 1] - 1)
        return self.ask.day(day)

    def _iy(self, unit: Unit, k: int) -> str:
        code, quantity = unit.drugs[k]
        return IY(self.visit.burden(unit.is_public), code, number(quantity))

    def _ki(self, reception: int, addition: int) -> str:
        burden = self.visit.burden(self.is_all_public)
        added = (burden, GENERIC_ADDITION_CODE, addition) if addition else ("", "", "")
        return KI(self._day(reception), reception, burden, BASE_FEE, burden, GUIDANCE_FEE, *added)

    def _unit(self, i: int) -> None:
        unit, receipt = self.visit.units[i], self.receipt
        self.sh_rows.append(receipt.add(self._sh(i, unit)))
        self.cz_rows.append([receipt.add(self._cz(i, unit, k)) for k in range(len(unit.dispensed))])
        self.iy_rows.append([receipt.add(self._iy(unit, k)) for k in range(len(unit.drugs))])
        noted = self.rng.random() < NOTE_PER_RECEIPT
        self.co_rows.append([receipt.add(CO(FREE_TEXT_COMMENT, f"{self.person.name}様へ説明"))] if noted else [])

    # --- corrections of the review body

    def _correct(self, points: int, public_points: int) -> tuple[list[Unit], int]:
        """One correction; HO and KO replaced with what then adds up. The decided units and points."""
        units, receipt, rng = self.visit.units, self.receipt, self.rng
        i, additions = rng.randrange(len(units)), None
        unit, decided = units[i], list(units)
        lower = [k for k, (_, quantity) in enumerate(unit.drugs) if quantity >= 2] if unit.is_priced else []
        shorter = [k for k, (_, quantity) in enumerate(unit.dispensed) if quantity >= 7 and not self.visit.facility.has_management_fee]
        choices = ["fee"] + ["unit"] * (len(units) > 1) + ["quantity"] * bool(lower) + ["days"] * bool(shorter)
        choice = rng.choice(choices)
        if choice == "unit":
            for row in (self.sh_rows[i], *self.cz_rows[i], *self.iy_rows[i], *self.co_rows[i]):
                receipt.delete(row, "A")
            decided[i] = replace(unit, drugs=[])
        elif choice == "quantity":
            k = rng.choice(lower)
            drugs = list(unit.drugs)
            drugs[k] = (drugs[k][0], drugs[k][1] - 1)
            decided[i] = replace(unit, drugs=drugs, points=self.formulary.points(tuple(drugs), self.month_no))
            receipt.replace(self.sh_rows[i], self._sh(i, decided[i]))
            for n, row in enumerate(self.cz_rows[i]):
                receipt.replace(row, self._cz(i, decided[i], n))
            receipt.replace(self.iy_rows[i][k], self._iy(decided[i], k), "B", QUANTITY_POSITION)
        elif choice == "days":
            k = rng.choice(shorter)
            dispensed = list(unit.dispensed)
            dispensed[k] = (dispensed[k][0], dispensed[k][1] // 2)
            decided[i] = replace(unit, dispensed=dispensed)
            receipt.replace(self.cz_rows[i][k], self._cz(i, decided[i], k), "B", DISPENSED_POSITION)
        else:
            additions = GENERIC_ADDITION * (len(self.ki_rows) - 1)
            receipt.insert(self.ki_rows[0], TK(FREE_TEXT_COMMENT, "加算の要件を満たさない"))
            receipt.replace(self.ki_rows[0], self._ki(1, 0), "D")
        decided_points, decided_public = self._totals(decided, additions)
        receipt.replace(self.ho_row, self._ho(decided_points))
        before, after = self._kos(points, public_points), self._kos(decided_points, decided_public)
        for row, old, new in zip(self.ko_rows, before, after, strict=True):
            if new != old:
                receipt.replace(row, new)
        return decided, decided_points


def write(ask: Ask, visit: PharmacyVisit, formulary: Formulary, month_no: int) -> Written:
    """One 調剤 receipt."""
    return PharmacyReceipt(ask, visit, formulary, month_no).write()
