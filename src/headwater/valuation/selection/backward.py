"""Start from everybody and drop, each time the source whose leaving costs least for what it frees.

The mirror of greedy choice: it keeps sources that are worth something only together.
"""

import numpy as np
import numpy.typing as npt

from headwater.valuation.selection.problem import Problem

__all__ = ["backward"]


def backward(problem: Problem) -> npt.NDArray[np.bool_]:
    """Return the best affordable choice on the way from all allowed sources down to none."""
    inside = problem.allowed.copy()
    best, best_utility = problem.nobody, problem.utility(problem.nobody)
    while inside.any():
        utility = problem.utility(inside)
        if problem.fits(inside[None, :])[0] and utility > best_utility:
            best, best_utility = inside.copy(), utility
        places = np.flatnonzero(inside)
        fewer = np.repeat(inside[None, :], len(places), axis=0)
        fewer[np.arange(len(places)), places] = False
        loss = utility - problem.utilities(fewer)
        inside[places[int(np.argmin(loss / problem.costs[places]))]] = False
    return best
