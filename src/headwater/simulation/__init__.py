"""A synthetic region of hospitals, with everything about it known: for demonstrations, tests and benchmarks."""

from headwater.simulation.region import simulate
from headwater.simulation.truth import Truth

__all__ = ["Truth", "simulate"]
