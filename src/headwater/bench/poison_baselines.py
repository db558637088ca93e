"""What robust joining is held against: rules over every source's own model in clear, and the median over cohorts.

The rules need what secure sums hide. A model here is the target's training records with one source (or cohort) added.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from headwater.aggregation.robust import Revealed
from headwater.statistics import Gram, Statistic
from headwater.types import Vector

__all__ = ["BASELINES", "Baseline"]

Baseline = Callable[[Sequence[Statistic], Revealed, Statistic, float], Vector]
"""From everyone's statistic, the revealed sums, the target's own statistic and the ridge to coefficients."""

_SHARE = 0.2
"""Share of the poisoned, which these rules must be told."""


def _models(statistics: Sequence[Statistic], own: Statistic, ridge: float) -> Vector:
    gram = Gram(own.shape[0])
    return np.array([gram.solve(own.merge(one), ridge=ridge) for one in statistics])


def _median(said: Sequence[Statistic], revealed: Revealed, own: Statistic, ridge: float) -> Vector:
    """Coordinate-wise median of the models (Yin 2018)."""
    return np.asarray(np.median(_models(said, own, ridge), axis=0))


def _trimmed(said: Sequence[Statistic], revealed: Revealed, own: Statistic, ridge: float) -> Vector:
    """Coordinate-wise mean without the lowest and the highest fifth (Yin 2018)."""
    models = np.sort(_models(said, own, ridge), axis=0)
    cut = int(np.ceil(_SHARE * len(models)))
    return np.asarray(models[cut:-cut].mean(axis=0))


def _krum(said: Sequence[Statistic], revealed: Revealed, own: Statistic, ridge: float) -> Vector:
    """Pool the sources with the lowest Krum scores (multi-Krum, Blanchard 2017), as many as are honest."""
    models = _models(said, own, ridge)
    bad = int(np.ceil(_SHARE * len(models)))
    apart = np.sort(np.square(models[:, None] - models[None]).sum(axis=2), axis=1)
    scores = apart[:, 1 : len(models) - bad - 1].sum(axis=1)
    kept = np.argsort(scores, kind="stable")[: len(models) - bad]
    total = Statistic.total(said[place] for place in kept.tolist())
    return Gram(own.shape[0]).solve(own.merge(total), ridge=ridge)


def _cohort_median(said: Sequence[Statistic], revealed: Revealed, own: Statistic, ridge: float) -> Vector:
    """Coordinate-wise median of the models of the first partition's cohorts: under secure sums, as here."""
    return np.asarray(np.median(_models(revealed.sums[: revealed.partitions[0]], own, ridge), axis=0))


BASELINES: Mapping[str, Baseline] = {
    "median_in_clear": _median,
    "trimmed_in_clear": _trimmed,
    "krum_in_clear": _krum,
    "cohort_median": _cohort_median,
}
"""Every baseline by its name."""
