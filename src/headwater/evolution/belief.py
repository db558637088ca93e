"""How much of each regime holds for one who has few records, now and in the next step.

The regimes' models are *experts*, and so are points on the way from each to each other, for changes that take time. A
hidden chain moves among them: it stays, jumps, or goes a step along a way; where companions that were in the same
regime have just gone, it is likelier to follow. Its filter over the latest records gives every expert a weight, and
every regime a share. Regimes are judged without those records, which are then added one after another, so that nobody
is judged by what it learnt from.

Source: Herbster and Warmuth 1998 (tracking the best expert); Xie and Siegmund 2013 (evidence of several streams).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from headwater.evolution.agreement import Sums
from headwater.evolution.regimes import Delivery, Regimes
from headwater.types import SourceId, Vector

__all__ = ["Belief", "Believed"]

_PURE = 0.7
"""Weight of the regimes themselves, against the ways between them, before any record was seen."""

_EXACT = 1e-12
"""Share of the targets' squares below which a sum of squared errors is rounding."""


@dataclass(frozen=True)
class Believed:
    """What the latest records of one tell about the regimes.

    Parameters
    ----------
    shares : of the regimes that are looked at in what will hold in the step after the last delivery; at least 0,
        together 1. The model of all is the sum of the regimes' models, weighted by them
    odds : log odds of these records under regimes that change, against one law that holds for all sources
    """

    shares: Mapping[int, float]
    odds: float


@dataclass(frozen=True)
class Belief:
    """The settings of the chain.

    Parameters
    ----------
    jump : chance a step to be in any other regime at once
    leave : chance a step to set out on a gradual way to another regime
    move : chance a step to move on, or back, on a way
    parts : steps of a whole way
    follow : how strongly a share f of companions that have gone is followed: chance ``follow`` · f², at most a half
    memory : time that companions' moves are remembered for
    latest : deliveries that the filter looks back on
    most : regimes that are looked at, those of these deliveries before those with most records; experts grow with the
        square of it, their chances with the fourth power
    """

    jump: float = 0.005
    leave: float = 0.01
    move: float = 0.25
    parts: int = 4
    follow: float = 2.0
    memory: float = 3.0
    latest: int = 16
    even: float = 0.5
    most: int = 16

    def believed(self, regimes: Regimes, source: SourceId) -> Believed:
        """Return what the latest deliveries of ``source`` tell; it has delivered at least once."""
        latest = regimes.deliveries(source)[-self.latest :]
        known = self._known(regimes, latest)
        points = self._points(len(known))
        gone, peopled = self._companions(regimes, source, known)
        moving = self._moving(peopled, gone)
        pools = [regimes.sums(regime) for regime in known]
        places = [known.index(delivery.regime) for delivery in latest]
        weights, odds = self._before(len(known), len(points)), 0.0
        for fit in _fits(pools, places, latest, points, regimes.expected):
            weights = (weights @ moving) * np.exp(fit - fit.max())
            odds += float(np.log(weights.sum()) + fit.max())
            weights /= weights.sum()
        whole = [_sum([regimes.sums(regime) for regime in regimes.known])]
        odds -= sum(float(fit[0]) for fit in _fits(whole, [0] * len(latest), latest, np.ones((1, 1)), regimes.expected))
        shares = weights @ moving @ points
        return Believed(dict(zip(known, shares.tolist(), strict=True)), odds)

    def _known(self, regimes: Regimes, latest: Sequence[Delivery]) -> Sequence[int]:
        own = {delivery.regime for delivery in latest}
        others = sorted(set(regimes.known) - own, key=lambda regime: (-regimes.sums(regime).records, regime))
        return sorted([*own, *others[: max(0, self.most - len(own))]])

    def _before(self, regimes: int, points: int) -> Vector:
        weights = np.full(points, (1 - _PURE) / points)
        weights[:regimes] += _PURE / regimes
        return weights

    def _points(self, regimes: int) -> Vector:
        """Return (experts, regimes) shares: every regime alone, then the ways of all pairs, each step by step."""
        alone = np.eye(regimes)
        ways = [
            (1 - step / self.parts) * alone[one] + step / self.parts * alone[other]
            for one, other in combinations(range(regimes), 2)
            for step in range(1, self.parts)
        ]
        return np.vstack([alone, *ways])

    def _moving(self, peopled: Vector, gone: Vector) -> Vector:
        """Return (experts, experts): the chances of a step, which leads where many are rather than where few are."""
        regimes, inner = len(peopled), self.parts - 1
        ways = {pair: regimes + k * inner for k, pair in enumerate(combinations(range(regimes), 2))}
        size = regimes + len(ways) * inner
        moving = np.zeros((size, size))
        for (one, other), first in ways.items():
            path = [one, *range(first, first + inner), other]
            for here, ahead in pairwise(path):
                moving[here, ahead] += self.leave * peopled[other] if here == one else self.move / 2
                moving[ahead, here] += self.leave * peopled[one] if ahead == other else self.move / 2
        moving[:, :regimes] += self.jump * peopled
        moving[np.diag_indices(size)] += 1 - moving.sum(axis=1)
        return self._following(moving, ways, gone)

    def _following(self, moving: Vector, ways: dict[tuple[int, int], int], gone: Vector) -> Vector:
        """Let each regime's chain follow those that have gone from it: mostly at once, else by setting out."""
        for one in np.flatnonzero(gone.sum(axis=1)).tolist():
            towards = gone[one] / gone[one].sum()
            chance = min(0.5, self.follow * float(gone[one].sum()) ** 2)
            moving[one] *= 1 - chance
            for other in np.flatnonzero(towards).tolist():
                first = ways[min(one, other), max(one, other)]
                out = first if one < other else first + self.parts - 2
                moving[one, other] += 0.7 * chance * towards[other]
                moving[one, out] += 0.3 * chance * towards[other]
        return moving

    def _companions(self, regimes: Regimes, source: SourceId, known: Sequence[int]) -> tuple[Vector, Vector]:
        """Return who has gone where lately, and who is where.

        The first, (regimes, regimes), is the share of those in a regime that have gone to another; the second,
        (regimes,), the share of all that are in each, everybody being taken to be in every regime a little.
        """
        place = {regime: k for k, regime in enumerate(known)}
        now = regimes.deliveries(source)[-1].time
        gone, were = np.zeros((len(place), len(place))), np.zeros(len(place))
        people = np.full(len(place), self.even)
        for companion in regimes.sources:
            past = regimes.deliveries(companion)[-2 * self.latest :]
            if companion == source or now - past[-1].time > 2 * self.memory or past[-1].regime not in place:
                continue
            people[place[past[-1].regime]] += 1
            change = _last_change(past)
            if change is not None and change[0].regime in place and now - change[1].time <= self.memory:
                gone[place[change[0].regime], place[change[1].regime]] += 1
                were[place[change[0].regime]] += 1
            else:
                were[place[past[-1].regime]] += 1
        return np.asarray(gone / np.maximum(were, 4)[:, None]), np.asarray(people / people.sum())


def _sum(pools: Sequence[Sums]) -> Sums:
    return sum(pools[1:], pools[0])


def _last_change(past: Sequence[Delivery]) -> tuple[Delivery, Delivery] | None:
    """Return the deliveries before and after the last change."""
    return next(((before, after) for after, before in pairwise(reversed(past)) if after.regime != before.regime), None)


def _fits(
    pools: Sequence[Sums], places: Sequence[int], latest: Sequence[Delivery], points: Vector, expected: Sums
) -> list[Vector]:
    """Return for each delivery the (experts,) log likelihood of each, as its pool was before it.

    Parameters
    ----------
    pools : all that was said, these deliveries among it
    places : the pool that each delivery is in
    points : (experts, pools) shares
    """
    variance, left, found = _variance(pools, expected), list(pools), []
    for place, delivery in zip(places, latest, strict=True):
        left[place] -= delivery.sums
    for place, delivery in zip(places, latest, strict=True):
        models = points @ np.stack([(pool + expected).coefficients(0.0) for pool in left])
        doubt = models.shape[1] * (points**2 @ np.array([1 / max(pool.records, 1.0) for pool in left]))
        spread = variance * (1 + doubt)
        found.append(-0.5 * (delivery.sums.squares(models) / spread + delivery.sums.records * np.log(spread)))
        left[place] += delivery.sums
    return found


def _variance(pools: Sequence[Sums], expected: Sums) -> float:
    """Return the mean squared error of every pool's model on what was said in it; never nothing, as of an exact fit."""
    squares = sum(float(pool.squares((pool + expected).coefficients(0.0)[None])[0]) for pool in pools)
    least = _EXACT * sum(float(pool.matrix[-1, -1]) for pool in pools)
    return max(squares, least, _EXACT) / sum(pool.records for pool in pools)
