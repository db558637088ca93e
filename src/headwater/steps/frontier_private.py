"""How well sources are ranked under differential privacy: by ε, and by how many records each has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa

from headwater.adapters.features import Region
from headwater.content.models import ModelSpec
from headwater.federation import InProcess, TableSource
from headwater.security import MASKED
from headwater.statistics.features import FeatureMap, Features
from headwater.steps.frontier_reference import agreement
from headwater.types import SourceId, Vector
from headwater.valuation import Approach, Target, choose, value
from headwater.valuation.utilities import PrivateSums

__all__ = ["EPSILONS", "Private", "cells", "private"]

EPSILONS = (0.5, 1.0, 3.0, 8.0)
_ROWS = (50, 200, 1_000, 5_000)
_DRAWS = 4
_FEWEST_SOURCES = 10
"""Two cohorts of five: below that a sum would show too much of one."""


@dataclass(frozen=True)
class Private:
    """One cell.

    Parameters
    ----------
    features : ``all``, or ``numbers``: those without codes
    records : most of one source
    spearman, worst : mean and least rank correlation, over draws, with exact values of the same records, not clipped
    """

    features: str
    records: int
    epsilon: float
    spearman: float
    worst: float


class _Account:
    """A ledger that allows everything: nothing is released, for all records are at hand."""

    def debit(self, source: SourceId, *, noise: float, purpose: str) -> None:
        """Allow."""


def cells(sources: int) -> int:
    """Return how many cells there are at most with this many sources."""
    return 2 * len(_ROWS) * len(EPSILONS) if sources >= _FEWEST_SOURCES else 0


def private(region: Region, spec: ModelSpec, *, sources: tuple[SourceId, ...], seed: int) -> Iterator[Private]:
    """Yield the cells by features, records and ε; none where the sources are too few for sums that hide one."""
    if len(sources) < _FEWEST_SOURCES:
        return
    target = Target(region.target.train, region.target.valid, spec.target, spec.features, ridge=spec.ridge)
    tables = {source.source_id: source.table for source in region.sources if source.source_id in sources}
    largest = max(int(table.num_rows) for table in tables.values())
    asked = {"all": spec.features, "numbers": FeatureMap(spec.features.numeric)}
    for records in sorted({min(rows, largest) for rows in _ROWS}):
        drawn = [_Draw.of(target, tables, records, (seed, draw)) for draw in range(_DRAWS)]
        for name, epsilon in product(asked, EPSILONS):
            scores = [draw.score(target, asked[name], epsilon) for draw in drawn]
            yield Private(name, records, epsilon, float(np.mean(scores)), min(scores))


@dataclass(frozen=True, eq=False)
class _Draw:
    """Sources with some of their records, and their exact values without privacy."""

    federation: InProcess
    truth: Vector
    seed: tuple[int, int]

    @staticmethod
    def of(target: Target, tables: Mapping[SourceId, pa.Table], records: int, seed: tuple[int, int]) -> "_Draw":
        rng = np.random.default_rng((*seed, records))
        federation = InProcess([TableSource(source, _some(table, records, rng)) for source, table in tables.items()])
        truth = value(federation, target, method=f"statistics/{choose(len(tables))}", rng=rng)
        return _Draw(federation, truth.values, seed)

    def score(self, target: Target, features: Features, epsilon: float) -> float:
        """Return the rank correlation of values told under privacy with those without."""
        rng = np.random.default_rng(self.seed)
        # What is drawn again must draw the same noise; a real source takes the operating system's.
        method = Approach(PrivateSums(_Account(), epsilon, protection=MASKED, entropy=rng.bytes))
        found = value(self.federation, target, method=method, feature_map=features, rng=rng)
        return agreement(found.values, self.truth)


def _some(table: pa.Table, records: int, rng: np.random.Generator) -> pa.Table:
    if table.num_rows <= records:
        return table
    return table.take(pa.array(np.sort(rng.choice(table.num_rows, records, replace=False))))
