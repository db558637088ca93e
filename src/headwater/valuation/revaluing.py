r"""Values of very many sources from tick to tick, where each tick changes what a few of them say.

The coalitions of ``mean_field`` are drawn once and kept, so that what moves a value is what sources say and never the
draw. Of a coalition nothing moves unless somebody in it says something else; most coalitions are small, and most small
ones hold nobody who does. At one that moved, a marginal is split into

.. math:: m = L + R, \qquad L = -2 (V\beta - v)^T A^{-1} (h - G\beta)

with :math:`A, \beta` the coalition's system and solution, :math:`G, h` the source's. L is linear in what the source
says and is made anew for all sources by one product of matrices. R falls with the square of the coalition's size; it is
made anew, and so exact,

- for sources that say something else, and for a few others in turn, at every coalition;
- for all sources at the coalitions that matter. Those others tell by what share R has moved at each coalition since it
  was last exact, which of R itself and the weights of marginals is a bound for every source; and coalitions are made
  exact, those first that add most to it, until in its root mean square it is no more than a stated share of the error
  that values have from sampling. What is left of it widens their intervals.

Where nobody moved, and with a share of 0 everywhere, a value is the one that ``mean_field`` gives with the same draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from headwater.errors import Message, Refusal
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed, Masks, SourceId, Vector
from headwater.valuation.methods.mean_field import Design
from headwater.valuation.utilities.marginals import RidgeMarginals, Single
from headwater.valuation.utilities.statistics import GramUtility
from headwater.valuation.valuation import Valuation

__all__ = ["Revaluation", "Spared"]

_TURNS = 100
"""Everyone's turn to be exact at every coalition comes once in so many ticks."""

_PAIRS_AT_ONCE = 2048
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spared:
    """What a tick left as it was, and what that costs.

    Parameters
    ----------
    touched : coalitions in which somebody said something else
    exact : those of them that were made exact for everybody
    marginals : that were made exact, of coalitions times sources
    bounds : (sources,) by how much each value may be off
    """

    touched: int
    exact: int
    marginals: int
    bounds: Vector


@dataclass(frozen=True, eq=False)
class Revaluation:
    """The values after one tick, and all that the next one needs.

    Parameters
    ----------
    design : the coalitions, the same in every tick
    said : (sources, length) what each source says, in fixed point
    sums : (coalitions, length) sums of it, bit for bit those made anew
    layout : systems of all sources, as single numbers
    rest : (coalitions, sources) R as it last was exact
    weights : (coalitions, sources) of marginals in values
    tolerance : share of the median half-width of the values' intervals by which values may be off
    tick : how many there were
    valuation : the values
    """

    gram: Gram
    design: Design
    said: Fixed
    sums: Fixed
    layout: RidgeMarginals
    rest: Single
    weights: Single
    tolerance: float
    tick: int
    valuation: Valuation
    spared: Spared

    @staticmethod
    def start(game: GramUtility, *, rng: np.random.Generator, tolerance: float = 0.05) -> "Revaluation":
        """Value all of at least two sources, exactly as ``mean_field`` does."""
        if len(game.players) < 2 or not tolerance >= 0:
            raise ValueError("a revaluation needs at least two sources and a tolerance of at least 0")
        design = Design.draw(len(game.players), rng=rng)
        said = game.gram.stacked(game.sources.values())
        _require_room(said)
        sums = np.array([said[members].sum(axis=0) for members in design.coalitions], dtype=np.uint64)
        with threadpool_limits(limits=1, user_api="blas"):
            layout = game.laid_out()
            systems = _systems(game.gram, layout, sums)
            marginals = layout.at(systems, design.coalitions)
            rest = (marginals - layout.first_order(systems)).astype(np.float32)
            valuation = _valued(game.players, design, layout, systems, marginals)
        weights = design.weights().astype(np.float32)
        spared = Spared(len(sums), len(sums), rest.size, np.zeros(len(said)))
        return Revaluation(game.gram, design, said, sums, layout, rest, weights, tolerance, 0, valuation, spared)

    def after(self, changed: Mapping[SourceId, Statistic | None]) -> "Revaluation":
        """Return the values once some sources say something else.

        Parameters
        ----------
        changed : what they say now, in the place of all that they said; None, nothing any more: worth nothing

        Raises
        ------
        Refusal
            ``E-REVALUE-SOURCE`` for a source that was not there at the start
        """
        places = self._places(changed)
        said = self._replaced(places, changed)
        inside = self.design.coalitions[:, places]
        sums = self.sums + inside.astype(np.uint64) @ (said[places] - self.said[places])
        touched = np.flatnonzero(inside.any(axis=1))
        with threadpool_limits(limits=1, user_api="blas"):
            layout = self.layout.renewed(places, self.gram.systems(said[places]))
            systems = _systems(self.gram, layout, sums)
            return self._brought(replace(self, said=said, sums=sums, layout=layout), systems, places, touched)

    def _brought(self, now: "Revaluation", systems: Vector, places: _Places, touched: _Places) -> "Revaluation":
        """Bring rest and values up to the new systems."""
        turn = np.setdiff1d(np.arange(self.tick % _TURNS, len(self.said), _TURNS), places)
        linear, rest = now.layout.first_order(systems), self.rest.copy()
        before = rest[:, turn].copy()
        for some in (places, turn):
            found = _pairs(now.layout.of_some(some), systems, self.design.coalitions[:, some])
            rest[:, some] = found - linear[:, some]
        exact, bounds = self._settled(rest, rest[:, turn] - before, before, touched)
        rest[exact] = now.layout.at(systems[exact], self.design.coalitions[exact]) - linear[exact]
        count = len(exact) * len(self.said) + (len(rest) - len(exact)) * (len(places) + len(turn))
        found = _valued(self.valuation.players, self.design, now.layout, systems, linear.astype(np.float64) + rest)
        found = replace(found, low=found.low - bounds, high=found.high + bounds)
        spared = Spared(len(touched), len(exact), count, bounds)
        return replace(now, rest=rest, tick=self.tick + 1, valuation=found, spared=spared)

    def _settled(self, rest: Single, moved: Single, before: Single, touched: _Places) -> tuple[_Places, Vector]:
        """Return the coalitions to be made exact, and by how much values may be off for not making the others so.

        Parameters
        ----------
        moved, before : (coalitions, some sources) how far R moved since it was exact, and what it was
        """
        share = np.sqrt((moved**2).sum(axis=1, dtype=np.float64) / np.maximum((before**2).sum(axis=1), 1e-300))
        whole = np.abs(rest) * self.weights
        adds = share * np.sqrt((whole**2).mean(axis=1, dtype=np.float64))
        order = touched[np.argsort(adds[touched], kind="stable")]
        reach = float(np.median(self.valuation.high - self.valuation.low)) / 2
        exact = np.sort(order[np.cumsum(adds[order]) > self.tolerance * reach]) if self.tolerance else touched
        share[np.setdiff1d(np.arange(len(rest)), np.setdiff1d(touched, exact))] = 0.0
        return exact, np.asarray(share @ whole, dtype=np.float64)

    def _places(self, changed: Mapping[SourceId, Statistic | None]) -> _Places:
        where = {source: place for place, source in enumerate(self.valuation.players)}
        unknown = sorted(set(changed) - set(where))
        if unknown:
            raise _unknown(unknown[0], len(unknown))
        return np.array(sorted(where[source] for source in changed), dtype=np.int64)

    def _replaced(self, places: _Places, changed: Mapping[SourceId, Statistic | None]) -> Fixed:
        said = self.said.copy()
        for place in places.tolist():
            statistic = changed[self.valuation.players[place]]
            said[place] = 0 if statistic is None else self.gram.stacked([statistic])[0]
        _require_room(said)
        return said


def _systems(gram: Gram, layout: RidgeMarginals, sums: Fixed) -> Vector:
    """Return the rotated systems of target + coalition, (coalitions, dim, dim + 1)."""
    return layout.turned(gram.systems(sums)) + layout.base


def _valued(
    names: tuple[SourceId, ...], design: Design, layout: RidgeMarginals, systems: Vector, marginals: Vector
) -> Valuation:
    gain = layout.gain(systems[-1]) - layout.gain(systems[0])
    return design.valuation(names, marginals, gain=gain)


def _pairs(some: RidgeMarginals, systems: Vector, coalitions: Masks) -> Vector:
    """Return the marginals of a few sources at many coalitions, ``coalitions`` being (m, those sources)."""
    size = max(1, _PAIRS_AT_ONCE // max(1, coalitions.shape[1]))
    starts = range(0, len(coalitions), size)
    return np.concatenate([some.crossed(systems[at : at + size], coalitions[at : at + size]) for at in starts])


def _require_room(said: Fixed) -> None:
    """Refuse where the sum of all could leave 64 bits, which sums modulo 2**64 would not show."""
    if float(np.abs(said.view(np.int64).astype(np.float64)).sum(axis=0).max()) >= 2.0**63:
        raise Refusal(
            "E-STATISTIC-OVERFLOW",
            Message("所有来源之和超出 64 位范围。", "The sum of all sources exceeds 64 bits."),
            Message("请减小量纲或增加 headroom_bits。", "Use a smaller unit, or more headroom_bits."),
        )


def _unknown(source: SourceId, count: int) -> Refusal:
    return Refusal(
        "E-REVALUE-SOURCE",
        Message(f"来源“{source}”等 {count} 个不在估值中。", f"{source}, one of {count}, is not among those valued."),
        Message("有新来源时请从头估值。", "Start anew where sources join."),
    )
