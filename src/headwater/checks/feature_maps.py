"""What every feature map must do: give each record the same bounded bits wherever and with whomever it is computed."""

import json
from functools import partial

import numpy as np
import pyarrow as pa

from headwater.checks.suite import Suite, refused, require
from headwater.statistics import Categorical, FeatureMap, Gram, Numeric, Statistic, on_grid
from headwater.statistics.feature_maps.lifted import LARGEST, Lifted
from headwater.types import Vector

__all__ = ["FEATURE_MAP_SUITE"]

_SEED, _ROWS, _DIM = 20240601, 40, 32
_BASE = FeatureMap((Numeric("a", 1.0, 2.0), Numeric("b", 0.0, 1.0)), (Categorical("c", 3),))


def _table(rows: int = _ROWS) -> pa.Table:
    rng = np.random.default_rng(_SEED)
    numbers = {"a": 1 + 2 * rng.normal(size=rows), "b": rng.normal(size=rows)}
    return pa.table({**numbers, "c": pa.array(rng.integers(0, 9, rows).astype(str).tolist(), pa.string())})


def _labels(table: pa.Table) -> Vector:
    a, b = (np.asarray(table[name].to_numpy()) for name in ("a", "b"))
    return on_grid(np.sin(a) + a * b)


def _fitted(kind: type[Lifted], dim: int = _DIM) -> Lifted:
    table = _table()
    return kind.fit(_BASE, _BASE.transform(table), _labels(table), dim=dim, seed=_SEED)


def check_layout(kind: type[Lifted]) -> None:
    """Require as many names as features, the bias first, and no more features than were asked for."""
    features = _fitted(kind)
    x = features.transform(_table())
    require(x.shape == (_ROWS, features.dim) and len(features.names) == features.dim, "dim, names and features differ")
    require(_BASE.dim < features.dim <= _DIM, "the number of features is not what was asked for")
    require(features.names[0] == "bias" and bool((x[:, 0] == 1.0).all()), "the first feature is no bias")
    require(len(set(features.names)) == features.dim, "a name stands twice")


def check_on_the_grid_and_bounded(kind: type[Lifted]) -> None:
    """Require multiples of 2**-14 within bounds, for records far outside of what the map was fitted to as well."""
    far = _table().set_column(0, "a", pa.array(np.linspace(-1e9, 1e9, _ROWS)))
    for table in (_table(), far):
        x = _fitted(kind).transform(table)
        require(bool((x == on_grid(x)).all()), "features lie off the grid")
        require(float(np.abs(x).max()) <= LARGEST, "features are not bounded")


def check_a_record_stands_alone(kind: type[Lifted]) -> None:
    """Require that the bits of a record do not depend on the records beside it."""
    features, table = _fitted(kind), _table()
    alone = np.vstack([features.transform(table.slice(row, 1)) for row in range(_ROWS)])
    require(bool((alone == features.transform(table)).all()), "the records beside it show in a record")


def check_additive(kind: type[Lifted]) -> None:
    """Require that the statistic of the whole is the sum of those of its parts, bit for bit."""
    features, table = _fitted(kind), _table()
    gram = Gram(features.dim)
    parts = [table.slice(0, 7), table.slice(7, 0), table.slice(7)]
    answers = [gram.statistic(features.transform(part), _labels(part)) for part in parts]
    whole = gram.statistic(features.transform(table), _labels(table))
    require(Statistic.total(answers) == whole, "the statistics of the parts do not add up")


def check_same_seed_same_map(kind: type[Lifted]) -> None:
    """Require that fitting is a function of records and seed."""
    require(_fitted(kind) == _fitted(kind), "the same records give different maps")
    require(_fitted(kind).to_json() == _fitted(kind).to_json(), "the same map has different constants")


def check_constants_are_json(kind: type[Lifted]) -> None:
    """Require that the constants are JSON that names its kind and holds the base map: they are what travels."""
    told = json.loads(_fitted(kind).to_json())
    require(told.get("kind") == kind.__module__.rpartition(".")[2], "the constants do not name their kind")
    require(told.get("base") == json.loads(_BASE.to_json()), "the constants do not hold the base map")


def check_unseen_codes_and_empty_tables(kind: type[Lifted]) -> None:
    """Require features for a code that nobody saw before, and none for no records."""
    features, table = _fitted(kind), _table()
    unseen = table.set_column(2, "c", pa.array(["新"] * _ROWS, pa.string()))
    require(features.transform(unseen).shape == (_ROWS, features.dim), "an unseen code breaks the features")
    require(features.transform(table.slice(0, 0)).shape == (0, features.dim), "an empty table breaks the features")


def check_missing_columns_refused(kind: type[Lifted]) -> None:
    """Require that a table without a column is refused, not guessed."""
    refused(partial(_fitted(kind).transform, _table().drop_columns(["b"])), "E-FEATURE-COLUMN")


def check_small_dimensions(kind: type[Lifted]) -> None:
    """Require a map even where there is hardly room for one."""
    require(2 <= _fitted(kind, dim=_BASE.dim + 1).dim <= _BASE.dim + 1, "a small dimension is not kept")


FEATURE_MAP_SUITE: Suite[type[Lifted]] = Suite(
    "feature map",
    (
        check_layout,
        check_on_the_grid_and_bounded,
        check_a_record_stands_alone,
        check_additive,
        check_same_seed_same_map,
        check_constants_are_json,
        check_unseen_codes_and_empty_tables,
        check_missing_columns_refused,
        check_small_dimensions,
    ),
)
