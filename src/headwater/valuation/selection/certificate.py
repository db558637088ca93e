"""How far a choice can be from the best one: an upper bound on the best utility, for this very instance."""

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np
import numpy.typing as npt

from headwater.errors import Message
from headwater.types import Masks, Vector
from headwater.valuation.selection.problem import Problem
from headwater.valuation.selection.returns import Returns

__all__ = ["Certificate", "affordable", "certify"]

_ENUMERATED = 1 << 16


@dataclass(frozen=True)
class Certificate:
    """No affordable choice is worth more than ``bound``.

    Parameters
    ----------
    bound : in the unit of the utility
    proof : what it rests on
    conditional : it holds if returns diminish, which a sample supports but cannot prove
    """

    bound: float
    proof: Message
    conditional: bool


def affordable(problem: Problem, most: int = _ENUMERATED) -> Masks | None:
    """Return every affordable coalition of those allowed, or None if there are more than ``most`` to look at."""
    members = np.flatnonzero(problem.allowed)
    largest = int((np.cumsum(np.sort(problem.costs[members])) <= problem.limit * (1 + 1e-12)).sum())
    if sum(comb(len(members), size) for size in range(largest + 1)) > most:
        return None
    sets = list(chain.from_iterable(combinations(members, size) for size in range(largest + 1)))
    masks = np.zeros((len(sets), len(problem.players)), dtype=np.bool_)
    for mask, chosen in zip(masks, sets, strict=True):
        mask[list(chosen)] = True
    return masks[problem.fits(masks)]


def certify(problem: Problem, inside: npt.NDArray[np.bool_], found: Returns, *, optimum: float | None) -> Certificate:
    """Return the smallest bound that can be proved; infinite if nothing is known about the game.

    Parameters
    ----------
    optimum : the best utility, if every affordable coalition was looked at
    """
    if optimum is not None:
        return Certificate(optimum, Message("逐一比较了所有可行组合", "every affordable set was compared"), False)
    known = [Certificate(np.inf, Message("对该效用无已知上界", "no bound is known for this utility"), False)]
    ceiling = getattr(problem.game, "ceiling", None)
    if ceiling is not None:
        proof = Message("目标方验证记录上任何系数所能达到的上限", "no coefficients fit the validation records better")
        known.append(Certificate(float(ceiling), proof, False))
    if found.diminish:
        proof = Message("若收益递减（抽样检验支持）", "if returns diminish, as a sampled test supports")
        known.append(Certificate(_diminishing(problem, inside, found), proof, True))
    return min(known, key=lambda certificate: certificate.bound)


def _diminishing(problem: Problem, inside: npt.NDArray[np.bool_], found: Returns) -> float:
    """Return utility + the best fractional purchase of what each adds: to nobody and, if monotone, to the choice.

    Sources: Nemhauser, Wolsey and Fisher 1978; the data-dependent bound of Leskovec et al. 2007.
    """
    bounds = [_purchase(problem, problem.nobody)]
    if found.monotone:
        bounds.append(_purchase(problem, inside))
    return min(bounds)


def _purchase(problem: Problem, inside: npt.NDArray[np.bool_]) -> float:
    utility = problem.utility(inside)
    places = np.flatnonzero(problem.allowed & ~inside)
    gains: Vector = np.maximum(problem.additions(inside, places) - utility, 0.0) if len(places) else np.zeros(0)
    costs = problem.costs[places]
    order = np.argsort(-gains / costs, kind="stable")
    before = np.cumsum(costs[order]) - costs[order]
    shares = np.clip((problem.limit - before) / costs[order], 0.0, 1.0)
    return utility + float(shares @ gains[order])
