"""What may be wrong with a delivered file: one entry per rule; docs/data_quality.md is the same list for readers.

`stop`: lines or the file were kept out, sealed to their owner. `tell`: taken in, but someone should look.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    severity: str
    meaning: str
    expected: str
    action: str


MEND = "The sender mends the file; deliver it again."
RULES = {
    # the file, at delivery
    "empty_file": Rule("stop", "the file has no bytes", "a receipt file", MEND),
    "not_a_receipt_file": Rule(
        "stop", "the first lines are no receipts in a known form", "IR, YK, UK or HM first, or 3 prefix columns and MN", MEND
    ),
    "several_providers": Rule(
        "stop",
        "a claim-form file with more than one IR (歯科: UK), YK or HM",
        "one provider per file",
        "Split the file where the next provider begins; deliver the parts.",
    ),
    "file_missing": Rule("stop", "the file is gone since its delivery", "the delivered file", "Put it back and deliver it again."),
    "file_changed": Rule("stop", "the file changed since its delivery", "the delivered content", "Deliver it again; it is a new delivery."),
    "name_contradicts": Rule(
        "tell", "the name promises another form or kind than the content has", "a name that fits", "Check the name; content counts."
    ),
    "second_file_of_month": Rule(
        "tell",
        "a second insurer-form file of one kind and month",
        "one file a month and kind",
        "Receipts of one 検索番号 count once. If it corrects the first: lake deliver --replace.",
    ),
    # lines and receipts
    "bad_byte": Rule("stop", "a byte that is no character", "Windows-31J (Shift_JIS)", MEND),
    "bad_prefix": Rule("stop", "データ識別, 行番号, 枝番号 do not stand before the record", "3 numbers and a record identifier", MEND),
    "unknown_record": Rule("stop", "a record identifier that this form and kind do not have", "a record of record_layouts.csv", MEND),
    "field_count": Rule("stop", "too many or too few fields", "the count of the record's layout", MEND),
    "field_mode": Rule(
        "stop",
        "a field that is not of its mode or length, where a name or a number of a person may stand",
        "digits where the layout has N, single-byte letters where it has A, at most its bytes; digits in payer numbers",
        MEND,
    ),
    "erased": Rule("stop", "lines of a person who had them erased", "nothing of this person", "Nothing; the lines are not kept."),
    "receipt_of_bad_line": Rule(
        "stop", "a line of a receipt that holds an unreadable one", "a readable receipt", "See the finding of the bad line."
    ),
    "cut_receipt": Rule(
        "stop", "the last receipt does not end: the file was cut", "RC and a line end (insurer form), GO (claim form)", MEND
    ),
    "receipt_shape": Rule("stop", "header or payer twice in one receipt, or missing", "one RE, one provider, one HO at most", MEND),
    "outside_receipt": Rule(
        "stop", "a line outside of any receipt", "MN first; in the claim form only the provider and GO stand outside", MEND
    ),
    "blank_line": Rule("stop", "a line without content", "no blank lines", "Nothing is lost; tell the sender."),
    "insurer_mismatch": Rule(
        "tell",
        "claims of another insurer than the depositor (stop where the insurer's file says reject)",
        "HO of the depositor",
        "Check whose claims they are; `mismatch` in config/insurers decides.",
    ),
    # contents
    "go_total": Rule(
        "tell", "GO says other totals than its receipts", "GO equal to the sum of its receipts", "Ask the sender for the whole file."
    ),
    "jy_target_missing": Rule(
        "tell", "a correction (JY) names a line that its receipt does not have", "an existing line", "Ask the review body."
    ),
    "points_identity": Rule(
        "tell",
        "lines do not add up to 合計点数",
        "合計点数 = Σ points of the lines",
        "Look at the first receipt; all of them were taken in.",
    ),
    "check_digit": Rule(
        "tell", "an insurer or payer number with a wrong check digit", "a valid number", "Check the number; local schemes may differ."
    ),
    # results of later reviews (再審査・過誤), as of the claims that the lake holds
    "review_without_claim": Rule(
        "tell",
        "a result of a later review for a claim that the lake does not hold",
        "a 検索番号 of the insurer's claims of that 診療年月",
        "Deliver the claim's month; check that no spreadsheet rounded the 検索番号.",
    ),
    "review_effect_unknown": Rule(
        "tell",
        "a 審査結果 that does not say what becomes of the claim",
        "a code of docs/review_results.md",
        "Ask the review body; load the result as a file with 結果.",
    ),
}
