"""What a receipt tells of: a month's visits to one hospital or clinic, or a month's prescriptions of one prescriber at one pharmacy."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from spark_jobs.synthetic.places import Facility


@dataclass(slots=True)
class Disease:
    code: str  # 0000999 = not coded, goes by name
    name_ja: str
    start: date
    is_suspected: bool = False


@dataclass(slots=True)
class Treatment:
    """One 剤: lines that share 回数; 点数 stands on the last. Codes that begin with 6 are drugs, the others 診療行為."""

    treatment_class: str  # 診療識別
    lines: list[tuple[str, Decimal | None]]  # code, 使用量
    points: int
    days: tuple[tuple[int, int], ...]  # (day, times)
    is_public: bool = False  # a public payer pays too: 負担区分 2
    comment: str = ""
    is_priced: bool = True  # every drug has a price in this month
    is_yen: bool = False  # 97 食事療養: 点数 are yen and not in the total

    @property
    def times(self) -> int:
        """回数: sum of the day fields."""
        return sum(times for _, times in self.days)

    @property
    def drugs_only(self) -> bool:
        return all(quantity is not None for _, quantity in self.lines)

    @property
    def total_points(self) -> int:
        return 0 if self.is_yen else self.points * self.times


@dataclass(slots=True)
class MedicalVisit:
    """医科 receipt: one facility, one month; a stay if `admission` is given."""

    facility: Facility
    law_number: str = ""  # 法別番号 of a public payer, or none
    admission: date | None = None
    days: set[int] = field(default_factory=set)
    diseases: list[Disease] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)


@dataclass(slots=True)
class Unit:
    """処方基本 SH: drugs taken alike, quantities of one unit of 調剤数量."""

    dosage_form: str  # 剤形: 1 内服, 4 注射, 5 外用 …
    drugs: list[tuple[str, Decimal]]
    points: int  # 単位薬剤料
    dispensed: list[tuple[int, int]]  # (処方箋受付回, 調剤数量)
    is_public: bool = False
    is_priced: bool = True


@dataclass(slots=True)
class PharmacyVisit:
    """調剤 receipt: one pharmacy, one prescriber, one month."""

    pharmacy: Facility
    prescriber: Facility
    law_number: str = ""
    receptions: list[int] = field(default_factory=list)  # day of each 処方箋受付
    units: list[Unit] = field(default_factory=list)


Visit = MedicalVisit | PharmacyVisit
