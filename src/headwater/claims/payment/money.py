"""Exact arithmetic of payments: whole fen, factors in millionths, halves rounded up at every named step.

Floating point never touches an amount: a product that would leave 64 bits is taken in Python's unbounded integers.
"""

from decimal import Decimal
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import Message, Refusal

__all__ = ["UNIT", "Fen", "divided", "fen_of", "shown", "times"]

Fen: TypeAlias = npt.NDArray[np.int64]
"""Amounts in fen (a hundredth of the currency), or factors in millionths."""

UNIT = 10**6
"""A factor of one: weights, ratios and shares are held in millionths."""

_SAFE = 2**62


def times(amount: Fen, factor: Fen | int) -> Fen:
    """Return ``amount`` × ``factor`` / 10⁶ to the fen, halves up (towards plus infinity)."""
    return divided(amount, factor, UNIT)


def divided(amount: Fen, by: Fen | int, over: Fen | int) -> Fen:
    """Return ``amount`` × ``by`` / ``over`` rounded to a whole number, halves up: ⌊x + ½⌋; ``over`` is positive."""
    if 2 * _largest(amount) * _largest(by) + _largest(over) < _SAFE:
        return np.asarray((2 * amount * by + over) // (2 * np.asarray(over, dtype=np.int64)), dtype=np.int64)
    exact = amount.astype(object) * (by.astype(object) if isinstance(by, np.ndarray) else by)
    whole = over.astype(object) if isinstance(over, np.ndarray) else over
    return np.asarray((2 * exact + whole) // (2 * whole), dtype=np.int64)


def fen_of(column: pa.ChunkedArray, name: str) -> tuple[Fen, npt.NDArray[np.bool_]]:
    """Return a decimal column in fen, empty cells as 0, and which cells hold an amount.

    Raises
    ------
    Refusal
        ``E-PAYMENT-COLUMN`` when the column is no decimal, or an amount has parts of a fen or leaves 64 bits
    """
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)
    if not pa.types.is_decimal(column.type) or column.type.bit_width != 128:
        raise _wrong(name, "DECIMAL(p, 2)", str(column.type))
    known = np.asarray(column.is_valid().combine_chunks().to_numpy(zero_copy_only=False), dtype=np.bool_)
    parts = [_words(chunk) for chunk in column.chunks] or [np.zeros((0, 2), np.int64)]
    low, high = np.concatenate(parts).T
    low = np.where(known, low, 0)
    if bool(np.any(np.where(known, high, 0) != low >> 63)):
        raise _wrong(name, "|x| < 2^63", str(column.type))
    over = 10 ** max(column.type.scale - 2, 0)
    if bool(np.any(low % over)):
        raise _wrong(name, "0.01", str(column.type))
    return np.asarray(low // over * 10 ** max(2 - column.type.scale, 0), dtype=np.int64), known


def shown(value: int, scale: int) -> str:
    """Return an integer with ``scale`` decimals as text; money keeps two of them, factors lose their trailing zeros."""
    text = f"{Decimal(int(value)).scaleb(-scale):f}"
    return text.rstrip("0").rstrip(".") if scale > 2 and "." in text else text


def _words(chunk: pa.Array) -> npt.NDArray[np.int64]:
    """Return a decimal array's 128-bit words, (rows, 2): low word first."""
    buffer = chunk.buffers()[1]
    words = np.frombuffer(buffer, dtype=np.int64, count=2 * (chunk.offset + len(chunk)))
    return words.reshape(-1, 2)[chunk.offset :]


def _largest(values: Fen | int) -> int:
    if isinstance(values, np.ndarray):
        return max(int(values.max()), -int(values.min())) if len(values) else 0
    return abs(values)


def _wrong(name: str, must: str, found: str) -> Refusal:
    return Refusal(
        "E-PAYMENT-COLUMN",
        Message(f"列 {name} 的类型或取值不能用于付费：{found}。", f"Column {name} cannot be priced: {found}."),
        Message(f"应为：{must}。", f"It must be {must}."),
    )
