"""Files of every format, written block by block and byte for byte the same every time."""

import csv
import gzip
import io
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import xlsxwriter

from headwater.simulation.layouts import Column, Layout
from headwater.simulation.rendering import Grid

__all__ = ["Sink", "open_sink"]

_NUMBERS = ("integer", "quantity", "price", "money", "ratio", "time", "date")
_CREATED = datetime(2026, 1, 1)


class Sink(Protocol):
    """An open file that takes rows."""

    def write(self, rows: Grid, misshapen: Mapping[int, str]) -> None:
        """Append rows; those named in ``misshapen``, from 0, get one cell too many or too few."""

    def close(self) -> None:
        """Finish the file."""


def open_sink(path: Path, *, shape: Layout, columns: tuple[Column, ...], title: str) -> Sink:
    """Open ``path`` in the hospital's format.

    Parameters
    ----------
    title : stands above the header where the layout has title rows
    """
    if shape.format == "xlsx":
        return _Workbook(path, shape, columns, title)
    if shape.format == "parquet":
        return _Parquet(path)
    return _Lines(path, shape, columns, title)


class _Lines:
    """Comma or tab separated lines, in the hospital's encoding, compressed or not."""

    def __init__(self, path: Path, shape: Layout, columns: tuple[Column, ...], title: str) -> None:
        self._shape = shape
        self._file: IO[bytes] = path.open("wb")
        self._stream: IO[bytes] = self._file
        if shape.format == "csv.gz":
            # Neither name nor time: the same rows give the same bytes.
            self._stream = cast(
                IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=self._file, mtime=0, compresslevel=4)
            )
        self._options = pa.csv.WriteOptions(
            include_header=False,
            batch_size=16_384,
            delimiter=shape.delimiter,
            quoting_style="needed" if shape.quoted and shape.format != "tsv" else "none",
        )
        if shape.encoding == "utf-8-sig":
            self._stream.write(b"\xef\xbb\xbf")
        titles = [title] * (shape.header_row - 1)
        header = shape.delimiter.join(column.name for column in columns)
        self._stream.write(self._encoded("".join(f"{line}\n" for line in (*titles, header)).encode()))

    def _encoded(self, data: bytes) -> bytes:
        return data.decode().encode("gb18030") if self._shape.encoding == "gb18030" else data

    def write(self, rows: Grid, misshapen: Mapping[int, str]) -> None:
        buffer = pa.BufferOutputStream()
        pa.csv.write_csv(rows.table(), buffer, self._options)
        data = buffer.getvalue().to_pybytes()
        if misshapen:
            data = _with_misshapen(data, misshapen, self._shape.delimiter)
        self._stream.write(self._encoded(data))

    def close(self) -> None:
        self._stream.close()
        self._file.close()


def _with_misshapen(data: bytes, misshapen: Mapping[int, str], delimiter: str) -> bytes:
    # No cell contains a line break, so every line is a row.
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    parts, done = [], 0
    for row in sorted(misshapen):
        start = int(ends[row - 1]) + 1 if row else 0
        line = data[start : int(ends[row])].decode()
        parts += [data[done:start], _misshaped(line, misshapen[row], delimiter).encode()]
        done = int(ends[row])
    return b"".join([*parts, data[done:]])


def _misshaped(line: str, how: str, delimiter: str) -> str:
    if how == "more":
        return f"{line}{delimiter}补录"
    cells = next(csv.reader([line], delimiter=delimiter))[:-1]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    return text.getvalue()


class _Parquet:
    """Typed columns, one row group a block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: Grid, misshapen: Mapping[int, str]) -> None:
        if misshapen:
            raise ValueError("rows of a Parquet file cannot be misshapen")
        table = rows.table()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None:
            raise ValueError(f"no rows were written to {self._path.name}")
        self._writer.close()


class _Workbook:
    """One sheet; numbers, amounts, dates and times are numbers where their text is one."""

    def __init__(self, path: Path, shape: Layout, columns: tuple[Column, ...], title: str) -> None:
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._book.set_properties({"created": _CREATED, "author": title})
        self._sheet = self._book.add_worksheet("数据")
        self._numeric = [column.kind in _NUMBERS for column in columns]
        self._row = shape.header_row
        for number in range(shape.header_row - 1):
            self._sheet.write_string(number, 0, title)
        for place, column in enumerate(columns):
            self._sheet.write_string(shape.header_row - 1, place, column.name)

    def write(self, rows: Grid, misshapen: Mapping[int, str]) -> None:
        if misshapen:
            raise ValueError("rows of a workbook cannot be misshapen")
        for cells in zip(*(array.to_pylist() for array in rows.arrays), strict=True):
            for place, (text, numeric) in enumerate(zip(cells, self._numeric, strict=True)):
                self._cell(place, text or "", numeric)
            self._row += 1

    def _cell(self, place: int, text: str, numeric: bool) -> None:
        if numeric and text.isascii() and text.replace(".", "", 1).isdigit():
            self._sheet.write_number(self._row, place, float(text))
        elif text:
            self._sheet.write_string(self._row, place, text)

    def close(self) -> None:
        self._book.close()
