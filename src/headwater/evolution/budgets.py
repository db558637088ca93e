"""What asking sources and acting on them costs, and how much of it a period allows."""

from dataclasses import dataclass
from functools import cached_property
from math import inf

from headwater.evolution.standing import Action

__all__ = ["Budgets", "Cost", "LABOURED"]

LABOURED: frozenset[Action] = frozenset({"promote", "trial", "remove"})
"""Actions that people look at, and that may have to wait for them: who comes in, and who goes for good.
What protects the model, and exact steps with a source that is in it or was, never wait."""


@dataclass(frozen=True)
class Cost:
    """What one source costs in one period, or what a period has spent on all of them.

    Parameters
    ----------
    epsilon : privacy spent by its answer; 0 for statistics without noise
    bytes : exchanged to ask it once
    labour : hours of people, spent when an action of ``LABOURED`` is taken
    """

    epsilon: float = 0.0
    bytes: float = 0.0
    labour: float = 0.0

    def __post_init__(self) -> None:
        if not min(self.epsilon, self.bytes, self.labour) >= 0:
            raise ValueError("costs are at least 0")

    @cached_property
    def asking(self) -> "Cost":
        """What asking it costs, whatever is done with it."""
        return Cost(self.epsilon, self.bytes)

    def __add__(self, other: "Cost") -> "Cost":
        """Return both together."""
        return Cost(self.epsilon + other.epsilon, self.bytes + other.bytes, self.labour + other.labour)


@dataclass(frozen=True)
class Budgets:
    """The most that one period may spend on all sources together; infinite where nothing is said.

    Parameters
    ----------
    epsilon, bytes, labour : as in ``Cost``
    """

    epsilon: float = inf
    bytes: float = inf
    labour: float = inf

    def __post_init__(self) -> None:
        if not min(self.epsilon, self.bytes, self.labour) >= 0:
            raise ValueError("budgets are at least 0")

    def allows(self, spent: Cost, more: Cost = Cost()) -> bool:
        """Return whether ``more`` besides what is spent stays within every budget."""
        return (
            spent.epsilon + more.epsilon <= self.epsilon
            and spent.bytes + more.bytes <= self.bytes
            and spent.labour + more.labour <= self.labour
        )
