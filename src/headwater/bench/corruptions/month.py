"""One hospital's month as sheets of text, to be spoiled and written again the way the hospital writes."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from headwater.claims.contract import Contract, TableContract

__all__ = ["Month", "Sheet", "day", "number", "numeric", "times"]

_STYLES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S"),
    (r"\d{4}-\d\d-\d\d", "%Y-%m-%d"),
    (r"\d{14}", "%Y%m%d%H%M%S"),
    (r"\d{8}", "%Y%m%d"),
)


@dataclass
class Sheet:
    """One delimited file.

    Parameters
    ----------
    places : canonical field → column; slots of diagnoses and operations are ``diag_code:1`` and so on
    encoding : codec it is written in
    spoil : changes of the finished bytes
    """

    file: str
    header: list[str]
    rows: list[list[str]]
    places: dict[str, int]
    encoding: str
    delimiter: str
    spoil: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, contract: Contract) -> "Sheet":
        """Read a file whose header is its first line."""
        content = path.read_bytes()
        encoding = _encoding(content)
        mine = [table for table in contract.tables if path.match(table.files)]
        delimiter = "\t" if mine[0].format == "tsv" else ","
        lines = list(csv.reader(io.StringIO(content.decode(encoding)), delimiter=delimiter))
        header = lines[0]
        rows = [line for line in lines[1:] if len(line) == len(header)]
        return cls(path.name, header, rows, _places(mine, header), encoding, delimiter)

    def bytes(self) -> bytes:
        """Return the file as it would be delivered."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        content = out.getvalue().encode(self.encoding, "replace")
        for change in self.spoil:
            content = change(content)
        return content

    def copy(self, file: str | None = None) -> "Sheet":
        """Return the same rows, to be changed freely, perhaps under another name."""
        rows = [list(row) for row in self.rows]
        return Sheet(file or self.file, list(self.header), rows, dict(self.places), self.encoding, self.delimiter)

    def get(self, name: str) -> list[str]:
        """Return the cells of a field."""
        return [row[self.places[name]] for row in self.rows]

    def some(self, rng: np.random.Generator, share: float) -> list[list[str]]:
        """Return a random share of the rows, at least one."""
        count = max(1, round(share * len(self.rows)))
        return [self.rows[place] for place in sorted(rng.permutation(len(self.rows))[:count])]

    def change(self, name: str, how: Callable[[str], str], rows: Sequence[list[str]] | None = None) -> int:
        """Change the filled cells of a field in some rows, or in all."""
        place, changed = self.places[name], 0
        for row in self.rows if rows is None else rows:
            if row[place]:
                after = how(row[place])
                changed += after != row[place]
                row[place] = after
        return changed

    def keep(self, wanted: Callable[[list[str]], bool]) -> int:
        """Keep the rows that are wanted and return how many left."""
        before = len(self.rows)
        self.rows = [row for row in self.rows if wanted(row)]
        return before - len(self.rows)


@dataclass
class Month:
    """What one hospital delivers for one month, with its catalogues and what it delivered the month before.

    Parameters
    ----------
    sheets : ``front_page``, ``fee_line``, ``drug``, ``consumable``, ``service_item``, and ``diagnosis`` and
        ``operation`` where they have files of their own
    before : the same of the month before
    sent : names of the sheets that are delivered now; catalogues only when a corruption touches them
    """

    source: str
    sheets: dict[str, Sheet]
    before: dict[str, Sheet]
    sent: set[str]
    more: list[Sheet] = field(default_factory=list)

    @property
    def front(self) -> Sheet:
        """Front pages."""
        return self.sheets["front_page"]

    @property
    def lines(self) -> Sheet:
        """Fee lines."""
        return self.sheets["fee_line"]

    def files(self) -> list[Sheet]:
        """Return everything that is delivered now."""
        return [sheet for name, sheet in self.sheets.items() if name in self.sent] + self.more

    def drop_stays(self, gone: set[str]) -> int:
        """Remove stays from every table, as if they had never been."""
        left = 0
        for name in ("front_page", "diagnosis", "operation", "fee_line"):
            if name in self.sheets:
                sheet = self.sheets[name]
                place = sheet.places["mdtrt_id"]
                left += sheet.keep(lambda row, place=place: row[place] not in gone)  # type: ignore[misc]
        return left


def _encoding(content: bytes) -> str:
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _places(tables: Sequence[TableContract], header: list[str]) -> dict[str, int]:
    places = {}
    for table in tables:
        for name, rule in table.columns:
            if rule.column is not None and name not in places:
                places[name] = header.index(rule.column)
        for slot, fields in enumerate(table.each.slots if table.each else ()):
            places |= {f"{name}:{slot}": header.index(column) for name, column in fields}
    return places


def day(change: Callable[[datetime], datetime]) -> Callable[[str], str]:
    """Return a change of a date or time that keeps its way of writing."""

    def changed(text: str) -> str:
        for pattern, style in _STYLES:
            if re.fullmatch(pattern, text):
                try:
                    return change(datetime.strptime(text, style)).strftime(style)
                except ValueError:
                    return text
        return text

    return changed


def times(factor: str) -> Callable[[str], str]:
    """Return a multiplication of an amount that keeps two decimals."""

    def changed(text: str) -> str:
        try:
            return f"{Decimal(text) * Decimal(factor):.2f}"
        except ArithmeticError:
            return text

    return changed


def number(text: str) -> float:
    """Return the number in a cell, or NaN where the hospital's own dirt stands."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def numeric(change: Callable[[float], str]) -> Callable[[str], str]:
    """Return a change of cells that hold a number; others stay."""
    return lambda text: text if number(text) != number(text) else change(number(text))
