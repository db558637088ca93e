"""The traditional way, as bureaus do it today: pandas reads a file, cleans it column by column, ``to_sql`` writes it.

It follows the same rules as landing, so that the resulting rows are the same and only the way differs.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from headwater.claims.canonical import Field
from headwater.claims.contract import ColumnRule, Contract, TableContract

__all__ = ["load_fee_lines"]

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
_DECIMALS = {"integer": 0, "quantity": 4, "price": 6, "money": 2, "ratio": 6}


def load_fee_lines(contracts: list[Contract], deliveries: Path, engine: sa.Engine, *, late: str) -> int:
    """Load the fee lines of all sources into ``fee_line`` of ``engine``; return the number of rows written.

    Parameters
    ----------
    late : ISO date; rows with later times are dropped
    """
    written = 0
    for contract in contracts:
        for table in contract.tables:
            if table.entity.name == "fee_line":
                written += _load_source(contract, table, deliveries, engine, pd.Timestamp(late))
    return written


def _load_source(
    contract: Contract, table: TableContract, deliveries: Path, engine: sa.Engine, late: pd.Timestamp
) -> int:
    seen: set[str] = set()
    written = 0
    for file in sorted((deliveries / contract.deliveries).glob(table.files)):
        for frame in _frames(file, table):
            rows = _clean(frame, table, late)
            keys = rows["mdtrt_id"] + "\x1f" + rows["feedetl_sn"]
            rows = rows[~keys.isin(seen) & ~keys.duplicated()]
            seen.update(keys)
            rows.insert(0, "source_id", contract.source_id)
            rows.to_sql("fee_line", engine, if_exists="append", index=False, chunksize=10_000)
            written += len(rows)
    return written


def _frames(file: Path, table: TableContract) -> Iterator[pd.DataFrame]:
    skip = table.header_row - 1
    if table.format == "parquet":
        yield pd.read_parquet(file).astype(str)
    elif table.format == "xlsx":
        yield pd.read_excel(
            file, sheet_name=table.sheet or 0, header=skip, dtype=str, keep_default_na=False, engine="calamine"
        )
    else:
        separator = "\t" if table.format == "tsv" else ","
        yield pd.read_csv(
            file,
            sep=separator,
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
    # A row with fewer cells than the header comes out with missing values at its end.
    keep = frame.notna().all(axis=1)
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
    return clean[keep].copy()


def _text(frame: pd.DataFrame, field: Field, rule: ColumnRule) -> "pd.Series[str]":
    if rule.column is None:
        return pd.Series(rule.value, index=frame.index, dtype="str")
    text = frame[rule.column].fillna("")
    if field.type not in ("text", "person"):
        text = text.map(lambda cell: cell if cell.isascii() else _fold(cell))
    text = text.str.strip(" \t\r\n\u3000\u00a0")
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
