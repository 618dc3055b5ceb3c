"""The region's report from invented marts: what it says, what it hides, and that the file stands alone."""

import base64
import csv
import io
import os
import re
import shutil
import tempfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from spark_jobs import config
from spark_jobs.config import Insurer, Region
from spark_jobs.errors import LakeError
from spark_jobs.publish import disclosure, publication
from spark_jobs.publish.report import page as report
from spark_jobs.publish.report import wording
from spark_jobs.publish.report.page import Page
from spark_jobs.publish.report.table import Table
from spark_jobs.rollout import gate_result
from spark_jobs.settings import Settings
from tests.spark_jobs.publish.conftest import invented_changes

ALLOWED_WORDS = {"算定不可", "秘匿", "データなし", "10未満"}


@pytest.fixture(scope="module")
def insurers(demo_config) -> dict[str, Insurer]:
    return config.insurers(demo_config)


@pytest.fixture(scope="module")
def region(demo_config) -> Region:
    return config.region(demo_config, "demo")


@pytest.fixture(scope="module")
def view(demo_config, region, insurers):
    """Marts → page, of this region or another."""
    return lambda frames, region=region: report.build(frames, region, insurers, config.scenarios(demo_config), "invented")


@pytest.fixture(scope="module")
def page(invented, view) -> Page:
    moved = invented_changes({}, {"period": 202504, "period_kind": "month"}, {"population_kind": "insurer", "population_key": "06139901",
                                  "causes": "price", "causes_ja": "薬価"})  # fmt: skip
    return view(invented | {"fct_figure_change": moved})


@pytest.fixture(scope="module")
def html(page) -> str:
    return report.render(page, "0123abcd")


def tables(page: Page) -> list[Table]:
    parts = [page, *vars(page).values()]
    return [value for part in parts if hasattr(part, "__dataclass_fields__") for value in vars(part).values() if isinstance(value, Table)]


def cell(table: Table, row: str, column: str) -> str:
    (found,) = [r for r in table.rows if r[0].text == row]
    (index,) = [i for i, name in enumerate(table.header) if column in name]
    return found[index].text


def own_share(invented: dict, ingredient: str, numbers: list[str] | None = None) -> float:
    """By plain sums over the insurers' rows of FY2025."""
    rows = [
        r for r in invented["fct_biosimilar_share"].filter(pl.col("scope") == "brand").to_dicts()
        if (r["population_kind"], r["place_level"], r["geography"], r["convention"], r["period_kind"], r["period"], r["ingredient_key"])
        == ("insurer", "nation", "facility_of_use", "claims_units", "fiscal_year", 2025, ingredient)
        and (numbers is None or r["population_key"] in numbers)
    ]  # fmt: skip
    return float(sum(r["numerator"] for r in rows) / sum(r["denominator"] for r in rows))


def test_no_cell_is_ever_empty(page):
    for table in tables(page):
        assert table.rows, table.key
        for row in table.rows:
            assert len(row) == len(table.header), table.key
            assert all(c.text.strip() and c.plain.strip() and "None" not in c.text and "nan" not in c.text for c in row), (table.key, row)


def test_the_headline_is_the_share_of_the_last_whole_fiscal_year(page, invented):
    assert page.year == "2025年度"
    assert page.key_points.headlines[2].value == f"{own_share(invented, 'all'):.1%}".replace("%", "％")
    assert "請求単位" in page.key_points.sentences[2] and "20成分計" in page.key_points.sentences[2]


def test_a_change_is_said_only_beyond_chance(invented, view):
    """2026-04 to 07 (final months) against the same months of 2025."""
    assert re.search(r"2026年4〜7月診療は [\d.]+％で、前年同期より [\d.]+ポイント上がった。", view(invented).key_points.sentences[2])
    few = invented["fct_biosimilar_share"].with_columns(pl.col("patient_count").clip(upper_bound=30))
    said = view(invented | {"fct_biosimilar_share": few}).key_points.sentences[2]
    assert "前年同期" not in said


def test_the_kpi_counts_against_the_listed_ingredients(page):
    assert page.key_points.headlines[3].value == "2 / 20"
    assert "国の目標（60％、2030年3月31日まで）まであと 10成分" in page.key_points.sentences[3]


def test_last_two_months_are_provisional(page):
    assert dict(page.facts)["診療年月"] == "2024年10月〜2026年9月（2026年8〜9月は暫定）"
    assert all(trend.series.provisional_from == 202608 for trend in page.trend.panels)


def test_each_trend_has_the_breaks_that_bend_it(page):
    """Price and fee revisions and 選定療養 on every trend; a listing on those of its ingredients only. One mark a month."""
    marks = {panel.key: panel.breaks for panel in page.trend.panels}
    assert marks["all"] == marks["generic"] == marks["infliximab"] == [202504, 202604, 202606]
    assert marks["tocilizumab"] == [202504, 202511, 202604, 202606]
    legend = dict(page.trend.legend)
    assert legend["①"] == "2025年4月 薬価改定(2025年度 中間年)"
    assert legend["②"] == "2025年11月 アフリベルセプトBS・トシリズマブBS 初収載"
    assert legend["⑤"] == "2026年6月 診療報酬改定・長期収載品の選定療養(差額の1/2)"
    assert {mark for panel in page.trend.panels for _, mark in page.trend.marks_of(panel)} == set(legend)


def test_the_words_of_a_figure_are_those_of_the_measure_registry(page, invented):
    terms = {row[0].text: [cell.text for cell in row] for row in page.terms.rows}
    measure = next(row for row in invented["dim_measure"].to_dicts() if row["measure_key"] == "biosimilar_quantity_share")
    assert terms[measure["name_ja"]][1:3] == [measure["definition_ja"], measure["convention_ja"]]
    assert {"医療費適正効果額", "NDB 全国値", "80％以上の成分（KPI）"} <= set(terms)


def test_a_measure_taken_out_of_the_registry_is_told(invented, view):
    few = invented["dim_measure"].filter(pl.col("measure_key") != "biosimilar_kpi")
    with pytest.raises(LakeError, match="no measure biosimilar_kpi"):
        view(invented | {"dim_measure": few})


def test_official_value_stands_beside_ours_with_its_year(page, invented):
    assert cell(page.official.table, "インフリキシマブ", "公式値") == "25.0％（NDB 2023年度）"
    assert cell(page.official.table, "インフリキシマブ", "本地域") == f"{own_share(invented, 'infliximab'):.1%}".replace("%", "％")
    assert cell(page.official.table, "インフリキシマブ", "読み方") == "偶然の範囲"
    assert cell(page.official.table, "インスリン リスプロ", "公式値") == "データなし"
    assert cell(page.official.table, "ペグフィルグラスチム", "本地域") == "算定不可", "nobody used it: no denominator, not 0 %"


def test_without_ndb_it_says_so(invented, view):
    page = view(invented | {name: invented[name].clear() for name in ("fct_ndb_share", "fct_reconciliation")})
    assert "未取込" in page.official.sentence and {row[3].text for row in page.official.table.rows} == {"データなし"}


def test_small_cells_are_hidden_and_one_more_where_subtraction_would_tell(invented, view):
    """Per ingredient the smallest insurers have 1 to 9 patients; nobody's number between 1 and 9 stands anywhere."""
    page = view(invented)
    numbers = [name for name in page.distance.peer_ingredients_table.header if name != "成分"]
    for row in page.distance.peer_ingredients_table.rows:
        hidden = [c for c in row[1:] if c.text == "秘匿"]
        assert len(hidden) != 1, (row[0].text, numbers)
        assert not re.search(r"（[1-9]）", "".join(c.text for c in row))
    assert any(c.text == "秘匿" for row in page.distance.peer_ingredients_table.rows for c in row)
    for table in tables(page):
        for row in table.rows:
            for name, c in zip(table.header, row, strict=True):
                if name == "患者数（人）":
                    assert c.text in ALLOWED_WORDS | {"0"} or int(c.text.replace(",", "")) >= 10, (table.key, row)


def test_an_ingredient_of_a_few_patients_is_hidden_in_every_part(invented, view):
    few = pl.when(pl.col("ingredient_key") == "rituximab").then(pl.col("patient_count").clip(upper_bound=7)).otherwise("patient_count")
    share = invented["fct_biosimilar_share"].with_columns(few.alias("patient_count"))
    page = view(invented | {"fct_biosimilar_share": share})
    assert cell(page.official.table, "リツキシマブ", "本地域") == "秘匿" and cell(page.official.table, "リツキシマブ", "患者数") == "10未満"
    assert cell(page.distance.table, "リツキシマブ", "数量シェア") == "秘匿"
    (dot,) = [d for d in page.distance.dots if d.label == "リツキシマブ"]
    assert (dot.own, dot.low, dot.high) == (None, None, None)
    assert "リツキシマブ" in page.trend.undrawn and "リツキシマブ" not in [b.label for b in page.saving.bars]
    assert cell(page.saving.table, "リツキシマブ", "医療費適正効果額") == "秘匿"
    hidden = [row[0].text for row in page.saving.table.rows if row[1].text == "秘匿"]
    assert len(hidden) == 2, "one more, else the total would tell"
    assert {c.text for row in page.trend.table.rows if row[0].text == "リツキシマブ" for c in row[1:]} == {"秘匿"}


def test_a_region_of_a_few_patients_tells_no_figure(invented, view):
    few = invented["fct_biosimilar_share"].with_columns(patient_count=pl.col("patient_count").clip(upper_bound=7))
    page = view(invented | {"fct_biosimilar_share": few})
    assert [headline.value for headline in page.key_points.headlines] == ["秘匿"] * 5
    assert page.saving.bars == page.saving.payers == page.saving.scenarios == page.trend.panels == []
    told = {cell.text for table in (page.saving.payers_table, page.saving.years_table, page.saving.table, page.saving.reachable_table,
            page.saving.insurers_table, page.distance.kpi_table, page.distance.peers_table, page.generics.insurers_table)
            for row in table.rows for cell in row[1:]}  # fmt: skip
    assert not [text for text in told if re.search(r"[\d.]+(％|万?円|億円)", text) and "まで" not in text], told
    assert report.render(page, "k")


def test_no_rank_under_the_minimum_number(page):
    for row in page.distance.peers_table.rows:
        n, rank, words = row[4].text, row[6].text, row[7].text
        if n not in ALLOWED_WORDS and int(n.replace(",", "")) < 30:
            assert "/" not in rank and words in ("少数（順位をつけない）", "比べない")


def test_negative_and_uncomputable_savings(page):
    bars = {bar.label: bar for bar in page.saving.bars}
    assert bars["エポエチンアルファ"].value < 0 and bars["エポエチンアルファ"].text.startswith("−")
    assert "ベバシズマブ" not in bars and "算定不可（対応する先行品の薬価がない）：ベバシズマブ。" in page.saving.bars_note
    assert cell(page.saving.table, "ベバシズマブ", "医療費適正効果額") == "算定不可", "never 0 yen"
    assert "薬価 2025年4月改定" in page.saving.table.header[1]


def test_the_page_leads_with_what_the_insurers_gain(page, invented):
    """By plain sums of the insurers' rows; nominal 70 %, an interval of 70 to 90 %; still reachable 700 yen for 8 of 10 units."""
    at = {"place_level": "nation", "geography": "facility_of_use", "ingredient_key": "all", "setting": "all", "period_kind": "fiscal_year",
          "period": 2025, "population_kind": "insurer"}  # fmt: skip
    rows = [row for row in invented["fct_saving_realised"].to_dicts() if all(row[key] == value for key, value in at.items())]
    saved = sum(row["saving_yen"] for row in rows)
    low, high = (wording.yen(saved * part) for part in (Decimal("0.7"), Decimal("0.9")))
    assert page.key_points.headlines[0].value == f"{low}〜{high}"
    assert f"名目では {low}" in page.key_points.sentences[0] and "区間" in page.key_points.sentences[0] + page.saving.basis
    payers = {row[0].text: [c.text for c in row[1:]] for row in page.saving.payers_table.rows}
    assert payers["保険者"] == [low.text, low.text, high.text]
    shares = [row for row in invented["fct_biosimilar_share"].filter((pl.col("scope") == "brand") & (pl.col("convention") == "claims_units"))
              .to_dicts() if all(row[key] == value for key, value in at.items())]  # fmt: skip
    reference = sum(row["denominator"] - row["numerator"] for row in shares)
    assert page.key_points.headlines[1].value == wording.yen(reference * Decimal("0.8") * 700).text
    scenarios = {row[0].text: [c.text for c in row[1:]] for row in page.saving.scenarios_table.rows}
    assert scenarios["先行品すべて"][1:4] == [wording.yen(reference * part).text for part in (700, 800, 800)]
    assert scenarios["目標80％まで"][2:4] == ["—（名目だけ）"] * 2, "an interval stands only where whole units change"
    assert scenarios["比較相手の上位4分の1まで"][0] == "算定不可"
    assert "除いた成分：エタネルセプト" in page.saving.scenarios_note and "供給に制限" in page.key_points.sentences[1]
    assert "病院の薬剤費が減る分で、保険者の負担は減らない" in page.saving.hospital


def test_generics_stand_beside_the_target_in_the_official_scope(page):
    assert page.key_points.headlines[4].value == "79.0％" and "2026年3月診療分" in page.key_points.headlines[4].note
    rows = {(row[0].text, row[1].text): [c.text for c in row[2:]] for row in page.generics.table.rows}
    assert rows["後発医薬品の使用割合（保険者別）", "2026年3月診療分"] == ["79.0％", "80.0％（2030年3月31日まで）", "＋1.0ポイント", "—"]
    assert rows["後発医薬品の金額シェア", "2025年度"][:2] == ["40.0％", "65.0％（2030年3月31日まで）"]
    assert rows["後発医薬品の使用割合（保険者別）", "2025年度"][3].startswith("名簿")
    (panel,) = [panel for panel in page.trend.panels if panel.key == "generic"]
    assert set(panel.series.values) == {0.79} and panel.target == 0.8


def test_targets_come_from_the_mart(invented, view):
    moved = pl.when(pl.col("target_key") == "biosimilar_kpi").then(pl.lit(Decimal("0.3"))).when(
        pl.col("target_key") == "biosimilar_ingredient_reached").then(pl.lit(Decimal("0.5"))).otherwise("value_ratio")  # fmt: skip
    page = view(invented | {"dim_target": invented["dim_target"].with_columns(value_ratio=moved)})
    assert "国の目標（30％、2030年3月31日まで）まであと 4成分" in page.key_points.sentences[3]
    assert page.distance.target == 0.5 and page.distance.goal == "50％"
    with pytest.raises(LakeError, match="no target of the nation for biosimilar_quantity_share"):
        view(invented | {"dim_target": invented["dim_target"].clear()})


def test_a_target_of_others_or_of_the_past_is_not_ours(page):
    assert "21％" not in page.key_points.sentences[3], "協会けんぽ takes no part, and its target ended in March 2026"


def test_what_moved_since_the_last_publication_and_why(page, invented, view):
    assert (
        page.change.sentence == "前回の公表（2026年10月20日）から、公表済みの期間の値が 3件動いた。最も多い原因は「遅れて届いたレセプト」。"
    )
    assert [[c.text for c in row] for row in page.change.causes.rows] == [["遅れて届いたレセプト", "2"], ["薬価", "1"]]
    (row,) = page.change.table.rows
    assert [c.text for c in row] == ["数量シェア", "全成分計", "2025年度", "40.0％", "50.0％", "＋10.0ポイント", "遅れて届いたレセプト"]
    assert "動いた値はない" in view(invented).change.sentence


def test_what_the_database_hides_the_report_hides(invented, view, insurers):
    """The biggest insurer knows its own 38 of 45: the 7 of the others must not be told."""
    of_others = pl.col("population_key").is_in(["06139901", "all"]).not_()
    n = pl.when((pl.col("ingredient_key") == "etanercept") & of_others).then(1).when(
        (pl.col("ingredient_key") == "etanercept") & (pl.col("population_key") == "all")).then(45).when(
        pl.col("ingredient_key") == "etanercept").then(38).otherwise("patient_count")  # fmt: skip
    frames = invented | {"fct_biosimilar_share": invented["fct_biosimilar_share"].with_columns(patient_count=n)}
    page = view(frames)
    told = disclosure.of_units(frames["fct_biosimilar_share"].lazy(), {number: entry.kind for number, entry in insurers.items()})
    at = {
        "ingredient_key": "etanercept",
        "place_level": "nation",
        "geography": "facility_of_use",
        "scope": "brand",
        "setting": "all",
        "period": 2025,
    }
    (hidden_ja,) = told.filter(*(pl.col(key) == value for key, value in at.items()))["hidden_ja"].to_list()
    assert hidden_ja == "秘匿" == cell(page.distance.table, "エタネルセプト", "数量シェア")


def test_missing_deliveries_are_said(page):
    assert page.arrival.sentence.startswith("予定した提出のうち 1件が届いていない。")
    names, months, states = page.arrival.names, page.arrival.months, page.arrival.states
    assert [state for row in states for state in row].count("partly") == 1 and len(months) == 24 and len(names) == 8


def test_a_region_of_some_insurers_is_their_sum(invented, view, region):
    some = ["06149900", "06239909"]
    page = view(invented, region.model_copy(update={"insurers": some}))
    assert page.key_points.headlines[2].value == f"{own_share(invented, 'all', some):.1%}".replace("%", "％")
    assert [row[0].text for row in page.distance.kpi_table.rows] == ["収載されている成分（国の数え方）", "使用のあった成分"]
    assert len(page.distance.peers_table.rows) == 2 and dict(page.facts)["対象"].startswith("2保険者・加入者 208,000人")


def test_invented_data_are_said_to_be_so_on_top(html, page, region, invented, view):
    assert html.index("すべて架空です") < html.index("今月の要点")
    real = region.model_copy(update={"is_synthetic": False, "note_ja": None})
    assert "架空です" not in report.render(view(invented, real), "k")


def test_the_file_stands_alone(html):
    assert not re.search(r"""(src|href)=["'](?!data:text/csv|#)""", html)
    assert not re.search(r"url\((?!#)|@import|<script|<link", html)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", html):
        assert "".join(reference) in ids


def test_every_picture_has_words_and_every_chart_its_table_and_csv(html, page):
    pictures = re.findall(r"<svg .*?</svg>", html, flags=re.S)
    assert len(pictures) == 8 + len(page.trend.panels)
    for picture in pictures:
        assert 'role="img"' in picture and re.search(r"<title id=.*?>.+?</title><desc id=.*?>.+?</desc>", picture)
    for table in tables(page):
        assert f'id="table-{table.key}"' in html
        if table.key != "terms":
            (data,) = re.findall(rf'download="demo_{table.key}\.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', html)
            rows = list(csv.reader(io.StringIO(base64.b64decode(data).decode("utf-8-sig"))))
            assert rows == [table.header, *([c.plain for c in row] for row in table.rows)]


def test_the_same_marts_give_the_same_page(html, page):
    assert report.render(page, "0123abcd") == html


def test_no_shares_is_an_error_that_says_what_to_do(invented, view):
    with pytest.raises(LakeError, match="Run lake ingest and lake build"):
        view(invented | {"fct_biosimilar_share": invented["fct_biosimilar_share"].clear()})


def test_publication_writes_store_and_report_once(invented, demo_config, tmp_path, monkeypatch):
    monkeypatch.setattr(gate_result, "measure", lambda settings, region: [])  # tests/spark_jobs/rollout/test_gate_result.py
    settings = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=demo_config.config)
    for name, frame in invented.items():
        write_deltalake(settings.table_path(f"marts.{name}"), frame.to_arrow())
    first = publication.run(settings, "demo")
    path = settings.reports / "demo" / "report.html"
    assert "PostgreSQL: 15 tables" in first and f"written: {path}" in first
    before = path.stat().st_mtime_ns
    second = publication.run(settings, "demo")
    assert second.count("skipped") == 2 and path.stat().st_mtime_ns == before
    write_deltalake(settings.table_path("marts.fct_biosimilar_kpi"), invented["fct_biosimilar_kpi"].to_arrow(), mode="overwrite")
    assert "skipped" not in publication.run(settings, "demo")


@pytest.fixture(scope="module")
def browser():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium and chromedriver here: the page is not looked at")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
                     "disable-component-update", "disable-sync", f"user-data-dir={profile}"):  # fmt: skip
            options.add_argument(f"--{flag}")
        running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver, env=dict(os.environ, NO_PROXY="*")))
        yield running
        running.quit()


@pytest.mark.parametrize("width", [1280, 360])
def test_in_a_real_browser(browser, html, tmp_path: Path, width: int):
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})  # fmt: skip
    browser.get(file.as_uri())
    run = browser.execute_script
    assert run("return document.documentElement.scrollWidth") <= width, "the page must not move sideways"
    run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert run("return document.documentElement.scrollWidth") <= width, "nor with all tables open"
    assert run("return performance.getEntriesByType('resource').map(e => e.name)") == []
    levels = run("return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    named = run("return [...document.querySelectorAll('svg')].map(s => s.getAttribute('aria-labelledby').split(' ')"
                ".map(i => document.getElementById(i)?.textContent ?? '').every(t => t.length > 0))")  # fmt: skip
    assert named and all(named)
    assert run("return [...document.querySelectorAll('table')].every(t => t.caption && t.querySelector('th[scope=col]'))")
    smallest = run("return Math.min(...[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height))")
    assert smallest >= 7, "text in pictures must stay readable"
