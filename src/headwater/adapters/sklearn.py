"""scikit-learn: ridge and logistic regression, learnt from sums and handed back as its own estimators."""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from headwater.federation.learner import sized
from headwater.federation.scored import Scored, Working
from headwater.federation.solved import Solved
from headwater.types import Masks, Vector

__all__ = ["Logistic", "RidgeRegression"]


class RidgeRegression(Solved):
    """``Ridge(alpha=ridge)`` in one round."""

    framework = "sklearn"

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions of ``estimator``."""
        return np.asarray(self.estimator(parameters).predict(x[:, 1:]), dtype=np.float64)

    def estimator(self, parameters: Vector) -> Ridge:
        """Return the framework's own model."""
        sized(parameters, size=self.dim)
        found = Ridge(alpha=self.ridge)
        found.coef_, found.intercept_, found.n_features_in_ = parameters[1:], float(parameters[0]), self.dim - 1
        return found


class Logistic(Scored):
    """``LogisticRegression(C=1 / ridge)`` of labels 0 and 1."""

    framework = "sklearn"
    name = "logistic"

    def takes(self, y: Vector) -> Masks:
        """Return whether each is 0 or 1."""
        return np.isin(y, (0.0, 1.0))

    def working(self, linear: Vector | None, y: Vector) -> Working:
        """Return what the records say; at first every chance is one half."""
        chance = 1 / (1 + np.exp(-(np.zeros(len(y)) if linear is None else linear)))
        weights = chance * (1 - chance)
        return Working(weights, y - chance, (y - chance) ** 2 / np.maximum(weights, np.finfo(np.float64).tiny))

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) chances of 1 that ``estimator`` gives."""
        return np.asarray(self.estimator(parameters).predict_proba(x[:, 1:])[:, 1], dtype=np.float64)

    def estimator(self, parameters: Vector) -> LogisticRegression:
        """Return the framework's own model."""
        sized(parameters, size=self.dim)
        found = LogisticRegression(C=1 / self.ridge if self.ridge else np.inf)
        found.coef_, found.intercept_ = parameters[None, 1:], parameters[:1]
        found.classes_, found.n_features_in_ = np.array([0.0, 1.0]), self.dim - 1
        return found
