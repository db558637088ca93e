"""Streams to try detectors on: noise of one law, absences that come one by one or in bursts, and changes."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headwater.types import Vector

__all__ = ["Law", "absent", "changed", "memory", "noise"]

Law: TypeAlias = Literal["normal", "t3", "ar.5", "ar.7"]


def noise(rng: np.random.Generator, shape: tuple[int, int], law: Law) -> Vector:
    """Return (streams, steps) stationary noise of standard deviation 1: normal, Student's with 3, autoregressive."""
    if law == "t3":
        return np.asarray(rng.standard_t(3, size=shape) / np.sqrt(3))
    values = rng.normal(size=shape)
    if kept := memory(law):
        for step in range(1, shape[1]):
            values[:, step] = kept * values[:, step - 1] + np.sqrt(1 - kept**2) * values[:, step]
    return values


def memory(law: Law) -> float:
    """Return the correlation of one step with the one before."""
    return float(law.removeprefix("ar")) if law.startswith("ar") else 0.0


def absent(rng: np.random.Generator, shape: tuple[int, int], share: float, *, burst: float) -> NDArray[np.bool_]:
    """Return which values are absent.

    Parameters
    ----------
    share : of absent values, in the mean
    burst : mean length of an absence in steps; 0: each value is absent by itself
    """
    if burst == 0:
        return rng.random(shape) < share
    gone = np.empty(shape, dtype=bool)
    now, back = rng.random(shape[0]) < share, 1 / burst
    leave = back * share / (1 - share)
    for step in range(shape[1]):
        gone[:, step] = now
        chance = rng.random(shape[0])
        now = np.where(now, chance >= back, chance < leave)
    return gone


def changed(values: Vector, at: int, *, level: float = 0.0, scale: float = 1.0, ramp: int = 1) -> Vector:
    """Return ``values`` with another level and scale from step ``at`` on, reached over ``ramp`` steps."""
    reached = np.clip((np.arange(values.shape[1]) - at + 1) / ramp, 0.0, 1.0)
    return np.asarray(values * (1 + (scale - 1) * reached) + level * reached)
