"""Generalised linear models behind the five verbs, whatever framework gives their weights."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from headwater.errors import Message, Refusal
from headwater.federation.learner import Described, fitting, sized
from headwater.statistics.scoring import Scoring
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, Vector

__all__ = ["Scored", "Working"]

_ROUNDS = 25


class Working(NamedTuple):
    """Of each record (n,): working weight, weight · (working response - linear predictor), squared Pearson residual."""

    weights: Vector
    residuals: Vector
    misfit: Vector


@dataclass(frozen=True)
class Scored:
    """A model of which an adapter says its working weights and its mean.

    Parameters
    ----------
    dim : number of features, the constant first one included
    ridge : added to the information, but for the intercept
    """

    dim: int
    ridge: float = 0.0

    framework = "headwater"
    name = "glm"

    def describe(self) -> Described:
        """Return what there is to learn; it begins without coefficients, from the labels alone."""
        return Described(self.framework, self.name, _ROUNDS, exact=True, start=np.empty(0))

    def family(self, parameters: Vector) -> Scoring:
        """Return the family of all rounds."""
        return Scoring(self.dim)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return score and information of records at ``parameters``."""
        fitting(x, y, dim=self.dim)
        if not bool(self.takes(y).all()):
            raise self._labels()
        if parameters.size:
            sized(parameters, size=self.dim)
        told = self.working(x @ parameters if parameters.size else None, y)
        return Scoring(self.dim).statistic(x, told.weights, told.residuals, misfit=float(told.misfit.sum()))

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the coefficients one step on."""
        before = parameters if parameters.size else np.zeros(self.dim)
        return Scoring(self.dim).solve(before, statistic, ridge=self.ridge)

    def takes(self, y: Vector) -> Masks:
        """Return (n,) whether each label is one that the model knows."""
        raise NotImplementedError

    def working(self, linear: Vector | None, y: Vector) -> Working:
        """Return what the records say at the linear predictor (n,), or at a guess from each label where it is None."""
        raise NotImplementedError

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) means."""
        raise NotImplementedError

    def _labels(self) -> Refusal:
        return Refusal(
            "E-LEARNER-LABELS",
            Message(
                f"{self.framework} 的 {self.name} 不接受这些标签。",
                f"{self.framework} {self.name}: labels outside its range.",
            ),
            Message("请核对目标列，或换一种模型。", "Check the target column, or choose another model."),
        )
