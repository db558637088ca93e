r"""Mend a surrogate of the true game with a few retrained coalitions.

The surrogate (ridges on statistics) is cheap everywhere, the true learner (retraining) is dear. Both say of a coalition
more than one number: what its model predicts for each of the target's validation records. The difference

.. math:: r_S = f_S - g_S

of the two predictions is taken for a Gaussian process over coalitions, the same for every record and free between
records, whose covariance is ``Kinship``. A few retrained coalitions give its posterior mean everywhere in closed form
(Rasmussen and Williams 2006, chapter 2); the gain in R² follows from the mended predictions. A gain is a square, so
hundreds of predictions tell where it comes from, of which one number says nothing.

Probes are chosen before any is retrained, each where it lowers the posterior variance of the Shapley values most
(A-optimal design, Chaloner and Verdinelli 1995). So they may be trained together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from numbers import Integral
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy import stats

from headwater.errors import Message, Refusal
from headwater.federation import Transport
from headwater.statistics.features import Features
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.choice import choose_features, together
from headwater.valuation.target import Target
from headwater.valuation.utility import (
    Asked,
    Predicting,
    Utility,
    gain,
    placed,
    r2,
    require_predictions,
    require_sources,
)
from headwater.valuation.valuation import choose

__all__ = ["Candidates", "Kinship", "Mended", "Probed", "Surrogate", "design"]

_SHARED, _OWN, _FADE, _NOISE = 3.0, 1.8, 0.5, 0.05
_CANDIDATES = 2_048
_LARGEST_ENUMERATED = 11


@runtime_checkable
class Surrogate(Predicting, Protocol):
    """A game that predicts and knows how many records everyone has."""

    @property
    def records(self) -> Vector:
        """Records of the target and of each source, (1 + sources,)."""
        ...


@dataclass(frozen=True, eq=False)
class Kinship:
    r"""How alike two coalitions are in what a surrogate gets wrong about them: a covariance, without a unit.

    .. math::

       k(S, T) = 1 + 3 n \sum_i w_i(S) w_i(T) + \frac{1.8 \cdot 2^{-|S \triangle T|}}{\sqrt{(1 + |S|)(1 + |T|)}}

    with :math:`w_i(S)` the share of source i in the records of target and S: one part is common to all, one goes with
    the share of each source, and one is a coalition's own, is lost within some sources and fades in company.

    Parameters
    ----------
    records : (1 + players,) records of the target and of each source
    """

    records: Vector

    def __call__(self, some: Masks, others: Masks) -> Vector:
        """Return the (m, k) covariances of (m, players) and (k, players) coalitions."""
        one, two = some.astype(np.float64), others.astype(np.float64)
        sizes, lengths = one.sum(axis=1), two.sum(axis=1)
        apart = sizes[:, None] + lengths - 2 * one @ two.T
        company = np.sqrt((1 + sizes)[:, None] * (1 + lengths))
        shared = len(self.records[1:]) * self._shares(one) @ self._shares(two).T
        return np.asarray(1.0 + _SHARED * shared + _OWN * _FADE**apart / company)

    def of_each(self, some: Masks) -> Vector:
        """Return the (m,) variances of (m, players) coalitions."""
        shared = len(self.records[1:]) * (self._shares(some) ** 2).sum(axis=1)
        return np.asarray(1.0 + _SHARED * shared + _OWN / (1 + some.sum(axis=1)))

    def _shares(self, coalitions: Masks | Vector) -> Vector:
        brought = coalitions * self.records[1:]
        return np.asarray(brought / (self.records[0] + brought.sum(axis=1, keepdims=True)))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Coalitions among which probes are chosen, and the Shapley values as weighted sums over them.

    Parameters
    ----------
    coalitions : (m, players); all of them up to eleven players, else a sample in which all sizes are alike
    weights : (players, m) so that ``weights @ v`` are the Shapley values of a game with utilities v, or estimates
    """

    coalitions: Masks
    weights: Vector

    @staticmethod
    def of(players: int, rng: np.random.Generator) -> "Candidates":
        """Return the candidates for a number of players; a sample holds coalitions beside their complements."""
        if players <= _LARGEST_ENUMERATED:
            codes: npt.NDArray[np.int64] = np.arange(2**players, dtype=np.int64)
            coalitions = np.asarray((codes[:, None] >> np.arange(players)) & 1, dtype=np.bool_)
            each = np.array([1.0 / ((players + 1) * comb(players, size)) for size in range(players + 1)])
            return Candidates(coalitions, _shapley_weights(coalitions, each[coalitions.sum(axis=1)]))
        sizes = rng.integers(0, players + 1, _CANDIDATES // 2)
        half = np.argsort(np.argsort(rng.random((len(sizes), players)), axis=1), axis=1) < sizes[:, None]
        sample: Masks = np.concatenate([half, ~half])
        return Candidates(sample, _shapley_weights(sample, np.full(len(sample), 1.0 / len(sample))))


def _shapley_weights(coalitions: Masks, chances: Vector) -> Vector:
    """Return (players, m): with all sizes alike, φ_i is the mean of (n + 1) v / |S| with i less (n + 1) v / |N − S|."""
    players, sizes = coalitions.shape[1], coalitions.sum(axis=1)
    inside = np.where(coalitions, 1.0 / np.maximum(sizes, 1)[:, None], 0.0)
    outside = np.where(coalitions, 0.0, 1.0 / np.maximum(players - sizes, 1)[:, None])
    return np.asarray(((players + 1) * chances[:, None] * (inside - outside)).T)


def design(kinship: Kinship, candidates: Candidates, count: int) -> Masks:
    """Return (count, players) coalitions to retrain, each what tells most after the empty one and those before."""
    coalitions = candidates.coalitions
    usable = coalitions.any(axis=1)
    if not 0 < count <= usable.sum():
        raise _too_many(count, int(usable.sum()))
    # Only these change as probes are added: the variance of every candidate and its covariance with the values.
    factors: list[Vector] = []
    variance, image = kinship.of_each(coalitions), candidates.weights @ kinship(coalitions, coalitions)
    chosen: list[int] = []
    best = int(np.argmin(usable)) if not usable.all() else -1
    while len(chosen) < count:
        if best >= 0:
            column = kinship(coalitions, coalitions[best : best + 1])[:, 0]
            column = column - sum((factor * factor[best] for factor in factors), np.zeros(len(column)))
            scale = np.sqrt(variance[best] + _NOISE)
            image = image - np.outer(image[:, best], column) / scale**2
            variance = np.maximum(variance - (column / scale) ** 2, 0.0)
            factors.append(column / scale)
        gained = np.where(usable, (image**2).sum(axis=0) / (variance + _NOISE), -1.0)
        best = int(np.argmax(gained))
        usable &= (coalitions != coalitions[best]).any(axis=1)
        chosen.append(best)
    return coalitions[chosen]


@dataclass(frozen=True, eq=False)
class Mended:
    """The game of a surrogate's predictions, mended by what probes taught of the difference to the truth.

    Parameters
    ----------
    surrogate : cheap everywhere
    kinship : covariance of the difference between coalitions
    probes : (p, players) coalitions whose truth is known, the empty one first
    told, truth : (p, rows) predictions of surrogate and truth for them
    """

    surrogate: Predicting
    kinship: Kinship
    probes: Masks
    told: Vector
    truth: Vector

    @staticmethod
    def by(surrogate: Predicting, truth: Predicting, kinship: Kinship, coalitions: Masks) -> "Mended":
        """Retrain the (m, players) coalitions, and the target alone, and mend the surrogate with them."""
        probes = np.concatenate([np.zeros((1, coalitions.shape[1]), dtype=np.bool_), coalitions])
        true = require_predictions(truth.predictions(probes), (len(probes), len(surrogate.labels)), of="truth")
        return Mended(surrogate, kinship, probes, surrogate.predictions(probes), true)

    @property
    def labels(self) -> Vector:
        """The (rows,) labels of the validation records."""
        return self.surrogate.labels

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the gain in R² over the target alone."""
        return gain(self, coalitions)

    def predictions(self, coalitions: Masks) -> Vector:
        """Return the (m, rows) posterior means of what the true learner predicts."""
        known = self._inverse @ (self.truth - self.told)
        return self.surrogate.predictions(coalitions) + self.kinship(coalitions, self.probes) @ known

    def reach(self, candidates: Candidates) -> Vector:
        """Return the (players,) half widths of the 95 % intervals that the difference leaves to the Shapley values.

        The covariance has its unit from the probes: the mean square by which the gain of each is missed by the others,
        in units of what is unknown of it then.
        """
        inverse = self._inverse
        unknown = 1.0 / np.diag(inverse)
        left_out = self.truth - inverse @ (self.truth - self.told) * unknown[:, None]
        missed = r2(self.labels, self.truth) - r2(self.labels, left_out)
        unit = float(np.mean(missed**2 / unknown))
        coalitions, weights = candidates.coalitions, candidates.weights
        seen = weights @ self.kinship(coalitions, self.probes)
        before = np.einsum("pc,pc->p", weights @ self.kinship(coalitions, coalitions), weights)
        left = before - np.einsum("pk,kl,pl->p", seen, inverse, seen)
        return np.asarray(stats.t.ppf(0.975, len(unknown)) * np.sqrt(unit * np.maximum(left, 0.0)))

    @cached_property
    def _inverse(self) -> Vector:
        return np.asarray(np.linalg.inv(self.kinship(self.probes, self.probes) + _NOISE * np.eye(len(self.probes))))


@dataclass(frozen=True)
class Probed:
    """A utility: what ``choose_features`` tells, mended with a few coalitions of a dear one.

    Parameters
    ----------
    truth : retrains coalitions; its game must predict, as that of ``Retraining`` does
    probes : most coalitions to retrain, beside the target alone; few sources have fewer
    surrogate : None for ``choose_features`` of the target; its game must be a ``Surrogate``
    """

    truth: Utility
    probes: int = 12
    surrogate: Utility | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.probes, Integral) or self.probes < 1:
            raise _no_probes(self.probes)

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Ask for statistics and for what the truth needs; who cannot answer one of them is left out.

        Raises
        ------
        Refusal
            ``E-VALUE-PREDICTIONS`` where the truth does not predict, ``E-VALUE-FINITE`` where it predicts no numbers,
            and what either utility refuses
        """
        cheap = (self.surrogate or choose_features(target)).play(federation, target, features, rng=rng)
        dear = self.truth.play(federation, target, features, rng=rng)
        surrogate, truth = getattr(cheap, "game", None), getattr(dear, "game", None)
        if not isinstance(surrogate, Surrogate) or not isinstance(truth, Predicting):
            raise _no_predictions()
        players = tuple(player for player in cheap.players if player in dear.players)
        refused = {**cheap.refused, **dear.refused}
        require_sources(dict.fromkeys(players), refused)
        candidates = Candidates.of(len(players), rng)
        kinship = Kinship(surrogate.records[[0, *(1 + cheap.players.index(player) for player in players)]])
        cheap_among, dear_among = _Among(surrogate, players, cheap.players), _Among(truth, players, dear.players)
        game = Mended.by(cheap_among, dear_among, kinship, self._design(kinship, candidates))
        exchange = together([cheap.exchange, dear.exchange])
        asked, why = (cheap.features, cheap.why) if isinstance(cheap, Asked) else ((), None)
        return Asked(game, players, exchange, refused, reach=game.reach(candidates), features=asked, why=why)

    def _design(self, kinship: Kinship, candidates: Candidates) -> Masks:
        """Return the probes, or all coalitions where there are no more."""
        distinct = np.unique(candidates.coalitions[candidates.coalitions.any(axis=1)], axis=0)
        return design(kinship, candidates, min(self.probes, len(distinct)))

    def method(self, players: int) -> str:
        """Return ``exact`` while it takes seconds."""
        return choose(players)


@dataclass(frozen=True, eq=False)
class _Among:
    """A game of ``everyone`` in which only ``players`` may join."""

    game: Predicting
    players: Sequence[SourceId]
    everyone: Sequence[SourceId]

    @property
    def labels(self) -> Vector:
        return self.game.labels

    def predictions(self, coalitions: Masks) -> Vector:
        return self.game.predictions(placed(coalitions, self.players, self.everyone))


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


def _no_probes(given: object) -> Refusal:
    return Refusal(
        "E-VALUE-PROBES",
        Message(f"试训次数 {given!r} 不是大于 0 的整数。", f"{given!r} probes: no whole number above 0."),
        Message("请给出整数，如 12。", "Give a whole number, e.g. 12."),
    )


def _no_predictions() -> Refusal:
    return Refusal(
        "E-VALUE-PREDICTIONS",
        Message("试训需要能给出预测的效用。", "Probes need utilities whose games predict."),
        Message("请使用 Probed(Retraining(fit))。", "Use Probed(Retraining(fit))."),
    )
