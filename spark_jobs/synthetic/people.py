"""The invented members of an insurer, each derived from the seed and a running number: nothing is kept, so any scale fits."""

from dataclasses import dataclass, field
from datetime import date
from random import Random

from spark_jobs.synthetic.names import GIVEN_NAMES, SMALL_KANA_TO_LARGE, SURNAMES
from spark_jobs.synthetic.places import FULL_WIDTH, Facility, Town

HOUSEHOLD_PATTERNS = ((1, 4), (2, 3), (1, 1, 3), (2, 1, 2), (1, 2, 2), (1, 1, 1, 2))  # five running numbers make a few households
NUMBERS_PER_PATTERN = 5
LAST_AGE = 74  # from 75 on a person belongs to 後期高齢者医療
INCOME_CLASSES = ["ア", "イ", "ウ", "エ", "オ"]  # 適用区分 → 特記事項 26-30
INCOME_WEIGHTS = (3, 10, 45, 37, 5)
UNIVERSITY_RATIO = 0.6  # of people whose hospital is the university's
CAPITAL_RATIO = 0.35  # of people around the capital whose hospital is its university's
NUMBER_DIGITS = 11  # long on purpose: a search for leaked numbers must not hit others by chance


@dataclass(slots=True)
class Person:
    insurer_number: str
    person_no: int
    name: str
    kana: str
    symbol: str  # 記号
    number: str  # 番号, full width
    branch_no: str  # 枝番: 00 the insured, 01 … the family
    born: date
    sex: int
    phone: str
    recipient_no: str  # 受給者番号 of a public payer
    income_class: int  # 0-4 = 区ア-区オ
    prefecture: str
    enrolled: tuple[int, int]  # first and last month number of membership
    rng: Random  # of the course of life
    paper_rng: Random  # of the paperwork: returns, coding, further payers, visits to a dentist
    charts: dict[str, str] = field(default_factory=dict)  # facility → カルテ番号, as used

    @property
    def is_insured(self) -> bool:
        """本人."""
        return self.branch_no == "00"

    def chart_at(self, facility: Facility) -> str:
        if facility.facility_code not in self.charts:
            self.charts[facility.facility_code] = f"K{self.insurer_number[2:5]}{self.person_no:07d}-{facility.facility_code[6:]}"
        return self.charts[facility.facility_code]

    def kana_as_written(self, style: str) -> str:
        return self.kana.translate(SMALL_KANA_TO_LARGE) if style == "large_kana" else self.kana

    def number_as_written(self, style: str) -> str:
        if style == "half_width":
            return self.number.translate(HALF_WIDTH)
        return "０" + self.number if style == "leading_zero" else self.number

    @property
    def wrong_number(self) -> str:
        """A 番号 that nobody has, as somebody mistyped it: the last digit is another one."""
        return self.number[:-1] + str((int(self.number[-1]) + 1) % 10).translate(FULL_WIDTH)

    def symbol_as_written(self, style: str) -> str:
        return self.symbol.translate(HALF_WIDTH) if style == "half_width" else self.symbol


HALF_WIDTH = {full: half for half, full in FULL_WIDTH.items()}


@dataclass(frozen=True)
class Membership:
    """What all members of an insurer share."""

    seed: int
    insurer_number: str
    symbol_prefix: str
    count: int
    months: tuple[int, ...]
    homes: dict[str, float]  # prefecture → share

    def person(self, person_no: int) -> Person:
        """Member `person_no`, counted from 1."""
        pattern_no, place = divmod(person_no - 1, NUMBERS_PER_PATTERN)
        household_rng = Random(f"{self.seed}/{self.insurer_number}/household/{pattern_no}")
        first = 0
        for household_no, size in enumerate(household_rng.choice(HOUSEHOLD_PATTERNS)):
            household_seed = household_rng.getrandbits(64)
            if place < first + size:
                return self._member(person_no, pattern_no * NUMBERS_PER_PATTERN + household_no, household_seed, place - first)
            first += size
        raise AssertionError("patterns have five places")

    def _member(self, person_no: int, household_no: int, household_seed: int, place: int) -> Person:
        home = Random(household_seed)
        surname, surname_kana = home.choice(SURNAMES)
        prefecture = home.choices(tuple(self.homes), tuple(self.homes.values()))[0]
        workplace = home.randint(1, max(3, self.count // 60))
        number = str(7 * 10 ** (NUMBER_DIGITS - 1) + home.randrange(10**6) * 10**4 + household_no % 10**4).translate(FULL_WIDTH)
        income_class = home.choices(range(5), INCOME_WEIGHTS)[0]
        insured_age, insured_sex = round(home.triangular(20, LAST_AGE + 1, 44)), home.choice((1, 1, 1, 2, 2))
        rng = Random(f"{self.seed}/{self.insurer_number}/person/{person_no}")
        if place == 0:
            age, sex = insured_age, insured_sex
        elif place == 1:
            age, sex = min(LAST_AGE, max(19, insured_age + rng.randint(-5, 4))), 3 - insured_sex
        else:
            age, sex = max(0, min(22, insured_age - 27) - 3 * (place - 2) - rng.randint(0, 2)), rng.choice((1, 2))
        first_year, first_month = divmod(self.months[0], 100)
        born = date.fromordinal(date(first_year - age, first_month, 1).toordinal() - rng.randint(1, 364))
        given, given_kana = rng.choice(GIVEN_NAMES[sex])
        last_month = len(self.months) - 1
        chance = rng.random()
        enrolled = (
            (rng.randint(0, last_month), last_month) if chance < 0.04 else (0, rng.randint(0, last_month) if chance > 0.96 else last_month)
        )
        return Person(
            insurer_number=self.insurer_number,
            person_no=person_no,
            name=f"{surname}　{given}",
            kana=surname_kana + given_kana,
            symbol=self.symbol_prefix + str(workplace).translate(FULL_WIDTH),
            number=number,
            branch_no=f"{place:02d}",
            born=born,
            sex=sex,
            phone=f"090{rng.randint(10000000, 99999999)}",
            recipient_no=f"{rng.randint(1, 9999999):07d}",
            income_class=income_class,
            prefecture=prefecture,
            enrolled=enrolled,
            rng=rng,
            paper_rng=Random(f"{self.seed}/{self.insurer_number}/paper/{person_no}"),
        )


@dataclass(frozen=True)
class Haunts:
    """Where a person goes: usual clinic, another one, hospital, pharmacies."""

    clinic: Facility
    other_clinic: Facility
    hospital: Facility
    pharmacy: Facility
    hospital_pharmacy: Facility
    dentist: Facility
    nursing: Facility


def haunts(person: Person, towns: dict[str, Town]) -> Haunts:
    """Chosen by the person's own generator; the capital's university hospital takes patients from around it."""
    rng, town = person.rng, towns[person.prefecture]
    hospital = town.university if rng.random() < UNIVERSITY_RATIO else rng.choice(town.hospitals)
    if person.prefecture in ("11", "12", "14") and "13" in towns and rng.random() < CAPITAL_RATIO:
        hospital = towns["13"].university
    clinic, other_clinic = rng.choice(town.clinics), rng.choice(town.clinics)
    pharmacy, hospital_pharmacy = rng.choice(town.pharmacies), rng.choice(town.pharmacies)
    return Haunts(clinic, other_clinic, hospital, pharmacy, hospital_pharmacy, person.paper_rng.choice(town.dentists), town.nursing[0])
