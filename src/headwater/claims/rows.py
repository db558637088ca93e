"""From blocks of delivered text to typed rows of one canonical table, with the faults and cleanings of their fields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.canonical import Field
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.contradictions import BIRTH, SEX
from headwater.claims.reading import ROW
from headwater.claims.valuing import Reader, Reading, Texts

__all__ = ["BATCH", "ITEM", "Rows", "Typed"]

BATCH = "__batch"
"""Name of the column that tells apart the files of one load: their number, from 0."""

ITEM = "__item"
"""Name of the column that tells apart several rows made from one delivered row: 0, or the slot's number."""

Mask = npt.NDArray[np.bool_] | None
Rules = dict[str, ColumnRule]


@dataclass(frozen=True)
class Typed:
    """Rows that were read.

    Parameters
    ----------
    rows : BATCH, ROW, ITEM and the fields that the contract fills, some with a value though faulty
    faults : batch, row_no, item, field, code, value: one row a fault; value is NULL for persons
    cleaned : batch, row_no, item, field, rules, raw, clean: one row a cell that was changed
    """

    rows: pa.Table
    faults: pa.Table
    cleaned: pa.Table


class Rows:
    """Makes rows by one contract.

    Parameters
    ----------
    constants : fields that the source's contract fixes as a whole, e.g. the currency
    """

    def __init__(self, table: TableContract, *, constants: dict[str, str], reader: Reader) -> None:
        self._table = table
        self._reader = reader
        fixed = {name: ColumnRule(value=value) for name, value in constants.items()}
        self._slots = [(item, fixed | rules) for item, rules in _slots(table)]
        self._coded: dict[str, bool] = {}

    @property
    def fields(self) -> tuple[Field, ...]:
        """The canonical fields that rows have."""
        return tuple(
            field for field in self._table.entity.fields if any(field.name in rules for _, rules in self._slots)
        )

    def read(self, block: pa.Table) -> list[Typed]:
        """Read a block of text columns with ``ROW`` and ``BATCH``; one result a slot."""
        texts = {column: self._texts(column, block.column(column)) for column in self._table.delivered_columns}
        known: dict[tuple[str, ColumnRule], Reading] = {}

        def reading(field: Field, rule: ColumnRule) -> Reading:
            # Slots share the columns of the whole row, which are read once.
            if (field.name, rule) not in known:
                known[field.name, rule] = self._reader.read(field, rule, self._column(rule, texts, len(block)))
            return known[field.name, rule]

        return [self._slot(item, rules, block, reading) for item, rules in self._slots]

    def _texts(self, name: str, column: pa.ChunkedArray) -> Texts:
        texts = Texts.of(column, coded=self._coded.get(name))
        # Every block of a column must come in one form, so the first one decides.
        self._coded.setdefault(name, texts.places is not None)
        return texts

    def _column(self, rule: ColumnRule, texts: dict[str, Texts], length: int) -> Texts:
        if rule.column is None:
            return Texts(pa.array([rule.value or ""], pa.string()), np.zeros(length, dtype=np.int32))
        if rule.only is None:
            return texts[rule.column]
        column, value = rule.only
        kind = Field(column, "code", "", "")
        read = self._reader.read(kind, ColumnRule(column=column), texts[column])
        holds = np.array([text == value for text in read.text.to_pylist()], dtype=bool)
        return texts[rule.column].where(holds if read.places is None else holds[read.places])

    def _slot(self, item: int, rules: Rules, block: pa.Table, reading: Callable[[Field, ColumnRule], Reading]) -> Typed:
        fields = [field for field in self._table.entity.fields if field.name in rules]
        readings = {field: reading(field, rules[field.name]) for field in fields}
        mask = self._mask(item, readings, len(block))
        columns = {
            BATCH: block.column(BATCH),
            ROW: block.column(ROW),
            ITEM: pa.array(np.full(len(block), item, dtype=np.int32)),
        }
        for field, read in readings.items():
            spread = read.spread(read.value)
            # Slots are put under one another, and what repeats in one may not in the next: all are spelt out.
            plain = self._table.each is not None and pa.types.is_dictionary(spread.type)
            columns[field.name] = spread.dictionary_decode() if plain else spread
            if read.birth is not None and read.sex is not None:
                columns |= {BIRTH: read.spread(read.birth), SEX: read.spread(read.sex)}
        rows = pa.table(columns)
        place = partial(_placed, block, item)
        delivered = {field: read for field, read in readings.items() if rules[field.name].column is not None}
        return Typed(
            rows=rows if mask is None else rows.filter(pa.array(mask)),
            faults=_together(_FAULTS, (place(field, _faulty(read, mask)) for field, read in delivered.items())),
            cleaned=_together(_CLEANED, (place(field, _cleaned(read, mask)) for field, read in delivered.items())),
        )

    def _mask(self, item: int, readings: dict[Field, Reading], length: int) -> Mask:
        """Return which rows fill the slot: those with a text in any of its columns."""
        if self._table.each is None:
            return None
        names = {name for name, _ in self._table.each.slots[item - 1]}
        mask = np.zeros(length, dtype=bool)
        for field, read in readings.items():
            if field.name in names:
                mask |= read.filled if read.places is None else read.filled[read.places]
        return mask


_FAULTS = {"code": pa.string(), "value": pa.string()}
_CLEANED = {"rules": pa.string(), "raw": pa.string(), "clean": pa.string()}
_PLACED = {"batch": pa.int32(), "row_no": pa.int64(), "item": pa.int32(), "field": pa.string()}

Found = tuple[npt.NDArray[np.int64], dict[str, pa.Array]]


def _faulty(read: Reading, mask: Mask) -> Found:
    rows = _inside(read.rows_with(read.code), mask)
    return rows, {"code": read.at(read.code, rows), "value": read.at(read.text, rows)}


def _cleaned(read: Reading, mask: Mask) -> Found:
    rows = _inside(read.rows_with(read.rules), mask)
    return rows, {
        "rules": read.at(read.rules, rows),
        "raw": read.at(read.delivered, rows),
        "clean": read.at(read.clean, rows),
    }


def _inside(rows: npt.NDArray[np.int64], mask: Mask) -> npt.NDArray[np.int64]:
    return rows if mask is None else rows[mask[rows]]


def _placed(block: pa.Table, item: int, field: Field, found: Found) -> pa.Table | None:
    rows, columns = found
    if not len(rows):
        return None
    place = {
        "batch": block.column(BATCH).take(pa.array(rows)),
        "row_no": block.column(ROW).take(pa.array(rows)),
        "item": pa.array(np.full(len(rows), item, dtype=np.int32)),
        "field": pa.array([field.name]).take(pa.array(np.zeros(len(rows), dtype=np.int8))),
    }
    return pa.table(place | columns)


def _together(columns: dict[str, pa.DataType], parts: Iterator[pa.Table | None]) -> pa.Table:
    schema = pa.schema(_PLACED | columns)
    tables = [part.cast(schema) for part in parts if part is not None]
    return pa.concat_tables([schema.empty_table(), *tables])


def _slots(table: TableContract) -> list[tuple[int, Rules]]:
    base = dict(table.columns)
    if table.each is None:
        return [(0, base)]
    slots = []
    for number, slot in enumerate(table.each.slots, start=1):
        rules = {**base, table.each.rank: ColumnRule(value=str(number))}
        rules |= {field: ColumnRule(column=column) for field, column in slot}
        slots.append((number, rules))
    return slots
