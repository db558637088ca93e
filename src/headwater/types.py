"""Aliases that every room shares."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Fixed", "Masks", "SourceId", "Vector"]

SourceId: TypeAlias = str
"""The name of one source of knowledge: a hospital's code, e.g. ``H0101``."""

Vector: TypeAlias = npt.NDArray[np.float64]
"""Real numbers before encoding and after decoding."""

Fixed: TypeAlias = npt.NDArray[np.uint64]
"""Fixed-point integers modulo 2**64: what is merged, subtracted, masked and sent."""

Masks: TypeAlias = npt.NDArray[np.bool_]
"""(coalitions, sources): which sources stand in which coalition."""
