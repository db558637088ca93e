"""scikit-learn: trees grown from summed histograms become its ``HistGradientBoostingRegressor``, and it predicts.

Its public interface takes no trees from outside: ``_predictors`` and ``_baseline_prediction`` of a fitted regressor are
exchanged. The layout of its nodes is read from the pinned version.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from headwater.federation.boosting import Boosting
from headwater.statistics.trees import Bins, Growth
from headwater.types import Vector

__all__ = ["HistGradientBoosting"]


class HistGradientBoosting(Boosting):
    """What it grows on squared error where depth, not the number of leaves, ends a tree, split for split."""

    framework = "sklearn"

    @classmethod
    def of(
        cls, bins: Bins, *, trees: int = 100, depth: int = 5, rate: float = 0.1, ridge: float = 0.0
    ) -> "HistGradientBoosting":
        """Return the learner under scikit-learn's own defaults, but for the leaves."""
        return cls(bins, Growth(trees, depth, rate, ridge, least_weight=1e-3, least_records=20))

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions of ``regressor``."""
        return np.asarray(self.regressor(parameters).predict(x[:, 1:]), dtype=np.float64)

    def regressor(self, parameters: Vector) -> HistGradientBoostingRegressor:
        """Return the framework's own model."""
        blank = np.zeros((2, len(self.bins.edges)))
        found = HistGradientBoostingRegressor(max_iter=1, early_stopping=False).fit(blank, blank[:, 0])
        found._baseline_prediction = np.array([[parameters[0]]])
        found._predictors = [[self._predictor(nodes)] for nodes in self.grower.nodes(parameters)]
        return found

    def _predictor(self, nodes: Vector) -> TreePredictor:
        told = self.grower.listed(nodes)
        records = np.zeros(len(told.value), dtype=PREDICTOR_RECORD_DTYPE)
        records["value"], records["is_leaf"] = told.value, [left < 0 for left in told.left]
        records["feature_idx"] = told.feature
        # Its rule is x <= threshold, that of the edges x < edge.
        records["num_threshold"] = np.nextafter(told.edge, -np.inf)
        records["left"], records["right"] = np.maximum(told.left, 0), np.maximum(told.right, 0)
        nothing = np.zeros((0, 8), dtype=np.uint32)
        return TreePredictor(records, nothing, nothing)
