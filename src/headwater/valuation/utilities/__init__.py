"""Utilities, one a file; importing this package registers those that need nothing handed in."""

from headwater.valuation.utilities.information import Information, LogDeterminant
from headwater.valuation.utilities.private_sums import PrivateSums
from headwater.valuation.utilities.retraining import RetrainedUtility, Retraining
from headwater.valuation.utilities.statistics import GramUtility, Statistics
from headwater.valuation.utilities.sums import Sums
from headwater.valuation.utilities.updates import Updates, UpdateUtility

__all__ = [
    "GramUtility",
    "Information",
    "LogDeterminant",
    "PrivateSums",
    "RetrainedUtility",
    "Retraining",
    "Statistics",
    "Sums",
    "UpdateUtility",
    "Updates",
]
