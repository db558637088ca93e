"""What a sum of records can be at all: public bounds, held against each sum, so that nobody's weight is unlimited."""

import numpy as np

from headwater.errors import HeadwaterError, Message
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["MOST", "beyond"]

MOST = 64.0
"""Largest second moment of a feature or the label a record, in units of the target's own (at least 1): a sum of
hospitals whose patients lie eight standard deviations beside the target's is no case mix."""


def beyond(gram: Gram, total: Statistic, *, records: float, usual: Vector) -> Message | None:
    """Return which bound a sum breaks; None if records can give it.

    Parameters
    ----------
    records : how many its members are known to have
    usual : (dim + 1,) second moments of the target's features and label a record
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
    squares = np.append(moments.xx.diagonal(), moments.yy) / max(moments.n, 1.0)
    times = float((squares / np.maximum(usual, 1.0)).max())
    if times > MOST:
        return Message(
            f"每条记录的平方均值为目标方的 {times:.0f} 倍，超过 {MOST:.0f} 倍。",
            f"Squares a record are {times:.0f} times the target's own, above {MOST:.0f} times.",
        )
    return None
