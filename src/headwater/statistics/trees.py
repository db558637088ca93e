"""Boosted trees of any sources' records, grown level by level where the histograms are summed.

The whole forest is one vector, so that a round is a value: its base, the level that is open in the last tree, then the
nodes of each tree as a complete binary tree by levels, each as feature (-1: not split), bin (records of this bin and
below go left) and value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import on_grid
from headwater.statistics.histogram import Histogram, Places
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["Bins", "Growth", "Listed", "Trees"]


@dataclass(frozen=True)
class Bins:
    """Public edges of every feature, so that all sources count alike: a value on an edge lies above it.

    Parameters
    ----------
    edges : ascending, of each feature; they are rounded to float32, for frameworks compare features in it

    >>> Bins(((0.0, 1.0), (5.0,))).of(np.array([[-1.0, 5.0], [1.0, 4.0]]))
    array([[0, 1],
           [2, 0]])
    """

    edges: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        rounded = tuple(tuple(float(edge) for edge in np.asarray(one, dtype=np.float32)) for one in self.edges)
        if not rounded or any(not all(a < b for a, b in zip(one, one[1:], strict=False)) for one in rounded):
            raise ValueError("edges of every feature must ascend")
        object.__setattr__(self, "edges", rounded)

    @staticmethod
    def quantiles(x: Vector, most: int) -> "Bins":
        """Return edges by which records ``x`` (n, features) fall into up to ``most`` bins, about equally many in each.

        Where a feature has no more than ``most`` values, each has a bin.
        """
        edges = []
        for one in x.T:
            values = np.unique(one)
            if len(values) > most:
                values = np.unique(np.quantile(one, np.arange(most) / most, method="higher"))
            edges.append(tuple(np.unique(values[1:].astype(np.float32)).tolist()))
        return Bins(tuple(edges))

    @property
    def most(self) -> int:
        """Number of bins of the feature that has most."""
        return 1 + max(len(one) for one in self.edges)

    def of(self, x: Vector) -> Places:
        """Return the (n, features) bins of ``x``."""
        if x.ndim != 2 or x.shape[1] != len(self.edges):
            raise ValueError(f"x must be (n, {len(self.edges)}), not {x.shape}")
        columns = [np.searchsorted(edges, column, side="right") for edges, column in zip(self.edges, x.T, strict=True)]
        return np.stack(columns, axis=1).astype(np.int64)


@dataclass(frozen=True)
class Growth:
    """How a framework grows its trees: what is public of its own training.

    Parameters
    ----------
    trees, depth : how many trees, and levels of splits in each
    rate : by which each tree's values are multiplied
    ridge : added to the curvature of every node
    least_weight, least_records : what either side of a split must have of curvature and of records
    least_gain : what a split must gain more than
    single : whether scores, gains and values are float32
    highest : whether among equal gains of one feature the highest bin is taken, not the lowest
    """

    trees: int = 20
    depth: int = 3
    rate: float = 0.1
    ridge: float = 1.0
    least_weight: float = 1.0
    least_records: int = 1
    least_gain: float = 0.0
    single: bool = False
    highest: bool = False

    def __post_init__(self) -> None:
        if self.trees < 1 or not 1 <= self.depth <= 8 or self.rate <= 0 or self.ridge < 0:
            raise ValueError("trees >= 1, depth 1 to 8, rate > 0 and ridge >= 0 are needed")


class Listed(NamedTuple):
    """One tree, node by node: records below ``edge`` of ``feature`` go left; -1 where there is no other node."""

    feature: list[int]
    edge: list[float]
    value: list[float]
    left: list[int]
    right: list[int]
    parent: list[int]


@dataclass(frozen=True)
class Trees:
    """Boosted trees on squared error; the base is the mean of all labels, asked first."""

    bins: Bins
    growth: Growth

    @property
    def rounds(self) -> int:
        """How many sums are needed: one for the base, one for each level of each tree."""
        return 1 + self.growth.trees * self.growth.depth

    @property
    def start(self) -> Vector:
        """Parameters before anything is known: none."""
        return np.empty(0)

    def family(self, parameters: Vector) -> Histogram:
        """Return the family of the sums that are needed next."""
        return Histogram(2 ** self._level(parameters), len(self.bins.edges), self.bins.most)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return the histogram of records ``x`` (n, features), ``y`` (n,) over the nodes that are open."""
        binned, level = self.bins.of(x), self._level(parameters)
        scores, node = self._scores(parameters, binned)
        gradients = np.asarray((scores - on_grid(y)).astype(np.float32), dtype=np.float64)
        first = 2**level - 1
        open_ = np.where((node >= first) & (level < self.growth.depth), node - first, -1)
        return self.family(parameters).statistic(binned, open_, gradients, np.ones(len(y)))

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the parameters with the base, or the open level of the last tree, that the sum gives."""
        sums = self.family(parameters).sums(statistic)
        if not sums[..., 2].any():
            if parameters.size:
                return parameters
            raise _no_records()
        if not parameters.size:
            gradient, _, records = sums[0, 0].sum(axis=0)
            return self._opened(np.array([self._rounded(-gradient / records), 0.0]))
        level, tree = self._level(parameters), self.nodes(parameters)[-1].copy()
        split = self._split(sums, tree, first=2**level - 1)
        grown = np.concatenate([parameters[: -tree.size], tree.ravel()])
        grown[1] = level + 1 if split else self.growth.depth
        return self._opened(grown) if grown[1] == self.growth.depth else grown

    def scores(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions for ``x`` (n, features)."""
        return np.asarray(self._scores(parameters, self.bins.of(x))[0], dtype=np.float64)

    def nodes(self, parameters: Vector) -> Vector:
        """Return (trees, nodes, 3): feature, bin and value of every node, the children of k at 2k + 1 and 2k + 2."""
        return parameters[2:].reshape(-1, 2 ** (self.growth.depth + 1) - 1, 3)

    def listed(self, tree: Vector) -> "Listed":
        """Return one of ``nodes`` without the places that no record reaches, the root first."""
        kept, name = [0], {0: 0}
        for node in kept:
            for child in (2 * node + 1, 2 * node + 2) if tree[node, 0] >= 0 else ():
                name[child] = len(kept)
                kept.append(child)
        splits = [tree[node, 0] >= 0 for node in kept]
        features = [max(int(tree[node, 0]), 0) for node in kept]
        return Listed(
            feature=features,
            edge=[
                self.bins.edges[feature][int(tree[node, 1])] if split else 0.0
                for node, feature, split in zip(kept, features, splits, strict=True)
            ],
            value=tree[kept, 2].tolist(),
            left=[name[2 * node + 1] if split else -1 for node, split in zip(kept, splits, strict=True)],
            right=[name[2 * node + 2] if split else -1 for node, split in zip(kept, splits, strict=True)],
            parent=[name[(node - 1) // 2] if node else -1 for node in kept],
        )

    def _level(self, parameters: Vector) -> int:
        if not parameters.size:
            return 0
        if parameters.size < 2 or (parameters.size - 2) % (3 * (2 ** (self.growth.depth + 1) - 1)):
            raise _foreign(parameters.size)
        return int(parameters[1])

    def _opened(self, parameters: Vector) -> Vector:
        """Return the parameters with one more tree, or as they are where there are enough."""
        size = 2 ** (self.growth.depth + 1) - 1
        if (parameters.size - 2) // (3 * size) >= self.growth.trees:
            return parameters
        tree = np.tile([-1.0, 0.0, 0.0], size)
        return np.concatenate([parameters[:1], [0.0], parameters[2:], tree])

    def _scores(self, parameters: Vector, binned: Places) -> tuple[Vector, Places]:
        """Return (n,) predictions of grown trees, and the node of the last tree where each record stands."""
        kind: npt.DTypeLike = np.float32 if self.growth.single else np.float64
        scores: Vector = np.zeros(len(binned), dtype=kind)
        node: Places = np.zeros(len(binned), dtype=np.int64)
        value = scores
        if not parameters.size:
            return scores, node
        scores, rows = scores + parameters[:1].astype(kind), np.arange(len(binned))
        for tree in self.nodes(parameters):
            # What a tree says of its nodes while it grows is no prediction yet: each is added when the next one opens.
            scores = scores + value
            node = np.zeros(len(binned), dtype=np.int64)
            for _ in range(self.growth.depth):
                feature, place = tree[node, 0].astype(np.int64), tree[node, 1]
                child = 2 * node + 1 + (binned[rows, feature] > place)
                node = np.where(feature >= 0, child, node)
            value = tree[node, 2].astype(kind)
        return scores + value * bool(self._level(parameters) >= self.growth.depth), node

    def _split(self, sums: Vector, tree: Vector, *, first: int) -> bool:
        """Split each open node of ``tree`` at its best bin, in place; return whether any was split."""
        growth = self.growth
        for place in np.flatnonzero(sums[:, 0, :, 2].any(axis=1)):
            left = sums[place].cumsum(axis=1)[:, :-1]
            whole = sums[place, 0].sum(axis=0)
            gains = self._gains(left, whole)
            best = _best(gains, highest=growth.highest)
            if first == 0:
                tree[0, 2] = self._value(whole)
            if gains.size and gains[best] > growth.least_gain:
                node = first + place
                tree[node, :2] = best
                tree[2 * node + 1, 2], tree[2 * node + 2, 2] = self._value(left[best]), self._value(whole - left[best])
        return bool((tree[first : 2 * first + 1, 0] >= 0).any())

    def _gains(self, left: Vector, whole: Vector) -> Vector:
        """Return (features, bins - 1): what each split gains, -inf where it may not be."""
        growth, right = self.growth, whole - left
        fits = np.ones(left.shape[:2], dtype=np.bool_)
        for side in (left, right):
            fits &= (side[..., 1] >= growth.least_weight) & (side[..., 2] >= growth.least_records)
        with np.errstate(divide="ignore", invalid="ignore"):
            split, before = (self._squared(left) + self._squared(right)), self._squared(whole)
        gains = np.where(fits, split - before, -np.inf)
        return gains.astype(np.float32).astype(np.float64) if growth.single else gains

    def _squared(self, sums: Vector) -> Vector:
        return np.asarray(sums[..., 0] ** 2 / (sums[..., 1] + self.growth.ridge))

    def _value(self, sums: Vector) -> float:
        weight = self._rounded(-sums[0] / (sums[1] + self.growth.ridge))
        return self._rounded(weight * self._rounded(self.growth.rate))

    def _rounded(self, value: float) -> float:
        return float(np.float32(value)) if self.growth.single else float(value)


def _best(gains: Vector, *, highest: bool) -> tuple[int, int]:
    """Return feature and bin of the largest gain; among equal ones the first feature's."""
    if not gains.size:
        return 0, 0
    feature = int(np.argmax(gains.max(axis=1)))
    row: Sequence[float] = gains[feature]
    place = len(row) - 1 - int(np.argmax(gains[feature, ::-1])) if highest else int(np.argmax(row))
    return feature, place


def _no_records() -> Refusal:
    return Refusal(
        "E-TREES-EMPTY",
        Message("没有任何记录可以生长树。", "There are no records to grow trees from."),
        Message("请至少选择一个有记录的来源。", "Choose at least one source with records."),
    )


def _foreign(size: int) -> Refusal:
    return Refusal(
        "E-MODEL-PARAMETERS",
        Message(f"{size} 个参数不是这种树。", f"{size} parameters are no such trees."),
        Message("请核对模型版本。", "Check the version of the model."),
    )
