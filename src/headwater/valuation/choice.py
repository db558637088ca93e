"""Which features stand for a learner: the statistic that predicts its retraining best, within a message's bytes.

A ridge is exact on the target's own features. No single map stands for networks or trees, but the mean of what ridges
on maps that err differently predict ranks sources better than any of them, see ``docs/feature-maps.md``. Each part is
fitted to the target's own training records, and their questions and answers together stay within a limit of bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from headwater.errors import HeadwaterError, Message
from headwater.federation import Transport
from headwater.statistics.feature_maps import FEATURE_MAPS, Lifted
from headwater.statistics.features import FeatureMap, Features, numbers
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Learner, Target
from headwater.valuation.utilities.statistics import GramUtility, Statistics
from headwater.valuation.utility import Asked, gain, placed, r2, require_sources
from headwater.valuation.valuation import Exchange, choose

__all__ = ["Blend", "Choice", "Part", "Recipe", "choose_features", "own_features", "together"]

_LIMIT = 20_000
_WIDEST = 200

_LOGISTIC: tuple[Learner, ...] = ("linear", "network")
"""Learners of log-odds where labels are 0 and 1. Shallow trees are told better by their chances as they are."""

_NEWTON = 4.0


@dataclass(frozen=True)
class Recipe:
    """A kind of feature map, its ridge in units of records, and its share of the bytes."""

    name: str
    ridge: float
    share: float


_RECIPES: Mapping[Learner, tuple[Recipe, ...]] = {
    "linear": (),
    "network": (Recipe("degree2", 12.0, 0.34), Recipe("random_fourier", 2.0, 0.33), Recipe("ntk", 6.0, 0.33)),
    "trees": (Recipe("histogram", 5.0, 0.4), Recipe("last_layer", 48.0, 0.3), Recipe("random_fourier", 20.0, 0.3)),
}
"""What stands for each learner; nothing: the target's own features."""


@dataclass(frozen=True)
class Part:
    """Features and the ridge that belongs to them, in units of records."""

    name: str
    features: Features
    ridge: float


@dataclass(frozen=True, eq=False)
class Blend:
    """The game of a model that predicts the mean of what the ridges of some parts predict.

    Parameters
    ----------
    games : of each part; their players may be more than those of the blend
    held : (rows, dim) features of the validation records, for each part
    players : the sources in the order of the masks' columns
    labels : (rows,) labels of the validation records
    center, scale : constants that standardise the label
    logistic : labels are 0 and 1, and the learner learns log-odds: ŷ is read as the chance σ(4 (ŷ - ½)), which is what
        Newton's first step of logistic regression gives
    """

    games: tuple[GramUtility, ...]
    held: tuple[Vector, ...]
    players: tuple[SourceId, ...]
    labels: Vector
    center: float
    scale: float
    logistic: bool = False

    @property
    def records(self) -> Vector:
        """Records of the target and of each source, (1 + players,)."""
        game = self.games[0]
        return np.concatenate([game.records[:1], game.records[1:][[game.players.index(p) for p in self.players]]])

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the gain in R² on the validation records over the target alone."""
        return gain(self, coalitions)

    def predictions(self, coalitions: Masks) -> Vector:
        """Return (m, rows) predictions for the validation records."""
        told = np.zeros((len(coalitions), len(self.labels)))
        for game, held in zip(self.games, self.held, strict=True):
            told += game.coefficients(placed(coalitions, self.players, game.players)) @ held.T
        return self._read(told)

    def marginals(self, coalitions: Masks) -> Vector:
        """Return (m, players): what each source adds to each coalition, or would take with it when it left."""
        at = r2(self.labels, self.predictions(coalitions))[:, None]
        turned = np.stack([r2(self.labels, self._turned(one)) for one in coalitions])
        return np.asarray(np.where(coalitions, at - turned, turned - at), dtype=np.float64)

    def _turned(self, coalition: Masks) -> Vector:
        """Return the (players, rows) predictions of a coalition with one player more, or less if it is a member."""
        told = np.zeros((len(self.players), len(self.labels)))
        for game, held in zip(self.games, self.held, strict=True):
            places = {player: place for place, player in enumerate(game.players)}
            turned = game.turned(placed(coalition[None], self.players, game.players))
            told += turned[[places[player] for player in self.players]] @ held.T
        return self._read(told)

    def _read(self, told: Vector) -> Vector:
        """Return the mean prediction of the parts, whose sum is given, as the learner reads it."""
        mean = self.center + self.scale / len(self.games) * told
        return 1.0 / (1.0 + np.exp(-_NEWTON * (mean - 0.5))) if self.logistic else mean


@dataclass(frozen=True)
class Choice:
    """The features that stand for a target's learner; a utility: its game is that of its parts' mean prediction.

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
        plays = [Statistics().play(federation, replace(target, ridge=p.ridge), p.features, rng=rng) for p in self.parts]
        refused: dict[SourceId, HeadwaterError] = {}
        for play in plays:
            refused = {**play.refused, **refused}
        players = tuple(player for player in plays[0].players if player not in refused)
        require_sources(dict.fromkeys(players), refused)
        held = tuple(part.features.transform(target.valid) for part in self.parts)
        question, labels = target.asking(features), numbers(target.valid, target.label)
        standard = question.center, question.scale
        game = Blend(tuple(map(_gram, plays)), held, players, labels, *standard, logistic=_logistic(target))
        exchange, asked = together([play.exchange for play in plays]), tuple(part.features for part in self.parts)
        return Asked(game, players, exchange, refused, features=asked, why=self.why)

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
    # Log loss bends a quarter as much as squared loss where the chance is a half: the same penalty weighs four times.
    own = Part("linear", target.features, target.ridge * (_NEWTON if _logistic(target) else 1.0))
    base = target.features
    if not recipes or not isinstance(base, FeatureMap):
        return Choice((own,), own_features(target), _scores(target, (own,)))
    lifted = _parts(target, base, recipes, limit)
    if not lifted:
        return Choice((own,), _no_room(target, limit), _scores(target, (own,)))
    scores = _scores(target, (own, *lifted))
    return Choice(lifted, _lifted(target, lifted, scores), scores)


def _gram(play: Asked) -> GramUtility:
    assert isinstance(play.game, GramUtility)
    return play.game


def _parts(target: Target, base: FeatureMap, recipes: Sequence[Recipe], limit: float) -> tuple[Part, ...]:
    """Return a part for each recipe, none if one has no room; what one does not need is left to those after it."""
    parts: list[Part] = []
    for at, recipe in enumerate(recipes):
        part = _part(target, base, recipe, limit * recipe.share / sum(other.share for other in recipes[at:]))
        if part is None:
            return ()
        parts.append(part)
        limit -= _bytes(target, part.features)
    return tuple(parts)


def _part(target: Target, base: FeatureMap, recipe: Recipe, limit: float) -> Part | None:
    """Return the widest map of this kind whose question and answer stay within ``limit`` bytes; None without room."""
    x, y = base.transform(target.train), _labels(target)

    def fitted(dim: int) -> Lifted:
        return FEATURE_MAPS[recipe.name].fit(base, x, y, dim=dim, seed=0)

    fits, beyond = base.dim, _WIDEST + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        fits, beyond = (middle, beyond) if _bytes(target, fitted(middle)) <= limit else (fits, middle)
    return Part(recipe.name, fitted(fits), recipe.ridge) if fits > base.dim else None


def _bytes(target: Target, features: Features) -> int:
    """Return what a question and an answer will take, by the target's own answer.

    A source may hold four times its records, and others than its own: two bits more a number.
    """
    question = target.asking(features)
    return question.nbytes + question.of(target.train).nbytes + question.family.length // 4


def _logistic(target: Target) -> bool:
    return target.learner in _LOGISTIC and bool(np.isin(numbers(target.train, target.label), (0.0, 1.0)).all())


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


def together(exchanges: list[Exchange]) -> Exchange:
    """Return what was exchanged in one round after another."""

    def summed(kind: str) -> dict[SourceId, int]:
        counts = [getattr(exchange, kind) for exchange in exchanges]
        return {source: sum(count.get(source, 0) for count in counts) for source in counts[0]}

    return Exchange(summed("asked"), summed("answered"), summed("attributable"), rounds=len(exchanges), leverage=1.0)


def own_features(target: Target) -> Message:
    """Return the words for keeping the target's own features."""
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
        f"学习器为 {target.learner}，取 {zh} 各自预测的均值；自身特征的 R² 为 {scores['linear']:.2f}。",
        f"The learner is {target.learner}: the mean of what {en} predict; the target's own features reach "
        f"R² {scores['linear']:.2f}.",
    )
