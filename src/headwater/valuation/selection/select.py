"""Which sources to use: the best set that the budget pays for, how far it can be from the best, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from headwater.errors import Message
from headwater.types import SourceId
from headwater.valuation.selection.backward import backward
from headwater.valuation.selection.certificate import Certificate, affordable, certify
from headwater.valuation.selection.greedy import greedy, lazy, stochastic
from headwater.valuation.selection.guided import guided
from headwater.valuation.selection.problem import Budget, Problem
from headwater.valuation.selection.relaxation import relaxation
from headwater.valuation.selection.returns import Returns, returns
from headwater.valuation.selection.swaps import improved, pruned
from headwater.valuation.valuation import Game, Valuation, require_rng

__all__ = ["Selection", "select"]

_FEW = 64
"""Up to here every algorithm is tried and every choice improved by exchanges."""
_ENUMERATE_UP_TO = 12

Choice = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """A choice of sources.

    Parameters
    ----------
    chosen : in the order in which they add most
    gains : what each adds to those before it, in the unit of the utility
    utility : of all of them
    cost : spent on them, in the budget's unit
    certificate : the most that any affordable choice can be worth, and why
    algorithm : that found the choice
    returns : whether returns diminish
    reasons : a sentence for every source, chosen or not
    """

    chosen: tuple[SourceId, ...]
    gains: tuple[float, ...]
    utility: float
    cost: float
    certificate: Certificate
    algorithm: str
    returns: Returns
    reasons: Mapping[SourceId, Message]

    @property
    def share(self) -> float:
        """Share of the best utility that is reached for certain; 1 where nothing can be gained."""
        bound = self.certificate.bound
        return 1.0 if bound <= max(self.utility, 0.0) else max(0.0, self.utility / bound)


def select(
    game: Game,
    players: Sequence[SourceId],
    *,
    budget: Budget | float,
    rng: np.random.Generator,
    valuation: Valuation | None = None,
) -> Selection:
    """Choose the best affordable set of sources.

    Few affordable sets are all compared. Otherwise, where returns diminish, lazy greedy choice is as good as any that
    is quick; where they do not, forward, backward and relaxed choices compete and the best is improved by exchanges.
    Among thousands of sources the game's own gradient, or chance, says whom to try.

    Parameters
    ----------
    game : a utility; ``cautious(game)`` for a target of few records
    budget : a number of sources, or a ``Budget`` in any unit
    valuation : of the same players; those whose whole interval lies below 0 are never chosen

    Raises
    ------
    Refusal
        ``E-VALUE-PLAYERS``, also for players that are not the game's own in its order, ``E-VALUE-FINITE`` for a game
        that tells no numbers, ``E-VALUE-RNG``, ``E-SELECT-BUDGET``, ``E-SELECT-COST``
    """
    require_rng(rng)
    problem = Problem.of(game, players, budget)
    unlike = ~np.asarray(getattr(game, "allowed", problem.allowed))
    harmful = problem.nobody if valuation is None else np.array([_harms(valuation, name) for name in problem.players])
    problem = replace(problem, allowed=problem.allowed & ~unlike & ~harmful)
    found = returns(problem, rng)
    inside, algorithm, optimum = _chosen(problem, found, rng)
    order, gains = _ordered(problem, inside)
    certificate = certify(problem, inside, found, optimum=optimum)
    unit = budget.unit if isinstance(budget, Budget) else "sources"
    return Selection(
        tuple(problem.players[place] for place in order),
        tuple(gains),
        problem.utility(inside),
        float(problem.costs[inside].sum()),
        certificate,
        algorithm,
        found,
        _reasons(problem, order, gains, {"unlike": unlike, "harmful": harmful}, unit),
    )


def _chosen(problem: Problem, found: Returns, rng: np.random.Generator) -> tuple[Choice, str, float | None]:
    if problem.allowed.sum() <= _ENUMERATE_UP_TO and (sets := affordable(problem)) is not None:
        utilities = problem.utilities(sets)
        # Of equals, the smallest set: enumeration begins with the empty one.
        best = int(np.argmax(utilities))
        return sets[best], "exhaustive", float(utilities[best])
    algorithms = _algorithms(problem, found, rng)
    choices = {name: choose() for name, choose in algorithms.items()}
    if problem.allowed.sum() <= _FEW:
        choices |= {f"{name} + exchanges": improved(problem, choice) for name, choice in choices.items()}
    name = max(choices, key=lambda name: problem.utility(choices[name]))
    return pruned(problem, choices[name]), name, None


def _algorithms(problem: Problem, found: Returns, rng: np.random.Generator) -> Mapping[str, Callable[[], Choice]]:
    if problem.allowed.sum() > _FEW:
        if hasattr(problem.game, "slopes"):
            return {"guided": lambda: guided(problem)}
        return {"stochastic": lambda: stochastic(problem, rng)}
    if found.diminish and found.monotone:
        return {"lazy": lambda: lazy(problem)}
    return {
        "greedy": lambda: greedy(problem),
        "backward": lambda: backward(problem),
        "relaxation": lambda: relaxation(problem, rng),
    }


def _ordered(problem: Problem, inside: Choice) -> tuple[list[int], list[float]]:
    """Return the chosen in the order in which each adds most to those before it, and what it adds."""
    so_far, left, order, gains = problem.nobody, list(np.flatnonzero(inside)), [], []
    utility = problem.utility(so_far)
    while left:
        utilities = problem.additions(so_far, np.array(left))
        best = int(np.argmax(utilities))
        gains.append(float(utilities[best]) - utility)
        utility = float(utilities[best])
        order.append(int(left.pop(best)))
        so_far[order[-1]] = True
    return order, gains


def _harms(valuation: Valuation, name: SourceId) -> bool:
    return bool(valuation.high[valuation.players.index(name)] < 0)


def _reasons(
    problem: Problem, order: list[int], gains: list[float], barred: Mapping[str, Choice], unit: str
) -> dict[SourceId, Message]:
    units = {"sources": "家", "bytes": "字节", "epsilon": "ε", "money": "元"}
    inside = problem.nobody
    inside[order] = True
    reasons = {
        problem.players[place]: Message(
            f"第 {rank} 个选入：在前面各家之上使效用{'提高' if gain >= 0 else '变化'} {gain:+.4f}，"
            f"占用 {problem.costs[place]:g} {units.get(unit, unit)}。",
            f"Chosen at place {rank}: adds {gain:+.4f} to those before it for {_amount(problem.costs[place], unit)}.",
        )
        for rank, (place, gain) in enumerate(zip(order, gains, strict=True), start=1)
    }
    outside = np.flatnonzero(~inside)
    fits = set(problem.candidates(inside).tolist())
    added = dict(zip(outside.tolist(), problem.additions(inside, outside) - problem.utility(inside), strict=True))
    for place in outside.tolist():
        reasons[problem.players[place]] = _left_out(place, added[place], place in fits, barred)
    return reasons


def _amount(cost: float, unit: str) -> str:
    return f"{cost:g} {'source' if (cost, unit) == (1, 'sources') else unit}"


def _left_out(place: int, gain: float, fits: bool, barred: Mapping[str, Choice]) -> Message:
    if barred["harmful"][place]:
        return Message("未选：价值区间整体低于 0。", "Left out: its whole interval of value lies below 0.")
    if barred["unlike"][place]:
        return Message(
            "未选：其特征与目标的关系与目标方不同，超出抽样误差。",
            "Left out: its relation between features and label differs from the target's beyond chance.",
        )
    if fits or gain <= 0:
        return Message(
            f"未选：再加入它效用变化 {gain:+.4f}。", f"Left out: adding it changes the utility by {gain:+.4f}."
        )
    return Message(
        f"未选：预算已用完；加入它可再提高 {gain:+.4f}。", f"Left out: the budget is spent; it would add {gain:+.4f}."
    )
