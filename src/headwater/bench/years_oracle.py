"""The oracle of the three years: it knows every change of everyone, the coming one too."""

from collections.abc import Sequence

import numpy as np

from headwater.bench.years_baselines import Heard
from headwater.bench.years_world import GRAM, World
from headwater.evolution.agreement import Sums
from headwater.types import SourceId, Vector

__all__ = ["oracle"]

_RIDGE = 0.5
_RADII = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
"""Squared distances from what will hold, within which deliveries are used."""


def oracle(world: World, heard: Heard, *, ahead: int = 1) -> Vector:
    """Return (TICKS, dim): each week the best model that knowing every change allows.

    It knows what will hold for the target in the coming week, before any record of it, and how far from that was what
    held for everyone at each delivery so far. It fits the deliveries within a radius, as they are or each regime of a
    source weighted against its distance, and of these models takes, week by week, the one that will lose least. Nobody
    can know as much; what it loses is what the records leave uncertain.

    Parameters
    ----------
    ahead : weeks that it knows ahead; with 0 it is told of a change when the first week under it is over
    """
    regimes: dict[tuple[SourceId, bytes], tuple[Sums, Vector]] = {}
    models = []
    for week in range(heard.scored.stop):
        said = [(source, sums, world.drawn[world.sources.index(source), week]) for source, sums in _said(heard, week)]
        for source, sums, held in [*said, ("target", heard.own[week], world.truth[week])]:
            before, _ = regimes.get((source, held.tobytes()), (Sums.nothing(GRAM), held))
            regimes[source, held.tobytes()] = (before + sums, held)
        if week in heard.scored:
            models.append(_best(list(regimes.values()), world.truth[week + ahead]))
    return np.array(models)


def _said(heard: Heard, week: int) -> Sequence[tuple[SourceId, Sums]]:
    return sorted(heard.said[week].items())


def _best(regimes: Sequence[tuple[Sums, Vector]], coming: Vector) -> Vector:
    matrices = np.stack([sums.matrix for sums, _ in regimes])
    records = np.array([sums.records for sums, _ in regimes])
    apart = ((np.stack([held for _, held in regimes]) - coming) ** 2).sum(axis=1)
    weighted = 1 / (1 + records * apart / GRAM.dim)
    within = [mask for radius in _RADII if records[mask := apart <= radius].sum() >= 2 * GRAM.dim]
    shares = [*(mask * 1.0 for mask in within), *(mask * weighted for mask in within), weighted]
    fits = [Sums(np.tensordot(share, matrices, axes=1), 0.0).coefficients(_RIDGE) for share in shares]
    return min(fits, key=lambda fit: float(((fit - coming) ** 2).sum()))
