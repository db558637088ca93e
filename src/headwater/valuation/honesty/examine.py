"""One call examines every source: is it bound to what it said, does that add up, is it its own, and was it paid."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId
from headwater.valuation.honesty.audit import Claims, Witness, audit
from headwater.valuation.honesty.consistency import months_add_up
from headwater.valuation.honesty.copies import copies
from headwater.valuation.honesty.finding import Finding, Report
from headwater.valuation.honesty.fit import too_good
from headwater.valuation.target import Target

__all__ = ["Said", "examine"]


@dataclass(frozen=True, eq=False)
class Said:
    """What one source said.

    Parameters
    ----------
    statistic : the answer that was valued
    witness : the source as it binds itself and opens blocks; None if it does not
    months : the statistic of each month, where they were asked for
    claims : what the bureau paid it for, where it holds the columns of the question
    """

    statistic: Statistic
    witness: Witness | None = None
    months: tuple[Statistic, ...] = ()
    claims: Claims | None = None


def examine(said: Mapping[SourceId, Said], target: Target, *, share: float = 0.05, rng: np.random.Generator) -> Report:
    """Examine the sources that were valued for a target with its own features.

    Parameters
    ----------
    share : of a source's blocks: if as many are bad, one is met at 99 %
    rng : draws the blocks to open; unknown to sources until all are bound

    Returns
    -------
    report : ``refused`` for the sources that are proved untrue, ``suspected`` for those to look at
    """
    question = target.question
    own = pa.concat_tables([target.train, target.valid])
    alike = copies({source: part.statistic for source, part in said.items()}, question, own)
    usual, judge = question.of(own), question.of(target.valid)
    findings, opened = {}, {}
    for source, part in said.items():
        found = [*alike[source], *too_good(part.statistic, question.family, usual=usual, judge=judge)]
        if part.months:
            found += months_add_up(part.statistic, part.months)
        if part.witness is not None:
            found += _bound(part)
            audited = audit(part.witness, question, claims=part.claims, share=share, rng=rng)
            found += audited.findings
            opened[source] = audited.opened
        findings[source] = tuple(found)
    return Report(findings, opened)


def _bound(part: Said) -> tuple[Finding, ...]:
    if part.witness is None or part.witness.statement.root.statistic == part.statistic:
        return ()
    message = Message("所报统计量不是其承诺的统计量。", "What it said is not what it is bound to.")
    return (Finding("commitment", True, message),)
