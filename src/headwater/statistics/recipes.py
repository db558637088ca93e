"""A feature map from one's own records: constants that may be told, because they are the asker's alone."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from headwater.errors import Message, Refusal
from headwater.statistics.features import Categorical, FeatureMap, Numeric, column, numbers

__all__ = ["derive"]

_MOST_BUCKETS = 32
_FEWEST_WORDS_OF_NAMES = 10

_NUMBERS = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)

_CONSTANT = Message("没有差异", "it does not vary")
_NAMES = Message("多为互不相同的文字，像是标识", "most of its texts are distinct, as those of identifiers are")
_OTHER = Message("既非数值也非文字", "it holds neither numbers nor texts")


def derive(table: pa.Table, *, columns: Sequence[str] | None = None) -> tuple[FeatureMap, Mapping[str, Message]]:
    """Return a feature map over the columns of ``table`` that can serve, and why each of the others does not.

    Numbers (decimals and booleans too) are standardised by their mean and deviation; texts and categories become hashed
    columns of 0 and 1. Empty cells are allowed everywhere: a number stands at its mean, a text in no column.
    Left out are constant columns, texts most of which are distinct, dates and nested values.

    Parameters
    ----------
    columns : to use; one of them that cannot serve is refused. None for all that can

    >>> derive(pa.table({"age": [1.0, 3.0], "sex": ["男", "女"], "same": [1, 1]}))[0].names
    ('bias', 'age', 'sex#0', 'sex#1')
    """
    numeric: list[Numeric] = []
    categorical: list[Categorical] = []
    left_out: dict[str, Message] = {}
    for name in table.column_names if columns is None else columns:
        found = _recipe(table, name)
        if isinstance(found, Numeric):
            numeric.append(found)
        elif isinstance(found, Categorical):
            categorical.append(found)
        elif columns is None:
            left_out[name] = found
        else:
            raise _useless(name, found)
    if not numeric and not categorical:
        raise _nothing(left_out)
    return FeatureMap(tuple(numeric), tuple(categorical)), left_out


def _recipe(table: pa.Table, name: str) -> Numeric | Categorical | Message:
    kind = column(table, name, empty=True).type
    if pa.types.is_dictionary(table.column(name).type):
        return _categorical(table, name)
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return _numeric(table, name)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _categorical(table, name)
    return _CONSTANT if pa.types.is_null(kind) else _OTHER


def _numeric(table: pa.Table, name: str) -> Numeric | Message:
    present = numbers(table.select([name]).filter(column(table, name, empty=True).is_valid()), name)
    spread = float(np.std(present)) if len(present) else 0.0
    if not spread > 1e-9 * max(1.0, float(np.abs(present).max(initial=0.0))):
        return _CONSTANT
    return Numeric(name, float(np.mean(present)), spread, fill=True)


def _categorical(table: pa.Table, name: str) -> Categorical | Message:
    present = column(table, name, empty=True).drop_null()
    words = present.cast(pa.string()).unique().to_pylist()
    if len(words) < 2:
        return _CONSTANT
    if len(words) > max(_FEWEST_WORDS_OF_NAMES, len(present) // 2):
        return _NAMES
    return Categorical(name, _buckets(words), fill=True)


def _buckets(words: Sequence[str]) -> int:
    """Return the smallest number of buckets that tells the words apart, within reason."""
    hashes = [zlib.crc32(word.encode()) for word in words]
    for buckets in range(len(words), min(3 * len(words), _MOST_BUCKETS) + 1):
        if len({code % buckets for code in hashes}) == len(words):
            return buckets
    return min(len(words), _MOST_BUCKETS)


def _useless(name: str, why: Message) -> Refusal:
    return Refusal(
        "E-FEATURE-USELESS",
        Message(f"“{name}”列不能作特征：{why.zh}。", f"Column {name!r} gives no feature: {why.en}."),
        Message("请去掉该列，或转换它。", "Leave it out, or convert it."),
    )


def _nothing(left_out: Mapping[str, Message]) -> Refusal:
    return Refusal(
        "E-FEATURE-NONE",
        Message(
            "没有可作特征的列。" + "".join(f"“{name}”{why.zh}。" for name, why in left_out.items()),
            " ".join(["No column gives a feature.", *(f"{name!r}: {why.en}." for name, why in left_out.items())]),
        ),
        Message("请加入数值列或分类列。", "Add columns of numbers or categories."),
    )
