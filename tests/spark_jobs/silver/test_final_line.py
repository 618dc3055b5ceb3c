"""JY against the pseudo code of receipt-formats §4.4 in plain Python, on many random receipts."""

import random
from collections import defaultdict

import polars as pl

from spark_jobs.claim_format import layouts
from spark_jobs.claim_format.data_id import REVIEWED, SENT
from spark_jobs.silver import final_line

RECEIPTS = 400
AT = layouts.record("med", "JY").pos


def random_receipt(rng: random.Random) -> list[tuple[int, int, int, str, list[str]]]:
    """(data_id, row, branch, record, cells): lines as sent, lines of the review body, JY lines that may chain, repeat or point nowhere."""
    lines = [(1, row, 0, rng.choice(("HO", "KO", "SI", "IY", "IY", "SY"))) for row in range(1, rng.randint(3, 9))]
    row = len(lines) + 1
    for _ in range(rng.randint(0, 6)):
        lines.append((rng.choice((2, 2, 2, 2, 3, 12)), row, rng.choice((0, 0, 1)), rng.choice(("HO", "SI", "IY"))))
        row += 1
    places = [(line[1], line[2]) for line in lines] + [(98, 0), (99, 0)]
    found = [(*line, [line[3]]) for line in lines]
    for _ in range(rng.randint(0, 5)):
        kind = rng.choice("1223")
        target, after = rng.choice(places), rng.choice(places[2:])
        cells = layouts.record("med", "JY").line(
            correction_class=kind,
            target_row_no="" if kind == "1" and rng.random() < 0.4 else f"{target[0]:03d}",
            target_branch_no=target[1] or "",
            after_row_no="" if kind == "3" else after[0],
            after_branch_no="" if kind == "3" else after[1],
        )
        found.append((rng.choice((2, 2, 2, 2, 4)), row, 0, "JY", cells))
        row += 1
    return found


def final(receipt) -> tuple[list[int], set[int]]:
    """Positions of the lines of the decided receipt, in order, and of the JY lines that point to nothing."""
    by_place = {(row, branch): n for n, (data_id, row, branch, record, _) in enumerate(receipt) if data_id == 2 and record != "JY"}
    out = [n for n, line in enumerate(receipt) if line[0] == 1]
    used, missing = set(), set()
    for n, (data_id, _, _, record, cells) in enumerate(receipt):
        if record != "JY" or data_id != 2:
            continue

        def place(row, branch, cells=cells):
            return (int(cells[AT(row) - 1]), int(cells[AT(branch) - 1] or 0)) if cells[AT(row) - 1] else None

        kind = cells[AT("correction_class") - 1]
        named = place("target_row_no", "target_branch_no")
        target = next((m for m in out if receipt[m][1:3] == named), None)
        after = by_place.get(place("after_row_no", "after_branch_no"))
        if after in used:
            after = None
        if kind == "3" and target is not None:
            out.remove(target)
        elif kind == "2" and target is not None and after is not None:
            out[out.index(target)] = after
            used.add(after)
        elif kind == "1" and after is not None:
            same = [i for i, m in enumerate(out) if receipt[m][3] == receipt[after][3]]
            end = same[-1] + 1 if same else len(out)
            out.insert(end if target is None else out.index(target) + 1, after)
            used.add(after)
            if named is not None and target is None:
                missing.add(n)
        else:
            missing.add(n)
    return out, missing


def test_corrections_are_those_of_the_pseudo_code():
    rng = random.Random(4)
    receipts = {seq: random_receipt(rng) for seq in range(1, RECEIPTS + 1)}
    rows = [
        {"rid": seq, "line_no": n, "data_id": data_id, "place": row * 1000 + branch, "record_type": record,
         "line": ",".join([str(data_id), str(row), str(branch), *cells])}
        for seq, receipt in receipts.items()
        for n, (data_id, row, branch, record, cells) in enumerate(receipt)
    ]  # fmt: skip
    lines = pl.DataFrame(rows).cast({"rid": pl.UInt32, "line_no": pl.UInt32, "data_id": pl.Int8})
    groups = {key: group for (key,), group in lines.partition_by("record_type", as_dict=True, maintain_order=True).items()}
    sent = pl.DataFrame({"rid": list(receipts), "sent": SENT}).cast({"rid": pl.UInt32, "sent": pl.Int8})
    ordered, corrected, missing = final_line.order(groups, sent, "med", "insurer")
    decided = pl.concat(ordered.values()).filter("is_decided").sort("rid", "position")
    found = {seq: decided.filter(pl.col("rid") == seq)["line_no"].to_list() for seq in receipts}
    said = {seq: set(missing.filter(pl.col("rid") == seq)["line_no"]) for seq in receipts}
    expected = {seq: final(receipt) for seq, receipt in receipts.items()}
    with_jy = {seq for seq, receipt in receipts.items() if any(line[3] == "JY" and line[0] == REVIEWED for line in receipt)}
    assert set(corrected["rid"]) == with_jy
    assert {seq: (found[seq], said[seq]) for seq in with_jy} == {seq: expected[seq] for seq in with_jy}
    counts = defaultdict(int)
    for seq in with_jy:
        counts["changed"] += expected[seq][0] != [n for n, line in enumerate(receipts[seq]) if line[0] == SENT]
        counts["missing"] += bool(expected[seq][1])
    assert counts["changed"] > RECEIPTS / 4 and counts["missing"] > RECEIPTS / 4  # the receipts do try the rules
