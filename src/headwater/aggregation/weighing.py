r"""From parts of a sum, some exact and some with noise, to one model.

Exact parts are one statistic, whose solution is that of all their records. Noisy parts were asked what they say beyond
it (``federation.bounded``), and correct it by one step of Newton's method

.. math:: \beta = \beta_0 + \Bigl(H_0 + \sum_g w_g \hat H_g\Bigr)^{-1} \sum_g w_g s_g

with scores :math:`s_g` and squares :math:`\hat H_g` of part g. Everything that weighs follows from numbers of records,
the noise and the bureau's own records (``Expected``). What a source said has no say in how much it counts, so weights
give nothing away.

- :math:`w = 1 / (1 + \sigma^2 / (n v))`, σ² the noise of a score and nv what n records let it vary: a sum with noise
  counts as much as so many records without (precision weighting).
- :math:`\hat H` is the posterior mean of the squares under noise, around those of the exact parts, without the negative
  eigenvalues that only noise can give (after Bernstein and Sheldon 2019).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from headwater.aggregation.tiers import Part
from headwater.federation.bounded import BoundedQuestion
from headwater.statistics.bounded import PRODUCT_STEPS
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Expected", "Weighed", "weighed"]

_SPREAD = 0.4
"""By how much sources' squares differ from those of the exact parts, as a share of them and times √dim an entry."""


@dataclass(frozen=True)
class Expected:
    """What to expect of one record, in steps², from the bureau's own clipped records.

    Parameters
    ----------
    square, score : means of a feature's square, and of a score's
    """

    square: float
    score: float

    @staticmethod
    def of(question: BoundedQuestion, own: pa.Table) -> "Expected":
        """Return the means over the bureau's own records."""
        records = question.records(own)
        squares = np.square(records[:, :-1]).mean(axis=1)
        return Expected(float(squares.mean()), float((squares * records[:, -1] ** 2).mean()))

    def worth(self, records: int, *, deviation: float) -> float:
        """Return what a record counts in a sum of so many with such noise (in steps), known before asking; 0 to 1.

        A part that is worth little is better not asked: it spends privacy for nothing.
        """
        noise = (deviation / PRODUCT_STEPS) ** 2
        return records * self.score / (records * self.score + noise) if records else 0.0


@dataclass(frozen=True)
class Weighed:
    """A model from all parts.

    Parameters
    ----------
    coefficients : (dim,)
    weights : by strand, what a record under noise counts beside an exact one
    """

    coefficients: Vector
    weights: Mapping[str, float]


def weighed(
    question: BoundedQuestion,
    total: Statistic,
    parts: Mapping[str, Part],
    *,
    expected: Expected,
    records: Mapping[SourceId, int],
    ridge: float,
) -> Weighed:
    """Return the model of the exact ``total`` and the noisy ``parts`` that answered ``question``.

    Parameters
    ----------
    question : made around ``total`` with the same ridge
    parts : by strand, as ``aggregate`` gives them; without any, the solution of ``total``, bit for bit
    records : public number of records of each source
    """
    if not parts:
        return Weighed(question.known, {})
    family, dim = question.question.family, len(question.known)
    penalised = family.moments(total).xx + np.diag(family.penalty(ridge))
    hessian = question.whitening @ penalised @ question.whitening.T
    # Clipping shortens features: squares are told smaller than they are, by as much as the bureau's own.
    shortened = expected.square * dim * max(family.records(total), 1) / float(np.trace(hessian))
    score, weights = np.zeros(dim), {}
    for strand, part in sorted(parts.items()):
        count = sum(records[source] for source in part.sources)
        weights[strand] = expected.worth(count, deviation=part.deviation)
        matrix = question.family.matrix(part.total)
        squares = _denoised(matrix[:dim, :dim], count * expected.square, part.deviation / PRODUCT_STEPS)
        hessian = hessian + weights[strand] / shortened * squares
        score = score + weights[strand] * matrix[:dim, dim]
    step = question.unit * question.whitening.T @ np.linalg.solve(hessian, score)
    return Weighed(question.known + step, weights)


def _denoised(squares: Vector, usual: float, deviation: float) -> Vector:
    """Return the mean of the squares given what noise left of them, no direction below 0."""
    prior, varies = usual * np.eye(len(squares)), (_SPREAD * usual) ** 2 / len(squares)
    trusted = varies / (varies + deviation**2) if usual else 0.0
    values, directions = np.linalg.eigh(prior + trusted * (squares - prior))
    return np.asarray((directions * np.maximum(values, 0.0)) @ directions.T)
