"""Invented hospitals, clinics and pharmacies. Members live mostly near their insurer's seat; university hospitals are shared by all."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from spark_jobs.claim_format.codes import check_digit
from spark_jobs.masters import shipped
from spark_jobs.synthetic.names import GIVEN_NAMES, SURNAMES

MEDICAL, DENTAL, PHARMACY, NURSING = "1", "3", "4", "6"  # 点数表
AT_SEAT, NEAR_SEAT = (
    0.7,
    0.2,
)  # share of members living in the prefecture of the seat, in its neighbours; the rest anywhere in the consortium
NEIGHBOURS = {
    "11": ("13", "12"), "12": ("13", "11"), "13": ("14", "11", "12"), "14": ("13",), "23": ("24", "21"), "27": ("28", "26"),
    "40": ("41", "43"), "01": ("01",),
}  # fmt: skip
PEOPLE_PER_HOSPITAL, PEOPLE_PER_CLINIC, PEOPLE_PER_PHARMACY, PEOPLE_PER_DENTIST = 900, 130, 120, 250
PLACE_STEMS = (
    "碧野", "星見", "朝凪", "霧島台", "白鷺", "琥珀", "千歳原", "若葉野", "蒼海", "月見原",
    "紅葉台", "椿森", "雪見", "陽光台", "桂原", "汐入台", "楓丘", "鈴鳴", "花影", "銀杏原",
)  # fmt: skip
TOWNS = (
    "架空町", "見本町", "仮名町", "想定町", "模擬町", "作例町",
)  # fmt: skip
SPECIALTIES = (
    "内科", "内科クリニック", "医院", "整形外科", "皮膚科クリニック", "眼科", "小児科", "ファミリークリニック",
)  # fmt: skip
# How a facility writes what it sends: mostly as the rules ask, some in half-width digits, with leading zeros, with large kana.
STYLES = ("plain",) * 7 + ("half_width", "leading_zero", "large_kana")


@dataclass(frozen=True)
class Facility:
    facility_code: str  # 10 digits
    name_ja: str
    kind: str  # university, hospital, clinic, pharmacy, dentist, nursing
    address_ja: str
    phone: str
    doctors: tuple[str, ...]
    biosimilar_tendency: float  # added to the log odds of a biosimilar start
    style: str
    has_management_fee: bool  # 調剤管理料 in CZ 58-62 (pharmacies)
    dispenses_in_house: bool  # 院内処方 (clinics)
    is_dpc: bool  # DPC対象病院: its stays are DPC receipts

    def __hash__(self) -> int:
        return hash(self.facility_code)

    @property
    def prefecture(self) -> str:
        return self.facility_code[:2]

    @property
    def institution_code(self) -> str:
        return self.facility_code[3:]


@dataclass(frozen=True)
class Town:
    """Facilities of one prefecture."""

    university: Facility
    hospitals: tuple[Facility, ...]
    clinics: tuple[Facility, ...]
    pharmacies: tuple[Facility, ...]
    dentists: tuple[Facility, ...]
    nursing: tuple[Facility, ...]

    @cached_property
    def all(self) -> tuple[Facility, ...]:
        return (self.university, *self.hospitals, *self.clinics, *self.pharmacies, *self.dentists, *self.nursing)


def homes(seat: str, consortium: tuple[str, ...]) -> dict[str, float]:
    """Where the members of an insurer with this seat live: prefecture → share."""
    share = dict.fromkeys(consortium, (1 - AT_SEAT - NEAR_SEAT) / len(consortium))
    near = NEIGHBOURS.get(seat, consortium)
    for prefecture in near:
        share[prefecture] = share.get(prefecture, 0.0) + NEAR_SEAT / len(near)
    share[seat] = share.get(seat, 0.0) + AT_SEAT
    return dict(sorted(share.items()))


def towns(seed: int, people_by_prefecture: Mapping[str, float]) -> dict[str, Town]:
    """Facilities of each prefecture, in number to the people who live there."""
    names = {p.prefecture_code: p.prefecture_ja for p in shipped.prefectures()}
    return {prefecture: _town(seed, prefecture, names[prefecture], people) for prefecture, people in sorted(people_by_prefecture.items())}


def _town(seed: int, prefecture: str, prefecture_ja: str, people: float) -> Town:
    rng = Random(f"{seed}/town/{prefecture}")
    taken: set[str] = set()

    def facility(kind: str, serial: int, suffix: str, tendency: float) -> Facility:
        while True:
            number = (len(taken) - 1) // len(PLACE_STEMS)
            name = rng.choice(PLACE_STEMS) + ("" if len(taken) < 3 * len(PLACE_STEMS) else f"第{_full_width(number)}") + suffix
            if name not in taken:
                taken.add(name)
                break
        fee_table = {"pharmacy": PHARMACY, "dentist": DENTAL, "nursing": NURSING}.get(kind, MEDICAL)
        body = f"{prefecture}{fee_table}{serial:06d}"
        return Facility(
            facility_code=f"{body}{check_digit(body)}",
            name_ja=name,
            kind=kind,
            address_ja=f"{prefecture_ja}{rng.choice(TOWNS)}{_full_width(rng.randint(1, 9))}－{_full_width(rng.randint(1, 30))}",
            phone=f"0{rng.randint(30, 89)}{rng.randint(2000000, 9999999)}",
            doctors=tuple(f"{rng.choice(SURNAMES)[0]}　{rng.choice(GIVEN_NAMES[rng.randint(1, 2)])[0]}" for _ in range(3)),
            biosimilar_tendency=round(tendency + rng.gauss(0, 0.6), 3),
            style=rng.choice(STYLES),
            has_management_fee=rng.random() < 0.4,
            dispenses_in_house=rng.random() < 0.15,
            is_dpc=kind == "university" or (kind == "hospital" and serial % 2 == 0),
        )

    def many(kind: str, first: int, per_facility: int, least: int, suffixes: tuple[str, ...], tendency: float) -> tuple[Facility, ...]:
        count = max(least, round(people / per_facility))
        return tuple(facility(kind, first + i, rng.choice(suffixes), tendency) for i in range(count))

    return Town(
        university=facility("university", 100001, "大学附属病院", 0.1),
        hospitals=many("hospital", 100101, PEOPLE_PER_HOSPITAL, 1, ("総合病院", "中央病院", "記念病院"), 0.0),
        clinics=many("clinic", 200001, PEOPLE_PER_CLINIC, 2, SPECIALTIES, -0.2),
        pharmacies=many("pharmacy", 400001, PEOPLE_PER_PHARMACY, 2, ("薬局", "調剤薬局", "ファーマシー"), 0.0),
        dentists=many("dentist", 300001, PEOPLE_PER_DENTIST, 1, ("歯科", "歯科医院", "歯科クリニック"), 0.0),
        nursing=(facility("nursing", 600001, "訪問看護ステーション", 0.0),),
    )


def _full_width(value: object) -> str:
    return str(value).translate(FULL_WIDTH)


FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
