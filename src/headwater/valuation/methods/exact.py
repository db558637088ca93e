r"""Exact Shapley values by all coalitions.

.. math:: \varphi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!}\,\bigl(v(S \cup i) - v(S)\bigr)

Source: Shapley 1953. Coalition k holds player i when bit i of k is set, so both sums are reshapes of one table.
"""

from collections.abc import Sequence
from math import comb

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["all_coalitions", "exact", "places_of", "shapley_of_table"]

_LARGEST = 20
_CHUNK = 1 << 14


@METHODS.register("exact")
def exact(game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None) -> Valuation:
    """Value up to 20 players by all 2**n coalitions; more players, or a smaller budget, are refused.

    >>> from headwater.valuation.games import Glove
    >>> exact(Glove(3), ["left", "right", "also right"], rng=np.random.default_rng()).values.round(6)
    array([0.666667, 0.166667, 0.166667])
    """
    names = require_players(players)
    size = len(names)
    if size > _LARGEST:
        raise _too_many(size)
    require_budget(budget, 2**size)
    table = np.concatenate([game(_coalitions(start, size)) for start in range(0, 2**size, _CHUNK)])
    values = shapley_of_table(table)
    return Valuation(names, values, values.copy(), values.copy(), len(table), "exact")


def shapley_of_table(table: Vector) -> Vector:
    """Return the (n,) Shapley values of a game given by its (2**n,) utilities in the order of bit masks."""
    size = len(table).bit_length() - 1
    others = np.bitwise_count(np.arange(2 ** (size - 1), dtype=np.uint32))
    weights = np.array([1.0 / (size * comb(size - 1, k)) for k in range(size)])[others]
    values = np.empty(size)
    for player in range(size):
        split = table.reshape(-1, 2, 2**player)
        values[player] = weights @ (split[:, 1] - split[:, 0]).ravel()
    return values


def all_coalitions(size: int) -> Masks:
    """Return (2**size, size): coalition k holds player i where bit i of k is set.

    >>> all_coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return np.concatenate([_coalitions(start, size) for start in range(0, 2**size, _CHUNK)])


def places_of(coalitions: Masks) -> npt.NDArray[np.int64]:
    """Return the (m,) places of (m, players) coalitions among all.

    >>> places_of(all_coalitions(3)).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    return np.asarray(coalitions @ (1 << np.arange(coalitions.shape[1])), dtype=np.int64)


def _coalitions(start: int, size: int) -> Masks:
    codes: npt.NDArray[np.int64] = np.arange(start, min(start + _CHUNK, 2**size), dtype=np.int64)
    return np.asarray((codes[:, None] >> np.arange(size)) & 1, dtype=np.bool_)


def _too_many(size: int) -> Refusal:
    return Refusal(
        "E-VALUE-EXACT",
        Message(
            f"精确估值最多 {_LARGEST} 个来源，现有 {size} 个。",
            f"Exact valuation takes at most {_LARGEST} sources, not {size}.",
        ),
        Message("请改用 permutation 方法。", "Use the method permutation."),
    )
