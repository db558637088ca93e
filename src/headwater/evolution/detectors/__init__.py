"""Detectors, one a file; importing this package registers them all."""

from headwater.evolution.detectors.bayesian import Bayesian
from headwater.evolution.detectors.glr import Glr
from headwater.evolution.detectors.pooled import Pooled

__all__ = ["Bayesian", "Glr", "Pooled"]
