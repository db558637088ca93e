r"""Mend a surrogate of the true game with a few retrained coalitions.

The surrogate :math:`u` (a game from statistics) is cheap everywhere, the true gain :math:`v` (retraining) is dear.
What is between them is taken for

.. math:: v(S) - u(S) = a\,u(S) + \sum_{i \in S} b_i + \sum_{i \in S} \frac{c_i}{1 + |S|} + \varepsilon

with normal priors on :math:`a, b, c`: a source that the true learner likes more or less than the surrogate, alone or in
company. It is linear, so the Shapley values of the mended game and their posterior are closed forms. Probes are chosen
before any is retrained, each where it lowers the posterior variance of the Shapley values most (A-optimal design,
Chaloner and Verdinelli 1995). Nothing is known of the empty coalition but that both games give it 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import METHODS, Game, Valuation, choose

__all__ = ["Mend", "design", "probed"]

_SCALE, _ALONE, _COMPANY = 0.3, 0.15, 1.0
"""Prior standard deviations of a (in itself), of b and of c (in mean surrogate gains, over the root of the players)."""

_NOISE = 0.1
"""Standard deviation of what the form above cannot tell, in the same unit."""

_CANDIDATES = 4_096
_GRADE = 4.0
"""Degrees of freedom with which the unit itself is believed before the probes are seen."""


@dataclass(frozen=True, eq=False)
class Mend:
    """What probes taught about the difference between two games of ``players`` sources.

    Parameters
    ----------
    mean : (1 + 2 players,) posterior mean of a, b, c
    covariance : of the same
    freedom : degrees of freedom of their Student distribution
    """

    mean: Vector
    covariance: Vector
    freedom: float

    def game(self, surrogate: Game) -> Game:
        """Return the mended game."""

        def mended(coalitions: Masks) -> Vector:
            told = surrogate(coalitions)
            return np.asarray(told + _terms(coalitions, told) @ self.mean, dtype=np.float64)

        return mended

    def values(self, surrogate: Vector) -> tuple[Vector, Vector]:
        """Return the (players,) Shapley values of the mended game and the half widths of their 95 % intervals.

        Parameters
        ----------
        surrogate : (players,) Shapley values of the surrogate
        """
        shares = _shares(surrogate)
        spread = np.sqrt(np.einsum("pr,rs,ps->p", shares, self.covariance, shares))
        return surrogate + shares @ self.mean, np.asarray(stats.t.ppf(0.975, self.freedom) * spread)

    @staticmethod
    def fit(coalitions: Masks, surrogate: Vector, truth: Vector, *, unit: float) -> "Mend":
        """Learn from (probes, players) coalitions and the gains that surrogate and truth give to them.

        ``unit`` is the scale of the priors, in the utility's unit; probes correct how far it is believed.
        """
        terms, prior = _terms(coalitions, surrogate), _prior(coalitions.shape[1], unit)
        noise = (_NOISE * unit) ** 2
        gain = np.linalg.solve(terms @ (prior[:, None] * terms.T) + noise * np.eye(len(terms)), terms * prior).T
        rest = truth - surrogate
        covariance = np.diag(prior) - gain @ terms * prior
        misfit = rest @ np.linalg.solve(terms @ (prior[:, None] * terms.T) + noise * np.eye(len(terms)), rest)
        freedom = _GRADE + len(rest)
        return Mend(gain @ rest, covariance * (_GRADE + misfit) / freedom, freedom)


def design(surrogate: Game, values: Vector, count: int, *, rng: np.random.Generator) -> Masks:
    """Return (count, players) coalitions to retrain, each the one that tells most after those before it.

    Parameters
    ----------
    values : (players,) Shapley values of the surrogate
    rng : draws candidates where there are too many coalitions to look at them all
    """
    coalitions = _candidates(len(values), rng)
    if not 0 < count <= len(coalitions):
        raise _too_many(count, len(coalitions))
    told = surrogate(coalitions)
    unit = _unit(values)
    terms, prior, noise = _terms(coalitions, told), _prior(len(values), unit), (_NOISE * unit) ** 2
    # Only these two products change as probes are added: terms · covariance · termsᵀ by columns, and its image in φ.
    factors: list[Vector] = []
    image = _shares(values) @ (prior[:, None] * terms.T)
    variance = np.einsum("cr,r,cr->c", terms, prior, terms)
    chosen: list[int] = []
    for _ in range(count):
        gained = (image**2).sum(axis=0) / (variance + noise)
        gained[chosen] = -1.0
        best = int(np.argmax(gained))
        column = terms @ (prior * terms[best]) - sum(
            (factor * factor[best] for factor in factors), np.zeros(len(terms))
        )
        scale = np.sqrt(variance[best] + noise)
        image = image - np.outer(image[:, best], column) / scale**2
        variance = np.maximum(variance - (column / scale) ** 2, 0.0)
        factors.append(column / scale)
        chosen.append(best)
    return coalitions[chosen]


def probed(
    surrogate: Game, truth: Game, players: Sequence[SourceId], *, probes: int, rng: np.random.Generator
) -> Valuation:
    """Value the players of ``truth``, a dear game, by a cheap one and that many coalitions of the dear one.

    ``evaluations`` counts those of the dear game alone.
    """
    method = choose(len(players))
    cheap = METHODS[method](surrogate, players, rng=rng)
    coalitions = design(surrogate, cheap.values, probes, rng=rng)
    mend = Mend.fit(coalitions, surrogate(coalitions), truth(coalitions), unit=_unit(cheap.values))
    values, reach = mend.values(cheap.values)
    reach = reach + (cheap.high - cheap.low) / 2
    return replace(cheap, values=values, low=values - reach, high=values + reach, evaluations=probes, method="probes")


def _unit(values: Vector) -> float:
    """Return the scale of the game: what its sources are worth together, without signs."""
    return max(float(np.abs(values).sum()), 1e-6)


def _prior(players: int, unit: float) -> Vector:
    """Return the (1 + 2 players,) prior variances."""
    each = unit**2 / players
    return np.concatenate([[_SCALE**2], np.full(players, _ALONE**2 * each), np.full(players, _COMPANY**2 * each)])


def _terms(coalitions: Masks, surrogate: Vector) -> Vector:
    """Return (coalitions, 1 + 2 players): what a, b and c are multiplied by."""
    members = coalitions.astype(np.float64)
    return np.hstack([surrogate[:, None], members, members / (1.0 + members.sum(axis=1, keepdims=True))])


def _shares(surrogate: Vector) -> Vector:
    """Return (players, 1 + 2 players): the Shapley values of each term.

    Of the game [i in S] g(|S|), i gets the mean of g over the sizes 1 … n, and every other one the mean, over the
    sizes k before it, of the chance k/(n−1) that i is there times the step of g.
    """
    n = len(surrogate)
    before = np.arange(n)
    other = float((before / max(n - 1, 1) * (1 / (2.0 + before) - 1 / (1.0 + before))).mean())
    company = np.full((n, n), other)
    np.fill_diagonal(company, (1 / (2.0 + before)).mean())
    return np.hstack([surrogate[:, None], np.eye(n), company])


def _candidates(players: int, rng: np.random.Generator) -> Masks:
    """Return all coalitions but the empty one, or a sample with all sizes alike and complements beside each other."""
    if 2**players - 1 <= _CANDIDATES:
        codes: npt.NDArray[np.int64] = np.arange(1, 2**players, dtype=np.int64)
        return np.asarray((codes[:, None] >> np.arange(players)) & 1, dtype=np.bool_)
    sizes = rng.integers(1, players, _CANDIDATES // 2)
    half = np.argsort(rng.random((len(sizes), players)), axis=1) < sizes[:, None]
    return np.unique(np.concatenate([half, ~half, np.ones((1, players), dtype=np.bool_)]), axis=0)


def _too_many(count: int, coalitions: int) -> Refusal:
    return Refusal(
        "E-VALUE-PROBES",
        Message(
            f"不能试训 {count} 个组合（共 {coalitions} 个）。", f"{count} of {coalitions} coalitions cannot be probed."
        ),
        Message(
            "请给出 1 到组合数之间的试训次数。", "Ask for at least one probe and no more than there are coalitions."
        ),
    )
