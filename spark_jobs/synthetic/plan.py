"""All that is fixed before the first receipt: members, places, the known action, what arrives twice."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from spark_jobs.config import Insurer
from spark_jobs.synthetic.biologics import Action, Prescribing
from spark_jobs.synthetic.formulary import formulary
from spark_jobs.synthetic.months import age_at, last_day, month_after
from spark_jobs.synthetic.people import LAST_AGE, Membership, Person
from spark_jobs.synthetic.places import homes, towns

BLOCK_MEMBERS = 200  # a multiple of NUMBERS_PER_PATTERN, so that households stay whole
COPIED_EVERY = 3  # months
ACTION_INGREDIENT, ACTION_SWITCH_RATIO, ACTION_START_RATIO = "infliximab", 0.9, 0.97


@dataclass(frozen=True)
class Plan:
    """All that a process needs to make any block of members."""

    insurers: tuple[Insurer, ...]
    members: int
    biologic_use: float
    months: tuple[int, ...]
    seed: int
    least_members: int

    @cached_property
    def counts(self) -> dict[str, int]:
        """Members by insurer, in the ratios of config/insurers, none under the floor."""
        weights = {i.insurer_number: i.member_count or 1 for i in self.insurers}
        return {number: max(self.least_members, round(self.members * w / sum(weights.values()))) for number, w in weights.items()}

    @cached_property
    def memberships(self) -> dict[str, Membership]:
        seats = tuple(sorted({i.prefecture_code for i in self.insurers}))
        return {
            i.insurer_number: Membership(
                self.seed,
                i.insurer_number,
                i.short_name_ja[:2],
                self.counts[i.insurer_number],
                self.months,
                homes(i.prefecture_code, seats),
            )
            for i in self.insurers
        }

    @cached_property
    def towns(self) -> dict[str, Any]:
        people: Counter[str] = Counter()
        for membership in self.memberships.values():
            for prefecture, share in membership.homes.items():
                people[prefecture] += share * membership.count  # type: ignore[assignment]
        return towns(self.seed, people)

    @cached_property
    def action(self) -> Action:
        """One university hospital, in the seat of the largest insurer, changes infliximab in the second half."""
        largest = max(self.insurers, key=lambda i: i.member_count or 0)
        facility = self.towns[largest.prefecture_code].university
        return Action(facility.facility_code, ACTION_INGREDIENT, len(self.months) // 2, ACTION_SWITCH_RATIO, ACTION_START_RATIO)

    @cached_property
    def prescribing(self) -> Prescribing:
        return Prescribing(formulary(self.months), self.biologic_use, self.action)

    @cached_property
    def claim_months(self) -> tuple[int, ...]:
        """請求年月 of the files: each the month after a service month."""
        return tuple(month_after(month) for month in self.months)

    @cached_property
    def first_serials(self) -> dict[str, int]:
        """Members of the insurers before each: with it a member has a number of his own in the whole consortium."""
        found, before = {}, 0
        for number, count in self.counts.items():
            found[number] = before
            before += count
        return found

    @cached_property
    def as_of_months(self) -> tuple[int, ...]:
        """Three claim months in the middle at which the truth says what was known by then."""
        count = len(self.claim_months)
        return tuple(sorted({self.claim_months[count * quarter // 4] for quarter in (1, 2, 3)}))

    @cached_property
    def copied(self) -> dict[tuple[str, int], set[str]]:
        """(insurer, claim month) → facilities whose claims arrive in the claim form too: one, seldom two, in every third month."""
        found: dict[tuple[str, int], set[str]] = {}
        for insurer in self.insurers:
            rng, town = Random(f"{self.seed}/copied/{insurer.insurer_number}"), self.towns[insurer.prefecture_code]
            for month in self.claim_months[COPIED_EVERY - 1 :: COPIED_EVERY]:
                groups = rng.sample((town.clinics, town.pharmacies, (town.university,), town.dentists), rng.choice((1, 1, 1, 2)))
                found[insurer.insurer_number, month] = {rng.choice(group).facility_code for group in groups}
        return found

    @cached_property
    def forced(self) -> dict[tuple[str, int], list[tuple[str, int]]]:
        """One use of each biologic, so that every product occurs: (insurer, person) → drug code, month number."""
        found: dict[tuple[str, int], list[tuple[str, int]]] = {}
        rng = Random(f"{self.seed}/forced")
        for drug_code, (_, usable) in self.prescribing.formulary.biologic_codes.items():
            month_no = usable[len(usable) // 2]
            insurer = rng.choices(list(self.counts), list(self.counts.values()))[0]
            count = self.counts[insurer]
            first = rng.randrange(count)
            numbers = ((first + step) % count + 1 for step in range(count))
            number = next((n for n in numbers if self._can_take(self.memberships[insurer].person(n), month_no)), None)
            if number:
                found.setdefault((insurer, number), []).append((drug_code, month_no))
        return found

    def _can_take(self, person: Person, month_no: int) -> bool:
        first, last = person.enrolled
        return first <= month_no <= last and 15 <= age_at(person.born, last_day(self.months[month_no])) <= LAST_AGE

    def blocks(self) -> Iterator[tuple[str, int, int]]:
        """(insurer, first, last member), in the order of the files."""
        for insurer, count in self.counts.items():
            for first in range(1, count + 1, BLOCK_MEMBERS):
                yield insurer, first, min(count, first + BLOCK_MEMBERS - 1)
