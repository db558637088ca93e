r"""Information about the coefficients, from one statistic of each source and nobody's validation records.

.. math:: v(S) = \frac{1}{2} \log\det\Bigl(\Lambda_T + \sum_{i \in S} w_i X_i^T X_i\Bigr)
    - \frac{1}{2} \log\det \Lambda_T, \qquad \Lambda_T = X_T^T X_T + \lambda I, \qquad w_i = \min(1, s_T / s_i)

In nats: the mutual information of a Bayesian linear model's coefficients with the labels of S, given the target's own
(Lindley 1956; MacKay 1992). The noise of a source is not known beforehand: :math:`s_i` is the mean squared error of the
target's own model over the records of i, so that noisy labels and other relations inform less. The game is monotone and
submodular: nobody is worth less than nothing, and returns diminish.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from headwater.errors import Message, Refusal
from headwater.federation import Transport, ask
from headwater.statistics.blas import one_thread
from headwater.statistics.features import Features
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.statistics import exchanged, usable
from headwater.valuation.utility import UTILITIES, Asked
from headwater.valuation.valuation import choose

__all__ = ["Information", "LogDeterminant"]

_CHUNK_BYTES = 1 << 23
_LEAST_RIDGE = 1e-6


@dataclass(frozen=True)
class Information:
    """The same question as ``Statistics``; the answers are weighed by what they tell of the coefficients."""

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Ask every source once and return the game of the answers."""
        question = target.asking(features)
        answers = ask(federation, question)
        statistics, refused = usable(answers, question)
        game = LogDeterminant(question.of(target.train), statistics, question.family, target.ridge)
        return Asked(game, game.players, exchanged(answers, question), refused)

    def method(self, players: int) -> str:
        """Return ``exact`` while it takes seconds."""
        return choose(players)


UTILITIES.register("information")(Information())


@dataclass(frozen=True, eq=False)
class LogDeterminant:
    """The game of what sources tell about the coefficients, in nats.

    Parameters
    ----------
    target : statistic of the target's own training records, in every coalition
    sources : statistic of each source; their order is the order of the players
    gram : the family that decodes them
    ridge : prior precision of the coefficients, in units of records; of the intercept too, at least 1e-6
    """

    target: Statistic
    sources: Mapping[SourceId, Statistic]
    gram: Gram
    ridge: float
    _parts: Vector = field(init=False, repr=False)
    _base: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        own = self.gram.moments(self.target).xx + max(self.ridge, _LEAST_RIDGE) * np.eye(self.gram.dim)
        beta = self.gram.solve(self.target, ridge=max(self.ridge, _LEAST_RIDGE))
        noise = self._noise(self.target, beta)
        weighed = [
            self.gram.moments(source).xx * min(1.0, noise / self._noise(source, beta))
            for source in self.sources.values()
        ]
        object.__setattr__(self, "_parts", np.stack([own, *weighed]).reshape(1 + len(weighed), -1))
        object.__setattr__(self, "_base", float(np.linalg.slogdet(own)[1]))

    @property
    def players(self) -> tuple[SourceId, ...]:
        """The sources in the order of the masks' columns."""
        return tuple(self.sources)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return v for each coalition, ``coalitions`` being (m, sources); v of the empty coalition is 0."""
        dim, out = self.gram.dim, np.empty(len(coalitions))
        rows = max(1, _CHUNK_BYTES // (8 * dim * dim))
        with one_thread():
            for start in range(0, len(coalitions), rows):
                chosen = coalitions[start : start + rows].astype(np.float64)
                sums = (self._parts[0] + chosen @ self._parts[1:]).reshape(-1, dim, dim)
                out[start : start + rows] = np.linalg.slogdet(sums)[1]
        return (out - self._base) / 2

    def _noise(self, statistic: Statistic, beta: Vector) -> float:
        """Return the mean squared error over the records of a statistic, never nothing."""
        if self.gram.records(statistic) < 1:
            raise _no_records()
        return max(self.gram.loss(statistic, beta), self.gram.encoding.resolution)


def _no_records() -> Refusal:
    return Refusal(
        "E-GRAM-EMPTY",
        Message("统计量没有记录。", "The statistic has no records."),
        Message("请提供有记录的样本。", "Give a sample that has records."),
    )
