"""The one writer of workbooks: text stays text, money is a number of two decimals, nothing is a formula or a link."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import xlsxwriter

from headwater.errors import Message

__all__ = ["Column", "Sheet", "write"]

Kind = Literal["text", "count", "money"]

_ROWS = 1_000_000
_CELL = 32_000
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
# What XML cannot hold even as an escape.
_UNWRITABLE = re.compile("[\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Column:
    """One column: its heads in both languages, its width in characters and what stands in it."""

    title: Message
    width: int
    kind: Kind = "text"


@dataclass(frozen=True)
class Sheet:
    """One sheet.

    Parameters
    ----------
    notes : lines above the table
    rows : cells in the order of the columns; str for text, int for counts, Decimal for money, None for an empty cell
    """

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[str | int | Decimal | None]]
    notes: Sequence[Message] = ()


def write(path: Path, sheets: Sequence[Sheet], *, title: str, at: datetime) -> int:
    """Write a workbook in place of an earlier one; return its number of rows.

    A sheet that has more rows than a workbook's sheet can hold goes on in the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    book = xlsxwriter.Workbook(str(part), _OPTIONS)
    book.set_properties({"title": title, "author": "headwater", "created": at.replace(tzinfo=None)})
    rows = sum(_sheet(book, sheet) for sheet in sheets)
    book.close()
    # Whoever downloads it gets the earlier workbook or this one, never half of one.
    part.replace(path)
    return rows


def _sheet(book: Any, sheet: Sheet) -> int:
    formats = _Formats(book)
    page, row, written, number = None, 0, 0, 0
    for cells in sheet.rows:
        if page is None or row >= _ROWS:
            number += 1
            page, row = _page(book, sheet, formats, number)
        for place, (cell, column) in enumerate(zip(cells, sheet.columns, strict=True)):
            _cell(page, row, place, cell, formats.of[column.kind])
        row, written = row + 1, written + 1
    if page is None:
        _page(book, sheet, formats, 1)
    return written


class _Formats:
    def __init__(self, book: Any) -> None:
        base = {"valign": "top", "font_size": 10}
        self.of = {
            # "@" keeps a cell text when somebody edits it, so that leading zeros survive.
            "text": book.add_format({**base, "num_format": "@", "text_wrap": True}),
            "count": book.add_format({**base, "num_format": "#,##0"}),
            "money": book.add_format({**base, "num_format": "#,##0.00"}),
        }
        self.head = book.add_format({**base, "bold": True, "bg_color": "#E6EDEF", "bottom": 1, "num_format": "@"})
        self.note = book.add_format({**base, "num_format": "@"})


def _page(book: Any, sheet: Sheet, formats: _Formats, number: int) -> tuple[Any, int]:
    """Begin a sheet: its notes, then its heads in both languages, which stay in sight."""
    page = book.add_worksheet(sheet.name if number == 1 else f"{sheet.name} {number}")
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width)
    row = 0
    for note in sheet.notes:
        for text in (note.zh, note.en):
            page.write_string(row, 0, text, formats.note)
            row += 1
    row += bool(sheet.notes)
    for line, language in enumerate(("zh", "en")):
        for place, column in enumerate(sheet.columns):
            page.write_string(row + line, place, getattr(column.title, language), formats.head)
    page.freeze_panes(row + 2, 0)
    return page, row + 2


def _cell(page: Any, row: int, place: int, cell: str | int | Decimal | None, style: Any) -> None:
    if cell is None or cell == "":
        return
    if isinstance(cell, str):
        page.write_string(row, place, _plain(cell), style)
    else:
        page.write_number(row, place, float(cell), style)


def _plain(text: str) -> str:
    """Return text that a workbook holds as it is; what it cannot hold becomes a visible sign."""
    return _UNWRITABLE.sub("\ufffd", text)[:_CELL]
