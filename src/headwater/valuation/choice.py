"""Which features stand for a learner: the statistic that predicts its retraining best, within a message's bytes.

A ridge is exact on the target's own features. No single map stands for networks or trees, but the mean of two games
from maps that err differently ranks sources better than either, see ``docs/feature-maps.md``. Each part is fitted to
the target's own training records, and all their questions and answers together stay within a limit of bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from headwater.errors import HeadwaterError, Message
from headwater.federation import Transport
from headwater.statistics.feature_maps import FEATURE_MAPS
from headwater.statistics.features import FeatureMap, Features, numbers
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.statistics import Statistics
from headwater.valuation.utility import Asked, require_sources
from headwater.valuation.valuation import Exchange, choose

__all__ = ["Choice", "Part", "choose_features"]

_LIMIT = 20_000
_HEAD = 24
"""Bytes of a message's head: magic, kind and shape."""

_RECIPES: Mapping[str, tuple[tuple[str, float], ...]] = {
    "linear": (),
    "network": (("degree2", 12.0), ("random_fourier", 2.0)),
    "trees": (("histogram", 5.0), ("last_layer", 12.0)),
}
"""Feature maps and ridges that stand for each learner; none: the target's own features."""


@dataclass(frozen=True)
class Part:
    """Features and the ridge that belongs to them, in units of records."""

    name: str
    features: Features
    ridge: float


@dataclass(frozen=True)
class Choice:
    """The features that stand for a target's learner; a utility: its game is the mean of the games of its parts.

    Parameters
    ----------
    parts : every source answers one question for each; none needs the answers to another
    why : a sentence that says what was chosen and on what grounds
    scores : R² on the target's validation records of a ridge on each part, and on its own features
    """

    parts: tuple[Part, ...]
    why: Message
    scores: Mapping[str, float] = field(default_factory=dict)

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Ask every source for every part; a source that cannot answer one of them is left out of all."""
        plays = [
            Statistics().play(federation, replace(target, ridge=part.ridge), part.features, rng=rng)
            for part in self.parts
        ]
        refused: dict[SourceId, HeadwaterError] = {}
        for play in plays:
            refused = {**play.refused, **refused}
        players = tuple(player for player in plays[0].players if player not in refused)
        require_sources(dict.fromkeys(players), refused)

        def mean(coalitions: Masks) -> Vector:
            gains = [play.game(_placed(coalitions, players, play.players)) for play in plays]
            return np.asarray(np.mean(gains, axis=0), dtype=np.float64)

        return Asked(mean, players, _together([play.exchange for play in plays]), refused)

    def method(self, players: int) -> str:
        """Return ``exact`` while it takes seconds."""
        return choose(players)


def choose_features(target: Target, *, limit: int = _LIMIT) -> Choice:
    """Return the features that stand for the target's learner.

    Parameters
    ----------
    limit : bytes of all questions and answers of one source together

    The target's own features are kept for a linear learner, where they are no plain ``FeatureMap``, and where they
    alone leave no room below ``limit``.
    """
    recipes = _RECIPES[target.learner]
    own = Part("linear", target.features, target.ridge)
    base = target.features
    if not recipes or not isinstance(base, FeatureMap):
        return Choice((own,), _kept(target), _scores(target, (own,)))
    parts = tuple(_part(target, base, name, ridge, limit // len(recipes)) for name, ridge in recipes)
    if any(_bytes(target, part.features) > limit // len(recipes) or part.features.dim < 2 for part in parts):
        return Choice((own,), _no_room(target, limit), _scores(target, (own,)))
    scores = _scores(target, (own, *parts))
    return Choice(parts, _lifted(target, parts, scores), scores)


def _part(target: Target, base: FeatureMap, name: str, ridge: float, limit: int) -> Part:
    """Return the widest map of this kind whose question and answer stay within ``limit`` bytes."""
    question = target.asking(base)
    x, y = base.transform(target.train), _labels(target)
    dim = max(base.dim + 1, int(np.sqrt(max(limit - question.nbytes - _HEAD, 0) / 4.0)))
    features = FEATURE_MAPS[name].fit(base, x, y, dim=dim, seed=0)
    while _bytes(target, features) > limit and dim > base.dim + 1:
        dim -= 1
        features = FEATURE_MAPS[name].fit(base, x, y, dim=dim, seed=0)
    return Part(name, features, ridge)


def _bytes(target: Target, features: Features) -> int:
    question = target.asking(features)
    return question.nbytes + 8 * question.family.length + _HEAD


def _labels(target: Target) -> Vector:
    """Return the labels of the training records as sources give them, standardised."""
    question = target.asking(target.features)
    return np.asarray((numbers(target.train, target.label) - question.center) / question.scale, dtype=np.float64)


def _scores(target: Target, parts: tuple[Part, ...]) -> dict[str, float]:
    """Return the R² on the validation records of a ridge on each part, trained on the training records."""
    scores = {}
    for part in parts:
        question = target.asking(part.features)
        gram = question.family
        solved = gram.solve(question.of(target.train), ridge=max(part.ridge, 1e-6))
        scores[part.name] = round(gram.r2(question.of(target.valid), solved), 4)
    return scores


def _placed(coalitions: Masks, players: tuple[SourceId, ...], all_players: tuple[SourceId, ...]) -> Masks:
    """Return the coalitions with a column for each of ``all_players``, empty where one is not among ``players``."""
    placed = np.zeros((len(coalitions), len(all_players)), dtype=np.bool_)
    placed[:, [all_players.index(player) for player in players]] = coalitions
    return placed


def _together(exchanges: list[Exchange]) -> Exchange:
    def summed(kind: str) -> dict[SourceId, int]:
        counts = [getattr(exchange, kind) for exchange in exchanges]
        return {source: sum(count.get(source, 0) for count in counts) for source in counts[0]}

    return Exchange(summed("asked"), summed("answered"), summed("attributable"), rounds=len(exchanges), leverage=1.0)


def _kept(target: Target) -> Message:
    return Message(
        f"学习器为 {target.learner}，采用目标方自身的特征。",
        f"The learner is {target.learner}: the target's own features.",
    )


def _no_room(target: Target, limit: int) -> Message:
    return Message(
        f"{target.features.dim} 个特征已占满 {limit} 字节，采用目标方自身的特征。",
        f"{target.features.dim} features leave no room in {limit} bytes: the target's own features.",
    )


def _lifted(target: Target, parts: tuple[Part, ...], scores: Mapping[str, float]) -> Message:
    zh = "、".join(f"{part.name}（{part.features.dim} 维，R² {scores[part.name]:.2f}）" for part in parts)
    en = " and ".join(f"{part.name} ({part.features.dim} features, R² {scores[part.name]:.2f})" for part in parts)
    return Message(
        f"学习器为 {target.learner}，取 {zh} 两个博弈的均值；自身特征的 R² 为 {scores['linear']:.2f}。",
        f"The learner is {target.learner}: the mean of the games of {en}; the target's own features reach "
        f"R² {scores['linear']:.2f}.",
    )
