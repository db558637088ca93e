"""Delivered files as text: any format, any encoding, every row counted, no type guessed."""

import codecs
import csv
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from headwater.claims.contract import TableContract
from headwater.claims.guarding import guard, open_bytes, refuse_long_cells, refuse_misshapen, too_misshapen
from headwater.claims.parquet import parquet_batches
from headwater.errors import Message, Refusal

__all__ = ["ROW", "Delivery", "read"]

ROW = "__row"
"""Name of the added column: 1-based number of the data row in the file, header and blank lines not counted."""

_BLOCK = 8 << 20
_ROWS = 200_000
_EXACT_FLOAT = 1e15
_SHEETS = 9
"""Rows that go on do so in the next sheets; each of these is read once more."""


@dataclass
class Delivery:
    """An opened file.

    Parameters
    ----------
    header : every column name in the file
    batches : text columns that the contract names, and ``ROW``
    misshapen : row numbers whose number of columns differs from the header's; complete once batches are exhausted
    """

    header: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]
    misshapen: list[int] = field(default_factory=list)


def read(path: Path, *, name: str, table: TableContract) -> Delivery:
    """Open one landed file by its contract.

    Raises
    ------
    Refusal
        ``E-FILE-ENCODING``, ``E-FILE-FORMAT``, ``E-FILE-EMPTY``, ``E-FILE-SHEET``, ``E-COLUMN-MISSING`` or
        ``E-COLUMN-TWICE``: the whole file is refused and the message says what to mend.
    """
    guard(path, name=name, table=table)
    if table.format in ("csv", "tsv"):
        return _read_delimited(path, name=name, table=table)
    if table.format == "xlsx":
        return _read_workbook(path, name=name, table=table)
    return _read_parquet(path, name=name, table=table)


def _read_delimited(path: Path, *, name: str, table: TableContract) -> Delivery:
    delimiter = "\t" if table.format == "tsv" else ","
    try:
        encoding, quoted = _probed(path, name, table.encoding)
        header = _csv_header(path, encoding, delimiter, table.header_row, name)
    except UnicodeDecodeError as error:
        raise _undecodable(name, table.encoding, error.reason) from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise _unreadable(name, str(error)) from error
    wanted = _wanted(header, table, name)
    delivery = Delivery(header=header, batches=iter(()))

    def note(row: pa.csv.InvalidRow) -> str:
        delivery.misshapen.append(row.number - table.header_row)
        return "error" if too_misshapen(len(delivery.misshapen)) else "skip"

    try:
        reader = pa.csv.open_csv(_utf8_stream(path, encoding), **_options(header, wanted, table, quoted, note))
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return delivery
        refuse_misshapen(len(delivery.misshapen), name=name)
        raise _unreadable(name, str(error)) from error
    except UnicodeDecodeError as error:
        raise _undecodable(name, table.encoding, error.reason) from error
    delivery.batches = _numbered(reader, delivery.misshapen, name)
    return delivery


def _options(
    header: tuple[str, ...],
    wanted: list[str],
    table: TableContract,
    quoted: bool,
    note: Callable[[pa.csv.InvalidRow], str],
) -> dict[str, Any]:
    return {
        "read_options": pa.csv.ReadOptions(
            column_names=list(header), skip_rows=table.header_row, block_size=_BLOCK, use_threads=False
        ),
        # Without quotes a line is a row, which halves the work of finding where rows end.
        "parse_options": pa.csv.ParseOptions(
            delimiter="\t" if table.format == "tsv" else ",",
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            invalid_row_handler=note,
        ),
        "convert_options": pa.csv.ConvertOptions(
            column_types={column: pa.string() for column in wanted},
            include_columns=wanted,
            strings_can_be_null=False,
        ),
    }


def _numbered(reader: pa.csv.CSVStreamingReader, misshapen: list[int], name: str) -> Iterator[pa.RecordBatch]:
    seen = 0
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise _undecodable(name, "auto", error.reason) from error
        except pa.ArrowInvalid as error:
            refuse_misshapen(len(misshapen), name=name)
            raise _unreadable(name, str(error)) from error
        refuse_long_cells(batch, name=name)
        ordinals = np.arange(seen + 1, seen + batch.num_rows + 1)
        # A misshapen row was skipped by the parser, so rows after it stand one further down in the file.
        skipped = np.asarray(misshapen, dtype=np.int64) - np.arange(len(misshapen))
        rows = ordinals + np.searchsorted(skipped, ordinals, side="right")
        seen += batch.num_rows
        yield batch.append_column(ROW, pa.array(rows, pa.int64()))


def _csv_header(path: Path, encoding: str, delimiter: str, header_row: int, name: str) -> tuple[str, ...]:
    with open_bytes(path, name=name) as raw, io.TextIOWrapper(raw, encoding=_codec(encoding), newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        for number, row in enumerate(rows, start=1):
            if number == header_row:
                return tuple(cell.strip() for cell in row)
    raise Refusal(
        "E-FILE-EMPTY",
        Message(f"文件 {name} 没有第 {header_row} 行表头。", f"File {name} has no header in row {header_row}."),
        Message("检查文件是否为空，或修改合同中的 header_row。", "Check that it is not empty, or mend header_row."),
    )


def _codec(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _utf8_stream(path: Path, encoding: str) -> pa.NativeFile:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    source = pa.input_stream(str(path), compression="gzip" if compressed else None)
    return source if encoding == "utf-8" else pa.transcoding_input_stream(source, encoding, "utf-8")


def _probed(path: Path, name: str, declared: str) -> tuple[str, bool]:
    """Return the encoding and whether cells are quoted, from one pass over the bytes.

    The rule is fixed: strict UTF-8, then GB18030, whose strictness reading itself enforces; a declared encoding is
    strict too. A quote that never closes is refused, as it takes all rows after it for one cell.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict") if declared in ("auto", "utf-8") else None
    fault, offset, quotes = "", 0, 0
    with open_bytes(path, name=name) as stream:
        while chunk := stream.read(_BLOCK):
            if b"\0" in chunk:
                raise _undecodable(name, declared, f"NUL byte at {offset + chunk.index(0)}")
            quotes += chunk.count(b'"')
            if decoder is not None and not fault:
                fault = _undecoded(decoder, chunk, offset)
            offset += len(chunk)
    if decoder is not None and not fault and _undecoded(decoder, b"", offset, final=True):
        fault = f"byte {offset}, the end"
    if fault and declared == "utf-8":
        raise _undecodable(name, declared, fault)
    if quotes % 2:
        raise Refusal(
            "E-FILE-QUOTE",
            Message(
                f"文件 {name} 的引号不成对，其后的行会被吞掉。",
                f"File {name} has an unclosed quote, which swallows rows.",
            ),
            Message("补上或去掉多余的双引号后重报。", "Close or remove the odd double quote and send it again."),
        )
    encoding = declared if declared != "auto" else "gb18030" if fault else "utf-8"
    return encoding, quotes > 0


def _undecoded(decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, *, final: bool = False) -> str:
    """Return where a chunk cannot be decoded, or nothing."""
    waiting = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        return f"byte {offset - waiting + error.start}"
    return ""


def _undecodable(name: str, declared: str, fault: str) -> Refusal:
    zh, en = ("UTF-8 或 GB18030", "UTF-8 or GB18030") if declared == "auto" else (declared, declared)
    return Refusal(
        "E-FILE-ENCODING",
        Message(f"文件 {name} 不是 {zh} 编码：{fault}。", f"File {name} is not {en}: {fault}."),
        Message("请另存为 UTF-8 后重报。", "Save it as UTF-8 and send it again."),
    )


def _wanted(header: tuple[str, ...], table: TableContract, name: str) -> list[str]:
    wanted = list(table.delivered_columns)
    missing = [column for column in wanted if column not in header]
    if missing:
        raise Refusal(
            "E-COLUMN-MISSING",
            Message(
                f"文件 {name} 缺少合同中的列：{'、'.join(missing)}。",
                f"File {name} lacks columns that its contract names: {', '.join(missing)}.",
            ),
            Message("补上这些列，或修改数据源合同。", "Deliver these columns or mend the source contract."),
        )
    twice = [column for column in wanted if header.count(column) > 1]
    if twice:
        raise Refusal(
            "E-COLUMN-TWICE",
            Message(
                f"文件 {name} 中列名重复：{'、'.join(twice)}。", f"File {name} has a column twice: {', '.join(twice)}."
            ),
            Message("使列名唯一后重报。", "Make the names unique and send it again."),
        )
    return wanted


def _unreadable(name: str, detail: str) -> Refusal:
    return Refusal(
        "E-FILE-FORMAT",
        Message(
            f"文件 {name} 无法按合同的格式读取：{detail}。",
            f"File {name} cannot be read as its contract says: {detail}.",
        ),
        Message("核对文件格式与合同的 format。", "Compare the file with the contract's format."),
    )


def _read_workbook(path: Path, *, name: str, table: TableContract) -> Delivery:
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheet = workbook.get_sheet_by_name(table.sheet) if table.sheet else workbook.get_sheet_by_index(0)
    except (CalamineError, OSError) as error:
        raise _unreadable(name, str(error)) from error
    rows = sheet.iter_rows()
    header: tuple[str, ...] = ()
    for number, row in enumerate(rows, start=1):
        if number == table.header_row:
            header = tuple(_cell(cell).strip() for cell in row)
            break
    wanted = _wanted(header, table, name)
    if table.sheet is None:
        _refuse_more_sheets(workbook, table, wanted, name)
    return Delivery(header=header, batches=_sheet_batches(rows, [header.index(column) for column in wanted], wanted))


def _refuse_more_sheets(workbook: CalamineWorkbook, table: TableContract, wanted: list[str], name: str) -> None:
    """Refuse a workbook whose rows go on in another sheet, which nobody would read or count."""
    for title in workbook.sheet_names[1:_SHEETS]:
        rows = islice(workbook.get_sheet_by_name(title).iter_rows(), table.header_row - 1, table.header_row + 1)
        header = {_cell(cell).strip() for cell in next(rows, [])}
        if set(wanted) <= header and next(rows, None) is not None:
            raise Refusal(
                "E-FILE-SHEET",
                Message(
                    f"文件 {name} 的工作表“{title}”也有合同中的列，而只会读取第一张。",
                    f"Sheet '{title}' of file {name} has the contract's columns too, but only the first one is read.",
                ),
                Message(
                    "把各行放进同一张工作表后重报，或在合同中用 sheet 指定。",
                    "Put all rows into one sheet and send it again, or name the sheet in the contract.",
                ),
            )


def _sheet_batches(rows: Iterator[Sequence[object]], places: list[int], names: list[str]) -> Iterator[pa.RecordBatch]:
    columns: list[list[str]] = [[] for _ in names]
    numbers: list[int] = []
    number = 0
    for row in rows:
        if all(cell is None or cell == "" for cell in row):
            continue
        number += 1
        numbers.append(number)
        for column, place in zip(columns, places, strict=True):
            column.append(_cell(row[place]))
        if len(numbers) == _ROWS:
            yield _text_batch(columns, numbers, names)
            columns, numbers = [[] for _ in names], []
    if numbers:
        yield _text_batch(columns, numbers, names)


def _text_batch(columns: list[list[str]], numbers: list[int], names: list[str]) -> pa.RecordBatch:
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays([*arrays, pa.array(numbers, pa.int64())], names=[*names, ROW])


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def _number(value: float) -> str:
    """Write a spreadsheet number plainly; one too large to be exact keeps its exponent, so that it is found out."""
    if not np.isfinite(value):
        return str(value)
    if abs(value) >= _EXACT_FLOAT:
        return f"{value:.14E}"
    return np.format_float_positional(value, trim="-")


def _read_parquet(path: Path, *, name: str, table: TableContract) -> Delivery:
    try:
        header = tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(name, str(error)) from error
    return Delivery(header=header, batches=_parquet_batches(path, _wanted(header, table, name), name))


def _parquet_batches(path: Path, wanted: list[str], name: str) -> Iterator[pa.RecordBatch]:
    seen = 0
    for batch in parquet_batches(path, name=name, columns=wanted, rows=_ROWS):
        try:
            arrays = [_as_text(column) for column in batch.columns]
        except pa.ArrowException as error:
            raise _unreadable(name, str(error)) from error
        rows = pa.array(np.arange(seen + 1, seen + batch.num_rows + 1), pa.int64())
        seen += batch.num_rows
        text = pa.RecordBatch.from_arrays([*arrays, rows], names=[*wanted, ROW])
        refuse_long_cells(text, name=name)
        yield text


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):
        return pa.array([None if cell is None else _number(cell) for cell in column.to_pylist()], pa.string())
    if pa.types.is_dictionary(column.type):
        return _as_text(column.dictionary_decode())
    return pc.cast(column, pa.string())
