"""Detectors, one a file; importing this package registers them all."""

from headwater.evolution.detectors.bayesian import Bayesian
from headwater.evolution.detectors.glr import Glr

__all__ = ["Bayesian", "Glr"]
