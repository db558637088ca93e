r"""What all the others lose without a player.

.. math:: \varphi_i = v(N) - v(N \setminus i)

Cheap and blind: of two sources that replace each other, neither is missed. Source: Cook 1977, for single records.
"""

from collections.abc import Sequence

import numpy as np

from headwater.types import Masks, SourceId
from headwater.valuation.valuation import METHODS, Game, Valuation, require_budget, require_players

__all__ = ["leave_one_out"]


@METHODS.register("leave_one_out")
def leave_one_out(
    game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
) -> Valuation:
    """Value any number of players by n + 1 coalitions; a smaller budget is refused.

    >>> from headwater.valuation.games import Glove
    >>> leave_one_out(Glove(3), ["left", "right", "also right"], rng=np.random.default_rng()).values
    array([1., 0., 0.])
    """
    names = require_players(players)
    require_budget(budget, len(names) + 1)
    coalitions: Masks = np.vstack([np.ones((1, len(names))), 1 - np.eye(len(names))]).astype(np.bool_)
    utilities = game(coalitions)
    values = utilities[0] - utilities[1:]
    return Valuation(
        names, values, values.copy(), values.copy(), len(coalitions), "leave_one_out", concept="leave_one_out"
    )
