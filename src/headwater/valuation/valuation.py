"""What a source is worth: the answer of every valuation method, and the choice of a method."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Literal, Protocol, TypeAlias

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.registry import Registry
from headwater.types import Masks, SourceId, Vector

__all__ = [
    "Concept",
    "Exchange",
    "Game",
    "METHODS",
    "Method",
    "Valuation",
    "choose",
    "require_budget",
    "require_players",
    "require_rng",
]

Game: TypeAlias = Callable[[Masks], Vector]
"""A cooperative game: coalitions (m, players) to their utilities (m,)."""

Concept: TypeAlias = Literal["shapley", "banzhaf", "leave_one_out"]

_EXACT_UP_TO = 15

_MOST_EVALUATIONS = 100_000_000
"""What methods keep of more evaluations does not fit into a computer's memory."""


@dataclass(frozen=True)
class Exchange:
    """What left and reached each source, and what that reveals of it.

    Parameters
    ----------
    asked, answered : bytes to and from each source, refused ones included
    attributable : bytes of the answers that can be laid at one source's door; the rest is seen in sums alone
    rounds : how many times the sources were asked
    epsilon : largest privacy loss debited to a source; 0 where nothing was spent
    leverage : largest share of one source in what was revealed (squared norm of its unit vector projected on the
        revealed sums): 1 where every source answers for itself
    """

    asked: Mapping[SourceId, int] = field(default_factory=dict)
    answered: Mapping[SourceId, int] = field(default_factory=dict)
    attributable: Mapping[SourceId, int] = field(default_factory=dict)
    rounds: int = 0
    epsilon: float = 0.0
    leverage: float = 0.0

    def bytes_of(self, source: SourceId) -> int:
        """Return the bytes exchanged with one source in both directions."""
        return self.asked.get(source, 0) + self.answered.get(source, 0)


@dataclass(frozen=True, eq=False)
class Valuation:
    """One value per player, with what it rests on. A method fills the first six; ``value`` adds the rest.

    Parameters
    ----------
    players : the sources, in the order of the arrays
    values, low, high : (players,) values and the ends of their 95 % intervals, in the unit of the utility
    evaluations : coalitions whose utility was computed
    method : name of the method in ``METHODS``; from ``value`` with its utility, as ``utility/method``
    concept : what the values are: ``shapley``, ``banzhaf`` or ``leave_one_out``; only the first share out v(N)
    ranks : (players, 2) first and last rank of each within its 95 % interval, 1 being the best
    stability : (players,) probability that each has the rank that its value gives it
    feature_map : the constants of the features that were asked as JSON, a line for each question
    why : why these features
    version : of headwater
    exchange : what was asked and answered
    seconds : wall time of asking and valuing
    refused : why each of the other sources is left out
    """

    players: tuple[SourceId, ...]
    values: Vector
    low: Vector
    high: Vector
    evaluations: int
    method: str
    concept: Concept = "shapley"
    ranks: Vector | None = None
    stability: Vector | None = None
    feature_map: str = ""
    why: Message | None = None
    version: str = ""
    exchange: Exchange = Exchange()
    seconds: float = 0.0
    refused: Mapping[SourceId, HeadwaterError] = field(default_factory=dict)

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
    """Return the method for this many players: exact while it takes seconds, then everyone at each of some coalitions.

    >>> choose(15), choose(16)
    ('exact', 'mean_field')
    """
    return "exact" if players <= _EXACT_UP_TO else "mean_field"


def require_players(players: Sequence[SourceId]) -> tuple[SourceId, ...]:
    """Return the players as a tuple; none at all, or one twice, is refused."""
    if not players or len(set(players)) != len(players):
        raise Refusal(
            "E-VALUE-PLAYERS",
            Message("来源为空或有重复。", "There is no source, or a source stands twice."),
            Message("请给出互不相同的来源。", "Give distinct sources."),
        )
    return tuple(players)


def require_rng(rng: object) -> None:
    """Refuse with ``E-VALUE-RNG`` what draws no random numbers, as a mere seed."""
    if isinstance(rng, np.random.Generator):
        return
    seed = repr(rng) if isinstance(rng, Integral) else "0"
    raise Refusal(
        "E-VALUE-RNG",
        Message(f"rng 为 {type(rng).__name__}，不是随机数发生器。", f"A {type(rng).__name__} is no random generator."),
        Message(f"请写 rng=numpy.random.default_rng({seed})。", f"Write rng=numpy.random.default_rng({seed})."),
    )


def require_budget(budget: int | None, needed: int) -> None:
    """Refuse a budget that is no whole number, below the evaluations that an answer needs, or beyond all memory."""
    if budget is not None and not isinstance(budget, Integral):
        raise Refusal(
            "E-VALUE-BUDGET",
            Message(f"预算 {budget!r} 不是整数。", f"A budget of {budget!r} is no whole number of evaluations."),
            Message("请给出整数。", "Give a whole number."),
        )
    if budget is not None and budget < needed:
        raise Refusal(
            "E-VALUE-BUDGET",
            Message(
                f"预算 {budget} 次评估太少，至少需要 {needed} 次。",
                f"A budget of {budget} evaluations is below {needed}.",
            ),
            Message("请增大预算，或改用别的方法。", "Raise the budget, or use another method."),
        )
    if budget is not None and budget > _MOST_EVALUATIONS:
        raise Refusal(
            "E-VALUE-BUDGET",
            Message(
                f"预算 {budget} 次评估超过上限 {_MOST_EVALUATIONS}。",
                f"A budget of {budget} evaluations is above {_MOST_EVALUATIONS}.",
            ),
            Message("请减小预算。", "Lower the budget."),
        )
