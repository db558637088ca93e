"""The one thing that a source ever says: a vector that can be merged, subtracted, masked and solved."""

import hashlib
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from headwater.errors import Message, Refusal
from headwater.registry import Registry
from headwater.types import Fixed

__all__ = ["Family", "STATISTICS", "Statistic"]

_RAW, _PACKED = b"HWS1", b"HWS2"
"""How a message begins, by how it carries its values."""

_SIGN = np.uint64(1 << 63)


class Family(Protocol):
    """A kind of statistic: knows the layout of its vector and how to solve it."""

    kind: str

    def sample(self, rng: np.random.Generator) -> "Statistic":
        """Return the statistic of some random records."""
        ...


STATISTICS: Registry[Family] = Registry("statistic")
"""One small instance of every kind of statistic, by kind."""


@dataclass(frozen=True, eq=False)
class Statistic:
    """An additive statistic in fixed point modulo 2**64.

    Merging and subtracting are exact, associative and commutative: any tree of merges gives the same bits.

    Parameters
    ----------
    kind : the family that can solve it, e.g. ``gram``
    shape : the family's dimensions; only statistics of equal kind and shape can be merged
    values : (length,) uint64, two's complement fixed point

    >>> one = Statistic("gram", (1,), np.array([3, 2**64 - 1], dtype=np.uint64))
    >>> one.merge(one).values
    array([                   6, 18446744073709551614], dtype=uint64)
    """

    kind: str
    shape: tuple[int, ...]
    values: Fixed

    def __post_init__(self) -> None:
        if self.values.dtype != np.uint64 or self.values.ndim != 1:
            raise TypeError("values must be a vector of uint64")
        frozen = self.values.view()
        frozen.flags.writeable = False
        object.__setattr__(self, "values", frozen)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Statistic):
            return NotImplemented
        return self._form == other._form and bool(np.array_equal(self.values, other.values))

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def _form(self) -> tuple[str, tuple[int, ...], int]:
        return self.kind, self.shape, self.values.size

    @property
    def nbytes(self) -> int:
        """Bytes of the message that carries this statistic."""
        return len(self.to_bytes())

    @property
    def digest(self) -> str:
        """SHA-256 of header and values, in hexadecimal: equal exactly when every bit is equal."""
        return hashlib.sha256(_RAW + self._header() + self._raw()).hexdigest()

    def merge(self, other: "Statistic") -> "Statistic":
        """Return the statistic of both sets of records together."""
        self._require_like(other)
        left, right = self.values.view(np.int64), other.values.view(np.int64)
        total = left + right
        if bool((((left ^ total) & (right ^ total)) < 0).any()):
            raise _overflow()
        return Statistic(self.kind, self.shape, total.view(np.uint64))

    def subtract(self, other: "Statistic") -> "Statistic":
        """Return the statistic without the records of ``other``: the exact inverse of ``merge``."""
        self._require_like(other)
        left, right = self.values.view(np.int64), other.values.view(np.int64)
        rest = left - right
        if bool((((left ^ right) & (left ^ rest)) < 0).any()):
            raise _overflow()
        return Statistic(self.kind, self.shape, rest.view(np.uint64))

    @staticmethod
    def total(statistics: Iterable["Statistic"]) -> "Statistic":
        """Merge them all; an empty list is refused, for it has neither kind nor shape."""
        remaining = iter(statistics)
        result = next(remaining, None)
        if result is None:
            raise _nothing()
        for statistic in remaining:
            result = result.merge(statistic)
        return result

    def to_bytes(self) -> bytes:
        """Return the message: its form, kind, shape, then the values, packed without loss where that is shorter.

        Packed, bytes of equal significance stand together and are deflated: on a coarse grid most of them are 0. What
        is masked has nothing to save and travels as it is.
        """
        raw, packed = self._raw(), _pack(self.values)
        return _PACKED + self._header() + packed if len(packed) < len(raw) else _RAW + self._header() + raw

    @staticmethod
    def from_bytes(message: bytes) -> "Statistic":
        """Read what ``to_bytes`` wrote; anything else is refused."""
        if len(message) < 8 or message[:4] not in (_RAW, _PACKED):
            raise _unreadable()
        kind_length, dimensions = struct.unpack_from("<HH", message, 4)
        start = 8 + kind_length + 4 * dimensions
        if len(message) < start:
            raise _unreadable()
        shape = struct.unpack_from(f"<{dimensions}I", message, 8 + kind_length)
        values = _values(message[:4], message[start:])
        return Statistic(message[8 : 8 + kind_length].decode("ascii", errors="replace"), shape, values)

    def _raw(self) -> bytes:
        return self.values.astype("<u8").tobytes()

    def _header(self) -> bytes:
        kind = self.kind.encode("ascii")
        return struct.pack(f"<HH{len(kind)}s{len(self.shape)}I", len(kind), len(self.shape), kind, *self.shape)

    def _require_like(self, other: "Statistic") -> None:
        if self._form != other._form:
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"统计量形式不同：{self._form} 与 {other._form}。",
                    f"The statistics differ in form: {self._form} and {other._form}.",
                ),
                Message("请让各来源回答同一个问题。", "Ask every source the same question."),
            )


def _pack(values: Fixed) -> bytes:
    """Return signs and magnitudes, the lowest bytes of all values first, each plane deflated by itself."""
    negative = values >= _SIGN
    signed = (np.where(negative, np.uint64(0) - values, values) & ~_SIGN) | np.where(negative, _SIGN, np.uint64(0))
    planes = signed.astype("<u8").view(np.uint8).reshape(-1, 8).T
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    parts = [deflate.compress(plane.tobytes()) + deflate.flush(zlib.Z_FULL_FLUSH) for plane in planes]
    return b"".join([*parts, deflate.flush()])


def _values(form: bytes, body: bytes) -> Fixed:
    """Return the values of a message's body; a body that is cut short, or goes on, is refused."""
    if form == _PACKED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            body = inflate.decompress(body)
        except zlib.error as error:
            raise _unreadable() from error
        if not inflate.eof or inflate.unused_data:
            raise _unreadable()
    if len(body) % 8:
        raise _unreadable()
    if form == _RAW:
        return np.frombuffer(body, dtype="<u8").astype(np.uint64)
    signed = np.ascontiguousarray(np.frombuffer(body, dtype=np.uint8).reshape(8, -1).T).view("<u8")[:, 0]
    magnitude = signed.astype(np.uint64) & ~_SIGN
    # A negative nothing stands for -2**63, whose magnitude has no room.
    return np.where(signed >= _SIGN, np.where(magnitude == 0, _SIGN, np.uint64(0) - magnitude), magnitude)


def _overflow() -> Refusal:
    return Refusal(
        "E-STATISTIC-OVERFLOW",
        Message("合并后的统计量超出 64 位范围。", "The merged statistic exceeds 64 bits."),
        Message("请减小量纲或增加 headroom_bits。", "Use a smaller unit, or more headroom_bits."),
    )


def _nothing() -> Refusal:
    return Refusal(
        "E-STATISTIC-EMPTY",
        Message("没有可合并的统计量。", "There is no statistic to merge."),
        Message("请至少提供一个来源。", "Give at least one source."),
    )


def _unreadable() -> Refusal:
    return Refusal(
        "E-STATISTIC-MESSAGE",
        Message("消息不是完整的统计量。", "The message is not a whole statistic."),
        Message("请让来源重新发送。", "Let the source send it again."),
    )
