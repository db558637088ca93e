r"""Choose by gradient: let every source stand in with a weight between 0 and 1, climb, then round.

.. math:: F(x) = \mathbb{E}_{S \sim x}\,[v(S)], \qquad
          \partial F / \partial x_i = \mathbb{E}[v(S \cup i) - v(S \setminus i)]

Source: continuous greedy on the multilinear extension, Vondrák 2008; gradients from sampled coalitions. A game that
knows its own gradient at fractional membership (``slopes``) is asked for it instead.
"""

import numpy as np
import numpy.typing as npt

from headwater.types import Vector
from headwater.valuation.selection.problem import Problem

__all__ = ["relaxation"]

_STEPS = 10
_SAMPLES = 8


def relaxation(problem: Problem, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return the best affordable choice found by rounding the climbed weights, largest first."""
    weights = np.zeros(len(problem.players))
    for _ in range(_STEPS):
        weights += _vertex(problem, _slopes(problem, weights, rng)) / _STEPS
    return _rounded(problem, weights)


def _slopes(problem: Problem, weights: Vector, rng: np.random.Generator) -> Vector:
    offered = getattr(problem.game, "slopes", None)
    if offered is not None:
        return np.asarray(offered(weights), dtype=np.float64)
    size = len(weights)
    drawn = rng.random((_SAMPLES, 1, size)) < weights
    with_each = np.repeat(drawn, size, axis=1)
    without = with_each.copy()
    own = np.arange(size)
    with_each[:, own, own], without[:, own, own] = True, False
    values = problem.utilities(np.concatenate([with_each, without]).reshape(-1, size)).reshape(2, _SAMPLES, size)
    return np.asarray((values[0] - values[1]).mean(axis=0))


def _vertex(problem: Problem, slopes: Vector) -> Vector:
    """Return the affordable direction of steepest ascent: the fractional knapsack of the slopes."""
    order = np.argsort(-slopes / problem.costs, kind="stable")
    order = order[problem.allowed[order] & (slopes[order] > 0)]
    before = np.cumsum(problem.costs[order]) - problem.costs[order]
    direction = np.zeros(len(slopes))
    direction[order] = np.clip((problem.limit - before) / problem.costs[order], 0.0, 1.0)
    return direction


def _rounded(problem: Problem, weights: Vector) -> npt.NDArray[np.bool_]:
    inside, steps = problem.nobody, [problem.nobody]
    for place in np.argsort(-weights, kind="stable"):
        if weights[place] > 0 and place in problem.candidates(inside):
            inside[place] = True
            steps.append(inside.copy())
    utilities = problem.utilities(np.stack(steps))
    return steps[int(np.argmax(utilities))]
