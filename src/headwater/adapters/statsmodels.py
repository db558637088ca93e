"""statsmodels: generalised linear models from sums, with the standard errors of the records of all sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from headwater.federation.scored import Scored, Working
from headwater.statistics import Scoring, Statistic
from headwater.types import Masks, Vector

__all__ = ["DISTRIBUTIONS", "GeneralisedLinear"]

DISTRIBUTIONS: Mapping[str, Any] = {
    "gaussian": families.Gaussian(),
    "binomial": families.Binomial(),
    "poisson": families.Poisson(),
    "gamma": families.Gamma(families.links.Log()),
}
"""By name, each with the link that its coefficients are about."""

_LOWEST: Mapping[str, float] = {"gaussian": -np.inf, "binomial": 0.0, "poisson": 0.0, "gamma": 1e-300}
_HIGHEST: Mapping[str, float] = {"binomial": 1.0}


@dataclass(frozen=True)
class GeneralisedLinear(Scored):
    """``GLM`` of one of ``DISTRIBUTIONS``."""

    distribution: str = "gaussian"

    framework = "statsmodels"

    def takes(self, y: Vector) -> Masks:
        """Return whether each lies in the distribution's range."""
        return (y >= _LOWEST[self.distribution]) & (y <= _HIGHEST.get(self.distribution, np.inf))

    def working(self, linear: Vector | None, y: Vector) -> Working:
        """Return what the records say; the first mean is guessed from each label alone."""
        family = DISTRIBUTIONS[self.distribution]
        mean = (y + (0.5 if self.distribution == "binomial" else 1.0)) / 2 if linear is None else family.fitted(linear)
        asked = np.zeros(len(y)) if linear is None else linear
        weights, slope = family.weights(mean), family.link.deriv(mean)
        response = family.link(mean) + (y - mean) * slope - asked
        return Working(weights, weights * response, (y - mean) ** 2 / family.variance(mean))

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) means."""
        model = GLM(np.ones(len(x)), x, family=DISTRIBUTIONS[self.distribution])
        return np.asarray(model.predict(parameters), dtype=np.float64)

    def results(self, parameters: Vector, total: Statistic) -> LikelihoodModelResults:
        """Return estimates, standard errors, tests and intervals, from the sum of the last round's answers."""
        told = Scoring(self.dim).scores(total)
        free = self.distribution in ("binomial", "poisson")
        scale = 1.0 if free else told.misfit / (told.n - self.dim)
        model = GLM(np.ones(self.dim), np.eye(self.dim), family=DISTRIBUTIONS[self.distribution])
        return LikelihoodModelResults(model, parameters, np.linalg.inv(told.information), scale)
