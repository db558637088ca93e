r"""Values of many streams as scores that are standard normal and independent while nothing changes.

Every detector reads scores, so that one threshold holds for streams of any unit, tail and memory.

1. A value scores the normal quantile of its rank among the values before it, the *sequential normal score*: exactly
   independent of the law of the values as long as they are independent and alike. Where the values before it look
   normal (Geary's ratio of mean to root mean square deviation), Student's residual, brought to a normal one, says more
   in the tails and takes the rank's place; beyond ``_REACH`` nothing says more.
2. Scores that remember the score before them are whitened over the gap g between the two,

   .. math:: z = \frac{y - \varphi^{g} y'}{\sqrt{1 - \varphi^{2g}}}

   with the posterior mean of :math:`\varphi` given the pairs of scores so far. A change of level by d moves the first
   z behind it by :math:`d/\sqrt{1-\varphi^{2g}}` and those that follow by :math:`d(1-\varphi^g)/\sqrt{1-\varphi^{2g}}`.

Sources: Conover, Tercero-Gómez and Cordero-Franco 2017 (sequential normal scores); Wallace 1959 (Student's t to a
normal score); Geary 1935. Whitening in the domain of scores, over gaps, is an addition.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from headwater.types import Vector

__all__ = ["Rows", "Scores", "since"]

Rows = NDArray[np.intp]

_MEMORY = 256
_REACH = 3.0
_FEWEST_MOMENTS = 8
_GEARY = (0.735, 0.775)
"""Below the first the ranks alone count, above the second Student's residuals alone; a normal sample has 0.798."""
_OLD = 5
"""Shape is judged this many values back, lest a change that begins is taken for a tail."""
_LAG = 10
"""Memory is learnt from pairs this far back, lest a change that begins is taken for memory."""
_LEAST = 1e-3
_FIRST = 10.0
"""Steps, all answered, with which the share of answers begins."""
_REMEMBERED = 500.0
_USUAL = 0.997
"""Of its silences; a longer one is an outage and says nothing of how often a stream answers."""
_FEW = (1.0, 2.0)
"""Silences, and steps of silence, with which the habit of falling silent begins."""
_COEFFICIENTS = np.arange(10) / 10
_PRIOR = np.log(np.array([0.15] + [0.85 / 9] * 9))
_KEPT = 1 - 1 / 400
_CERTAIN = 0.01
"""Probability below which a stream is not taken for one without memory."""


class Scores:
    """The newest values of some streams and their scores, the newest last.

    Parameters
    ----------
    streams : how many
    interval : time from one step to the next; gaps count in steps

    Attributes
    ----------
    values, times : (streams, memory) what was seen and when
    normal : scores before whitening; white : after
    spread : how far white scores lie from 0, as normal scores: high where the variance grew, low where it fell, 0 where
        a value equals most before it and says nothing
    level, jump : by what a change of level by 1 moves a white score behind it, and the first one behind it
    count : (streams,) values of the present regime, at most the memory
    coefficient : (streams,) correlation of scores one step apart, as far as it is known
    """

    def __init__(self, streams: int, *, interval: float = 1.0) -> None:
        self.interval = interval
        shape = (streams, _MEMORY)
        self.values, self.times, self.normal = (np.zeros(shape) for _ in range(3))
        self.white, self.spread = np.zeros(shape), np.zeros(shape)
        self.level, self.jump, self._shape = np.ones(shape), np.ones(shape), np.zeros(shape)
        self.count = np.zeros(streams, dtype=np.intp)
        self.coefficient = np.repeat(_known(_PRIOR[None]), streams)
        self._evidence = np.tile(_PRIOR, (streams, 1))
        self._last = np.full(streams, np.nan)
        self._answered, self._elapsed = np.full(streams, _FIRST), np.full(streams, _FIRST)
        self._silences, self._silent = np.zeros(streams), np.zeros(streams)

    def take(self, time: float, values: Vector) -> Rows:
        """Score the values at ``time``, (streams,) and NaN where one is absent; return the rows that answered."""
        rows = np.flatnonzero(~np.isnan(values))
        if len(rows):
            passed = np.nan_to_num((time - self._last[rows]) / self.interval, nan=1.0)
            self._answer(rows, np.maximum(passed, 1.0))
            self._last[rows] = time
            self.push(rows, np.full(len(rows), time), values[rows])
        return rows

    def answering(self, rows: Rows) -> Vector:
        """Return the share of steps in which streams answered lately, outages left out."""
        return np.asarray(self._answered[rows] / self._elapsed[rows])

    def push(self, rows: Rows, times: Vector, values: Vector) -> None:
        """Score one more value of each of ``rows``."""
        for kept in self._kept:
            kept[rows, :-1] = kept[rows, 1:]
        scores, self._shape[rows, -1], tied = self._scored(rows, values)
        gap = np.where(self.count[rows] > 0, (times - self.times[rows, -2]) / self.interval, np.inf)
        self.values[rows, -1], self.times[rows, -1], self.normal[rows, -1] = values, times, scores
        self._whiten(rows, -1, self.coefficient[rows] ** gap)
        self.spread[rows[tied], -1] = 0.0
        self.count[rows] = np.minimum(self.count[rows] + 1, _MEMORY)
        self._learn(rows[self.count[rows] > _LAG + 1])

    def hurried(self, row: int) -> "Scores | None":
        """Return a stream by itself as if its outages had taken one step each.

        None if it had none, or if it certainly remembers: then an outage did end what it remembered.
        """
        if _posterior(self._evidence[row])[0] < _CERTAIN:
            return None
        times = self.times[row, -self.count[row] :]
        gaps = np.diff(times) / self.interval
        behind = _MEMORY - len(gaps) + np.flatnonzero(gaps - 1 > self._longest(np.array([row])))
        if not len(behind):
            return None
        one = Scores(1, interval=self.interval)
        for kept, given in zip(one._state, self._state, strict=True):
            kept[0] = given[row]
        for column in behind.tolist():
            one._whiten(np.array([0]), column, one.coefficient)
        return one

    def caution(self, rows: Rows) -> Vector:
        """Return (rows,) correlations of scores with the one before, in the mean, over the root of how many there are.

        Thresholds go by it: the fewer values level and memory are known from, the more alarms memory gives for nothing.
        """
        count = self.count[rows, None]
        known = np.arange(_MEMORY) >= _MEMORY - count
        memory = np.where(known, 1 - self.level[rows] / self.jump[rows], 0.0).sum(axis=1)
        return np.asarray(memory / np.maximum(count[:, 0], 1) ** 1.5)

    def sums(self, rows: Rows, depth: int) -> tuple[Vector, Vector]:
        """Return for every onset 1 to ``depth`` values ago what the white scores since then say of a new level.

        Returns
        -------
        (rows, depth) sums of score times weight, and of squared weights; the newest onset last
        """
        white, level, jump = self.white[rows, -depth:], self.level[rows, -depth:], self.jump[rows, -depth:]
        return since(level * white) + jump * white, since(level * level) + jump * jump

    def restart(self, row: int, keep: int) -> None:
        """Forget all but the newest ``keep`` values of a stream; what is known of its memory stays."""
        values, times = self.values[row, -keep:].copy(), self.times[row, -keep:].copy()
        evidence, self.count[row] = self._evidence[row].copy(), 0
        rows = np.array([row])
        for time, value in zip(times, values, strict=True):
            self.push(rows, np.array([time]), np.array([value]))
        self._evidence[row] = evidence

    def put(self, rows: Rows, other: "Scores") -> None:
        """Replace streams by those in the same rows of ``other``."""
        for kept, given in zip(self._state, other._state, strict=True):
            kept[rows] = given[rows]

    def _answer(self, rows: Rows, passed: Vector) -> None:
        """Note that streams answered after so many steps; an outage counts one, lest it lower a threshold."""
        silence, longest = np.rint(passed) - 1, self._longest(rows)
        counted = np.where(silence > longest, 1.0, passed)
        kept = np.exp(-counted / _REMEMBERED)
        for remembered, more in (
            (self._answered, 1.0),
            (self._elapsed, counted),
            (self._silences, silence > 0),
            # Outages that come again and again become a habit.
            (self._silent, np.minimum(silence, longest)),
        ):
            remembered[rows] = kept * remembered[rows] + more

    def _longest(self, rows: Rows) -> Vector:
        """Return the silence in steps that but few are longer than, returns being equally likely in every step."""
        back = (_FEW[0] + self._silences[rows]) / (_FEW[1] + self._silent[rows])
        return np.asarray(1 + np.log1p(-_USUAL) / np.log1p(-np.minimum(back, _USUAL)))

    def _whiten(self, rows: Rows, column: int, memory: Vector) -> None:
        """Take out of the scores of a column what they remember of those before."""
        spread = np.sqrt(1 - memory**2)
        white = (self.normal[rows, column] - memory * self.normal[rows, column - 1]) / spread
        self.white[rows, column] = np.clip(white, -_REACH, _REACH)
        self.spread[rows, column] = ndtri(np.clip(2 * ndtr(np.abs(white)) - 1, _LEAST, 1 - _LEAST))
        self.level[rows, column], self.jump[rows, column] = (1 - memory) / spread, 1 / spread

    @property
    def _kept(self) -> Sequence[Vector]:
        return self.values, self.times, self.normal, self.white, self.spread, self.level, self.jump, self._shape

    @property
    def _state(self) -> Sequence[NDArray[np.generic]]:
        return (*self._kept, self.count, self.coefficient, self._evidence)

    def _scored(self, rows: Rows, values: Vector) -> tuple[Vector, Vector, NDArray[np.bool_]]:
        """Return scores, how normal the values before look (0 to 1), and if a value equals most of those."""
        count = np.minimum(self.count[rows], _MEMORY - 1)
        before = self.values[rows, :-1]
        known = np.arange(_MEMORY - 1) >= (_MEMORY - 1 - count)[:, None]
        below = ((before < values[:, None]) & known).sum(axis=1)
        equal = ((before == values[:, None]) & known).sum(axis=1)
        ranked = np.asarray(ndtri((below + equal / 2 + 0.5) / (count + 1)))
        if (count < _FEWEST_MOMENTS).all():
            return ranked, np.zeros(len(rows)), 2 * equal > count
        many = np.maximum(count, 2)
        mean = np.where(known, before, 0.0).sum(axis=1) / many
        off = np.where(known, before - mean[:, None], 0.0)
        spread = np.sqrt((off * off).sum(axis=1) / (many - 1))
        usable = (count >= _FEWEST_MOMENTS) & (spread > 0)
        spread = np.where(usable, spread, 1.0)
        geary = np.abs(off).sum(axis=1) / many / spread
        shape = np.where(usable, np.clip((geary - _GEARY[0]) / (_GEARY[1] - _GEARY[0]), 0.0, 1.0), 0.0)
        student = _normal_of_student((values - mean) / (spread * np.sqrt(1 + 1 / many)), many - 1)
        trust = np.where(usable & (count >= _FEWEST_MOMENTS + _OLD), self._shape[rows, -1 - _OLD], 0.0)
        return ranked + trust * (np.clip(student, -_REACH, _REACH) - ranked), shape, 2 * equal > count

    def _learn(self, rows: Rows) -> None:
        if not len(rows):
            return
        newer, older = self.normal[rows, -1 - _LAG, None], self.normal[rows, -2 - _LAG, None]
        gap = (self.times[rows, -1 - _LAG] - self.times[rows, -2 - _LAG]) / self.interval
        memory = _COEFFICIENTS ** gap[:, None]
        left = 1 - memory**2
        fit = newer**2 / 2 - (newer - memory * older) ** 2 / (2 * left) - np.log(left) / 2
        self._evidence[rows] = _PRIOR + _KEPT * (self._evidence[rows] - _PRIOR) + fit
        self.coefficient[rows] = _known(self._evidence[rows])


def since(values: Vector) -> Vector:
    """Return for every column the sum of all columns behind it."""
    until = np.cumsum(values, axis=1)
    return np.asarray(until[:, -1:] - until)


def _known(evidence: Vector) -> Vector:
    """Return the posterior mean of the coefficient."""
    return np.asarray((_posterior(evidence) * _COEFFICIENTS).sum(axis=-1))


def _posterior(evidence: Vector) -> Vector:
    """Return how likely each coefficient is."""
    weight = np.exp(evidence - evidence.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


def _normal_of_student(student: Vector, freedom: NDArray[np.intp]) -> Vector:
    """Return the normal scores as unlikely as Student's, after Wallace."""
    size = np.sqrt(freedom * np.log1p(student * student / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    return np.asarray(np.sign(student) * size)
