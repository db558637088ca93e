"""What all members of a round agree on before anything is said: who adds what, and between which bounds."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headwater.errors import Message, Refusal
from headwater.federation.wire import travels
from headwater.security.identity import digest_of, framed
from headwater.security.refusals import odd
from headwater.types import Fixed

__all__ = ["KeyOf", "Pact", "Span"]

_SIGNED = 1 << 63


@travels("span")
@dataclass(frozen=True)
class Span:
    """The bounds, both included, that every value of every member keeps; public, and known before the round.

    >>> Span(0, 65_535).bits(32), Span(-32_768, 32_767).bits(1_024), Span.widest(3).bits(3)
    (21, 26, 64)
    """

    low: int
    high: int

    @staticmethod
    def widest(members: int) -> "Span":
        """Return the largest bounds at which the sum of so many members stays within 64 bits."""
        bound = (_SIGNED - 1) // members
        return Span(-bound, bound)

    def times(self, fewest: int, most: int) -> "Span":
        """Return the bounds of sums of ``fewest`` to ``most`` such values."""
        return Span(min(self.low * fewest, self.low * most), max(self.high * fewest, self.high * most))

    def bits(self, members: int) -> int:
        """Return the bits of the narrowest ring that holds every sum of so many values: at most 32, or 64."""
        needed = (members * (self.high - self.low)).bit_length()
        return max(1, needed) if needed <= 32 else 64

    def lifted(self, values: Fixed) -> Fixed:
        """Return the values less ``low``, none negative; one outside the bounds is refused, never wrapped."""
        # Below ``low`` the difference wraps to above ``high - low``: no two 64-bit bounds let it come back around.
        lifted = np.asarray(values, dtype=np.uint64) - np.uint64(self.low % 2**64)
        if lifted.size and int(lifted.max()) > self.high - self.low:
            raise Refusal(
                "E-FIXED-RANGE",
                Message(
                    f"数值超出约定范围 [{self.low}, {self.high}]，求和可能溢出。",
                    f"Values leave the agreed range [{self.low}, {self.high}]: their sum could overflow.",
                ),
                Message("请减小量纲，或约定更宽的范围。", "Use a smaller unit, or agree on a wider range."),
            )
        return lifted

    def lowered(self, total: Fixed, members: int) -> Fixed:
        """Return the sum of so many members, given the sum of their lifted values."""
        return np.asarray(total + np.uint64(self.low * members % 2**64))


@travels("key_of")
@dataclass(frozen=True)
class KeyOf:
    """Whose key a sum is encrypted to.

    Parameters
    ----------
    name : of the holder; not the tier that adds
    digest : SHA-256 of its public key
    """

    name: str
    digest: bytes

    @staticmethod
    def of(name: str, public: bytes) -> "KeyOf":
        """Return it for a public key."""
        return KeyOf(name, hashlib.sha256(public).digest())


@travels("pact")
@dataclass(frozen=True)
class Pact:
    """One round of one group. Its digest stands in every signature, so no message fits any other pact.

    Parameters
    ----------
    round_id : never used before
    protection : name in ``PROTECTIONS``
    identities : (name, Ed25519 public key) of every member, sorted by name
    length : values in every member's vector
    span : bounds of every value
    holder : to whose key the sum is encrypted; None where to nobody's
    """

    round_id: str
    protection: str
    identities: tuple[tuple[str, bytes], ...]
    length: int
    span: Span
    holder: KeyOf | None = None

    @staticmethod
    def of(
        protection: str,
        identities: Mapping[str, bytes],
        *,
        round_id: str,
        length: int,
        span: Span | None = None,
        holder: KeyOf | None = None,
    ) -> "Pact":
        """Return the pact; without a span the widest is taken. A span whose sums could leave 64 bits is refused."""
        chosen = span or Span.widest(len(identities))
        members = len(identities)
        if chosen.low > chosen.high or members * chosen.low < -_SIGNED or members * chosen.high >= _SIGNED:
            raise Refusal(
                "E-PACT-SPAN",
                Message(
                    f"{members} 个成员在范围 [{chosen.low}, {chosen.high}] 内的和超出 64 位，或范围为空。",
                    f"The range [{chosen.low}, {chosen.high}] is empty, or {members} members can leave 64 bits.",
                ),
                Message("请缩小范围。", "Narrow the range."),
            )
        return Pact(round_id, protection, tuple(sorted(identities.items())), length, chosen, holder)

    @cached_property
    def group(self) -> tuple[str, ...]:
        """The members' names, sorted."""
        return tuple(name for name, _ in self.identities)

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """The members' public keys by name."""
        return dict(self.identities)

    @property
    def bits(self) -> int:
        """Bits of every value under way."""
        return self.span.bits(len(self.group))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over everything in the pact."""
        numbers = (str(self.length), str(self.span.low), str(self.span.high))
        members = [part for name, key in self.identities for part in (name.encode(), key)]
        head = [text.encode() for text in (self.round_id, self.protection, *numbers)]
        holder = framed(self.holder.name.encode(), self.holder.digest) if self.holder else b""
        return digest_of([*head, holder, *members])

    def lifted(self, name: str, values: Fixed) -> Fixed:
        """Return a member's values as they are added, none negative; a wrong length or range is refused."""
        if len(values) != self.length:
            raise odd(name)
        return self.span.lifted(values)

    def bitmap(self, names: Sequence[str]) -> bytes:
        """Return one bit a member: whether it is among ``names``."""
        present = set(names)
        return np.packbits([name in present for name in self.group]).tobytes()

    def listed(self, bitmap: bytes) -> tuple[str, ...]:
        """Return the names of a bitmap of the right length."""
        bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), count=len(self.group)).tolist()
        return tuple(name for name, bit in zip(self.group, bits, strict=True) if bit)

    @property
    def bitmap_bytes(self) -> int:
        """Length of a bitmap."""
        return -(-len(self.group) // 8)
