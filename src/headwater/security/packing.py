"""Integers of few bits in as few bytes: 32 values of b bits fill b words.

The values are laid out as 32 lanes; lane i starts at bit i·b of a column of b words. Columns lie side by side, so that
every step works on whole arrays.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from headwater.types import Fixed

__all__ = ["Ring", "in_ring", "pack", "packed_bytes", "unpack"]

Ring: TypeAlias = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]
"""Integers modulo 2**32 or 2**64."""

_WORD = 32


def in_ring(values: Fixed, bits: int) -> Ring:
    """Return the values in the type that sums of ``bits`` bits are computed in, as an array of its own."""
    return values.astype(np.uint32) if bits <= _WORD else values.astype(np.uint64)


def packed_bytes(length: int, bits: int) -> int:
    """Return the bytes of so many packed values."""
    return length * bits // 8 if bits in (32, 64) else -(-length // _WORD) * bits * 4


def pack(values: Ring, bits: int) -> bytes:
    """Return (length,) values modulo 2**bits as bytes, for ``bits`` up to 32, or 64."""
    if bits == 64:
        return values.astype("<u8", copy=False).tobytes()
    narrow = values.astype(np.uint32, copy=False)
    if bits == _WORD:
        return narrow.astype("<u4", copy=False).tobytes()
    rows = -(-len(narrow) // _WORD)
    padded = np.zeros(_WORD * rows, dtype=np.uint32)
    np.bitwise_and(narrow, np.uint32(2**bits - 1), out=padded[: len(narrow)])
    lanes = padded.reshape(_WORD, rows)
    words = np.zeros((bits, rows), dtype=np.uint32)
    for lane in range(_WORD):
        word, shift = divmod(lane * bits, _WORD)
        words[word] |= lanes[lane] << np.uint32(shift)
        if shift + bits > _WORD:
            words[word + 1] |= lanes[lane] >> np.uint32(_WORD - shift)
    return words.astype("<u4", copy=False).tobytes()


def unpack(data: bytes, length: int, bits: int) -> Ring:
    """Return the (length,) values that ``pack`` wrote."""
    if bits == 64:
        return np.frombuffer(data, dtype="<u8")
    if bits == _WORD:
        return np.frombuffer(data, dtype="<u4")
    rows = -(-length // _WORD)
    words = np.frombuffer(data, dtype="<u4").reshape(bits, rows)
    lanes = np.empty((_WORD, rows), dtype=np.uint32)
    for lane in range(_WORD):
        word, shift = divmod(lane * bits, _WORD)
        np.right_shift(words[word], np.uint32(shift), out=lanes[lane])
        if shift + bits > _WORD:
            lanes[lane] |= words[word + 1] << np.uint32(_WORD - shift)
    lanes &= np.uint32(2**bits - 1)
    return lanes.reshape(-1)[:length]
