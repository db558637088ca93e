"""The beginning of delivered files as text: format by content, encoding, sheets, and the row that holds the names."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from headwater.claims.proposing.names import fold
from headwater.errors import Message, Refusal

__all__ = ["ROWS", "Grid", "Sample", "cut", "grids", "header_row"]

ROWS = 2_000
"""Most data rows that are looked at in one file or sheet."""

_TITLES = 30
_NUMBER = re.compile(r"[¥￥$]?[-+]?[\d,]+(\.\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}.*")
Form = Literal["csv", "tsv", "xlsx", "parquet"]


@dataclass(frozen=True)
class Grid:
    """The first rows of one file or of one of its sheets, as they stand, titles included.

    Parameters
    ----------
    total : rows of the sheet or file as far as known without reading it whole, else the rows here
    numeric : columns whose cells are numbers of a workbook or of Parquet, so that leading zeros are gone
    """

    path: Path
    format: Form
    encoding: str
    sheet: str | None
    rows: tuple[tuple[str, ...], ...]
    total: int
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sample:
    """A grid with its names told apart from its values.

    Parameters
    ----------
    header_row : 1-based
    columns : one tuple of values a name, in delivered order
    """

    grid: Grid
    header_row: int
    header: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> tuple[str, ...]:
        """Return the values of the first column of this name."""
        return self.columns[self.header.index(name)]

    @property
    def unusable(self) -> frozenset[str]:
        """Names that cannot be told apart, or are empty: no contract can read them."""
        folded = [name.casefold() for name in self.header]
        return frozenset(
            name for name in self.header if not name or name.startswith("__") or folded.count(name.casefold()) > 1
        )


def grids(path: Path, *, rows: int = ROWS) -> list[Grid]:
    """Return every sheet of a workbook, or the one grid of any other file.

    Raises
    ------
    Refusal
        ``E-FILE-FORMAT`` or ``E-FILE-ENCODING`` when it is none of csv, tsv, gzip of these, workbook or Parquet
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
        if start[:4] == b"PAR1":
            return [_parquet(path, rows)]
        if start[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
            return _workbook(path, rows)
        return [_delimited(path, rows, gzipped=start[:2] == b"\x1f\x8b")]
    except (OSError, EOFError, zlib.error, csv.Error, CalamineError, pa.ArrowInvalid) as error:
        raise Refusal(
            "E-FILE-FORMAT",
            Message(f"文件 {path.name} 无法读取。", f"File {path.name} cannot be read ({type(error).__name__})."),
            Message("请给出 CSV、TSV、XLSX 或 Parquet 文件。", "Give a CSV, TSV, XLSX or Parquet file."),
        ) from error


def cut(grid: Grid, row: int) -> Sample:
    """Take a grid apart at the 1-based row of its names; rows of another width are left out."""
    header = tuple(cell.strip() for cell in grid.rows[row - 1]) if len(grid.rows) >= row else ()
    body = [cells for cells in grid.rows[row:] if len(cells) == len(header) and any(cell.strip() for cell in cells)]
    columns = tuple(zip(*body, strict=True)) if body else tuple(() for _ in header)
    return Sample(grid=grid, header_row=row, header=header, columns=columns)


def header_row(grid: Grid, known: Iterable[str] = ()) -> int:
    """Return the 1-based row that looks most like names: full, all words, different, and values below it.

    Parameters
    ----------
    known : folded names that are names of columns whatever stands around them
    """
    names = frozenset(known)
    head = grid.rows[:_TITLES]
    if grid.format == "parquet" or not head:
        return 1
    widths = [sum(1 for cell in row if cell.strip()) for row in grid.rows[: _TITLES + 50]]
    usual = max(np.percentile(widths, 75), 1.0)
    scores = [_header_score(row, below=grid.rows[place + 1 : place + 40], usual=usual, names=names)
              for place, row in enumerate(head)]  # fmt: skip
    return int(np.argmax(scores)) + 1


def _header_score(row: Sequence[str], *, below: Sequence[Sequence[str]], usual: float, names: frozenset[str]) -> float:
    cells = [cell.strip() for cell in row if cell.strip()]
    if not cells or not below:
        return -1.0
    words = [cell for cell in cells if not _is_value(cell)]
    recognised = sum(fold(cell) in names for cell in cells) / len(cells)
    # A row of values has numbers where the rows below have numbers; a row of names does not.
    contrast = sum(
        bool(cell.strip()) and not _is_value(cell) and _mostly_values(below, place) for place, cell in enumerate(row)
    ) / len(cells)
    full = min(len(cells) / usual, 1.0)
    return full + len(words) / len(cells) + len(set(cells)) / len(cells) + contrast + 2 * recognised


def _mostly_values(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
    return bool(cells) and sum(map(_is_value, cells)) > len(cells) / 2


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _delimited(path: Path, rows: int, *, gzipped: bool) -> Grid:
    encoding = _encoding(path, gzipped)
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with _open(path, gzipped) as raw, io.TextIOWrapper(raw, encoding=codec, newline="", errors="replace") as text:
        lines = list(_lines(text, rows + _TITLES))
    delimiter = max((",", "\t", ";", "|"), key=lambda sign: _agreement(lines, sign))
    if _agreement(lines, delimiter) > 0 and delimiter in ";|":
        raise Refusal(
            "E-FILE-FORMAT",
            Message(f"文件 {path.name} 以 {delimiter} 分隔。", f"File {path.name} separates its cells by {delimiter}."),
            Message("请改用逗号或制表符分隔。", "Write it with commas or tabs."),
        )
    parsed = tuple(tuple(row) for row in csv.reader(lines, delimiter=delimiter))
    form: Form = "tsv" if delimiter == "\t" else "csv"
    return Grid(path, form, "latin-1" if encoding == "latin-1" else "auto", None, parsed, len(parsed))


def _lines(text: Iterable[str], rows: int) -> Iterator[str]:
    """Give whole rows: a line break inside quotation marks does not end one."""
    taken, quotes = 0, 0
    for line in text:
        yield line
        quotes += line.count('"')
        taken += quotes % 2 == 0
        if taken >= rows:
            return


def _agreement(lines: Sequence[str], delimiter: str) -> float:
    widths = [len(row) for row in csv.reader(lines[:200], delimiter=delimiter)]
    if not widths:
        return 0.0
    usual = max(set(widths), key=widths.count)
    return (usual - 1) * widths.count(usual) / len(widths)


def _encoding(path: Path, gzipped: bool) -> str:
    """Return utf-8 or gb18030 as the general reader would choose, latin-1 where neither can be."""
    with _open(path, gzipped) as stream:
        data = stream.read(4 << 20)
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError as error:
            # The last character may have been cut through.
            if error.start >= len(data) - 4 and len(data) == 4 << 20:
                return encoding
        else:
            return encoding
    return "latin-1"


def _open(path: Path, gzipped: bool) -> IO[bytes]:
    return gzip.open(path, "rb") if gzipped else path.open("rb")  # type: ignore[return-value]


def _workbook(path: Path, rows: int) -> list[Grid]:
    book = CalamineWorkbook.from_path(str(path))
    found = []
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        taken = [row for _, row in zip(range(rows + _TITLES), sheet.iter_rows(), strict=False)]
        text = tuple(tuple(_cell(cell) for cell in row) for row in taken)
        found.append(Grid(path, "xlsx", "auto", name, text, sheet.total_height, _numeric(taken)))
    return found


def _numeric(rows: Sequence[Sequence[object]]) -> frozenset[int]:
    width = max(map(len, rows), default=0)
    return frozenset(
        place for place in range(width) if sum(isinstance(row[place], int | float) for row in rows) > len(rows) / 2
    )


def _cell(cell: object) -> str:
    """Write a cell as the general reader does."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return np.format_float_positional(cell, trim="-") if np.isfinite(cell) else str(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _parquet(path: Path, rows: int) -> Grid:
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    table = pa.Table.from_batches([next(file.iter_batches(batch_size=rows))]) if file.metadata.num_rows else None
    columns = [] if table is None else [[_cell(cell) for cell in column.to_pylist()] for column in table.columns]
    body = tuple(zip(*columns, strict=True))
    numeric = frozenset(
        place
        for place, field in enumerate(file.schema_arrow)
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    )
    return Grid(path, "parquet", "auto", None, (tuple(names), *body), file.metadata.num_rows + 1, numeric)
