"""The algebra: what sources say, and how it is merged, subtracted, encoded and solved."""

from headwater.statistics.bounded import BoundedSquares
from headwater.statistics.features import Categorical, FeatureMap, Features, Numeric
from headwater.statistics.fixed_point import FixedPoint, on_grid
from headwater.statistics.gram import Gram
from headwater.statistics.histogram import Histogram
from headwater.statistics.scoring import Scoring
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.statistics.trees import Bins, Growth, Trees
from headwater.statistics.update import Update

__all__ = [
    "Bins",
    "BoundedSquares",
    "Categorical",
    "FeatureMap",
    "Features",
    "FixedPoint",
    "Gram",
    "Growth",
    "Histogram",
    "Numeric",
    "STATISTICS",
    "Scoring",
    "Statistic",
    "Trees",
    "Update",
    "on_grid",
]
