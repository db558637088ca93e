"""Where games come from: a utility asks the sources and returns the game that those who answered play."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Transport
from headwater.registry import Registry
from headwater.statistics.features import Features
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.valuation import Exchange, Game

__all__ = [
    "Asked",
    "Play",
    "Predicting",
    "UTILITIES",
    "Utility",
    "gain",
    "placed",
    "r2",
    "require_predictions",
    "require_sources",
    "require_varied",
]

_AT_ONCE = 4_096
"""Coalitions whose predictions are held at once: 16 MB for 500 records."""


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


@runtime_checkable
class Predicting(Protocol):
    """A game that can tell what a coalition's model predicts, not only what it is worth."""

    @property
    def labels(self) -> Vector:
        """The (rows,) labels of the target's validation records."""
        ...

    def predictions(self, coalitions: Masks) -> Vector:
        """Return (m, rows) predictions for the validation records, in the unit of the label."""
        ...


def gain(game: Predicting, coalitions: Masks) -> Vector:
    """Return the (m,) gains in R² of (m, players) coalitions over the target alone."""
    nobody = np.zeros((1, coalitions.shape[1]), dtype=np.bool_)
    parts = [coalitions[start : start + _AT_ONCE] for start in range(0, len(coalitions), _AT_ONCE)]
    found = [r2(game.labels, game.predictions(part)) for part in (nobody, *parts)]
    return np.asarray(np.concatenate(found)[1:] - found[0])


def r2(labels: Vector, predicted: Vector) -> Vector:
    """Return the share of the variance of (rows,) labels that each of (…, rows) predictions explains.

    Labels that do not vary are refused with ``E-VALUE-VALIDATION``.
    """
    require_varied(labels)
    return np.asarray(1.0 - ((predicted - labels) ** 2).mean(axis=-1) / labels.var(), dtype=np.float64)


def require_varied(labels: Vector) -> None:
    """Refuse (rows,) labels of validation records that judge nothing, as they do not vary."""
    if len(labels) == 0 or np.ptp(labels) == 0:
        raise Refusal(
            "E-VALUE-VALIDATION",
            Message("验证样本为空，或目标没有差异。", "The validation sample is empty, or its target does not vary."),
            Message("请扩大目标方的验证样本。", "Enlarge the target's validation sample."),
        )


def require_predictions(predicted: Vector, shape: tuple[int, ...], *, of: str) -> Vector:
    """Return predictions; of another shape, or not finite, they are refused with ``E-VALUE-FINITE``."""
    if predicted.shape == shape and np.isfinite(predicted).all():
        return predicted
    wrong = int((~np.isfinite(predicted)).sum())
    raise Refusal(
        "E-VALUE-FINITE",
        Message(
            f"{of} 的预测形状为 {predicted.shape}，其中 {wrong} 个不是有限的数；形状应为 {shape}。",
            f"{of} predicted an array of shape {predicted.shape} with {wrong} numbers that are not finite, "
            f"where finite numbers of shape {shape} are needed.",
        ),
        Message("请检查学习器的 predict。", "Examine the learner's predict."),
    )


def placed(coalitions: Masks, players: Sequence[SourceId], everyone: Sequence[SourceId]) -> Masks:
    """Return the coalitions of ``players`` as ones of ``everyone``: a column each, empty for strangers.

    >>> placed(np.array([[True]]), ["b"], ["a", "b"])
    array([[False,  True]])
    """
    found = np.zeros((len(coalitions), len(everyone)), dtype=np.bool_)
    places = {player: place for place, player in enumerate(everyone)}
    found[:, [places[player] for player in players]] = coalitions
    return found


@dataclass(frozen=True)
class Asked:
    """A game whose asking is over.

    Parameters
    ----------
    tolerance : gain below which an order of arrival need not go on, see ``methods/truncated.py``
    reach : (players,) half widths of the 95 % intervals that the game leaves open by itself; None where it is certain
    features : that were asked, one map a question; none where they are those that the play was given
    why : why these
    """

    game: Game
    players: tuple[SourceId, ...]
    exchange: Exchange
    refused: Mapping[SourceId, HeadwaterError] = field(default_factory=dict)
    tolerance: float = 0.0
    reach: Vector | None = None
    features: tuple[Features, ...] = ()
    why: Message | None = None

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
