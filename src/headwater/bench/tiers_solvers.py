"""Ways from noisy sums to a model that ours is compared with: sufficient statistics perturbed, with and without ridge.

Both clip records in the bureau's whitening, once, and take the sum under noise as if it were exact. Sources: Dwork et
al. 2014 and Vu and Slavkovic 2009 (SSP); Wang 2018 (AdaSSP: the ridge is raised by what noise can do to a direction).
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from headwater.aggregation import Part
from headwater.federation.bounded import BoundedQuestion
from headwater.statistics.bounded import PRODUCT_STEPS
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["perturbed", "whole_labels"]


def whole_labels(question: BoundedQuestion, own: pa.Table) -> BoundedQuestion:
    """Return the same question about labels themselves instead of what is left over: what one asks in one round."""
    nothing = replace(question, known=np.zeros_like(question.known))
    return replace(nothing, unit=question.unit * _spread(nothing, own) / _spread(question, own))


def _spread(question: BoundedQuestion, own: pa.Table) -> float:
    return float(np.quantile(np.abs(question.unclipped(own)[1]), 0.75))


def perturbed(
    question: BoundedQuestion, total: Statistic, parts: Mapping[str, Part], *, ridge: float, raised: bool
) -> Vector:
    """Return coefficients from the exact ``total`` plus all ``parts``, answered to ``whole_labels``."""
    family, dim = question.question.family, len(question.known)
    moments, whitening = family.moments(total), question.whitening
    squares = whitening @ (moments.xx + np.diag(family.penalty(ridge))) @ whitening.T
    scores = whitening @ moments.xy / question.unit
    noise = math.sqrt(sum(part.deviation**2 for part in parts.values())) / PRODUCT_STEPS
    for part in parts.values():
        matrix = question.family.matrix(part.total)
        squares, scores = squares + matrix[:dim, :dim], scores + matrix[:dim, dim]
    if raised:
        # The spectrum of a symmetric Gaussian matrix ends at 2σ√dim.
        squares = squares + 2 * noise * math.sqrt(dim) * np.eye(dim)
    return np.asarray(question.unit * whitening.T @ np.linalg.solve(squares, scores))
