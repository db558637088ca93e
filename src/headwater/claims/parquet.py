"""Parquet files are looked into by their footer before any page is read."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.claims.refusals import as_encrypted, as_format, as_size
from headwater.errors import Message, Refusal

__all__ = ["guard_parquet"]

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


def guard_parquet(path: Path, *, name: str, columns: Sequence[str]) -> None:
    """Refuse a Parquet file whose footer is broken, contradicts itself or promises more than the file can hold.

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
    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError) as error:
        raise as_format(name, "parquet", str(error)) from error
    _guard_size(metadata, name, size)
    for column in columns:
        if column in schema.names:
            _guard_type(schema.field(column).type, column, name)


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
