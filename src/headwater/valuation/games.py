"""Games whose values are known in closed form, by every concept: the oracles of the valuation methods."""

from dataclasses import dataclass
from math import comb
from typing import Protocol

import numpy as np

from headwater.types import Masks, Vector

__all__ = [
    "Additive",
    "Airport",
    "Glove",
    "Majority",
    "ORACLES",
    "Oracle",
    "Square",
    "Unanimity",
]


class Oracle(Protocol):
    """A game that knows its own values."""

    @property
    def size(self) -> int:
        """Number of players."""
        ...

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        ...

    def shapley(self) -> Vector:
        """Return the (players,) Shapley values: the mean marginal over orders of arrival."""
        ...

    def banzhaf(self) -> Vector:
        """Return the (players,) Banzhaf values: the mean marginal over coalitions of the others."""
        ...

    def leave_one_out(self) -> Vector:
        """Return the (players,) marginals to all the others."""
        ...


@dataclass(frozen=True)
class Additive:
    """Everyone brings their own weight: v(S) = Σ w_i, φ_i = w_i."""

    weights: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of players."""
        return len(self.weights)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray(coalitions @ np.array(self.weights), dtype=np.float64)

    def shapley(self) -> Vector:
        """Return w."""
        return np.array(self.weights)

    def banzhaf(self) -> Vector:
        """Return w."""
        return self.shapley()

    def leave_one_out(self) -> Vector:
        """Return w."""
        return self.shapley()


@dataclass(frozen=True)
class Square:
    """Everyone multiplies with everyone: v(S) = (Σ w_i)², φ_i = w_i Σ w_j; negative weights make harmful players."""

    weights: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of players."""
        return len(self.weights)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray((coalitions @ np.array(self.weights)) ** 2, dtype=np.float64)

    def shapley(self) -> Vector:
        """Return w Σw: each product w_i w_j is shared equally by its two players."""
        weights = np.array(self.weights)
        return np.asarray(weights * weights.sum(), dtype=np.float64)

    def banzhaf(self) -> Vector:
        """Return w Σw: where no more than two players interact, both concepts agree."""
        return self.shapley()

    def leave_one_out(self) -> Vector:
        """Return (Σw)² − (Σw − w)²."""
        weights = np.array(self.weights)
        return np.asarray(2 * weights * weights.sum() - weights**2, dtype=np.float64)


@dataclass(frozen=True)
class Unanimity:
    """The first ``carriers`` of ``size`` players are worth 1 together and nothing apart; the rest are null players."""

    size: int
    carriers: int

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray(coalitions[:, : self.carriers].all(axis=1), dtype=np.float64)

    def shapley(self) -> Vector:
        """Return 1/carriers for each carrier."""
        return self._carried(1.0 / self.carriers)

    def banzhaf(self) -> Vector:
        """Return 2^(1 - carriers) for each carrier: how often the others are all there."""
        return self._carried(2.0 ** (1 - self.carriers))

    def leave_one_out(self) -> Vector:
        """Return 1 for each carrier."""
        return self._carried(1.0)

    def _carried(self, value: float) -> Vector:
        return np.where(np.arange(self.size) < self.carriers, value, 0.0)


@dataclass(frozen=True)
class Glove:
    """Player 0 holds the only left glove, the other players one right glove each; a pair is worth 1."""

    size: int

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray(coalitions[:, 0] & coalitions[:, 1:].any(axis=1), dtype=np.float64)

    def shapley(self) -> Vector:
        """Return r/(r+1) for the left glove and 1/(r(r+1)) for each of the r right ones."""
        right = self.size - 1
        values = np.full(self.size, 1.0 / (right * (right + 1)))
        values[0] = right / (right + 1)
        return values

    def banzhaf(self) -> Vector:
        """Return 1 − 2^-r for the left glove and 2^-r for each right one."""
        share = 2.0 ** (1 - self.size)
        return np.where(np.arange(self.size) == 0, 1.0 - share, share)

    def leave_one_out(self) -> Vector:
        """Return 1 for the left glove, and nothing for a right one that another replaces."""
        return np.where(np.arange(self.size) == 0, 1.0, float(self.size == 2))


@dataclass(frozen=True)
class Airport:
    """A runway for the largest aeroplane: v(S) = max c_i.

    Source: Littlechild and Owen 1973; each stretch of runway is shared equally by those who need it.
    """

    costs: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of players."""
        return len(self.costs)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray((coalitions * np.array(self.costs)).max(axis=1), dtype=np.float64)

    def shapley(self) -> Vector:
        """Return the sum, over the stretches a player needs, of length / number of users."""
        costs = np.array(self.costs)
        order = np.argsort(costs)
        stretches = np.diff(costs[order], prepend=0.0) / np.arange(self.size, 0, -1)
        values = np.empty(self.size)
        values[order] = np.cumsum(stretches)
        return values

    def banzhaf(self) -> Vector:
        """Return what each adds to the largest of a random set of the others: the k-th largest with chance 2^-k."""
        costs = np.array(self.costs)
        values = np.empty(self.size)
        for player, cost in enumerate(costs):
            largest = np.append(np.sort(np.delete(costs, player))[::-1], 0.0)
            chance = 0.5 ** np.minimum(np.arange(1, self.size + 1), self.size - 1)
            values[player] = chance @ np.maximum(cost - largest, 0.0)
        return values

    def leave_one_out(self) -> Vector:
        """Return the stretch that nobody else needs."""
        costs = np.array(self.costs)
        others = [np.delete(costs, player).max(initial=0.0) for player in range(self.size)]
        return np.asarray(costs.max() - np.minimum(costs.max(), others), dtype=np.float64)


@dataclass(frozen=True)
class Majority:
    """More than half of the players decide: φ_i = 1/n by symmetry."""

    size: int

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of each coalition."""
        return np.asarray(2 * coalitions.sum(axis=1) > self.size, dtype=np.float64)

    def shapley(self) -> Vector:
        """Return 1/n."""
        return np.full(self.size, 1.0 / self.size)

    def banzhaf(self) -> Vector:
        """Return how often the others lack exactly one vote."""
        return np.full(self.size, comb(self.size - 1, self.size // 2) / 2.0 ** (self.size - 1))

    def leave_one_out(self) -> Vector:
        """Return 1 while two or fewer play, for then everyone is needed."""
        return np.full(self.size, float(self.size <= 2))


ORACLES: dict[str, Oracle] = {
    "additive": Additive((3.0, -1.0, 0.0, 0.5, 2.25, -0.125)),
    "airport": Airport((1.0, 1.0, 2.0, 5.0, 8.0)),
    "glove": Glove(5),
    "majority": Majority(7),
    "square": Square((1.0, 0.5, -0.5, 2.0, 0.0, 0.25)),
    "unanimity": Unanimity(6, 3),
}
"""One small instance of each game, by name."""
