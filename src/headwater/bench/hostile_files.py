"""Hostile deliveries, made to order: every class of file that would harm a careless reader.

All of them are synthetic and are written into a scratch folder only. Their headers are those of the contract in
``hostile``, so that nothing but the harm itself can be the reason for a refusal.
"""

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["CLASSES", "Hostile"]

_MB = 1 << 20
_WORKBOOK = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" '
    'Target="sharedStrings.xml"/></Relationships>',
}
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_MAIN = '<{} xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


Writer = Callable[[Path, Random], None]


@dataclass(frozen=True)
class Hostile:
    """One class.

    Parameters
    ----------
    format : of the contract under which it is delivered
    codes : with one of which it has to be refused
    write : writes it under a given path
    title : the file's name, where the name is the harm
    quick : whether it is cheap enough for the small size of the bench
    """

    format: str
    codes: tuple[str, ...]
    write: Writer
    title: str | None = None
    quick: bool = False


def _bytes(content: bytes | Callable[[Random], bytes]) -> Writer:
    return lambda path, rng: _put(path, content(rng) if callable(content) else content)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sheet(rows: str, *, before: str = "") -> str:
    return f"{_MAIN.format('worksheet')}{before}<sheetData>{rows}</sheetData></worksheet>"


def _row(number: int, *cells: tuple[str, str]) -> str:
    written = "".join(f'<c r="{at}" t="inlineStr"><is><t>{escape(text)}</t></is></c>' for at, text in cells)
    return f'<row r="{number}">{written}</row>'


_ROWS = _row(1, ("A1", "c"), ("B1", "n")) + _row(2, ("A2", "1"), ("B2", "a"))
_NO_STRINGS = _MAIN.format("sst") + "</sst>"


def _book(*, sheet: str | None = None, strings: str = _NO_STRINGS, **more: str) -> Writer:
    """Return the writer of a workbook that is whole but for the parts given."""
    parts = {**_WORKBOOK, _SHEET: _sheet(_ROWS) if sheet is None else sheet, _STRINGS: strings}
    return lambda path, rng: _zip(path, parts | more)


def _zip(path: Path, parts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _with_member(name: str) -> Writer:
    return _book(**{name: "escaped"})


def _with_link(path: Path, rng: Random) -> None:
    _book()(path, rng)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("xl/link")
        link.external_attr, link.create_system = 0o120777 << 16, 3
        archive.writestr(link, "/etc/passwd")


def _deflated(start: bytes, block: bytes, times: int, end: bytes) -> tuple[bytes, int, int]:
    """Return a raw deflate stream of a repeated block, its CRC and its length, at the cost of one block."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(end) + packer.flush()
    crc = zlib.crc32(start)
    for _ in range(times):
        crc = zlib.crc32(block, crc)
    length = len(start) + len(block) * times + len(end)
    return first + middle * times + last, zlib.crc32(end, crc), length


def _bomb(part: str, texts: tuple[str, str, str], megabytes: int, *, told: int | None = None) -> Writer:
    """Return the writer of a workbook one part of which expands a thousandfold; ``told`` is the size it admits to.

    Parameters
    ----------
    texts : how the part begins, what it repeats, how it ends
    """

    def write(path: Path, rng: Random) -> None:
        start, block, end = (text.encode() for text in texts)
        packed, crc, length = _deflated(start, block * (_MB // len(block)), megabytes, end)
        plain = {**_WORKBOOK, _SHEET: _sheet(_ROWS), _STRINGS: _NO_STRINGS}
        members = [_stored(name.encode(), text.encode()) for name, text in plain.items() if name != part]
        members.append((part.encode(), packed, crc, length if told is None else told, 8))
        _put(path, _archive(members))

    return write


def _stored(name: bytes, content: bytes) -> tuple[bytes, bytes, int, int, int]:
    return name, content, zlib.crc32(content), len(content), 0


def _archive(members: Iterable[tuple[bytes, bytes, int, int, int]]) -> bytes:
    """Write a zip by hand: members with contents, sizes and checksums that may be lies."""
    body, directory, at = [], [], 0
    for name, packed, crc, length, method in members:
        fields = (20, 0, method, 0, 0x21, crc, len(packed), length, len(name))
        local = struct.pack("<IHHHHHIIIHH", 0x04034B50, *fields, 0) + name + packed
        directory.append(struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, *fields, 0, 0, 0, 0, 0, at) + name)
        body.append(local)
        at += len(local)
    listed, count = b"".join(directory), len(body)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(listed), at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + len(listed), 1)
    short = min(count, 0xFFFF)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, len(listed), at, 0)
    return b"".join(body) + listed + (record + locator if count > 0xFFFE else b"") + end


def _many_members(path: Path, rng: Random) -> None:
    _put(path, _archive((b"%07d" % number, b"", 0, 0, 0) for number in range(1_000_000)))


def _nested(path: Path, rng: Random) -> None:
    content = bytes(8 * _MB)
    for level in range(4):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16 if level else 1):
                archive.writestr(f"{number}.zip" if level else "0", content)
        content = held.getvalue()
    _put(path, content)


def _encrypted(path: Path, rng: Random) -> None:
    _put(path, _OLD + bytes(1016) + "EncryptedPackage".encode("utf-16-le") + bytes(2000) + rng.randbytes(4096))


def _gzip(start: bytes, block: bytes, megabytes: int) -> bytes:
    packed, crc, length = _deflated(start, block * (_MB // len(block)), megabytes, b"")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + packed + struct.pack("<II", crc, length & 0xFFFFFFFF)


def _lines(rng: Random, number: int) -> bytes:
    return b"c,n\n" + b"".join(b"%d,%x\n" % (row, rng.getrandbits(64)) for row in range(number))


def _table(rows: int) -> pa.Table:
    return pa.table({"c": pa.array(np.arange(rows)).cast(pa.string()), "n": pa.array(["a"] * rows)})


def _parquet(path: Path, rows: int, **options: object) -> bytes:
    pq.write_table(_table(rows), path, **options)
    return path.read_bytes()


def _cut_parquet(path: Path, rng: Random) -> None:
    whole = _parquet(path, 50_000)
    _put(path, whole[: len(whole) // 2])


def _long_footer(path: Path, rng: Random) -> None:
    _put(path, _parquet(path, 1000)[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


def _varint(number: int) -> bytes:
    number, written = number * 2, bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _told_rows(told: int, *, everywhere: bool) -> Writer:
    """Return the writer of a file whose footer tells another number of rows, at one place or all of them."""

    def write(path: Path, rng: Random) -> None:
        _parquet(path, 123_457, write_statistics=False)
        _mend_footer(path, _varint(123_457), _varint(told), -1 if everywhere else 1)

    return write


def _many_columns(path: Path, rng: Random) -> None:
    table = pa.table({"c": ["1"], "n": ["a"], **{f"x{number}": [1] for number in range(100_000)}})
    pq.write_table(table, path, compression="none", write_statistics=False, store_schema=False, use_dictionary=False)


def _wide_cell(path: Path, rng: Random, told: int | None = None) -> None:
    table = pa.table({"c": ["x" * (400 * _MB)], "n": ["a"]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    if told is not None:
        real = pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size
        _mend_footer(path, _varint(real), _varint(told), -1)


def _mend_footer(path: Path, old: bytes, new: bytes, times: int) -> None:
    whole = path.read_bytes()
    at = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    footer = whole[at:-8].replace(old, new, times)
    _put(path, whole[:at] + footer + struct.pack("<I", len(footer)) + b"PAR1")


def _repeated(path: Path, rng: Random) -> None:
    rows = 1_000_000
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"c": text, "n": pa.array(["a"] * rows)}), path, store_schema=False)


def _held(kind: pa.DataType, value: object) -> Writer:
    return lambda path, rng: pq.write_table(pa.table({"c": pa.array([value], kind), "n": ["a"]}), path)


def _link(target: str) -> Writer:
    return lambda path, rng: path.symlink_to(target)


def _laughs() -> str:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE sst [<!ENTITY l0 "ha">{levels}]>{_MAIN.format("sst")}<si><t>&l9;</t></si></sst>'


_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = b"<html><table><tr><td>c</td><td>n</td></tr></table></html>"
_WIDE = b"c,n," + b",".join(b"x%d" % number for number in range(100_000)) + b"\n" + b"1," * 100_001 + b"1\n"
_ENTITY = '<!DOCTYPE worksheet [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + _sheet(_ROWS)
_DECLARED = _sheet(_ROWS, before='<dimension ref="A1:XFD1048576"/>')
_CORNER = _sheet(_ROWS + _row(1_048_576, ("XFD1048576", "z")))
_APART = "".join(_row(row, (f"A{row}", "z")) for row in range(50_000, 1_000_000, 50_000))
_UNNAMED = "<row>" + "<c><v>1</v></c>" * 10_000 + "</row>" + "<row><c><v>1</v></c></row>" * 50_000
_EMPTY_ROWS = (_MAIN.format("worksheet") + "<sheetData>", "<row></row>", "</sheetData></worksheet>")
_MANY_STRINGS = (_MAIN.format("sst"), "<si><t>a</t></si>", "</sst>")
_BREAKS = b"xxxxxxx\n" * (_MB // 8)

_ARCHIVE, _COLUMN, _EMPTY, _ENCODING = "E-FILE-ARCHIVE", "E-COLUMN-TYPE", "E-FILE-EMPTY", "E-FILE-ENCODING"
_FORMAT, _KIND, _NAME, _SIZE = "E-FILE-FORMAT", "E-FILE-KIND", "E-FILE-NAME", "E-FILE-SIZE"


def _xlsx(code: str, write: Writer, *, quick: bool = False) -> Hostile:
    return Hostile("xlsx", (code,), write, quick=quick)


def _csv(
    code: str, content: bytes | Callable[[Random], bytes], title: str | None = None, *, quick: bool = False
) -> Hostile:
    return Hostile("csv", (code,), _bytes(content), title, quick)


def _parquets(code: str, write: Writer, *, quick: bool = False) -> Hostile:
    return Hostile("parquet", (code,), write, quick=quick)


CLASSES: dict[str, Hostile] = {
    "zip bomb, flat": _xlsx(_SIZE, _bomb(_SHEET, _EMPTY_ROWS, 1024), quick=True),
    "zip bomb, nested": _xlsx(_ARCHIVE, _nested, quick=True),
    "zip bomb that denies its size": _xlsx(_FORMAT, _bomb(_SHEET, _EMPTY_ROWS, 1024, told=9000)),
    "zip slip": _xlsx(_ARCHIVE, _with_member("../../../hostile-escaped.txt"), quick=True),
    "zip with an absolute name": _xlsx(_ARCHIVE, _with_member("/tmp/hostile-escaped.txt"), quick=True),  # noqa: S108
    "zip with a Windows path": _xlsx(_ARCHIVE, _with_member("..\\..\\hostile-escaped.txt")),
    "zip with a link": _xlsx(_ARCHIVE, _with_link),
    "zip of a million members": _xlsx(_ARCHIVE, _many_members),
    "XML entities, billion laughs": _xlsx("E-FILE-ENTITY", _book(strings=_laughs()), quick=True),
    "XML entities, external": _xlsx("E-FILE-ENTITY", _book(sheet=_ENTITY)),
    "sheet that declares 17 billion cells": _xlsx(_SIZE, _book(sheet=_DECLARED)),
    "sheet with a cell in the last corner": _xlsx(_SIZE, _book(sheet=_CORNER), quick=True),
    "sheet with rows far apart": _xlsx(
        _SIZE, _book(sheet=_sheet(_ROWS + _APART + _row(1_000_001, ("ZZ1000001", "z"))))
    ),
    "sheet of cells without references": _xlsx(_SIZE, _book(sheet=_sheet(_ROWS + _UNNAMED))),
    "shared strings bomb": _xlsx(_SIZE, _bomb(_STRINGS, _MANY_STRINGS, 600), quick=True),
    "encrypted workbook": _xlsx("E-FILE-ENCRYPTED", _encrypted, quick=True),
    "xls named xlsx": _xlsx(_FORMAT, _bytes(lambda rng: _OLD + rng.randbytes(9000))),
    "html named xlsx": _xlsx(_FORMAT, _bytes(_HTML)),
    "csv named xlsx": _xlsx(_FORMAT, _bytes(b"c,n\n1,a\n")),
    "csv cell of 50 MB, quoted": _csv(_SIZE, lambda rng: b'c,n\n1,"' + b"x" * (50 * _MB) + b'"\n'),
    "csv cell of 50 MB, unquoted": _csv(_SIZE, lambda rng: b"c,n\n1," + b"x" * (50 * _MB) + b"\n", quick=True),
    "csv cell of 50 MB with line breaks": _csv(_FORMAT, lambda rng: b'c,n\n1,"' + _BREAKS * 50 + b'"\n'),
    "csv cell of 5 MB with line breaks": _csv(_SIZE, lambda rng: b'c,n\n1,"' + _BREAKS * 5 + b'"\n'),
    "csv of 100,000 columns": _csv(_SIZE, _WIDE),
    "csv of one endless line": _csv(_SIZE, lambda rng: b"c,n," * (50 * _MB)),
    "csv of misshapen rows": _csv("E-FILE-SHAPE", lambda rng: b"c,n\n" + b"1\n" * (20 * _MB), quick=True),
    "NUL bytes": _csv(_ENCODING, b"c,n\n" + b"1,a\0\n" * 1000),
    "NUL bytes far inside": _csv(_ENCODING, lambda rng: _lines(rng, 200_000) + b"1,a\0\n"),
    "UTF-16": _csv(_ENCODING, "c,n\n1,药\n".encode("utf-16"), quick=True),
    "empty": _csv(_EMPTY, b"", quick=True),
    "nothing but a byte order mark": _csv(_EMPTY, b"\xef\xbb\xbf"),
    "gzip bomb": _csv(_SIZE, lambda rng: _gzip(b"c,n\n", b"1,a\n", 2048), quick=True),
    "gzip bomb that denies its size": _csv(
        _SIZE, lambda rng: _gzip(b"c,n\n", b"1,a\n", 2048) + gzip.compress(b"1,a\n")
    ),
    "gzip within gzip": _csv(_ARCHIVE, lambda rng: gzip.compress(_gzip(b"c,n\n", b"1,a\n", 512))),
    "gzip cut short": _csv(_FORMAT, lambda rng: gzip.compress(_lines(rng, 200_000), 1)[:-900_000]),
    "png named csv": _csv(_FORMAT, lambda rng: b"\x89PNG\r\n\x1a\n" + rng.randbytes(4000)),
    "xlsx named csv": Hostile("csv", (_FORMAT,), _book(), quick=True),
    "parquet named csv": Hostile("csv", (_FORMAT,), lambda path, rng: pq.write_table(_table(1000), path)),
    "csv named parquet": _parquets(_FORMAT, _bytes(b"c,n\n1,a\n")),
    "parquet cut short": _parquets(_FORMAT, _cut_parquet, quick=True),
    "parquet with a footer beyond its start": _parquets(_FORMAT, _long_footer),
    "parquet that contradicts itself": _parquets(_FORMAT, _told_rows(2_000_000, everywhere=False)),
    "parquet that claims 10^12 rows": _parquets(_SIZE, _told_rows(10**12, everywhere=True), quick=True),
    "parquet that claims some rows more": _parquets(_FORMAT, _told_rows(800_000, everywhere=True)),
    "parquet that claims some rows less": _parquets(_FORMAT, _told_rows(100, everywhere=True)),
    "parquet of 100,000 columns": _parquets(_SIZE, _many_columns),
    "parquet cell of 400 MB": _parquets(_SIZE, _wide_cell),
    "parquet cell of 400 MB that denies its size": _parquets(_SIZE, lambda path, rng: _wide_cell(path, rng, told=1000)),
    "parquet text of 100 GB by repeating": _parquets(_SIZE, _repeated, quick=True),
    "parquet with a list": _parquets(_COLUMN, _held(pa.list_(pa.string()), ["1"]), quick=True),
    "parquet with a struct": _parquets(_COLUMN, _held(pa.struct({"a": pa.int64()}), {"a": 1})),
    "name with control characters": _csv(_NAME, b"c,n\n1,a\n", "f\x1b[31m\x07.csv", quick=True),
    "name with a line break": _csv(_NAME, b"c,n\n1,b\n", "f\nINFO loaded.csv"),
    "name of 255 bytes": _csv(_NAME, b"c,n\n1,c\n", "药" * 83 + "ab.csv"),
    "name that reverses text": _csv(_NAME, b"c,n\n1,d\n", "f\u202evsc.exe.csv"),
    "name with a path of another system": _csv(_NAME, b"c,n\n1,e\n", "..\\..\\f.csv"),
    "pipe": Hostile("csv", (_KIND,), lambda path, rng: os.mkfifo(path), quick=True),
    "link out of the folder": Hostile("csv", (_KIND,), _link("/etc/hostname")),
    "link to a device": Hostile("csv", (_KIND,), _link("/dev/zero"), quick=True),
    "link to itself": Hostile("csv", (_KIND,), lambda path, rng: path.symlink_to(path.name)),
}
"""Every class by what it is."""
