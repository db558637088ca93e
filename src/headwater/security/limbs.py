r"""Whole numbers cut so small that their encrypted sum is exact: what approximate homomorphic encryption needs.

CKKS adds real numbers with an error. At scale Δ a slot of the sum of n fresh ciphertexts is off by at most T/Δ. With
Δ = 4T it is off by a quarter at most, so rounding gives the sum itself; whatever does not fit into the modulus at that
scale is cut into several slots (limbs), each centred around 0.

**T.** A ciphertext is made under the modulus qP and brought down to q, which leaves an error
:math:`τ_0 + τ_1 s + r` (what was there before is divided by P = 2^40, below 2^-30): the rounding errors τ and r are
uniform within a half, the secret s is uniform on {-1, 0, 1}, all have N coefficients. Both distributions are strictly
sub-Gaussian, with variances 1/12 and 2/3. At a root of unity ζ half of the energy is in the real part, so

- :math:`|s(ζ)|^2 \le (4N/3) \ln(2N/p)` at all N/2 slots but for probability p (each part, of proxy variance N/3);
- given s, the real part of the error of the sum has proxy variance
  :math:`v = n (N/2) (|s(ζ)|^2 + 2) / 12`, so that :math:`T = \sqrt{2 v \ln(2V/p)}` over V slots.

With p = 2^-41 either way a sum is wrong with probability 2^-40, if rounding errors are as uniform as the hardness of
the encryption says; whoever opens it sees the errors, and refuses a sum in which one is above a quarter.

**Room.** Coefficients are at most as large as slots, hence n · 2^(bits-1) · Δ <= 2^48.9, a little less than half of a
modulus of 50 bits; what the error adds to a coefficient is below 2^-20 of that.

Sources: Cheon, Kim, Kim and Song 2017 (CKKS); Costache and Smart 2016 (errors at the roots).
"""

import math
from dataclasses import dataclass

import numpy as np

from headwater.errors import Message, Refusal
from headwater.security.plan import Plan
from headwater.types import Fixed, Vector

__all__ = ["DEGREE", "Limbs"]

DEGREE = 4096
"""N, the degree of the ring; half as many numbers stand in a ciphertext."""

_ROOM = 2.0**48.9
_WRONG = 2.0**-41
_FEWEST_BITS = 8
_FARTHEST = 0.25


@dataclass(frozen=True)
class Limbs:
    """How the values of one plan are cut.

    Parameters
    ----------
    count : slots that one value takes
    bits : of each slot, before centring
    scale : Δ, by which slots are multiplied before they are rounded to integers
    """

    count: int
    bits: int
    scale: float

    @staticmethod
    def of(plan: Plan) -> "Limbs":
        """Return the fewest limbs at which every sum of the plan's members is exact.

        Raises
        ------
        Refusal
            ``E-LIMBS-ROOM`` for so many members that not even eight bits a slot are exact
        """
        members = len(plan.group)
        width = max(1, (plan.span.high - plan.span.low).bit_length())
        for count in range(1, -(-width // _FEWEST_BITS) + 1):
            bits, scale = -(-width // count), 4 * _error(members, count * max(1, plan.length))
            if members * 2.0 ** (bits - 1) * scale <= _ROOM:
                return Limbs(count, bits, scale)
        raise Refusal(
            "E-LIMBS-ROOM",
            Message(
                f"{members} 个成员的加密求和无法保证精确。",
                f"An encrypted sum of {members} members cannot be proven exact.",
            ),
            Message("请分成更小的组，逐级汇总。", "Use smaller groups, and one tier more."),
        )

    def cut(self, lifted: Fixed) -> Vector:
        """Return the (count * n,) slots of (n,) values of which none is negative, the lowest limbs first."""
        mask, centre = np.uint64(2**self.bits - 1), 2.0 ** (self.bits - 1)
        limbs = [(lifted >> np.uint64(place * self.bits)) & mask for place in range(self.count)]
        return np.asarray(np.concatenate(limbs).astype(np.float64) - centre)

    def joined(self, slots: Vector, members: int) -> Fixed:
        """Return the (n,) sums modulo 2**64 of so many members' values, given the sums of their slots.

        Raises
        ------
        Refusal
            ``E-LIMBS-INEXACT`` when a slot is more than a quarter off a whole number, or no such sum can be: a member
            sent what is no vector of whole numbers, or the bound was missed
        """
        whole = np.rint(slots)
        off = np.abs(slots - whole)
        most = members * 2.0 ** (self.bits - 1)
        if not (off.max(initial=0) <= _FARTHEST and whole.min(initial=0) >= -most and whole.max(initial=0) <= most):
            raise Refusal(
                "E-LIMBS-INEXACT",
                Message(
                    "解密所得不是整数之和，无法保证精确。",
                    "What was decrypted is not a sum of whole numbers within their bounds.",
                ),
                Message("请作废本轮，并核查各成员的密文。", "Discard the round, and examine the members' ciphertexts."),
            )
        limbs = (whole.astype(np.int64) + members * 2 ** (self.bits - 1)).view(np.uint64).reshape(self.count, -1)
        total = np.zeros(limbs.shape[1], dtype=np.uint64)
        for place, limb in enumerate(limbs):
            total += limb << np.uint64(place * self.bits)
        return total


def _error(members: int, slots: int) -> float:
    """Return T: what so many slots of a sum are off by at most, times the scale."""
    secret = 4 * DEGREE / 3 * math.log(2 * DEGREE / _WRONG)
    proxy = members * DEGREE / 2 * (secret + 2) / 12
    return math.sqrt(2 * proxy * math.log(2 * slots / _WRONG))
