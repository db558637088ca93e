"""What a source is worth: the answer of every valuation method, and the choice of a method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from headwater.errors import Message, Refusal
from headwater.registry import Registry
from headwater.types import Masks, SourceId, Vector

__all__ = [
    "Game",
    "METHODS",
    "Method",
    "Valuation",
    "choose",
    "require_players",
]

Game: TypeAlias = Callable[[Masks], Vector]
"""A cooperative game: coalitions (m, players) to their utilities (m,)."""

_EXACT_UP_TO = 15


@dataclass(frozen=True, eq=False)
class Valuation:
    """One value per player, with what it rests on.

    Parameters
    ----------
    players : the sources, in the order of the arrays
    values, low, high : (players,) Shapley values and the ends of their 95 % intervals, in the unit of the utility
    evaluations : coalitions whose utility was computed
    method : name of the method in ``METHODS``
    """

    players: tuple[SourceId, ...]
    values: Vector
    low: Vector
    high: Vector
    evaluations: int
    method: str

    def __post_init__(self) -> None:
        for numbers in (self.values, self.low, self.high):
            if numbers.shape != (len(self.players),):
                raise ValueError("one number per player is needed")

    def of(self, player: SourceId) -> float:
        """Return the value of one player."""
        return float(self.values[self.players.index(player)])

    def ranked(self) -> tuple[SourceId, ...]:
        """Return the players by falling value, equals by name."""
        return tuple(sorted(self.players, key=lambda player: (-self.of(player), player)))


class Method(Protocol):
    """Values the players of a game; exact methods ignore ``rng``.

    ``budget`` is the largest number of coalitions to evaluate; None leaves it to the method.
    """

    def __call__(
        self, game: Game, players: Sequence[SourceId], *, rng: np.random.Generator, budget: int | None = None
    ) -> Valuation:
        """Return the valuation."""
        ...


METHODS: Registry[Method] = Registry("valuation method")
"""Valuation methods by the stem of their file."""


def choose(players: int) -> str:
    """Return the method for this many players: exact while it takes seconds, sampled above.

    >>> choose(15), choose(16)
    ('exact', 'permutation')
    """
    return "exact" if players <= _EXACT_UP_TO else "permutation"


def require_players(players: Sequence[SourceId]) -> tuple[SourceId, ...]:
    """Return the players as a tuple; none at all, or one twice, is refused."""
    if not players or len(set(players)) != len(players):
        raise Refusal(
            "E-VALUE-PLAYERS",
            Message("来源为空或有重复。", "There is no source, or a source stands twice."),
            Message("请给出互不相同的来源。", "Give distinct sources."),
        )
    return tuple(players)
