"""Choose sources one by one, each time the one that adds most.

Source: Nemhauser, Wolsey and Fisher 1978; their bound holds only where returns diminish.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId
from headwater.valuation.valuation import Game, require_players

__all__ = ["Selection", "greedy"]


@dataclass(frozen=True)
class Selection:
    """The chosen sources in the order of choice, what each added, and the utility of them all."""

    chosen: tuple[SourceId, ...]
    gains: tuple[float, ...]
    utility: float


def greedy(game: Game, players: Sequence[SourceId], *, budget: int) -> Selection:
    """Choose at most ``budget`` sources; stop when none adds anything. Equal gains go to the earlier player.

    >>> from headwater.valuation.games import Additive
    >>> greedy(Additive((1.0, -2.0, 3.0)), ["a", "b", "c"], budget=3)
    Selection(chosen=('c', 'a'), gains=(3.0, 1.0), utility=4.0)
    """
    names = require_players(players)
    if budget < 1:
        raise _no_budget(budget)
    inside: Masks = np.zeros(len(names), dtype=np.bool_)
    utility = float(game(inside[None, :])[0])
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < min(budget, len(names)):
        outside = np.flatnonzero(~inside)
        trials = np.repeat(inside[None, :], len(outside), axis=0)
        trials[np.arange(len(outside)), outside] = True
        utilities = game(trials)
        best = int(np.argmax(utilities))
        gain = float(utilities[best]) - utility
        if not gain > 0:
            break
        inside[outside[best]] = True
        chosen.append(int(outside[best]))
        gains.append(gain)
        utility = float(utilities[best])
    return Selection(tuple(names[place] for place in chosen), tuple(gains), utility)


def _no_budget(budget: int) -> Refusal:
    return Refusal(
        "E-SELECT-BUDGET",
        Message(f"来源数预算 {budget} 小于 1。", f"A budget of {budget} sources is below 1."),
        Message("请至少允许一个来源。", "Allow at least one source."),
    )
