r"""Which few sources explain how sums stand out, although no source is ever seen alone.

What source :math:`i` adds to the residual moment, :math:`r_i = X_i^T (y_i - X_i \beta_0)`, is linear in its statistic,
so a sum's residual is the sum of its members'. In a whitened feature they are taken as normal and independent:

.. math:: r_i \sim N(n_i m,\; n_i \sigma^2 + n_i^2 \tau^2), \qquad
          r_i \sim N(n_i (m + \mu),\; n_i \sigma^2 + n_i^2 (\tau^2 + s)) \text{ if } z_i = 1

with :math:`m` common to all, :math:`\mu \sim N(0, c)` common to all that are marked (collusion), :math:`z` the marks.
The evidence of a set of marks is in closed form, its change by one more or one less mark follows from rank-one updates
for all sources at once. This is sparse Bayesian learning with several measurement vectors (Wipf and Rao 2007), with
marks in place of free variances.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from headwater.types import Vector

__all__ = ["Evidence", "Explanation", "added", "explanations", "plausible"]

Marks: TypeAlias = npt.NDArray[np.bool_]

_UNEQUAL = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Variances τ² of honest sources that are tried, in units of σ²: a grid, as sums are too few to fit it freely."""
_START = 3
_LIES = ((1.0, 0.0), (0.03, 1.0), (0.3, 0.3), (10.0, 10.0), (0.1, 0.02))
"""Variances (s, c) of what the marked add, their own and in common, in units of σ²."""
_DEEP = 4
"""How many of the best explanations found by ascent are searched again from elsewhere."""
_RESTARTS = 4
_STEPS_A_SOURCE = 6
_HOT, _COLD = 20.0, 1.0
_REFRESH = 300
_MOST_STEPS = 500
_GAIN = 1e-6


@dataclass(frozen=True, eq=False)
class Evidence:
    """What all sums say together.

    Parameters
    ----------
    rows : (rank, sources) orthonormal, the span of the sums' masks
    heard : (rank, features) whitened residual moments along the rows
    sizes : (sources,) numbers of records
    noise : σ², variance of a record's label around the target's own line
    unsure : variance by which that line may be off, in a whitened feature
    odds : (sources,) logarithms of the odds that a source is to be marked, before anything is heard
    """

    rows: Vector
    heard: Vector
    sizes: Vector
    noise: float
    unsure: float
    odds: Vector

    def honest(self, unequal: float) -> Vector:
        """Return the (sources,) variances of what honest sources add."""
        return np.asarray(self.noise * (self.sizes + self.sizes**2 * unequal))


@dataclass(frozen=True, eq=False)
class Explanation:
    """A set of marked sources, and the log-evidence of it.

    ``unequal`` is τ² / σ², ``lies`` are s / σ² and c / σ².
    """

    value: float
    marked: Marks
    unequal: float
    lies: tuple[float, float]


def explanations(evidence: Evidence, rng: np.random.Generator) -> list[Explanation]:
    """Return explanations that were found, the best first: by ascent from nobody, then by annealing from elsewhere."""
    nobody = np.zeros(len(evidence.sizes), dtype=np.bool_)
    found = sorted((_settled(evidence, nobody, _START, lies) for lies in _LIES), key=_by_value)
    for best in list(found[:_DEEP]):
        place = _UNEQUAL.index(best.unequal)
        for restart in range(_RESTARTS):
            begin = rng.random(len(nobody)) < 0.2 if restart else best.marked
            walk = _Walk(evidence, _UNEQUAL[(place, *_beside(place))[restart % 3]], best.lies)
            marked = walk.anneal(begin, rng)
            found.append(_settled(evidence, marked, place, best.lies))
    return sorted(found, key=_by_value)


def plausible(evidence: Evidence, found: list[Explanation]) -> Vector:
    """Return the (sources,) probabilities of being marked, over all that was found and the best one's neighbours.

    Neighbours are one mark less, one more, and one moved: who could as well have been another stands below 1.
    """
    best = found[0]
    walk = _Walk(evidence, best.unequal, best.lies)
    known = {one.marked.tobytes(): (one.value, one.marked) for one in reversed(found)}
    for place in (None, *np.flatnonzero(best.marked).tolist()):
        marked = best.marked.copy()
        if place is not None:
            marked[place] = False
        walk.begin(marked)
        gains = walk.gains()
        for other, gain in enumerate(gains.tolist()):
            moved = marked.copy()
            moved[other] = not moved[other]
            known.setdefault(moved.tobytes(), (walk.value + gain, moved))
    values = np.array([value for value, _ in known.values()])
    weights = np.exp(values - values.max())
    marks = np.array([marked for _, marked in known.values()])
    return np.asarray(weights @ marks / weights.sum())


def added(evidence: Evidence, explanation: Explanation) -> Vector:
    """Return (sources, features) posterior means of what each source adds a record, in whitened features."""
    sizes = evidence.sizes
    own, common = (evidence.noise * part for part in explanation.lies)
    joint = sizes * explanation.marked
    prior = np.diag(evidence.honest(explanation.unequal) + own * sizes * joint) + common * np.outer(joint, joint)
    prior += (evidence.unsure + evidence.noise * explanation.unequal) * np.outer(sizes, sizes)
    crossed = prior @ evidence.rows.T
    means = crossed @ np.linalg.solve(evidence.rows @ crossed, evidence.heard)
    return np.asarray(means / np.maximum(sizes, 1.0)[:, None])


def _by_value(explanation: Explanation) -> float:
    return -explanation.value


def _beside(place: int) -> tuple[int, int]:
    return max(place - 1, 0), min(place + 1, len(_UNEQUAL) - 1)


def _settled(evidence: Evidence, marked: Marks, place: int, lies: tuple[float, float]) -> Explanation:
    """Ascend in marks and in the variance of honest sources by turns, until neither gains."""
    best: Explanation | None = None
    while True:
        tried = {_UNEQUAL[at] for at in (place, *_beside(place))}
        walks = ((_Walk(evidence, unequal, lies), unequal) for unequal in sorted(tried))
        found = min((Explanation(*walk.ascend(marked), unequal, lies) for walk, unequal in walks), key=_by_value)
        if best is not None and found.value <= best.value + _GAIN:
            return best
        best, marked, place = found, found.marked, _UNEQUAL.index(found.unequal)


class _Walk:
    """A set of marks, with the evidence's change by each source's mark at hand."""

    def __init__(self, evidence: Evidence, unequal: float, lies: tuple[float, float]) -> None:
        self.evidence = evidence
        self.own, self.common = (evidence.noise * part for part in lies)
        self.honest = evidence.honest(unequal)
        self.lie = self.own * evidence.sizes**2
        together = evidence.rows @ evidence.sizes
        unsure = evidence.unsure + evidence.noise * unequal
        self.base = (evidence.rows * self.honest) @ evidence.rows.T + unsure * np.outer(together, together)

    def begin(self, marked: Marks) -> None:
        """Compute everything anew for these marks."""
        rows, heard = self.evidence.rows, self.evidence.heard
        covariance = self.base + (rows * (self.lie * marked)) @ rows.T
        solved = np.linalg.solve(covariance, np.hstack([rows, heard]))
        self.marks = marked.astype(np.float64)
        self.gram = rows.T @ solved[:, : rows.shape[1]]
        self.score = rows.T @ solved[:, rows.shape[1] :]
        fit = float((heard * solved[:, rows.shape[1] :]).sum())
        size = float(np.linalg.slogdet(covariance)[1])
        self.apart = -0.5 * (heard.shape[1] * size + fit) + float(self.marks @ self.evidence.odds)
        self.steps = 0

    def gains(self) -> Vector:
        """Return the (sources,) changes of the log-evidence if one mark is set or taken away."""
        sizes, features = self.evidence.sizes, self.evidence.heard.shape[1]
        sign = 1.0 - 2.0 * self.marks
        leverage, change = self.gram.diagonal(), sign * self.lie
        shrink = 1.0 + change * leverage
        squares = np.square(self.score).sum(axis=1)
        # The first part: a source's own variance. The second: that of what all marked have in common.
        self.alone = 0.5 * (change * squares / shrink - features * np.log(shrink)) + sign * self.evidence.odds
        joint = sizes * self.marks
        crossed = self.gram @ joint
        told = joint @ self.score
        before = self._shared(float(joint @ crossed), float(told @ told))
        self.value = self.apart + float(before)
        step = sign * sizes
        met = crossed + step * leverage
        spread = joint @ crossed + 2 * step * crossed + step**2 * leverage - change * met**2 / shrink
        scale = step - change * met / shrink
        loud = told @ told + 2 * scale * (self.score @ told) + scale**2 * squares
        return np.asarray(self.alone + self._shared(spread, loud) - before)

    def flip(self, place: int) -> None:
        """Set or take away a mark, after ``gains``."""
        self.apart += float(self.alone[place])
        change = (1.0 - 2.0 * self.marks[place]) * self.lie[place]
        column, row = self.gram[:, place].copy(), self.score[place].copy()
        factor = change / (1.0 + change * column[place])
        self.gram -= factor * np.outer(column, column)
        self.score -= factor * np.outer(column, row)
        self.marks[place] = 1.0 - self.marks[place]
        self.steps += 1
        if self.steps == _REFRESH:
            self.begin(self.marks > 0)

    def ascend(self, marked: Marks) -> tuple[float, Marks]:
        """Take the best change until none gains; return the log-evidence and the marks."""
        self.begin(marked)
        for _ in range(_MOST_STEPS):
            gains = self.gains()
            place = int(gains.argmax())
            if gains[place] <= _GAIN:
                break
            self.flip(place)
        return self.value, self.marks > 0

    def anneal(self, marked: Marks, rng: np.random.Generator) -> Marks:
        """Change marks at random, favouring gains by their square root (Zanella 2020), ever more as it cools."""
        self.begin(marked)
        steps = _STEPS_A_SOURCE * len(marked)
        for step in range(steps):
            heat = 2.0 * _HOT * (_COLD / _HOT) ** (step / steps)
            gains = self.gains() / heat
            chances = np.cumsum(np.exp(np.maximum(gains - gains.max(), -60.0)))
            self.flip(int(np.searchsorted(chances, rng.random() * chances[-1])))
        return self.marks > 0

    def _shared(self, spread: Vector | float, loud: Vector | float) -> Vector | float:
        features = self.evidence.heard.shape[1]
        inside = 1.0 + self.common * np.asarray(spread)
        return np.asarray(0.5 * (self.common * np.asarray(loud) / inside - features * np.log(inside)))
