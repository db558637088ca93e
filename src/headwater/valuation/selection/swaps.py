"""Improve a choice by adding, dropping and exchanging until nothing helps.

Source: local search for (non-monotone) set functions, Feige, Mirrokni and Vondrák 2011. Where sources complement each
other, a pair can be worth much of which each half is worth nothing: small problems exchange two at a time as well.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from headwater.types import Masks
from headwater.valuation.selection.problem import Problem

__all__ = ["improved", "pruned"]

_PAIRS_UP_TO = 400
"""Most neighbours of a choice that differ in two members for these to be looked at."""
_ROUNDS = 50


def improved(problem: Problem, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a choice none of whose neighbours is better; each round moves to the best of them."""
    best, utility = inside.copy(), problem.utility(inside)
    for _ in range(_ROUNDS):
        for neighbours in (_near(problem, best), _two_away(problem, best)):
            affordable = neighbours[problem.fits(neighbours)]
            utilities = problem.utilities(affordable) if len(affordable) else np.array([-np.inf])
            place = int(np.argmax(utilities))
            if utilities[place] > utility:
                best, utility = affordable[place], float(utilities[place])
                break
        else:
            break
    return best


def pruned(problem: Problem, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the choice without members who add nothing to the others: of equals the smaller set."""
    kept, utility = inside.copy(), problem.utility(inside)
    while kept.any():
        places = np.flatnonzero(kept)
        fewer = np.repeat(kept[None, :], len(places), axis=0)
        fewer[np.arange(len(places)), places] = False
        utilities = problem.utilities(fewer)
        place = int(np.argmax(utilities))
        if utilities[place] < utility:
            break
        kept, utility = fewer[place], float(utilities[place])
    return kept


def _near(problem: Problem, inside: npt.NDArray[np.bool_]) -> Masks:
    """Return the choices one addition, one removal or one exchange away."""
    out, into = np.flatnonzero(inside), np.flatnonzero(~inside & problem.allowed)
    moves: list[tuple[int, ...]] = [(int(place),) for place in (*out, *into)]
    moves += [(int(one), int(two)) for one in out for two in into]
    return _flipped(inside, moves)


def _two_away(problem: Problem, inside: npt.NDArray[np.bool_]) -> Masks:
    """Return the choices with two more, two fewer, or two exchanged for two."""
    out, into = np.flatnonzero(inside), np.flatnonzero(~inside & problem.allowed)
    leave, join = (list(combinations(map(int, places), 2)) for places in (out, into))
    exchanges = len(leave) * len(join)
    moves = [*leave, *join, *((*one, *two) for one in leave for two in join)] if exchanges <= _PAIRS_UP_TO else []
    return _flipped(inside, moves)


def _flipped(inside: npt.NDArray[np.bool_], moves: list[tuple[int, ...]]) -> Masks:
    masks = np.repeat(inside[None, :], len(moves), axis=0)
    for mask, move in zip(masks, moves, strict=True):
        mask[list(move)] ^= True
    return masks
