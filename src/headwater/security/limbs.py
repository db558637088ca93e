r"""Whole numbers cut so small that their encrypted sum is exact: what approximate homomorphic encryption needs.

CKKS adds real numbers with an error. At scale Δ a slot of the sum of n fresh ciphertexts is off by at most T/Δ. With
Δ = 4T it is off by a quarter at most, so rounding gives the sum itself; whatever does not fit into the modulus at that
scale is cut into several slots (limbs), each centred around 0.

**T.** A ciphertext is made under the modulus qP and brought down to q, which leaves an error
:math:`τ_0 + τ_1 s + r` (what was there before is divided by P = 2^40, below 2^-25): the rounding errors τ and r are
uniform within a half, the secret s is uniform on {-1, 0, 1}, all have N coefficients. Both distributions are strictly
sub-Gaussian, with variances 1/12 and 2/3. At a root of unity ζ half of the energy is in the real part, so

- :math:`|s(ζ)|^2 \le (4N/3) \ln(2N/p)` at all N/2 slots but for probability p (each part, of proxy variance N/3);
- given s, the real part of the error of the sum has proxy variance
  :math:`v = n (N/2) (|s(ζ)|^2 + 2) / 12`, so that :math:`T = \sqrt{2 v \ln(2V/p)}` over V slots.

With p = 2^-41 either way a sum is wrong with probability 2^-40, if τ is as uniform as the hardness of the encryption
says, and r, the rounding of the encoding, as it looks (it is some thousandth of the whole). Whoever opens a sum sees
the errors, and refuses one in which any is above a quarter.

**Room.** Coefficients are at most as large as slots, hence n · 2^(bits-1) · Δ <= 2^48.9, a little less than half of a
modulus of 50 bits; what the error adds to a coefficient is below 2^-20 of that.

Sources: Cheon, Kim, Kim and Song 2017 (CKKS); Costache and Smart 2016 (errors at the roots).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from headwater.errors import Message, Refusal
from headwater.security.pact import Pact
from headwater.types import Fixed, Vector

__all__ = ["DEGREE", "Limbs"]

DEGREE = 4096
"""N, the degree of the ring; half as many numbers stand in a ciphertext."""

_ROOM = 2.0**48.9
_WRONG = 2.0**-41
_FEWEST_BITS = 8
_MOST_LIMBS = 8
"""64 bits, eight to a slot."""
_MOST_TOGETHER = 8
_FARTHEST = 0.25


@dataclass(frozen=True)
class Limbs:
    """How the values of one pact are cut.

    Several values are laid end to end, each with the room that its sum takes, and all is cut at equal distances: so
    little of a slot is left empty.

    Parameters
    ----------
    together : values that are laid end to end
    spacing : bits from one of them to the next
    count : slots that they take
    bits : of each slot, before centring
    scale : Δ, by which slots are multiplied before they are rounded to integers
    """

    together: int
    spacing: int
    count: int
    bits: int
    scale: float

    @staticmethod
    @lru_cache(maxsize=64)
    def of(pact: Pact) -> "Limbs":
        """Return the fewest slots at which every sum of the pact's members is exact.

        Raises
        ------
        Refusal
            ``E-LIMBS-ROOM`` for so many members that not even eight bits a slot are exact
        """
        members, difference = len(pact.group), pact.span.high - pact.span.low
        width, spacing = max(1, difference.bit_length()), max(1, (members * difference).bit_length())
        scale = 4 * _error(members, _MOST_LIMBS * max(1, pact.length))
        most = math.floor(math.log2(_ROOM / (members * scale))) + 1
        if most < _FEWEST_BITS:
            raise _no_room(members)
        sizes = [(together, (together - 1) * spacing + width) for together in range(1, _MOST_TOGETHER + 1)]
        together, size = min(sizes, key=lambda one: (-(-one[1] // most) / one[0], one[0]))
        count = -(-size // most)
        return Limbs(together, spacing, count, -(-size // count), scale)

    def slots(self, length: int) -> int:
        """Return how many slots so many values take."""
        return self.count * -(-length // self.together)

    def cut(self, lifted: Fixed) -> Vector:
        """Return the (slots,) slots of (n,) values of which none is negative."""
        lanes = np.zeros((self.together, -(-len(lifted) // self.together)), dtype=np.uint64)
        lanes.reshape(-1)[: len(lifted)] = lifted
        slots = np.zeros((self.count, lanes.shape[1]), dtype=np.uint64)
        for lane, place, shift in self._overlaps():
            slots[place] |= _shifted(lanes[lane], shift) & np.uint64(2**self.bits - 1)
        return slots.reshape(-1).astype(np.float64) - 2.0 ** (self.bits - 1)

    def joined(self, slots: Vector, members: int, length: int) -> Fixed:
        """Return the (length,) sums modulo 2**64 of so many members' values, given the sums of their slots.

        Raises
        ------
        Refusal
            ``E-LIMBS-INEXACT`` when a slot is more than a quarter off a whole number, or no such sum can be: a member
            sent what is no vector of whole numbers, or the bound was missed
        """
        whole = np.rint(slots)
        off, most = np.abs(slots - whole), members * 2.0 ** (self.bits - 1)
        if not (off.max(initial=0) <= _FARTHEST and whole.min(initial=0) >= -most and whole.max(initial=0) <= most):
            raise _inexact()
        limbs = (whole.astype(np.int64) + members * 2 ** (self.bits - 1)).view(np.uint64).reshape(self.count, -1)
        for place in range(self.count - 1):
            limbs[place + 1] += limbs[place] >> np.uint64(self.bits)
            limbs[place] &= np.uint64(2**self.bits - 1)
        lanes = np.zeros((self.together, limbs.shape[1]), dtype=np.uint64)
        for lane, place, shift in self._overlaps():
            lanes[lane] |= _shifted(limbs[place], -shift)
        return (lanes & np.uint64(2**self.spacing - 1)).reshape(-1)[:length]

    def _overlaps(self) -> Iterator[tuple[int, int, int]]:
        """Yield lane, slot, and by how many bits the lane begins above the slot, wherever both have bits in common."""
        for lane in range(self.together):
            for place in range(self.count):
                shift = lane * self.spacing - place * self.bits
                if -self.spacing < shift < self.bits:
                    yield lane, place, shift


def _shifted(values: Fixed, left: int) -> Fixed:
    """Return the values times 2**left, modulo 2**64."""
    return np.asarray(values << np.uint64(left) if left >= 0 else values >> np.uint64(-left))


def _no_room(members: int) -> Refusal:
    return Refusal(
        "E-LIMBS-ROOM",
        Message(
            f"{members} 个成员的加密求和无法保证精确。",
            f"An encrypted sum of {members} members cannot be proven exact.",
        ),
        Message("请分成更小的组，逐级汇总。", "Use smaller groups, and one tier more."),
    )


def _inexact() -> Refusal:
    return Refusal(
        "E-LIMBS-INEXACT",
        Message(
            "解密所得不是整数之和，无法保证精确。",
            "What was decrypted is not a sum of whole numbers within their bounds.",
        ),
        Message("请作废本轮，并核查各成员的密文。", "Discard the round, and examine the members' ciphertexts."),
    )


def _error(members: int, slots: int) -> float:
    """Return T: what so many slots of a sum are off by at most, times the scale."""
    secret = 4 * DEGREE / 3 * math.log(2 * DEGREE / _WRONG)
    proxy = members * DEGREE / 2 * (secret + 2) / 12
    return math.sqrt(2 * proxy * math.log(2 * slots / _WRONG))
