r"""Small networks behind the five verbs, whatever framework differentiates them: damped Gauss-Newton steps from sums.

.. math:: \theta' = \theta + (J^T J + \lambda I + \mu D)^{-1} (J^T r - \lambda \theta)

Jacobian products and squared residuals of records add up, so that every step is that of all records in one place: no
source drifts from the others, as it does where each trains by itself. A step that made the sum of squares larger is
taken back by three quarters. Source: Marquardt 1963.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from headwater.errors import Message, Refusal
from headwater.federation.learner import Described, fitting, sized
from headwater.statistics.scoring import Scoring
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["Curved"]

_MOST = 1000
_LEAST_DAMPING, _RELAXED, _TIGHTENED, _BACK = 1e-9, 1 / 3, 4.0, 0.25


class _State(NamedTuple):
    """Parameters to be judged next, the best so far, their loss (below 0: unknown), damping."""

    trial: Vector
    best: Vector
    loss: float
    damping: float

    def vector(self) -> Vector:
        return np.concatenate([self.trial, self.best, [self.loss, self.damping]])


@dataclass(frozen=True)
class Curved:
    """A network of one output on squared error; an adapter says how it starts, what it puts out and its Jacobian.

    Parameters
    ----------
    dim : number of features, the constant first one included
    rounds : exchanges with the sources
    decay : L2 penalty of all parameters, in units of records
    seed : of the first parameters
    """

    dim: int
    rounds: int = 20
    decay: float = 0.1
    seed: int = 0

    framework = "headwater"

    def describe(self) -> Described:
        """Return what there is to learn."""
        first = self.initial()
        if first.size > _MOST:
            raise _large(first.size)
        start = _State(first, first, -1.0, 1.0).vector()
        return Described(self.framework, "network", self.rounds, exact=True, start=start)

    def family(self, parameters: Vector) -> Scoring:
        """Return the family of all rounds."""
        return Scoring(self.initial().size)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return Jacobian products and residuals of records."""
        fitting(x, y, dim=self.dim)
        trial = self._state(parameters).trial
        residuals = y - self.outputs(trial, x)
        jacobian, misfit = self.jacobian(trial, x), float(residuals @ residuals)
        return self.family(parameters).statistic(jacobian, np.ones(len(y)), residuals, misfit=misfit)

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the state one step on, or a quarter of the last step where it led uphill."""
        told, state = self.family(parameters).scores(statistic), self._state(parameters)
        loss = told.misfit + self.decay * float(state.trial @ state.trial)
        if 0 <= state.loss < loss:
            trial = state.best + _BACK * (state.trial - state.best)
            return _State(trial, state.best, state.loss, state.damping * _TIGHTENED).vector()
        curvature = told.information + self.decay * np.eye(state.trial.size)
        curvature += state.damping * np.mean(np.diag(told.information)) * np.eye(state.trial.size)
        step = np.linalg.solve(curvature, told.score - self.decay * state.trial)
        damping = max(state.damping * _RELAXED, _LEAST_DAMPING)
        return _State(state.trial + step, state.trial, loss, damping).vector()

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) outputs of the best parameters so far."""
        return self.outputs(self._state(parameters).best, x)

    def initial(self) -> Vector:
        """Return the (p,) parameters drawn by ``seed``."""
        raise NotImplementedError

    def outputs(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) outputs of the network."""
        raise NotImplementedError

    def jacobian(self, parameters: Vector, x: Vector) -> Vector:
        """Return (n, p): the derivative of each output in each parameter."""
        raise NotImplementedError

    def _state(self, parameters: Vector) -> _State:
        size = self.initial().size
        sized(parameters, size=2 * size + 2)
        loss, damping = parameters[-2:].tolist()
        return _State(parameters[:size], parameters[size:-2], loss, damping)


def _large(size: int) -> Refusal:
    return Refusal(
        "E-NETWORK-LARGE",
        Message(
            f"网络有 {size} 个参数，超过 {_MOST}；其乘积之和随参数数的平方增长。",
            f"The network has {size} parameters, more than {_MOST}; sums of products grow with their square.",
        ),
        Message(
            "请减少隐藏单元，或改用 learner 为 network 的模型。",
            "Use fewer hidden units, or a model of the learner network.",
        ),
    )
