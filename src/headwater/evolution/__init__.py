"""Follow the sources: notice that a value changed, decide, and change the model exactly."""

from headwater.evolution.detector import DETECTORS, Change, Detector
from headwater.evolution.detectors import Bayesian, Glr, Pooled
from headwater.evolution.growth import Certificate, Growth
from headwater.evolution.policy import Decision, Policy
from headwater.evolution.presence import Presence
from headwater.evolution.stream import Tick, month_number, replay

__all__ = [
    "Bayesian",
    "Certificate",
    "Change",
    "DETECTORS",
    "Decision",
    "Detector",
    "Glr",
    "Growth",
    "Policy",
    "Pooled",
    "Presence",
    "Tick",
    "month_number",
    "replay",
]
