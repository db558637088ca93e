"""Stays by hospital and by cell (region, level, currency and DRG): what every comparison starts from.

Hospitals are compared with their peers only: those of the same region, level and currency. A cell is one DRG among
peers. A stay without hospital, DRG or amount is left out of every comparison, and counted.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import Message, Refusal

__all__ = ["PEERS", "Cells", "Integers", "by", "cells", "coded", "exact", "money", "totals"]

Integers: TypeAlias = npt.NDArray[np.signedinteger[Any]]
"""Numbers of stays, places, fen; 64 bits."""

PEERS = ("region", "hosp_lv", "currency")
"""What two hospitals must have in common to be compared."""

_NEEDED = ("hospital_id", "drg", "medfee_sumamt")
_MONEY = pa.decimal128(24, 2)


@dataclass(frozen=True, eq=False)
class Cells:
    """n stays that can be compared, of H hospitals in C cells.

    Parameters
    ----------
    stays : (n,) rows
    hospitals : (H,) rows: hospital_id and its peers
    names : (C,) rows: peers and drg
    hospital, cell : (n,) places in ``hospitals`` and ``names``
    left_out : stays without hospital, DRG or amount
    """

    stays: pa.Table
    hospitals: pa.Table
    names: pa.Table
    hospital: Integers
    cell: Integers
    left_out: int

    def values(self, measure: str) -> tuple[Integers, int]:
        """Return a measure as (n,) integers and how many of them make one unit: 100 fen make one of money."""
        return exact(self.stays[measure], measure)


def cells(stays: pa.Table) -> Cells:
    """Sort stays into cells.

    Parameters
    ----------
    stays : hospital_id, region, hosp_lv, currency, drg, medfee_sumamt (decimal) and whatever is to be measured

    Raises
    ------
    Refusal
        ``E-COMPARE-HOSPITAL`` when a hospital stands among two groups of peers, ``E-COMPARE-COLUMN`` when a column
        lacks
    """
    if lacking := [name for name in (*_NEEDED, *PEERS) if name not in stays.column_names]:
        names = ", ".join(lacking)
        raise Refusal(
            "E-COMPARE-COLUMN",
            Message(f"缺少列：{names}。", f"Columns are missing: {names}."),
            Message("补上这些列。", "Give them."),
        )
    kept = pc.and_(pc.and_(*(stays[name].is_valid() for name in _NEEDED[:2])), stays[_NEEDED[2]].is_valid())
    compared = stays.filter(kept)
    hospital, hospitals = coded(compared, "hospital_id", *PEERS)
    _one_place_each(hospitals)
    cell, names_of = coded(compared, *PEERS, "drg")
    return Cells(compared, hospitals, names_of, hospital, cell, len(stays) - len(compared))


def _one_place_each(hospitals: pa.Table) -> None:
    counts = pc.value_counts(hospitals["hospital_id"])
    twice = [one["values"] for one in counts.to_pylist() if one["counts"] > 1]
    if twice:
        raise Refusal(
            "E-COMPARE-HOSPITAL",
            Message(
                f"医院 {twice[0]} 有多个统筹区、级别或币种。",
                f"Hospital {twice[0]} has several regions, levels or currencies.",
            ),
            Message("每家医院只取一个。", "Give each hospital one of each."),
        )


def coded(table: pa.Table, *names: str) -> tuple[Integers, pa.Table]:
    """Give each distinct row of some columns its place in their sorted order.

    Returns
    -------
    numbers, rows
        (n,) for each row its number; the distinct rows, sorted, nulls first

    >>> coded(pa.table({"a": ["y", "x", "y"]}), "a")[0]
    array([1, 0, 1])
    """
    combined = np.zeros(len(table), dtype=np.int64)
    for name in names:
        column = table[name].combine_chunks()
        kinds = column.drop_null().unique()
        kinds = kinds.take(pc.sort_indices(kinds))
        place = pc.fill_null(pc.add(pc.index_in(column, kinds), 1), 0)
        combined = combined * (len(kinds) + 1) + place.to_numpy(zero_copy_only=False).astype(np.int64)
    _, first, numbers = np.unique(combined, return_index=True, return_inverse=True)
    return numbers.astype(np.int64), table.select(list(names)).take(pa.array(first))


def exact(column: pa.ChunkedArray | pa.Array, name: str) -> tuple[Integers, int]:
    """Return a column as (n,) integers, 0 where it is null, and how many make one unit: 100 for money, else 1.

    Raises
    ------
    Refusal
        ``E-COMPARE-MEASURE`` for what cannot be summed exactly: numbers with a floating point, parts of a fen
    """
    kind, scale = column.type, 100 if pa.types.is_decimal(column.type) else 1
    try:
        if scale == 100:
            column = pc.multiply(column.cast(pa.decimal128(20, 2)), pa.scalar(Decimal(100)))
        elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
            raise pa.ArrowInvalid(str(kind))
        filled = pc.fill_null(column.cast(pa.int64()), 0)
    except pa.ArrowInvalid as error:
        raise Refusal(
            "E-COMPARE-MEASURE",
            Message(f"列“{name}”不能精确求和（{kind}）。", f"The column {name!r} cannot be summed exactly ({kind})."),
            Message("金额用两位小数的 decimal，其余用整数。", "Give money as a decimal of two places, else integers."),
        ) from error
    return filled.to_numpy(zero_copy_only=False), scale


def totals(places: Integers, values: Integers, size: int) -> Integers:
    """Return the (size,) exact sums of ``values`` by place."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, places, values)
    return sums


def by(places: Integers, size: int) -> list[Integers]:
    """Return for each of ``size`` places which rows stand there."""
    order = np.argsort(places, kind="stable")
    return np.split(order, np.searchsorted(places[order], np.arange(1, size)))


def money(fen: Integers) -> pa.Array:
    """Return integers in fen as decimals in yuan.

    >>> money(np.array([1234])).to_pylist()
    [Decimal('12.34')]
    """
    return pa.array([Decimal(int(one)).scaleb(-2) for one in fen], type=_MONEY)
