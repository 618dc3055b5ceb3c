"""The region's report from invented marts: what it says, what it hides, and that the file stands alone."""

import base64
import csv
import io
import os
import re
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from spark_jobs import config
from spark_jobs.config import Insurer, Region
from spark_jobs.errors import LakeError
from spark_jobs.publish import figures, publication, report
from spark_jobs.publish.figures import Page
from spark_jobs.rollout import gate_result
from spark_jobs.settings import Settings

ALLOWED_WORDS = {"算定不可", "秘匿", "データなし", "10未満"}


@pytest.fixture(scope="module")
def insurers(demo_config) -> dict[str, Insurer]:
    return config.insurers(demo_config)


@pytest.fixture(scope="module")
def region(demo_config) -> Region:
    return config.region(demo_config, "demo")


@pytest.fixture(scope="module")
def page(invented, region, insurers) -> Page:
    return report.view(invented, region, insurers, "invented")


@pytest.fixture(scope="module")
def html(page) -> str:
    return report.render(page, "0123abcd")


def tables(page: Page) -> list[figures.Table]:
    return [value for value in vars(page).values() if isinstance(value, figures.Table)]


def cell(table: figures.Table, row: str, column: str) -> str:
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
    assert page.headlines[0].value == f"{own_share(invented, 'all'):.1%}".replace("%", "％")
    assert "請求単位" in page.sentences[0] and "20成分計" in page.sentences[0]


def test_a_change_is_said_only_beyond_chance(invented, region, insurers):
    """2026-04 to 07 (final months) against the same months of 2025."""
    assert re.search(
        r"2026年4〜7月診療は [\d.]+％で、前年同期より [\d.]+ポイント上がった。", report.view(invented, region, insurers, "v").sentences[0]
    )
    few = invented["fct_biosimilar_share"].with_columns(pl.col("patient_count").clip(upper_bound=30))
    said = report.view(invented | {"fct_biosimilar_share": few}, region, insurers, "v").sentences[0]
    assert "前年同期" not in said


def test_the_kpi_counts_against_the_listed_ingredients(page):
    assert page.headlines[1].value == "2 / 20"
    assert "国の目標（60％）まであと 10成分" in page.sentences[1]


def test_last_two_months_are_provisional(page):
    assert dict(page.facts)["診療年月"] == "2024年10月〜2026年9月（2026年8〜9月は暫定）"
    assert all(trend.series.provisional_from == 202608 for trend in page.trends)


def test_each_trend_has_the_breaks_that_bend_it(page):
    """Price and fee revisions and 選定療養 on every trend; a listing on those of its ingredients only. One mark a month."""
    marks = {trend.key: [month for month, _ in trend.breaks] for trend in page.trends}
    assert marks["all"] == marks["infliximab"] == [202504, 202604, 202606]
    assert marks["tocilizumab"] == [202504, 202511, 202604, 202606]
    legend = dict(page.break_legend)
    assert legend["①"] == "2025年4月 薬価改定(2025年度 中間年)"
    assert legend["②"] == "2025年11月 アフリベルセプトBS・トシリズマブBS 初収載"
    assert legend["⑤"] == "2026年6月 診療報酬改定・長期収載品の選定療養(差額の1/2)"
    assert {mark for trend in page.trends for _, mark in trend.breaks} == set(legend)


def test_the_words_of_a_figure_are_those_of_the_measure_registry(page, invented):
    terms = {row[0].text: [cell.text for cell in row] for row in page.terms.rows}
    measure = next(row for row in invented["dim_measure"].to_dicts() if row["measure_key"] == "biosimilar_quantity_share")
    assert terms[measure["name_ja"]][1:3] == [measure["definition_ja"], measure["convention_ja"]]
    assert {"医療費適正効果額", "NDB 全国値", "80％以上の成分（KPI）"} <= set(terms)


def test_a_measure_taken_out_of_the_registry_is_told(invented, region, insurers):
    few = invented["dim_measure"].filter(pl.col("measure_key") != "biosimilar_kpi")
    with pytest.raises(LakeError, match="no measure biosimilar_kpi"):
        report.view(invented | {"dim_measure": few}, region, insurers, "v")


def test_official_value_stands_beside_ours_with_its_year(page, invented):
    assert cell(page.official, "インフリキシマブ", "NDB") == "25.0％（2023年度）"
    assert cell(page.official, "インフリキシマブ", "本地域") == f"{own_share(invented, 'infliximab'):.1%}".replace("%", "％")
    assert cell(page.official, "インフリキシマブ", "読み方") == "偶然の範囲"
    assert cell(page.official, "インスリン リスプロ", "NDB") == "データなし"
    assert cell(page.official, "ペグフィルグラスチム", "本地域") == "算定不可", "nobody used it: no denominator, not 0 %"


def test_without_ndb_it_says_so(invented, region, insurers):
    page = report.view(invented | {"fct_ndb_share": invented["fct_ndb_share"].clear()}, region, insurers, "v")
    assert "未取込" in page.official_note and {row[3].text for row in page.official.rows} == {"データなし"}


def test_small_cells_are_hidden_and_one_more_where_subtraction_would_tell(invented, region, insurers):
    """Per ingredient the smallest insurers have 1 to 9 patients; nobody's number between 1 and 9 stands anywhere."""
    page = report.view(invented, region, insurers, "v")
    numbers = [name for name in page.peer_ingredients_table.header if name != "成分"]
    for row in page.peer_ingredients_table.rows:
        hidden = [c for c in row[1:] if c.text == "秘匿"]
        assert len(hidden) != 1, (row[0].text, numbers)
        assert not re.search(r"（[1-9]）", "".join(c.text for c in row))
    assert any(c.text == "秘匿" for row in page.peer_ingredients_table.rows for c in row)
    for table in tables(page):
        for row in table.rows:
            for name, c in zip(table.header, row, strict=True):
                if name == "患者数（人）":
                    assert c.text in ALLOWED_WORDS | {"0"} or int(c.text.replace(",", "")) >= 10, (table.key, row)


def test_an_ingredient_of_a_few_patients_is_hidden_in_every_part(invented, region, insurers):
    few = pl.when(pl.col("ingredient_key") == "rituximab").then(pl.col("patient_count").clip(upper_bound=7)).otherwise("patient_count")
    share = invented["fct_biosimilar_share"].with_columns(few.alias("patient_count"))
    page = report.view(invented | {"fct_biosimilar_share": share}, region, insurers, "v")
    assert cell(page.official, "リツキシマブ", "本地域") == "秘匿" and cell(page.official, "リツキシマブ", "患者数") == "10未満"
    assert cell(page.distance_table, "リツキシマブ", "数量シェア") == "秘匿"
    (dot,) = [d for d in page.distance if d.label == "リツキシマブ"]
    assert (dot.own, dot.low, dot.high) == (None, None, None)
    assert "リツキシマブ" in page.undrawn and "リツキシマブ" not in [b.label for b in page.savings]
    assert cell(page.savings_table, "リツキシマブ", "2025年度 効果額") == "秘匿"
    hidden = [row[0].text for row in page.savings_table.rows if row[4].text == "秘匿"]
    assert len(hidden) == 2, "one more, else the total would tell"
    assert {c.text for row in page.trends_table.rows if row[0].text == "リツキシマブ" for c in row[1:]} == {"秘匿"}


def test_no_rank_under_the_minimum_number(page):
    for row in page.peers_table.rows:
        n, rank, words = row[4].text, row[6].text, row[7].text
        if n not in ALLOWED_WORDS and int(n.replace(",", "")) < 30:
            assert "/" not in rank and words in ("少数（順位をつけない）", "比べない")


def test_negative_and_uncomputable_savings(page):
    bars = {bar.label: bar for bar in page.savings}
    assert bars["エポエチンアルファ"].value < 0 and bars["エポエチンアルファ"].text.startswith("−")
    assert "ベバシズマブ" not in bars and "算定不可（対応する先行品の薬価がない）：ベバシズマブ。" in page.savings_note
    assert cell(page.savings_table, "ベバシズマブ", "2025年度 効果額") == "算定不可", "never 0 yen"
    assert cell(page.savings_table, "合計", "2025年度 効果額") == page.headlines[2].value
    assert "薬価 2025年4月改定" in page.savings_table.header[4]


def test_missing_deliveries_are_said(page):
    assert page.arrivals_sentence.startswith("予定した提出のうち 1件が届いていない。")
    names, months, states = page.arrivals
    assert [state for row in states for state in row].count("partly") == 1 and len(months) == 24 and len(names) == 8


def test_a_region_of_some_insurers_is_their_sum(invented, region, insurers):
    some = ["06149900", "06239909"]
    page = report.view(invented, region.model_copy(update={"insurers": some}), insurers, "v")
    assert page.headlines[0].value == f"{own_share(invented, 'all', some):.1%}".replace("%", "％")
    assert len(page.peers_table.rows) == 2 and dict(page.facts)["対象"].startswith("2保険者・加入者 208,000人")


def test_invented_data_are_said_to_be_so_on_top(html, page, region, insurers, invented):
    assert html.index("すべて架空です") < html.index("今月の要点")
    real = region.model_copy(update={"is_synthetic": False, "note_ja": None})
    assert "架空です" not in report.render(report.view(invented, real, insurers, "v"), "k")


def test_the_file_stands_alone(html):
    assert not re.search(r"""(src|href)=["'](?!data:text/csv|#)""", html)
    assert not re.search(r"url\((?!#)|@import|<script|<link", html)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", html):
        assert "".join(reference) in ids


def test_every_picture_has_words_and_every_chart_its_table_and_csv(html, page):
    pictures = re.findall(r"<svg .*?</svg>", html, flags=re.S)
    assert len(pictures) == 5 + len(page.trends)
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


def test_no_shares_is_an_error_that_says_what_to_do(invented, region, insurers):
    with pytest.raises(LakeError, match="Run lake ingest and lake build"):
        report.view(invented | {"fct_biosimilar_share": invented["fct_biosimilar_share"].clear()}, region, insurers, "v")


def test_publication_writes_store_and_report_once(invented, demo_config, tmp_path, monkeypatch):
    monkeypatch.setattr(gate_result, "measure", lambda settings, region: [])  # tests/spark_jobs/rollout/test_gate_result.py
    settings = Settings(home=tmp_path / "home", secrets=tmp_path / "secrets", config=demo_config.config)
    for name, frame in invented.items():
        write_deltalake(settings.table_path(f"marts.{name}"), frame.to_arrow())
    first = publication.run(settings, "demo")
    path = settings.reports / "demo" / "report.html"
    assert "PostgreSQL: 8 tables" in first and f"written: {path}" in first
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
