"""The algebra: what sources say, and how it is merged, subtracted, encoded and solved."""

from headwater.statistics.bounded import BoundedSquares
from headwater.statistics.features import Categorical, FeatureMap, Features, Numeric
from headwater.statistics.fixed_point import FixedPoint, on_grid
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.statistics.update import Update

__all__ = [
    "BoundedSquares",
    "Categorical",
    "FeatureMap",
    "Features",
    "FixedPoint",
    "Gram",
    "Numeric",
    "STATISTICS",
    "Statistic",
    "Update",
    "on_grid",
]
