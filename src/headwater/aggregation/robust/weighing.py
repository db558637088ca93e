"""Combine sums already revealed so that some sources cancel: nothing new is asked, and nothing new is revealed."""

import numpy as np

from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, Vector

__all__ = ["combined", "spanned", "weights"]

_RANK = 1e-10
_NOTHING = 1e-9


def weights(masks: Masks, gone: Masks, sizes: Vector, variances: Vector) -> Vector:
    r"""Return (sums,) weights under which the sources ``gone`` weigh exactly nothing and no other less than nothing.

    Of all such combinations it is the one that tells most of what the others have in common: the weights
    :math:`a = M^T w` of the sources maximise :math:`(a \cdot n)^2 / \sum a_i^2 v_i`. They are scaled so that the
    combination counts as many records as it is worth. Where nothing can be kept all weights are 0.

    Parameters
    ----------
    masks : (sums, sources)
    gone : (sources,) who is to cancel
    sizes : (sources,) numbers of records
    variances : (sources,) of what a source adds, in units of the variance of one record
    """
    left, rows = spanned(masks)
    nothing = gone | ~masks.any(axis=0)
    while True:
        along = _best(rows, nothing, sizes, variances)
        each = along @ rows
        negative = ~nothing & (each < -_NOTHING * np.abs(each).max(initial=1e-300))
        if not negative.any():
            break
        # A source that would count against the others is left out too: the sum stays one of records.
        nothing = nothing.copy()
        nothing[np.where(negative, each, 0.0).argmin()] = True
    spread = float(np.square(each) @ variances)
    worth = float(each @ sizes) / spread if spread > 0 else 0.0
    return np.asarray(left @ along * worth)


def spanned(masks: Masks) -> tuple[Vector, Vector]:
    """Return (sums, rank) combinations of the sums, and the (rank, sources) orthonormal weights that they give."""
    left, scale, rows = np.linalg.svd(masks.astype(np.float64), full_matrices=False)
    kept = scale > _RANK * scale[0]
    return left[:, kept] / scale[kept], rows[kept]


def combined(gram: Gram, sums: tuple[Statistic, ...], shares: Vector) -> Statistic:
    """Return the weighted sum of statistics, scaled to a whole number of records so that it is a statistic again."""
    values = np.array([one.values.view(np.int64) for one in sums], dtype=np.float64)
    total = shares @ values
    step = 1.0 / gram.encoding.resolution
    records = float(np.rint(total[-1] / step))
    if records < 1:
        return Statistic(gram.kind, (gram.dim,), np.zeros(gram.length, dtype=np.uint64))
    whole = np.rint(total * (records * step / total[-1])).astype(np.int64)
    return Statistic(gram.kind, (gram.dim,), whole.view(np.uint64))


def _best(rows: Vector, nothing: Masks, sizes: Vector, variances: Vector) -> Vector:
    """Return the (rank,) combination of orthonormal rows that is best among those in which ``nothing`` cancel."""
    left, scale, _ = np.linalg.svd(rows[:, nothing], full_matrices=True)
    free = left[:, int((scale > _RANK).sum()) :]
    if not free.shape[1]:
        return np.zeros(len(rows))
    seen = free.T @ rows
    return np.asarray(free @ np.linalg.solve((seen * variances) @ seen.T, seen @ sizes))
