"""Part 5, 金額: what is it worth, and to whom? Realised, still reachable, and the hospital's apart."""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from spark_jobs.publish.disclosure import hidden_parts
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.charts import Bar, Span
from spark_jobs.publish.report.subject import Row, Subject, patients, vintages
from spark_jobs.publish.report.table import Table
from spark_jobs.publish.report.wording import FEW, HIDDEN, NO_DATA, NOT_COMPUTABLE, Cell

TO_TARGET, SAME_FORM, FULL = "to_80", "same_form_only", "full"
ORDER = (TO_TARGET, SAME_FORM, FULL, "new_starts_only", "p75_peer", "best_peer", "own_use_at_mean_price")
BASIS = {
    "receipt_certain": "すべてレセプトから確定",
    "interval": "レセプトだけでは決まらない分（世帯合算、多数回該当、付加給付など）があり、下限〜上限で示す",
    "ledger": "高額療養費の支給台帳による",
}
OF_YEAR = ("saving_yen", "constant_saving_yen", "nominal_insurer_yen", "insurer_gain_low_yen", "insurer_gain_high_yen")
WHY_HIDDEN = {FEW: "患者が10人未満のため秘匿", HIDDEN: "差し引きで少数の患者の値が分かるため秘匿"}
PAYERS = {"insurer": "保険者", "patient": "患者", "public": "公費"}


@dataclass(frozen=True)
class Saving:
    gain: str  # 保険者負担の軽減額, as an interval
    gain_note: str
    reachable: str
    reachable_note: str
    sentences: list[str]
    basis: str
    payers: list[Span]
    payers_unit: str
    payers_table: Table
    years_table: Table
    bars: list[Bar]
    bars_unit: str
    bars_note: str
    table: Table
    hospital: str
    scenarios: list[Bar]
    scenarios_unit: str
    scenarios_note: str
    scenarios_table: Table
    reachable_table: Table
    insurers_table: Table


def build(subject: Subject) -> Saving:
    years = _realised(subject)
    year = {row["ingredient_key"]: row for row in years.filter(pl.col("period") == subject.fiscal_year).to_dicts()}
    vintage = vintages(text for row in year.values() for text in row["price_vintages"])
    total = year.get("all")
    is_hidden = total is not None and total["hidden_ja"] is not None
    if is_hidden:
        total = None
    why_not = Cell(HIDDEN if is_hidden else NO_DATA)
    reachable = _reachable(subject)
    of_all = reachable.filter(pl.col("ingredient_key") == "all")
    told = {row["scenario_key"]: row for row in of_all.filter(pl.col("hidden_ja").is_null()).to_dicts()}
    payers, payers_unit, payers_table = _payers(subject, total, vintage, why_not)
    bars, bars_unit, bars_note, table = _ingredients(subject, year, vintage)
    scenarios, scenarios_unit, scenarios_table = _scenarios(subject, told, set(of_all["scenario_key"]) - told.keys())
    same_form = told.get(SAME_FORM)
    gain = wording.yen_between(total["insurer_gain_low_yen"], total["insurer_gain_high_yen"]) if total else why_not
    worth = wording.yen(same_form["nominal_insurer_yen"]) if same_form else Cell(HIDDEN if of_all.height else NO_DATA)
    return Saving(
        gain.text, f"{subject.year_text}に使ったBSによる。高額療養費・公費を考慮した区間。薬価 {vintage}", worth.text,
        f"{subject.year_text}の使用が続き、同じ剤形・規格への切替がすべて進んだ場合。給付割合による名目",
        _sentences(subject, total, told, vintage), _basis(total), payers, payers_unit, payers_table, _years(subject, years),
        bars, bars_unit, bars_note, table, _hospital(subject), scenarios, scenarios_unit, _restricted(subject, reachable),
        scenarios_table, _reachable_ingredients(subject, reachable), _insurers(subject),
    )  # fmt: skip


def _realised(subject: Subject) -> pl.DataFrame:
    """Fiscal year and ingredient → what was saved, over all price vintages."""
    frame = subject.here(subject.judged_amounts(subject.frames["fct_saving_realised"])).filter(
        (pl.col("population_kind") == "all") & (pl.col("setting") == "all") & (pl.col("period_kind") == "fiscal_year")
    )
    amounts = [name for name, kind in frame.schema.items() if kind.is_decimal()]
    return frame.group_by("period", "ingredient_key").agg(
        pl.col(amounts).sum(), pl.col("price_vintage").unique().alias("price_vintages"), pl.col("gain_basis").min(),
        pl.col("constant_price_month").max(),
        pl.col("hidden_ja").max(),
    )  # fmt: skip


def _reachable(subject: Subject) -> pl.DataFrame:
    """Scenario and ingredient → what the insurers could still save, each on its own: the sum of their rows."""
    whole = subject.here(subject.judged_amounts(subject.frames["fct_saving_potential"])).filter(
        (pl.col("population_kind") == "all") & (pl.col("period") == subject.fiscal_year)
    )
    frame = subject.insurer_rows(subject.here(subject.frames["fct_saving_potential"])).filter(pl.col("period") == subject.fiscal_year)
    gains = [f"{payer}_gain_{end}_yen" for payer in PAYERS for end in ("low", "high")]
    amounts = [pl.col("saving_yen", "nominal_insurer_yen", "quantity", "restricted_quantity", "uncomputable_quantity").sum()]
    known = [pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in gains]
    summed = frame.group_by("scenario_key", "ingredient_key").agg(*amounts, *known)
    return summed.join(whole.group_by("ingredient_key").agg(pl.col("hidden_ja").max()), "ingredient_key", "left")


def _is_computable(row: Row | None) -> bool:
    """There is a quantity whose reference has a price; a saving of nothing but others is 算定不可, not 0."""
    return row is not None and bool(row["quantity"])


def _sentences(subject: Subject, total: Row | None, told: dict[str, Row], vintage: str) -> list[str]:
    said = []
    if total is not None and _is_computable(total):
        gain = wording.yen_between(total["insurer_gain_low_yen"], total["insurer_gain_high_yen"])
        nominal, whole = wording.yen(total["nominal_insurer_yen"]), wording.yen(total["saving_yen"])
        said.append(
            f"{subject.year_text}に使ったバイオシミラーは、保険者の負担を {gain}減らした（高額療養費・公費を考慮した区間。"
            f"給付割合だけでみた名目では {nominal}）。医療費全体では {whole}（薬価 {vintage}）。"
        )  # fmt: skip
    if SAME_FORM in told and TO_TARGET in told:
        worth = {key: wording.yen(told[key]["nominal_insurer_yen"]) for key in (SAME_FORM, TO_TARGET)}
        said.append(
            f"同じ剤形・規格への切替がすべて進むと、保険者の負担は{_per_year(subject)} {worth[SAME_FORM]}、"
            f"成分ごとに {_target_text(subject)}まで進むと {worth[TO_TARGET]}、さらに減る見込み（名目。供給に制限のある品目は含めない）。"
        )  # fmt: skip
    return said


def _per_year(subject: Subject) -> str:
    return "年" if subject.year_months == 12 else f"{subject.year_months}か月で"


def _target_text(subject: Subject) -> str:
    return wording.percent(subject.scenarios[TO_TARGET].parameter or 0)


def _basis(total: Row | None) -> str:
    if total is None or total["gain_basis"] is None:
        return f"分担の根拠：{NOT_COMPUTABLE}。"
    words = f"分担の根拠：{BASIS[total['gain_basis']]}。"
    if total["gain_basis"] == "interval":
        words += f"効果額のうち {wording.yen(total['certain_yen'])}（{wording.share(total['certain_yen'] / total['saving_yen'])}）は確定。"
    return words


def _payers(subject: Subject, total: Row | None, vintage: str, why_not: Cell) -> tuple[list[Span], str, Table]:
    caption = f"誰の負担がいくら減ったか（{subject.year_text}、薬価 {vintage}）"
    header = ["負担する人", "名目（給付割合だけ）", "下限（高額療養費・公費を考慮）", "上限（同）"]
    if total is None:
        return [], "円", Table("payers", caption, header, [[Cell("保険者"), *[why_not] * 3]])
    nominal = {"insurer": total["nominal_insurer_yen"], "patient": total["nominal_patient_yen"], "public": None}
    rows, spans = [], []
    scale, unit = _unit([total["saving_yen"]])
    for payer, name in PAYERS.items():
        low, high = total[f"{payer}_gain_low_yen"], total[f"{payer}_gain_high_yen"]
        named = name if payer != "patient" else "患者（名目は公費を含む）"
        rows.append(
            [
                Cell(named),
                Cell("患者に含む") if nominal[payer] is None else wording.yen(nominal[payer]),
                wording.yen(low),
                wording.yen(high),
            ]
        )
        tick = None if nominal[payer] is None else float(nominal[payer]) / scale
        spans.append(Span(named, wording.yen_between(low, high).text, float(low) / scale, float(high) / scale, tick))
    whole = wording.yen(total["saving_yen"])
    rows.append([Cell("分担を算定できない額"), *[wording.yen(total["undivided_yen"])] * 3])
    rows.append([Cell("合計（医療費適正効果額）"), whole, whole, whole])
    return spans, unit, Table("payers", caption, header, rows)


def _years(subject: Subject, years: pl.DataFrame) -> Table:
    months = dict(subject.rows(subject.share, "fiscal_year", "all").select("period", "months_in_period").rows())
    rows, basis = [], None
    for row in years.filter(pl.col("ingredient_key") == "all").sort("period").to_dicts():
        basis = row["constant_price_month"]
        name = f"{row['period']}年度" + (f"（{months[row['period']]}か月分）" if months.get(row["period"], 12) < 12 else "")
        amounts = [Cell(HIDDEN) if row["hidden_ja"] else wording.yen(row[column]) for column in OF_YEAR]
        rows.append([Cell(name), Cell(vintages(row["price_vintages"])), *amounts])
    fixed = f"効果額（薬価を{wording.month(basis)}に固定）" if basis else "効果額（薬価を固定）"
    header = ["年度", "薬価", "医療費適正効果額", fixed, "保険者分（名目）", "保険者負担の軽減 下限", "同 上限"]
    return Table("savings-years", "医療費適正効果額の推移（年度別）", header, rows or [[Cell(subject.year_text), *[Cell(NO_DATA)] * 6]])


def _ingredients(subject: Subject, year: dict[str, Row], vintage: str) -> tuple[list[Bar], str, str, Table]:
    keys = [key for key in subject.ingredients if key in year]
    hidden = {key for key in keys if year[key]["hidden_ja"]}
    rows = [[Cell(subject.name(key)), *_amounts(year[key], key in hidden), patients(subject.own_year[key])] for key in keys]
    if "all" in year:
        rows.append(
            [
                Cell("合計"),
                *_amounts(year["all"], bool(year["all"]["hidden_ja"]))[:3],
                *[Cell("—（単位が異なる）")] * 2,
                patients(subject.own_year["all"]),
            ]
        )
    shown = [(subject.name(key), year[key]["saving_yen"]) for key in keys if key not in hidden and _is_computable(year[key])]
    shown.sort(key=lambda pair: -pair[1])
    scale, unit = _unit([value for _, value in shown])
    bars = [Bar(name, float(value) / scale, wording.yen(value).text) for name, value in shown]
    header = [
        "成分",
        f"医療費適正効果額（薬価 {vintage}）",
        "保険者負担の軽減 下限",
        "同 上限",
        "BS数量（規格単位）",
        "算定不可の数量（規格単位）",
        "患者数（人）",
    ]
    table = Table("savings", f"成分別の医療費適正効果額（{subject.year_text}）", header, rows)
    return bars, unit, _remark(subject, year, [key for key in keys if key not in hidden], len(hidden)), table


def _remark(subject: Subject, year: dict[str, Row], keys: list[str], hidden: int) -> str:
    negative = [subject.name(key) for key in keys if year[key]["saving_yen"] < 0]
    without_price = [key for key in keys if year[key]["uncomputable_quantity"]]
    none = [subject.name(key) for key in without_price if not _is_computable(year[key])]
    partly = [subject.name(key) for key in without_price if _is_computable(year[key])]
    words = f"{'、'.join(negative)}は、BSの薬価が対応する先行品を上回るため負の値になる。" if negative else ""
    words += f"{NOT_COMPUTABLE}（対応する先行品の薬価がない）：{'、'.join(none)}。" if none else ""
    words += f"数量の一部が{NOT_COMPUTABLE}：{'、'.join(partly)}。" if partly else ""
    return words + (f"{hidden}成分は患者が少ないため秘匿（合計には含む）。" if hidden else "")


def _amounts(row: Row, is_hidden: bool) -> list[Cell]:
    if is_hidden:
        return [Cell(HIDDEN)] * 5
    money = [wording.yen(row[name]) if _is_computable(row) else Cell(NOT_COMPUTABLE)
             for name in ("saving_yen", "insurer_gain_low_yen", "insurer_gain_high_yen")]  # fmt: skip
    return [*money, wording.quantity(row["quantity"]), wording.quantity(row["uncomputable_quantity"])]


def _hospital(subject: Subject) -> str:
    """What the bundle of DPC stays pays: the hospital's, in no sum of the insurer."""
    frame = subject.here(subject.judged(subject.frames["fct_saving_bundled"])).filter(
        (pl.col("population_kind") == "all") & (pl.col("ingredient_key") == "all") & (pl.col("period_kind") == "fiscal_year")
        & (pl.col("period") == subject.fiscal_year)
    )  # fmt: skip
    if frame.is_empty():
        return "DPCの包括分では、BSの使用がない。"
    row = frame.to_dicts()[0]
    amount = (
        WHY_HIDDEN[row["hidden_ja"]]
        if row["hidden_ja"]
        else f"{wording.yen(row['hospital_saving_yen'])}（患者 {row['patient_count']:,}人）"
    )
    words = "入院料は変わらず病院の薬剤費が減る分で、保険者の負担は減らない。このページのどの合計にも含めない。"
    return f"DPCの包括分で使われたBSの差額は {amount}。{words}"


def _scenarios(subject: Subject, told: dict[str, Row], hidden: set[str]) -> tuple[list[Bar], str, Table]:
    """Each scenario of config/scenarios, in the order in which they are asked for."""
    keys = sorted(subject.scenarios, key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
    scale, unit = _unit([row["nominal_insurer_yen"] for row in told.values()])
    bars, rows = [], []
    for key in keys:
        scenario, row = subject.scenarios[key], told.get(key)
        if row is None:
            rows.append([Cell(scenario.title_ja), *[Cell(HIDDEN if key in hidden else NOT_COMPUTABLE)] * 4, Cell(scenario.description_ja)])
            continue
        gains = [wording.yen(row[name]) if row[name] is not None else Cell("—（名目だけ）")
                 for name in ("insurer_gain_low_yen", "insurer_gain_high_yen")]  # fmt: skip
        rows.append([Cell(scenario.title_ja), wording.yen(row["saving_yen"]), wording.yen(row["nominal_insurer_yen"]), *gains,
                     Cell(scenario.description_ja)])  # fmt: skip
        text = wording.yen(row["nominal_insurer_yen"]).text
        bars.append(Bar(scenario.title_ja, float(row["nominal_insurer_yen"]) / scale, text))
    header = ["想定", "医療費", "保険者分（名目）", "保険者負担の軽減 下限", "同 上限", "想定の内容"]
    return (
        bars,
        unit,
        Table("scenarios", f"まだ減らせる額（{subject.year_text}の使用量と各月の薬価、各保険者の合計）", header, rows, is_prose=True),
    )


def _restricted(subject: Subject, reachable: pl.DataFrame) -> str:
    of_full = reachable.filter((pl.col("scenario_key") == FULL) & (pl.col("ingredient_key") != "all"))
    left_out = of_full.filter(pl.col("restricted_quantity") > 0)
    told = left_out.filter(pl.col("hidden_ja").is_null())["ingredient_key"].to_list()
    words = f"除いた成分：{'、'.join(subject.name(key) for key in told)}。" if told else ""
    none = "この期間に除いた成分はない。" if left_out.is_empty() else ""
    return f"供給に制限（限定出荷・供給停止）のあるBSへの切替は含めない。{words}{none}"


def _reachable_ingredients(subject: Subject, reachable: pl.DataFrame) -> Table:
    found = {(row["scenario_key"], row["ingredient_key"]): row for row in reachable.to_dicts()}
    rows = []
    for key in subject.ingredients:
        near, far = found.get((TO_TARGET, key)), found.get((SAME_FORM, key))
        if near is None or far is None:
            continue
        if far["hidden_ja"]:
            rows.append([Cell(subject.name(key)), *[Cell(HIDDEN)] * 6])
            continue
        money = [wording.yen(row[name]) for row in (near, far) for name in ("saving_yen", "nominal_insurer_yen")]
        left_out = [wording.quantity(far[name]) for name in ("restricted_quantity", "uncomputable_quantity")]
        rows.append([Cell(subject.name(key)), *money, *left_out])
    titles = [subject.scenarios[key].title_ja for key in (TO_TARGET, SAME_FORM)]
    header = [
        "成分",
        *(f"{title}：{part}" for title in titles for part in ("医療費", "保険者分（名目）")),
        "供給制限で除いた数量",
        "薬価のない数量",
    ]
    return Table("reachable", f"成分別のまだ減らせる額（{subject.year_text}）", header, rows)


def _insurers(subject: Subject) -> Table:
    """Each insurer's own: what it saved and what it could still save."""
    of_year = (pl.col("period_kind") == "fiscal_year") & (pl.col("period") == subject.fiscal_year) & (pl.col("ingredient_key") == "all")
    realised = subject.insurer_rows(subject.here(subject.frames["fct_saving_realised"])).filter(of_year & (pl.col("setting") == "all"))
    amounts = ("saving_yen", "nominal_insurer_yen", "insurer_gain_low_yen", "insurer_gain_high_yen")
    saved = {row["population_key"]: row for row in realised.group_by("population_key").agg(pl.col(amounts).sum()).to_dicts()}
    potential = subject.insurer_rows(subject.here(subject.frames["fct_saving_potential"])).filter(of_year)
    could = {(row["population_key"], row["scenario_key"]): row["nominal_insurer_yen"] for row in potential.to_dicts()}
    users = subject.year(subject.insurer_rows(subject.here(subject.brand)).filter(pl.col("setting") == "all"), "all")
    n = dict(users.select("population_key", "patient_count").iter_rows())
    hidden = hidden_parts(n)
    rows = []
    for number in subject.by_size:
        if number in hidden or number not in n:
            few = Cell(NO_DATA) if number not in n else Cell(FEW if n[number] < 10 else HIDDEN)
            rows.append([Cell(subject.short(number)), few, *[Cell(HIDDEN if number in n else NO_DATA)] * 6])
            continue
        row = saved.get(number, dict.fromkeys(amounts, Decimal(0)))
        rows.append([
            Cell(subject.short(number)), wording.count(n[number]), *(wording.yen(row[name]) for name in amounts),
            *(wording.yen(could.get((number, key), Decimal(0))) for key in (TO_TARGET, SAME_FORM)),
        ])  # fmt: skip
    titles = [f"まだ減らせる保険者分（名目）：{subject.scenarios[key].title_ja}" for key in (TO_TARGET, SAME_FORM)]
    header = ["保険者", "患者数（人）", "医療費適正効果額", "保険者分（名目）", "保険者負担の軽減 下限", "同 上限", *titles]
    return Table("savings-insurers", f"保険者別の金額（全成分計、{subject.year_text}）", header, rows)


def _unit(values: list[Decimal]) -> tuple[int, str]:
    top = max((abs(value) for value in values), default=Decimal(0))
    return (10**8, "億円") if top >= 10**9 else (10**4, "万円") if top >= 10**4 else (1, "円")
