"""Delivered bytes read a second time, by other means than loading uses, to see whether anything was lost or changed.

Loading reads with Arrow and calamine; here Python's codecs and DuckDB's parser read text, DuckDB reads Parquet and the
standard library reads workbooks. Both know only the contract. Numbers of persons become salted hashes in the same
statement that parses them, and the connection may not write to any disk: no identifier is ever written.
"""

import csv
import io
import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import join, normpath
from typing import IO, Literal
from xml.etree import ElementTree

import duckdb
import pyarrow as pa

from headwater.claims.contract import TableContract
from headwater.claims.guarding import open_bytes

__all__ = ["BLANK", "USES", "Unread", "place", "prepare", "reread"]

BLANK = ("", "NULL", "-", "--", "无", "N/A", "\\N")
"""Words that mean "empty" in every delivery."""

_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000\u00a0"
_THIN = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)) + "  "
_CHUNK = 1 << 20
_WHOLE = "regexp_replace(CAST({0} AS VARCHAR), '^(-?[0-9]+)[.]0$', '\\1')"

Use = Literal["plain", "person", "identity"]

USES: dict[str, Use] = {"person": "person", "identity": "identity"}
"""Types of fields whose text is kept as a hash only."""


class Unread(Exception):  # noqa: N818
    """A delivered file that could not be read again; the text says why, in English."""


def place(table: TableContract, column: str, use: Use = "plain") -> str:
    """Return the name that one use of a delivered column has in the relation that :func:`reread` fills."""
    return f"c{_uses(table).index((column, use))}"


def _uses(table: TableContract) -> list[tuple[str, Use]]:
    """Return every delivered column with what it is read for; persons' numbers are kept as hashes only."""
    named = [(field, rule.column) for field, rule in table.columns if rule.column is not None]
    named += [pair for slot in table.each.slots for pair in slot] if table.each is not None else []
    uses = [(column, USES.get(table.entity.field(name).type, "plain")) for name, column in named]
    uses += [(rule.only[0], "plain") for _, rule in table.columns if rule.only is not None]
    return list(dict.fromkeys(uses))


def _kept(text: str, use: Use, nulls: Sequence[str], salt: str) -> str:
    """Return the expression of a cell as it is kept."""
    if use == "plain":
        return text
    words = ", ".join("'" + word.replace("'", "''") + "'" for word in (*BLANK, *nulls))
    number = f"vf_{use}({text})"
    return f"CASE WHEN {number} NOT IN ({words}) THEN CAST(hash({number} || '{salt}') AS VARCHAR) END"


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Define ``vf_narrow``, a text with half-width characters, and how numbers of persons are made comparable."""
    wide, thin = (letters.replace("'", "''") for letters in (_WIDE, _THIN))
    for macro in (
        # The translation costs fifty times the search for something to translate.
        f"vf_narrow(t) AS CASE WHEN strlen(t) > length(t) THEN translate(t, '{wide}', '{thin}') ELSE t END",
        "vf_person(t) AS upper(regexp_replace(vf_narrow(t), '\\s', '', 'g'))",
        # A number of 15 digits and its form of 18 characters name the same person; the check character adds nothing.
        "vf_identity(t) AS CASE length(vf_person(t)) WHEN 15 THEN left(vf_person(t), 6) || '19' || "
        "substr(vf_person(t), 7) WHEN 18 THEN left(vf_person(t), 17) ELSE vf_person(t) END",
    ):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")


def reread(
    connection: duckdb.DuckDBPyConnection, path: Path, *, table: TableContract, batch: int, name: str, salt: str
) -> None:
    """Append a file's rows to ``file(batch, row_no, c0, c1 …)``, every cell as text, made if it is missing.

    Parameters
    ----------
    connection : in memory, without a folder for what does not fit, after :func:`prepare`
    path : the kept bytes
    batch : number of the file
    name : under which it was delivered
    salt : secret letters and digits, without which a hash of a number can be tied to it by trying numbers

    Raises
    ------
    Unread
        the bytes cannot be read as the contract says
    """
    columns = "".join(f", c{number} VARCHAR" for number in range(len(_uses(table))))
    connection.execute(f"CREATE TABLE IF NOT EXISTS file (batch INTEGER, row_no BIGINT{columns})")
    into = _Target(connection, table, batch, salt)
    try:
        if table.format == "parquet":
            _parquet(path, into)
        elif table.format == "xlsx":
            _workbook(path, into)
        else:
            _text(path, name, into)
    except (OSError, EOFError, ValueError, KeyError, csv.Error, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise Unread(type(error).__name__) from error
    except duckdb.Error as error:
        # Its message may quote a line of the file.
        raise Unread(type(error).__name__) from None


@dataclass(frozen=True)
class _Target:
    """Where the rows of one file go."""

    connection: duckdb.DuckDBPyConnection
    table: TableContract
    batch: int
    salt: str

    def take(self, relation: str, *, row: str, header: Sequence[str]) -> None:
        """Insert a relation whose columns ``n0, n1 …`` are texts under ``header``; ``row`` numbers its rows from 1."""
        cells = ", ".join(
            _kept(f"n{header.index(column)}", use, self.table.nulls, self.salt) for column, use in _uses(self.table)
        )
        self.connection.execute(f"INSERT INTO file SELECT {self.batch}, {row}, {cells} FROM {relation}")


def _text(path: Path, name: str, into: _Target) -> None:
    declared = into.table.encoding
    # The rule is the loader's, as it decides what the bytes mean: strict UTF-8, else GB18030.
    for encoding in ("utf-8", "gb18030") if declared == "auto" else (declared,):
        try:
            return _delimited(path, name, encoding, into)
        except UnicodeDecodeError:
            into.connection.execute(f"DELETE FROM file WHERE batch = {into.batch}")
    raise ValueError("encoding")


def _delimited(path: Path, name: str, encoding: str, into: _Target) -> None:
    delimiter = "\t" if into.table.format == "tsv" else ","
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with open_bytes(path, name=name) as raw, io.TextIOWrapper(raw, encoding=codec, newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        header = [cell.strip() for cell in [next(rows) for _ in range(into.table.header_row)][-1]]
        names = ", ".join(f"'n{number}': 'VARCHAR'" for number in range(len(header)))
        with _Piped(text) as pipe:
            # Short rows are filled up and long ones cut, so that each keeps its number; none of them was loaded.
            into.take(
                f"read_csv('{pipe.path}', auto_detect=false, header=false, columns={{{names}}}, delim='{delimiter}', "
                "quote='\"', escape='\"', nullstr='\x01', null_padding=true, strict_mode=false, parallel=false)",
                row="row_number() OVER ()",
                header=header,
            )


@dataclass
class _Piped:
    """The rest of a text as UTF-8 in a pipe, so that DuckDB meets neither encodings nor compression nor a copy."""

    text: IO[str]
    path: str = ""
    _ends: tuple[int, int] = (-1, -1)
    _fault: list[Exception] = field(default_factory=list)

    def __enter__(self) -> "_Piped":
        self._ends = os.pipe()
        self.path = f"/dev/fd/{self._ends[0]}"
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The feeder ends at the latest when nobody reads any more.
        os.close(self._ends[0])
        self._feeder.join()
        if self._fault:
            raise self._fault[0]

    def _feed(self) -> None:
        try:
            with suppress(BrokenPipeError), os.fdopen(self._ends[1], "wb") as out:
                while chunk := self.text.read(_CHUNK):
                    out.write(chunk.encode())
        except (OSError, EOFError, ValueError) as error:
            self._fault.append(error)


def _parquet(path: Path, into: _Target) -> None:
    relation = f"read_parquet('{str(path).replace(chr(39), chr(39) * 2)}', file_row_number=true)"
    columns = into.connection.execute(f"DESCRIBE FROM {relation}").fetchall()[:-1]
    names = ", ".join(f"n{number}" for number in range(len(columns)))
    # A whole number that a program wrote as a float is that number.
    texts = {"FLOAT": _WHOLE, "DOUBLE": _WHOLE}
    cells = ", ".join(
        f"{texts.get(column[1], 'CAST({0} AS VARCHAR)').format(f'n{at}')} AS n{at}" for at, column in enumerate(columns)
    )
    into.take(
        f"(SELECT row_of_file + 1 AS row_no, {cells} FROM {relation} AS t({names}, row_of_file))",
        row="row_no",
        header=[column[0] for column in columns],
    )


def _workbook(path: Path, into: _Target) -> None:
    header: list[str] = []
    kept: list[list[str]] = [[] for _ in into.table.delivered_columns]
    for number, row in _sheet_rows(path, into.table.sheet):
        if number < into.table.header_row or not any(row):
            continue
        if number == into.table.header_row:
            header = [cell.strip() for cell in row]
            places = [header.index(column) for column in into.table.delivered_columns]
            continue
        for column, at in zip(kept, places, strict=True):
            column.append(row[at] if at < len(row) else "")
    if not header:
        raise ValueError("no header")
    into.connection.register("sheet", pa.table({f"n{at}": pa.array(cells) for at, cells in enumerate(kept)}))
    into.take("sheet", row="row_number() OVER ()", header=into.table.delivered_columns)
    into.connection.unregister("sheet")


def _sheet_rows(path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of a sheet with their numbers, cells as the file writes them: dates as serial numbers."""
    with zipfile.ZipFile(path) as archive:
        parts = {name.lower(): name for name in archive.namelist()}
        shared: list[str] = []
        if "xl/sharedstrings.xml" in parts:
            with archive.open(parts["xl/sharedstrings.xml"]) as stream:
                shared = [_string(item) for item in _elements(stream, "si")]
        with archive.open(parts[_sheet_part(archive, parts, sheet).lower()]) as stream:
            last = 0
            for row in _elements(stream, "row"):
                last = int(row.get("r", last + 1))
                cells: list[str] = []
                for cell in row:
                    at = _column(cell.get("r", "")) or len(cells)
                    cells += [""] * (at - len(cells)) + [_cell(cell, shared)]
                yield last, cells


def _sheet_part(archive: zipfile.ZipFile, parts: dict[str, str], sheet: str | None) -> str:
    with archive.open(parts["xl/workbook.xml"]) as stream:
        sheets = [(item.get("name"), dict(item.attrib)) for item in _elements(stream, "sheet")]
    attributes = sheets[0][1] if sheet is None else dict(sheets)[sheet]
    mark = next(value for name, value in attributes.items() if name.endswith("}id"))
    with archive.open(parts["xl/_rels/workbook.xml.rels"]) as stream:
        targets = {item.get("Id"): item.get("Target", "") for item in _elements(stream, "Relationship")}
    target = targets[mark]
    return target[1:] if target.startswith("/") else normpath(join("xl", target))


def _elements(stream: IO[bytes], tag: str) -> Iterator[ElementTree.Element]:
    for _, element in ElementTree.iterparse(stream):
        if element.tag.rpartition("}")[2] == tag:
            yield element
            element.clear()


def _string(item: ElementTree.Element) -> str:
    """Return the text of a string, without the reading aids that may stand beside it."""
    runs = [item, *(child for child in item if child.tag.endswith("}r"))]
    return "".join(child.text or "" for run in runs for child in run if child.tag.endswith("}t"))


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(_string(child) for child in cell if child.tag.endswith("}is"))
    value = next((child.text or "" for child in cell if child.tag.endswith("}v")), "")
    if kind == "s":
        return shared[int(value)]
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    return value


def _column(reference: str) -> int:
    """Return the place of a cell in its row, from 0, by its reference.

    >>> _column("A7"), _column("AB12")
    (0, 27)
    """
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return max(number - 1, 0)
