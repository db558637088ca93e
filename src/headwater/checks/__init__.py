"""Conformance suites: every registered thing of a kind must pass every check of its kind."""

from headwater.checks.coding import CODING_SUITE
from headwater.checks.detectors import DETECTOR_SUITE
from headwater.checks.feature_maps import FEATURE_MAP_SUITE
from headwater.checks.grouping import GROUPING_SUITE
from headwater.checks.learners import LEARNER_SUITE, Trial
from headwater.checks.methods import METHOD_SUITE
from headwater.checks.protections import PROTECTION_SUITE
from headwater.checks.statistics import STATISTIC_SUITE
from headwater.checks.suite import CheckFailure, Suite

__all__ = [
    "CODING_SUITE",
    "CheckFailure",
    "DETECTOR_SUITE",
    "FEATURE_MAP_SUITE",
    "GROUPING_SUITE",
    "LEARNER_SUITE",
    "METHOD_SUITE",
    "PROTECTION_SUITE",
    "STATISTIC_SUITE",
    "Suite",
    "Trial",
]
