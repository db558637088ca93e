"""Where a change of level lies, once it is certain that there is one."""

from math import sqrt

import numpy as np

from headwater.types import Vector

__all__ = ["values_since"]

_MEDIAN_DIFFERENCE = 0.6744897501960817 * sqrt(2.0)
"""Median of the absolute difference of two standard normal numbers."""
_REACH = 6.0
_LEAST_WITHIN = 1e-12


def values_since(values: Vector, *, most: int) -> int:
    """Return how many of the newest values lie behind the likeliest change of level, at least 1 and at most ``most``.

    The likelihood is that of two normal samples of one unknown variance, after winsorising at 6 σ around the median,
    σ from the median absolute difference of neighbours. Scores find a change sooner, but say less of where it lies:
    they are bounded, and the values before them change.

    >>> values_since(np.array([0.1, -0.2, 0.0, 0.2, 3.9, 4.1]), most=100)
    2
    """
    sigma = float(np.median(np.abs(np.diff(values)))) / _MEDIAN_DIFFERENCE
    middle, reach = np.median(values), _REACH * sigma if sigma > 0 else np.inf
    centred = np.clip(values, middle - reach, middle + reach)
    centred = centred - centred.mean()
    size, total = len(values), float(centred @ centred)
    before = np.arange(1, size)
    between = np.cumsum(centred)[:-1] ** 2 * size / (before * (size - before))
    likelihood = np.log1p(between / np.maximum(total - between, _LEAST_WITHIN * total or 1.0))
    return most - int(likelihood[-most:].argmax()) if size > most else size - 1 - int(likelihood.argmax())
