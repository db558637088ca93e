"""A table of stays becomes arrays: codes as numbers, numbers as floats, whatever the column types."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.grouping.codebook import BLANK, Codebook, Numbers, Spelled
from headwater.errors import Message, Refusal
from headwater.types import Vector

__all__ = ["COLUMNS", "Coded", "Stays", "checked_table", "is_list", "is_text", "read_stays"]

COLUMNS: Mapping[str, str] = {
    "SEX": "gend",
    "AGE_Y": "age",
    "AGE_DAYS": "age_days",
    "BIRTH_WT_G": "weight",
    "LOS_DAYS": "ipt_days",
    "DSCG_WAY": "dscg_way",
}
"""The column of the stays in which each number of a rule stands."""

_SHOWN = 20
_WORDS = {"男": 1.0, "女": 2.0, "m": 1.0, "f": 2.0, "male": 1.0, "female": 2.0, "男性": 1.0, "女性": 2.0}


@dataclass(frozen=True, eq=False)
class Coded:
    """The codes of one kind of n stays, blanks left out.

    Parameters
    ----------
    spelled : distinct texts and what they are read as
    text : (m,) place of each code in ``spelled``
    offsets : (n + 1,) where the codes of each stay begin
    headless : (n,) whether the first of the stay's codes is missing or blank
    """

    spelled: Spelled
    text: Numbers
    offsets: npt.NDArray[np.int64]
    headless: npt.NDArray[np.bool_]

    def slice(self, start: int, stop: int) -> "Coded":
        """Return the codes of some stays."""
        first, last = self.offsets[start], self.offsets[stop]
        return Coded(
            self.spelled, self.text[first:last], self.offsets[start : stop + 1] - first, self.headless[start:stop]
        )


@dataclass(frozen=True, eq=False)
class Stays:
    """n stays as arrays.

    Parameters
    ----------
    diagnoses, operations : their codes
    numbers : name in rules to (n,) value, NaN where it is missing or impossible
    """

    diagnoses: Coded
    operations: Coded
    numbers: Mapping[str, Vector]

    def __len__(self) -> int:
        return len(self.diagnoses.headless)

    def slice(self, start: int, stop: int) -> "Stays":
        """Return some stays."""
        numbers = {name: values[start:stop] for name, values in self.numbers.items()}
        return Stays(self.diagnoses.slice(start, stop), self.operations.slice(start, stop), numbers)


def read_stays(table: pa.Table, diagnoses: Codebook, operations: Codebook) -> Stays:
    """Read a table of stays.

    Raises
    ------
    Refusal
        ``E-GROUP-TABLE`` for what is no table, lacks a column of codes, or has a column twice or of a wrong type.
    """
    table = checked_table(table, ("diagnoses", "operations"), COLUMNS.values())
    numbers = {}
    for fact, name in COLUMNS.items():
        there = name in table.column_names
        numbers[fact] = _numbers(name, table[name]) if there else np.full(len(table), np.nan)
    _drop_impossible(numbers)
    return Stays(
        _coded("diagnoses", table["diagnoses"], diagnoses),
        _coded("operations", table["operations"], operations),
        numbers,
    )


def _drop_impossible(numbers: Mapping[str, Vector]) -> None:
    """Forget values that no stay can have, so that a missing weight written as 0 makes nobody a premature child."""
    for fact, values in numbers.items():
        least = np.nextafter(0, 1) if fact == "BIRTH_WT_G" else 0
        values[~(np.isfinite(values) & (values >= least))] = np.nan
    numbers["SEX"][~np.isin(numbers["SEX"], (1, 2))] = np.nan


def checked_table(table: object, needed: Iterable[str], welcome: Iterable[str] = ()) -> pa.Table:
    """Return what was handed in as a table that has each needed column, and none of them or of the welcome ones twice.

    Raises
    ------
    Refusal
        ``E-GROUP-TABLE``
    """
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    if not isinstance(table, pa.Table):
        raise _refusal(
            Message("得到的是 {found}，不是表。", "This is a {found}, no table."),
            Message("请用 pyarrow.Table.from_pandas 等转成表。", "Make it one, as by pyarrow.Table.from_pandas."),
            found=type(table).__name__,
        )
    columns, needed = table.column_names, tuple(needed)
    missing = [name for name in needed if name not in columns]
    if missing:
        raise _refusal(
            Message("表中没有列 {name}；现有列：{columns}。", "The table has no column {name}; it has {columns}."),
            Message("请补上该列，名称须一致。", "Supply the column under this very name."),
            name=missing[0],
            columns=", ".join(columns[:_SHOWN]) + ("…" if len(columns) > _SHOWN else "") or "∅",
        )
    for name in (*needed, *welcome):
        if columns.count(name) > 1:
            raise _refusal(
                Message("表中有 {count} 个名为 {name} 的列。", "The table has {count} columns named {name}."),
                Message("请只保留一个。", "Keep one of them."),
                name=name,
                count=columns.count(name),
            )
    return table


def _refusal(reason: Message, remedy: Message, **values: object) -> Refusal:
    return Refusal("E-GROUP-TABLE", reason.format(**values), remedy)


def _wrong(name: str, found: str, wanted: str) -> Refusal:
    reason = Message(
        "列 {name} 的类型是 {found}，应为 {wanted}。", "Column {name} is {found}, where {wanted} is needed."
    )
    remedy = Message("请转换该列后再分组。", "Convert the column before grouping.")
    return _refusal(reason, remedy, name=name, found=found, wanted=wanted)


def is_list(type_: pa.DataType) -> bool:
    """Tell whether a type is one of lists, of whatever layout."""
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(type_) for test in (*tests, pa.types.is_list_view, pa.types.is_large_list_view))


def is_text(type_: pa.DataType) -> bool:
    """Tell whether a type is one of text, of nothing, or of a dictionary of these."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(test(type_) for test in tests)


def _coded(name: str, column: pa.ChunkedArray, codebook: Codebook) -> Coded:
    type_ = column.type
    if pa.types.is_null(type_):
        column, type_ = column.cast(pa.list_(pa.string())), pa.list_(pa.string())
    if not is_list(type_) or not is_text(type_.value_type):
        raise _wrong(name, str(type_), "list<string>")
    lengths = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    texts, values = _distinct(pa.chunked_array([_flat(chunk) for chunk in column.chunks], type_.value_type))
    spelled = codebook.read(values)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    headless = lengths == 0
    blank = spelled.how[texts] == BLANK if len(values) else np.zeros(0, bool)
    if blank.any():
        headless[~headless] = blank[offsets[:-1][~headless]]
        kept = np.concatenate(([0], np.cumsum(~blank)))
        texts, offsets = texts[~blank], kept[offsets]
    return Coded(spelled, texts, offsets, headless)


def _flat(chunk: pa.Array) -> pa.Array:
    """Return the elements of the lists that are there."""
    if pa.types.is_fixed_size_list(chunk.type):
        chunk = chunk.cast(pa.list_(chunk.type.value_type))
    return pc.list_flatten(chunk)


def _distinct(flat: pa.ChunkedArray) -> tuple[Numbers, pa.StringArray]:
    """Return the place of each text among the distinct ones, null read as empty, and these."""
    if pa.types.is_dictionary(flat.type):
        flat = flat.cast(flat.type.value_type)
    if flat.type != pa.string():
        flat = flat.cast(pa.string())
    encoded = flat.fill_null("").combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32), encoded.dictionary


def _numbers(name: str, column: pa.ChunkedArray) -> Vector:
    """Return a column as floats; text is read, what is no number is missing."""
    if pa.types.is_dictionary(column.type) and not is_text(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    type_ = column.type
    plain = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    if not plain and not is_text(type_):
        raise _wrong(name, str(type_), "number")
    if not plain:
        places, values = _distinct(pa.chunked_array(column.chunks, type_))
        read = np.array([_number(text) for text in values.to_pylist()], np.float64)
        return read[places] if len(read) else np.full(len(column), np.nan)
    # A whole number beyond 2 ** 53 becomes the nearest float: no rule of any plan tells them apart.
    return np.array(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _number(text: str) -> float:
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    try:
        return _WORDS[plain] if plain in _WORDS else float(plain)
    except ValueError:
        return float("nan")
