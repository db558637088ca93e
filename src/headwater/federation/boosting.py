"""Boosted trees behind the five verbs, whatever framework they are grown for."""

from dataclasses import dataclass

from headwater.federation.learner import Described, fitting
from headwater.statistics.histogram import Histogram
from headwater.statistics.statistic import Statistic
from headwater.statistics.trees import Bins, Growth, Trees
from headwater.types import Vector

__all__ = ["Boosting"]


@dataclass(frozen=True)
class Boosting:
    """Trees of the sources' records; a framework's adapter says how it grows them and predicts by its own model.

    Parameters
    ----------
    bins : public edges of the features but the constant first one
    growth : the framework's rules
    """

    bins: Bins
    growth: Growth

    framework = "headwater"

    @property
    def grower(self) -> Trees:
        """What says and solves histograms."""
        return Trees(self.bins, self.growth)

    def describe(self) -> Described:
        """Return what there is to learn: a base, then each level of each tree."""
        return Described(self.framework, "trees", self.grower.rounds, exact=True, start=self.grower.start)

    def family(self, parameters: Vector) -> Histogram:
        """Return the family of the level that is open."""
        return self.grower.family(parameters)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return the histogram of records over the nodes that are open."""
        fitting(x, y, dim=1 + len(self.bins.edges))
        return self.grower.statistic(parameters, x[:, 1:], y)

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the trees with the open level split."""
        return self.grower.solve(parameters, statistic)

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions."""
        return self.grower.scores(parameters, x[:, 1:])
