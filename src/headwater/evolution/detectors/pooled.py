r"""The sources of a tier watched together: a change that several share is found before any of them shows it alone.

If each source moves with the probability p, all that move by the same :math:`\delta` deviations, an onset scores

.. math:: \log \operatorname*{mean}_{\delta, p}
   \prod_n \Bigl(1 - p + p\, e^{\delta \sum w z - \delta^2 \sum w^2 / 2}\Bigr)

over a grid of :math:`\delta` of both signs and of p: about three of the N sources, half of them, or all (sums over the
source's scores since the onset, see ``scores.py``). It is a likelihood ratio, so the threshold hardly knows N. Each
source may be absent whenever it likes: absence adds nothing. After a change those sources begin anew that have moved
more likely than not.

Source: Xie and Siegmund 2013, the mixture with a given size of change, averaged over sizes and shares. Scores in place
of known levels, and gaps, are additions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from headwater.errors import Message, Refusal
from headwater.evolution.bank import DEPTH, changed
from headwater.evolution.calibration import STEPS, Threshold, calibrated
from headwater.evolution.detector import DETECTORS, Change, require_step
from headwater.evolution.onset import values_since
from headwater.evolution.scores import Rows, Scores
from headwater.types import SourceId, Vector

__all__ = ["Pooled", "Shift", "TierOfOne", "Tiers"]

_FEW = 3
_WARMUP = 8
_MORE_LIKELY = 0.5
_LEAST, _MOST = 30.0, 500.0
"""Evidence of one source against and for a change, beyond which its exponential is not taken."""
_SIZES = np.array([0.6, 1.0, 1.6, 2.6])
_AGO = np.unique(np.geomspace(1, DEPTH, 40).astype(int))[::-1]
"""Steps ago of the onsets that are looked at, the oldest first: every newest one, ever fewer further back."""
_MOVES = np.concatenate([_SIZES, -_SIZES])


class _Moved(NamedTuple):
    tier: int
    onset: float
    sizes: Mapping[int, float]
    confidence: float


@dataclass(frozen=True)
class Shift:
    """A change that sources of a tier share.

    Parameters
    ----------
    time, onset, confidence : as of a ``Change``; the confidence is the greatest probability that a source has moved
    sizes : those that moved: level after minus level before, in the unit of each source's values
    """

    time: float
    onset: float
    sizes: Mapping[SourceId, float]
    confidence: float


class Tiers:
    """Watches tiers of equally many sources at the same times.

    Parameters
    ----------
    tiers, sources : how many tiers, and sources in each
    steps : from one false alarm of a tier to the next, in the mean
    interval : time from one step to the next
    threshold : what evidence it takes
    """

    def __init__(
        self,
        tiers: int,
        sources: int,
        *,
        steps: float,
        interval: float = 1.0,
        threshold: Threshold | None = None,
    ) -> None:
        self._shape, self._steps = (tiers, sources), steps
        self._threshold = threshold or calibrated("pooled")
        self._shares = sorted({min(1.0, _FEW / sources), 0.5, 1.0} if sources > 1 else {1.0})
        self.scores = Scores(tiers * sources, interval=interval)
        self._present = np.zeros((tiers * sources, DEPTH), dtype=np.intp)

    def update(self, time: float, values: Vector) -> list[_Moved]:
        """Take (tiers, sources) values at ``time``, NaN where one is absent; return what moved, by tier."""
        self._present[:, :-1] = self._present[:, 1:]
        self._present[:, -1] = 0
        rows = self.scores.take(time, values.ravel())
        self._present[rows, -1] = 1
        heard = np.unique(rows // self._shape[1])
        # Before anybody has said enough all sums are nothing.
        heard = heard[(self.scores.count.reshape(self._shape)[heard] >= _WARMUP).any(axis=1)]
        if not len(heard):
            return []
        every = (heard[:, None] * self._shape[1] + np.arange(self._shape[1])).ravel()
        said, weight = (part.reshape(len(heard), self._shape[1], -1) for part in self._sums(every))
        pooled = self._pooled(said, weight)
        answered = self.scores.answering(every).reshape(len(heard), -1).mean(axis=1)
        memory = self.scores.caution(every).reshape(len(heard), -1).mean(axis=1)
        threshold = self._threshold(self._steps * answered, memory, self._shape[1])
        onset = pooled.argmax(axis=1)
        found = np.flatnonzero(pooled[np.arange(len(heard)), onset] > threshold)
        return [self._moved(int(heard[at]), said[at, :, onset[at]], weight[at, :, onset[at]]) for at in found]

    def _sums(self, rows: Rows) -> tuple[Vector, Vector]:
        """Return (rows, onsets) sums since each; 0 where too little was heard before or since."""
        said, weight = self.scores.sums(rows, DEPTH)
        since = np.cumsum(self._present[rows, ::-1], axis=1)[:, _AGO - 1]
        count = self.scores.count[rows][:, None]
        usable = (since >= 1) & (since <= count - 2) & (count >= _WARMUP)
        at = np.minimum(DEPTH - since, DEPTH - 1)
        found = (np.take_along_axis(part, at, axis=1) for part in (said, weight))
        said, weight = (np.where(usable, part, 0.0) for part in found)
        return said, weight

    def _pooled(self, said: Vector, weight: Vector) -> Vector:
        """Return (tiers, onsets) log likelihood ratios."""
        scored = []
        for move in _MOVES:
            grown = np.expm1(np.clip(move * said - move * move / 2 * weight, -_LEAST, _MOST))
            scored += [np.log1p(share * grown).sum(axis=1) for share in self._shares]
        return np.asarray(logsumexp(scored, axis=0) - np.log(len(scored)))

    def _moved(self, tier: int, said: Vector, weight: Vector) -> _Moved:
        """Place the change in each source that moved, and the tier's where it is plainest."""
        likely = self._likely(said, weight)
        moved = [source for source in np.argsort(-likely, kind="stable").tolist() if weight[source] > 0]
        moved = [source for source in moved if likely[source] > _MORE_LIKELY] or moved[:1]
        changes = {}
        for source in moved:
            row = tier * self._shape[1] + source
            ago = values_since(self.scores.values[row, -int(self.scores.count[row]) :], most=DEPTH)
            changes[source] = changed(self.scores, row, ago, confidence=float(likely[source]))
            self.scores.restart(row, ago)
        first = changes[moved[0]]
        return _Moved(tier, first.onset, {s: change.size for s, change in changes.items()}, first.confidence)

    def _likely(self, said: Vector, weight: Vector) -> Vector:
        """Return the probability that each source moved, for the likeliest size and share."""
        evidence = np.clip(_MOVES[:, None] * said - _MOVES[:, None] ** 2 / 2 * weight, -_LEAST, _MOST)
        best, likely = -np.inf, said
        for share in self._shares:
            ratio = share * np.expm1(evidence)
            total = np.log1p(ratio).sum(axis=1)
            if total.max() > best:
                best, at = float(total.max()), int(total.argmax())
                likely = (ratio[at] + share) / (1 + ratio[at])
        return likely


class Pooled:
    """Watches the sources of one tier.

    Parameters
    ----------
    sources : by name
    steps : from one false alarm of the tier to the next, in the mean; see ``steps_between_alarms``
    interval : time from one step to the next
    """

    def __init__(self, sources: Iterable[SourceId], *, steps: float = STEPS, interval: float = 1.0) -> None:
        self.sources = tuple(dict.fromkeys(sources))
        if not self.sources:
            raise ValueError("a tier has at least one source")
        self._tiers = Tiers(1, len(self.sources), steps=steps, interval=interval)
        self._last: float | None = None

    def update(self, time: float, values: Mapping[SourceId, float | None]) -> Shift | None:
        """Take what the sources said at ``time``, None or nothing where absent; return a change if there is one.

        Raises
        ------
        Refusal : of sources that are not of the tier, of time that does not advance, of values that are not finite
        """
        unknown = sorted(set(values) - set(self.sources))
        if unknown:
            raise Refusal(
                "E-STREAM-SOURCE",
                Message(f"“{unknown[0]}”不在该层。", f"{unknown[0]} is no source of this tier."),
                Message("请用全部来源建立检测器。", "Make the detector with all sources of the tier."),
            )
        for value in values.values() or (None,):
            require_step(self._last, time, value)
        self._last = time
        told = [values.get(source) for source in self.sources]
        moved = self._tiers.update(
            time, np.array([[np.nan if value is None else value for value in told]], dtype=float)
        )
        if not moved:
            return None
        sizes = {self.sources[source]: size for source, size in moved[0].sizes.items()}
        return Shift(time, moved[0].onset, sizes, moved[0].confidence)


@DETECTORS.register("pooled")
@dataclass
class TierOfOne:
    """A tier of one source, so that it can be held against the others."""

    steps: float = STEPS
    interval: float = 1.0
    _tier: Pooled = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tier = Pooled(("",), steps=self.steps, interval=self.interval)

    def update(self, time: float, value: float | None) -> Change | None:
        """Take a value or its absence."""
        shift = self._tier.update(time, {"": value})
        return None if shift is None else Change(time, shift.onset, shift.sizes[""], shift.confidence)
