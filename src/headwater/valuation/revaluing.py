r"""Values of very many sources from tick to tick, where each tick changes what a few of them say.

The coalitions of ``mean_field`` are drawn once and kept, so that what moves a value is what sources say and never the
draw. Of a coalition nothing moves unless somebody in it says something else; most coalitions are small, and most small
ones hold nobody who does. At one that moved, a marginal is split into

.. math:: m = L + R, \qquad L = -2 (V\beta - v)^T A^{-1} (h - G\beta)

with :math:`A, \beta` the coalition's system and solution, :math:`G, h` the source's. L is linear in what the source
says and is made anew for all sources by one product of matrices. R falls with the square of the coalition's size; it is
made anew, and so exact,

- for sources that say something else, for the loudest (to whose leaving no series does justice) and for a few others in
  turn, at every coalition; where most say something else, for all;
- for all sources at the coalitions that matter. How far R moved is in proportion to how much a source says, times how
  far that lies from what everybody says together; those whose turn it was tell the proportion at each coalition. Thrice
  their root mean square, with the weights of marginals, is the bound of every source. Coalitions are made exact, those
  first that add most to the bounds, until in their root mean square these are no more than a stated share of the error
  that values have from sampling. What is left of them, and what their sum moves the others by, widens the intervals.

Where nobody moved, and with a share of 0 everywhere, a value is the one that ``mean_field`` gives with the same draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.statistics.blas import one_thread
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed, Masks, SourceId, Vector
from headwater.valuation.methods.mean_field import Design
from headwater.valuation.utilities.marginals import RidgeMarginals, Single
from headwater.valuation.utilities.statistics import GramUtility
from headwater.valuation.valuation import Valuation

__all__ = ["Revaluation", "Spared"]

_TURNS = 100
_FEWEST = 32
"""Everyone's turn to be exact at every coalition comes once in so many ticks, or oftener to be so many at a time."""

_BEYOND = 3.0
"""Bounds in root mean squares of those whose turn it was: 99 of 100 others moved no further, see the bench."""

_PAIRS_AT_ONCE = 2048
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spared:
    """What a tick left as it was, and what that costs.

    Parameters
    ----------
    touched : coalitions in which somebody said something else
    exact : coalitions that were made exact for everybody
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
    gram : the family of all statistics
    design : the coalitions, the same in every tick
    said : (sources, length) what each source says, in fixed point
    sums : (coalitions, length) sums of it, bit for bit those made anew
    layout : systems of all sources, as single numbers
    rest : (coalitions, sources) R as it last was exact
    weights : (coalitions, sources) of marginals in values
    tolerance : share of the median half-width of the values' intervals by which values may be off
    tick : how many there were
    valuation : the values
    spared : what the last tick left as it was
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

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept from tick to tick."""
        layout, design = self.layout, self.design
        serves = [met for _, met, _ in design.stretches]
        kept = [self.said.nbytes, self.sums.nbytes, self.rest.nbytes, self.weights.nbytes, layout.parts.nbytes]
        chunks = [chunk.nbytes for chunk in layout.chunks]
        return sum([*kept, *chunks, design.coalitions.nbytes, *(met.nbytes for met in serves)])

    @property
    def sampling(self) -> Vector:
        """(sources,) half-widths of the values' intervals that are due to sampling."""
        return np.asarray((self.valuation.high - self.valuation.low) / 2 - self.spared.bounds, dtype=np.float64)

    @staticmethod
    def start(game: GramUtility, *, rng: np.random.Generator, tolerance: float = 0.1) -> "Revaluation":
        """Value all of at least two sources, exactly as ``mean_field`` does."""
        if len(game.players) < 2 or not tolerance >= 0:
            raise ValueError("a revaluation needs at least two sources and a tolerance of at least 0")
        design = Design.draw(len(game.players), rng=rng)
        said = game.gram.stacked(game.sources.values())
        _require_room(said)
        sums = _summed(design.coalitions, said)
        with one_thread():
            layout = game.laid_out()
            systems = _systems(game.gram, layout, sums)
            marginals = layout.at(systems, design.coalitions)
            rest = (marginals - layout.first_order(systems)).astype(np.float32)
            none = np.zeros(len(said))
            valuation, bounds = _valued(game.players, design, layout, (systems, marginals), none)
        weights = design.weights().astype(np.float32)
        spared = Spared(len(sums), len(sums), rest.size, bounds)
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
        if self._are_most(places):
            sums = _summed(self.design.coalitions, said)
        else:
            sums = self.sums + inside.astype(np.uint64) @ (said[places] - self.said[places])
        touched = np.flatnonzero(inside.any(axis=1))
        with one_thread():
            layout = self.layout.renewed(places, self.gram.systems(said[places]))
            systems = _systems(self.gram, layout, sums)
            return self._brought(replace(self, said=said, sums=sums, layout=layout), systems, places, touched)

    def _brought(self, now: "Revaluation", systems: Vector, places: _Places, touched: _Places) -> "Revaluation":
        """Bring rest and values up to the new systems."""
        linear, coalitions = now.layout.first_order(systems), self.design.coalitions
        if self._are_most(places):
            # Where most say something else, sparing the others would cost more than it spares.
            exact, count, doubts = np.arange(len(systems)), linear.size, np.zeros(len(self.said))
            rest = (now.layout.at(systems, coalitions) - linear).astype(np.float32)
        else:
            turns, reaches = max(1, min(_TURNS, len(self.said) // _FEWEST)), now.layout.reaches(systems[-1])
            loudest = np.argsort(reaches, kind="stable")[-(len(self.said) // turns) :]
            always = np.union1d(places, loudest)
            turn = np.setdiff1d(np.arange(self.tick % turns, len(self.said), turns), always)
            rest = self.rest.copy()
            for some in (always, turn):
                rest[:, some] = _pairs(now.layout.of_some(some), systems, coalitions[:, some]) - linear[:, some]
            reaches[always] = 0.0
            exact, doubts = self._settled(reaches, turn, rest[:, turn] - self.rest[:, turn], touched)
            rest[exact] = now.layout.at(systems[exact], coalitions[exact]) - linear[exact]
            count = len(exact) * len(self.said) + (len(rest) - len(exact)) * (len(always) + len(turn))
        marginals = linear.astype(np.float64) + rest
        found, bounds = _valued(self.valuation.players, self.design, now.layout, (systems, marginals), doubts)
        spared = Spared(len(touched), len(exact), count, bounds)
        return replace(now, rest=rest, tick=self.tick + 1, valuation=found, spared=spared)

    def _settled(self, reaches: Vector, turn: _Places, moved: Single, touched: _Places) -> tuple[_Places, Vector]:
        """Return the coalitions to be made exact, and how far values are off for not making the others so.

        Parameters
        ----------
        reaches : (sources,) to which it is in proportion how far R moves
        moved : (coalitions, those whose turn it was) how far it did
        """
        scale = float((reaches[turn] ** 2).sum())
        if not self.tolerance or not scale:
            # Where nobody can tell, nothing is spared, neither now nor from before.
            return np.arange(len(moved)) if self.tolerance else touched, np.zeros(len(reaches))
        share = np.sqrt((moved**2).sum(axis=1, dtype=np.float64) / scale)
        adds = _BEYOND * share * np.sqrt(((self.weights[:, turn] * reaches[turn]) ** 2).mean(axis=1))
        order = np.argsort(adds, kind="stable")
        left = order[np.cumsum(adds[order]) <= self.tolerance * float(np.median(self.sampling))]
        return np.setdiff1d(order, left), (share[left].astype(np.float32) @ self.weights[left]) * reaches

    def _places(self, changed: Mapping[SourceId, Statistic | None]) -> _Places:
        where = {source: place for place, source in enumerate(self.valuation.players)}
        unknown = sorted(set(changed) - set(where))
        if unknown:
            raise _unknown(unknown[0], len(unknown))
        return np.array(sorted(where[source] for source in changed), dtype=np.int64)

    def _replaced(self, places: _Places, changed: Mapping[SourceId, Statistic | None]) -> Fixed:
        said, now = self.said.copy(), [changed[self.valuation.players[place]] for place in places.tolist()]
        said[places] = 0
        said[places[[one is not None for one in now]]] = self.gram.stacked(one for one in now if one is not None)
        _require_room(said)
        return said

    def _are_most(self, places: _Places) -> bool:
        return 2 * len(places) > len(self.said)


def _summed(coalitions: Masks, said: Fixed) -> Fixed:
    return np.array([said[members].sum(axis=0) for members in coalitions], dtype=np.uint64)


def _systems(gram: Gram, layout: RidgeMarginals, sums: Fixed) -> Vector:
    """Return the rotated systems of target + coalition, (coalitions, dim, dim + 1)."""
    return layout.turned(gram.systems(sums)) + layout.base


def _valued(
    names: tuple[SourceId, ...], design: Design, layout: RidgeMarginals, at: tuple[Vector, Vector], doubts: Vector
) -> tuple[Valuation, Vector]:
    """Return the values from systems and marginals, and by how much they may be off where these are in doubt."""
    systems, marginals = at
    gain = layout.gain(systems[-1]) - layout.gain(systems[0])
    values, reach, shares = design.estimate(marginals, gain=gain)
    # What is off in the sum of all is shared by all, with what is missing to v(N).
    bounds = _BEYOND * doubts + np.abs(shares) * doubts.sum()
    whole = reach + bounds
    evaluations = len(systems) * (len(names) + 1) + 2
    return Valuation(names, values, values - whole, values + whole, evaluations, "mean_field"), bounds


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
