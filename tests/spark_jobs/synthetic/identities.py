"""Identities of receipt-formats.md §7 and amounts of §6, counted without the generator's code."""

import math
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache

from delivered import REVIEWED, Line, Receipt, position

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.codes import INSURER_PAYS, check_digit
from spark_jobs.claim_format.japanese_calendar import western
from spark_jobs.masters import shipped

POINTS_AFTER_54 = ("support_fee2_points", "management_fee_points", "after_hours_points", "drug_reduction_points")
PAYS = ({"2", "4", "5"}, {"3", "4"})  # 負担区分 that the first and the second public payer share
PROVIDERS = {"med": "IR", "dpc": "IR", "den": "IR", "pha": "YK", "nur": "HM"}
PRICES: dict[str, list[shipped.DrugPrice]] = defaultdict(list)
for _row in shipped.drug_prices():
    PRICES[_row.drug_code].append(_row)


def drug_points(yen: Fraction) -> int:
    """五捨五超入 on exact fractions."""
    return 1 if yen <= 15 else math.ceil(yen / 10 - Fraction(1, 2))


@cache
def price(code: str, month: int) -> Fraction | None:
    """薬価 on the last day of the month."""
    year, number = divmod(month, 100)
    last = date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)
    found = [p.price_yen for p in PRICES.get(code, ()) if p.valid_from <= last and (p.valid_to is None or p.valid_to >= last)]
    assert len(found) <= 1
    return Fraction(found[0]) if found else None


def priced_sum(drugs: list[tuple[str, str]], month: int) -> Fraction | None:
    prices = [price(code, month) for code, _ in drugs]
    return None if None in prices else sum((p * Fraction(q) for p, (_, q) in zip(prices, drugs, strict=True)), Fraction(0))


def line_points(lines: list[Line], burdens: set[str] | None = None) -> int:
    """Σ 点数 × 回数, 診療識別 carried forward, 97 left out."""
    total, treatment_class = 0, ""
    for line in lines:
        if line.record_id in ("SI", "SS", "IY", "TO", "CO"):
            treatment_class = line["treatment_class"] or treatment_class
        if line.record_id in ("SI", "SS", "IY", "TO") and treatment_class != "97" and (not burdens or line["burden_class"] in burdens):
            total += int(line["points"] or 0) * int(line["times"])
    return total


def bundle_points(lines: list[Line], burdens: set[str] | None = None) -> int:
    """Σ GT 今月包括合計点数."""
    return sum(int(x["bundled_total_points"]) for x in lines if x.record_id == "GT" and (not burdens or x["burden_class"] in burdens))


def pharmacy_points(lines: list[Line]) -> int:
    """Identity 8."""
    total = 0
    for line in lines:
        record = layouts.record("pha", line.record_id)
        if line.record_id == "CZ":
            names = ("dispensing_fee_points", "drug_points", *(f"addition_{n}_points" for n in range(1, 11)))
        elif line.record_id == "KI":
            names = tuple(f.name_en for f in record.fields if f.name_en.endswith("_points"))
        else:
            continue
        total += sum(int(line[name] or 0) for name in names)
    return total


def of(lines: list[Line], record_id: str) -> list[Line]:
    return [line for line in lines if line.record_id == record_id]


def check_totals(lines: list[Line], month: int) -> None:
    """1, 2, 4: HO and KO of one block; 3: each priced 剤; 回数 and 負担区分 of the lines."""
    ho, ko = of(lines, "HO"), of(lines, "KO")
    assert len(ho) == 1 or (not ho and ko)
    for line in ho:
        assert int(line["total_points"]) == line_points(lines) + bundle_points(lines)
    for line, burdens in zip(ko, PAYS, strict=False):
        assert int(line["total_points"]) == line_points(lines, burdens) + bundle_points(lines, burdens)
        assert check_digit(line["public_payer_number"][:-1]) == int(line["public_payer_number"][-1])
    unit: list[tuple[str, str]] = []
    for line in lines:
        if line.record_id == "IY":
            unit.append((line["drug_code"], line["quantity"]))
            if line["points"]:
                yen = priced_sum(unit, month)
                assert yen is None or int(line["points"]) == drug_points(yen)  # 3
                unit = []
        if line.record_id in ("SI", "SS", "IY", "TO"):
            days = line.fields[position(line.claim_kind, line.record_id, "day_1") - 1 :]
            assert int(line["times"]) == sum(int(d) for d in days if d)
            assert (line["burden_class"] in INSURER_PAYS) == bool(ho)
    assert unit == []


def blocks(lines: list[Line]) -> list[list[Line]]:
    """An RE begins each block of a DPC receipt."""
    found: list[list[Line]] = []
    for line in lines:
        if line.record_id == "RE":
            found.append([])
        if found:
            found[-1].append(line)
    return found


def check_dpc(lines: list[Line], month: int) -> tuple[str, ...]:
    """4, 5, and what the specification says of HH, GT and CD; the classes of the blocks."""
    parts = blocks(lines)
    classes = tuple(block[0]["summary_class"] for block in parts)
    assert classes in (("0",), ("1", "2", "2"), ("1", "2", "3"))
    details = parts if len(parts) == 1 else parts[1:]
    for record_id, name in (("HO", "total_points"), ("HO", "treatment_days"), ("KO", "total_points"), ("HO", "meal_amount")):
        sums = [sum(int(line[name] or 0) for line in of(block, record_id)) for block in (parts[0], *details)]
        assert sums[0] == sum(sums[1:])  # 5
    if len(parts) > 1:
        assert int(parts[0][0]["detail_count"]) == len(details)
        assert not {line.record_id for line in parts[0]} & {"SI", "IY", "TO", "CD", "GT"}
    for block in details:
        check_totals(block, month)
        order = ["RE", "HO", "KO", "SN", "JD", "MF", "GR", "SY", "BU", "SB", "KK", "SK", "GA", "HH", "GT", "SI", "CO", "SJ", "CD"]
        places = [order.index({"IY": "SI", "TO": "SI"}.get(line.record_id, line.record_id)) for line in block]
        assert places == sorted(places)
        if block[0]["summary_class"] == "3":
            assert of(block, "GR") and of(block, "SY") and not of(block, "CD") and not of(block, "BU")
        else:
            check_bundle(block)
            check_coding(block, month)
    return classes


def check_bundle(block: list[Line]) -> None:
    (gt,), (ga,), hh = of(block, "GT"), of(block, "GA"), of(block, "HH")
    for line in hh:
        assert int(line["bundled_subtotal_points"]) == int(line["stay_period_points"]) * int(line["stay_days"])
    assert sum(int(line["stay_days"]) for line in hh) == int(of(block, "HO")[0]["treatment_days"])
    summed, bundled = int(gt["bundled_sum_points"]), int(gt["bundled_points"])
    assert summed == sum(int(line["bundled_subtotal_points"]) for line in hh)
    assert bundled == math.floor(summed * Fraction(ga["hospital_coefficient"]) + Fraction(1, 2))
    assert int(gt["bundled_total_points"]) == bundled + int(gt["adjustment_points"] or 0)
    assert ga["leave_days"] == "0" * 31


def check_coding(block: list[Line], month: int) -> None:
    """CD: by 診療識別, then day; numbered; holds what is paid apart once more, with the same amounts, and more."""
    coded = of(block, "CD")
    assert [(x["treatment_class"], x["performed_date"]) for x in coded] == sorted(
        (x["treatment_class"], x["performed_date"]) for x in coded
    )
    assert all((western(x["performed_date"]) or "").startswith(str(month)) for x in coded)
    places = [(x["treatment_class"], int(x["sequence_no"]), int(x["detail_no"])) for x in coded]
    assert len(set(places)) == len(places) and places == sorted(places)
    assert not {x["treatment_class"] for x in coded} & {"90", "92", "97"}
    assert all(bool(x["quantity"]) == (x["receipt_code"][0] in "67") for x in coded)
    amounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in coded:
        amounts[line["treatment_class"], line["receipt_code"]] += Decimal(line["quantity"] or 1) * int(line["times"])
    apart: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    treatment_class = ""
    for line in block:
        if line.record_id in ("SI", "IY", "TO"):
            treatment_class = line["treatment_class"] or treatment_class
            code = line[{"SI": "procedure_code", "IY": "drug_code", "TO": "material_code"}[line.record_id]]
            if treatment_class != "97":
                quantity = Decimal(1) if line.record_id == "SI" else Decimal(line["quantity"])
                apart[treatment_class, code] += quantity * int(line["times"])
    assert {key: amounts[key] for key in apart} == apart


def check_pharmacy(lines: list[Line], month: int) -> bool:
    """6, 7, 8; true if 8 applies (nothing after pos 54 of CZ)."""
    late = sum(int(line[name] or 0) for line in of(lines, "CZ") for name in POINTS_AFTER_54)
    total = next(line for line in lines if line.record_id in ("HO", "KO"))
    assert int(total["total_points"]) == pharmacy_points(lines) + late  # 8 where late is 0
    groups: list[list[Line]] = []
    for line in lines:
        if line.record_id == "SH":
            groups.append([line])
        elif line.record_id in ("CZ", "IY"):
            groups[-1].append(line)
    payers = len(of(lines, "KO"))
    for sh, *rest in groups:
        drugs = [(line["drug_code"], line["quantity"]) for line in of(rest, "IY")]
        assert drugs and of(rest, "CZ")
        for cz in of(rest, "CZ"):
            assert int(cz["drug_points"]) == int(sh["unit_drug_points"]) * int(cz["dispensed_quantity"])  # 6
        yen = priced_sum(drugs, month)
        assert yen is None or int(sh["unit_drug_points"]) == drug_points(yen)  # 7
        for n in range(2):
            shares = n < payers and of(rest, "IY")[0]["burden_class"] in PAYS[n]
            assert sh[f"public_{n + 1}_unit_drug_points"] == (sh["unit_drug_points"] if shares else "")
    return not late


def check_nursing(lines: list[Line]) -> None:
    """合計金額 = Σ 金額, yen."""
    assert int(of(lines, "HO")[0]["total_amount"]) == sum(int(line["amount"]) for line in of(lines, "KA"))


def check_claim(receipt: Receipt, lines: list[Line]) -> object:
    """The identities of the kind on one state of a claim."""
    match receipt.claim_kind:
        case "pha":
            return check_pharmacy(lines, receipt.month)
        case "dpc":
            return check_dpc(lines, receipt.month)
        case "nur":
            return check_nursing(lines)
    return check_totals(lines, receipt.month)


def check_frame(receipt: Receipt) -> None:
    """10 and 11 of the insurer form; lengths; what stands first and last; check digits."""
    lines = receipt.lines
    assert [line.row for line in lines] == list(range(1, len(lines) + 1))  # 10
    assert [lines[0].record_id, lines[-2].record_id, lines[-1].record_id] == ["MN", "HR" if receipt.is_returned else "EX", "RC"]
    if receipt.is_returned:
        assert {line.data_id for line in lines} == {8}
    by_row = {line.row: line for line in lines}
    for line in lines:
        record = layouts.record(receipt.claim_kind, line.record_id)
        assert len(line.fields) == record.length  # 10
        for field, text in zip(record.fields, line.fields, strict=True):
            assert field.max_bytes is None or len(text.encode("cp932")) <= field.max_bytes, (line.record_id, field.name_en)
        if line.record_id == "JY":
            assert by_row[int(line["target_row_no"])].data_id == 1  # 11
            assert not line["after_row_no"] or by_row[int(line["after_row_no"])].data_id == REVIEWED  # 11
    provider = receipt.one(PROVIDERS[receipt.claim_kind])
    code = provider["prefecture"] + provider["fee_table"] + provider["institution_code"]
    assert check_digit(code[:-1]) == int(code[-1])
    sent_for = int(western(provider["claim_month"]) or 0)
    assert sent_for < receipt.claim_month if receipt.is_returned else sent_for == receipt.claim_month
    if not receipt.is_public_only:
        assert receipt.one("HO")["insurer_number"].strip() == receipt.insurer_number


def check_all(found: list[Receipt]) -> list[bool]:
    """All identities on every state of every receipt; whether identity 8 applies, for each 調剤 receipt."""
    plain = []
    for receipt in found:
        check_frame(receipt)
        outcomes = [check_claim(receipt, lines) for lines in receipt.states()]
        if receipt.claim_kind == "pha":
            plain.append(all(outcomes))
    return plain


# --- amounts of drugs (§6)


def decided_drugs(receipt: Receipt) -> list[tuple[str, Decimal, str]]:
    """Code, quantity, `dpc` where the bundle pays it, else `none`."""
    lines = receipt.decided()
    if receipt.claim_kind == "pha":
        return [(code, quantity, "none") for code, quantity in _dispensed(lines)]
    if receipt.claim_kind == "dpc":
        return [drug for block in blocks(lines) for drug in _of_block(block)]
    return [(code, quantity, "none") for _, code, quantity in _used(lines)]


def _used(lines: list[Line]) -> list[tuple[str, str, Decimal]]:
    """診療識別, code, 使用量 × 回数 of IY."""
    found, treatment_class = [], ""
    for line in lines:
        if line.record_id in ("SI", "SS", "IY", "TO", "CO"):
            treatment_class = line["treatment_class"] or treatment_class
        if line.record_id == "IY":
            found.append((treatment_class, line["drug_code"], Decimal(line["quantity"]) * int(line["times"])))
    return found


def _of_block(block: list[Line]) -> list[tuple[str, Decimal, str]]:
    if block[0]["summary_class"] == "3":
        return [(code, quantity, "none") for _, code, quantity in _used(block)]
    apart = {(treatment_class, code) for treatment_class, code, _ in _used(block)}
    return [
        (
            line["receipt_code"],
            Decimal(line["quantity"]) * int(line["times"]),
            "none" if (line["treatment_class"], line["receipt_code"]) in apart else "dpc",
        )
        for line in of(block, "CD")
        if line["receipt_code"].startswith("6")
    ]


def _dispensed(lines: list[Line]) -> list[tuple[str, Decimal]]:
    found: list[tuple[str, Decimal]] = []
    group: list[tuple[str, Decimal]] = []
    times = 0
    for line in lines:
        if line.record_id in ("SH", "TK", "KI"):
            found += [(code, quantity * times) for code, quantity in group]
            group, times = [], 0
        elif line.record_id == "CZ":
            times += int(line["dispensed_quantity"])
        elif line.record_id == "IY":
            group.append((line["drug_code"], Decimal(line["quantity"])))
    return found + [(code, quantity * times) for code, quantity in group]
