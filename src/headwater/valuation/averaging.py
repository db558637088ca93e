r"""What a source works out at home from the sums of cohorts: its own Shapley value, as one number.

.. math:: \varphi_i = \frac{1}{n} \sum_{s=0}^{n-1} \mathrm{E}\,\bigl[v(S \cup i) - v(S)\bigr],\; |S| = s,\; i \notin S

Unions of cohorts of one partition are coalitions of every size from the cohort's upwards; the source takes itself out
of them. Sizes below a cohort's are met by a cohort scaled down, size 0 by the target alone; between the sizes met, the
marginal is interpolated over log(1 + s). The unions are the same for all sources, so their luck shifts all alike.

A cohort of m scaled down to s members varies less than s members do: its variance is s/m of theirs. What variance does
to a marginal is, to second order, in proportion to it, so the difference from the marginal at s mean members ought to
be taken m/s times; it is taken :math:`\\sqrt{m/s}` times, because its luck grows as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.federation import CohortSums, GramQuestion
from headwater.federation.wire import asks, travels
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, Vector

__all__ = ["OwnValue", "Told", "own_values"]

_ORDERS = 24
_SIZES_PER_ORDER = 12
_SCALED_PER_SIZE = 40
_BINS_PER_E = 10
"""Sizes are pooled while they differ by less than a tenth of their logarithm."""


@dataclass(frozen=True, eq=False)
class _Coalitions:
    """``weights`` (m, cohorts) of unions or scaled cohorts, their ``sums`` (m, dim·(dim + 1)) and ``sizes`` (m,)."""

    weights: Vector
    sums: Vector
    sizes: Vector
    scaled: npt.NDArray[np.bool_]

    @cached_property
    def lift(self) -> Vector:
        """The (scaled,) factors √(m/s) of the scaled cohorts."""
        return np.asarray(1.0 / np.sqrt(self.weights[self.scaled].max(axis=1)), dtype=np.float64)


@travels("told")
@dataclass(frozen=True, eq=False)
class Told:
    """What every source is told alike.

    Parameters
    ----------
    gram, ridge : the family of the statistics, and the model's penalty
    sums : statistic of each cohort
    sizes : number of members of each cohort
    partitions : cohorts by number; those of one partition hold every source once
    target, validation : the target's statistics, see ``GramUtility``
    seed : of the unions, public
    """

    gram: Gram
    ridge: float
    sums: tuple[Statistic, ...]
    sizes: tuple[int, ...]
    partitions: tuple[tuple[int, ...], ...]
    target: Statistic
    validation: Statistic
    seed: int

    @property
    def nbytes(self) -> int:
        """Bytes of telling it to one source."""
        statistics = sum(statistic.nbytes for statistic in (*self.sums, self.target, self.validation))
        return statistics + 8 * (len(self.sizes) + 2)

    @property
    def sources(self) -> int:
        """Number of sources in all."""
        return sum(self.sizes[cohort] for cohort in self.partitions[0])

    def average(self, own: Statistic, cohorts: Sequence[int]) -> float:
        """Return the Shapley value that a source of statistic ``own``, a member of ``cohorts``, gives itself."""
        part, met = self._packed(own), self._coalitions
        held = met.weights[:, list(cohorts)].sum(axis=1)
        size = np.where(met.scaled, met.sizes, met.sizes - (held > 0))
        # A scaled cohort without the source itself is scaled up again to the size that it stands for.
        rescaled = np.where(met.scaled & (held > 0), met.sizes / np.maximum(met.sizes - held, 1e-9), 1.0)
        others = (met.sums - held[:, None] * part) * rescaled[:, None]
        marginals = self._r2(others + part) - self._r2(others)
        even = self._at_mean_members(part, met.sizes[met.scaled])
        marginals[met.scaled] = even + met.lift * (marginals[met.scaled] - even)
        return _over_all_sizes(size, marginals, self.sources)

    def total(self) -> float:
        """Return the gain of all sources together."""
        return float(self._r2(self._everyone[None])[0] - self._r2(np.zeros_like(self._everyone)[None])[0])

    def _at_mean_members(self, part: Vector, sizes: Vector) -> Vector:
        """Return the (m,) marginals of a source at coalitions of so many mean others."""
        distinct, place = np.unique(np.round(sizes), return_inverse=True)
        others = np.outer(distinct, (self._everyone - part) / (self.sources - 1))
        return np.asarray((self._r2(others + part) - self._r2(others))[place], dtype=np.float64)

    @cached_property
    def _everyone(self) -> Vector:
        return np.asarray(np.sum([self._packed(self.sums[cohort]) for cohort in self.partitions[0]], axis=0))

    @cached_property
    def _coalitions(self) -> _Coalitions:
        rng = np.random.default_rng(self.seed)
        packed = np.stack([self._packed(statistic) for statistic in self.sums])
        sizes = np.array(self.sizes, dtype=np.float64)
        unions = [np.zeros((1, len(sizes)))]
        scaled: list[Vector] = []
        for partition in self.partitions:
            unions.append(_unions(np.array(partition), len(sizes), rng))
            scaled.append(_scaled_down(np.array(partition), sizes, rng))
        weights = np.concatenate([*unions, *scaled])
        is_scaled = np.arange(len(weights)) >= sum(map(len, unions))
        return _Coalitions(weights, weights @ packed, weights @ sizes, is_scaled)

    def _packed(self, statistic: Statistic) -> Vector:
        moments = self.gram.moments(statistic)
        return np.hstack([moments.xx, moments.xy[:, None]]).ravel()

    def _r2(self, sums: Vector) -> Vector:
        """Return R² of target + each of (m, dim·(dim + 1)) sums, less what does not depend on them."""
        dim, valid = self.gram.dim, self.gram.moments(self.validation)
        ridge = np.hstack([np.diag(self.gram.penalty(self.ridge)), np.zeros((dim, 1))])
        systems = sums.reshape(-1, dim, dim + 1) + (self._packed(self.target).reshape(dim, dim + 1) + ridge)
        beta = np.linalg.solve(systems[:, :, :-1], systems[:, :, -1:])[:, :, 0]
        error = np.einsum("md,md->m", beta @ valid.xx, beta) - 2 * beta @ valid.xy
        return np.asarray(-error / (valid.yy - valid.y**2 / valid.n))


@asks("own_value")
@dataclass(frozen=True, eq=False)
class OwnValue:
    """Tell a source the sums and ask for the value that it works out for itself, a float32."""

    question: GramQuestion
    told: Told
    cohorts: tuple[int, ...]

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.question.months

    @property
    def nbytes(self) -> int:
        """Bytes of the question with the sums."""
        return self.question.nbytes + self.told.nbytes + 2 * len(self.cohorts)

    def of(self, table: pa.Table) -> Statistic:
        """Return the bits of one float32."""
        value = np.float32(self.told.average(self.question.of(table), self.cohorts))
        return Statistic("value", (1,), np.array([value.view(np.uint32)], dtype=np.uint64))


def own_values(sums: CohortSums, told: Told, masks: Masks) -> Vector:
    """Tell every source the sums of ``masks`` and return the (sources,) values that they give themselves."""
    return sums.scalars(
        {
            source: OwnValue(sums.question, told, tuple(np.flatnonzero(masks[:, place]).tolist()))
            for place, source in enumerate(sums.sources)
        }
    )


def _unions(partition: npt.NDArray[np.int64], cohorts: int, rng: np.random.Generator) -> Vector:
    """Return (m, cohorts) indicators: each cohort, and unions of growing numbers of them in random orders."""
    rows = [np.eye(cohorts)[partition]]
    counts = np.unique(np.round(np.geomspace(1, len(partition), min(_SIZES_PER_ORDER, len(partition)))).astype(int))
    for _ in range(_ORDERS):
        order = rng.permutation(partition)
        rows.append(np.array([np.isin(np.arange(cohorts), order[:count]) for count in counts], dtype=np.float64))
    return np.concatenate(rows)


def _scaled_down(partition: npt.NDArray[np.int64], sizes: Vector, rng: np.random.Generator) -> Vector:
    """Return (m, cohorts) weights of the smallest cohorts scaled to 1, 2, … members less than they have."""
    smallest = sizes[partition].min()
    small = rng.permutation(partition[sizes[partition] <= smallest + 1])[:_SCALED_PER_SIZE]
    unit = np.eye(len(sizes))[small] / sizes[small, None]
    return np.concatenate([unit * size for size in range(1, int(smallest))])


def _over_all_sizes(size: Vector, marginals: Vector, sources: int) -> float:
    """Return the mean over sizes 0 … sources − 1 of what was met at some of them."""
    depth = np.log1p(size)
    bins, place = np.unique(np.round(depth * _BINS_PER_E), return_inverse=True)
    count = np.bincount(place, minlength=len(bins))
    at, mean = np.bincount(place, depth) / count, np.bincount(place, marginals) / count
    return float(np.interp(np.log1p(np.arange(sources)), at, mean).mean())
