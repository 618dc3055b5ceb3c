"""Gates (公表前の関門): what is looked at before a region's figures are published, its limit, and whether it stops or only tells.

A region's file changes limit or reaction of a gate; what it does not name holds as here.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

GateKey = Literal[
    "completeness", "code_coverage", "points_reconciliation", "masters_fresh", "dbt_tests", "change_within_limits", "place_coverage"
]  # fmt: skip
Reaction = Literal["stop", "tell"]


class GateSetting(BaseModel):
    """What a region's file says of one gate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Decimal | None = Field(default=None, ge=0)
    on_breach: Reaction | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.limit is None and self.on_breach is None:
            raise ValueError("limit, on_breach or both")
        return self


@dataclass(frozen=True)
class Gate:
    """One gate with what holds where a region says nothing."""

    title_ja: str
    measured: str
    unit: Literal["ratio", "day", "count"]
    is_minimum: bool  # the measured value must reach the limit; else it must not pass it
    limit: Decimal
    on_breach: Reaction

    def of(self, setting: GateSetting | None) -> tuple[Decimal, Reaction]:
        """(limit, reaction) for a region."""
        if setting is None:
            return self.limit, self.on_breach
        return (self.limit if setting.limit is None else setting.limit), setting.on_breach or self.on_breach

    def holds(self, value: Decimal, limit: Decimal) -> bool:
        return value >= limit if self.is_minimum else value <= limit


GATES: dict[GateKey, Gate] = {
    "completeness": Gate("受領の完全性", "expected insurer × month × kind that is in the lake", "ratio", True, Decimal(1), "stop"),
    "code_coverage": Gate("コードの収載率", "drug lines whose code the masters know", "ratio", True, Decimal("0.995"), "stop"),
    "points_reconciliation": Gate(
        "点数の突合", "claims whose lines do not add up to their points", "ratio", False, Decimal("0.01"), "stop"
    ),
    "masters_fresh": Gate(
        "マスターの鮮度", "days from the newest edition of the price list to the end of the newest service month", "day", False,
        Decimal(400), "stop",
    ),
    "dbt_tests": Gate("テスト", "tests of the last build that did not pass", "count", False, Decimal(0), "stop"),
    "change_within_limits": Gate(
        "前回からの変動", "largest change of a published share since the last publication", "ratio", False, Decimal("0.1"), "stop"
    ),
    "place_coverage": Gate("地域の被保険者カバー率", "insured of the place in the lake over all of it", "ratio", True, Decimal(0), "tell"),
}  # fmt: skip
assert tuple(GATES) == get_args(GateKey)


def faulty_limit(key: GateKey, limit: Decimal) -> str | None:
    """What a limit of this gate must be, where this one is not that."""
    if GATES[key].unit == "ratio":
        return None if limit <= 1 else "a ratio 0-1"
    return None if limit == limit.to_integral_value() else "a whole number"
