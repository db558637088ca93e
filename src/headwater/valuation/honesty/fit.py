r"""Labels that follow the judging records' own line more closely than records that never met it can.

The judge's coefficients :math:`\hat\beta_v` miss the truth by the luck of its records. An honest source of the same law
does not share that luck, whatever its cases and however little its labels vary: with XᵀX = A and residual variance s²,

.. math:: g = X^T(y - X\hat\beta_v),\quad d^2 = g^T \bigl(s^2 A + s_v^2 A A_v^{-1} A\bigr)^{-1} g \sim \chi^2_k

and a different law makes it larger. Only the lower tail speaks. It speaks alone where it is beyond chance, and at one
in a thousand where the labels also vary far less than the target's (F test): by itself that is only a uniform ward.
"""

import numpy as np
from scipy import stats

from headwater.errors import HeadwaterError, Message
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.valuation.honesty.finding import Finding

__all__ = ["too_good"]

_UNLIKELY = 1e-6
_DOUBTFUL = 1e-3
_RIDGE = 1e-6
_SMALL = 1e-3
"""Directions in which less than a thousandth of the largest square lies say nothing."""


def too_good(said: Statistic, family: Gram, *, usual: Statistic, judge: Statistic) -> tuple[Finding, ...]:
    """Suspect labels that were made to please the judge.

    Parameters
    ----------
    usual : of all the target's own records
    judge : of those that judge
    """
    nearness, ratio, tail = _nearness(said, judge, family), *_quietness(said, usual, family)
    if nearness >= (_DOUBTFUL if tail < _UNLIKELY else _UNLIKELY):
        return ()
    message = Message(
        f"标签过于贴合评判记录的回归线（概率 {nearness:.1e}），剩余方差为目标方的 {ratio:.1%}。",
        f"Its labels follow the judging records' own line too closely (probability {nearness:.1e}) and vary around "
        f"a line by {ratio:.1%} of the usual.",
    )
    return (Finding("fit", False, message, {"ratio": ratio, "nearness": nearness}),)


def _quietness(said: Statistic, usual: Statistic, family: Gram) -> tuple[float, float]:
    """Return the residual variance as a share of the usual one, and the probability of one as small."""
    (here, degrees), (there, freedom) = _residual(said, family), _residual(usual, family)
    if degrees < 1 or freedom < 1 or there <= 0:
        return 1.0, 1.0
    return here / there, float(stats.f.cdf(here / there, degrees, freedom))


def _nearness(said: Statistic, judge: Statistic, family: Gram) -> float:
    """Return the probability that honest records lie as near to the judge's line."""
    (here, degrees), (there, freedom) = _residual(said, family), _residual(judge, family)
    if degrees < 1 or freedom < 1:
        return 1.0
    own, other = family.moments(said), family.moments(judge)
    gradient = own.xy - own.xx @ family.solve(judge, ridge=_RIDGE)
    moved = own.xx @ np.linalg.pinv(other.xx, rcond=_SMALL, hermitian=True) @ own.xx
    scale, axes = np.linalg.eigh(here * own.xx + there * moved)
    kept = scale > _SMALL * max(float(scale[-1]), family.encoding.resolution)
    if not kept.any():
        return 1.0
    distance = float(np.sum(np.square(gradient @ axes[:, kept]) / scale[kept]))
    return float(stats.chi2.cdf(distance, int(kept.sum())))


def _residual(statistic: Statistic, family: Gram) -> tuple[float, int]:
    degrees = family.records(statistic) - family.dim
    if degrees < 1:
        return 0.0, 0
    try:
        loss = family.loss(statistic, family.solve(statistic, ridge=_RIDGE))
    except HeadwaterError:
        return 0.0, 0
    return max(loss, 0.0) * family.records(statistic) / degrees, degrees
