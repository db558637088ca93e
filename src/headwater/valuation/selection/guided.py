"""Greedy choice among thousands: the gradient says whom to try, the utility decides among them."""

import numpy as np
import numpy.typing as npt

from headwater.valuation.selection.greedy import climbed
from headwater.valuation.selection.problem import Places, Problem

__all__ = ["guided"]

_TRIED = 16


def guided(problem: Problem) -> npt.NDArray[np.bool_]:
    """Return a choice by gain per cost for games that know their ``slopes``; n gradients and 16 trials a step."""

    def steepest(inside: npt.NDArray[np.bool_], places: Places) -> Places:
        if len(places) <= _TRIED:
            return places
        slopes = problem.game.slopes(inside.astype(np.float64))[places] / problem.costs[places]  # type: ignore[attr-defined]
        return places[np.argpartition(-slopes, _TRIED)[:_TRIED]]

    return climbed(problem, steepest, costs=problem.costs)
