"""Values as a hospital writes them: its dates, its money, its words; typed columns where the format has types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.simulation.layouts import Column, Layout, words

__all__ = ["Grid", "Values", "day_text", "decimals", "fill", "render"]

Indices = npt.NDArray[np.int64]
Values = Mapping[str, "pa.Array | Indices"]
"""Field → text (national codes where coded), or whole numbers: days, minutes, fen, percent, counts."""

_EPOCH = date(1970, 1, 1)
_SERIAL_OF_EPOCH = 25_569
_MINUTES = 1440


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows of one file: the columns in delivered order and what stands in them."""

    columns: tuple[Column, ...]
    arrays: tuple[pa.Array, ...]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def index(self, field: str) -> int:
        """Return the place of the column that holds ``field``."""
        return [column.field for column in self.columns].index(field)

    def table(self) -> pa.Table:
        """Return the rows under the delivered names."""
        return pa.table(list(self.arrays), names=[column.name for column in self.columns])


def render(values: Values, columns: tuple[Column, ...], shape: Layout) -> Grid:
    """Return the columns as this hospital writes them.

    Text everywhere but in Parquet files, whose dates, times, numbers and amounts are typed.
    """
    write = _typed if shape.format == "parquet" else _text
    arrays = tuple(write(values[column.field], column.kind, shape) for column in columns)
    return Grid(columns, tuple(_plain(array) for array in arrays))


def _plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _text(value: pa.Array | Indices, kind: str, shape: Layout) -> pa.Array:
    if isinstance(value, pa.Array):
        return _worded(value, words(shape, kind))
    if kind == "time":
        return _times(value, shape)
    if kind == "date":
        return _days(value, "serial" if shape.day == "serial" else shape.day)
    if kind == "money":
        return _money(value, shape)
    if kind in ("price", "ratio"):
        return pc.cast(decimals(value), pa.string())
    return pc.cast(pa.array(value), pa.string())


def _typed(value: pa.Array | Indices, kind: str, shape: Layout) -> pa.Array:
    if isinstance(value, pa.Array):
        return _worded(value, words(shape, kind))
    if kind == "time":
        return pc.cast(pa.array(value * 60), pa.timestamp("s"))
    if kind == "date":
        return pc.cast(pa.array(value.astype(np.int32)), pa.date32())
    if kind in ("money", "price", "ratio"):
        return decimals(value)
    return pa.array(value)


def _worded(value: pa.Array, words_of: Mapping[str, str]) -> pa.Array:
    if not isinstance(value, pa.DictionaryArray):
        if not words_of:
            return value
        value = value.dictionary_encode()
    known = value.dictionary if not words_of else pa.array([words_of[code.as_py()] for code in value.dictionary])
    return known.take(value.indices)


def decimals(hundredths: Indices) -> pa.Array:
    """Return exact decimals of two places, (n,), from whole hundredths.

    >>> decimals(np.array([5, 123456])).to_pylist()
    [Decimal('0.05'), Decimal('1234.56')]
    """
    words_ = np.empty((len(hundredths), 2), dtype=np.int64)
    words_[:, 0] = hundredths
    words_[:, 1] = hundredths >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(hundredths), [None, pa.py_buffer(words_)])


def _money(fen: Indices, shape: Layout) -> pa.Array:
    if shape.money == "fen":
        return pc.cast(pa.array(fen), pa.string())
    text = pc.cast(decimals(fen), pa.string())
    if shape.money == "sign":
        return pc.binary_join_element_wise("¥", text, "")
    if shape.money == "thousands":
        while pc.any(pc.match_substring_regex(text, r"^\d{4}")).as_py():
            text = pc.replace_substring_regex(text, r"^(\d+)(\d{3})([.,])", r"\1,\2\3")
    return text


def day_text(day: date, pattern: str) -> str:
    """Write one day; ``-`` inside a pattern leaves out leading zeros.

    >>> day_text(date(2025, 3, 7), "%Y年%-m月%-d日")
    '2025年3月7日'
    """
    if pattern == "serial":
        return str((day - _EPOCH).days + _SERIAL_OF_EPOCH)
    return fill(pattern, (day.year, day.month, day.day))


def fill(pattern: str, parts: tuple[int, int, int]) -> str:
    """Put year, month and day into a pattern, possible or not."""
    year, month, day = parts
    text = pattern.replace("%Y", f"{year:04d}").replace("%-m", str(month)).replace("%m", f"{month:02d}")
    return text.replace("%-d", str(day)).replace("%d", f"{day:02d}")


def _days(days: Indices, pattern: str) -> pa.Array:
    known, place = np.unique(days, return_inverse=True)
    texts = pa.array([day_text(_EPOCH + timedelta(days=int(day)), pattern) for day in known], pa.string())
    return texts.take(pa.array(place))


def _times(minutes: Indices, shape: Layout) -> pa.Array:
    if shape.day == "serial":
        return pa.array([f"{minute / _MINUTES + _SERIAL_OF_EPOCH:.8f}" for minute in minutes], pa.string())
    day = _days(minutes // _MINUTES, shape.day)
    if not shape.clock:
        return day
    clocks = [
        shape.clock.replace("%H", f"{minute // 60:02d}").replace("%M", f"{minute % 60:02d}").replace("%S", "00")
        for minute in range(_MINUTES)
    ]
    return pc.binary_join_element_wise(day, pa.array(clocks).take(pa.array(minutes % _MINUTES)), "")
