"""Ways to watch many streams at once: banks of ours, and loops over detectors that know one stream and raw values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from headwater.adapters.river import Drift
from headwater.evolution.bank import Bank
from headwater.evolution.detectors.pooled import Tiers
from headwater.types import Vector

__all__ = ["Banked", "Looped", "Run", "Tiered", "Watch", "watched"]


class Watch(Protocol):
    """Takes the values of all streams at one step, NaN where absent, and returns those that alarm."""

    def alarms(self, step: int, values: Vector) -> Sequence[int]:
        """Return rows."""
        ...


@dataclass(frozen=True)
class Banked:
    """A bank of ours."""

    bank: Bank

    def alarms(self, step: int, values: Vector) -> Sequence[int]:
        """Return the streams with a change."""
        return [row for row, _ in self.bank.update(float(step), values)]


@dataclass(frozen=True)
class Tiered:
    """Tiers of streams: as many rows to a tier as it has sources; an alarm is of the tier's first row."""

    tiers: Tiers
    sources: int

    def alarms(self, step: int, values: Vector) -> Sequence[int]:
        """Return the first rows of the tiers with a change."""
        return [moved.tier * self.sources for moved in self.tiers.update(float(step), values.reshape(-1, self.sources))]


class Looped:
    """One detector of river's a stream, fed with raw values; what is absent is left out."""

    def __init__(self, make: Callable[[], Drift], streams: int) -> None:
        self._all = [make() for _ in range(streams)]

    def alarms(self, step: int, values: Vector) -> Sequence[int]:
        """Return the streams with drift."""
        found = []
        for row in np.flatnonzero(~np.isnan(values)).tolist():
            self._all[row].update(float(values[row]))
            if self._all[row].drift_detected:
                found.append(row)
        return found


@dataclass(frozen=True)
class Run:
    """What a watch said of streams that change at one step, or never.

    Parameters
    ----------
    false_alarms : in 1,000 steps before the change
    delays : (streams,) steps from the first changed value to the alarm, 0 if at once; infinite if there was none
    """

    false_alarms: float
    delays: Vector

    @property
    def median(self) -> float:
        """Median delay."""
        return float(np.median(self.delays))

    @property
    def missed(self) -> float:
        """Share of changes that were not noticed."""
        return float(np.mean(np.isinf(self.delays)))


def watched(watch: Watch, values: Vector, at: int | None = None, *, group: int = 1) -> Run:
    """Run a watch over (streams, steps) values that change at a step; a stream is left alone once it is found.

    Parameters
    ----------
    group : rows that alarm as one
    """
    streams, steps = values.shape
    before, false_alarms = steps if at is None else at, 0
    delays = np.full(streams // group, np.inf)
    for step in range(steps):
        if step < before:
            false_alarms += len(watch.alarms(step, values[:, step]))
            continue
        looking = np.repeat(np.isinf(delays), group)
        if not looking.any():
            break
        found = watch.alarms(step, np.where(looking, values[:, step], np.nan))
        delays[[row // group for row in found]] = step - before
    return Run(1000 * false_alarms * group / (streams * before), delays)
