"""Small cells: which figures of others are not told, and which beside them, because a subtraction would tell.

A cell is a population, place, scope, ingredient, setting and period; behind it stand its patients. Hidden are, among the cells of more
than one insurer:

1. fewer than 10 patients (10未満);
2. what leaves fewer than 10 when an insurer takes away its own figure, which it sees whole;
3. a same-form figure that differs from the brand's by fewer than 10;
4. wherever a sum along one dimension (places, settings, ingredients, months of a year, kinds of insurer) would hold exactly one hidden
   figure: the next smallest, the total only if nothing else is left; and what is the same figure under another name.
   Savings have sums of their own: where nothing was saved stands no row that could hide another.

docs/privacy.md says what this does not cover.
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from spark_jobs.publish.marts import Mart

MIN_PATIENTS = 10
FEW, HIDDEN = "10未満", "秘匿"
SHARED_POPULATIONS = ("all", "insurer_kind")
POPULATION, PLACE, PERIOD = ["population_kind", "population_key"], ["place_level", "place_key"], ["period_kind", "period"]
CELL = [*POPULATION, *PLACE, "geography", "scope", "ingredient_key", "setting", *PERIOD, "convention"]
PLAIN = {  # what a figure without the column is of
    "population_kind": "all", "population_key": "all", "geography": "facility_of_use", "scope": "brand", "ingredient_key": "all",
    "setting": "all", "convention": "claims_units",
}  # fmt: skip
OF_PERSONS = ("patients", "new_starts")  # conventions whose numerator and denominator are persons
MONTHS_BEFORE = {"fiscal_year": 3, "benefit_year": 2}  # months of a calendar year that belong to the year before: to March, to February
IN_FACILITY = ("inpatient", "outpatient_in_hospital")  # who prescribes there is where the drug is used
IS_SHARED = pl.col("population_kind").is_in(SHARED_POPULATIONS)


def verdicts(found: Mapping[str, Mart], kinds: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """Table → its cells of more than one insurer with `hidden_ja`, null = told. A table that is not here has no cell that may be told."""
    if "fct_biosimilar_share" not in found:
        return {}
    share = pl.scan_delta(found["fct_biosimilar_share"].table)
    units = of_units(share, kinds)
    judged = {"fct_biosimilar_kpi": units, "fct_biosimilar_gap": units}
    last_year = pl.col("period_kind") == "rolling_12", pl.col("period") == units.filter(period_kind="rolling_12")["period"].max()
    judged["fct_share_projection"] = units.filter(*last_year).drop(PERIOD)  # made of the months of that year
    for name in {"fct_saving_realised", "fct_saving_potential"} & set(found):
        judged[name] = of_amounts(pl.scan_delta(found[name].table), share, units, kinds)
    alike = [units.with_columns(convention=pl.lit(name)) for name in ("claims_units", "price_list_units", "value")]
    judged["fct_reconciliation"] = pl.concat(alike)
    judged["fct_biosimilar_share"] = pl.concat([*alike, _of_persons(share, units, kinds).select(alike[0].columns)])
    if "fct_generic_share" in found:
        judged["fct_generic_share"] = _of_generics(pl.scan_delta(found["fct_generic_share"].table), share, kinds)
    if "fct_saving_bundled" in found:
        judged["fct_saving_bundled"] = of_units(pl.scan_delta(found["fct_saving_bundled"].table), kinds)
    return judged


def of_units(table: pl.LazyFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """The cells of fct_biosimilar_share, or of another table with patient_count, judged by their patients."""
    if "convention" in table.collect_schema().names():
        table = table.filter(pl.col("convention") == "claims_units").drop("convention")
    return judge(_select(table, "patient_count"), kinds)


def of_amounts(table: pl.LazyFrame, share: pl.LazyFrame, units: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """The cells of amounts of the same people (savings), judged anew: sums are of the rows that stand there."""
    names = table.collect_schema().names()
    keys = [key for key in CELL if key in names]
    plain = [pl.col(key) == PLAIN[key] for key in ("scope", "ingredient_key", "setting") if key not in names]
    people = share.filter(pl.col("convention") == "claims_units", *plain).select(*keys, "patient_count")
    before = units.lazy().filter(*plain).select(*keys, is_hidden=pl.col("hidden_ja").is_not_null())
    cells = table.select(keys).unique().join(people, keys, "left").join(before, keys, "left")
    return judge(cells.with_columns(pl.col("patient_count").fill_null(1), pl.col("is_hidden").fill_null(False)).collect(), kinds)


def hide(rows: pl.DataFrame, judged: pl.DataFrame | None, figures: Sequence[str]) -> pl.DataFrame:
    """Rows of a mart with `hidden_ja`; where it stands, the figures are null. Rows of a single insurer stay whole."""
    if judged is None:
        judged = pl.DataFrame(schema=dict.fromkeys((*POPULATION, "hidden_ja"), pl.String))
    keys = [key for key in judged.columns if key != "hidden_ja"]
    unsaid = {key: pl.lit(PLAIN[key]) for key in keys if key not in rows.columns}
    told = judged.with_columns(pl.col("hidden_ja").fill_null(""))
    found = rows.with_columns(**unsaid).join(told, keys, "left", maintain_order="left").drop(*unsaid)
    is_own = ~IS_SHARED if "population_kind" in rows.columns else pl.lit(False)
    reason = pl.when(pl.col("hidden_ja") == "").then(None).otherwise(pl.col("hidden_ja").fill_null(HIDDEN))
    found = found.with_columns(hidden_ja=pl.when(is_own).then(None).otherwise(reason))
    if "both_patient_count" in figures:  # few in almost every cell
        found = found.with_columns(both_patient_count=pl.when(is_own).then("both_patient_count"))
    return found.with_columns(pl.when(pl.col("hidden_ja").is_null()).then(name).alias(name) for name in figures)


def judge(cells: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """The cells of more than one insurer, with `hidden_ja`: null told, 10未満, or 秘匿 for the sake of another.

    `cells`: one row per cell, those of single insurers too. Its columns of CELL are the key, `is_hidden` (if there) says what is hidden for
    another reason, all others count persons. `kinds`: insurer number → kind.
    """
    keys = [key for key in CELL if key in cells.columns]
    counts = [name for name in cells.columns if name not in (*keys, "is_hidden")]
    shared = cells.filter(IS_SHARED).with_row_index("cell").join(_biggest_parts(cells, kinds, keys, counts), keys, "left")
    few = pl.any_horizontal([_is_few(pl.col(n)) | _is_few(pl.col(n) - pl.col(f"biggest_{n}")) for n in counts])
    if "scope" in keys:
        of_brand = pl.col(counts[0]).filter(pl.col("scope") == "brand").first().over([key for key in keys if key != "scope"])
        few |= _is_few(of_brand - pl.col(counts[0]))
    if "is_hidden" in cells.columns:
        few |= pl.col("is_hidden")
    is_hidden = shared.select(few.alias("is_hidden")).to_series()
    sums = shared.select("cell", size=counts[0]).join(pl.concat(_sums(shared, keys)), "cell")
    while True:
        now = sums.with_columns(is_hidden=is_hidden.gather(sums["cell"]))
        lone = now.filter((pl.col("is_hidden").sum().over("sum") == 1) & ~pl.col("is_hidden"))
        more = lone.sort("is_total", "size", "cell").unique("sum", keep="first")["cell"]
        if more.is_empty():
            break
        is_hidden |= shared["cell"].is_in(more.implode())
    reason = pl.when(~pl.col("is_hidden")).then(None).when(_is_few(pl.col(counts[0]))).then(pl.lit(FEW)).otherwise(pl.lit(HIDDEN))
    return shared.with_columns(is_hidden).select(*keys, hidden_ja=reason)


def hidden_parts(patients: Mapping[str, int]) -> set[str]:
    """Parts of a told total that are hidden: the few, and the next smallest until what is hidden together is not few either."""
    found = {part for part, n in patients.items() if 1 <= n < MIN_PATIENTS}
    for part in sorted(patients.keys() - found, key=lambda part: (patients[part], part)):
        if not found or (len(found) > 1 and sum(patients[name] for name in found) >= MIN_PATIENTS):
            break
        if patients[part]:
            found.add(part)
    return found


def _of_persons(share: pl.LazyFrame, units: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """Shares of persons: their numerator, denominator and what lies between are small cells too."""
    counted = share.filter(pl.col("convention").is_in(OF_PERSONS)).with_columns(
        with_bs=pl.col("numerator").cast(pl.Int64), all_persons=pl.col("denominator").cast(pl.Int64),
        without_bs=(pl.col("denominator") - pl.col("numerator")).cast(pl.Int64),
    )  # fmt: skip
    cells = _select(counted, "patient_count", "with_bs", "without_bs", "all_persons")
    before = units.select(*units.columns[:-1], is_hidden=pl.col("hidden_ja").is_not_null())
    return judge(cells.join(before, units.columns[:-1], "left").with_columns(pl.col("is_hidden").fill_null(False)), kinds)


def _of_generics(generic: pl.LazyFrame, share: pl.LazyFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """No patients are counted there. At least those who used a biologic stand behind a cell; none of them counts as few."""
    biologics = share.filter((pl.col("convention") == "claims_units") & (pl.col("scope") == "brand") & (pl.col("ingredient_key") == "all"))
    keys = [*POPULATION, *PLACE, "geography", "setting", *PERIOD]
    cells = generic.filter(pl.col("yakko_class_2") == "all").select(*keys, "scope").unique()
    cells = cells.join(biologics.select(*keys, "patient_count"), keys, "left")
    judged = judge(cells.with_columns(pl.col("patient_count").fill_null(1)).collect(), kinds)
    return judged.with_columns(yakko_class_2=pl.lit("all"))


def _select(table: pl.LazyFrame, *counts: str) -> pl.DataFrame:
    names = table.collect_schema().names()
    keys = [key for key in CELL if key in names]
    return table.group_by(keys).agg(pl.col(counts).max()).sort(keys).collect()


def _is_few(count: pl.Expr) -> pl.Expr:
    """1 to 9: nobody is no secret."""
    return count.is_between(1, MIN_PATIENTS - 1).fill_null(False)


def _biggest_parts(cells: pl.DataFrame, kinds: Mapping[str, str], keys: list[str], counts: list[str]) -> pl.DataFrame:
    """Each count of the insurer that has the most of it, among all insurers and in each kind: biggest_<count>."""
    own = cells.filter(pl.col("population_kind") == "insurer")
    kind = pl.col("population_key").replace_strict(kinds, default="", return_dtype=pl.String)
    levels = {"all": pl.lit("all"), "insurer_kind": kind}
    parts = [own.with_columns(population_kind=pl.lit(level), population_key=key) for level, key in levels.items()]
    return pl.concat(parts).group_by(keys).agg(pl.col(counts).max().name.prefix("biggest_"))


def _sums(cells: pl.DataFrame, keys: list[str]) -> Iterator[pl.DataFrame]:
    """cell, sum, is_total: each sum that a reader can form, and its terms. Of two terms: the same figure under two names."""
    totals = {"place_level": "nation", "population_kind": "all", "ingredient_key": "all", "setting": "all"}
    for name, total in totals.items():
        if name in keys:
            summed = {"place_level": PLACE, "population_kind": POPULATION}.get(name, [name])
            yield _terms(name, cells.with_columns(is_total=pl.col(name) == total), [key for key in keys if key not in summed])
    months, year, month = cells.filter(pl.col("period_kind") == "month"), pl.col("period") // 100, pl.col("period") % 100
    within = [pl.struct(period_kind=pl.lit(kind), period=year - (month <= before).cast(pl.Int32))
              for kind, before in MONTHS_BEFORE.items()]  # fmt: skip
    within += [pl.struct(period_kind=pl.lit("rolling_12"), period=_later(pl.col("period"), n)) for n in range(12)]
    parts = months.with_columns(within=pl.concat_list(within)).drop(PERIOD).explode("within").unnest("within")
    years = cells.filter(pl.col("period_kind") != "month")
    both = [years.with_columns(is_total=pl.lit(True)), parts.with_columns(is_total=pl.lit(False)).select([*years.columns, "is_total"])]
    yield _terms("period", pl.concat(both), keys)
    if {"setting", "geography"} <= set(keys):
        same = cells.filter((pl.col("place_level") == "nation") | pl.col("setting").is_in(IN_FACILITY))
        is_first = pl.col("geography") == "facility_of_use"
        yield _terms("geography", same.with_columns(is_total=is_first), [key for key in keys if key != "geography"])


def _terms(name: str, cells: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The cells by sum, where the total is there to be subtracted from."""
    sums = cells.group_by(keys).agg("cell", "is_total").filter(pl.col("is_total").list.any()).with_row_index("number")
    return sums.select("cell", "is_total", sum=pl.format("{} {}", pl.lit(name), "number")).explode("cell", "is_total")


def _later(month: pl.Expr, number: int) -> pl.Expr:
    """YYYYMM, so many months later."""
    index = month // 100 * 12 + month % 100 - 1 + number
    return index // 12 * 100 + index % 12 + 1
