"""The frozen suite on which values of sources are judged: five families, three learners, three regimes, five seeds.

A case is a target with few labelled records and ten sources. What a coalition is worth is the gain in R² (for outcomes
of 0 and 1 the Brier skill) of the true learner, trained on target and coalition, over the target alone. The reference
is the exact Shapley value of that game on the target's validation records, by retraining on all 1,024 coalitions; its
ceiling is the rank correlation with the same game on other records of the target, as many: above it, more agreement
means nothing for new records.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import stats

from headwater.bench.figures import Size
from headwater.bench.valuation_families import FAMILIES, Pools, available
from headwater.bench.valuation_learners import LEARNERS, VERSION, Records, predictions
from headwater.bench.valuation_regimes import REGIMES
from headwater.statistics.features import Categorical, FeatureMap, Numeric
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import Target
from headwater.valuation.methods.exact import all_coalitions, places_of, shapley_of_table
from headwater.valuation.target import Learner

__all__ = ["Case", "Reference", "cases", "gains", "reference", "training_records"]

_FROZEN = 20260601
_SEEDS = 5
_TRAIN = 50


@dataclass(frozen=True, eq=False)
class Case:
    """One federation in which sources are to be valued.

    Parameters
    ----------
    name : ``family/learner/regime/seed``
    target : what the methods see; its validation records are those of the game
    sources : records of each source
    test : as many further records of the target, for the ceiling only
    """

    name: str
    family: str
    learner: Learner
    regime: str
    seed: int
    target: Target
    sources: dict[SourceId, pa.Table]
    test: pa.Table

    @property
    def task(self) -> str:
        """The case without its seed."""
        return f"{self.family}/{self.learner}/{self.regime}"


@dataclass(frozen=True, eq=False)
class Reference:
    """What is true of a case.

    Parameters
    ----------
    values : (sources,) exact Shapley values by retraining
    other : the same on the test records
    ceiling : Spearman of the two
    table, test_table : (2**sources,) utilities on validation and test records, coalition k holding source i at bit i
    """

    values: Vector
    other: Vector
    ceiling: float
    table: Vector
    test_table: Vector

    def lookup(self, coalitions: Masks) -> Vector:
        """Return the utilities of coalitions, (m, sources), from the table: retraining that was done before."""
        return np.asarray(self.table[places_of(coalitions)], dtype=np.float64)


def cases(size: Size, data: Path | None) -> Iterator[Case]:
    """Yield the cases whose records are at hand; ``ci`` takes one seed of the first family, which trains fastest."""
    for family in available(data)[: None if size == "full" else 1]:
        for seed in range(_SEEDS if size == "full" else 1):
            pools = FAMILIES[family].draw(_rng(family, "pools", seed), data)
            for regime in REGIMES:
                yield from _of(pools, family, regime, seed)


def _of(pools: Pools, family: str, regime: str, seed: int) -> Iterator[Case]:
    tables = REGIMES[regime](_rng(family, regime, seed), pools)
    sources = {f"S{at:02d}": table for at, table in enumerate(tables)}
    train, test = pools.target.slice(0, _TRAIN), FAMILIES[family].test
    valid, others = pools.target.slice(_TRAIN, test), pools.target.slice(_TRAIN + test, test)
    target = Target(train, valid, "label", _features(pools, train))
    for learner in LEARNERS:
        name = f"{family}/{learner}/{regime}/{seed}"
        yield Case(name, family, learner, regime, seed, replace(target, learner=learner), sources, others)


def _rng(*parts: str | int) -> np.random.Generator:
    """Return a stream of its own for these words, the same for ever."""
    digest = hashlib.sha256("/".join(map(str, (_FROZEN, *parts))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _features(pools: Pools, train: pa.Table) -> FeatureMap:
    """Return the recipe that the target derives from its own training records."""
    numeric = [_standard(name, np.asarray(train[name].to_numpy())) for name in pools.numeric]
    numeric += [Numeric(name, 0.0, 1.0) for name in pools.flags]
    return FeatureMap(tuple(numeric), tuple(Categorical(name, buckets) for name, buckets in pools.categorical))


def _standard(name: str, values: Vector) -> Numeric:
    return Numeric(name, round(float(values.mean()), 3), max(round(float(values.std()), 3), 0.1))


def reference(case: Case, cache: Path | None = None) -> Reference:
    """Return the exact values of a case, from ``cache`` if its very records were valued before by the same learner."""
    file = None if cache is None else cache / f"{_content(case)}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            table, test_table = kept["table"], kept["test_table"]
    else:
        table, test_table = gains(case, all_coalitions(len(case.sources)))
        if file is not None:
            _keep(file, table=table, test_table=test_table)
    values, other = shapley_of_table(table), shapley_of_table(test_table)
    ceiling = float(stats.spearmanr(values, other).statistic)
    return Reference(values, other, ceiling, table, test_table)


def gains(case: Case, coalitions: Masks) -> tuple[Vector, Vector]:
    """Return the gain of each coalition over the target alone, on validation and on test records, by retraining."""
    valid, test = (case.target.features.transform(table) for table in (case.target.valid, case.test))
    nobody = np.zeros((1, len(case.sources)), dtype=np.bool_)
    trained = predictions(
        case.learner, training_records(case), np.concatenate([nobody, coalitions]), np.concatenate([valid, test])
    )
    scores = [
        _r2(_labels(table, case.target.label), part)
        for table, part in ((case.target.valid, trained[:, : len(valid)]), (case.test, trained[:, len(valid) :]))
    ]
    return scores[0][1:] - scores[0][0], scores[1][1:] - scores[1][0]


def training_records(case: Case) -> Records:
    """Return everyone's records as the learner sees them, the target's first."""
    tables = [case.target.train, *case.sources.values()]
    owner = np.repeat(np.arange(-1, len(case.sources)), [table.num_rows for table in tables])
    x = np.concatenate([case.target.features.transform(table) for table in tables])
    return Records(x, np.concatenate([_labels(table, case.target.label) for table in tables]), owner)


def _labels(table: pa.Table, name: str) -> Vector:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _r2(labels: Vector, fitted: Vector) -> Vector:
    return np.asarray(1.0 - ((fitted - labels) ** 2).mean(axis=1) / labels.var(), dtype=np.float64)


def _content(case: Case) -> str:
    """Return a hash of everything the reference depends on: records, features, learner."""
    records = training_records(case)
    held = [case.target.features.transform(table) for table in (case.target.valid, case.test)]
    labels = [_labels(table, case.target.label) for table in (case.target.valid, case.test)]
    digest = hashlib.sha256(f"{VERSION}/{case.learner}".encode())
    for part in (records.x, records.y, records.owner, *held, *labels):
        digest.update(str(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _keep(file: Path, **arrays: Vector) -> None:
    """Write whole or not at all: others may read the same folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.stem}.{time.time_ns()}.npz")
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(file)
