"""Where games come from: a utility asks the sources and returns the game that those who answered play."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Transport
from headwater.registry import Registry
from headwater.statistics.features import Features
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.valuation import Exchange, Game

__all__ = ["Asked", "Play", "UTILITIES", "Utility", "require_sources"]


class Play(Protocol):
    """A game of the sources that gave a usable answer.

    A game may ask more while it is played: ``exchange`` is read when the method is done.
    """

    @property
    def players(self) -> tuple[SourceId, ...]:
        """The sources in the order of the masks' columns."""
        ...

    @property
    def exchange(self) -> Exchange:
        """What was asked and answered until now."""
        ...

    @property
    def refused(self) -> Mapping[SourceId, HeadwaterError]:
        """Why each of the other sources is left out."""
        ...

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the (m,) utilities of (m, players) coalitions; the empty one's is 0."""
        ...


class Utility(Protocol):
    """A way to tell what a coalition of sources gives to a target."""

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Play:
        """Ask the sources; the ones that cannot be used are refused by name, all of them with E-VALUE-SOURCES."""
        ...

    def method(self, players: int) -> str:
        """Return the name of the method that suits this many players."""
        ...


UTILITIES: Registry[Utility] = Registry("utility")
"""Utilities that need nothing handed in, by the stem of their file."""


@dataclass(frozen=True)
class Asked:
    """A game whose asking is over.

    Parameters
    ----------
    tolerance : gain below which an order of arrival need not go on, see ``methods/truncated.py``
    """

    game: Game
    players: tuple[SourceId, ...]
    exchange: Exchange
    refused: Mapping[SourceId, HeadwaterError] = field(default_factory=dict)
    tolerance: float = 0.0

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utilities of the coalitions."""
        return self.game(coalitions)


def require_sources(usable: Mapping[SourceId, object], refused: Mapping[SourceId, HeadwaterError]) -> None:
    """Refuse, with every reason, if no source can be used."""
    if usable:
        return
    reasons = [error.reason for error in refused.values()]
    raise Refusal(
        "E-VALUE-SOURCES",
        Message(
            "没有可用的来源。" + "".join(reason.zh for reason in reasons),
            " ".join(["No source can be used.", *(reason.en for reason in reasons)]),
        ),
        Message("请按各来源的原因逐一修正。", "Mend each source as its reason says."),
    )
