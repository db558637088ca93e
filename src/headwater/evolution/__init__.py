"""Follow the sources: notice that a value changed, decide, and change the model exactly."""

from headwater.evolution.detector import DETECTORS, Change, Detector
from headwater.evolution.detectors import Glr
from headwater.evolution.growth import Certificate, Growth
from headwater.evolution.policy import Decision, Policy
from headwater.evolution.stream import Tick, month_number, replay
from headwater.evolution.windows import Said, Window, Windows

__all__ = [
    "Certificate",
    "Change",
    "DETECTORS",
    "Decision",
    "Detector",
    "Glr",
    "Growth",
    "Policy",
    "Said",
    "Tick",
    "Window",
    "Windows",
    "month_number",
    "replay",
]
