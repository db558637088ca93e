"""The lines of payments, kept as columns: one block a reason, with the stays it concerns and its operands.

A million stays have about ten million lines. Priced, they are a dozen blocks of arrays; a table of lines is made from
them only where somebody asks for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.cases import Codes, Mask
from headwater.claims.payment.money import Fen, shown
from headwater.claims.payment.reasons import REASONS, Reason

__all__ = ["DECIMALS", "Block", "Operand", "Unit", "block", "decimals", "operand", "table_of"]

Unit = Literal["fen", "factor", "count", "code"]

DECIMALS: Mapping[str, int] = {"fen": 2, "factor": 6, "count": 0}


@dataclass(frozen=True)
class Operand:
    """What a line was computed from: a number a row of its block, or codes."""

    name: str
    unit: Unit
    values: Fen
    names: tuple[str, ...] = ()

    def text(self, place: int) -> str:
        """Return the operand of one line as people read it."""
        value = int(self.values[place])
        if self.unit == "code":
            return self.names[value] if value >= 0 else ""
        return shown(value, DECIMALS[self.unit])

    def texts(self) -> pa.Array:
        """Return the operands of all lines."""
        if self.unit == "code":
            return pa.array([*self.names, ""]).take(pa.array(self.values % (len(self.names) + 1)))
        return decimals(self.values, DECIMALS[self.unit]).cast(pa.string())


@dataclass(frozen=True)
class Block:
    """All lines of one reason.

    Parameters
    ----------
    reason : see :data:`headwater.claims.payment.reasons.REASONS`, which also tells account and step
    rows : which stays, ascending
    amount : fen, what the line adds to its account
    """

    reason: str
    rows: npt.NDArray[np.int64]
    amount: Fen
    operands: tuple[Operand, ...] = field(default=(), repr=False)

    @property
    def told(self) -> Reason:
        """Account, step and sentence."""
        return REASONS[self.reason]


def block(reason: str, where: Mask, amount: Fen, operands: Sequence[Operand] = ()) -> Block:
    """Return the lines of the stays in ``where``."""
    rows = np.flatnonzero(where)
    kept = tuple(Operand(one.name, one.unit, one.values[rows], one.names) for one in operands)
    return Block(reason, rows, amount[rows], kept)


def operand(name: str, unit: Unit, values: Fen | Codes | int, n: int) -> Operand:
    """Return an operand of n rows; one number holds for all of them."""
    if isinstance(values, Codes):
        return Operand(name, "code", values.places, tuple(values.names))
    full = values if isinstance(values, np.ndarray) else np.broadcast_to(np.int64(values), (n,))
    return Operand(name, unit, full)


def decimals(values: Fen, scale: int) -> pa.Array:
    """Return whole numbers as exact decimals with ``scale`` places."""
    whole = pa.array(np.ascontiguousarray(values), pa.int64())
    buffers = np.empty((len(values), 2), np.int64)
    buffers[:, 0] = values
    buffers[:, 1] = values >> 63
    return pa.Array.from_buffers(pa.decimal128(20, scale), len(whole), [None, pa.py_buffer(buffers.tobytes())])


def table_of(blocks: Sequence[Block], stay_id: pa.ChunkedArray) -> pa.Table:
    """Return lines as a table, those of one stay together and in the order of the steps.

    Columns: ``stay_id, line_no, account, step, reason, amount_fen, operands`` (``name=value;name=value``).
    """
    rows = np.concatenate([np.zeros(0, np.int64), *(one.rows for one in blocks)])
    order = np.argsort(rows, kind="stable")
    sizes = [len(one.rows) for one in blocks]
    which = pa.array(np.repeat(np.arange(len(blocks), dtype=np.int32), sizes))
    table = pa.table(
        {
            "account": pa.array([one.told.account for one in blocks], pa.string()).take(which),
            "step": pa.array([one.told.step for one in blocks], pa.string()).take(which),
            "reason": pa.array([one.reason for one in blocks], pa.string()).take(which),
            "amount_fen": pa.array(np.concatenate([np.zeros(0, np.int64), *(one.amount for one in blocks)])),
            "operands": pa.chunked_array([_joined(one) for one in blocks], pa.string()),
        }
    ).take(pa.array(order))
    sorted_rows = rows[order]
    number = np.arange(len(rows)) - np.searchsorted(sorted_rows, sorted_rows) + 1
    table = table.add_column(0, "line_no", pa.array(number.astype(np.int32)))
    return table.add_column(0, "stay_id", stay_id.take(pa.array(sorted_rows)))


def _joined(lines: Block) -> pa.Array:
    if not lines.operands:
        return pa.array([""] * len(lines.rows), pa.string())
    pairs = [pc.binary_join_element_wise(pa.scalar(one.name), one.texts(), "=") for one in lines.operands]
    return pc.binary_join_element_wise(*pairs, ";")
