r"""Mend a surrogate of the true game with a few retrained coalitions.

The surrogate :math:`u` (a game from statistics) is cheap everywhere, the true gain :math:`v` (retraining) is dear.
What is between them is taken for

.. math::

   v(S) - u(S) = a\,u(S) + \sum_k s_k (u_k(S) - u(S)) + \sum_{i \in S} b_i + \sum_{i \in S} \frac{c_i}{1 + |S|}
   + \varepsilon

with normal priors on :math:`a, s, b, c`: other surrogates :math:`u_k` from the same answers may be nearer to the true
learner, and it may like a source more or less than they do, alone or in company. It is linear, so the Shapley values of
the mended game and their posterior are closed forms. How far :math:`s, b, c` and :math:`\varepsilon` are believed is
averaged over a few beliefs by their marginal likelihood: what agrees with the surrogate leaves it alone.

Probes are chosen before any is retrained, each where it lowers the posterior variance of the Shapley values most
(A-optimal design, Chaloner and Verdinelli 1995). Nothing is known of the empty coalition but that all games give it 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import stats

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import METHODS, Game, Valuation, choose

__all__ = ["Belief", "Mend", "design", "probed"]

_SCALE, _ALONE, _COMPANY = 0.3, 0.15, 1.0
"""Prior standard deviations of a (in itself), of b and of c (in mean surrogate gains, over the root of the players)."""


@dataclass(frozen=True)
class Belief:
    """How far the surrogate may be wrong before a probe is seen.

    Parameters
    ----------
    each : b and c may be that many times their usual size
    blend : standard deviation of s
    noise : standard deviation of what the form above cannot tell, in the scale of the game
    """

    each: float
    blend: float
    noise: float


_USUAL = Belief(1.0, 0.5, 0.1)
_BELIEFS = tuple(
    Belief(each, blend, noise)
    for each, blend, noise in product((0.25, 0.5, 1.0, 2.0), (0.2, 0.7), (0.02, 0.05, 0.1, 0.2))
)

_CANDIDATES = 4_096
_GRADE = 4.0
"""Degrees of freedom with which the unit itself is believed before the probes are seen."""


@dataclass(frozen=True, eq=False)
class Mend:
    """What probes taught about the difference between two games of ``players`` sources.

    Parameters
    ----------
    mean : (1 + others + 2 players,) posterior mean of a, s, b, c
    covariance : of the same
    freedom : degrees of freedom of their Student distribution
    """

    mean: Vector
    covariance: Vector
    freedom: float

    def game(self, surrogate: Game, others: Sequence[Game] = ()) -> Game:
        """Return the mended game."""

        def mended(coalitions: Masks) -> Vector:
            told = surrogate(coalitions)
            terms = _terms(coalitions, told, _told(others, coalitions))
            return np.asarray(told + terms @ self.mean, dtype=np.float64)

        return mended

    def values(self, surrogate: Vector, others: Vector | None = None) -> tuple[Vector, Vector]:
        """Return the (players,) Shapley values of the mended game and the half widths of their 95 % intervals.

        Parameters
        ----------
        surrogate : (players,) Shapley values of the surrogate
        others : (players, others) those of the other surrogates
        """
        shares = _shares(surrogate, others)
        spread = np.sqrt(np.maximum(np.einsum("pr,rs,ps->p", shares, self.covariance, shares), 0.0))
        return surrogate + shares @ self.mean, np.asarray(stats.t.ppf(0.975, self.freedom) * spread)

    @staticmethod
    def fit(
        coalitions: Masks,
        surrogate: Vector,
        truth: Vector,
        *,
        unit: float,
        others: Vector | None = None,
        beliefs: Sequence[Belief] = _BELIEFS,
    ) -> "Mend":
        """Learn from (probes, players) coalitions and the gains that surrogate and truth give to them.

        Parameters
        ----------
        unit : scale of the priors, in the utility's unit; probes correct how far it is believed
        others : (probes, others) what other surrogates say of the coalitions
        beliefs : averaged by how likely each makes what was seen
        """
        terms, rest = _terms(coalitions, surrogate, others), truth - surrogate
        found = [_posterior(terms, rest, coalitions.shape[1], unit, belief) for belief in beliefs]
        likely = np.array([log for _, _, log in found])
        share = np.exp(likely - likely.max())
        share /= share.sum()
        mean = sum((part * mean for part, (mean, _, _) in zip(share, found, strict=True)), np.zeros(terms.shape[1]))
        covariance = np.zeros((len(mean), len(mean)))
        for part, (own, spread, _) in zip(share, found, strict=True):
            covariance += part * (spread + np.outer(own - mean, own - mean))
        return Mend(mean, covariance, _GRADE + len(rest))


def _posterior(terms: Vector, rest: Vector, players: int, unit: float, belief: Belief) -> tuple[Vector, Vector, float]:
    """Return mean and covariance of what ``terms`` are multiplied by, and the log of the marginal likelihood."""
    prior = _prior(players, terms.shape[1] - 1 - 2 * players, unit, belief)
    seen = terms @ (prior[:, None] * terms.T) + (belief.noise * unit) ** 2 * np.eye(len(terms))
    gain = np.linalg.solve(seen, terms * prior).T
    misfit = float(rest @ np.linalg.solve(seen, rest))
    freedom = _GRADE + len(rest)
    likely = -0.5 * np.linalg.slogdet(seen)[1] - 0.5 * freedom * np.log1p(misfit / _GRADE)
    return gain @ rest, (np.diag(prior) - gain @ terms * prior) * (_GRADE + misfit) / freedom, float(likely)


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
    terms, prior, noise = _terms(coalitions, told), _prior(len(values), 0, unit, _USUAL), (_USUAL.noise * unit) ** 2
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
    surrogate: Game,
    truth: Game,
    players: Sequence[SourceId],
    *,
    probes: int,
    rng: np.random.Generator,
    others: Sequence[Game] = (),
) -> Valuation:
    """Value the players of ``truth``, a dear game, by a cheap one and that many coalitions of the dear one.

    Parameters
    ----------
    others : further surrogates, as cheap; see ``Choice.play``

    ``evaluations`` counts those of the dear game alone.
    """
    solve = METHODS[choose(len(players))]
    cheap = solve(surrogate, players, rng=rng)
    coalitions = design(surrogate, cheap.values, probes, rng=rng)
    mend = Mend.fit(
        coalitions,
        surrogate(coalitions),
        truth(coalitions),
        unit=_unit(cheap.values),
        others=_told(others, coalitions),
    )
    shares = [solve(other, players, rng=rng).values for other in others]
    values, reach = mend.values(cheap.values, np.stack(shares, axis=1) if shares else None)
    reach = reach + (cheap.high - cheap.low) / 2
    return replace(cheap, values=values, low=values - reach, high=values + reach, evaluations=probes, method="probes")


def _told(others: Sequence[Game], coalitions: Masks) -> Vector | None:
    """Return (coalitions, others): what the other surrogates say."""
    return np.stack([other(coalitions) for other in others], axis=1) if others else None


def _unit(values: Vector) -> float:
    """Return the scale of the game: what its sources are worth together, without signs."""
    return max(float(np.abs(values).sum()), 1e-6)


def _prior(players: int, others: int, unit: float, belief: Belief) -> Vector:
    """Return the (1 + others + 2 players,) prior variances."""
    each = (belief.each * unit) ** 2 / players
    own = [np.full(players, _ALONE**2 * each), np.full(players, _COMPANY**2 * each)]
    return np.concatenate([[_SCALE**2], np.full(others, belief.blend**2), *own])


def _blended(surrogate: Vector, others: Vector | None) -> Vector:
    """Return (rows, 1 + others): the surrogate, and how the others differ from it."""
    own = surrogate[:, None]
    return own if others is None else np.hstack([own, others - own])


def _terms(coalitions: Masks, surrogate: Vector, others: Vector | None = None) -> Vector:
    """Return (coalitions, 1 + others + 2 players): what a, s, b and c are multiplied by."""
    members = coalitions.astype(np.float64)
    return np.hstack([_blended(surrogate, others), members, members / (1.0 + members.sum(axis=1, keepdims=True))])


def _shares(surrogate: Vector, others: Vector | None = None) -> Vector:
    """Return (players, 1 + others + 2 players): the Shapley values of each term.

    Of the game [i in S] g(|S|), i gets the mean of g over the sizes 1 … n, and every other one the mean, over the
    sizes k before it, of the chance k/(n−1) that i is there times the step of g.
    """
    n = len(surrogate)
    before = np.arange(n)
    other = float((before / max(n - 1, 1) * (1 / (2.0 + before) - 1 / (1.0 + before))).mean())
    company = np.full((n, n), other)
    np.fill_diagonal(company, (1 / (2.0 + before)).mean())
    return np.hstack([_blended(surrogate, others), np.eye(n), company])


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
