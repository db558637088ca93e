"""Noise that the members of a masked sum add together: each a share, so that the sum alone is noisy, once.

Every member adds Skellam noise to its vector before the protection takes it. Sums of Skellam noises are Skellam noises,
so what survivors' shares amount to is known exactly. A share is so large that the fewest survivors with whom a round
ends, less those who collude (a colluder knows its own share), reach the variance that the privacy takes. When more
survive there is more noise than it takes; ``event`` tells what there is. Whoever pays before a sum is told pays for the
fewest survivors, the worst that can come.

A protection that ends with fewer survivors than planned must not carry it: masks end a round at their quorum, and the
numbers here are theirs. ``event`` refuses anything less, before a sum is told.
"""

import math
from dataclasses import dataclass
from functools import partial

from headwater.errors import Message, Refusal
from headwater.security import divergence
from headwater.security.divergence import least, plus, require_claim
from headwater.security.events import Skellam
from headwater.security.gaussian_noise import require_tables
from headwater.security.identity import Entropy
from headwater.security.masking.graph import thresholds
from headwater.security.noise import skellam
from headwater.security.pact import Span
from headwater.types import Fixed

__all__ = ["SharedNoise"]


@dataclass(frozen=True)
class SharedNoise:
    """Shares of Skellam noise.

    Parameters
    ----------
    deviation : standard deviation that must stand in the sum, in steps of the grid
    fewest : survivors with whom a round still ends
    colluding : survivors whose shares may be known
    l2, l1 : by how many steps one record exchanged for another can move the sum
    """

    deviation: float
    fewest: int
    colluding: int
    l2: float
    l1: float

    @staticmethod
    def of(epsilon: float, delta: float, *, members: int, l2: float | None, length: int) -> "SharedNoise":
        """Return the least noise by which a masked sum of ``length`` values over so many members is (ε, δ)-private.

        Vectors are whole numbers, so L1 is at most the square of L2, and √length times L2.

        Raises
        ------
        Refusal
            as for ``GaussianNoise.of``
        """
        made = SharedNoise.sized(epsilon, delta, members=members, l2=l2, length=length)
        require_tables(members * length * skellam(made.share).variation, epsilon, delta)
        return made

    @staticmethod
    def sized(epsilon: float, delta: float, *, members: int, l2: float | None, length: int) -> "SharedNoise":
        """Return what ``of`` returns without making its table, which takes long: for plans, not to draw from."""
        sensitivity = require_claim(epsilon, delta, l2)
        numbers = thresholds(members)
        l1 = min(sensitivity**2, math.sqrt(length) * sensitivity)
        deviation = least(partial(divergence.skellam, l2=sensitivity, l1=l1), epsilon=epsilon, delta=delta)
        return SharedNoise(deviation, numbers.quorum, numbers.colluding, sensitivity, l1)

    @property
    def share(self) -> float:
        """Standard deviation of what one member adds."""
        return self.deviation / math.sqrt(self.fewest - self.colluding)

    def event(self, survivors: int) -> Skellam:
        """Return what a sum of so many survivors gives away; fewer than planned are refused."""
        if survivors < self.fewest:
            raise Refusal(
                "E-NOISE-SHORT",
                Message(
                    f"仅 {survivors} 个成员的噪声在和中，至少需要 {self.fewest} 个；不得公布。",
                    f"The noise of {survivors} of at least {self.fewest} members is in the sum: it must not be told.",
                ),
                Message("请作废本轮，重新开始。", "Discard the round and start a new one."),
            )
        return Skellam(self.share**2 * (survivors - self.colluding), self.l2, self.l1)

    def noised(self, values: Fixed, entropy: Entropy) -> Fixed:
        """Return a member's values with its share of the noise."""
        return plus(values, skellam(self.share).draw(len(values), entropy))

    def widened(self, span: Span) -> Span:
        """Return the bounds that no member's noised value leaves, whatever is drawn."""
        reach = skellam(self.share).reach
        return Span(span.low - reach, span.high + reach)
