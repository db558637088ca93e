"""What a source says must add up: its months to its year, its own statistic to the secure sums that it stands in."""

from collections.abc import Mapping, Sequence

import numpy as np

from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId
from headwater.valuation.honesty.finding import Finding

__all__ = ["months_add_up", "sums_agree"]


def months_add_up(whole: Statistic, months: Sequence[Statistic]) -> tuple[Finding, ...]:
    """Hold the statistic of all months against those of each month, integer by integer."""
    rest = whole.subtract(Statistic.total(months)).values
    wrong = int(np.count_nonzero(rest))
    if not wrong:
        return ()
    message = Message(
        f"各月之和与全期相差 {wrong} 个数。", f"Its months do not add up to the whole: {wrong} numbers differ."
    )
    return (Finding("months", True, message, {"numbers": wrong}),)


def sums_agree(
    said: Mapping[SourceId, Statistic], masks: Masks, sums: Sequence[Statistic]
) -> dict[SourceId, tuple[Finding, ...]]:
    """Hold what each source says of itself against the sums of the cohorts that it stood in.

    A sum that agrees clears its members. Who stands alone uncleared in one that does not has said two things; if
    several do, each of them is suspected only. Sources that conspire can let their differences cancel within a cohort.

    Parameters
    ----------
    said : every source's own statistic, in the order of the masks' columns
    masks : (cohorts, sources)
    sums : of each cohort
    """
    statistics = list(said.values())
    agrees = np.array(
        [
            Statistic.total(statistics[place] for place in np.flatnonzero(mask)) == total
            for mask, total in zip(masks, sums, strict=True)
        ],
        dtype=np.bool_,
    )
    cleared = masks[agrees].any(axis=0)
    doubtful = masks[~agrees] & ~cleared
    alone = doubtful[doubtful.sum(axis=1) == 1].any(axis=0)
    return {
        source: (_differs(bool(alone[place]), int((doubtful[:, place]).sum())),) if doubtful[:, place].any() else ()
        for place, source in enumerate(said)
    }


def _differs(proved: bool, cohorts: int) -> Finding:
    message = Message(
        f"在 {cohorts} 个群组和数中的统计量与自报的不同。"
        if proved
        else f"所在的 {cohorts} 个群组和数与自报之和不符。",
        f"Said one thing for itself and another in {cohorts} sums."
        if proved
        else f"Stands in {cohorts} sums that differ from what their members say.",
    )
    return Finding("sums", proved, message, {"cohorts": cohorts})
