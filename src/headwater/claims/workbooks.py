"""Workbooks (xlsx) are looked into before the reader opens them.

The reader (calamine) holds a sheet as one dense block from its first to its last cell and ends the process when that
block does not fit, so the extent is found first. It does hold back a part that is longer than the archive's directory
tells (seen in 0.9.1), so the directory's sizes can be relied on.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.parsers import expat

from headwater.claims.refusals import as_archive, as_encrypted, as_entity, as_format, as_size
from headwater.errors import Refusal

__all__ = ["guard_workbook"]

_PARTS = 5_000
"""Real workbooks have some 30 parts, and a few more for every sheet and picture."""
_DIRECTORY = 1 << 20
"""5,000 entries of 200 bytes."""
_SLACK = 32 << 20
"""What any part may expand to; the reader holds shared strings in two to three times their text."""
_RATIO = 64
"""Real parts expand 3 to 10 times; the utmost of deflate is 1032."""
_PROLOG = 1 << 16
"""The first element of a part comes after an XML declaration and perhaps a comment."""
_DECLARED = 1_000_000_000
"""Cells a sheet may declare: formatting of whole columns counts, the whole sheet (17 billion) is none of a table."""
_CELLS = 2_000_000
"""Cells any sheet may span, at 32 bytes each in the reader."""
_BYTES_A_CELL = 4
"""A full cell takes 20 to 40 bytes of XML; so a sheet that is five times emptier than full still passes."""
_BLOCK = 1 << 18

# What zipfile, zlib and expat raise on bytes that are no sound workbook: RuntimeError (with NotImplementedError) for a
# member that is encrypted or packed in a way that they do not know, OSError for offsets that lead nowhere.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError, struct.error),
    *(RuntimeError, EOFError, OSError, ValueError),
)
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NESTED = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")
_DIMENSION = re.compile(rb"<(?:\w+:)?dimension\s[^>]*?ref=[\"']([A-Za-z]+)(\d+):([A-Za-z]+)(\d+)[\"']")
_REST = r'"(?:/?>| t="[a-zA-Z]++"/?>| s="\d++"(?:/?>| t="[a-zA-Z]++"/?>))'
_CELL = re.compile(rf'<c r="([A-Z]{{1,3}})([1-9]\d{{0,6}}){_REST}'.encode())
_PREFIXED = re.compile(rb":c[\s/>]")


def guard_workbook(path: Path, *, name: str) -> None:
    """Refuse a workbook whose container, parts or sheets would harm the reader.

    Parameters
    ----------
    path : the file
    name : under which it was delivered

    Raises
    ------
    Refusal
        ``E-FILE-FORMAT``, ``E-FILE-ENCRYPTED``, ``E-FILE-ARCHIVE``, ``E-FILE-ENTITY`` or ``E-FILE-SIZE``
    """
    with path.open("rb") as stream:
        if stream.read(8) == _OLD:
            raise _old(path, name)
        _guard_directory(stream, name)
        try:
            with zipfile.ZipFile(stream) as archive:
                parts = archive.infolist()
                _guard_members(parts, name)
                for part in parts:
                    _guard_part(archive, part, name)
        except _UNREADABLE as error:
            raise as_format(name, "xlsx", str(error)) from error


def _old(path: Path, name: str) -> Refusal:
    with path.open("rb") as stream:
        directory = stream.read(1 << 20)
    # An encrypted workbook is an old container with a stream of this name.
    if "EncryptedPackage".encode("utf-16-le") in directory:
        return as_encrypted(name)
    return as_format(name, "xlsx", "xls (Excel 97-2003)")


def _guard_directory(stream: IO[bytes], name: str) -> None:
    """Read the end record alone: listing a million entries is what it must save us from."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 22 - 20 - 56))
    tail = stream.read()
    # Programs write no comment; a record anywhere else could be another one than the reader finds.
    if tail[-22:-18] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        raise as_format(name, "xlsx", "truncated, or with bytes after its end")
    entries, length = struct.unpack("<HI", tail[-12:-6])
    if tail[-42:-38] == b"PK\x06\x07":
        if tail[:4] != b"PK\x06\x06":
            raise as_format(name, "xlsx", "broken end record")
        entries, length = struct.unpack("<QQ", tail[32:48])
    if entries > _PARTS or length > _DIRECTORY:
        raise as_archive(
            name, f"有 {entries} 个成员，目录 {length} 字节", f"{entries} members, directory {length} bytes"
        )


def _guard_members(parts: list[zipfile.ZipInfo], name: str) -> None:
    names = [part.filename for part in parts]
    if len(names) > _PARTS or len(set(names)) < len(names):
        raise as_archive(name, "成员过多或重名", "too many members, or two of one name")
    for part in parts:
        # orig_filename still has what follows a NUL byte.
        steps = part.orig_filename.replace("\\", "/").split("/")
        outside = steps[0] == "" or ".." in steps or ":" in steps[0] or "\0" in part.orig_filename
        if outside or stat.S_ISLNK(part.external_attr >> 16):
            raise as_archive(name, "有成员指向压缩包之外", "a member points outside of it")
        if part.flag_bits & 0x1:
            raise as_encrypted(name)
        if part.file_size > _SLACK + _RATIO * part.compress_size:
            raise as_size(
                name,
                f"解压后膨胀到 {part.file_size} 字节",
                f"a part of {part.compress_size} bytes expands to {part.file_size}",
            )
    total, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if total > 2 * _SLACK + _RATIO * packed:
        raise as_size(name, f"解压后膨胀到 {total} 字节", f"its parts expand to {total} bytes")
    if "xl/workbook.xml" not in {part.filename.lower() for part in parts}:
        nested = any(part.filename.lower().endswith((".zip", ".xlsx", ".gz", ".7z", ".rar")) for part in parts)
        if nested:
            raise as_archive(name, "压缩包里还是压缩包", "an archive within an archive")
        raise as_format(name, "xlsx", "zip without a workbook")


def _guard_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> None:
    """Look into one part; all count, as the workbook may call any of them a sheet."""
    if part.is_dir() or part.file_size == 0:
        return
    with archive.open(part) as stream:
        head = stream.read(_PROLOG)
    # Embedded documents are never opened; anywhere else an archive has no place.
    if head.startswith(_NESTED) and not part.filename.startswith("xl/embeddings/"):
        raise as_archive(name, "压缩包里还是压缩包", "an archive within an archive")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        if _declares(text):
            raise as_entity(name, part.filename)
        _guard_sheet(archive, part, head, name)
        return
    with archive.open(part) as stream:
        if any(b"sheetData" in block for block in _blocks(stream)):
            raise as_archive(name, f"{part.filename} 不是 XML", f"{part.filename} is no XML")


def _declares(text: bytes) -> bool:
    """Tell whether anything but an XML declaration and comments comes before the first element."""
    place = 0
    while text.startswith((b"<?", b"<!--"), place):
        close = b"?>" if text.startswith(b"<?", place) else b"-->"
        end = text.find(close, place)
        if end < 0:
            return True
        place = end + len(close)
        while text[place : place + 1].isspace():
            place += 1
    return re.match(rb"<[^!?\s/>]", text[place : place + 2]) is None


def _guard_sheet(archive: zipfile.ZipFile, part: zipfile.ZipInfo, head: bytes, name: str) -> None:
    declared = _DIMENSION.search(head[:8192])
    if declared is not None:
        rows = int(declared[4][:12]) - int(declared[2][:12]) + 1
        columns = _column(declared[3]) - _column(declared[1]) + 1
        if rows * columns > _DECLARED:
            raise as_size(name, f"声明了 {rows} 行 {columns} 列", f"a sheet declares {rows} rows and {columns} columns")
    allowed = _CELLS + part.file_size // _BYTES_A_CELL
    with archive.open(part) as stream:
        extent = _quick_extent(_blocks(stream))
    if extent is None or extent.area > allowed:
        with archive.open(part) as stream:
            extent = _exact_extent(stream)
    if extent.area > allowed:
        raise as_size(
            name,
            f"工作表从首格到末格有 {extent.rows} 行 {extent.columns} 列，几乎都是空格",
            f"a nearly empty sheet spans {extent.rows} rows and {extent.columns} columns",
        )


@dataclass
class _Extent:
    """Upper bounds of a sheet's last row and column."""

    rows: int = 0
    columns: int = 0

    @property
    def area(self) -> int:
        return self.rows * self.columns


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Give blocks that end before a tag, so that no tag is torn."""
    kept = b""
    while block := stream.read(_BLOCK):
        cut = block.rfind(b"<")
        if cut >= 0:
            yield kept + block[:cut]
            kept = block[cut:]
        elif kept and len(kept) < 4 * _BLOCK:
            kept += block
        else:
            # Long text, or a tag longer than any; let it go, or it would be copied again and again.
            yield kept + block
            kept = b""
    yield kept


def _quick_extent(blocks: Iterator[bytes]) -> _Extent | None:
    """Bound the extent by one search for cells outside the bounds so far; None where cells are written unusually.

    Almost every program writes ``<c r="B7"``. The search then meets a cell only when it is further out than any before,
    which costs a tenth of parsing the XML.
    """
    bounds = _Bounds()
    beyond = bounds.beyond()
    for block in blocks:
        if _PREFIXED.search(block):
            return None
        place = 0
        while (found := beyond.search(block, place)) is not None:
            cell = _CELL.match(block, found.start())
            if cell is None:
                return None
            bounds.take(_column(cell[1]), int(cell[2]))
            beyond, place = bounds.beyond(), found.start()
    return bounds.extent


class _Bounds:
    """Bounds that one regular expression can tell: columns to the next eighth, rows to the first digit."""

    def __init__(self) -> None:
        self._columns, self._digits, self._first = 8, 1, 9

    @property
    def extent(self) -> _Extent:
        rows = (self._first + 1) * 10 ** (self._digits - 1) - 1
        return _Extent(rows=rows, columns=self._columns)

    def take(self, column: int, row: int) -> None:
        digits, first = len(str(row)), int(str(row)[0])
        if (digits, first) > (self._digits, self._first):
            self._digits, self._first = digits, first
        column = -(-column // 8) * 8
        self._columns = max(self._columns, column if column <= 26 * 27 else 26**3 + 26**2 + 26)

    def beyond(self) -> re.Pattern[bytes]:
        columns = _up_to(self._columns)
        rows = rf"[1-{self._first}]\d{{{self._digits - 1}}}"
        rows += rf"|[1-9]\d{{0,{self._digits - 2}}}+" if self._digits > 1 else ""
        return re.compile(rf'<c(?! r="(?:{columns})(?:{rows}){_REST})(?=[\s/>])'.encode())


def _exact_extent(stream: IO[bytes]) -> _Extent:
    """Parse the sheet as the reader does: empty cells do not count, one without a reference follows the one before."""
    extent = _Extent()
    row, column = 0, 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column
        tag = tag.rpartition(":")[2]
        if tag == "row":
            row, column = int(attributes.get("r", row + 1)), 0
        elif tag == "c":
            row, column = _place(attributes["r"]) if "r" in attributes else (row, column + 1)
        elif tag in ("v", "is", "f"):
            extent.rows, extent.columns = max(extent.rows, row), max(extent.columns, column)

    # The reader takes every part for UTF-8, whatever it declares.
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.ParseFile(stream)
    return extent


def _place(reference: str) -> tuple[int, int]:
    # The reader lets longer numbers overflow.
    found = re.fullmatch(r"([A-Za-z]{1,3})(\d{1,7})", reference, re.ASCII)
    if found is None:
        raise ValueError(f"cell {reference[:40]!r}")
    return int(found[2]), _column(found[1].encode())


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:8]:
        number = number * 26 + letter - 64
    return number


def _up_to(columns: int) -> str:
    """Return a regular expression for the letters of the first ``columns`` columns."""
    if columns <= 26:
        return f"[A-{chr(64 + columns)}]"
    if columns > 26 * 27:
        return "[A-Z]{1,3}"
    first, last = divmod(columns - 1, 26)
    before = f"[A-{chr(63 + first)}][A-Z]|" if first > 1 else ""
    return f"[A-Z]|{before}{chr(64 + first)}[A-{chr(65 + last)}]"
