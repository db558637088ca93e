r"""Shapley values by circles of players, so that everyone meets coalitions of every size equally often.

Players are drawn onto a circle. The coalitions are its arcs; everyone joins the arc of each length that ends before
them, and the one that begins behind them:

.. math:: \hat\varphi_i = \frac{1}{2n} \sum_{k=0}^{n-1}
    \bigl(v(L_k \cup i) - v(L_k)\bigr) + \bigl(v(R_k \cup i) - v(R_k)\bigr)

Each circle stands for n rotated orders of arrival and their reversals: strata of equal size, one sample in each, from
n (n - 1) + 2 coalitions. Values sum to v(N) − v(∅) whatever the sample.
Source: van Campen, Hamers, Husslage and Lindelauf 2018 (structured random sampling), strata by size after Castro et al.
2017. The interval is Student's over the circles.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headwater.types import Masks, SourceId, Vector
from headwater.valuation.methods.permutation import student_reach
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["stratified"]

_DEFAULT_CIRCLES = 16
_FEWEST_CIRCLES = 2
_AT_ONCE = 1 << 14


@METHODS.register("stratified")
def stratified(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value players by 16 circles, or as many as the budget holds; below two it is refused."""
    names = require_players(players)
    size = len(names)
    arcs = size * (size - 1) + 2
    require_budget(budget, _FEWEST_CIRCLES * arcs)
    circles = _DEFAULT_CIRCLES if budget is None else budget // arcs
    samples = np.stack([_circle(game, rng.permutation(size)) for _ in range(circles)])
    values, reach = samples.mean(axis=0), student_reach(samples)
    return Valuation(names, values, values - reach, values + reach, circles * arcs, "stratified")


def _circle(game: Game, place: npt.NDArray[np.int64]) -> Vector:
    """Return the (players,) mean marginals on one circle, ``place`` being where each player stands."""
    size = len(place)
    arcs = _utilities(game, place)
    ends, lengths = np.arange(size)[:, None], np.arange(size)[None, :]
    # Row p, column k: who stands at p joins the arc of length k before them, or the one behind them.
    before = arcs[(ends - lengths) % size, lengths + 1] - arcs[(ends - lengths) % size, lengths]
    behind = arcs[ends, lengths + 1] - arcs[(ends + 1) % size, lengths]
    return np.asarray((before + behind).mean(axis=1)[place] / 2, dtype=np.float64)


def _utilities(game: Game, place: npt.NDArray[np.int64]) -> Vector:
    """Return (start, length) utilities of all arcs; nobody and everybody are asked about once."""
    size = len(place)
    starts, lengths = (axis.ravel() for axis in np.meshgrid(np.arange(size), np.arange(1, size), indexing="ij"))
    starts, lengths = np.concatenate([[0, 0], starts]), np.concatenate([[0, size], lengths])
    found = [
        game(_arcs(place, starts[first : first + _AT_ONCE], lengths[first : first + _AT_ONCE]))
        for first in range(0, len(starts), _AT_ONCE)
    ]
    utilities = np.concatenate(found)
    table = np.empty((size, size + 1))
    table[starts, lengths] = utilities
    table[:, 0], table[:, size] = utilities[:2]
    return table


def _arcs(place: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Masks:
    return np.asarray((place[None, :] - starts[:, None]) % len(place) < lengths[:, None], dtype=np.bool_)
