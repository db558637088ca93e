r"""Shapley values by sampled orders of arrival, each order walked forwards and backwards.

.. math:: \hat\varphi_i = \frac{1}{m} \sum_{\pi} \bigl(v(\mathrm{pre}_i^\pi \cup i) - v(\mathrm{pre}_i^\pi)\bigr)

Source: Castro, Gómez and Tejada 2009; antithetic pairs after Mitchell et al. 2022. Values sum to v(N) − v(∅)
whatever the sample. The interval is Student's over the means of the pairs.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["permutation", "student_reach"]

_DEFAULT_PAIRS = 128
_FEWEST_PAIRS = 2
_COALITIONS_AT_ONCE = 1 << 14


@METHODS.register("permutation")
def permutation(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value any number of players; a budget below two antithetic pairs (4 n coalitions) is refused."""
    names = require_players(players)
    size = len(names)
    pairs = _DEFAULT_PAIRS if budget is None else budget // (2 * size)
    require_budget(budget, 2 * _FEWEST_PAIRS * size)
    marginals = np.empty((pairs, size))
    evaluations, at_once = 0, max(1, _COALITIONS_AT_ONCE // (2 * size + 2))
    for start in range(0, pairs, at_once):
        chunk = min(at_once, pairs - start)
        marginals[start : start + chunk], seen = _pair_marginals(game, size, chunk, rng)
        evaluations += seen
    values = marginals.mean(axis=0)
    reach = student_reach(marginals)
    return Valuation(names, values, values - reach, values + reach, evaluations, "permutation")


def student_reach(samples: Vector) -> Vector:
    """Return half the width (players,) of the 95 % interval of the mean of (samples, players) independent samples."""
    count = len(samples)
    return np.asarray(stats.t.ppf(0.975, count - 1) * samples.std(axis=0, ddof=1) / np.sqrt(count))


def _pair_marginals(game: Game, size: int, pairs: int, rng: np.random.Generator) -> tuple[Vector, int]:
    """Return (pairs, size) mean marginals of ``pairs`` orders and their reversals, and the coalitions evaluated."""
    forward = rng.permuted(np.tile(np.arange(size), (pairs, 1)), axis=1)
    orders = np.concatenate([forward, forward[:, ::-1]])
    arrival = np.argsort(orders, axis=1)
    coalitions: Masks = arrival[:, None, :] < np.arange(size + 1)[None, :, None]
    distinct, place = np.unique(np.packbits(coalitions.reshape(-1, size), axis=1), axis=0, return_inverse=True)
    utilities = game(np.unpackbits(distinct, axis=1, count=size).astype(np.bool_))
    steps = np.diff(utilities[place.reshape(-1, size + 1)], axis=1)
    marginals = np.take_along_axis(steps, arrival, axis=1)
    return (marginals[:pairs] + marginals[pairs:]) / 2, len(distinct)
