"""NDBオープンデータ (MHLW): workbooks of prescribed quantities by drug and prefecture or month → rows of `masters.ndb_quantity`. No Spark.

Layout of all rounds: docs/sources.md. The workbook itself says what it is (period in row 1, route and setting in the name of the sheet),
never the name of the file.

    python -m spark_jobs.masters.ndb_open_data FOLDER    makes seeds/ndb_quantity.csv.gz, the biologics' rows of all workbooks in FOLDER,
                                                         and seeds/ndb_class.csv, what a drug that is not among them can have at most
"""

import gzip
import io
import re
import sys
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook

from spark_jobs.errors import LakeError
from spark_jobs.masters import shipped

EXTRACT = shipped.SEEDS / "ndb_quantity.csv.gz"
CLASS_EXTRACT = shipped.SEEDS / "ndb_class.csv"
EXTRACT_MARK = " (抜粋)"  # ends the `source` of rows that come from the extract, not from a workbook

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "fiscal_year": pl.Int32,
    "ndb_round": pl.Int32,
    "route": pl.String,
    "setting": pl.String,
    "cell_kind": pl.String,
    "cell_key": pl.String,
    "drug_code": pl.String,
    "drug_name_ja": pl.String,
    "yakka_code_12": pl.String,
    "quantity_claim_unit": pl.Decimal(24, 5),
    "is_hidden": pl.Boolean,
    "hidden_below": pl.Int32,
    "source": pl.String,
}
CLASS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "fiscal_year": pl.Int32,
    "ndb_round": pl.Int32,
    "route": pl.String,
    "setting": pl.String,
    "yakko_class_3": pl.String,
    "row_count": pl.Int32,
    "unlisted_at_most": pl.Decimal(24, 5),
    "source": pl.String,
}
CLASS_KEY = ["fiscal_year", "route", "setting", "yakko_class_3"]
KEY = ["fiscal_year", "route", "setting", "cell_kind", "cell_key", "drug_code"]

FIRST_ROUND_YEAR = 2014  # round n = fiscal year 2013 + n
ROUTES = {"注射": "injection", "内服": "oral", "外用": "topical"}
SETTINGS = {"院内": "outpatient_in_hospital", "院外": "outpatient_pharmacy", "入院": "inpatient"}
ROW_LIMITS = {1: (30,), **dict.fromkeys(range(2, 9), (100,))}  # rows of a 薬効分類 in a sheet: the top n
LATER_ROW_LIMITS = (100, 300, 500)  # from round 9 on, by the number of drugs of the class over all routes
TIES = 3  # rows with a hidden total that share the last place
ERAS = {"H": 1988, "R": 2018, "": 0}
DASHES = set("-‐‑‒–—―−ーｰ－─")
UNSTATED_THRESHOLD = 1000  # rounds 1-2 have no note; their smallest visible value is 1,000
CELL_ERROR = "An NDB workbook as downloaded has a number or a dash there; take the file again from its publisher."


def _plain(cell: object) -> str:
    """Header text without width, line breaks and blanks."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", str(cell)))


def _code(cell: object) -> str:
    """Codes are text in rounds 1, 2, 3, 5 and numbers in the others."""
    return f"{cell:.0f}".zfill(9) if isinstance(cell, float | int) else str(cell).strip()


def _wrong(where: str, found: str, expected: str) -> LakeError:
    return LakeError(
        where, found, expected, "Give an NDBオープンデータ workbook 処方薬 都道府県別 or 診療月別 薬効分類別数量, as downloaded."
    )


def _period(where: str, title: str) -> tuple[int, int]:
    """(fiscal year, hidden below) of row 1: `診療年月：H31年04月～R02年03月 … ※集計結果が400未満の場合は「‐」で表示…`."""
    match = re.match(r"診療年月:([HR]?)(\d+)年0?4月", title)
    if not match:
        raise _wrong(where, f"{title[:30] or 'nothing'} in cell A1", "診療年月：…年04月～…年03月")
    year = ERAS[match[1]] + int(match[2])
    if year < FIRST_ROUND_YEAR:
        raise _wrong(where, f"fiscal year {year} in cell A1", f"{FIRST_ROUND_YEAR} or later")
    threshold = re.search(r"集計結果が(\d+)未満", title)
    return year, int(threshold[1]) if threshold else UNSTATED_THRESHOLD


def _cells(where: str, header: list[str], names: list[str], year: int) -> dict[int, tuple[str, str]]:
    """Column → (cell kind, cell key) by the header; the prefecture's name under its number must be the right one."""
    prefectures = {p.prefecture_code: p.prefecture_ja for p in shipped.prefectures()}
    found: dict[int, tuple[str, str]] = {}
    for at, text in enumerate(header):
        number = re.fullmatch(r"(\d+)(?:\.0)?", text)
        month = re.fullmatch(r"(\d+)月", text)
        if text.startswith("総計"):
            found[at] = ("total", "all")
        elif month:
            found[at] = ("month", str((year + (int(month[1]) < 4)) * 100 + int(month[1])))
        elif number:
            code = number[1].zfill(2)
            if prefectures.get(code) != names[at]:
                raise _wrong(where, f"{names[at] or 'nothing'} under {text}", prefectures.get(code, "a prefecture 01-47"))
            found[at] = ("prefecture", code)
    keys = list(found.values())
    kinds = [kind for kind, _ in keys]
    if len(set(keys)) != len(keys) or (kinds.count("total"), len(keys) - 1) not in ((1, 47), (1, 12)):
        raise _wrong(where, f"{len(keys)} columns of quantities", "総計 and 01-47, or 総計 and 4月-3月")
    return found


def _quantity(where: str, cell: object) -> float | None:
    """A published number, or None for a dash of any kind (hidden, never 0). Anything else stops the load."""
    if isinstance(cell, float | int) and not isinstance(cell, bool):
        return float(cell)
    text = str(cell).strip()
    if text and set(text) <= DASHES:
        return None
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise LakeError(where, f"cell {text[:20]!r}", "a number or a dash", CELL_ERROR) from None


def _sheet(where: str, name: str, rows: list[list], source: str) -> pl.DataFrame:
    """One sheet = one route and setting, from wide to long."""
    plain_name = _plain(name)
    route = next((v for k, v in ROUTES.items() if k in plain_name), None)
    setting = next((v for k, v in SETTINGS.items() if k in plain_name), None)
    if not route or not setting:
        raise _wrong(where, f"a sheet named {name[:30]}", "a name such as 注射薬 外来 (院内)")
    year, threshold = _period(where, _plain(rows[0][0]) if rows and rows[0] else "")
    top = next((i for i, row in enumerate(rows[:10]) if "医薬品コード" in map(_plain, row)), None)
    if top is None or top + 1 >= len(rows):
        raise _wrong(where, "no column 医薬品コード", "a header row with 医薬品コード")
    header = [_plain(cell) for cell in rows[top]]
    cells = _cells(where, header, [_plain(cell) for cell in rows[top + 1]], year)
    missing = [h for h in ("医薬品名", "薬価基準収載医薬品コード") if h not in header]
    if missing:
        raise _wrong(where, f"no column {missing[0]}", "医薬品コード, 医薬品名, 薬価基準収載医薬品コード")
    code_at, name_at, yakka_at = (header.index(h) for h in ("医薬品コード", "医薬品名", "薬価基準収載医薬品コード"))

    drugs: dict[str, list[str]] = {"drug_code": [], "drug_name_ja": [], "yakka_code_12": []}
    quantities: dict[str, list[float | None]] = {f"{kind}:{key}": [] for kind, key in cells.values()}
    columns = list(zip(cells, quantities.values(), strict=True))
    for line, row in enumerate(rows[top + 2 :], start=top + 3):
        if not any(str(cell).strip() for cell in row):
            continue
        code = _code(row[code_at])
        if not re.fullmatch(r"\d{9}", code):
            raise LakeError(f"{where}, row {line}", f"医薬品コード {code[:20]!r}", "9 digits", CELL_ERROR)
        drugs["drug_code"].append(code)
        drugs["drug_name_ja"].append(str(row[name_at]).strip())
        drugs["yakka_code_12"].append(str(row[yakka_at]).strip())
        for at, values in columns:
            values.append(_quantity(f"{where}, row {line}, column {at + 1}", row[at]))
    if not drugs["drug_code"]:
        raise _wrong(where, "no rows", "rows of drugs")
    twice = [code for code, n in pl.Series(drugs["drug_code"]).value_counts().rows() if n > 1]
    if twice:
        raise LakeError(where, f"医薬品コード {twice[0]} twice", "each code once in a sheet", CELL_ERROR)

    wide = pl.DataFrame({**drugs, **{k: pl.Series(v, dtype=pl.Float64) for k, v in quantities.items()}})
    quantity = pl.col("quantity_claim_unit")
    return (
        wide.unpivot(index=list(drugs), variable_name="cell", value_name="quantity_claim_unit")
        .with_columns(
            pl.lit(year).alias("fiscal_year"),
            pl.lit(year - FIRST_ROUND_YEAR + 1).alias("ndb_round"),
            pl.lit(route).alias("route"),
            pl.lit(setting).alias("setting"),
            pl.col("cell").str.split(":").list.get(0).alias("cell_kind"),
            pl.col("cell").str.split(":").list.get(1).alias("cell_key"),
            quantity.round(5).cast(pl.Decimal(24, 5)),  # 5 decimals as on claims; removes the noise of binary fractions
            quantity.is_null().alias("is_hidden"),
            pl.lit(threshold).alias("hidden_below"),
            pl.lit(source).alias("source"),
        )
        .select(pl.col(c).cast(t) for c, t in SCHEMA.items())
    )


def read_workbook(path: Path) -> pl.DataFrame:
    """Rows of `masters.ndb_quantity` of one workbook, all sheets. A workbook of another kind is a LakeError."""
    try:
        workbook = CalamineWorkbook.from_path(path)
        sheets = [(name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in workbook.sheet_names]
    except (CalamineError, OSError) as error:
        raise _wrong(str(path), f"a file that can not be opened ({type(error).__name__})", "an xlsx workbook") from None
    return pl.concat(_sheet(f"{path.name}, sheet {name}", name, rows, path.name) for name, rows in sheets)


def classes(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `masters.ndb_class`: what a drug that a sheet does not list can have at most, by its 薬効分類.

    A class whose rows reach no limit is listed whole: a missing drug is a true zero. Else it has no more than the last row.
    """
    total = pl.col("quantity_claim_unit")
    found = []
    class_of_drug = pl.col("yakka_code_12").str.slice(0, 3).alias("yakko_class_3")
    of_class = rows.filter(pl.col("cell_kind") == "total").group_by(*CLASS_KEY[:3], "ndb_round", "source", class_of_drug).agg(
        pl.len().alias("row_count"), total.min().alias("smallest"), total.is_null().any().alias("is_total_hidden"),
        pl.col("hidden_below").first(),
    )  # fmt: skip
    for row in of_class.to_dicts():
        limits = ROW_LIMITS.get(row["ndb_round"], LATER_ROW_LIMITS)
        is_cut = any(limit <= row["row_count"] <= limit + TIES for limit in limits)
        last = row["hidden_below"] if row["is_total_hidden"] else row["smallest"]
        found.append(row | {"unlisted_at_most": Decimal(last if is_cut else 0)})
    return pl.DataFrame(found, schema_overrides=CLASS_SCHEMA).select(pl.col(c).cast(t) for c, t in CLASS_SCHEMA.items()).sort(CLASS_KEY)


def workbooks(path: Path) -> list[Path]:
    """The workbook, or all of a folder in order of name."""
    if path.is_file():
        return [path]
    found = sorted(p for p in path.glob("*.xlsx") if not p.name.startswith("~$"))
    if not found:
        raise _wrong(str(path), "no workbook" if path.is_dir() else "no such file or folder", "an xlsx file or a folder with some")
    return found


def class_extract(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The classes of the biologics, each sheet once."""
    ours = {p.yakka_code_12[:3] for p in shipped.biosimilar_products()}
    rows = pl.concat(map(classes, frames)).filter(pl.col("yakko_class_3").is_in(ours))
    return rows.unique(CLASS_KEY, keep="first", maintain_order=True).sort(CLASS_KEY).with_columns(pl.col("source") + EXTRACT_MARK)


def read_class_extract(path: Path = CLASS_EXTRACT) -> pl.DataFrame:
    """The shipped rows of `masters.ndb_class`."""
    return pl.read_csv(path, schema_overrides=CLASS_SCHEMA)


def extract(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The biologics' rows, each cell once (総計 of a round stands in its prefecture and its month workbook: the same figure)."""
    codes = [p.drug_code for p in shipped.biosimilar_products()]
    rows = pl.concat(f.filter(pl.col("drug_code").is_in(codes)) for f in frames)
    return (
        rows.unique(KEY, keep="first", maintain_order=True)
        .sort(*KEY[:3], "drug_code", "cell_kind", "cell_key")
        .with_columns(pl.col("source") + EXTRACT_MARK)
    )


def read_extract(path: Path = EXTRACT) -> pl.DataFrame:
    """The shipped extract, with the columns that follow from others put back."""
    rows = pl.read_csv(path, schema_overrides={"cell_key": pl.String, "drug_code": pl.String, "quantity_claim_unit": pl.String})
    return rows.with_columns(
        pl.col("quantity_claim_unit").cast(pl.Decimal(24, 5)),
        pl.col("quantity_claim_unit").is_null().alias("is_hidden"),
        (pl.col("fiscal_year") - FIRST_ROUND_YEAR + 1).alias("ndb_round"),
    ).select(pl.col(c).cast(t) for c, t in SCHEMA.items())


def write_extract(folder: Path, path: Path = EXTRACT) -> int:
    """Make the shipped extracts of the workbooks in a folder, same workbooks, same bytes. Returns the number of quantities."""
    frames = [read_workbook(file) for file in workbooks(folder)]
    class_extract(frames).write_csv(path.with_name(CLASS_EXTRACT.name))
    rows = extract(frames).drop("is_hidden", "ndb_round")
    text = io.BytesIO()
    rows.with_columns(pl.col("quantity_claim_unit").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")).write_csv(text)
    path.write_bytes(gzip.compress(text.getvalue(), compresslevel=9, mtime=0))
    return rows.height


if __name__ == "__main__":
    sys.stdout.write(f"{EXTRACT}: {write_extract(Path(sys.argv[1]))} rows\n")
