"""The traditional way, as bureaus do it today: pandas reads a file, cleans it column by column, ``to_sql`` writes it.

It follows the same rules as landing, so that the resulting rows are the same and only the way differs.
"""

import csv
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from headwater.claims.canonical import Field
from headwater.claims.cleaning import numeral
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.pseudonyms import identity

__all__ = ["load_fee_lines", "make_mart", "short_rows"]

_BLANK = {"", "NULL", "-", "--", "无", "N/A", "\\N"}
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.0+)?)?"
_DATES = (
    (rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[ T]{_CLOCK})?", "mixed"),
    (r"\d{8}", "%Y%m%d"),
    (r"\d{14}", "%Y%m%d%H%M%S"),
    (rf"\d{{4}}/\d{{1,2}}/\d{{1,2}}(?: {_CLOCK})?", "mixed"),
    (r"\d{4}年\d{1,2}月\d{1,2}日", "%Y年%m月%d日"),
)
_NUMBER = r"¥?[-+]?(?:\d{1,15}|\d{1,3}(?:,\d{3}){1,4})"
_INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
_DECIMALS = {"integer": 0, "quantity": 4, "price": 6, "money": 2, "ratio": 6}


def load_fee_lines(
    tables: Mapping[str, TableContract],
    files: Mapping[str, list[Path]],
    engine: sa.Engine,
    *,
    short: Mapping[Path, list[int]],
    late: str,
) -> int:
    """Load the fee lines of all sources into ``fee_line`` of ``engine``; return the number of rows written.

    Parameters
    ----------
    tables, files : contract of the table and the files, by source
    short : rows that have fewer cells than the header, which ``read_csv`` fills up silently; told for free
    late : ISO date; rows with later times are dropped
    """
    written = 0
    for source, table in tables.items():
        seen: set[str] = set()
        for file in files[source]:
            frame = _frame(file, table).drop(index=short.get(file, []))
            rows = _clean(frame, table, pd.Timestamp(late))
            keys = rows["mdtrt_id"] + "\x1f" + rows["feedetl_sn"]
            rows = rows[~keys.isin(seen) & ~keys.duplicated()]
            seen.update(keys)
            rows.insert(0, "source_id", source)
            rows.to_sql("fee_line", engine, if_exists="append", index=False, chunksize=10_000)
            written += len(rows)
    return written


def make_mart(engine: sa.Engine, groups: pd.DataFrame) -> None:
    """Make the fee-line mart of what was loaded, in the database, with its key.

    Parameters
    ----------
    groups : charge_category and charge_group
    """
    groups.to_sql("charge_category", engine, if_exists="replace", index=False)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "create table fct_fee_line as select l.*, l.source_id || '/' || l.mdtrt_id as stay_id, "
                "cast(date_trunc('month', l.fee_ocur_time) as date) as charge_month, "
                "coalesce(g.charge_group, 'unknown') as charge_group from fee_line l "
                "left join charge_category g on left(l.med_chrgitm_type, 2) = g.charge_category"
            )
        )
        connection.execute(sa.text("alter table fct_fee_line add primary key (stay_id, feedetl_sn)"))


def short_rows(file: Path, table: TableContract) -> list[int]:
    """Return the positions, among the rows that ``read_csv`` keeps, of those with too few cells."""
    if table.format not in ("csv", "tsv"):
        return []
    with file.open(encoding=_encoding(file), newline="") as text:
        rows = [row for row in csv.reader(text, delimiter=_separator(table)) if row][table.header_row - 1 :]
    kept = [row for row in rows[1:] if len(row) <= len(rows[0])]
    return [place for place, row in enumerate(kept) if len(row) < len(rows[0])]


def _separator(table: TableContract) -> str:
    return "\t" if table.format == "tsv" else ","


def _frame(file: Path, table: TableContract) -> pd.DataFrame:
    skip = table.header_row - 1
    if table.format == "parquet":
        return pd.read_parquet(file).astype(str)
    if table.format == "xlsx":
        return pd.read_excel(
            file, sheet_name=table.sheet or 0, header=skip, dtype=str, keep_default_na=False, engine="calamine"
        )
    return pd.read_csv(
        file,
        sep=_separator(table),
        encoding=_encoding(file),
        skiprows=skip,
        dtype=str,
        keep_default_na=False,
        on_bad_lines="skip",
    )


def _encoding(file: Path) -> str:
    content = file.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def _clean(frame: pd.DataFrame, table: TableContract, late: pd.Timestamp) -> pd.DataFrame:
    rules = dict(table.columns)
    clean = pd.DataFrame(index=frame.index)
    keep = pd.Series(True, index=frame.index)
    for field in table.entity.fields:
        rule = rules.get(field.name)
        if rule is None:
            continue
        text = _text(frame, field, rule)
        clean[field.name] = _typed(text, field, rule)
        if field.required:
            keep &= clean[field.name].notna()
        if field.type not in ("text", "code", "person") or rule.values:
            keep &= clean[field.name].notna() | text.isna()
        if field.type in ("date", "time"):
            keep &= ~(clean[field.name] >= late + pd.Timedelta(days=1)) & ~(
                clean[field.name] < pd.Timestamp("1900-01-01")
            )
        if field.type == "code":
            keep &= ~clean[field.name].str.fullmatch(r"\d+(?:\.\d+)?E\+\d{2,3}", na=False)
            keep &= ~clean[field.name].str.contains(r"[\u0370-\u03ff\u0400-\u052f\x00-\x1f]", na=False)
        if field.type in ("code", "text"):
            keep &= ~clean[field.name].str.contains("\ufffd", na=False, regex=False)
            keep &= ~_names_person(clean[field.name])
    product = (clean["cnt"] * clean["pric"] - clean["det_item_fee_sumamt"]).abs()
    return clean[keep & ~(product >= 0.01 - 1e-9)].copy()


def _names_person(text: "pd.Series[str]") -> "pd.Series[bool]":
    found = text.str.contains(r"\d{17}[\dXx]", na=False)
    numbers = text[found].str.extract(r"(\d{17}[\dXx])", expand=False).str.upper()
    found[found] = numbers.map(lambda number: identity(number) is not None)
    return found


def _text(frame: pd.DataFrame, field: Field, rule: ColumnRule) -> "pd.Series[str]":
    if rule.column is None:
        return pd.Series(rule.value, index=frame.index, dtype="str")
    text = frame[rule.column].fillna("")
    if field.type not in ("text", "person"):
        text = text.map(lambda cell: cell if cell.isascii() else _fold(cell))
    text = text.str.replace(_INVISIBLE, "", regex=True).str.strip(" \t\r\n\u3000\u00a0")
    if field.type in ("money", "price") and rule.scale is None:
        written = text.str.contains("[零一二三四五六七八九十百壹贰叁肆伍陆柒捌玖拾佰仟]", na=False)
        text[written] = text[written].map(lambda cell: numeral(cell) or cell)
    return text.mask(text.str.upper().isin(_BLANK))


def _fold(cell: str) -> str:
    return "".join(
        unicodedata.normalize("NFKC", letter) if "！" <= letter <= "～" or letter in "\u3000\u00a0" else letter
        for letter in cell
    ).replace("￥", "¥")


def _typed(text: "pd.Series[str]", field: Field, rule: ColumnRule) -> "pd.Series":
    if rule.values:
        text = text.map(dict(rule.values))
    if field.type in ("text", "person"):
        return text
    if field.type == "code":
        return text.str.upper()
    if field.type in ("date", "time"):
        return _times(text, rule)
    decimals = _DECIMALS[field.type]
    pattern = _NUMBER + (r"(?:\.0+)?" if decimals == 0 else rf"(?:\.\d{{1,{decimals}}}0*)?")
    number = pd.to_numeric(text.where(text.str.fullmatch(pattern, na=False)).str.replace(r"[¥,]", "", regex=True))
    if rule.scale is None:
        return number
    scaled = (number * float(rule.scale)).round(decimals)
    return scaled.where((number * float(rule.scale) - scaled).abs() < 1e-9)


def _times(text: "pd.Series[str]", rule: ColumnRule) -> "pd.Series":
    if rule.format is not None:
        return pd.to_datetime(text, format=rule.format, errors="coerce")
    times = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    for pattern, form in _DATES:
        fits = text.str.fullmatch(pattern, na=False)
        if fits.any():
            times[fits] = pd.to_datetime(text[fits], format=form, errors="coerce").dt.as_unit("us")
    serial = text.str.fullmatch(r"[1-7]\d{4}(?:\.\d+)?", na=False)
    if serial.any():
        days = pd.to_timedelta((pd.to_numeric(text[serial]) * 86400).round(), unit="s")
        times[serial] = (pd.Timestamp("1899-12-30") + days).dt.as_unit("us")
    return times
