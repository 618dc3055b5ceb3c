"""fct_completeness and fct_unknown_code equal a count of the files, their receipts and their drug lines."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import recompute
import recompute_generics
from test_marts_equal_recomputation import mart

NOT_A_CLAIM = "nur"  # 訪問看護: in bronze, in no claim
NURSING_FILES = ("15_RECODEINFO_NUR.CSV",)
COUNTS = (
    "delivery_count", "rejected_delivery_count", "receipt_count", "line_count", "quarantine_line_count", "claim_count",
    "claim_of_other_insurer_count", "drug_line_count", "unknown_drug_line_count",
)  # fmt: skip


@dataclass
class Delivered:
    """Files of one kind and 請求年月."""

    files: int = 0
    receipts: int = 0
    lines: int = 0
    claims: int = 0
    claims_of_others: int = 0
    drugs: int = 0
    unknown_drugs: int = 0

    def counts(self) -> tuple[int, ...]:
        return self.files, 0, self.receipts, self.lines, 0, self.claims, self.claims_of_others, self.drugs, self.unknown_drugs


def delivered(inbox: Path, insurer: str) -> dict[tuple[int, str], Delivered]:
    """(claim month, kind) → what the insurer sent. A file that comes twice is one."""
    found: dict[tuple[int, str], Delivered] = defaultdict(Delivered)
    own = inbox / insurer
    sent = [(path, kind, recompute.receipts(path)) for path, kind in recompute.files(own)]
    sent += [(path, kind, recompute.claim_form_receipts(path, kind)) for path, kind in recompute.claim_form_files(own)]
    sent += [(path, NOT_A_CLAIM, recompute.receipts(path)) for name in NURSING_FILES for path in own.rglob(name)]
    seen: set[bytes] = set()
    for path, kind, receipts in sent:
        content = path.read_bytes()
        if (digest := hashlib.sha256(content).digest()) in seen:
            continue
        seen.add(digest)
        month = int(path.relative_to(own).parts[0])
        of_file = found[month, kind]
        of_file.files += 1
        of_file.lines += len(content.replace(b"\x1a", b"").splitlines())
        of_file.receipts += sum(1 for _ in receipts)
    counting = list(recompute.claims(own))
    for claim in counting:
        of_file = found[claim.claim_month, claim.claim_kind]
        of_file.claims += 1
        of_file.claims_of_others += claim.insurer_number != insurer
    of_providers = (claim for claim in counting if not claim.search_no)  # a copy of a claim of the insurer form has no lines of its own
    for claim in chain(recompute.ever_claimed(own), of_providers):
        of_file = found[claim.claim_month, claim.claim_kind]
        of_file.drugs += len(claim.drugs)
        of_file.unknown_drugs += sum(drug.code not in known_codes() for drug in claim.drugs)
    return found


def known_codes() -> set[str]:
    return recompute_generics.yakka_codes().keys()


def test_fct_completeness(tiny_lake: Path, entries: dict[str, dict]):
    """Every row but what the checks found (tell_finding_count), which are rules of their own."""
    inbox = tiny_lake / "inbox"
    by_insurer = {number: delivered(inbox, number) for number in entries if (inbox / number).exists()}
    latest = max(month for found in by_insurer.values() for month, _ in found)
    expected = {}
    for number, entry in entries.items():
        found = by_insurer.get(number, {})
        months = [m for m in (recompute.earlier(latest, n) for n in range(240)) if m >= entry["start_claim_month"]]
        due = {(month, kind) for month in months for kind in entry["kinds"]}
        for month, kind in due | found.keys():
            is_due, counts = (month, kind) in due, found.get((month, kind), Delivered()).counts()
            arrived = "arrived" if is_due else "unexpected"
            expected[number, month, kind] = (is_due, arrived if (month, kind) in found else "missing", *counts)
    table = mart(tiny_lake, "fct_completeness")
    found = {
        row[:3]: row[3:] for row in table.select("insurer_number", "claim_month", "claim_kind", "is_expected", "status", *COUNTS).rows()
    }
    assert found.keys() == expected.keys()
    wrong = [(key, found[key], wanted) for key, wanted in expected.items() if found[key] != wanted]
    assert not wrong, wrong[:10]


def test_fct_unknown_code(tiny_lake: Path, claims: list[recompute.Claim], kinds: dict[str, str]):
    """Codes that no list knows in the month, and all lines beside them."""
    unknown: dict[tuple, list] = defaultdict(lambda: [set(), 0])
    quantity: dict[tuple, object] = {}
    lines: dict[tuple, int] = defaultdict(int)
    for no, claim in enumerate(claims):
        if claim.insurer_number not in kinds:
            continue
        for population in (("all", "all"), ("insurer_kind", kinds[claim.insurer_number]), ("insurer", claim.insurer_number)):
            cell = (*population, claim.service_month, claim.claim_kind)
            for drug in claim.drugs:
                lines[cell] += 1
                if not is_known(drug.code, claim.service_month):
                    for code in (drug.code, "all"):
                        unknown[*cell, code][0].add(no)
                        unknown[*cell, code][1] += 1
                    if drug.quantity is not None:
                        quantity[*cell, drug.code] = quantity.get((*cell, drug.code), 0) + drug.quantity
    expected = {(*cell, "all"): (0, 0, None, count) for cell, count in lines.items()}
    expected |= {key: (len(who), count, quantity.get(key), lines[key[:-1]]) for key, (who, count) in unknown.items()}
    columns = ("claim_count", "line_count", "quantity_claim_unit", "all_line_count")
    table = mart(tiny_lake, "fct_unknown_code")
    key = ("population_kind", "population_key", "service_month", "claim_kind", "drug_code")
    found = {row[:5]: row[5:] for row in table.select(*key, *columns).rows()}
    assert any(count for _, count, _, _ in expected.values())
    assert found == expected


def is_known(code: str, month: int) -> bool:
    yakka = recompute_generics.yakka_codes().get(code)
    first, last = recompute_generics.days_of(month)
    return yakka is not None and yakka[1] <= last and yakka[2] >= first
