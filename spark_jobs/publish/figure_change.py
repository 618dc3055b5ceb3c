"""marts.fct_figure_change: which published figures moved since the last publication, and by which cause.

A publication pins the Delta version of each mart (ops.publication). Two pinned versions of a mart are compared row by row; the causes are
what lies between the two builds: claims that came late, left or were corrected, persons linked, prices, other lists, rules. A figure that
moved without any of them says `unexplained`: a fault to be looked into. Figures of a period that was not published before did not move.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from spark_jobs import config, delta, tables, touched
from spark_jobs.publish.marts import CHANGES, Mart
from spark_jobs.settings import Settings

NAME = CHANGES
KEY = (
    "mart", "population_kind", "population_key", "place_level", "place_key", "geography", "ingredient_key", "setting", "period_kind",
    "period", "variant", "figure",
)  # fmt: skip
FIGURES = {  # the leading figure of a mart
    "fct_biosimilar_share": "share_ratio",
    "fct_biosimilar_kpi": "kpi_ratio",
    "fct_saving_realised": "saving_yen",
    "fct_saving_potential": "saving_yen",
    "fct_generic_share": "share_ratio",
}
IN_YEN = ("saving_yen",)
CAUSES = {  # in the order in which they are told
    "late_claim": "遅れて届いたレセプト",
    "correction": "返戻・再請求・取下げなどによる訂正",
    "claim": "レセプトの追加・訂正（前回の明細が残っていないため内訳不明）",
    "person_link": "加入者の名寄せ",
    "price": "薬価",
    "master": "マスター・一覧",
    "rule": "計算方法",
    "unexplained": "原因不明（要確認）",
}
OF_CLAIMS = ("late_claim", "correction", "claim", "person_link")
PRICES = {tables.DRUG_PRICE.name}
COLUMNS = {
    "mart": "表: table of the figure",
    "population_kind": "集団の種類: kind of population",
    "population_key": "集団: population",
    "place_level": "地域の単位: level of the place",
    "place_key": "地域: place",
    "geography": "地域の決め方: which place counts",
    "ingredient_key": "成分: ingredient; all where the figure has none",
    "setting": "入院・外来の別: setting; all where the figure has none",
    "period_kind": "期間の種類: kind of period",
    "period": "期間: period",
    "variant": "その他の区分: other keys of the row, name=value",
    "figure": "指標の列: column of the figure",
    "value_before": "前回公表の値: value in the publication before; null = no such row then",
    "value_now": "今回の値: value now; null = no such row any more",
    "causes": "原因: late_claim, correction, claim, person_link, price, master, rule, unexplained; comma between",
    "causes_ja": "原因（日本語）: the causes in Japanese",
    "published_before_at": "前回公表日時: when the publication before was made",
}  # fmt: skip
VALUE = pl.Decimal(38, 8)
DESCRIPTION = "One row per figure that moved since the publication before (前回公表からの変動と原因)."


@dataclass(frozen=True)
class Published:
    """The publication before: Delta version of each mart, and what its build had read."""

    published_at: object
    versions: Mapping[str, int]
    source_versions: Mapping[str, int]
    code_key: str | None
    insurers: frozenset[str] = frozenset()


def last(settings: Settings) -> Published | None:
    """What readers see now."""
    rows = delta.read(settings, tables.PUBLICATION).sort("published_at")
    return None if rows.is_empty() else _published(rows.row(-1, named=True))


def before_last(settings: Settings) -> Published | None:
    """The newest publication of other versions than readers see now, roll-backs left out: where a roll-back leads."""
    rows = delta.read(settings, tables.PUBLICATION).sort("published_at")
    if rows.is_empty():
        return None
    others = rows.filter(pl.col("mart_versions") != rows["mart_versions"][-1], pl.col("event").fill_null("published") == "published")
    return None if others.is_empty() else _published(others.row(-1, named=True))


def _published(row: Mapping[str, Any]) -> Published:
    return Published(row["published_at"], json.loads(row["mart_versions"]), json.loads(row["source_versions"] or "{}"), row["code_key"],
                     frozenset((row["insurers"] or "").split(",")) - {""})  # fmt: skip


def record(settings: Settings, versions: Mapping[str, int], now: object, **said: str | None) -> None:
    """Pin these versions of the marts, with the inputs of their last build; once, unless there is a decision to be kept.

    `said`: region_key, event, decided_by, reason of ops.publication.
    """
    before, insurers = last(settings), frozenset(config.insurers(settings))
    is_decided = said.get("decided_by") or said.get("reason")
    if before and (before.versions, before.insurers) == (versions, insurers) and not is_decided:
        return
    gone = sorted(before.insurers - insurers) if before else []
    said |= {"insurers": ",".join(sorted(insurers)), "left_insurers": ",".join(gone) or None}
    builds = delta.read(settings, tables.BUILD_RUN).filter(pl.col("source_versions").is_not_null()).sort("recorded_at")
    build = builds.row(-1, named=True) if builds.height else {"source_versions": None, "code_key": None}
    row = {"published_at": now, "mart_versions": json.dumps(dict(versions), sort_keys=True), **said}
    delta.append(settings, tables.PUBLICATION, [row | {name: build[name] for name in ("source_versions", "code_key")}])


def record_roll_back(settings: Settings, to: Published, now: object, **said: str | None) -> None:
    """Readers see an earlier publication again."""
    row = {"published_at": now, "mart_versions": json.dumps(dict(to.versions), sort_keys=True), "code_key": to.code_key, **said}
    delta.append(settings, tables.PUBLICATION, [row | {"source_versions": json.dumps(dict(to.source_versions), sort_keys=True)}])


def clear(settings: Settings) -> None:
    """No figure moved: after a roll-back."""
    _put(settings, _none())


def write(settings: Settings, found: Mapping[str, Mart]) -> str:
    """Compare these marts with the publication before; says how many figures moved."""
    before = last(settings)
    if before is None:
        _put(settings, _none())
        return "first publication: nothing to compare with"
    versions = {name: mart.version for name, mart in found.items() if name != NAME}
    if versions == before.versions and NAME in found:
        return "no figure moved: these versions are published already"
    try:
        moved = [
            _moved(settings, mart, before.versions[name]) for name, mart in found.items() if name in FIGURES and name in before.versions
        ]
    except (DeltaError, FileNotFoundError):
        _put(settings, _none())
        return "the tables of the last publication are gone (lake erase, or a lake restored): nothing to compare with"
    rows = pl.concat(moved) if moved else _none().drop("causes", "causes_ja", "published_before_at")
    rows = _with_causes(settings, rows, before).with_columns(published_before_at=pl.lit(before.published_at))
    _put(settings, rows)
    by_cause = rows.group_by("causes").len().sort("len", descending=True)
    told = "; ".join(f"{count:,} {cause}" for cause, count in by_cause.iter_rows())
    return f"{rows.height:,} figures moved since the last publication ({told})" if rows.height else "no figure moved"


def _moved(settings: Settings, mart: Mart, version: int) -> pl.DataFrame:
    """Rows of a mart whose figure differs between two versions, of periods that the older one has."""
    from spark_jobs.publish.serving import GRAIN

    figure, keys = FIGURES[mart.name], list(GRAIN[mart.name])
    path = str(settings.table_path(f"marts.{mart.name}"))
    old, new = pl.scan_delta(path, version=version), pl.scan_delta(path, version=mart.version)
    shared = [name for name in keys if name in old.collect_schema().names()]
    published = old.select("period_kind", "period").unique()
    sides = (old.select(*shared, before=pl.col(figure).cast(VALUE)), new.select(*shared, now=pl.col(figure).cast(VALUE)))
    both = sides[0].join(sides[1], on=shared, how="full", coalesce=True, nulls_equal=True)
    differs = both.filter(pl.col("before").ne_missing(pl.col("now"))).join(published, ["period_kind", "period"], "semi")
    others = [name for name in shared if name not in KEY[1:10]]  # with the `variant` of generics
    variant = pl.concat_str([pl.concat_str(pl.lit(f"{name}="), pl.col(name).cast(pl.String)) for name in others], separator=", ")
    return differs.select(
        mart=pl.lit(mart.name),
        **{name: pl.col(name).cast(pl.String) if name in shared else pl.lit("all") for name in KEY[1:8]},
        period_kind="period_kind", period=pl.col("period").cast(pl.Int32), variant=variant if others else pl.lit(""),
        figure=pl.lit(figure), value_before="before", value_now="now",
    ).collect()  # fmt: skip


def _with_causes(settings: Settings, rows: pl.DataFrame, before: Published) -> pl.DataFrame:
    builds = delta.read(settings, tables.BUILD_RUN).filter(pl.col("source_versions").is_not_null()).sort("recorded_at")
    now = builds.row(-1, named=True) if builds.height else {"source_versions": "{}", "code_key": None}
    versions = json.loads(now["source_versions"])
    changed = {name for name, version in versions.items() if before.source_versions.get(name) != version}
    lists = {name for name in changed if name.startswith("masters.")}
    is_price = pl.col("figure").is_in(IN_YEN) | pl.col("variant").str.contains("convention=value|variant=value")
    everywhere = {
        "price": is_price if lists & PRICES else pl.lit(False),
        "master": pl.lit(bool(lists - PRICES)),
        "rule": pl.lit(now["code_key"] != before.code_key),
    }
    owner = pl.col("population_key").str.split("/").list.first()  # an employer stands under its insurer
    rows = rows.with_columns(owner=owner, looks_back=pl.col("variant").str.contains("convention=new_starts"))
    of_claims = _claim_causes(settings, before.source_versions, changed)
    rows = rows.join(of_claims, ["owner", "looks_back", "period_kind", "period"], "left").drop("owner", "looks_back")
    flags = {cause: pl.col(cause).fill_null(False) for cause in OF_CLAIMS} | everywhere
    none = ~pl.any_horizontal(flags.values())
    named = {cause: pl.when(flag).then(pl.lit(cause)) for cause, flag in (flags | {"unexplained": none}).items()}
    japanese = [pl.when(flag).then(pl.lit(CAUSES[cause])) for cause, flag in (flags | {"unexplained": none}).items()]
    return rows.with_columns(
        causes=pl.concat_str(named.values(), separator=",", ignore_nulls=True),
        causes_ja=pl.concat_str(japanese, separator="、", ignore_nulls=True),
    ).drop(of_claims.columns[4:])


def _claim_causes(settings: Settings, versions: Mapping[str, int], changed: set[str]) -> pl.DataFrame:
    """Population and period → whether claims came, left or were corrected there, persons were linked there; for figures that look back (new
    starts), there or in the twelve months before."""
    keys = {"owner": pl.String, "looks_back": pl.Boolean, "period_kind": pl.String, "period": pl.Int32}
    schema = keys | dict.fromkeys(OF_CLAIMS, pl.Boolean)
    touching = []
    if tables.CLAIM.name in changed:
        touching.append(_changed_claims(settings, versions[tables.CLAIM.name]))
    if tables.PERSON_LINK.name in changed:
        touching.append(_relinked(settings, versions[tables.PERSON_LINK.name]))
    if not touching:
        return pl.DataFrame(schema=schema)
    kinds = {number: entry.kind for number, entry in config.insurers(settings).items()}
    found = []
    for insurer, month, cause in pl.concat(touching).drop_nulls().unique().iter_rows():
        for owner in sorted({"all", insurer, kinds.get(insurer, insurer)}):
            for looks_back, months in ((False, {month}), (True, {touched.later(month, n) for n in range(13)})):
                reached = touched.periods(months).items()
                found += [(owner, looks_back, kind, period, cause) for kind, periods in reached for period in periods]
    flat = pl.DataFrame(found, {**keys, "cause": pl.String}, orient="row").unique()
    return flat.group_by(list(keys)).agg(*((pl.col("cause") == cause).any().alias(cause) for cause in OF_CLAIMS))


def _changed_claims(settings: Settings, version: int) -> pl.DataFrame:
    """insurer_number, service_month, cause of what changed among claims; where the old rows are gone, of every month."""
    try:
        claims = touched.changed(settings, tables.CLAIM, version).select("insurer_number", "claim_key", "service_month", "sign").collect()
    except (DeltaError, FileNotFoundError):
        return delta.scan(settings, tables.CLAIM).select("insurer_number", "service_month", cause=pl.lit("claim")).unique().collect()
    was_there = (pl.col("sign") < 0).any().over("insurer_number", "claim_key")
    cause = pl.when(was_there).then(pl.lit("correction")).otherwise(pl.lit("late_claim"))
    return claims.select("insurer_number", "service_month", cause=cause).unique()


def _relinked(settings: Settings, version: int) -> pl.DataFrame:
    try:
        months = touched.months_of_relinked(touched.changed(settings, tables.PERSON_LINK, version))
    except (DeltaError, FileNotFoundError):
        months = delta.scan(settings, tables.CLAIM).select("insurer_number", "service_month").unique().collect()
    return months.with_columns(cause=pl.lit("person_link"))


def _none() -> pl.DataFrame:
    types = dict.fromkeys(COLUMNS, pl.String()) | {"period": pl.Int32(), "value_before": VALUE, "value_now": VALUE}
    return pl.DataFrame(schema=types | {"published_before_at": pl.Datetime("us", "UTC")})


def _put(settings: Settings, rows: pl.DataFrame) -> None:
    path = settings.table_path(f"marts.{NAME}")
    shaped = rows.select(*COLUMNS).cast(dict(_none().schema))  # type: ignore[arg-type]
    path.mkdir(parents=True, exist_ok=True)
    write_deltalake(str(path), shaped.to_arrow(), mode="overwrite", schema_mode="overwrite", description=DESCRIPTION)
    held = DeltaTable(str(path))
    for field in held.schema().fields:
        if field.metadata.get("comment") != COLUMNS[field.name]:
            held.alter.set_column_metadata(field.name, {"comment": COLUMNS[field.name]})
