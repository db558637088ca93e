"""What every detector must do: find what changed, keep quiet otherwise, and never take absence for a low value."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from headwater.checks.suite import Suite, refused, require
from headwater.evolution.detector import Change, Detector
from headwater.types import Vector

__all__ = ["DETECTOR_SUITE"]

Maker: TypeAlias = Callable[[], Detector]

_SEED = 5
_CHANGE_AT = 60
_SOON = 12
_QUIET_STEPS = 4000
_FALSE_ALARMS_PER_1000 = 2.0


def _run(make: Maker, values: Sequence[float | None], *, start: float = 0.0) -> list[Change]:
    detector = make()
    changes = (detector.update(start + step, value) for step, value in enumerate(values))
    return [change for change in changes if change is not None]


def _stepped(size: float, *, seed: int = _SEED) -> Vector:
    values = np.random.default_rng(seed).normal(size=2 * _CHANGE_AT)
    values[_CHANGE_AT:] += size
    return values


def check_finds_a_change(make: Maker) -> None:
    """Require that of 20 changes by 4 σ, up or down, 18 are found soon, with onset and size, and none is found thrice.

    The others may coincide with a false alarm.
    """
    right = 0
    for size in (4.0, -4.0):
        for seed in range(_SEED, _SEED + 10):
            changes = [c for c in _run(make, _stepped(size, seed=seed).tolist()) if c.time >= _CHANGE_AT]
            require(len(changes) <= 2, f"{len(changes)} changes instead of one")
            right += any(_is_right(change, size) for change in changes)
    require(right >= 18, f"{right} of 20 found")


def _is_right(change: Change, size: float) -> bool:
    soon, near = change.time <= _CHANGE_AT + _SOON, abs(change.onset - _CHANGE_AT) <= 3
    return soon and near and abs(change.size - size) <= 2 and 0.9 <= change.confidence <= 1.0


def check_quiet_without_a_change(make: Maker) -> None:
    """Require that normal noise, whole or with gaps, gives at most two false alarms in 1,000 steps."""
    rng = np.random.default_rng(_SEED)
    for absent in (0.0, 0.5):
        noise, gone = rng.normal(size=_QUIET_STEPS), rng.random(_QUIET_STEPS) < absent
        alarms = _run(make, [None if g else float(v) for v, g in zip(noise, gone, strict=True)])
        rate = 1000 * len(alarms) / _QUIET_STEPS
        require(rate <= _FALSE_ALARMS_PER_1000, f"{rate} false alarms per 1,000 steps")


def check_absence_is_not_a_low_value(make: Maker) -> None:
    """Require that neither an outage in an unchanged stream nor a stream that never speaks is a change.

    Among the 300 values that follow 100 outages one false alarm is within the word of a detector.
    """
    require(not _run(make, [None] * 200), "a silent stream changed")
    called = 0
    for seed in range(100):
        values: list[float | None] = (np.random.default_rng(seed).normal(size=60) + 10).tolist()
        length = (3, 30)[seed % 2]
        stream = values[:30] + [None] * length + values[30:]
        called += any(30 <= change.time < 30 + length + 3 for change in _run(make, stream))
    require(called <= 1, f"{called} outages were taken for changes")


def check_finds_a_change_behind_an_outage(make: Maker) -> None:
    """Require that a change hidden by an outage is found soon after it, with an onset before the return."""
    values: list[float | None] = _stepped(-4.0).tolist()
    gap = 40
    found = _run(make, values[:_CHANGE_AT] + [None] * gap + values[_CHANGE_AT:])
    require(len(found) > 0, "not found")
    require(found[0].time <= _CHANGE_AT + gap + _SOON, f"found only at {found[0].time}")
    require(_CHANGE_AT - 6 <= found[0].onset <= _CHANGE_AT + gap, f"onset at {found[0].onset}")


def check_survives_outliers(make: Maker) -> None:
    """Require that a lone outlier of 20 σ is no change."""
    for seed in range(20):
        values = np.random.default_rng(seed).normal(size=60)
        values[40] -= 20
        changes = [c for c in _run(make, values.tolist()) if c.time >= 40]
        require(len(changes) <= 1 and not any(c.time < 43 for c in changes), "an outlier was taken for a change")


def check_unit_and_clock_do_not_matter(make: Maker) -> None:
    """Require that values in another unit and a clock set otherwise give the same changes, converted."""
    values = _stepped(4.0)
    plain, other = _run(make, values.tolist()), _run(make, (1024 * values).tolist(), start=500.0)
    same = [(c.time + 500, c.onset + 500, 1024 * c.size) for c in plain] == [(c.time, c.onset, c.size) for c in other]
    require(same, "the unit or the clock shows")


def check_constant_stream_is_quiet(make: Maker) -> None:
    """Require that a stream of one value never changes."""
    require(not _run(make, [0.25] * 200), "a constant stream changed")


def check_time_must_advance(make: Maker) -> None:
    """Require that a time that does not advance is refused, also when the value is absent."""
    for value in (1.0, None):
        detector = make()
        detector.update(1.0, 0.0)
        refused(partial(detector.update, 1.0, value), "E-STREAM-TIME")


def check_strange_values_refused(make: Maker) -> None:
    """Require that not-a-number and infinity are refused: absence is None."""
    for value in (float("nan"), float("inf"), -float("inf")):
        refused(partial(make().update, 1.0, value), "E-STREAM-VALUE")


DETECTOR_SUITE: Suite[Maker] = Suite(
    "detector",
    (
        check_finds_a_change,
        check_quiet_without_a_change,
        check_absence_is_not_a_low_value,
        check_finds_a_change_behind_an_outage,
        check_survives_outliers,
        check_unit_and_clock_do_not_matter,
        check_constant_stream_is_quiet,
        check_time_must_advance,
        check_strange_values_refused,
    ),
)
