"""Choose sources one by one, each time the one that adds most for what it costs.

Sources: Nemhauser, Wolsey and Fisher 1978; for unequal costs Khuller, Moss and Naor 1999 (the better of gain and gain
per cost); lazy evaluation after Minoux 1978, which is valid only where returns diminish; sampled candidates after
Mirzasoleiman et al. 2015 ("lazier than lazy greedy").
"""

import heapq
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from headwater.types import Vector
from headwater.valuation.selection.problem import Places, Problem

__all__ = ["climbed", "greedy", "lazy", "stochastic"]

Trying: TypeAlias = Callable[[npt.NDArray[np.bool_], Places], Places]

_MISSED = 0.05
"""A step of ``stochastic`` looks past the best candidates of a wanted set with this probability at most."""


def climbed(problem: Problem, tried: Trying, *, costs: Vector) -> npt.NDArray[np.bool_]:
    """Return the choice that takes, among those ``tried``, whoever adds most for ``costs``, until nobody adds anything.

    Parameters
    ----------
    tried : from who is inside, and who may still join, to the places that are looked at
    costs : (players,) by which gains are divided
    """
    inside, utility = problem.nobody, problem.utility(problem.nobody)
    while len(places := problem.candidates(inside)):
        trials = tried(inside, places)
        utilities = problem.additions(inside, trials)
        best = int(np.argmax((utilities - utility) / costs[trials]))
        if not utilities[best] > utility:
            break
        inside[trials[best]] = True
        utility = float(utilities[best])
    return inside


def greedy(problem: Problem) -> npt.NDArray[np.bool_]:
    """Return the better of the choices by gain and by gain per cost."""
    powers = (0.0, 1.0) if np.ptp(problem.costs) > 0 else (0.0,)
    choices = [climbed(problem, lambda _, places: places, costs=problem.costs**power) for power in powers]
    return max(choices, key=problem.utility)


def lazy(problem: Problem) -> npt.NDArray[np.bool_]:
    """Return what ``greedy`` by gain per cost returns if returns diminish, with far fewer evaluations."""
    inside, utility = problem.nobody, problem.utility(problem.nobody)
    places = problem.candidates(inside)
    gains = problem.additions(inside, places) - utility
    queue = [(-gain / problem.costs[place], int(place), 0) for gain, place in zip(gains, places, strict=True)]
    heapq.heapify(queue)
    step = 0
    while queue:
        bound, place, seen = heapq.heappop(queue)
        if bound >= 0:
            break
        if place not in problem.candidates(inside):
            continue
        if seen == step:
            inside[place] = True
            utility += -bound * problem.costs[place]
            step += 1
        else:
            gain = float(problem.additions(inside, np.array([place]))[0]) - utility
            heapq.heappush(queue, (-gain / problem.costs[place], place, step))
    return inside


def stochastic(problem: Problem, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a greedy choice that looks at a random few candidates in each step: n log(1/ε) evaluations in all."""
    wanted = max(1, int(problem.limit / float(np.median(problem.costs))))
    size = max(1, int(np.ceil(len(problem.players) / wanted * np.log(1 / _MISSED))))

    def some(inside: npt.NDArray[np.bool_], places: Places) -> Places:
        return np.asarray(rng.choice(places, size=min(size, len(places)), replace=False), dtype=np.int64)

    return climbed(problem, some, costs=problem.costs)
