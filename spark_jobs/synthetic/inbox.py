"""The folder of deliveries: the insurer form of each month, and what some providers sent in the claim form."""

from collections import Counter
from pathlib import Path
from typing import IO

from spark_jobs.claim_format.encoding import FILE_HEADS
from spark_jobs.synthetic.block import ENCODING, RECEIPT_NO, Block, Copy
from spark_jobs.synthetic.lines import template
from spark_jobs.synthetic.months import WESTERN_FROM, era_month, month_after
from spark_jobs.synthetic.plan import Plan
from spark_jobs.synthetic.written import provider_line

END_OF_FILE = b"\x1a"
FILE_NAMES = {
    "med": "11_RECODEINFO_MED.CSV",
    "dpc": "12_RECODEINFO_DPC.CSV",
    "den": "13_RECODEINFO_DEN.CSV",
    "pha": "14_RECODEINFO_PHA.CSV",
    "nur": "15_RECODEINFO_NUR.CSV",
}
FOLDER_NAME = "0_COMMON001"
CLAIM_FORM_NAMES = {"med": "RECEIPTC.UKE", "dpc": "RECEIPTD.UKE", "den": "RECEIPTS.UKE", "pha": "RECEIPTY.CYO"}
CLAIM_FORM_FOLDER = "claim_form"
TWO_VOLUMES_FROM = 8  # receipts
LAST_VOLUME = "99"


class Inbox:
    """The files of one insurer at a time, growing block by block; closed with what each sender ends a file with."""

    def __init__(self, folder: Path, plan: Plan):
        self.folder, self.months = folder, plan.months
        by_size = sorted(plan.insurers, key=lambda i: (i.member_count or 0, i.insurer_number))
        self.without_end = by_size[0].insurer_number  # no 0x1A at the end: seen, and to be read
        self.line_feeds_only = by_size[1 % len(by_size)].insurer_number  # LF only in the second month (a converted copy)
        self.insurer_number = ""
        self.open_files: dict[tuple[int, str], IO[bytes]] = {}
        self.returned: dict[tuple[int, str], list[bytes]] = {}  # last in its file, so that no file begins with an older 請求年月
        self.copies: dict[tuple[int, str, str], list[Copy]] = {}
        self.claim_form_receipts: Counter = Counter()  # (insurer, claim month, kind)
        self.claim_form_lines: Counter = Counter()

    def append(self, block: Block) -> None:
        if block.insurer_number != self.insurer_number:
            self.close()
            self.insurer_number = block.insurer_number
        for key, content in block.files.items():
            self._insurer_form(key, content)
        for key, content in block.returned.items():
            self.returned.setdefault(key, []).append(content)
        for provider, copies in block.copies.items():
            self.copies.setdefault(provider, []).extend(copies)

    def _insurer_form(self, key: tuple[int, str], content: bytes) -> None:
        claim_month, kind = key
        file = self.open_files.get(key)
        if file is None:
            path = self.folder / self.insurer_number / str(claim_month) / self.insurer_number / FOLDER_NAME / FILE_NAMES[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self.open_files[key] = path.open("wb")
        if self.insurer_number == self.line_feeds_only and claim_month == month_after(self.months[0], 2):
            content = content.replace(b"\r\n", b"\n")
        file.write(content)

    def close(self) -> None:
        for key, contents in self.returned.items():
            self._insurer_form(key, b"".join(contents))
        self.returned = {}
        for (claim_month, kind, facility_code), copies in self.copies.items():
            self._claim_form(claim_month, kind, facility_code, copies)
        self.copies = {}
        for file in self.open_files.values():
            if self.insurer_number != self.without_end:
                file.write(END_OF_FILE)
            file.close()
        self.open_files = {}

    def _claim_form(self, claim_month: int, kind: str, facility_code: str, copies: list[Copy]) -> None:
        """What one provider sent for this insurer, in one volume or (larger ones) in two; totals in the last."""
        folder = self.folder / self.insurer_number / str(claim_month) / CLAIM_FORM_FOLDER / facility_code
        half = len(copies) // 2 if len(copies) >= TWO_VOLUMES_FROM else 0
        volumes = [copies[:half], copies[half:]] if half else [copies]
        month = str(claim_month) if claim_month >= WESTERN_FROM else era_month(claim_month)
        receipt_no, go = 0, template(kind, "GO", "total_receipts", "total_points", "volume_no", claim_form="claim")
        for volume_no, volume in enumerate(volumes):
            is_last = volume_no == len(volumes) - 1
            parts = [provider_line(kind, FILE_HEADS[kind], volume[0].facility, month, volume_no).rstrip(",") + "\r\n"]
            for copy in volume:
                receipt_no += 1
                parts.append(copy.text.replace(RECEIPT_NO, str(receipt_no)))
            totals = (sum(c.count for c in copies), sum(c.points for c in copies)) if is_last else ("", "")
            parts.append(go(*totals, LAST_VOLUME if is_last else f"{volume_no + 1:02d}") + "\r\n")
            text = "".join(parts)
            path = (folder / f"{volume_no:02d}" if half else folder) / CLAIM_FORM_NAMES[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode(ENCODING) + END_OF_FILE)
            self.claim_form_lines[self.insurer_number, claim_month, kind] += text.count("\n")
        self.claim_form_receipts[self.insurer_number, claim_month, kind] += len(copies)
