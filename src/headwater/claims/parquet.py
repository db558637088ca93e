"""Parquet files are looked into by their footer before any page is read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.claims.refusals import as_encrypted, as_format, as_size
from headwater.claims.thrift import Fields, thrift_struct
from headwater.errors import Message, Refusal

__all__ = ["guard_parquet", "parquet_batches"]

_FOOTER = 6 << 20
"""A Parquet footer takes some 100 bytes a column and row group."""
_RATIO = 64
"""Encoding comes before compression in Parquet, so that 20 times is much."""
_ROWS_A_BYTE = 64
"""Rows of a table differ by their key, so a file has not many more rows than bytes; this is generous."""
_ROWS_FREE = 1_000_000
_SLACK = 32 << 20
"""What any file may expand to, whatever its ratio."""
_COLUMNS = 16_384
_PAGES, _PAGE = 10_000, 4096
"""Writers fill pages with 20,000 rows or a megabyte; a file of small pages would be walked for ever."""
_HEADER = 1 << 16
"""A page's header holds a few numbers and the least and greatest value."""
_DICTIONARY_PAGE = 2
_DATA_PAGES = {0: (5, 2), 3: (8, 4)}
"""Kinds of data pages: where their header stands in the page's, and their encoding in it (parquet.thrift)."""
_WITH_DICTIONARY = {0, 2, 3, 8}
"""Plain, and the encodings of references into a dictionary: what Arrow reads with the dictionary kept."""
_DELTA_TEXT = 7
"""Each text as what it shares with the one before: a megabyte may stand behind every byte."""
_TEXT_RATIO = 200
"""Long names that repeat take almost nothing in Parquet; ten columns of them beside a key make some 30 times."""


def guard_parquet(path: Path, *, name: str, columns: Sequence[str]) -> None:
    """Refuse a Parquet file whose footer is broken, contradicts its pages or promises more than the file can hold.

    Parameters
    ----------
    path : the file
    name : under which it was delivered
    columns : those that will be read

    Raises
    ------
    Refusal
        ``E-FILE-FORMAT``, ``E-FILE-ENCRYPTED``, ``E-FILE-SIZE`` or ``E-COLUMN-TYPE``
    """
    size = path.stat().st_size
    _guard_footer(path, name, size)
    with _opened(path, name) as file:
        schema = file.schema_arrow
        _guard_size(file.metadata, name, size)
        for column in columns:
            if column in schema.names:
                _guard_type(schema.field(column).type, column, name)
        _dictionaries(path, file, columns, name)


def parquet_batches(path: Path, *, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Read a guarded file; text that repeats stays in dictionaries, and no more of it is given than tables have.

    Parameters
    ----------
    columns : which to read, in this order
    rows : of a batch, at most

    Raises
    ------
    Refusal
        ``E-FILE-SIZE`` or ``E-FILE-FORMAT``
    """
    budget = _TextBudget(path, name)
    with _opened(path, name) as file:
        groups = _dictionaries(path, file, columns, name)
    for group, kept in enumerate(groups):
        with _opened(path, name, kept) as file:
            try:
                for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=list(columns)):
                    ordered = batch.select(list(columns))
                    budget.take(ordered)
                    yield ordered
            except (pa.ArrowException, OSError) as error:
                raise as_format(name, "parquet", str(error)) from error


def _opened(path: Path, name: str, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, read_dictionary=list(dictionaries))
    except (pa.ArrowException, OSError) as error:
        raise as_format(name, "parquet", str(error)) from error


def _guard_footer(path: Path, name: str, size: int) -> None:
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(-min(8, size), os.SEEK_END)
        tail = stream.read(8)
    if head == b"PARE" or tail[4:] == b"PARE":
        raise as_encrypted(name)
    footer = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or footer + 12 > size:
        raise as_format(name, "parquet", "truncated")
    if footer > _FOOTER:
        raise as_size(name, "列数过多", "too many columns")


def _guard_size(metadata: pq.FileMetaData, name: str, size: int) -> None:
    if metadata.num_columns > _COLUMNS:
        raise as_size(name, f"有 {metadata.num_columns} 列", f"{metadata.num_columns} columns")
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    rows = [group.num_rows for group in groups]
    if min([metadata.num_rows, *rows]) < 0 or sum(rows) != metadata.num_rows:
        raise as_format(name, "parquet", "its footer contradicts itself")
    if metadata.num_rows > _ROWS_FREE + _ROWS_A_BYTE * size:
        raise as_size(name, f"声称有 {metadata.num_rows} 行", f"it claims {metadata.num_rows} rows")
    inflated = 0
    for group in groups:
        for place in range(metadata.num_columns):
            chunk = group.column(place)
            if chunk.num_values < 0 or chunk.total_compressed_size < 0 or chunk.total_uncompressed_size < 0:
                raise as_format(name, "parquet", "its footer contradicts itself")
            inflated += chunk.total_uncompressed_size
    if inflated > _SLACK + _RATIO * size:
        raise as_size(name, "解压后膨胀过多", "it expands far more than tables do")


def _dictionaries(path: Path, file: pq.ParquetFile, columns: Sequence[str], name: str) -> list[list[str]]:
    """Walk the pages that will be read and return the columns with a dictionary, by row group.

    The footer may tell less than the pages expand to, or another number of rows than they hold.
    """
    metadata, size = file.metadata, path.stat().st_size
    wanted = {place: of for place in range(metadata.num_columns) if (of := file.schema.column(place).path) in columns}
    left, pages = _SLACK + _RATIO * size, _PAGES + size // _PAGE
    found: list[list[str]] = []
    with path.open("rb") as stream:
        for group in range(metadata.num_row_groups):
            found.append([])
            for place, column in wanted.items():
                walk = _walk(stream, metadata.row_group(group).column(place), name)
                left, pages = left - walk.inflated, pages - walk.pages
                if left < 0 or pages < 0:
                    raise as_size(name, "解压后膨胀过多", "it expands far more than tables do")
                if walk.values != metadata.row_group(group).num_rows:
                    raise as_format(name, "parquet", "its footer contradicts its pages")
                if walk.dictionary:
                    found[-1].append(column)
                if _DELTA_TEXT in walk.encodings or (walk.dictionary and walk.encodings - _WITH_DICTIONARY):
                    raise as_format(name, "parquet", f"column {column} is in an encoding that is not read (delta)")
    return found


@dataclass
class _Walk:
    """What the pages of one column in one row group say of themselves."""

    pages: int = 0
    values: int = 0
    inflated: int = 0
    dictionary: bool = False
    encodings: set[int] = field(default_factory=set)

    def take(self, page: Fields) -> int:
        """Count a page by its header and return its length in the file."""
        kind, inflated, packed = page[1], page[2], page[3]
        if not (isinstance(kind, int) and isinstance(inflated, int) and isinstance(packed, int)):
            raise ValueError("page header")
        if min(inflated, packed) < 0:
            raise ValueError("page size")
        self.pages, self.inflated = self.pages + 1, self.inflated + inflated
        if kind == _DICTIONARY_PAGE:
            self.dictionary = True
        elif kind in _DATA_PAGES:
            of, encoding = _DATA_PAGES[kind]
            header = page[of]
            if not isinstance(header, dict):
                raise ValueError("page header")
            values, code = header[1], header[encoding]
            if not isinstance(values, int) or not isinstance(code, int) or values < 0:
                raise ValueError("page header")
            self.values += values
            self.encodings.add(code)
        return packed


def _walk(stream: IO[bytes], chunk: pq.ColumnChunkMetaData, name: str) -> _Walk:
    walk, at = _Walk(), chunk.data_page_offset
    if chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    try:
        while at < end and walk.pages <= _PAGES:
            stream.seek(at)
            page, taken = thrift_struct(stream.read(_HEADER))
            at += taken + walk.take(page)
    except (IndexError, KeyError, RecursionError, ValueError) as error:
        raise as_format(name, "parquet", f"a broken page ({error})") from error
    return walk


class _TextBudget:
    """How much text a file may still give: what repeats takes almost nothing in it, but its whole length once read."""

    def __init__(self, path: Path, name: str) -> None:
        self._left = _SLACK + _TEXT_RATIO * path.stat().st_size
        self._name = name

    def take(self, batch: pa.RecordBatch) -> None:
        for column in batch.columns:
            if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
                lengths = pc.cast(pc.binary_length(column.dictionary), pa.int64())
                self._left -= pc.sum(pc.take(lengths, column.indices)).as_py() or 0
            elif _is_text(column.type):
                self._left -= column.nbytes
        if self._left < 0:
            raise as_size(self._name, "重复的文字展开后过多", "its text is far longer than tables have")


def _is_text(kind: pa.DataType) -> bool:
    return any(is_one(kind) for is_one in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))


def _guard_type(kind: pa.DataType, column: str, name: str) -> None:
    try:
        pc.cast(pa.array([], kind.value_type if pa.types.is_dictionary(kind) else kind), pa.string())
    except pa.ArrowException as error:
        raise Refusal(
            "E-COLUMN-TYPE",
            Message(
                f"文件 {name} 的列 {column} 是 {kind} 类型，没有文本形式。",
                f"Column {column} of file {name} is of type {kind}, which has no text.",
            ),
            Message("每列只放一个数或一段文字后重报。", "Put one number or text into each cell and send it again."),
        ) from error
