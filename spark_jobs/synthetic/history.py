"""The months of one person: which visits there were and what was done and given. Codes of procedures: the published sample's, those of
domain-supplement-drugs.md §C, or plainly invented ones (199990…)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from spark_jobs.synthetic import dpc_stay
from spark_jobs.synthetic.biologics import BIOSIMILAR_START_MONTHS, CHEMOTHERAPY, Course, Prescribing
from spark_jobs.synthetic.formulary import INDICATIONS, UNKNOWN_CODES, Formulary, Indication, OrdinaryGroup
from spark_jobs.synthetic.months import age_at, first_day, is_preschool, last_day
from spark_jobs.synthetic.people import LAST_AGE, Haunts, Person
from spark_jobs.synthetic.places import Facility
from spark_jobs.synthetic.visits import DentalVisit, Disease, MedicalVisit, NursingVisit, PharmacyVisit, Treatment, Unit, Visit

NOT_CODED = "0000999"
FIRST_VISIT, RETURN_VISIT, RETURN_MANAGEMENT, PRESCRIPTION_SLIP = (
    ("111000110", 291),
    ("112007410", 75),
    ("112011010", 52),
    ("120002910", 60),
)
IN_HOUSE_PRESCRIBING, IN_HOUSE_DISPENSING = ("120001210", 42), ("199990024", 11)
INJECTION_FEE, INFUSION_FEE, EYE_INJECTION_FEE = ("130000510", 20), ("199990033", 102), ("130012010", 580)
CHEMOTHERAPY_FEE, CHEMOTHERAPY_BIOSIMILAR_START = ("113038010", 700), ("113041670", 150)
SELF_INJECTION_FEE, SELF_INJECTION_DAILY_FEE, SELF_INJECTION_BIOSIMILAR_START = ("114040610", 650), ("114028410", 750), ("114049870", 150)
DAILY_INJECTIONS = ("somatropin", "teriparatide", "insulin_glargine", "insulin_lispro", "insulin_aspart")
WARD_FEE, MEAL_YEN = ("199990090", 1688), ("199990097", 670)
TESTS_CLASS = "60"
TESTS = (
    ("160008010", 21),
    ("160054710", 16),
    ("160000310", 26),
    ("160010010", 49),
    ("160061710", 34),
    ("160095710", 35),
    ("170000410", 85),
)

CHRONIC_BY_AGE = ((20, 0.06), (40, 0.18), (50, 0.4), (60, 0.58), (99, 0.72))  # up to this age, chance of a chronic illness
ACUTE_BY_AGE = ((7, 0.55), (20, 0.32), (99, 0.28))  # chance of an acute visit in a month
GENERIC_RATIO, GENERIC_GROWTH_PER_MONTH = 0.82, 0.002
STAY_PER_MONTH = 0.003  # for other reasons than a biologic
UNKNOWN_PER_RECEIPT = 0.004
LOCAL_CHILD_LAW, LOCAL_CHILD_RATIO = "83", 0.3  # 子ども医療費助成 as a public payer on the receipt
DENTAL_PER_MONTH, DENTAL_DRUGS_RATIO = 0.11, 0.25
DENTAL_FEES = (("399990011", 58), ("399990012", 100), ("399990013", 72), ("399990014", 188), ("399990015", 45))
DENTAL_FIRST = ("399990001", 264)
TEETH = (
    "101600",
    "101700",
    "102600",
    "103600",
    "104700",
)  # 歯式コード of single teeth; the last two digits are unconfirmed
PAIN_KILLERS = "114"  # 薬効分類
NURSED_FROM_AGE, NURSED_OF_1000 = 60, 12  # of members of that age
WELFARE_LAW, WELFARE_PER_VISIT = "12", 0.0007  # 生活保護 alone: no medical insurance on the receipt
OTHER_LOCAL_LAW, DESIGNATED_LAWS = "80", ("52", "54")  # a local scheme that pays what the scheme of a designated disease does not
OTHER_LOCAL_OF_10 = 2  # of ten persons
LATE_DELAYS = (979, 11, 6, 4)  # receipts of 1,000 that arrive 0, 1, 2, 3 months late


@dataclass(slots=True)
class Ailment:
    """A chronic illness: visits every `every` months, the same drugs each time."""

    indication: Indication
    drug_code: str
    amount: Decimal
    since: date


def _by_age(table: tuple[tuple[int, float], ...], age: int) -> float:
    return next(chance for until, chance in table if age < until)


class History:
    """Visits of one person, month by month."""

    def __init__(self, person: Person, places: Haunts, prescribing: Prescribing, forced: list[tuple[str, int]]):
        self.person, self.places, self.prescribing, self.formulary = person, places, prescribing, prescribing.formulary
        self.rng: Random = person.rng
        self.forced_months = {month_no for _, month_no in forced}
        self.courses: list[Course] = prescribing.courses(person, places, forced)
        self.generic_ratio = min(1.0, max(0.0, GENERIC_RATIO + self.rng.gauss(0, 0.12)))
        age = age_at(person.born, first_day(self.formulary.months[0]))
        self.ailments = self._ailments(age)
        self.every = self.rng.choice((1, 1, 1, 2, 2, 3))
        self.phase = self.rng.randrange(self.every)

    def _ailments(self, age: int) -> list[Ailment]:
        rng = self.rng
        if rng.random() >= _by_age(CHRONIC_BY_AGE, age):
            return []
        fitting = [
            i for i, indication in enumerate(INDICATIONS) if indication.is_chronic and indication.age_from <= age <= indication.age_to
        ]
        chosen = rng.sample(fitting, min(len(fitting), rng.choice((1, 1, 2, 2, 3)))) if fitting else []
        since = first_day(self.formulary.months[0]) - timedelta(days=rng.randint(30, 3000))
        return [Ailment(INDICATIONS[i], self._drug(i, 0), Decimal(rng.choice(INDICATIONS[i].amounts)), since) for i in sorted(chosen)]

    def _drug(self, indication_no: int, month_no: int) -> str:
        group: OrdinaryGroup = self.rng.choice(self.formulary.ordinary[indication_no])
        generic = group.generics and self.rng.random() < self.generic_ratio + GENERIC_GROWTH_PER_MONTH * month_no
        return self.rng.choice(group.generics if generic else group.brands).drug_code

    def months(self) -> Iterator[tuple[int, list[Visit]]]:
        """Month number and its visits; none when not a member."""
        first, last = self.person.enrolled
        for month_no in range(first, last + 1):
            if age_at(self.person.born, last_day(self.formulary.months[month_no])) > LAST_AGE:
                return
            visits = Month(self, month_no).visits()
            if visits:
                yield month_no, visits

    def delay(self, month_no: int) -> int:
        """Months by which a receipt comes late (月遅れ)."""
        chance = self.rng.randrange(1000)
        if month_no in self.forced_months:
            return 0
        for months, share in enumerate(LATE_DELAYS):
            if chance < share:
                return months
            chance -= share
        return 0


class Month:
    """One month of one person, put together visit by visit."""

    def __init__(self, history: History, month_no: int):
        self.history, self.month_no = history, month_no
        self.person, self.places, self.rng = history.person, history.places, history.rng
        self.formulary: Formulary = history.formulary
        self.month = self.formulary.months[month_no]
        self.age = age_at(self.person.born, last_day(self.month))
        preschool_payer = is_preschool(self.person.born, self.month) and int(self.person.recipient_no) % 100 < LOCAL_CHILD_RATIO * 100
        self.child_law = LOCAL_CHILD_LAW if preschool_payer else ""
        self.outpatient: dict[str, MedicalVisit] = {}
        self.stays: dict[str, MedicalVisit] = {}
        self.pharmacy: dict[tuple[str, str], PharmacyVisit] = {}

    def visits(self) -> list[Visit]:
        for course in self.history.courses:
            days = course.doses(self.month, last_day(self.month).toordinal(), self.rng)
            if days:
                self._biologic(course, days)
        if self.history.ailments and self.month_no % self.history.every == self.history.phase:
            self._chronic()
        if self.rng.random() < _by_age(ACUTE_BY_AGE, self.age + 1):
            self._acute()
        if self.rng.random() < STAY_PER_MONTH:
            self._stay(self.places.hospital, self.rng.randint(1, 16), Disease(NOT_CODED, "肺炎", first_day(self.month)))
        visits: list[MedicalVisit | PharmacyVisit] = [*self.stays.values(), *self.outpatient.values(), *self.pharmacy.values()]
        for visit in visits:
            self._add_payers(visit)
        billed = [*map(self._as_billed, self.stays.values()), *self.outpatient.values(), *self.pharmacy.values()]
        if self.person.paper_rng.random() < DENTAL_PER_MONTH and self.age > 2:
            billed.append(self._dental())
        if self.age >= NURSED_FROM_AGE and int(self.person.recipient_no) % 1000 < NURSED_OF_1000:
            billed.append(self._nursing())
        return billed

    def _dental(self) -> DentalVisit:
        """A month at the dentist, now and then with drugs dispensed there."""
        rng = self.person.paper_rng
        days = sorted(rng.sample(range(1, 29), rng.choice((1, 1, 2, 3))))
        start = first_day(self.month) + timedelta(days=days[0] - 1)
        disease = Disease(NOT_CODED, rng.choice(("う蝕第２度", "歯周炎", "急性歯髄炎")), start)
        is_public = bool(self.child_law)
        code, points = DENTAL_FIRST
        treatments = [Treatment("11", [(code, None)], points, ((days[0], 1),), is_public)]
        for code, points in rng.sample(DENTAL_FEES, rng.choice((1, 2, 3))):
            treatments.append(Treatment(rng.choice(("13", "40", "60")), [(code, None)], points, tuple((d, 1) for d in days), is_public))
        if rng.random() < DENTAL_DRUGS_RATIO:
            groups = self.formulary.ordinary[next(i for i, n in enumerate(INDICATIONS) if n.yakko_class_3 == PAIN_KILLERS)]
            drugs = [(rng.choice(rng.choice(groups).brands).drug_code, Decimal(3))]
            given = self.formulary.points(tuple(drugs), self.month_no)
            treatments.append(Treatment("21", list(drugs), given, ((days[0], rng.choice((2, 3))),), is_public))
        return DentalVisit(
            self.places.dentist, self.child_law, days=set(days), diseases=[disease], tooth_codes=rng.choice(TEETH), treatments=treatments
        )

    def _nursing(self) -> NursingVisit:
        """A month of weekly visits at home."""
        days = set(range(1 + self.person.person_no % 7, 29, 7))
        disease = Disease(NOT_CODED, "脳梗塞後遺症", first_day(self.month))
        return NursingVisit(self.places.nursing, doctor=self.places.clinic, days=days, diseases=[disease])

    def _as_billed(self, stay: MedicalVisit) -> Visit:
        """A stay in a DPC hospital becomes a DPC receipt; a forced use is not bundled, so that it shows in the figures."""
        if not stay.facility.is_dpc:
            return stay
        rng = self.person.paper_rng
        return dpc_stay.of_stay(stay, self.formulary, self.month_no, rng, all_apart=self.month_no in self.history.forced_months)

    def _add_payers(self, visit: MedicalVisit | PharmacyVisit) -> None:
        """A second public payer beside the first now and then; welfare alone where there was none, rarely and never with a biologic."""
        person, biologics = self.person, self.formulary.biologic_codes
        if visit.law_number in DESIGNATED_LAWS and int(person.recipient_no) % 10 < OTHER_LOCAL_OF_10:
            visit.second_law_number = OTHER_LOCAL_LAW
            for treatment in visit.treatments if isinstance(visit, MedicalVisit) else ():
                treatment.is_public = treatment.treatment_class != TESTS_CLASS  # not for the designated disease
        elif not visit.law_number and person.paper_rng.random() < WELFARE_PER_VISIT:
            parts: list[Treatment] | list[Unit] = visit.treatments if isinstance(visit, MedicalVisit) else visit.units
            codes = {code for part in parts for code, _ in (part.lines if isinstance(part, Treatment) else part.drugs)}
            if not codes & biologics.keys() and not (isinstance(visit, MedicalVisit) and visit.admission):
                visit.law_number, visit.is_public_only = WELFARE_LAW, True
                for part in parts:
                    part.is_public = True

    # --- what a visit is made of

    def _at(self, facility: Facility, day: int, law: str, disease: Disease, is_new: bool = False) -> MedicalVisit:
        """The month's outpatient receipt of this facility, with the fee of a visit on this day."""
        visit = self.outpatient.get(facility.facility_code)
        if visit is None:
            visit = self.outpatient[facility.facility_code] = MedicalVisit(facility, law or self.child_law)
        visit.law_number = visit.law_number or law
        if all(d.name_ja != disease.name_ja for d in visit.diseases):
            visit.diseases.append(disease)
        if day not in visit.days:
            visit.days.add(day)
            if is_new and len(visit.days) == 1:
                self._do(visit, "11", FIRST_VISIT, day)
            else:
                self._do(visit, "12", RETURN_VISIT, day)
                if facility.kind == "clinic":
                    self._do(visit, "12", RETURN_MANAGEMENT, day)
        return visit

    def _do(self, visit: MedicalVisit, treatment_class: str, procedure: tuple[str, int], *days: int) -> None:
        code, points = procedure
        visit.treatments.append(Treatment(treatment_class, [(code, None)], points, tuple((d, 1) for d in days), bool(visit.law_number)))

    def _give(self, visit: MedicalVisit, treatment_class: str, drugs: list[tuple[str, Decimal]], days: tuple[tuple[int, int], ...]) -> None:
        points = self.formulary.points(tuple(drugs), self.month_no)
        visit.treatments.append(Treatment(treatment_class, list(drugs), points, days, bool(visit.law_number)))

    def _prescribe(self, pharmacy: Facility, prescriber: Facility, day: int, law: str) -> tuple[PharmacyVisit, int]:
        """The month's receipt of this pharmacy for this prescriber; the number of the prescription (受付回)."""
        key = pharmacy.facility_code, prescriber.facility_code
        visit = self.pharmacy.get(key)
        if visit is None:
            visit = self.pharmacy[key] = PharmacyVisit(pharmacy, law or self.child_law, prescriber=prescriber)
        visit.law_number = visit.law_number or law
        if day not in visit.receptions:
            visit.receptions.append(day)
        return visit, visit.receptions.index(day) + 1

    def _stay(self, hospital: Facility, day: int, disease: Disease, law: str = "") -> MedicalVisit:
        """The month's inpatient receipt of this hospital: ward fee and meals for some days."""
        stay = self.stays.get(hospital.facility_code)
        if stay is None:
            nights = tuple(range(day, min(28, day + self.rng.randint(2, 9)) + 1))
            admission = first_day(self.month) + timedelta(days=day - 1)
            stay = MedicalVisit(hospital, law or self.child_law, admission=admission, days=set(nights))
            self.stays[hospital.facility_code] = stay
            self._do(stay, "90", WARD_FEE, *nights)
            for test in self.rng.sample(TESTS, 2):
                self._do(stay, "60", test, day)
            code, yen = MEAL_YEN
            stay.treatments.append(Treatment("97", [(code, None)], yen, tuple((d, 3) for d in nights), bool(stay.law_number), is_yen=True))
        if all(d.name_ja != disease.name_ja for d in stay.diseases):
            stay.diseases.append(disease)
        return stay

    # --- why people come

    def _biologic(self, course: Course, days: list[int]) -> None:
        regimen = course.regimen
        ratio = self.history.prescribing.ratio(regimen, self.month_no, course.facility)
        course.decide(self.month_no, ratio, self.history.prescribing.action, self.formulary, self.rng)
        products = [(code, Decimal(units)) for code, units in course.products(self.month_no)]
        if not products:
            return
        disease = Disease(NOT_CODED, regimen.disease_ja, course.start)
        if self.rng.random() < regimen.inpatient_ratio:
            stay = self._stay(
                course.facility if course.facility.kind != "clinic" else self.places.hospital, min(days[0], 20), disease, course.law_number
            )
            day = min(stay.days)
            in_stay = tuple((d, 1) for d in range(day, day + regimen.days_in_row) if d in stay.days)
            self._give(stay, "33" if regimen.route == "infusion" else "31", products, in_stay)
            return
        starts_biosimilar = course.is_biosimilar and self.month_no - course.biosimilar_since < BIOSIMILAR_START_MONTHS
        if regimen.route == "self_injection":
            self._self_injection(course, days, products, disease, starts_biosimilar)
            return
        for day in days:
            in_row = [d for d in range(day, day + regimen.days_in_row) if d <= last_day(self.month).day]
            for d in in_row:
                visit = self._at(course.facility, d, course.law_number, disease)
            if regimen.route == "intravitreal":
                self._do(visit, "33", EYE_INJECTION_FEE, day)
                self._give(visit, "33", products, ((day, 1),))
                continue
            if regimen.ingredient_key in CHEMOTHERAPY:
                self._do(visit, "13", CHEMOTHERAPY_FEE, day)
                if starts_biosimilar and day == days[0]:
                    self._do(visit, "13", CHEMOTHERAPY_BIOSIMILAR_START, day)
                self._do(visit, "60", self.rng.choice(TESTS), day)
            elif regimen.route == "infusion":
                self._do(visit, "33", INFUSION_FEE, day)
            else:
                self._do(visit, "31", INJECTION_FEE, *in_row)
            self._give(visit, "33" if regimen.route == "infusion" else "31", products, tuple((d, 1) for d in in_row))

    def _self_injection(
        self, course: Course, days: list[int], products: list[tuple[str, Decimal]], disease: Disease, starts_biosimilar: bool
    ) -> None:
        """C101 at the prescriber; the drug there (在宅) or at a pharmacy (院外処方): then only the pharmacy's receipt holds it."""
        visit = self._at(course.facility, days[0], course.law_number, disease)
        is_daily = course.regimen.ingredient_key in DAILY_INJECTIONS
        if not any(code in (SELF_INJECTION_FEE[0], SELF_INJECTION_DAILY_FEE[0]) for t in visit.treatments for code, _ in t.lines):
            self._do(visit, "14", SELF_INJECTION_DAILY_FEE if is_daily else SELF_INJECTION_FEE, days[0])
        if starts_biosimilar:
            self._do(visit, "14", SELF_INJECTION_BIOSIMILAR_START, days[0])
        if self.rng.random() < 0.4:
            self._do(visit, "60", self.rng.choice(TESTS), days[0])
        for day in days:
            if day not in visit.days:
                self._at(course.facility, day, course.law_number, disease)
            if course.pharmacy is None:
                self._give(visit, "14", products, ((day, 1),))
            else:
                receipt, reception = self._prescribe(course.pharmacy, course.facility, day, course.law_number)
                points = self.formulary.points(tuple(products), self.month_no)
                receipt.units.append(Unit("4", list(products), points, [(reception, 1)], bool(receipt.law_number)))

    def _chronic(self) -> None:
        ailments, clinic, rng = self.history.ailments, self.places.clinic, self.rng
        day = rng.randint(1, 26)
        for ailment in ailments:
            visit = self._at(clinic, day, "", Disease(ailment.indication.disease_code, ailment.indication.disease_ja, ailment.since))
        if rng.random() < 0.3:
            self._do(visit, "60", rng.choice(TESTS), day)
        if rng.random() < 0.04:
            self._remark(visit, day)
        days_of_supply = 28 * self.history.every
        once_daily = [(a.drug_code, a.amount) for a in ailments]
        # Two prescriptions of the same drugs in a month (14 days each): one SH with two CZ.
        is_split = self.history.every == 1 and day <= 13 and rng.random() < 0.06
        self._hand_out(visit, clinic, day, once_daily, 14 if is_split else days_of_supply, again=day + 14 if is_split else None)

    def _remark(self, visit: MedicalVisit, day: int) -> None:
        """屯服 under a comment that alone carries 診療識別 (seen in real data)."""
        indication_no = next(i for i, indication in enumerate(INDICATIONS) if indication.yakko_class_3 == "114")
        drugs = [(self.history._drug(indication_no, self.month_no), Decimal(1))]
        self._give(visit, "22", drugs, ((day, self.rng.choice((5, 10))),))
        visit.treatments[-1].comment = "疼痛時"

    def _hand_out(
        self, visit: MedicalVisit, clinic: Facility, day: int, drugs: list[tuple[str, Decimal]], days: int, *,
        is_external: bool = False, again: int | None = None,
    ) -> None:  # fmt: skip
        """A prescription: 院内 at a clinic that dispenses, else at the pharmacy. 内服: amount a day, for `days`; 外用: total, once."""
        times = 1 if is_external else days
        if clinic.dispenses_in_house:
            self._give(visit, "23" if is_external else "21", drugs, ((day, times),))
            self._do(visit, "24", IN_HOUSE_DISPENSING, day)
            self._do(visit, "25", IN_HOUSE_PRESCRIBING, day)
            return
        receipt, reception = self._prescribe(self.places.pharmacy, clinic, day, "")
        self._do(visit, "80", PRESCRIPTION_SLIP, day)
        points = self.formulary.points(tuple(drugs), self.month_no)
        unit = Unit("5" if is_external else "1", drugs, points, [(reception, times)], bool(receipt.law_number))
        receipt.units.append(unit)
        if again is not None:
            self._at(clinic, again, "", visit.diseases[0])
            self._do(visit, "80", PRESCRIPTION_SLIP, again)
            unit.dispensed.append((self._prescribe(self.places.pharmacy, clinic, again, "")[1], times))
        if self.rng.random() < UNKNOWN_PER_RECEIPT:
            code = self.rng.choice(UNKNOWN_CODES)
            receipt.units.append(
                Unit("1", [(code, Decimal(3))], self.rng.randint(3, 40), [(reception, 7)], bool(receipt.law_number), False)
            )

    def _acute(self) -> None:
        rng = self.rng
        fitting = [i for i, n in enumerate(INDICATIONS) if not n.is_chronic and n.age_from <= self.age <= n.age_to]
        chosen = rng.sample(fitting, min(len(fitting), rng.choice((1, 2, 2))))
        clinic = self.places.clinic if rng.random() < 0.6 else self.places.other_clinic
        day = rng.randint(1, 28)
        start = first_day(self.month) + timedelta(days=day - 1)
        is_suspected = rng.random() < 0.1
        for i in chosen:
            disease = Disease(INDICATIONS[i].disease_code, INDICATIONS[i].disease_ja, start)
            visit = self._at(clinic, day, "", disease, is_new=True)
        if is_suspected:
            visit.diseases.append(Disease(NOT_CODED, "インフルエンザ", start, is_suspected=True))
            self._do(visit, "60", rng.choice(TESTS), day)
        days = rng.choice((4, 5, 7))
        internal = [
            (self.history._drug(i, self.month_no), Decimal(rng.choice(INDICATIONS[i].amounts)))
            for i in chosen
            if not INDICATIONS[i].is_external
        ]
        if internal:
            self._hand_out(visit, clinic, day, internal, days)
        for i in chosen:
            if INDICATIONS[i].is_external:
                drugs = [(self.history._drug(i, self.month_no), Decimal(rng.choice(INDICATIONS[i].amounts)))]
                self._hand_out(visit, clinic, day, drugs, 1, is_external=True)
        if rng.random() < UNKNOWN_PER_RECEIPT:
            code, points = rng.choice(UNKNOWN_CODES), rng.randint(5, 60)
            visit.treatments.append(Treatment("31", [(code, Decimal("1.5"))], points, ((day, 1),), bool(visit.law_number), is_priced=False))
