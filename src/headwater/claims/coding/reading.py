"""From a table as it comes to distinct rows of text, or a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import Message, Refusal

__all__ = ["FIELDS", "Indices", "Rows", "column", "distinct", "read"]

Indices = npt.NDArray[np.int64]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "spec": ("spec", "specification", "strength", "model", "pack"),
    "form": ("dosform_name", "form"),
    "maker": ("prodentp_name", "maker"),
    "licence": ("aprvno", "approval_number", "regno", "registration_number"),
    "material": ("material",),
    "unit": ("unit",),
    "generic": ("generic",),
}
"""The columns that give each field; those of one field are read one after the other."""

LONGEST = 400
"""Characters of a field that are read; a name that is longer is none."""


@dataclass(frozen=True)
class Rows:
    """Distinct rows of text.

    Parameters
    ----------
    fields : field to (d,) texts; a missing column or a null is an empty text
    place : (n,) which distinct row stands at each row of the table
    """

    fields: Mapping[str, list[str]]
    place: Indices

    def __len__(self) -> int:
        return len(self.fields["name"])


def read(table: pa.Table, fields: Sequence[str]) -> Rows:
    """Return the distinct rows of ``name`` and the given fields.

    Raises
    ------
    Refusal
        when there is no table, no column ``name``, a column twice, or one that holds no text
    """
    if not isinstance(table, pa.Table):
        raise _refused("需要 pyarrow.Table。", f"A pyarrow.Table is needed, not {type(table).__name__}.")
    if "name" not in table.column_names:
        raise _refused("缺少 name 列。", "There is no column name.")
    names = [name for field in ("name", *fields) for name in FIELDS[field] if name in table.column_names]
    columns = {name: column(table, name) for name in names}
    place, first = distinct(list(columns.values()))
    texts = {name: _texts(values.take(pa.array(first))) for name, values in columns.items()}
    return Rows({field: _joined(texts, FIELDS[field], len(first)) for field in ("name", *fields)}, place)


def column(table: pa.Table, name: str) -> pa.Array:
    """Return one column as text in one piece, nulls kept; numbers are written as text, except in names and codes."""
    if table.column_names.count(name) > 1:
        raise _refused(f"{name} 列出现多次。", f"Column {name} stands there more than once.")
    values = table.column(name)
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    text = any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
    if not (text or pa.types.is_null(kind) or (number and name not in ("name", "code"))):
        raise _refused(f"{name} 列的类型是 {kind}，应为文本。", f"Column {name} holds {kind}, not text.")
    if pa.types.is_dictionary(values.type):
        values = pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks], kind)
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_finite(values), values, None)
    return _whole(values)


def _whole(values: pa.ChunkedArray) -> pa.Array:
    # Casting to binary first: a text with a lone surrogate is not valid UTF-8, and is still only a bad name.
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.binary_view() if pa.types.is_string_view(kind) else pa.large_binary())
    else:
        values = values.cast(pa.string())
    values = values.cast(pa.large_binary())
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], pa.large_binary())


def distinct(columns: Sequence[pa.Array]) -> tuple[Indices, Indices]:
    """Return for each row its number among the distinct rows, and where each distinct row stands first."""
    place: Indices = np.zeros(len(columns[0]), dtype=np.int64)
    first: Indices = np.zeros(min(1, len(place)), dtype=np.int64)
    for values in columns:
        encoded = pc.fill_null(values, b"").dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if len(encoded.dictionary) > 1:
            _, first, place = np.unique(place * len(encoded.dictionary) + codes, return_index=True, return_inverse=True)
    return place, first


def _texts(values: pa.Array) -> list[str]:
    return [(value or b"")[: 4 * LONGEST + 4].decode("utf-8", "replace")[: LONGEST + 1] for value in values.to_pylist()]


def _joined(texts: Mapping[str, list[str]], names: Sequence[str], count: int) -> list[str]:
    given = [texts[name] for name in names if name in texts]
    if len(given) == 1:
        return given[0]
    return ["*".join(filter(None, parts)) for parts in zip(*given, strict=True)] if given else [""] * count


def _refused(zh: str, en: str) -> Refusal:
    remedy = Message("请给出含文本列 code、name 的表。", "Give a table with the text columns code and name.")
    return Refusal("E-CODING-TABLE", Message(zh, en), remedy)
