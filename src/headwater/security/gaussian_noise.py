"""Noise that one party adds to a whole vector by itself: local at a source, central at a tier.

Noise acts on the vector, and any protection carries it. A source that adds it before it answers is protected against
everybody, its tier included. A tier that adds it once to the sum protects against whoever reads the sum; the sources
trust the tier, and the noise stands once instead of once a source. Sensitivity is the same in both: one record stands
in one source.

Noise that is drawn twice for one vector can be averaged away: what was noised is kept before it is told, and told again
as it is. Members of a round do so by themselves, for they ask for their vector once.
"""

import math
from dataclasses import dataclass
from functools import partial

from headwater.errors import Message, Refusal
from headwater.security.divergence import TABLES, gaussian, least, plus, require_claim
from headwater.security.events import DiscreteGaussian
from headwater.security.identity import Entropy
from headwater.security.noise import discrete_gaussian
from headwater.security.pact import Span
from headwater.types import Fixed

__all__ = ["GaussianNoise", "require_tables"]


@dataclass(frozen=True)
class GaussianNoise:
    """Discrete Gaussian noise on every value.

    Parameters
    ----------
    deviation : standard deviation, in steps of the grid
    l2 : by how many steps (L2) one record exchanged for another can move the vector; who clips sees to that
    """

    deviation: float
    l2: float

    @staticmethod
    def of(epsilon: float, delta: float, *, l2: float | None, length: int) -> "GaussianNoise":
        """Return the least noise by which a vector of ``length`` values is (ε, δ)-private.

        Raises
        ------
        Refusal
            ``E-NOISE-SENSITIVITY``, ``E-NOISE-CLAIM``; ``E-NOISE-RANGE`` for a grid too fine or too coarse;
            ``E-NOISE-TABLE`` where tables of 64 bits are not good enough for so small a δ
        """
        made = GaussianNoise.sized(epsilon, delta, l2=l2)
        require_tables(length * discrete_gaussian(made.deviation).variation, epsilon, delta)
        return made

    @staticmethod
    def sized(epsilon: float, delta: float, *, l2: float | None) -> "GaussianNoise":
        """Return what ``of`` returns without making its table, which takes long: for plans, not to draw from."""
        sensitivity = require_claim(epsilon, delta, l2)
        return GaussianNoise(least(partial(gaussian, l2=sensitivity), epsilon=epsilon, delta=delta), sensitivity)

    @property
    def event(self) -> DiscreteGaussian:
        """What a ledger debits."""
        return DiscreteGaussian(self.deviation / self.l2)

    def noised(self, values: Fixed, entropy: Entropy) -> Fixed:
        """Return the values with noise made of ``entropy``."""
        return plus(values, discrete_gaussian(self.deviation).draw(len(values), entropy))

    def widened(self, span: Span) -> Span:
        """Return the bounds that no noised value leaves, whatever is drawn."""
        reach = discrete_gaussian(self.deviation).reach
        return Span(span.low - reach, span.high + reach)


def require_tables(variation: float, epsilon: float, delta: float) -> None:
    """Refuse noise whose tables, this far off in all, could cost more than their share of δ."""
    if (1 + math.exp(epsilon)) * variation > TABLES * delta:
        raise Refusal(
            "E-NOISE-TABLE",
            Message(
                f"在 δ = {delta:g} 下，噪声表的精度不足。", f"Tables of noise are too coarse for a δ of {delta:g}."
            ),
            Message("请用更大的 δ、更粗的网格或更短的向量。", "Take a larger δ, a coarser grid or a shorter vector."),
        )
