"""The target's own records as the measure of what others say."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headwater.aggregation.robust.bounds import squares
from headwater.federation import GramQuestion
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Vector
from headwater.valuation import Target

__all__ = ["Court"]


@dataclass(frozen=True, eq=False)
class Court:
    """What follows from the target's records alone, once for all sums.

    Parameters
    ----------
    question : that the sums answer
    """

    target: Target
    question: GramQuestion

    @cached_property
    def gram(self) -> Gram:
        """The family of the sums."""
        return self.question.family

    @cached_property
    def own(self) -> Statistic:
        """The statistic of the training records."""
        return self.question.of(self.target.train)

    @property
    def nothing(self) -> Statistic:
        """The statistic of no records."""
        return Statistic(self.gram.kind, (self.gram.dim,), np.zeros(self.gram.length, dtype=np.uint64))

    @cached_property
    def all_own(self) -> Statistic:
        """The statistic of all records, those that judge included: sums are held against as many as there are."""
        return self.own.merge(self.question.of(self.target.valid))

    @cached_property
    def line(self) -> Vector:
        """The (dim,) coefficients of all records."""
        return self.gram.solve(self.all_own, ridge=self.target.ridge)

    @cached_property
    def solid(self) -> Vector:
        """XᵀX of all records with the ridge."""
        moments = self.gram.moments(self.all_own)
        return np.asarray(moments.xx + np.diag(self.gram.penalty(self.target.ridge)))

    @cached_property
    def noise(self) -> float:
        """The variance of a label around the line, degrees of freedom taken off."""
        moments = self.gram.moments(self.all_own)
        used = float(np.trace(np.linalg.solve(self.solid, moments.xx)))
        squared = self.gram.loss(self.all_own, self.line) * moments.n
        return max(squared / max(moments.n - used, 1.0), self.gram.encoding.resolution)

    @cached_property
    def scatter(self) -> float:
        """The standard deviation of a squared distance from the line, at least √2 times ``noise`` as of normal ones."""
        x, y = self.records
        return max(float(np.square(y - x @ self.line).std()), float(np.sqrt(2.0)) * self.noise)

    @cached_property
    def center(self) -> float:
        """The mean label."""
        moments = self.gram.moments(self.own)
        return moments.y / moments.n

    @cached_property
    def usual(self) -> Vector:
        """The (dim + 1,) second moments of features, and of the label around its mean, a record."""
        return squares(self.gram.moments(self.own), self.center)

    @cached_property
    def judging(self) -> tuple[Vector, Vector]:
        """Features and labels of the judging records."""
        question, valid = self.question, self.target.valid
        return question.feature_map.transform(valid), question.labels(valid)

    @cached_property
    def records(self) -> tuple[Vector, Vector]:
        """Features and labels of all records."""
        question, (x, y) = self.question, self.judging
        train = self.target.train
        return np.concatenate([x, question.feature_map.transform(train)]), np.concatenate([y, question.labels(train)])

    def fitted(self, joined: Statistic) -> Vector:
        """Return the coefficients of the training records together with what is joined."""
        return self.gram.solve(self.own.merge(joined), ridge=self.target.ridge)

    def harm(self, plain: Vector, other: Vector) -> float:
        """Return the mean squared difference of predictions over all own records, in units of the noise."""
        return float(np.square(self.records[0] @ (plain - other)).mean() / self.noise)

    def against(self, plain: Vector, other: Vector) -> float:
        """Return how surely the judging records find the plain coefficients worse, in standard errors."""
        x, y = self.judging
        worse = np.square(y - x @ plain) - np.square(y - x @ other)
        spread = float(worse.std())
        return float(worse.mean() / spread * np.sqrt(len(y))) if spread > 0 else 0.0
