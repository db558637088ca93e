"""Linear models behind the five verbs, solved from one sum, whatever framework they are handed back to."""

from dataclasses import dataclass, field

import numpy as np

from headwater.federation.learner import Described, fitting, sized
from headwater.statistics.fixed_point import FixedPoint
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["Solved"]


@dataclass(frozen=True)
class Solved:
    """Ridge regression of ``dim`` features, the constant first one included and not shrunk.

    Parameters
    ----------
    ridge : L2 penalty in units of records
    encoding : of the sums; a coarse one travels in fewer bytes
    """

    dim: int
    ridge: float = 1.0
    encoding: FixedPoint = field(default_factory=FixedPoint)

    framework = "headwater"

    def describe(self) -> Described:
        """Return what there is to learn; nothing is told of a start, for there is one solution wherever it begins."""
        return Described(self.framework, "ridge", rounds=1, exact=True, start=np.empty(0))

    def family(self, parameters: Vector) -> Gram:
        """Return the family of the only round."""
        return Gram(self.dim, encoding=self.encoding)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return Gram matrix and moment of records."""
        fitting(x, y, dim=self.dim)
        if parameters.size:
            sized(parameters, size=self.dim)
        return self.family(parameters).statistic(x, y)

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the coefficients, the intercept first."""
        return self.family(parameters).solve(statistic, ridge=self.ridge)

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return ``x @ parameters``."""
        sized(parameters, size=self.dim)
        return np.asarray(x @ parameters, dtype=np.float64)
