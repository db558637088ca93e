"""Sources that require different things: how much of what joining gives is kept (A6).

The gap runs from the bureau's own records alone to all records exactly and in one place, by mean squared error on
records held out. Every exposure is held against the class's requirement, and what it costs is accounted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from headwater.adapters import accounting
from headwater.aggregation import Group
from headwater.aggregation.exposure import exposures
from headwater.bench.figures import Figure, Size
from headwater.bench.tiers_classes import (
    CLASSES,
    DELTA,
    PURPOSE,
    classes,
    exact_groups,
    noisy_groups,
    requirement,
    shared_groups,
    strictest_groups,
)
from headwater.bench.tiers_federations import SOURCES, at_hand, drawn
from headwater.bench.tiers_trial import Trial
from headwater.security.requirement import Release
from headwater.security.tally import Tally
from headwater.statistics.bounded import BoundedSquares
from headwater.types import SourceId

__all__ = ["figures", "losses", "spent"]

_EPSILON = 1.0
_EPSILONS: Mapping[Size, tuple[float, ...]] = {"ci": (1.0,), "full": (0.5, 1.0, 3.0, 8.0)}
_SEEDS: Mapping[Size, int] = {"ci": 4, "full": 60}
_RECORDS: Mapping[Size, tuple[int, ...]] = {"ci": (50,), "full": (25, 50, 100, 200, 400)}
_MOST = 300
_GOAL = 0.9
_SEED = 20261130

Losses = Mapping[str, float]


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return A6 over the federations that are at hand, and how it falls with fewer records."""
    tables = {
        kind: {str(epsilon): _closed(_runs(kind, data, epsilon, size)) for epsilon in _EPSILONS[size]}
        for kind in at_hand(data)
    }
    fewer = {
        most: _closed(_runs("simulated", data, _EPSILON, size, most=most))["mixed"]["closed"] for most in _RECORDS[size]
    }
    at_one = {kind: table[str(_EPSILON)] for kind, table in tables.items()}
    worst = min(table["mixed"]["closed"] for table in at_one.values())
    strictest = max(table["strictest_ssp"]["closed"] for table in at_one.values())
    return {
        "A6": Figure(
            value=worst,
            unit="share of the gap closed, worst federation",
            goal=">= .90, strictest for all < 0",
            holds=worst >= _GOAL and strictest < 0,
            baseline={
                "strictest for all, plain sums": strictest,
                "floor tried, shared noise for all": 0.67,
            },
            n=_SEEDS[size],
            note=f"{SOURCES} sources, four of each of {len(CLASSES)} classes dealt by chance in every draw; epsilon "
            f"{_EPSILON:g} at delta {DELTA:g} for those with noise; ratio of mean losses over the draws",
            also={
                "closed": tables,
                "records a source, simulated": fewer,
                "epsilon_spent": {str(epsilon): spent(epsilon) for epsilon in _EPSILONS[size]},
            },
        )
    }


def losses(trial: Trial, epsilon: float) -> dict[str, float]:
    """Return the loss of every way of joining one federation."""
    sources, members = sorted(trial.federation.sources), trial.members
    exact = trial.exact(members)
    found = {
        "target": trial.solved(trial.own),
        "non_private": trial.solved(trial.pooled()),
        "without_noisy_classes": trial.solved(exact),
        "mixed": trial.ours(exact, noisy_groups(members, epsilon), "mixed"),
    }
    found |= trial.plainly(exact, noisy_groups(members, epsilon), "mixed")
    for way, groups in (("strictest", strictest_groups), ("shared", shared_groups)):
        planned = groups(sources, epsilon)
        found[way] = trial.ours(trial.own, planned, way)
        found |= trial.plainly(trial.own, planned, way)
    for kind in CLASSES:
        alone = {kind: members[kind]}
        found[f"only_{kind}"] = trial.ours(trial.exact(alone), noisy_groups(alone, epsilon), f"only {kind}")
    return found


def spent(epsilon: float) -> dict[str, float]:
    """Return the most ε that a source of each class has spent, each of its exposures permitted.

    Raises
    ------
    Refusal
        where an exposure is not permitted by the class's requirement
    """
    members = classes([f"h{place:02d}" for place in range(SOURCES)])
    form = BoundedSquares(20, 16)
    groups = (*exact_groups(members), *noisy_groups(members, epsilon))
    return {kind: max(_spent(kind, members[kind], groups, form, epsilon)) for kind in CLASSES}
