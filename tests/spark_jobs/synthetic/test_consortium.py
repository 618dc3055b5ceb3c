"""The invented receipts, read back by plain splitting and the layouts only: what they must hold, and that the truth beside them is true."""

import csv
import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from delivered import Line, Receipt, Volume, insurer_files, receipts, volumes
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from identities import PROVIDERS, blocks, check_all, check_claim, decided_drugs, of, price

from spark_jobs.claim_format import layouts
from spark_jobs.errors import LakeError
from spark_jobs.masters import shipped
from spark_jobs.settings import Settings
from spark_jobs.synthetic import consortium

CONFIG = Path(__file__).resolve().parents[3] / "config"
FIRST_MONTH, MONTHS = 202410, 24


def write(
    folder: Path, *, members: int = 300, floor: int = 60, seed: int = 1, months: int = MONTHS, use: float = 8.0, processes: int = 1,
    first: int = FIRST_MONTH,
) -> Path:  # fmt: skip
    consortium.write(
        Settings(config=CONFIG), folder, members=members, biologic_use=use, first_service_month=first, months=months, seed=seed,
        least_members=floor, processes=processes,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("consortium"))


@pytest.fixture(scope="module")
def delivered(demo: Path) -> list[Receipt]:
    found = list(receipts(demo))
    assert len(found) > 5000 and {r.claim_kind for r in found} == {"med", "dpc", "den", "pha", "nur"}
    return found


@pytest.fixture(scope="module")
def counting(delivered: list[Receipt]) -> list[Receipt]:
    """Those that count in the end: not returned later, not of public payers alone."""
    back = {receipt.search_no for receipt in delivered if receipt.is_returned}
    return [r for r in delivered if not r.is_returned and not r.is_public_only and (r.claim_kind == "nur" or r.search_no not in back)]


def truth(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def total_points(lines: list[Line]) -> int:
    """合計点数 of the claim: the first HO, which is that of the header where there is one."""
    return int(of(lines, "HO")[0]["total_points"])


# --- identities of receipt-formats.md §7


def test_identities_hold_on_every_receipt(delivered: list[Receipt]) -> None:
    plain = check_all(delivered)
    assert 0.4 < sum(plain) / len(plain) < 0.95  # identity 8 is tested on a good part, 調剤管理料 occurs on the rest


@effort(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.integers(0, 10**6), floor=st.integers(5, 25), months=st.integers(1, 6), use=st.sampled_from([0.0, 8.0, 80.0]),
    first=st.sampled_from([201804, 201903, 201912, 202107, 202410, 202602]),
)  # fmt: skip
def test_identities_hold_for_any_seed_scale_and_time(seed: int, floor: int, months: int, use: float, first: int) -> None:
    with TemporaryDirectory() as folder:
        found = write(Path(folder), members=1, floor=floor, seed=seed, months=months, use=use, first=first)
        check_all(list(receipts(found)))
        for of_provider in volumes(found).values():
            check_volumes(of_provider)


def check_volumes(of_provider: list[Volume]) -> None:
    """A provider's files of a month: numbers of volumes and receipts, totals, cut lines, the end; the identities on each claim."""
    count = points = 0
    numbers: list[int] = []
    for i, volume in enumerate(of_provider):
        is_last = i == len(of_provider) - 1
        assert volume.content.endswith(b"\r\n\x1a") and volume.content.count(b"\n") == volume.content.count(b"\r\n")
        assert volume.head.record_id == {"den": "UK", "pha": "YK"}.get(volume.head.claim_kind, "IR")
        assert volume.head["volume_no"] == f"{i:02d}"
        for receipt in volume.receipts:
            numbers.append(int(receipt.one("RE")["receipt_no"]))
            payers = [line for line in receipt.lines if line.record_id in ("HO", "KO")]
            header = next((k for k, line in enumerate(receipt.lines[2:], 2) if line.record_id == "RE"), len(receipt.lines))
            count += sum(line.record_id in ("HO", "KO") for line in receipt.lines[:header])
            points += int(payers[0]["total_points"])
            check_claim(receipt, list(receipt.lines))
            for line in receipt.lines:
                assert line.fields[-1] and len(line.fields) <= layouts.record(receipt.claim_kind, line.record_id, "claim").length
        assert volume.end == (("GO", str(count), str(points), "99") if is_last else ("GO", "", "", f"{i + 1:02d}"))
    assert numbers == list(range(1, len(numbers) + 1))


# --- the truth beside the files


def test_claims_of_the_truth_equal_a_recount(demo: Path, delivered: list[Receipt], counting: list[Receipt]) -> None:
    counted: Counter = Counter()
    for receipt in delivered:
        counted[receipt.insurer_number, receipt.claim_month, receipt.claim_kind, "lines"] += len(receipt.lines)
    for receipt in counting:
        key = receipt.insurer_number, receipt.claim_month, receipt.claim_kind
        counted[*key, "receipts"] += 1
        if receipt.claim_kind != "nur":  # yen, and no claim in silver
            counted[*key, "points_billed"] += total_points(receipt.as_sent())
            counted[*key, "points_decided"] += total_points(receipt.decided())
        counted[*key, "corrected_receipts"] += any(line.record_id == "JY" for line in receipt.lines)
    for key, of_provider in volumes(demo).items():
        for volume in of_provider:
            counted[*key[:3], "claim_form_receipts"] += len(volume.receipts)
            counted[*key[:3], "claim_form_lines"] += volume.content.count(b"\n")
    measures = ("receipts", "lines", "points_billed", "points_decided", "corrected_receipts", "claim_form_receipts", "claim_form_lines")
    expected = {
        (row["insurer_number"], int(row["claim_month"]), row["claim_kind"], m): int(row[m])
        for row in truth(demo, "claims")
        for m in measures
    }
    assert expected == {key: counted[key] for key in expected} and set(counted) <= set(expected)
    total = Counter({m: sum(v for key, v in expected.items() if key[3] == m) for m in measures})
    assert 0.01 < total["corrected_receipts"] / total["receipts"] < 0.03
    assert total["points_decided"] < total["points_billed"]
    assert 0.003 < total["claim_form_receipts"] / total["receipts"] < 0.05


def test_drugs_of_the_truth_equal_a_recount(demo: Path, counting: list[Receipt]) -> None:
    quantities: dict[tuple, Decimal] = defaultdict(Decimal)
    bundled: dict[tuple, Decimal] = defaultdict(Decimal)
    lines: Counter = Counter()
    for receipt in counting:
        for code, quantity, bundle_kind in decided_drugs(receipt):
            key = receipt.insurer_number, receipt.month, receipt.claim_kind, code
            quantities[key] += quantity
            bundled[key] += quantity * (bundle_kind == "dpc")
            lines[key] += 1
    expected = {
        (row["insurer_number"], int(row["service_month"]), row["claim_kind"], row["drug_code"]): (
            Decimal(row["quantity"]), int(row["lines"]), Decimal(row["bundled_quantity"]),
        )
        for row in truth(demo, "drug_totals")
    }  # fmt: skip
    assert expected == {key: (quantities[key], lines[key], bundled[key]) for key in quantities}
    assert {key[2] for key in expected} == {"med", "dpc", "den", "pha"}


def person_key(receipt: Receipt) -> tuple[str, ...]:
    """Whom a receipt is about, after the normalisation that a reader must do (width, leading zeros)."""
    re, ho = receipt.one("RE"), receipt.one("HO")
    symbol = unicodedata.normalize("NFKC", ho["insured_symbol"])
    number = unicodedata.normalize("NFKC", ho["insured_number"]).lstrip("0")
    return receipt.insurer_number, symbol, number, re["birth_date"], re["sex"]


def test_biologic_use_of_the_truth_equals_a_recount(demo: Path, counting: list[Receipt]) -> None:
    normal = {
        (
            row["insurer_number"],
            unicodedata.normalize("NFKC", row["symbol"]),
            unicodedata.normalize("NFKC", row["number"]),
            row["birth_date"],
            row["sex"],
        ): row["person_no"]
        for row in truth(demo, "people")
    }
    assert len(normal) == len(truth(demo, "people"))  # ID1 tells all people apart
    assert len({key[2] for key in normal}) > len(normal) / 4  # families share a number, strangers do not
    biologics = {p.drug_code for p in shipped.biosimilar_products()}
    counted: Counter = Counter()
    for receipt in counting:
        re = receipt.one("RE")
        provider = receipt.one(PROVIDERS[receipt.claim_kind])
        facility = provider["prefecture"] + provider["fee_table"] + provider["institution_code"]
        prescriber = facility
        if receipt.claim_kind == "pha":
            setting = "outpatient_pharmacy"
            prescriber = re["prescriber_prefecture"] + re["prescriber_fee_table"] + re["prescriber_institution_code"]
        else:
            setting = "inpatient" if int(re["receipt_type"][-1]) % 2 else "outpatient_in_hospital"
            assert receipt.claim_kind == "nur" or (setting == "inpatient") == bool(re["admission_date"])
        used: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for code, quantity, bundle_kind in decided_drugs(receipt):
            if code in biologics:
                used[code, bundle_kind].append(quantity)
        for (code, bundle_kind), amounts in used.items():
            row = (
                receipt.insurer_number, str(receipt.month), str(receipt.claim_month), receipt.claim_kind, setting, facility, prescriber,
                normal[person_key(receipt)], code, sum(amounts), str(len(amounts)), bundle_kind,
            )  # fmt: skip
            counted[row] += 1
    expected: Counter = Counter(
        (*(row[name] for name in list(row)[:9]), Decimal(row["quantity"]), row["drug_lines"], row["bundle_kind"])
        for row in truth(demo, "biologic_use")
    )
    assert counted == expected and len(expected) > 500
    of_dpc = Counter(row[-1] for row in expected.elements() if row[3] == "dpc")
    assert of_dpc["none"] > 5 and of_dpc["dpc"] > 5  # paid apart, and by the bundle


def test_every_biologic_that_can_be_used_occurs(demo: Path) -> None:
    months = [FIRST_MONTH + n + (88 if n > 2 else 0) + (88 if n > 14 else 0) for n in range(MONTHS)]
    usable = {p.drug_code for p in shipped.biosimilar_products() for m in months if price(p.drug_code, m) is not None and _listed(p, m)}
    assert len(usable) > 200
    assert usable == {row["drug_code"] for row in truth(demo, "biologic_use") if row["bundle_kind"] == "none"}


def _listed(product: shipped.BiosimilarProduct, month: int) -> bool:
    first = date(month // 100, month % 100, 1)
    return product.valid_from <= first and (product.valid_to is None or product.valid_to >= first + timedelta(days=27))


def test_the_known_action_shows_and_only_from_its_month_on(demo: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "c", members=500, floor=5, use=40.0, seed=3, processes=2)
    action = json.loads((folder / "truth" / "parameters.json").read_text(encoding="utf-8"))["action"]
    roles = {p.drug_code: p.product_role for p in shipped.biosimilar_products() if p.ingredient_key == action["ingredient_key"]}
    totals: dict[bool, list[Decimal]] = {False: [Decimal(0), Decimal(0)], True: [Decimal(0), Decimal(0)]}
    for row in truth(folder, "biologic_use"):
        if row["facility_code"] == action["facility_code"] and row["drug_code"] in roles:
            total = totals[int(row["service_month"]) >= action["month"]]
            total[0] += Decimal(row["quantity"]) * (roles[row["drug_code"]] == "BS")
            total[1] += Decimal(row["quantity"])
    before, after = (totals[late][0] / totals[late][1] for late in (False, True))
    assert before < Decimal("0.8") and after > Decimal("0.9")


# --- returns and re-claims


def test_returns_of_the_truth_equal_a_recount(demo: Path, delivered: list[Receipt]) -> None:
    first = {r.search_no: r for r in delivered if not r.is_returned and r.claim_kind != "nur"}
    again = {r.one("RE")["search_no"]: r for r in first.values() if r.one("RE")["search_no"]}
    counted = {
        (
            r.insurer_number, r.search_no, r.claim_kind, r.month, first[r.search_no].claim_month, r.claim_month,
            again[r.search_no].claim_month if r.search_no in again else "",
        )
        for r in delivered if r.is_returned
    }  # fmt: skip
    rows = truth(demo, "returns")
    assert {tuple(map(str, row)) for row in counted} == {tuple(row.values()) for row in rows}
    assert len(rows) == len(counted) == sum(r.is_returned for r in delivered)
    assert len(again) == sum(row["reclaimed_in"] != "" for row in rows)
    assert all(row["claim_month"] < row["returned_in"] and (row["reclaimed_in"] or "999999") > row["returned_in"] for row in rows)
    assert 0.003 < len(rows) / len(first) < 0.009
    early = [row for row in rows if int(row["returned_in"]) <= 202604]
    assert 0.7 < sum(row["reclaimed_in"] != "" for row in early) / len(early) < 0.97


def test_a_returned_receipt_repeats_what_was_sent_and_a_reclaim_names_it(delivered: list[Receipt]) -> None:
    first = {r.search_no: r for r in delivered if not r.is_returned and r.claim_kind != "nur"}
    changed = Counter()
    for receipt in delivered:
        if receipt.is_returned:
            original = first[receipt.search_no]
            assert receipt.lines[0].fields == original.lines[0].fields  # MN: 管理番号 and 検索番号
            assert [bare(line) for line in receipt.as_sent()] == [bare(line) for line in original.as_sent()]
            assert {line["search_no"] for line in receipt.lines if line.record_id in ("RE", "HR")} == {receipt.search_no}
        elif receipt.claim_kind != "nur" and receipt.one("RE")["search_no"]:
            original = first[receipt.one("RE")["search_no"]]
            before = [line for line in receipt.lines if line.data_id == 11]
            assert {"RE"} < {line.record_id for line in before} and set(map(bare, before)) <= set(map(bare, original.as_sent()))
            assert receipt.search_no != original.search_no
            number = of(receipt.as_sent(), "HO")[0]["insured_number"] != of(original.as_sent(), "HO")[0]["insured_number"]
            drugs = Counter(decided_drugs(receipt)) != Counter(decided_drugs(original))
            changed["number" if number else "drugs" if drugs else "nothing"] += 1
    assert min(changed["number"], changed["drugs"], changed["nothing"]) > 2


def test_what_went_back_stands_last_in_its_file(delivered: list[Receipt]) -> None:
    in_files: dict[tuple, list[bool]] = defaultdict(list)
    for receipt in delivered:
        in_files[receipt.insurer_number, receipt.claim_month, receipt.claim_kind].append(receipt.is_returned)
    assert all(places == sorted(places) for places in in_files.values())


def bare(line: Line) -> tuple[str, ...]:
    """A line without the 検索番号 that RE carries once it is returned, and without its running number."""
    if line.record_id != "RE":
        return line.fields
    at = [layouts.record(line.claim_kind, "RE").pos(name) - 1 for name in ("search_no", "receipt_no")]
    return tuple("" if i in at else text for i, text in enumerate(line.fields))


def test_the_state_as_of_a_claim_month_equals_a_recount(demo: Path, delivered: list[Receipt]) -> None:
    back = {r.search_no: r.claim_month for r in delivered if r.is_returned}
    rows = truth(demo, "as_of")
    months = sorted({int(row["as_of_claim_month"]) for row in rows})
    assert months == [202505, 202511, 202605]
    counted: Counter = Counter()
    for receipt in delivered:
        if receipt.is_returned or receipt.is_public_only or receipt.claim_kind == "nur":
            continue
        for month in months:
            if receipt.claim_month <= month < back.get(receipt.search_no, 999999):
                counted[month, receipt.insurer_number, receipt.month, "receipts"] += 1
                counted[month, receipt.insurer_number, receipt.month, "points"] += total_points(receipt.decided())
    expected = {}
    for row in rows:
        key = int(row["as_of_claim_month"]), row["insurer_number"], int(row["service_month"])
        expected |= {(*key, "receipts"): int(row["receipts"]), (*key, "points"): int(row["points_decided"])}
    assert counted == expected


def test_search_numbers_are_one_for_each_receipt(delivered: list[Receipt]) -> None:
    numbers = [r.search_no for r in delivered if not r.is_returned and r.claim_kind != "nur"]
    assert len(set(numbers)) == len(numbers) and {len(number) for number in numbers} == {17}
    example = next(r for r in delivered if r.claim_kind == "med" and not r.is_returned and r.claim_month == 202511)
    assert example.search_no[2:8] == "150711"  # 点数表 1, 令和7年11月


# --- the claim form


def test_claims_in_both_forms_are_the_same_claims(demo: Path, delivered: list[Receipt]) -> None:
    def content(receipt: Receipt, lines: list[Line]) -> tuple:
        key = receipt.insurer_number, receipt.claim_month, receipt.claim_kind
        return *key, *(cut(bare(line)) for line in lines if line.record_id not in ("IR", "YK"))

    sent = Counter(content(r, r.as_sent()) for r in delivered)
    found = volumes(demo)
    for of_provider in found.values():
        check_volumes(of_provider)
    copies = Counter(content(r, list(r.lines)) for of_provider in found.values() for v in of_provider for r in v.receipts)
    assert copies and not copies - sent
    assert {key[2] for key in found} == {"med", "dpc", "den", "pha"}
    assert {len(of_provider) for of_provider in found.values()} == {1, 2}
    assert len({key[:2] for key in found}) > 40 and max(Counter(key[:2] for key in found).values()) <= 3


def cut(fields: tuple[str, ...]) -> str:
    return ",".join(fields).rstrip(",")


# --- payers and old months


def test_two_public_payers_public_payers_alone_and_none(demo: Path, delivered: list[Receipt]) -> None:
    payers = Counter((len(of(r.as_sent(), "HO")) > 0, len(of(blocks(r.as_sent())[0], "KO"))) for r in delivered)
    assert payers[True, 0] > payers[True, 1] > payers[True, 2] > 3 and payers[False, 1] > 3
    alone = {r.search_no for r in delivered if r.is_public_only}
    assert alone == {row["search_no"] for row in truth(demo, "public_only")}
    assert all(r.one("RE")["receipt_type"][1:3] == "21" for r in delivered if r.is_public_only)
    assert {line["burden_class"] for r in delivered for line in r.lines if line.record_id in ("SI", "IY")} == {"1", "2", "3", "4", "5"}


def test_old_claims_have_japanese_dates_and_no_eligibility_check(tmp_path: Path) -> None:
    found = list(receipts(write(tmp_path, members=1, floor=20, months=8, use=40.0, first=201901)))
    lengths: dict[bool, set[int]] = {False: set(), True: set()}
    for receipt in found:
        for line in receipt.lines:
            for field, text in zip(layouts.record(receipt.claim_kind, line.record_id).fields, line.fields, strict=True):
                if text and (field.name_en.endswith("_date") or field.name_en in ("treatment_month", "claim_month")):
                    lengths[field.name_en.endswith("_month")].add(len(text))
    assert lengths == {True: {5}, False: {7}}
    assert {receipt.one("RE")["treatment_month"] for receipt in found} == {f"431{m:02d}" for m in range(1, 5)} | {
        f"501{m:02d}" for m in (5, 6, 7, 8)
    }
    assert {receipt.one("RE")["birth_date"][0] for receipt in found} >= {"3", "4"}
    assert not {line.record_id for receipt in found for line in receipt.lines} & {"SN", "JD", "MF"}


# --- the traps that real files hold


def test_names_numbers_and_phones_stand_in_free_text(demo: Path, delivered: list[Receipt]) -> None:
    text = "\n".join(path.read_bytes().decode("cp932") for *_, path in insurer_files(demo))
    noted = [line for r in delivered for line in r.lines if line.record_id in ("CO", "TK") and "様" in line["comment_text"]]
    assert noted
    people = truth(demo, "people")
    assert any(p["name"] in line["comment_text"] for line in noted for p in people)
    for person in people[:100]:
        assert (person["name"] in text and person["kana"] in text) or person["kana_large"] in text
        assert any(chart in text for chart in person["chart_numbers"].split())


def test_late_claims_unknown_codes_public_payers_and_high_cost_classes_occur(delivered: list[Receipt]) -> None:
    late = sum(_months_between(r.month, r.claim_month) > 1 for r in delivered)
    assert 0.01 < late / len(delivered) < 0.035
    codes = {line["drug_code"] for r in delivered for line in r.lines if line.record_id == "IY"}
    known = {d.drug_code for d in shipped.drugs()}
    assert codes - known and {"630011001", "630011002"} <= codes  # unknown codes; teriparatide by the dose
    assert len(codes & known) > 500
    payers = Counter(line["public_payer_number"][:2] for r in delivered for line in r.lines if line.record_id == "KO")
    assert payers["54"] and payers["52"] + payers["83"]
    notes = {r.one("RE")["special_notes"] for r in delivered}
    assert {"28", "29", ""} <= notes <= {"26", "27", "28", "29", "30", ""}  # 区ウ, 区エ, none; of 区ア-区オ
    assert {r.one("RE")["receipt_type"][3] for r in delivered if r.claim_kind == "med"} >= set("124568")


def _months_between(first: int, second: int) -> int:
    return (second // 100 - first // 100) * 12 + second % 100 - first % 100


def test_some_files_end_without_the_end_mark_and_some_have_line_feeds_only(demo: Path) -> None:
    contents = [path.read_bytes() for *_, path in insurer_files(demo)]
    ends = Counter(content[-1:] for content in contents)
    assert ends[b"\x1a"] > ends[b"\n"] > 0
    assert 0 < sum(b"\r\n" not in content for content in contents) <= 5


# --- the run itself


def digests(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    one = digests(write(tmp_path / "one", members=900, floor=10, months=2, processes=1))
    assert one == digests(write(tmp_path / "two", members=900, floor=10, months=2, processes=2))
    assert one == digests(write(tmp_path / "one", members=900, floor=10, months=2))  # a second run replaces the first
    assert one != digests(write(tmp_path / "other", members=900, floor=10, months=2, seed=2))


def test_members_follow_the_ratios_and_no_insurer_is_under_the_floor(tmp_path: Path) -> None:
    consortium.write(
        Settings(config=CONFIG), tmp_path / "c", members=3000, biologic_use=1.0, first_service_month=202604, months=1, seed=1, processes=1
    )
    counts = json.loads((tmp_path / "c" / "truth" / "parameters.json").read_text(encoding="utf-8"))["members_by_insurer"]
    assert min(counts.values()) == 300 and len(counts) == 8
    assert counts["06139901"] / counts["06279905"] == pytest.approx(322 / 281, rel=0.01)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with pytest.raises(LakeError, match="did not write"):
        write(tmp_path, months=1)
