"""What a delivered file may not do to the reader: files are looked at within fixed limits before anything opens them.

Every limit is a constant with its reason. Looking is bounded: a few places of a text file, the directory of a workbook
or the footer of a Parquet file. What can only be seen while reading is refused there, by the functions below ``guard``.
"""

import codecs
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from headwater.claims.contract import TableContract
from headwater.claims.landing import HIDDEN
from headwater.claims.parquet import guard_parquet
from headwater.claims.refusals import as_archive, as_empty, as_encoding, as_format, as_size
from headwater.claims.workbooks import guard_workbook
from headwater.errors import Message, Refusal

__all__ = ["guard", "guard_place", "open_bytes", "refuse_long_cells", "refuse_misshapen", "too_misshapen"]

_NAME_BYTES = 200
"""A name may grow by a suffix on its way; file systems stop at 255 bytes."""
_HEAD = 1 << 20
"""No line of a table is longer: 16,384 columns (a spreadsheet's most) of 64 bytes."""
_COLUMNS = 16_384
_PLACES = 64
"""Places of a plain text file that are looked at; every line of 1/64 of the file's length is met."""
_CELL_BYTES = 4 * 32_767
"""A spreadsheet cell holds 32,767 characters; four bytes each."""
_MISSHAPEN = 50_000
"""More rows than this without the header's number of cells are no table; noting each costs some 8 µs of Python."""
_RATIO = 200
"""Tables shrink 5 to 30 times under gzip; its utmost is 1032."""
_SLACK = 32 << 20
"""What any file may expand to, whatever its ratio."""

_MAGIC = (
    (b"PK\x03\x04", "zip / xlsx"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"\x1f\x8b", "gzip"),
    (b"PAR1", "parquet"),
    (b"PARE", "encrypted parquet"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"%PDF", "pdf"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"SQLite format 3", "sqlite"),
    (b"\x7fELF", "program"),
)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|table|meta)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\b", re.IGNORECASE)
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def guard(path: Path, *, name: str, table: TableContract) -> None:
    """Refuse a file that would harm the reader or is plainly of another format; open nothing else before this.

    Parameters
    ----------
    path : the file
    name : under which it was delivered, relative to the inbox
    table : its contract

    Raises
    ------
    Refusal
        ``E-FILE-NAME``, ``E-FILE-KIND``, ``E-FILE-EMPTY``, ``E-FILE-FORMAT``, ``E-FILE-ENCODING``,
        ``E-FILE-ENCRYPTED``, ``E-FILE-ARCHIVE``, ``E-FILE-ENTITY``, ``E-FILE-SIZE`` or ``E-COLUMN-TYPE``
    """
    _guard_name(name)
    _guard_kind(path, name)
    try:
        if table.format in ("csv", "tsv"):
            _guard_text(path, name, table)
        elif table.format == "xlsx":
            _guard_magic(_head(path, 16), name, "xlsx", (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
            guard_workbook(path, name=name)
        else:
            _guard_magic(_head(path, 512), name, "parquet", (b"PAR1", b"PARE"))
            guard_parquet(path, name=name, columns=table.delivered_columns)
    except (OSError, EOFError, zlib.error) as error:
        raise as_format(name, table.format, str(error)) from error


def _guard_name(name: str) -> None:
    # Bytes that are no UTF-8 stand as \\udcXX in a landed name; any other backslash is a path of another system.
    plain = re.sub(r"\\udc[0-9a-f]{2}", "_", name)
    parts = plain.split("/")
    long = max(len(part.encode("utf-8", "surrogatepass")) for part in parts) > _NAME_BYTES
    if not (long or HIDDEN.search(plain) or "\\" in plain or ".." in parts or plain.startswith("/")):
        return
    shown = HIDDEN.sub("�", name)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    raise Refusal(
        "E-FILE-NAME",
        Message(
            f"文件名 {shown} 过长，或含控制字符、改变文字方向的字符或路径。",
            f"The file name {shown} is too long, or holds control or text-direction characters or a path.",
        ),
        Message(
            f"改用普通文字、不超过 {_NAME_BYTES} 字节的文件名后重报。",
            f"Rename it in plain letters, {_NAME_BYTES} bytes at most, and send it again.",
        ),
    )


def guard_place(file: Path, *, folder: Path, name: str) -> None:
    """Refuse what lies in a source's folder and is no file of it; opens nothing, so a pipe cannot make anyone wait.

    Parameters
    ----------
    file : as it was found
    folder : the source's folder; links within it are followed
    name : for the message

    Raises
    ------
    Refusal
        ``E-FILE-KIND``
    """
    try:
        inside = file.resolve(strict=True).is_relative_to(folder.resolve())
        plain = stat.S_ISREG(file.stat().st_mode)
    except (OSError, RuntimeError):
        # A link to nothing or to itself.
        inside = plain = False
    if not (inside and plain):
        raise _as_kind(name)


def _guard_kind(path: Path, name: str) -> None:
    # lstat opens nothing: opening a pipe would wait for a writer for ever.
    held = os.lstat(path)
    if not stat.S_ISREG(held.st_mode):
        raise _as_kind(name)
    if held.st_size == 0:
        raise as_empty(name)


def _as_kind(name: str) -> Refusal:
    shown = HIDDEN.sub("\ufffd", name)
    return Refusal(
        "E-FILE-KIND",
        Message(
            f"{shown} 不是本数据源目录中的普通文件，而是目录外的链接、管道或设备。",
            f"{shown} is no plain file of this source's folder but a pipe, a device or a link that leads out of it.",
        ),
        Message("放入文件本身后重报。", "Deliver the file itself."),
    )


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)


def _guard_magic(head: bytes, name: str, wanted: str, allowed: Sequence[bytes] = ()) -> None:
    """Refuse content that says itself that it is something else."""
    if head.startswith(tuple(allowed)):
        return
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if found is None and _HTML.match(head):
        found = "html"
    elif found is None and _XML.match(head):
        found = "xml"
    elif found is None and allowed:
        found = "text" if b"\0" not in head else "unknown"
    if found is not None:
        raise as_format(name, wanted, f"{found}")


def _guard_text(path: Path, name: str, table: TableContract) -> None:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    if zipped:
        _guard_ratio(path, name)
    with open_bytes(path, name=name) as stream:
        head = stream.read(_HEAD)
    if zipped and head.startswith(b"\x1f\x8b"):
        raise as_archive(name, "压缩了两次", "compressed twice")
    if head.startswith(_WIDE):
        raise as_encoding(name, "UTF-16 / UTF-32")
    _guard_magic(head[:512].removeprefix(codecs.BOM_UTF8), name, table.format)
    if b"\0" in head:
        raise as_encoding(name, f"NUL byte at {head.index(0)}")
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise as_empty(name)
    _guard_header(head, name, table)
    if not zipped:
        _guard_lines(path, name)


def _guard_ratio(path: Path, name: str) -> None:
    """Inflate only a file whose last bytes tell of a bad ratio; where they lie, ``open_bytes`` finds out in reading."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        told = int.from_bytes(stream.read(4), "little")
    if told > _SLACK + _RATIO * size:
        with open_bytes(path, name=name) as stream:
            while stream.read(_HEAD):
                pass


def _guard_header(head: bytes, name: str, table: TableContract) -> None:
    separator = b"\t" if table.format == "tsv" else b","
    lines = head.split(b"\n", table.header_row)[: table.header_row]
    columns = max(line.count(separator) for line in lines) + 1
    if columns > _COLUMNS:
        raise as_size(name, f"表头有 {columns} 列", f"{columns} columns in its header")
    if len(head) == _HEAD and b"\n" not in head:
        raise _endless(name)


def _guard_lines(path: Path, name: str) -> None:
    size = path.stat().st_size
    if size <= _HEAD:
        return
    with path.open("rb") as stream:
        for place in range(_PLACES):
            stream.seek(min(place * (size // _PLACES), size - _HEAD))
            # Lines are short, so a few bytes tell; only where they do not is the whole length read.
            if b"\n" not in stream.read(4096) and b"\n" not in stream.read(_HEAD - 4096):
                raise _endless(name)


def _endless(name: str) -> Refusal:
    return as_size(name, f"一行超过 {_HEAD} 字节", f"a line is longer than {_HEAD} bytes")


def _expands(name: str) -> Refusal:
    return as_size(name, "解压后膨胀过多", "it expands far more than tables do")


class _Lines:
    """Refuses what reading shows block by block: a line without end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self, block: bytes) -> bytes:
        if len(block) > _HEAD and b"\n" not in block:
            raise _endless(self._name)
        return block


class _Plain(io.BufferedReader):
    def __init__(self, path: Path, name: str) -> None:
        super().__init__(io.FileIO(path, "rb"))
        self._lines = _Lines(name)

    def read(self, size: int | None = -1, /) -> bytes:
        return self._lines.check(super().read(size))


class _Inflated(gzip.GzipFile):
    def __init__(self, path: Path, name: str) -> None:
        self._file = path.open("rb")
        super().__init__(fileobj=self._file, mode="rb")
        self._lines, self._shown, self._given = _Lines(name), name, 0

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        self._given += len(block)
        if self._given > _SLACK + _RATIO * self._file.tell():
            raise _expands(self._shown)
        return self._lines.check(block)

    def close(self) -> None:
        super().close()
        self._file.close()


def open_bytes(path: Path, *, name: str) -> IO[bytes]:
    """Open a text file, inflated if it is gzip; reading it refuses endless lines and more expansion than tables have.

    Raises
    ------
    Refusal
        ``E-FILE-SIZE``, from ``read``
    """
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return _Inflated(path, name) if zipped else _Plain(path, name)  # type: ignore[return-value]


def refuse_long_cells(batch: pa.RecordBatch, *, name: str) -> None:
    """Refuse a file with a cell that no field can hold; looks at the cells' offsets only.

    Raises
    ------
    Refusal
        ``E-FILE-SIZE``
    """
    for place, column in enumerate(batch.columns):
        if pa.types.is_string(column.type) and len(column):
            offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
            if int(np.diff(offsets).max()) > _CELL_BYTES:
                title = batch.schema.names[place]
                raise as_size(
                    name,
                    f"列 {title} 中有超过 {_CELL_BYTES} 字节的单元格",
                    f"a cell above {_CELL_BYTES} bytes in {title}",
                )


def too_misshapen(number: int) -> bool:
    """Tell whether ``number`` rows without the header's number of cells are more than any table has."""
    return number > _MISSHAPEN


def refuse_misshapen(number: int, *, name: str) -> None:
    """Refuse a file whose reading was stopped by :func:`too_misshapen`; the words of the parser would quote a row.

    Raises
    ------
    Refusal
        ``E-FILE-SHAPE``
    """
    if too_misshapen(number):
        raise Refusal(
            "E-FILE-SHAPE",
            Message(
                f"文件 {name} 有超过 {_MISSHAPEN} 行的列数与表头不同。",
                f"More than {_MISSHAPEN} rows of file {name} do not have the header's number of cells.",
            ),
            Message(
                "检查表头、分隔符和每行末尾的多余分隔符后重报。",
                "Check the header, the delimiter and surplus delimiters at the ends of lines, and send it again.",
            ),
        )
