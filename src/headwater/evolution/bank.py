"""Many streams watched at once by one judge of their scores: alarms, new beginnings, and alarms taken back.

After an alarm a stream begins anew with the values behind the onset. What it was before is kept beside it for a while:
if the values after the alarm speak for the level before it, as they do when the alarm was false, the stream goes on as
if there had been none. So a false alarm costs neither the reference nor the next change. What decides is Wald's
sequential test of the old level against the alarm's.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from headwater.evolution.detector import Change, require_step
from headwater.evolution.onset import values_since
from headwater.evolution.scores import Rows, Scores
from headwater.types import Vector

__all__ = ["AGO", "Bank", "DEPTH", "Judge", "Single", "Verdict", "changed"]

DEPTH = 100
"""Onsets are sought among this many newest values."""
AGO = np.arange(DEPTH, 0, -1)
"""How many values ago each of the onsets is, the newest last."""
_WARMUP = 8
_SURE = 3.0
"""Log odds at which the test after an alarm ends."""
_REFERENCE = 20
"""Fewer values before an onset are no level that one could return to."""


class Verdict(NamedTuple):
    """What a judge says of some streams.

    Parameters
    ----------
    excess : (rows,) evidence for a change, whenever it was, above what it takes
    ago : (rows,) values since the likeliest onset
    evidence : (rows,) for that onset alone
    variance : (rows,) whether it is of another variance rather than another level
    """

    excess: Vector
    ago: NDArray[np.intp]
    evidence: Vector
    variance: NDArray[np.bool_]


class Judge(Protocol):
    """Weighs the scores of streams against how many observations may pass between two false alarms."""

    def __call__(self, scores: Scores, rows: Rows, observations: Vector, allowed: NDArray[np.bool_]) -> Verdict:
        """Return the verdict on ``rows``; ``observations`` is (rows,), ``allowed`` (rows, DEPTH), the newest last."""
        ...

    def doubt(self, evidence: float) -> float:
        """Return how likely evidence like this says nothing."""
        ...


def changed(
    scores: Scores, row: int, ago: int, *, confidence: float, kind: Literal["level", "variance"] = "level"
) -> Change:
    """Return the change of a stream that its newest ``ago`` values lie behind, noticed now."""
    count = int(scores.count[row])
    times, values = scores.times[row, -count:], scores.values[row, -count:]
    return Change(
        float(times[-1]),
        onset=float(times[-ago - 1] + times[-ago]) / 2,
        size=float(np.median(values[-ago:]) - np.median(values[:-ago])),
        confidence=min(1.0, max(0.0, confidence)),
        kind=kind,
    )


class Bank:
    """Watches streams that are observed at the same times, or not at all.

    Parameters
    ----------
    judge : weighs their scores
    streams : how many
    steps : from one false alarm to the next, in the mean; of steps, not of answers: a stream that answers rarely
        has fewer chances of a false alarm, and gets a lower threshold
    interval : time from one step to the next
    """

    def __init__(self, judge: Judge, streams: int, *, steps: float, interval: float = 1.0) -> None:
        self._judge, self._steps = judge, steps
        self.scores, self._shadows = Scores(streams, interval=interval), Scores(streams, interval=interval)
        self._room = np.full(streams, DEPTH)
        # Of streams whose last alarm is on trial: what the alarm said, and the odds for it.
        self._tried, self._size, self._odds = np.zeros(streams, dtype=bool), np.zeros(streams), np.zeros(streams)

    def update(self, time: float, values: Vector) -> list[tuple[int, Change]]:
        """Take the values at ``time``, NaN where a stream is absent; return the changes by stream."""
        rows = self.scores.take(time, values)
        self._room[rows] = np.minimum(self._room[rows] + 1, DEPTH)
        self._weigh(rows[self._tried[rows]], time, values)
        return self._verdicts(rows[self.scores.count[rows] >= _WARMUP])

    def _verdicts(self, rows: Rows) -> list[tuple[int, Change]]:
        if not len(rows):
            return []
        most = np.minimum(self._room[rows], self.scores.count[rows] - 2)[:, None]
        allowed = (AGO >= 2) & (most >= AGO)
        observations = self._steps * self.scores.answering(rows)
        verdict = self._judge(self.scores, rows, observations, allowed)
        found = [
            at
            for at in np.flatnonzero(verdict.excess > 0).tolist()
            if self._stands(int(rows[at]), observations[at : at + 1], allowed[at : at + 1])
        ]
        return [(int(rows[at]), self._alarm(int(rows[at]), verdict, at)) for at in found]

    def _stands(self, row: int, observations: Vector, allowed: NDArray[np.bool_]) -> bool:
        """Return whether the same values would be an alarm without the outages between them.

        The first score behind an outage is held against nothing before it; that alone must not be what tells a change.
        """
        hurried = self.scores.hurried(row)
        return hurried is None or bool(self._judge(hurried, np.array([0]), observations, allowed).excess[0] > 0)

    def _alarm(self, row: int, verdict: Verdict, at: int) -> Change:
        scores, count, ago = self.scores, int(self.scores.count[row]), int(verdict.ago[at])
        doubt, variance = self._judge.doubt(float(verdict.evidence[at])), bool(verdict.variance[at])
        ago = ago if variance else values_since(scores.values[row, -count:], most=DEPTH)
        change = changed(scores, row, ago, confidence=1 - doubt, kind="variance" if variance else "level")
        self._tried[row] = not variance and count - ago >= _REFERENCE
        if self._tried[row]:
            said, weight = scores.sums(np.array([row]), ago)
            self._size[row], self._odds[row] = said[0, 0] / weight[0, 0], 0.0
            self._shadows.put(np.array([row]), scores)
        scores.restart(row, ago)
        self._room[row] = DEPTH
        return change

    def _weigh(self, rows: Rows, time: float, values: Vector) -> None:
        """Let streams on trial go on in the shadow as if there had been no alarm; end the trials that are decided."""
        if not len(rows):
            return
        shadows = self._shadows
        shadows.push(rows, np.full(len(rows), time), values[rows])
        moved = self._size[rows] * shadows.level[rows, -1]
        self._odds[rows] += moved * shadows.white[rows, -1] - moved * moved / 2
        back = rows[self._odds[rows] < -_SURE]
        self.scores.put(back, shadows)
        self._room[back] = 0
        self._tried[rows] = np.abs(self._odds[rows]) <= _SURE


class Single:
    """One stream watched as a bank of one: the base of detectors whose whole work is a judge."""

    def __init__(self, judge: Callable[[], Judge], *, steps: float, interval: float) -> None:
        self._bank = Bank(judge(), 1, steps=steps, interval=interval)
        self._last: float | None = None

    def update(self, time: float, value: float | None) -> Change | None:
        """Take a value or its absence; after a change, go on from the values behind its onset."""
        require_step(self._last, time, value)
        self._last = time
        changes = self._bank.update(time, np.array([np.nan if value is None else value], dtype=np.float64))
        return changes[0][1] if changes else None
