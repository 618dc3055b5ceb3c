"""Gates (公表前の関門): what is looked at before a region's figures are published, its limit, and whether it stops or only tells.

A region's file changes limit or reaction of a gate; what it does not name holds as here. `gate_result.py` measures them.
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
    action_ja: str  # what to do where it does not hold

    def of(self, setting: GateSetting | None) -> tuple[Decimal, Reaction]:
        """(limit, reaction) for a region."""
        if setting is None:
            return self.limit, self.on_breach
        return (self.limit if setting.limit is None else setting.limit), setting.on_breach or self.on_breach

    def holds(self, value: Decimal | None, limit: Decimal) -> bool:
        """What could not be measured holds nothing."""
        return value is not None and (value >= limit if self.is_minimum else value <= limit)


GATES: dict[GateKey, Gate] = {
    "completeness": Gate(
        "受領の完全性", "expected insurer × month × kind that is in the lake", "ratio", True, Decimal(1), "stop",
        "欠けている請求年月を保険者に依頼し、届いたら lake deliver → lake ingest → lake build。"
        "提出が不要になった種別は config/insurers を直す。",
    ),
    "code_coverage": Gate(
        "コードの収載率", "drug lines whose code the masters know, in the worst service month", "ratio", True, Decimal("0.995"), "stop",
        "その月の医薬品マスターを lake masters load drug-master で取り込み、lake build。コードは marts.fct_unknown_code にある。",
    ),
    "points_reconciliation": Gate(
        "点数の突合", "claims whose lines do not add up to their points, in the worst claim month", "ratio", False, Decimal("0.01"), "stop",
        "lake status の points_identity を見て、審査支払機関か保険者に正しいファイルを依頼し、"
        "lake deliver --replace → lake ingest → lake build。",
    ),
    "masters_fresh": Gate(
        "マスターの鮮度", "days from the newest edition of the price list to the end of the newest service month", "day", False,
        Decimal(400), "stop", "最新の薬価基準収載品目リストと医薬品マスターを lake masters load で取り込み、lake build。",
    ),
    "dbt_tests": Gate(
        "テスト", "tests whose last run did not pass", "count", False, Decimal(0), "stop",
        "lake build が示すテストと行を確かめ、原因（マスター・納品・モデル）を直して lake build。",
    ),
    "change_within_limits": Gate(
        "前回からの変動", "largest change of the leading share of the region or an insurer since the last publication", "ratio", False,
        Decimal("0.1"), "stop",
        "marts.fct_figure_change の原因を確かめ、納品の誤りなら lake withdraw か --replace、"
        "正しい変化なら理由を付けて lake publish --despite。",
    ),
    "place_coverage": Gate(
        "地域の被保険者カバー率", "insured of the insurers in the lake over all insured of the place", "ratio", True, Decimal(0), "tell",
        "参加保険者を増やすか、カバー率を添えて公表する。総数が未登録なら config/regions の insured_count に出典とともに書く。",
    ),
}  # fmt: skip
assert tuple(GATES) == get_args(GateKey)


def faulty_limit(key: GateKey, limit: Decimal) -> str | None:
    """What a limit of this gate must be, where this one is not that."""
    if GATES[key].unit == "ratio":
        return None if limit <= 1 else "a ratio 0-1"
    return None if limit == limit.to_integral_value() else "a whole number"
