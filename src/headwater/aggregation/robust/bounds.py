"""What a sum of records can be at all: public bounds, held against each sum, so that nobody's weight is unlimited."""

import numpy as np

from headwater.errors import HeadwaterError, Message
from headwater.statistics.gram import Gram, Moments
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["MOST", "beyond", "squares"]

MOST = 64.0
"""Largest second moment of a feature (in units of the target's own, at least 1) or of the label around the target's
mean (in units of the target's variance) a record: a sum of hospitals whose patients lie eight standard deviations
beside the target's is no case mix."""


def squares(moments: Moments, center: float) -> Vector:
    """Return the (dim + 1,) second moments of features, and of the label around ``center``, a record."""
    label = moments.yy - 2 * center * moments.y + center**2 * moments.n
    return np.asarray(np.append(moments.xx.diagonal(), label) / max(moments.n, 1.0))


def beyond(gram: Gram, total: Statistic, *, records: float, usual: Vector, center: float) -> Message | None:
    """Return which bound a sum breaks; None if records can give it.

    Parameters
    ----------
    records : how many its members are known to have
    usual : (dim + 1,) the target's own ``squares``
    center : the target's mean label
    """
    try:
        gram.check(total)
    except HeadwaterError as error:
        return error.reason
    moments = gram.moments(total)
    if moments.n != records:
        return Message(
            f"和数有 {moments.n:.0f} 条记录，各成员共有 {records:.0f} 条。",
            f"The sum counts {moments.n:.0f} records, its members have {records:.0f}.",
        )
    least = np.append(np.ones(gram.dim), gram.encoding.resolution)
    times = float((squares(moments, center) / np.maximum(usual, least)).max())
    if times > MOST:
        return Message(
            f"每条记录的平方均值为目标方的 {times:.0f} 倍，超过 {MOST:.0f} 倍。",
            f"Squares a record are {times:.0f} times the target's own, above {MOST:.0f} times.",
        )
    return None
