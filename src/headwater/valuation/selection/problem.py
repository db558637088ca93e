"""What is to be chosen: a game, what each source costs, and how much may be spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.valuation import Game, require_players

__all__ = ["Budget", "Places", "Problem"]

Places = npt.NDArray[np.int64]
"""(m,) positions of players."""


@dataclass(frozen=True)
class Budget:
    """How much may be spent on sources.

    Parameters
    ----------
    limit : most to spend in all, in ``unit``
    costs : what each source costs, above 0; without it every source costs 1, if sources are counted
    unit : what is counted: ``sources``, ``bytes``, ``epsilon`` or ``money``
    """

    limit: float
    costs: Mapping[SourceId, float] | None = None
    unit: str = "sources"

    def of(self, players: Sequence[SourceId]) -> Vector:
        """Return the (players,) costs; a missing cost or one not above 0 is refused."""
        if self.costs is None:
            if self.unit != "sources":
                raise _no_costs(self.unit)
            return np.ones(len(players))
        costs = np.array([self.costs.get(player, np.nan) for player in players], dtype=np.float64)
        for player, cost in zip(players, costs, strict=True):
            if not (np.isfinite(cost) and cost > 0):
                raise _bad_cost(player, self.unit)
        return costs


@dataclass(frozen=True, eq=False)
class Problem:
    """One choice to make.

    A game may offer more than utilities: ``additions(inside, places)``, the utilities of one coalition with each of
    some players added, and ``slopes(weights)``, its gradient at fractional membership. Where it does, they are used.

    Parameters
    ----------
    costs : (players,) above 0
    limit : most to spend
    allowed : (players,) who may be chosen at all
    """

    game: Game
    players: tuple[SourceId, ...]
    costs: Vector
    limit: float
    allowed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, game: Game, players: Sequence[SourceId], budget: Budget | float) -> "Problem":
        """Return the problem of choosing among all players; a budget that no source fits into is refused.

        So are players that the game knows in another order: its coalitions would mean other sources.
        """
        names = require_players(players)
        _require_own(names, getattr(game, "players", None))
        spending = budget if isinstance(budget, Budget) else Budget(_counted(budget))
        costs = spending.of(names)
        if not spending.limit >= costs.min():
            raise _no_budget(spending, names[int(costs.argmin())], float(costs.min()))
        return cls(game, names, costs, float(spending.limit), np.ones(len(names), dtype=np.bool_))

    @property
    def nobody(self) -> npt.NDArray[np.bool_]:
        """The empty coalition."""
        return np.zeros(len(self.players), dtype=np.bool_)

    def utilities(self, coalitions: Masks) -> Vector:
        """Return the (m,) utilities of (m, players) coalitions."""
        return _told(self.game(coalitions), len(coalitions))

    def utility(self, inside: npt.NDArray[np.bool_]) -> float:
        """Return the utility of one coalition."""
        return float(self.utilities(inside[None, :])[0])

    def fits(self, coalitions: Masks) -> npt.NDArray[np.bool_]:
        """Return which of (m, players) coalitions can be paid and hold nobody who is not allowed."""
        paid = coalitions @ self.costs <= self.limit * (1 + 1e-12)
        return np.asarray(paid & ~(coalitions & ~self.allowed).any(axis=1), dtype=np.bool_)

    def candidates(self, inside: npt.NDArray[np.bool_]) -> Places:
        """Return the places of those who are allowed, outside, and still affordable."""
        left = self.limit * (1 + 1e-12) - float(self.costs[inside].sum())
        return np.flatnonzero(self.allowed & ~inside & (self.costs <= left))

    def among(self, places: Places) -> "Problem":
        """Return the problem of choosing among some of the players alone."""
        offered = getattr(self.game, "among", None)
        game = self._among(places) if offered is None else offered(places)
        names = tuple(self.players[place] for place in places)
        return Problem(game, names, self.costs[places], self.limit, self.allowed[places])

    def additions(self, inside: npt.NDArray[np.bool_], places: Places) -> Vector:
        """Return the utilities of ``inside`` with each of ``places`` added."""
        offered = getattr(self.game, "additions", None)
        if offered is not None:
            return _told(offered(inside, places), len(places))
        trials = np.repeat(inside[None, :], len(places), axis=0)
        trials[np.arange(len(places)), places] = True
        return self.utilities(trials)

    def _among(self, places: Places) -> Game:
        def game(coalitions: Masks) -> Vector:
            whole = np.zeros((len(coalitions), len(self.players)), dtype=np.bool_)
            whole[:, places] = coalitions
            return self.utilities(whole)

        return game


def _counted(sources: object) -> float:
    """Return a number of sources, of whatever kind of number."""
    if isinstance(sources, Real):
        return float(sources)
    raise Refusal(
        "E-SELECT-BUDGET",
        Message(f"预算 {sources!r} 不是数。", f"The budget {sources!r} is no number."),
        Message("请给出来源个数，或 Budget。", "Give a number of sources, or a Budget."),
    )


def _told(utilities: object, coalitions: int) -> Vector:
    """Return what a game told of so many coalitions; anything but as many finite numbers is refused."""
    told = np.asarray(utilities, dtype=np.float64)
    if told.shape == (coalitions,) and np.isfinite(told).all():
        return told
    wrong = int((~np.isfinite(told)).sum())
    raise Refusal(
        "E-VALUE-FINITE",
        Message(
            f"效用的形状为 {told.shape}，其中 {wrong} 个不是有限的数；应为 {coalitions} 个有限的数。",
            f"Of {coalitions} coalitions the game told an array of shape {told.shape}, {wrong} of it not finite.",
        ),
        Message("请让效用给每个组合返回一个有限的数。", "Let the game return one finite number a coalition."),
    )


def _require_own(names: tuple[SourceId, ...], own: Sequence[SourceId] | None) -> None:
    if own is None or names == tuple(own):
        return
    place = next((at for at, (one, other) in enumerate(zip(names, own, strict=False)) if one != other), None)
    zh, en = (
        f"给出 {len(names)} 个来源，效用有 {len(own)} 个",
        f"{len(names)} players are given, the game has {len(own)}",
    )
    if place is not None:
        zh, en = (
            f"第 {place + 1} 个来源是“{names[place]}”，效用中是“{own[place]}”",
            (f"Player {place + 1} is {names[place]}, of the game it is {own[place]}"),
        )
    raise Refusal(
        "E-VALUE-PLAYERS",
        Message(f"{zh}。", f"{en}."),
        Message("请按 game.players 的顺序给出来源。", "Give game.players as they stand."),
    )


def _no_budget(budget: Budget, cheapest: SourceId, cost: float) -> Refusal:
    return Refusal(
        "E-SELECT-BUDGET",
        Message(
            f"预算 {budget.limit:g}（{budget.unit}）不够选用任何一个来源；最便宜的“{cheapest}”需 {cost:g}。",
            f"A budget of {budget.limit:g} {budget.unit} is below the cost of every source; "
            f"the cheapest, {cheapest}, costs {cost:g}.",
        ),
        Message(f"请把预算提高到至少 {cost:g}。", f"Raise the budget to {cost:g} or more."),
    )


def _no_costs(unit: str) -> Refusal:
    return Refusal(
        "E-SELECT-COST",
        Message(
            f"预算以 {unit} 计，但没有各来源的成本。", f"The budget is in {unit}, but no source has a cost in {unit}."
        ),
        Message(
            f"请写 Budget(上限, costs={{来源: 成本}}, unit={unit!r})，或用 sources 为单位。",
            f"Write Budget(limit, costs={{source: cost}}, unit={unit!r}), or count sources.",
        ),
    )


def _bad_cost(player: SourceId, unit: str) -> Refusal:
    return Refusal(
        "E-SELECT-COST",
        Message(f"来源“{player}”没有大于 0 的成本（{unit}）。", f"Source {player} has no cost above 0 in {unit}."),
        Message("请为每个来源给出成本。", "Give every source a cost."),
    )
