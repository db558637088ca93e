"""Follow the sources: notice that a value changed, decide, and change the model exactly."""

from headwater.evolution.belief import Belief
from headwater.evolution.budgets import Budgets, Cost
from headwater.evolution.detector import DETECTORS, Change, Detector
from headwater.evolution.detectors import Bayesian, Glr, Pooled
from headwater.evolution.growth import BASE, Certificate, Growth
from headwater.evolution.policy import Decision, Evidence, Plan, Policy
from headwater.evolution.presence import Presence
from headwater.evolution.recurring import Recurring, Turn
from headwater.evolution.regimes import Belonging, Regimes
from headwater.evolution.standing import ACTIONS, COUNTED, Action, Standing
from headwater.evolution.stream import Tick, Watch, month_at, month_number, ticks
from headwater.evolution.windows import Said, Window, Windows

__all__ = [
    "ACTIONS",
    "Action",
    "BASE",
    "Bayesian",
    "Belief",
    "Belonging",
    "Budgets",
    "COUNTED",
    "Certificate",
    "Change",
    "Cost",
    "DETECTORS",
    "Decision",
    "Detector",
    "Evidence",
    "Glr",
    "Growth",
    "Plan",
    "Policy",
    "Pooled",
    "Presence",
    "Recurring",
    "Regimes",
    "Said",
    "Standing",
    "Tick",
    "Turn",
    "Watch",
    "Window",
    "Windows",
    "month_at",
    "month_number",
    "ticks",
]
