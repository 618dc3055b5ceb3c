"""What changes without code: the files of `config/insurers`, `regions`, `measures`, `targets`, `scenarios` and `backfills`, read and
checked.

An error names file, line, field, found, expected.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from spark_jobs import config_file
from spark_jobs.claim_format.codes import check_digit
from spark_jobs.config_file import ConfigFile
from spark_jobs.errors import ExitCode, LakeError
from spark_jobs.masters import shipped
from spark_jobs.rollout.gate import GATES, GateKey, GateSetting, Reaction, faulty_limit
from spark_jobs.settings import Settings


def _insurer_number(value: str) -> str:
    if not (value.isdigit() and len(value) in (6, 8)):
        raise ValueError("8 digits (国保: 6)")
    if check_digit(value[:-1]) != int(value[-1]):
        raise ValueError(f"check digit {check_digit(value[:-1])} at the end")
    return value


def _month(value: int) -> int:
    if not (190001 <= value <= 299912 and 1 <= value % 100 <= 12):
        raise ValueError("a month such as 202604")
    return value


InsurerNumber = Annotated[str, AfterValidator(_insurer_number)]
Month = Annotated[int, AfterValidator(_month)]
InsurerKind = Literal["kenpo", "kyokai", "kyosai", "kokuho_city", "kokuho_union", "koiki"]
LAW_NUMBERS: dict[InsurerKind, tuple[str, ...]] = {  # 法別番号 of each kind; 国保 have none, their numbers have 6 digits
    "kenpo": ("06", "63"),
    "kyokai": ("01",),
    "kyosai": ("31", "32", "33", "34", "72", "73", "74", "75"),
    "kokuho_city": (),
    "kokuho_union": (),
    "koiki": ("39",),
}
OF_ONE_PREFECTURE = ("kyokai", "kokuho_city", "koiki")  # their number names the prefecture that they serve
PREFECTURE = r"^(0[1-9]|[1-3]\d|4[0-7])$"


class Insurer(BaseModel):
    """One insurer (保険者)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    insurer_number: InsurerNumber
    name_ja: str
    short_name_ja: str
    kind: InsurerKind
    industry_ja: str | None = None
    structure: Literal["single", "joint"] | None = None
    prefecture_code: str = Field(pattern=PREFECTURE)
    member_count: int | None = Field(default=None, ge=1)
    form: Literal["insurer", "claim"] = "insurer"
    kinds: list[Literal["med", "dpc", "den", "pha", "nur"]] = Field(min_length=1)
    start_claim_month: Month
    mismatch: Literal["keep", "reject"] = "keep"
    legal_basis: Literal["joint_use", "entrustment", "own"]
    joint_use_scope: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    purposes: list[str] = Field(min_length=1)
    retention_years: int = Field(ge=1)
    approver_role_ja: str | None = Field(default=None, min_length=1)  # who approves figures for it: a post, never a person's name

    @field_validator("kind")
    @classmethod
    def _as_its_number_says(cls, value: InsurerKind, info: ValidationInfo) -> InsurerKind:
        number = info.data.get("insurer_number")
        laws = LAW_NUMBERS[value]
        if number and (number[:2] not in laws if laws else len(number) != 6):
            form = f"8 digits that begin with {' or '.join(laws)}" if laws else "6 digits"
            raise ValueError(f"the kind of number {number}; a number of {value} has {form}")
        return value

    @field_validator("structure")
    @classmethod
    def _of_company_insurers(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("kind", "kenpo") != "kenpo":
            raise ValueError("none: 単一 and 総合 are kinds of 健保組合")
        return value

    @field_validator("prefecture_code")
    @classmethod
    def _as_in_its_number(cls, value: str, info: ValidationInfo) -> str:
        number, kind = info.data.get("insurer_number"), info.data.get("kind")
        if number and kind in OF_ONE_PREFECTURE and number[-6:-4] != value:
            raise ValueError(f"{number[-6:-4]}, as in the number")
        return value

    @field_validator("joint_use_scope")
    @classmethod
    def _only_with_joint_use(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("legal_basis") != "joint_use":
            raise ValueError("a scope only where legal_basis is joint_use (個人情報保護法 27条5項3号)")
        return value


class Region(BaseModel):
    """A place and the insurers taking part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region_key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name_ja: str
    place_level: Literal["nation", "prefecture"]
    place_keys: list[str] = Field(min_length=1)
    insurers: list[InsurerNumber] = Field(min_length=1)
    ingredients: Literal["all"] | list[str] = "all"
    wave: int | None = Field(default=None, ge=1)  # null = not planned yet
    gates: dict[GateKey, GateSetting] = {}
    insured_count: int | None = Field(default=None, ge=1)  # 地域の被保険者総数, by whom stands beside it; null = not known
    comparison_regions: list[str] = []  # whose figures show what would have been without the actions
    is_synthetic: bool = False
    note_ja: str | None = None

    @field_validator("place_keys")
    @classmethod
    def _of_its_level(cls, value: list[str], info: ValidationInfo) -> list[str]:
        known = {"nation": {"all"}, "prefecture": {p.prefecture_code for p in shipped.prefectures()}}
        if (level := info.data.get("place_level")) and not known[level].issuperset(value):
            raise ValueError("[all], the key of the nation" if level == "nation" else "prefectures 01-47")
        return value

    @field_validator("ingredients")
    @classmethod
    def _known(cls, value: str | list[str]) -> str | list[str]:
        known = {i.ingredient_key for i in shipped.biosimilar_ingredients()}
        if value != "all" and (unknown := sorted(set(value) - known)):
            raise ValueError(f"all, or keys of masters.biosimilar_ingredient; not {', '.join(unknown)}")
        return value

    @field_validator("gates")
    @classmethod
    def _limits(cls, value: dict[GateKey, GateSetting]) -> dict[GateKey, GateSetting]:
        for key, setting in value.items():
            if setting.limit is not None and (expected := faulty_limit(key, setting.limit)):
                raise ValueError(f"{expected} as the limit of {key}, not {setting.limit}")
        return value

    def gate(self, key: GateKey) -> tuple[Decimal, Reaction]:
        """(limit, reaction) of a gate here."""
        return GATES[key].of(self.gates.get(key))


Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
MeasureUnit = Literal["ratio", "yen", "claim_unit", "price_list_unit", "count", "per_1000_members", "point"]
Scheme = Literal["health_cost_plan", "insurer_effort_support", "elderly_support_adjustment", "kyokai_incentive"]
SCHEMES: dict[Scheme, str] = {
    "health_cost_plan": "医療費適正化計画",
    "insurer_effort_support": "保険者努力支援制度",
    "elderly_support_adjustment": "後期高齢者支援金の加算・減算",
    "kyokai_incentive": "協会けんぽ インセンティブ制度",
}


class Measure(BaseModel):
    """One measure (指標): what a figure is called, how it is counted, what it does not say, and the one model that computes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure_key: Key
    name_ja: Text
    name_en: Text
    definition_ja: Text
    definition_en: Text
    numerator_ja: Text
    denominator_ja: Text | None = None  # a sum has none
    unit: MeasureUnit
    convention: Key | None = None
    convention_ja: Text
    n_ja: Text
    price_ja: Text
    data_ja: Text
    direction: Literal["higher", "lower", "neutral"]
    limits_ja: list[Text] = Field(min_length=1)
    sources: list[Text] = Field(min_length=1)
    checked_against: list[Text] = []
    schemes: list[Scheme] = []
    status: Literal["in_use", "planned"]
    next_review: date
    model: Annotated[str, Field(pattern=r"^fct_[a-z0-9_]+$")]
    column: Key
    where: dict[Key, Key] = {}  # rows of the model that are this measure
    with_columns: list[Key] = []  # figures beside it, of the same definition

    @model_validator(mode="after")
    def _ratio_has_a_denominator(self) -> Self:
        if self.unit in ("ratio", "per_1000_members") and not self.denominator_ja:
            raise ValueError(f"denominator_ja, as the unit is {self.unit}")
        return self


class Target(BaseModel):
    """A value to reach by a day; valid_from is the day on which its owner set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target_key: Key
    name_ja: Text
    measure_key: Key
    value_ratio: Decimal = Field(ge=0, le=1, decimal_places=8)
    due_date: date
    valid_from: date
    valid_to: date | None = None
    source: Text

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if not self.valid_from <= (self.valid_to or date.max) or self.due_date < self.valid_from:
            raise ValueError("valid_from before valid_to and due_date")
        return self


class TargetOwner(BaseModel):
    """Whose targets a file of config/targets holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: Key
    owner_kind: Literal["nation", "prefecture", "insurer_kind", "insurer"]
    owner_key: str
    name_ja: Text
    targets: list[Target] = Field(min_length=1)

    @field_validator("owner_key")
    @classmethod
    def _key_of_its_kind(cls, value: str, info: ValidationInfo) -> str:
        match info.data.get("owner_kind"):
            case "nation" if value != "all":
                raise ValueError("all, the key of the nation")
            case "prefecture" if value not in {f"{n:02}" for n in range(1, 48)}:
                raise ValueError("a prefecture 01-47")
            case "insurer_kind" if value not in get_args(InsurerKind):
                raise ValueError(f"one of {', '.join(get_args(InsurerKind))}")
            case "insurer":
                _insurer_number(value)
        return value


class Scenario(BaseModel):
    """One scenario of what could be saved (削減可能額)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario_key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title_ja: str
    title_en: str
    kind: Literal["target_share", "peer_share", "new_starts", "same_form", "full", "mean_price"]
    parameter: Decimal | None = Field(default=None, gt=0, le=1, decimal_places=8)
    least_patient_count: int | None = Field(default=None, ge=1)
    description_ja: str
    source: str

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Scenario":
        if (self.parameter is not None) != (self.kind in ("target_share", "peer_share")):
            raise ValueError("a parameter where kind is target_share or peer_share, and only there")
        if (self.least_patient_count is not None) != (self.kind == "peer_share"):
            raise ValueError("a least_patient_count where kind is peer_share, and only there")
        return self


@cache
def _insurers(settings: Settings) -> tuple[dict[str, ConfigFile[Insurer]], list[LakeError]]:
    found, faults = config_file.read(settings.config / "insurers", Insurer, "insurer_number")
    return found, faults + list(_scope_faults(found.values()))


def _scope_faults(files: Iterable[ConfigFile[Insurer]]) -> Iterator[LakeError]:
    """Those of one scope of joint use make known the same purposes."""
    scopes: dict[str, Insurer] = {}
    for file in files:
        entry = file.entry
        if entry.joint_use_scope:
            first = scopes.setdefault(entry.joint_use_scope, entry)
            if set(entry.purposes) != set(first.purposes):
                yield file.fault(
                    ("purposes",), f"purposes of its own in scope {entry.joint_use_scope}",
                    f"those of {first.insurer_number}.yaml: a scope of joint use has one announcement", "Make them equal.",
                )  # fmt: skip


@cache
def _regions(settings: Settings) -> tuple[dict[str, ConfigFile[Region]], list[LakeError]]:
    found, faults = config_file.read(settings.config / "regions", Region, "region_key")
    numbers = {path.stem for path in (settings.config / "insurers").glob("*.yaml")}  # a faulty file is told of itself
    are_all_read = not faults
    for file in found.values():
        faults += [*_member_faults(file, numbers), *_comparison_faults(file, found)]
        if are_all_read:
            faults += _wave_faults(file, found)
    return found, faults


def _member_faults(file: ConfigFile[Region], numbers: Container[str]) -> Iterator[LakeError]:
    for at, number in enumerate(file.entry.insurers):
        if number not in numbers:
            expected = f"a file config/insurers/{number}.yaml"
            yield file.fault(("insurers", at), f"insurer {number}", expected, "Add the file or take the insurer out.")
        if number in file.entry.insurers[:at]:
            yield file.fault(("insurers", at), f"insurer {number} again", "each insurer once", "Take it out.")


def _comparison_faults(file: ConfigFile[Region], regions: Mapping[str, ConfigFile[Region]]) -> Iterator[LakeError]:
    """A comparison shows what would have been without the actions, so nobody in it may act before the region or with it."""
    region = file.entry
    for at, key in enumerate(region.comparison_regions):
        field = ("comparison_regions", at)
        if key == region.region_key:
            yield file.fault(field, "the region compared with itself", "other regions", "Take it out.")
        elif not (file.path.parent / f"{key}.yaml").exists():
            yield file.fault(field, f"region {key}", f"a file config/regions/{key}.yaml", "Add the file or take the region out.")
        elif key in regions:
            other = regions[key].entry
            if shared := sorted(set(region.insurers) & set(other.insurers)):
                yield file.fault(field, f"{key}, in which {', '.join(shared)} takes part too", "a region of other insurers")
            if other.wave is not None and (region.wave is None or other.wave <= region.wave):
                own = "without a wave" if region.wave is None else f"of wave {region.wave}"
                yield file.fault(field, f"{key} of wave {other.wave} in a region {own}", "a region of a later wave or of none")


def _wave_faults(file: ConfigFile[Region], regions: Mapping[str, ConfigFile[Region]]) -> Iterator[LakeError]:
    """Waves follow each other: 1, 2, 3 …"""
    wave = file.entry.wave
    if wave is not None and wave > 1 and not any(other.entry.wave == wave - 1 for other in regions.values()):
        yield file.fault(("wave",), f"wave {wave}", f"a region of wave {wave - 1} before it", "Number the waves 1, 2, 3 … without a gap.")


@cache
def _measures(settings: Settings) -> tuple[dict[str, ConfigFile[Measure]], list[LakeError]]:
    return config_file.read(settings.config / "measures", Measure, "measure_key")


@cache
def _targets(settings: Settings) -> tuple[dict[str, ConfigFile[TargetOwner]], list[LakeError]]:
    found, faults = config_file.read(settings.config / "targets", TargetOwner, "owner")
    return found, faults + list(_target_faults(found.values(), _measures(settings)[0]))


def _target_faults(files: Iterable[ConfigFile[TargetOwner]], measures: Mapping[str, ConfigFile[Measure]]) -> Iterator[LakeError]:
    """Each target is of a known measure that is a ratio, and no two have one key."""
    seen: dict[str, str] = {}
    for file in files:
        for at, target in enumerate(file.entry.targets):
            measure = measures.get(target.measure_key)
            if measure is None and not (file.path.parents[1] / "measures" / f"{target.measure_key}.yaml").exists():
                expected = f"a file config/measures/{target.measure_key}.yaml"
                yield file.fault(
                    ("targets", at, "measure_key"), f"measure {target.measure_key}", expected, "Add the file or correct the key."
                )  # fmt: skip
            elif measure and (unit := measure.entry.unit) != "ratio":
                found = f"target {target.target_key} of {target.measure_key}, whose unit is {unit}"
                yield file.fault(("targets", at, "measure_key"), found, "a measure that is a ratio", "Name another measure.")
            if target.target_key in seen:
                expected = f"one of this key (in {seen[target.target_key]} already)"
                yield file.fault(("targets", at, "target_key"), f"target {target.target_key} again", expected, "Rename one.")
            seen[target.target_key] = f"config/targets/{file.path.name}"


class Backfill(BaseModel):
    """An order to make a region's figures of past months anew (遡及再計算), reviewed by somebody else than who asks for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backfill_key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    region_key: Key
    first_service_month: Month
    last_service_month: Month
    reason_ja: Text
    requested_by: Text  # a post or committee, never a person's name
    reviewed_by: Text

    @field_validator("last_service_month")
    @classmethod
    def _in_order(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("first_service_month", value):
            raise ValueError(f"first_service_month {info.data['first_service_month']} or a month after it")
        return value

    @field_validator("reviewed_by")
    @classmethod
    def _somebody_else(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("requested_by"):
            raise ValueError(f"somebody else than {value}, who asks for it")
        return value


@cache
def _backfills(settings: Settings) -> tuple[dict[str, ConfigFile[Backfill]], list[LakeError]]:
    if not (settings.config / "backfills").is_dir():
        return {}, []
    found, faults = config_file.read(settings.config / "backfills", Backfill, "backfill_key")
    known = {path.stem for path in (settings.config / "regions").glob("*.yaml")}
    return found, faults + [
        file.fault(("region_key",), f"region {file.entry.region_key}", f"one of config/regions ({', '.join(sorted(known))})")
        for file in found.values()
        if file.entry.region_key not in known
    ]


@cache
def _scenarios(settings: Settings) -> tuple[dict[str, ConfigFile[Scenario]], list[LakeError]]:
    return config_file.read(settings.config / "scenarios", Scenario, "scenario_key")


def faults(settings: Settings) -> list[LakeError]:
    """Every fault of every file."""
    return [fault for read in (_insurers, _regions, _measures, _targets, _scenarios, _backfills) for fault in read(settings)[1]]


@cache
def insurers(settings: Settings) -> dict[str, Insurer]:
    """All insurers, by number."""
    found, wrong = _insurers(settings)
    config_file.stop(wrong)
    return {number: file.entry for number, file in found.items()}


@cache
def regions(settings: Settings) -> dict[str, Region]:
    """All regions, by key; each insurer named in one has its own file."""
    insurers(settings)
    found, wrong = _regions(settings)
    config_file.stop(wrong)
    return {key: file.entry for key, file in found.items()}


@cache
def measures(settings: Settings) -> dict[str, Measure]:
    """All measures, by key."""
    found, wrong = _measures(settings)
    config_file.stop(wrong)
    return {key: file.entry for key, file in found.items()}


@cache
def targets(settings: Settings) -> dict[str, TargetOwner]:
    """Owners with their targets, by name."""
    measures(settings)
    found, wrong = _targets(settings)
    config_file.stop(wrong)
    return {name: file.entry for name, file in found.items()}


@cache
def backfill(settings: Settings, key: str) -> Backfill:
    """One backfill; an error where there is no such file."""
    found, wrong = _backfills(settings)
    config_file.stop(wrong)
    if key not in found:
        raise LakeError(
            f"--backfill {key}", f"no file config/backfills/{key}.yaml", f"one of {', '.join(sorted(found)) or 'none'}",
            "docs/runbooks/backfill.md says how it is written.", ExitCode.BAD_CONFIG,
        )  # fmt: skip
    return found[key].entry


def scope(settings: Settings, key: str) -> list[str]:
    """The insurers of a scope of joint use (共同利用); an error where it names none."""
    found = [number for number, entry in insurers(settings).items() if entry.joint_use_scope == key]
    if not found:
        raise LakeError(
            f"--scope {key}", "no insurer with this joint_use_scope", "insurers under legal_basis joint_use that name it",
            "Persons of several insurers are linked only inside a scope of joint use, never under entrustment (委託): docs/privacy.md.",
            ExitCode.BAD_CONFIG,
        )  # fmt: skip
    return sorted(found)


@cache
def scenarios(settings: Settings) -> dict[str, Scenario]:
    """All scenarios of what could be saved, by key."""
    found, wrong = _scenarios(settings)
    config_file.stop(wrong)
    return {key: file.entry for key, file in found.items()}


def insurer(settings: Settings, number: str) -> Insurer:
    """One insurer; a clear error for an unknown depositor."""
    known = insurers(settings)
    if number not in known:
        raise LakeError(
            f"--insurer {number}", "an unknown depositor", f"one of the {len(known)} in {settings.config / 'insurers'}",
            f"Add {settings.config / 'insurers' / number}.yaml or correct the number.", ExitCode.BAD_CONFIG,
        )  # fmt: skip
    return known[number]


def region(settings: Settings, key: str) -> Region:
    """One region; a clear error for an unknown one."""
    known = regions(settings)
    if key not in known:
        raise LakeError(
            f"--region {key}", "no such region", " or ".join(known), f"Add {settings.config / 'regions' / key}.yaml.", ExitCode.BAD_CONFIG
        )
    return known[key]
