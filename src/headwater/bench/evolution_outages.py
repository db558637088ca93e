"""Figure E2: outages are never called a lower value, and a change behind one is found as soon as any other.

Streams answer half of the time and go silent for 5 to 200 steps. Each is run twice, with the outage and without it,
the values the same. While silent a detector says nothing; calls of a lower value within the first 10 answers after the
return that the same values do not give without the outage are the outage's fault; those that they do give are false
alarms like any other, as many as the detector's word allows. In as many streams the level falls by one deviation during
the outage.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headwater.bench.figures import Figure, Size
from headwater.evolution.bank import Bank
from headwater.evolution.calibration import STEPS
from headwater.evolution.detectors.glr import GlrJudge
from headwater.evolution.presence import Presence
from headwater.types import Vector

__all__ = ["figures"]

_BEFORE, _AFTER, _ANSWERS = 500, 150, 10
_LENGTHS = (5, 10, 20, 40, 80, 200)
_WITHIN = 21.0
_SEED = 404


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return E2; it needs no data."""
    outages = 10_000 if size == "full" else 150
    rng = np.random.default_rng(_SEED)
    lengths = rng.choice(_LENGTHS, size=outages)
    values = rng.normal(size=(outages, _BEFORE + _AFTER))
    values[rng.random(values.shape) < 0.5] = np.nan
    none = np.zeros_like(lengths)
    called, expected = _soon(values, _drops(values, lengths)), _soon(values, _drops(values, none))
    fallen = values.copy()
    fallen[:, _BEFORE:] -= 1.0
    delays = _delays(_drops(fallen, lengths))
    plain = _delays(_drops(fallen, none))
    fault = int((called & ~expected).sum())
    median = float(np.median(delays))
    return {
        "E2": Figure(
            value=float(fault),
            unit="outages called a lower value where the same values without the outage are not",
            goal="0 of 10,000; a change behind an outage is found within 21 steps of the return",
            holds=fault == 0 and median <= _WITHIN,
            baseline={"drops_called_without_outage": float(expected.sum())},
            n=outages,
            note="in the first 10 answers after the return; delay in steps from the first step after the outage",
            also={
                "drops_called_after_return": int(called.sum()),
                "drops_called_without_outage_alone": int((expected & ~called).sum()),
                "median_delay_behind_outage": median,
                "median_delay_without_outage": float(np.median(plain)),
                "missed_behind_outage": round(float(np.mean(np.isinf(delays))), 4),
                "states_at_end_of_outage": _states(values, lengths),
            },
        )
    }


def _drops(values: Vector, lengths: NDArray[np.int64]) -> Vector:
    """Return (outages, steps) whether a fall was called, at the steps of ``values``; the outage has none of its own.

    The streams wait for each other: all that differs is the time at which a value is told.
    """
    fallen = np.zeros(values.shape)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        bank = Bank(GlrJudge(), len(rows), steps=STEPS)
        for step in range(values.shape[1]):
            time = float(step + (length if step >= _BEFORE else 0))
            for row, change in bank.update(time, values[rows, step]):
                fallen[rows[row], step] = change.kind == "level" and change.size < 0
    return fallen


def _soon(values: Vector, fallen: Vector) -> NDArray[np.bool_]:
    """Return of each outage whether a fall was called within its first answers."""
    answered = np.cumsum(~np.isnan(values[:, _BEFORE:]), axis=1)
    return np.asarray(((answered <= _ANSWERS) & (fallen[:, _BEFORE:] > 0)).any(axis=1))


def _delays(fallen: Vector) -> Vector:
    behind = fallen[:, _BEFORE:] > 0
    return np.where(behind.any(axis=1), behind.argmax(axis=1), np.inf)


def _states(values: Vector, lengths: NDArray[np.int64]) -> dict[str, int]:
    """Count the sources by their state at the last step of their outage, and at their next answer."""
    states: Counter[str] = Counter()
    for row in range(0, len(values), max(1, len(values) // 1000)):
        presence, heard = Presence(), ~np.isnan(values[row])
        for step in range(_BEFORE):
            presence.update(float(step), bool(heard[step]))
        for step in range(lengths[row]):
            state = presence.update(float(_BEFORE + step), False)
        states[state] += 1
        states[f"{presence.update(float(_BEFORE + lengths[row]), True)} again"] += 1
    return dict(sorted(states.items()))
