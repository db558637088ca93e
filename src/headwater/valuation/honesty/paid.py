"""A whole statistic held against the claims that were paid: an audit that opens everything, where all are at hand."""

import numpy as np
import pyarrow as pa

from headwater.errors import Message
from headwater.federation import GramQuestion
from headwater.statistics.statistic import Statistic
from headwater.valuation.honesty.finding import Finding

__all__ = ["as_paid"]


def as_paid(said: Statistic, question: GramQuestion, claims: pa.Table) -> tuple[Finding, ...]:
    """Hold what a source says against the same statistic of the bureau's own records of it, integer by integer.

    It needs no commitment and no blocks, but all claims of the source; ``audit`` makes do with a part of them.

    Parameters
    ----------
    claims : with the columns of the question, and settled: a late correction looks like a lie
    """
    paid = question.of(claims)
    if said == paid:
        return ()
    family = question.family
    records = {"said": family.records(said), "paid": family.records(paid)}
    wrong = int(np.count_nonzero(said.values != paid.values))
    message = Message(
        f"所报统计量与已付的理赔不符（报 {records['said']} 条，付 {records['paid']} 条，{wrong} 个数不同）。",
        f"What it says is not what was paid ({records['said']} records said, {records['paid']} paid, "
        f"{wrong} numbers differ).",
    )
    return (Finding("claims", True, message, {**records, "numbers": wrong}),)
