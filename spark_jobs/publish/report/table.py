"""Parts of a page that every section uses."""

import csv
import io
from base64 import b64encode
from dataclasses import dataclass

from spark_jobs.publish.report.wording import Cell


@dataclass(frozen=True)
class Table:
    """First column = row headers; every cell has a text."""

    key: str
    caption: str
    header: list[str]
    rows: list[list[Cell]]
    is_prose: bool = False  # the last column holds sentences

    @property
    def csv_uri(self) -> str:
        """The table as a download inside the page; a byte order mark, so that a spreadsheet reads UTF-8."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(self.header)
        writer.writerows([cell.plain for cell in row] for row in self.rows)
        return "data:text/csv;charset=utf-8;base64," + b64encode(text.getvalue().encode("utf-8-sig")).decode()


@dataclass(frozen=True)
class Headline:
    """One large number with what it is."""

    name: str
    value: str
    note: str
