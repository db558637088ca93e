"""Runs of one detector, value by value, and of banks of them."""

import numpy as np

from headwater.evolution.bank import Bank


def changes(detector, values, *, absent=0.0, seed=0):
    rng, found = np.random.default_rng(seed), []
    for time, value in enumerate(values):
        change = detector.update(time, None if rng.random() < absent else float(value))
        if change is not None:
            found.append(change)
    return found


def banked(judge, values, *, steps=1000.0):
    """Return (stream, change) of all streams; NaN is absent."""
    bank = Bank(judge, len(values), steps=steps)
    return [found for step in range(values.shape[1]) for found in bank.update(float(step), values[:, step])]


def with_gaps(values, share, *, seed=0):
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.nan, values)
