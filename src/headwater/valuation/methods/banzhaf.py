r"""Banzhaf values by least squares over coalitions and their complements, each of which serves every player.

.. math:: \varphi = \arg\min_\varphi \sum_S \Bigl(v(S) - v(N \setminus S)
    - \sum_{i \in S} \varphi_i + \sum_{i \notin S} \varphi_i\Bigr)^2

Source: Hammer and Holzman 1992 (the best linear approximation of a game has the Banzhaf values as slopes); reuse of
every sample after Wang and Jia 2023, as a regression after Liu et al. 2024. Pairs cancel what two players share, so the
estimate is exact for games without larger interactions. The interval is Student's with the HC3 errors of MacKinnon and
White 1985. Noise in the utilities disturbs the ranks of Banzhaf values least; they do not sum to v(N).
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["banzhaf"]

_DEFAULT_PAIRS = 1_024
_PAIRS_A_PLAYER = 8
_SPARE = 2
_AT_ONCE = 1 << 13
_ALL_UP_TO = 20


@METHODS.register("banzhaf")
def banzhaf(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value any number of players, exactly where the budget holds all coalitions.

    The default budget is 2,048 coalitions, or 16 a player if that is more; one below 2 (players + 2) that does not hold
    all coalitions either is refused.

    >>> from headwater.valuation.games import Glove
    >>> banzhaf(Glove(3), ["left", "right", "also right"], rng=np.random.default_rng()).values.round(6)
    array([0.75, 0.25, 0.25])
    """
    names = require_players(players)
    size = len(names)
    pairs = max(_DEFAULT_PAIRS, _PAIRS_A_PLAYER * size) if budget is None else budget // 2
    is_complete = size <= _ALL_UP_TO and 2 ** (size - 1) <= pairs
    if not is_complete:
        require_budget(budget, 2 * (size + _SPARE))
    inside = _every(size) if is_complete else rng.integers(0, 2, (pairs, size)).astype(np.bool_)
    signs, odd = np.where(inside, 1.0, -1.0), _odd_parts(game, inside)
    values, spread = _least_squares(signs, odd)
    reach = np.zeros(size) if is_complete else stats.t.ppf(0.975, len(odd) - size) * spread
    return Valuation(names, values, values - reach, values + reach, 2 * len(odd), "banzhaf", concept="banzhaf")


def _every(size: int) -> Masks:
    """Return one of each pair of complementary coalitions: those without the last player."""
    codes = np.arange(2 ** (size - 1), dtype=np.int64)
    return np.asarray((codes[:, None] >> np.arange(size)) & 1, dtype=np.bool_)


def _odd_parts(game: Game, inside: Masks) -> Vector:
    """Return (pairs,) utilities less those of the complements."""
    parts = [inside[start : start + _AT_ONCE] for start in range(0, len(inside), _AT_ONCE)]
    both = [game(np.concatenate([part, ~part])).reshape(2, -1) for part in parts]
    return np.concatenate([utilities[0] - utilities[1] for utilities in both])


def _least_squares(signs: Vector, odd: Vector) -> tuple[Vector, Vector]:
    """Return the (players,) slopes and their HC3 standard errors."""
    inverse = np.linalg.pinv(signs.T @ signs, hermitian=True)
    slopes = inverse @ (signs.T @ odd)
    projected = signs @ inverse
    share = np.einsum("ps,ps->p", projected, signs)
    residual = (odd - signs @ slopes) / np.maximum(1 - share, 1e-9)
    return slopes, np.sqrt(((projected * residual[:, None]) ** 2).sum(axis=0))
