"""What changes without code: the files of `config/insurers`, `regions`, `measures`, `targets` and `scenarios`, read and checked.

An error names file, line, field, found, expected.
"""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from spark_jobs.claim_format.codes import check_digit
from spark_jobs.errors import ExitCode, LakeError
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


class Insurer(BaseModel):
    """One insurer (保険者)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    insurer_number: InsurerNumber
    name_ja: str
    short_name_ja: str
    kind: InsurerKind
    industry_ja: str | None = None
    structure: Literal["single", "joint"] | None = None
    prefecture_code: str = Field(pattern=r"^(0[1-9]|[1-3]\d|4[0-7])$")
    member_count: int | None = Field(default=None, ge=1)
    form: Literal["insurer", "claim"] = "insurer"
    kinds: list[Literal["med", "dpc", "den", "pha", "nur"]] = Field(min_length=1)
    start_claim_month: Month
    mismatch: Literal["keep", "reject"] = "keep"
    legal_basis: Literal["joint_use", "entrustment", "own"]
    joint_use_scope: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    purposes: list[str] = Field(min_length=1)
    retention_years: int = Field(ge=1)

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
    place_keys: list[str]
    insurers: list[InsurerNumber] = Field(min_length=1)
    ingredients: Literal["all"] | list[str] = "all"
    is_synthetic: bool = False
    note_ja: str | None = None


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


Model = TypeVar("Model", Insurer, Region, Measure, TargetOwner, Scenario)


def _read(folder: Path, model: type[Model], key: str) -> dict[str, Model]:
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise LakeError(str(folder), "no *.yaml file", "at least one", "Copy one of this project's config/.", ExitCode.BAD_CONFIG)
    found: dict[str, Model] = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        try:
            entry = model.model_validate(yaml.safe_load(text))
        except (ValidationError, yaml.YAMLError) as error:
            where = f"{file}, line {_line(text, error)}"
            raise LakeError(where, *_fault(error), "Correct it and run lake config check.", ExitCode.BAD_CONFIG) from None
        name = getattr(entry, key)
        if name != file.stem:
            raise LakeError(str(file), f"{key} {name}", f"the file's name, {file.stem}", "Rename one of the two.", ExitCode.BAD_CONFIG)
        found[name] = entry
    return found


def _fault(error: ValidationError | yaml.YAMLError) -> tuple[str, str]:
    """(found, expected) of the first fault in a file."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        if not first["loc"]:  # a rule over several fields
            return "fields that do not fit each other", first["msg"]
        return f"{'.'.join(map(str, first['loc']))} is {first['input']!r}", first["msg"]
    return f"no YAML: {error}", "a YAML file"


def _line(text: str, error: ValidationError | yaml.YAMLError) -> int:
    """The line of the first fault, 1-based: that of the field, or of what should hold it."""
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark else 1
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for step in error.errors()[0]["loc"]:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, step: int | str) -> tuple[int, yaml.Node] | None:
    """(line, node) of one step of a field's path."""
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line + 1, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


@cache
def insurers(settings: Settings) -> dict[str, Insurer]:
    """All insurers, by number; those of one scope of joint use make known the same purposes."""
    found = _read(settings.config / "insurers", Insurer, "insurer_number")
    purposes: dict[str, Insurer] = {}
    for entry in found.values():
        if entry.joint_use_scope:
            first = purposes.setdefault(entry.joint_use_scope, entry)
            if set(entry.purposes) != set(first.purposes):
                raise LakeError(
                    f"config/insurers/{entry.insurer_number}.yaml", f"purposes of its own in scope {entry.joint_use_scope}",
                    f"those of {first.insurer_number}.yaml: a scope of joint use has one announcement", "Make them equal.",
                    ExitCode.BAD_CONFIG,
                )  # fmt: skip
    return found


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
def regions(settings: Settings) -> dict[str, Region]:
    """All regions, by key; each insurer named in one has its own file."""
    known, found = insurers(settings), _read(settings.config / "regions", Region, "region_key")
    for region in found.values():
        for number in region.insurers:
            if number not in known:
                raise LakeError(
                    f"config/regions/{region.region_key}.yaml", f"insurer {number}", f"a file config/insurers/{number}.yaml",
                    "Add the file or take the insurer out.", ExitCode.BAD_CONFIG,
                )  # fmt: skip
    return found


@cache
def measures(settings: Settings) -> dict[str, Measure]:
    """All measures, by key."""
    return _read(settings.config / "measures", Measure, "measure_key")


@cache
def targets(settings: Settings) -> dict[str, TargetOwner]:
    """Owners with their targets, by name; each target is of a known measure that is a ratio, and no two have one key."""
    known, found = measures(settings), _read(settings.config / "targets", TargetOwner, "owner")
    seen: dict[str, str] = {}
    for name, owner in found.items():
        file = f"config/targets/{name}.yaml"
        for target in owner.targets:
            if target.measure_key not in known:
                raise LakeError(
                    file, f"measure {target.measure_key}", f"a file config/measures/{target.measure_key}.yaml",
                    "Add the file or correct the key.", ExitCode.BAD_CONFIG,
                )  # fmt: skip
            if (unit := known[target.measure_key].unit) != "ratio":
                raise LakeError(
                    file, f"target {target.target_key} of {target.measure_key}, whose unit is {unit}", "a measure that is a ratio",
                    "Name another measure.", ExitCode.BAD_CONFIG,
                )  # fmt: skip
            if target.target_key in seen:
                raise LakeError(
                    file, f"target {target.target_key} again", f"one of this key (in {seen[target.target_key]} already)", "Rename one.",
                    ExitCode.BAD_CONFIG,
                )  # fmt: skip
            seen[target.target_key] = file
    return found


@cache
def scenarios(settings: Settings) -> dict[str, Scenario]:
    """All scenarios of what could be saved, by key."""
    return _read(settings.config / "scenarios", Scenario, "scenario_key")


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
