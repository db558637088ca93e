"""Shapley values by orders of arrival that are left when hardly anything remains to be gained.

A game may say with an attribute ``tolerance`` how little is too little; without one every order is walked to its end.
Orders come in blocks in which everyone leads once. Values sum to v(N) − v(∅) within the tolerance.
Source: Ghorbani and Zou 2019 (truncation), Liu et al. 2022 (GTG-Shapley, guided orders). Truncation favours nobody only
where returns diminish: it suits games whose every evaluation is dear. The interval is Student's over the blocks.
"""

from collections.abc import Sequence

import numpy as np

from headwater.types import Masks, SourceId, Vector
from headwater.valuation.methods.permutation import student_reach
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["truncated"]

_DEFAULT_BLOCKS = 16
_FEWEST_BLOCKS = 2


@METHODS.register("truncated")
def truncated(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value players by 16 blocks of orders, or as many as the budget holds; below two it is refused."""
    names = require_players(players)
    size = len(names)
    most = max(1, size * (size - 1))
    require_budget(budget, 2 + _FEWEST_BLOCKS * most)
    tolerance = float(getattr(game, "tolerance", 0.0))
    known = _Known(game, size)
    blocks = _DEFAULT_BLOCKS if budget is None else (budget - 2) // most
    samples = np.stack([_block(known, size, tolerance, rng) for _ in range(blocks)])
    values, reach = samples.mean(axis=0), student_reach(samples)
    return Valuation(names, values, values - reach, values + reach, known.evaluations, "truncated")


class _Known:
    """A game that is asked about no coalition twice."""

    def __init__(self, game: Game, size: int) -> None:
        self._game = game
        ends: Masks = np.stack([np.zeros(size), np.ones(size)]).astype(np.bool_)
        self._found: dict[bytes, float] = {}
        self.nobody, self.everybody = self(ends)

    @property
    def evaluations(self) -> int:
        return len(self._found)

    def __call__(self, coalitions: Masks) -> Vector:
        keys = [row.tobytes() for row in coalitions]
        new = {key: row for key, row in zip(keys, coalitions, strict=True) if key not in self._found}
        if new:
            self._found |= dict(zip(new, self._game(np.stack(list(new.values()))).tolist(), strict=True))
        return np.array([self._found[key] for key in keys])


def _block(known: _Known, size: int, tolerance: float, rng: np.random.Generator) -> Vector:
    """Return the (players,) mean marginals of one order for each leading player."""
    orders = np.stack(
        [np.concatenate([[lead], rng.permutation(np.delete(np.arange(size), lead))]) for lead in range(size)]
    )
    inside: Masks = np.zeros((size, size), dtype=np.bool_)
    reached, marginals = np.full(size, known.nobody), np.zeros(size)
    for step in range(size):
        walking = np.flatnonzero((np.abs(known.everybody - reached) > tolerance) | (tolerance == 0))
        joining = orders[walking, step]
        inside[walking, joining] = True
        gained = known(inside[walking])
        np.add.at(marginals, joining, gained - reached[walking])
        reached[walking] = gained
    return marginals / size
