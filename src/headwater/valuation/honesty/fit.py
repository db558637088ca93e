"""Labels that follow the features more closely than the target's own: made by a model rather than by patients."""

import pyarrow as pa
from scipy import stats

from headwater.errors import HeadwaterError, Message
from headwater.federation import GramQuestion
from headwater.statistics.statistic import Statistic
from headwater.valuation.honesty.finding import Finding

__all__ = ["too_good"]

_UNLIKELY = 1e-6
_RIDGE = 1e-6


def too_good(said: Statistic, question: GramQuestion, own: pa.Table) -> tuple[Finding, ...]:
    """Suspect a residual variance far below the target's (F test, lower tail); a uniform ward may cause it too."""
    here, degrees = _residual(said, question)
    usual, freedom = _residual(question.of(own), question)
    if degrees < 1 or freedom < 1 or usual <= 0:
        return ()
    ratio = here / usual
    if float(stats.f.cdf(ratio, degrees, freedom)) >= _UNLIKELY:
        return ()
    message = Message(
        f"标签的剩余方差仅为目标方的 {ratio:.1%}。", f"Its labels vary around a line by {ratio:.1%} of the usual."
    )
    return (Finding("fit", False, message, {"ratio": ratio}),)


def _residual(statistic: Statistic, question: GramQuestion) -> tuple[float, int]:
    family = question.family
    degrees = family.records(statistic) - family.dim
    if degrees < 1:
        return 0.0, 0
    try:
        loss = family.loss(statistic, family.solve(statistic, ridge=_RIDGE))
    except HeadwaterError:
        return 0.0, 0
    return max(loss, 0.0) * family.records(statistic) / degrees, degrees
