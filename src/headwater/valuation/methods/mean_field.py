r"""Values of very many players: everyone's marginal at each of a few coalitions.

.. math:: \varphi_i = \frac{1}{n} \sum_{s=0}^{n-1} \mathrm{E}\,\bigl[v(S \cup i) - v(S)\bigr],\; |S| = s,\; i \notin S

A permutation gives one player's marginal per coalition, this gives all of them. Sizes are cut into stretches that grow
in proportion; a coalition of size k serves size k of those outside and size k − 1 of its members. Members are drawn as
stretches of random orders, so that everyone is used equally often. The smallest and the largest size are exact.

That the values must sum to v(N) is used as a control variate: what is missing is shared in proportion to each
estimate's sampled covariance with the sum, the best linear correction, and nothing for a player without doubt.

Sources: Owen 1972 (multilinear extension); Okhrati and Lipani 2021 (its sampling). The interval is the spread within
stretches.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy import stats

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.utility import Asked
from headwater.valuation.valuation import METHODS, Game, Valuation, require_players

__all__ = ["Design", "Marginal", "SelfReported", "mean_field"]

_DRAWS = 160
_GROWTHS = (1.3, 1.6, 2.0, 3.0)
_DECAY = 1.5
"""Marginals fall like the square of the size, their spread a little slower: coalitions go where both weigh most."""

_FEWEST = 2
_Whole = npt.NDArray[np.int64]
_Stretch: TypeAlias = tuple[_Whole, Masks, float]
"""Of a stretch its draws, which players meet it in each of them (draws, players), and its share of all sizes."""


@runtime_checkable
class Marginal(Protocol):
    """A game that knows every player's marginal at a coalition for less than the price of all the coalitions."""

    def marginals(self, coalitions: Masks) -> Vector:
        """Return (m, players): v(S with i) − v(S without i)."""
        ...


@runtime_checkable
class SelfReported(Protocol):
    """A game whose players worked out their own values."""

    def reported(self) -> Vector:
        """Return the (players,) values."""
        ...

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utility of the coalitions of nobody and of everybody."""
        ...


@dataclass(frozen=True, eq=False)
class _Plan:
    """Stretches ``edges[b] … edges[b + 1] - 1`` of sizes of the coalition that a player meets, and draws in each."""

    edges: _Whole
    draws: _Whole

    @property
    def total(self) -> int:
        return int(self.draws.sum())


@dataclass(frozen=True, eq=False)
class Design:
    """Which coalitions are looked at, and how everyone's marginals there become values.

    Parameters
    ----------
    plan : stretches of sizes and the draws in each
    coalitions : (draws, players): the empty one first, that of all players last
    stretches : what follows from both, kept
    """

    plan: _Plan
    coalitions: Masks
    stretches: tuple[_Stretch, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stretches", tuple(_stretches(self.plan, self.coalitions)))

    @staticmethod
    def draw(size: int, *, rng: np.random.Generator, budget: int | None = None) -> "Design":
        """Draw for ``size`` players; a budget that is too small is refused."""
        plan = _plan(size, budget)
        return Design(plan, _draw(plan, size, rng))

    def estimate(self, marginals: Vector, *, gain: float) -> tuple[Vector, Vector, Vector]:
        """Return (players,) values that sum to ``gain``, half-widths of their intervals, shares of what was missing.

        Parameters
        ----------
        marginals : (draws, players)
        """
        means, deviations = _stratified(self.stretches, marginals)
        shares = _shares(means, deviations)
        freedom = max(1, self.plan.total - len(self.plan.draws))
        reach = stats.t.ppf(0.975, freedom) * np.sqrt(np.einsum("mn,mn->n", deviations, deviations))
        return means + shares * (gain - means.sum()), reach, shares

    def weights(self) -> Vector:
        """Return (draws, players): what each marginal weighs in its player's value."""
        found = np.zeros(self.coalitions.shape)
        carried = np.zeros(self.coalitions.shape[1])
        for rows, serves, share in reversed(self.stretches):
            count = serves.sum(axis=0)
            # Sizes at which a player is never met count for those below, see ``_stratified``.
            whole = share + carried
            carried = np.where(count > 0, 0.0, whole)
            found[rows] += np.where(serves, whole / np.maximum(count, 1), 0.0)
        return found


@METHODS.register("mean_field")
def mean_field(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value any number of players; a budget below two coalitions with all their neighbours a stretch is refused.

    An evaluated coalition counts with its neighbours (n + 1 evaluations), also where the game is quicker than that.
    """
    names = require_players(players)
    size = len(names)
    if isinstance(game, SelfReported):
        return _reported(game, names)
    design = Design.draw(size, rng=rng, budget=budget)
    marginals = _marginals(game, design.coalitions)
    ends = game(np.array([[False] * size, [True] * size]))
    values, reach, _ = design.estimate(marginals, gain=float(ends[1] - ends[0]))
    evaluations = len(design.coalitions) * (size + 1) + 2
    return Valuation(names, values, values - reach, values + reach, evaluations, "mean_field")


def _reported(game: SelfReported, names: tuple[SourceId, ...]) -> Valuation:
    """Return reported values, corrected alike to sum to v(N); what is missing in the sum tells how far they scatter.

    Noise that was put into them on purpose is known, and counts besides: the sum of much noise may be small by chance.
    """
    size, values = len(names), game.reported()
    ends = game(np.array([[False] * size, [True] * size]))
    missing = float(ends[1] - ends[0]) - float(values.sum())
    values = values + missing / size
    noise: Vector = getattr(game, "noise", np.zeros(size))
    reach = stats.norm.ppf(0.975) * np.sqrt(missing**2 / size + noise**2)
    return Valuation(names, values, values - reach, values + reach, 2, "mean_field")


def _plan(size: int, budget: int | None) -> _Plan:
    """Return the finest plan that the budget pays for."""
    most = _DRAWS if budget is None else (budget - 2) // (size + 1)
    for growth in (*_GROWTHS, float(size)):
        edges = _edges(size, growth)
        fewest = np.full(len(edges) - 1, _FEWEST)
        fewest[[0, -1]] = 1
        if fewest.sum() <= most:
            break
    else:
        raise _too_small(int(fewest.sum()) * (size + 1) + 2, budget)
    lengths, middle = np.diff(edges), (edges[:-1] + edges[1:] - 1) / 2
    weights = np.where(fewest == 1, 0.0, lengths / (1 + middle) ** _DECAY)
    spare = (most - fewest.sum()) * weights / max(weights.sum(), 1e-300)
    return _Plan(edges, fewest + np.floor(spare).astype(np.int64))


def _edges(size: int, growth: float) -> _Whole:
    edges = [0, 1]
    while edges[-1] < size - 1:
        edges.append(min(size - 1, max(edges[-1] + 1, int(edges[-1] * growth))))
    return np.array(edges if size == 1 else [*edges, size], dtype=np.int64)


def _draw(plan: _Plan, size: int, rng: np.random.Generator) -> Masks:
    """Return the coalitions: the empty one first, that of all players last."""
    stretch = np.repeat(np.arange(len(plan.draws)), plan.draws)
    within = np.concatenate([(np.arange(count) + rng.random(count)) / count for count in plan.draws])
    met = plan.edges[stretch] + np.floor(within * np.diff(plan.edges)[stretch]).astype(np.int64)
    sizes = met + (rng.random(len(met)) < met / size)
    sizes[0], sizes[-1] = 0, size if len(sizes) > 1 else 0
    coalitions = np.zeros((len(sizes), size), dtype=np.bool_)
    order, used = rng.permutation(size), 0
    for row in rng.permutation(len(sizes)):
        if used + sizes[row] > size:
            order, used = rng.permutation(size), 0
        coalitions[row, order[used : used + sizes[row]]] = True
        used += int(sizes[row])
    return coalitions


def _marginals(game: Game, coalitions: Masks) -> Vector:
    inner = game.game if isinstance(game, Asked) else game
    if isinstance(inner, Marginal):
        return inner.marginals(coalitions)
    size = coalitions.shape[1]
    flips = np.concatenate([np.zeros((1, size), dtype=np.bool_), np.eye(size, dtype=np.bool_)])
    utilities = np.array([game(coalition ^ flips) for coalition in coalitions])
    return np.asarray(np.where(coalitions, -1.0, 1.0) * (utilities[:, 1:] - utilities[:, :1]), dtype=np.float64)


def _stretches(plan: _Plan, coalitions: Masks) -> Iterator[_Stretch]:
    size = coalitions.shape[1]
    sizes = coalitions.sum(axis=1)
    stretch_of = np.repeat(np.arange(len(plan.draws)), np.diff(plan.edges))
    outside, inside = stretch_of[np.minimum(sizes, size - 1)], stretch_of[np.maximum(sizes - 1, 0)]
    for stretch, length in enumerate(np.diff(plan.edges)):
        rows = np.flatnonzero((outside == stretch) | (inside == stretch))
        serves = np.where(coalitions[rows], inside[rows, None], outside[rows, None]) == stretch
        yield rows, serves, float(length / size)


def _stratified(stretches: Iterable[_Stretch], marginals: Vector) -> tuple[Vector, Vector]:
    """Return the (players,) means over sizes, and what each (draw, player) moves them away from expectation."""
    values, previous = np.zeros((2, marginals.shape[1]))
    deviations = np.zeros_like(marginals)
    for rows, serves, share in stretches:
        count = serves.sum(axis=0)
        mean = np.where(serves, marginals[rows], 0.0).sum(axis=0) / np.maximum(count, 1)
        # Whoever was never met at these sizes keeps the mean of the sizes below.
        previous = np.where(count > 0, mean, previous)
        values += share * previous
        scatter = share / np.sqrt(np.maximum(count, 1) * np.maximum(count - 1, 1))
        deviations[rows] += np.where(serves, marginals[rows] - mean, 0.0) * scatter
    return values, deviations


def _shares(means: Vector, deviations: Vector) -> Vector:
    """Return the (players,) shares of what is missing to v(N), which sum to 1."""
    covariance = deviations.sum(axis=1) @ deviations
    spread = float(covariance.sum())
    if spread <= 0.0:
        covariance, spread = np.abs(means), float(np.abs(means).sum())
    if spread <= 0.0:
        covariance, spread = np.ones_like(means), float(len(means))
    return np.asarray(covariance / spread, dtype=np.float64)


def _too_small(needed: int, budget: int | None) -> Refusal:
    return Refusal(
        "E-VALUE-BUDGET",
        Message(
            f"预算 {budget} 次评估太少，至少需要 {needed} 次。", f"A budget of {budget} evaluations is below {needed}."
        ),
        Message("请增大预算。", "Raise the budget."),
    )
