"""What makes ten sources unequal: faults, small shifts of their covariates, another relation of label to features."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pyarrow as pa

from headwater.bench.valuation_families import Pools
from headwater.types import Vector

__all__ = ["REGIMES"]

_RECORDS, _LARGE, _SMALL = 60, 120, 15
_MILD_SIZES, _MILD_TILT = (30, 90), 0.7
_NOISY_LABELS = (0.35, 0.7)
_NOISY_FEATURES = (0.7, 1.5)
_REFLECTED = (0.25, 0.5, 0.75, 1.0)


def _mild(rng: np.random.Generator, pools: Pools) -> tuple[pa.Table, ...]:
    """Return sources that see somewhat other kinds of cases, each in a direction of its own, and more or fewer of them.

    The k-th record drawn has the k-th largest tilt·z + Gumbel noise: sampling without replacement at odds exp(tilt·z).
    """
    sizes = rng.permutation(np.linspace(*_MILD_SIZES, len(pools.sources)).round().astype(np.int64))
    tables = []
    for table, size in zip(pools.sources, sizes, strict=True):
        direction = rng.normal(size=len(pools.numeric))
        odds = _MILD_TILT * _along(table, pools, direction / np.linalg.norm(direction))
        order = np.argsort(-(odds + rng.gumbel(size=table.num_rows)), kind="stable")
        tables.append(table.take(pa.array(np.sort(order[:size]))))
    return tuple(tables)


def _fault(rng: np.random.Generator, pools: Pools) -> tuple[pa.Table, ...]:
    """Return three sound sources and seven with a fault, in random order.

    Two have noise on labels, two on features, one is large, one small, and one has labels of no relation.
    """
    roles: list[tuple[int, Callable[[pa.Table], pa.Table]]] = [(_RECORDS, _untouched)] * 3
    roles += [(_RECORDS, partial(_relabelled, rng, share=share)) for share in _NOISY_LABELS]
    roles += [(_RECORDS, partial(_blurred, rng, pools, scale=scale)) for scale in _NOISY_FEATURES]
    roles += [(_LARGE, _untouched), (_SMALL, _untouched), (_RECORDS, partial(_relabelled, rng, share=1.0))]
    chosen = (roles[role] for role in rng.permutation(len(roles)))
    return tuple(fault(table.slice(0, size)) for (size, fault), table in zip(chosen, pools.sources, strict=True))


def _concept(rng: np.random.Generator, pools: Pools) -> tuple[pa.Table, ...]:
    """Return six sound sources and four whose labels are reflected about the target's mean in part of the space.

    A reflected label is 2c − y, which for outcomes of 0 and 1 (where 2c is taken as 1) is the other outcome.
    """
    direction = rng.normal(size=len(pools.numeric))
    tables = [table.slice(0, _RECORDS) for table in pools.sources]
    for source, share in zip(rng.choice(10, size=len(_REFLECTED), replace=False), _REFLECTED, strict=True):
        tables[source] = _reflected(tables[source], pools, direction, share)
    return tuple(tables)


def _untouched(table: pa.Table) -> pa.Table:
    return table


def _relabelled(rng: np.random.Generator, table: pa.Table, *, share: float) -> pa.Table:
    """Return the table with that share of its labels permuted among themselves."""
    labels = np.asarray(table["label"].to_numpy()).copy()
    touched = rng.permutation(len(labels))[: round(share * len(labels))]
    labels[touched] = rng.permutation(labels[touched])
    return _with(table, "label", labels)


def _blurred(rng: np.random.Generator, pools: Pools, table: pa.Table, *, scale: float) -> pa.Table:
    """Return the table with noise of ``scale`` standard deviations of the target's on every numeric column."""
    for name in pools.numeric:
        spread = scale * float(np.std(pools.target[name].to_numpy()))
        table = _with(table, name, np.asarray(table[name].to_numpy()) + spread * rng.normal(size=table.num_rows))
    return table


def _reflected(table: pa.Table, pools: Pools, direction: Vector, share: float) -> pa.Table:
    labels, own = np.asarray(table["label"].to_numpy()), np.asarray(pools.target["label"].to_numpy())
    twice = 1.0 if set(np.unique(own)) <= {0.0, 1.0} else 2 * float(own.mean())
    place = _along(table, pools, direction)
    return _with(table, "label", np.where(place >= np.quantile(place, 1.0 - share), twice - labels, labels))


def _along(table: pa.Table, pools: Pools, direction: Vector) -> Vector:
    """Return where records lie along a direction, numeric columns in standard deviations of the target's."""
    columns = np.stack([np.asarray(table[name].to_numpy()) for name in pools.numeric], axis=1)
    own = np.stack([np.asarray(pools.target[name].to_numpy()) for name in pools.numeric], axis=1)
    return np.asarray((columns - own.mean(axis=0)) / np.maximum(own.std(axis=0), 1e-9) @ direction)


def _with(table: pa.Table, name: str, values: Vector) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


REGIMES: Mapping[str, Callable[[np.random.Generator, Pools], tuple[pa.Table, ...]]] = {
    "fault": _fault,
    "mild": _mild,
    "concept": _concept,
}
"""Every regime by its name."""
