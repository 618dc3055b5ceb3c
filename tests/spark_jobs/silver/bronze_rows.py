"""Bronze rows from the text of a file, with plain stand-ins for pseudonyms; bronze itself is tested in its own folder."""

import hashlib
from dataclasses import dataclass

from spark_jobs.claim_format import layouts, privacy
from spark_jobs.claim_format.japanese_calendar import western
from spark_jobs.landing.delivery import DeliveredFile

DEPOSITOR = "06139901"


@dataclass(frozen=True)
class Receipts:
    """A receipt file as text."""

    text: str
    form: str = "insurer"
    kind: str = "med"
    claim_month: int = 202411
    depositor: str = DEPOSITOR

    @property
    def file(self) -> DeliveredFile:
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return DeliveredFile(self.depositor, digest, "file", "/nowhere", self.form, self.kind, self.claim_month, "keep")

    def bronze(self) -> list[dict]:
        """Rows of bronze.claim_line. A stand-in names its kind and the value, and the person's birth date and sex where a pseudonym holds them."""
        prefix = len(layouts.INSURER_PREFIX) if self.form == "insurer" else 0
        start = "MN" if prefix else "RE"
        marks = privacy.marks(self.kind, self.form)
        header = layouts.record(self.kind, "RE").pos
        split = [line.split(",") for line in self.text.strip().splitlines()]
        rows, receipt, person = [], 0, ""
        for n, cells in enumerate(split):
            record = cells[prefix]
            if record == start:
                receipt += 1
                re = next(c for c in split[n:] if c[prefix] == "RE")
                person = "-".join(re[prefix + header(name) - 1] for name in ("birth_date", "sex"))
            stored = list(cells)
            for pos, mark in marks.get(record, {}).items():
                place = prefix + pos - 1
                if place < len(stored) and stored[place]:
                    stored[place] = _stand_in(mark, stored[place], person)
            rows.append(
                {
                    "insurer_number": self.depositor,
                    "file_sha256": self.file.file_sha256,
                    "claim_form": self.form,
                    "claim_kind": self.kind,
                    "claim_month": self.claim_month,
                    "line_no": n + 1,
                    "receipt_seq": 0 if record == "GO" else receipt,
                    "record_type": record,
                    "line": ",".join(stored),
                    "key_version": 1,
                }
            )
        return rows


def _stand_in(mark: str, value: str, person: str) -> str:
    if mark == "birth_month":
        return (western(value) or "")[:6]
    if mark == "suspicion":
        return "疑い" if value.endswith("疑い") else ""
    if mark in ("drop", "free_text"):
        return ""
    return f"{mark}:{value}" + (f":{person}" if mark.startswith("id") else "")
