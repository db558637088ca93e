r"""Ask for what records say beyond a model that is known, so that one record can move the answer by little.

Features are whitened by what is known, labels are what the known coefficients leave over. Each of both blocks of a
record is scaled down to a norm of :math:`\rho = R/\sqrt2` steps and rounded to whole numbers, so the record is within
R. The mean score and the squares of features then cost one bound: that of the score alone, for the bound on
:math:`zz^T` is :math:`2\rho^2` steps, by which the score moves when a label changes its sign.

Noise in the squares meets only what is to be corrected, not the coefficients themselves: a model that is known well
needs no exact squares. Source: one step of Newton's method, with statistics perturbed as by Dwork et al. 2014.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from scipy.linalg import solve_triangular

from headwater.errors import Message, Refusal
from headwater.federation.source import GramQuestion
from headwater.federation.wire import asks
from headwater.statistics.bounded import BoundedSquares
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["BoundedQuestion"]

_RADIUS = 16
"""Steps: rounding is then a few hundredths of the noise at any useful ε, and noise fits its tables down to ε = .3."""
_BLOCK = _RADIUS / math.sqrt(2)
_NOTHING = 1e-9
_QUANTILE = 0.75
"""Share of the bureau's own records that are not scaled down: noise falls with it, and so does what is said."""


@asks("bounded_question")
@dataclass(frozen=True, eq=False)
class BoundedQuestion:
    """Ask for the squares of clipped records beyond ``known`` coefficients.

    Parameters
    ----------
    question : features and label
    known : (dim,) coefficients whose residuals are asked about
    whitening : (dim, dim) from features to steps
    unit : of the residual a step
    """

    question: GramQuestion
    known: Vector
    whitening: Vector
    unit: float

    @staticmethod
    def around(question: GramQuestion, total: Statistic, own: pa.Table, *, ridge: float) -> "BoundedQuestion":
        """Return the question around what is known exactly.

        Parameters
        ----------
        total : Gram statistic of all exact parts, the bureau's included
        own : the bureau's records, from which it is seen where to clip
        ridge : as ``Gram.solve`` takes it

        Raises
        ------
        Refusal
            ``E-BOUNDED-KNOWN`` where the known coefficients leave nothing over on the bureau's own records
        """
        family = question.family
        known, moments = family.solve(total, ridge=ridge), family.moments(total)
        factor = np.linalg.cholesky((moments.xx + np.diag(family.penalty(ridge))) / max(moments.n, 1.0))
        plain = BoundedQuestion(question, known, solve_triangular(factor, np.eye(family.dim), lower=True), 1.0)
        x, residuals = plain.unclipped(own)
        # Few records are fitted closely: what they leave over is smaller than what others' will.
        fitted = math.sqrt(moments.n / max(moments.n - family.dim, 1.0))
        reach = float(np.quantile(np.linalg.norm(x, axis=1), _QUANTILE)) if len(x) else 0.0
        limit = float(np.quantile(np.abs(residuals), _QUANTILE)) * fitted if len(x) else 0.0
        if not (reach > 0 and limit > _NOTHING):
            raise _nothing_left()
        return BoundedQuestion(question, known, plain.whitening * (_BLOCK / reach), limit / _BLOCK)

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.question.months

    @property
    def family(self) -> BoundedSquares:
        """The layout of the answer, its ``l2``, ``length`` and ``bounds``."""
        return BoundedQuestion.form(self.question)

    @staticmethod
    def form(question: GramQuestion) -> BoundedSquares:
        """Return the layout of every answer to a bounded question about the same features, whatever is known."""
        return BoundedSquares(question.family.dim + 1, _RADIUS)

    @property
    def nbytes(self) -> int:
        """Bytes of the question."""
        return self.question.nbytes + self.known.nbytes + self.whitening.nbytes + 8

    def of(self, table: pa.Table) -> Statistic:
        """Return the statistic of the records of ``table``, without noise: whoever protects its edge adds that."""
        return self.family.statistic(self.records(table))

    def records(self, table: pa.Table) -> Vector:
        """Return (n, dim + 1) whole numbers, features and residual, each record within the radius."""
        x, residuals = self.unclipped(table)
        scale = np.minimum(1.0, _BLOCK / np.maximum(np.linalg.norm(x, axis=1), _NOTHING))
        clipped = np.column_stack([x * scale[:, None], np.clip(residuals, -_BLOCK, _BLOCK)])
        whole = np.rint(clipped)
        # Rounding may lengthen a record beyond the radius; cutting off never does.
        long = np.square(whole).sum(axis=1) > _RADIUS**2
        whole[long] = np.trunc(clipped[long])
        return np.asarray(whole)

    def unclipped(self, table: pa.Table) -> tuple[Vector, Vector]:
        """Return (n, dim) whitened features and (n,) residuals, in steps."""
        x = self.question.feature_map.transform(table)
        return x @ self.whitening.T, (self.question.labels(table) - x @ self.known) / self.unit


def _nothing_left() -> Refusal:
    return Refusal(
        "E-BOUNDED-KNOWN",
        Message(
            "本局记录在已知模型下没有剩余误差，无从确定截断界限。",
            "The known model leaves nothing over on the bureau's own records: there is nothing to set bounds by.",
        ),
        Message("请增加本局记录，或增大 ridge。", "Use more of the bureau's records, or a larger ridge."),
    )
