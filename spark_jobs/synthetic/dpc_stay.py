"""How a DPC hospital bills a stay: the days of each episode, what the bundle pays, what is paid apart (出来高). Groups are invented."""

from dataclasses import replace
from decimal import Decimal
from random import Random
from zlib import crc32

from spark_jobs.synthetic.formulary import INDICATIONS, Formulary
from spark_jobs.synthetic.visits import DRUG, DpcVisit, Episode, Group, MedicalVisit, Treatment

GROUPS = (
    Group("990010xx99x0xx", ((3, 3105), (7, 2210), (30, 1790))),
    Group("990020xx99x1xx", ((5, 2841), (11, 2098), (60, 1655))),
    Group("990030xx97x0xx", ((2, 3342), (5, 2513), (30, 1904))),
)
READMISSION, MOVE = 0.12, 0.24  # of the stays that are long enough: readmitted; moved (the rest up to this ratio)
LONG_ENOUGH = 5  # days
OPERATION, OPERATION_NAME = ("199990050", 4860), "架空の手術"
MATERIAL_CODE, MATERIAL_NAME, MATERIAL_POINTS = "799990001", "架空材料　Ａ型", 1234
DRUG_GUIDANCE = ("199990013", 380)
OPERATION_RATIO, GUIDANCE_RATIO, ADJUSTMENT_RATIO = 0.3, 0.6, 0.05
PAID_APART_OF_10 = 4  # of ten drugs: paid apart as the high-cost ones of the notices are, which is invented here


def of_stay(stay: MedicalVisit, formulary: Formulary, month_no: int, rng: Random, *, all_apart: bool) -> DpcVisit:
    """The same stay as a DPC hospital bills it; `all_apart`: none of its injections is bundled."""
    days, group, chance = sorted(stay.days), rng.choice(GROUPS), rng.random()
    half = len(days) // 2
    everyday = _everyday_drugs(formulary, month_no, rng)
    apart = _paid_apart(stay, days[0], rng)
    everything = [*apart, *stay.treatments, *everyday]
    all_apart = all_apart or _is_paid_apart(stay)

    def episode(of: list[int], *, in_dpc: bool = True, **more: bool) -> Episode:
        treatments = [_within(t, of, in_dpc, all_apart, bool(stay.law_number)) for t in everything]
        return Episode(tuple(of), [t for t in treatments if t], group if in_dpc else None, **more)

    if len(days) >= LONG_ENOUGH and chance < READMISSION:
        episodes = [episode(days[:half]), episode(days[half + 1 :], is_readmission=True)]
    elif len(days) >= LONG_ENOUGH and chance < MOVE:
        episodes = [episode(days[:half]), episode(days[half:], in_dpc=False)]
    else:
        episodes = [episode(days, has_left=days[-1] < 28)]
    adjustment = rng.randint(-200, 200) if rng.random() < ADJUSTMENT_RATIO else 0
    return DpcVisit(
        stay.facility, stay.law_number, stay.second_law_number, diseases=stay.diseases, episodes=episodes, adjustment=adjustment
    )


def _paid_apart(stay: MedicalVisit, day: int, rng: Random) -> list[Treatment]:
    """An operation with its material, guidance by the pharmacist: 出来高 in a DPC stay too."""
    found, is_public, once = [], bool(stay.law_number), ((day, 1),)
    if rng.random() < GUIDANCE_RATIO:
        found.append(Treatment("13", [(DRUG_GUIDANCE[0], None)], DRUG_GUIDANCE[1], once, is_public))
    if rng.random() < OPERATION_RATIO:
        found.append(Treatment("50", [(OPERATION[0], None)], OPERATION[1], once, is_public))
        found.append(Treatment("50", [(MATERIAL_CODE, Decimal(1))], MATERIAL_POINTS, once, is_public))
    return found


def _everyday_drugs(formulary: Formulary, month_no: int, rng: Random) -> list[Treatment]:
    """内服 of every day of the stay; `_within` cuts the days."""
    chosen = rng.sample([i for i, n in enumerate(INDICATIONS) if not n.is_external and n.age_from >= 7], rng.randint(1, 3))
    found = []
    for i in chosen:
        groups = formulary.ordinary[i]
        if groups:
            drug = rng.choice(rng.choice(groups).brands), Decimal(rng.choice(INDICATIONS[i].amounts))
            lines = [(drug[0].drug_code, drug[1])]
            found.append(Treatment("21", list(lines), formulary.points(tuple(lines), month_no), tuple((d, 1) for d in range(1, 29))))
    return found


def _within(treatment: Treatment, days: list[int], in_dpc: bool, all_apart: bool, is_public: bool) -> Treatment | None:
    """What of it falls on these days, and whether the bundle pays it."""
    own = tuple((d, times) for d, times in treatment.days if d in days)
    is_fee_of_ward = treatment.treatment_class in ("90", "92")
    if not own or (in_dpc and is_fee_of_ward):
        return None
    apart = (
        not in_dpc
        or treatment.treatment_class in ("13", "50", "97")
        or (treatment.drugs_only and treatment.treatment_class != "21" and all_apart)
    )
    return replace(treatment, days=own, is_bundled=not apart, is_public=is_public)


def _is_paid_apart(stay: MedicalVisit) -> bool:
    """All injections of a stay or none, so that a drug stands on one side only."""
    codes = [code for t in stay.treatments for code, _ in t.lines if code[0] == DRUG]
    return bool(codes) and crc32(min(codes).encode()) % 10 < PAID_APART_OF_10
