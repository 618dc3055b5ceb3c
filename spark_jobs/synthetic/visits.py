"""What a receipt tells of: a month's visits to one hospital, clinic or dentist, or what a pharmacy gave on one prescriber's slips."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from spark_jobs.synthetic.places import Facility

DRUG, MATERIAL = "6", "7"  # first digit of レセ電コード
INSURANCE = "1"  # 負担区分 of what only medical insurance pays


@dataclass(slots=True)
class Disease:
    code: str  # 0000999 = not coded, goes by name
    name_ja: str
    start: date
    is_suspected: bool = False


@dataclass(slots=True)
class Treatment:
    """One 剤: lines that share 回数; 点数 stands on the last. Codes that begin with 6 are drugs, with 7 materials, the others 診療行為."""

    treatment_class: str  # 診療識別
    lines: list[tuple[str, Decimal | None]]  # code, 使用量
    points: int
    days: tuple[tuple[int, int], ...]  # (day, times)
    is_public: bool = False  # the first public payer pays too
    comment: str = ""
    is_priced: bool = True  # every drug has a price in this month
    is_yen: bool = False  # 97 食事療養: 点数 are yen and not in the total
    is_bundled: bool = False  # paid by the bundle of a DPC stay: without points, in the coding data only

    @property
    def times(self) -> int:
        """回数: sum of the day fields."""
        return sum(times for _, times in self.days)

    @property
    def drugs_only(self) -> bool:
        return all(code[0] == DRUG for code, _ in self.lines)

    @property
    def total_points(self) -> int:
        return 0 if self.is_yen or self.is_bundled else self.points * self.times


@dataclass(slots=True)
class Payers:
    """Who pays beside the medical insurance, if anyone: the public payers by 法別番号, in the order of the law."""

    facility: Facility
    law_number: str = ""  # of the first public payer, or none
    second_law_number: str = ""  # of one that also pays what the first does not
    is_public_only: bool = False  # 公費単独: no medical insurance

    @property
    def laws(self) -> tuple[str, ...]:
        if not self.law_number:
            return ()
        return (self.law_number, self.second_law_number) if self.second_law_number else (self.law_number,)

    def burden(self, is_public: bool) -> str:
        """負担区分 of a line."""
        if self.is_public_only:
            return "5"
        if self.second_law_number:
            return "4" if is_public else "3"
        return "2" if is_public else INSURANCE

    def public_points(self, points: int, of_first: int) -> list[int]:
        """合計点数 of each KO: the first shares a part, the second all."""
        return [of_first, points][: len(self.laws)]


@dataclass(slots=True)
class MedicalVisit(Payers):
    """医科 receipt: one facility, one month; a stay if `admission` is given."""

    admission: date | None = None
    days: set[int] = field(default_factory=set)
    diseases: list[Disease] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """診断群分類: points a day by 入院期間, each up to a day of the stay."""

    dpc_code: str
    periods: tuple[tuple[int, int], ...]  # (last day of the period, points a day)


@dataclass(slots=True)
class Episode:
    """A block of a DPC receipt: a stay that the bundle pays, or (without a group) one by 医科 fees."""

    days: tuple[int, ...]
    treatments: list[Treatment]
    group: Group | None
    is_readmission: bool = False
    has_left: bool = True  # discharged, or left the DPC ward


@dataclass(slots=True)
class DpcVisit(Payers):
    """DPC receipt: one hospital, one month, one episode or several."""

    diseases: list[Disease] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    adjustment: int = 0  # 調整点数 of the first episode

    @property
    def days(self) -> set[int]:
        return {day for episode in self.episodes for day in episode.days}


@dataclass(slots=True)
class DentalVisit(Payers):
    """歯科 receipt: one dentist, one month."""

    days: set[int] = field(default_factory=set)
    diseases: list[Disease] = field(default_factory=list)
    tooth_codes: str = ""  # 歯式コード
    treatments: list[Treatment] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class NursingVisit(Payers):
    """訪問看護 receipt: one station, one month."""

    doctor: Facility  # whose order it is
    days: set[int] = field(default_factory=set)
    diseases: list[Disease] = field(default_factory=list)


@dataclass(slots=True)
class Unit:
    """処方基本 SH: drugs taken alike, quantities of one unit of 調剤数量."""

    dosage_form: str  # 剤形: 1 内服, 4 注射, 5 外用 …
    drugs: list[tuple[str, Decimal]]
    points: int  # 単位薬剤料
    dispensed: list[tuple[int, int]]  # (処方箋受付回, 調剤数量)
    is_public: bool = False
    is_priced: bool = True


@dataclass(slots=True, kw_only=True)
class PharmacyVisit(Payers):
    """調剤 receipt: one pharmacy (the facility), one prescriber, one month."""

    prescriber: Facility
    receptions: list[int] = field(default_factory=list)  # day of each 処方箋受付
    units: list[Unit] = field(default_factory=list)


Visit = MedicalVisit | DpcVisit | PharmacyVisit | DentalVisit | NursingVisit
