"""From a table of records to a matrix of features, by constants that everyone knows beforehand."""

import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import on_grid
from headwater.types import Vector

__all__ = ["Categorical", "FeatureMap", "Features", "Numeric", "column", "numbers"]


class Features(Protocol):
    """Public features of a table: the same bits wherever they are computed.

    Its constants travel in the question, so ``to_json`` is what it costs to ask.
    """

    @property
    def dim(self) -> int:
        """Number of features, the bias included."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """One name per feature; the first is ``bias``."""
        ...

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features, multiples of 2**-14, the first of them 1; what cannot be read is refused."""
        ...

    def to_json(self) -> str:
        """Return all constants as canonical JSON."""
        ...


@dataclass(frozen=True)
class Numeric:
    """A number, standardised by public constants: ``clip((x - center) / scale)``.

    Parameters
    ----------
    center, scale : in the unit of the column; scale > 0
    clip : largest magnitude after standardising; bounds what one record can contribute
    fill : an empty cell stands at the centre; otherwise it is refused. A NaN is no empty cell and always refused
    """

    name: str
    center: float
    scale: float
    clip: float = 8.0
    fill: bool = False

    def __post_init__(self) -> None:
        if not (self.scale > 0 and self.clip > 0):
            raise ValueError(f"{self.name}: scale and clip must be above 0")


@dataclass(frozen=True)
class Categorical:
    """A code, hashed by CRC-32 into one of ``buckets`` columns of 0 and 1.

    Parameters
    ----------
    fill : an empty cell stands in no column; otherwise it is refused
    """

    name: str
    buckets: int
    fill: bool = False

    def __post_init__(self) -> None:
        if self.buckets < 1:
            raise ValueError(f"{self.name}: buckets must be at least 1")


@dataclass(frozen=True)
class FeatureMap:
    """The public recipe of a model's features; the same bits at every source, so nothing is exchanged to agree on it.

    The first column is the bias. Every feature is a multiple of 2**-14, see ``on_grid``.

    >>> map_ = FeatureMap(numeric=(Numeric("age", 60, 20),), categorical=(Categorical("sex", 2),))
    >>> map_.transform(pa.table({"age": [80.0, 40.0], "sex": ["1", "2"]}))
    array([[ 1.,  1.,  0.,  1.],
           [ 1., -1.,  0.,  1.]])
    >>> map_.names
    ('bias', 'age', 'sex#0', 'sex#1')
    """

    numeric: tuple[Numeric, ...] = ()
    categorical: tuple[Categorical, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("a column stands twice in the feature map")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that ``transform`` reads."""
        return (*(n.name for n in self.numeric), *(c.name for c in self.categorical))

    @property
    def names(self) -> tuple[str, ...]:
        """One name per feature: ``bias``, the numeric names, then ``name#bucket``."""
        hashed = (f"{c.name}#{bucket}" for c in self.categorical for bucket in range(c.buckets))
        return ("bias", *(n.name for n in self.numeric), *hashed)

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return 1 + len(self.numeric) + sum(c.buckets for c in self.categorical)

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features; a missing column, an empty cell or a number that is not finite is refused."""
        features = np.zeros((table.num_rows, self.dim))
        features[:, 0] = 1.0
        for place, numeric in enumerate(self.numeric, start=1):
            features[:, place] = _standardised(table, numeric)
        start, rows = 1 + len(self.numeric), np.arange(table.num_rows)
        for categorical in self.categorical:
            bucket = _buckets(table, categorical)
            features[rows[bucket >= 0], start + bucket[bucket >= 0]] = 1.0
            start += categorical.buckets
        return features

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        return json.dumps(asdict(self, dict_factory=_stated), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def column(table: pa.Table, name: str, *, empty: bool = False) -> pa.ChunkedArray:
    """Return one column; a missing column is refused, and so is an empty cell unless ``empty`` allows it."""
    if name not in table.column_names:
        raise Refusal(
            "E-FEATURE-COLUMN",
            Message(f"表中没有“{name}”列。", f"The table has no column {name!r}."),
            Message("请核对特征表与模型说明。", "Check the feature table against the model's specification."),
        )
    if table.column_names.count(name) > 1:
        raise _twice(name)
    values = table.column(name)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if values.null_count and not empty:
        raise Refusal(
            "E-FEATURE-EMPTY",
            Message(
                f"“{name}”列有 {values.null_count} 个空值。", f"Column {name!r} has {values.null_count} empty cells."
            ),
            Message("请在特征表中给出默认值。", "Give a default in the feature table."),
        )
    return values


def numbers(table: pa.Table, name: str, *, fill: float | None = None) -> Vector:
    """Return one column as (rows,) finite numbers, empty cells as ``fill``; anything else in it is refused."""
    values = column(table, name, empty=fill is not None)
    try:
        # Whole numbers beyond 2**53 are rounded like any other number.
        real = values.cast(pa.float64(), safe=not pa.types.is_integer(values.type))
    except pa.ArrowException as error:
        raise Refusal(
            "E-FEATURE-NUMBER",
            Message(f"“{name}”列不是数值（{values.type}）。", f"Column {name!r} holds no numbers ({values.type})."),
            Message("请把该列转换为数值，例如 0 和 1。", "Turn it into numbers, e.g. 0 and 1."),
        ) from error
    real = real if fill is None else real.fill_null(fill)
    found = np.asarray(real.to_numpy(), dtype=np.float64)
    if not np.isfinite(found).all():
        raise Refusal(
            "E-FEATURE-FINITE",
            Message(f"“{name}”列有非有限数。", f"Column {name!r} has numbers that are not finite."),
            Message("请清理该列；缺失值应为空值而不是 NaN。", "Clean it; what is missing must be empty, not NaN."),
        )
    return found


def _standardised(table: pa.Table, numeric: Numeric) -> Vector:
    values = numbers(table, numeric.name, fill=numeric.center if numeric.fill else None)
    return on_grid(np.clip((values - numeric.center) / numeric.scale, -numeric.clip, numeric.clip))


def _buckets(table: pa.Table, categorical: Categorical) -> npt.NDArray[np.int64]:
    """Return (rows,) buckets, -1 for an empty cell."""
    values = column(table, categorical.name, empty=categorical.fill)
    coded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    words = [zlib.crc32(word.encode()) % categorical.buckets for word in coded.dictionary.to_pylist()]
    places = np.asarray(coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.asarray([*words, -1], dtype=np.int64)[places]


def _twice(name: str) -> Refusal:
    return Refusal(
        "E-FEATURE-TWICE",
        Message(f"“{name}”列出现两次。", f"The column {name!r} stands twice."),
        Message("请只保留其中一列，或改名。", "Keep one of them, or rename it."),
    )


def _stated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name != "fill" or value}
