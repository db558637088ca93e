"""Federations in which some sources will be poisoned: made up, of real hospitals, and of synthetic claims.

- ``made_up``: every hospital has a relation of its own around a common one; four in ten are unusual: other cases, few
  kinds of cases, few records, half a standard error dearer, or twice the noise
- ``sih``: real, Brazilian public hospitals of at least 55 stays as sources, stays of the others as the target
- ``desynpuf``: synthetic (CMS DE-SynPUF), states as sources, stays of the other states as the target
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.bench.valuation_families import desynpuf_records, sih_records
from headwater.statistics import Categorical, FeatureMap, Numeric
from headwater.types import Vector
from headwater.valuation import Target

__all__ = ["FAMILIES", "Drawn", "Rows", "available"]

Rows = tuple[Vector, Vector]
"""(n, dim) features and (n,) labels, as the question sees them."""

_FEATURES = 8
_TRAIN, _VALID, _TEST = 100, 100, 3_000
_KINDS = ("ordinary", "shifted", "narrow", "small", "dear", "noisy")
_SHARES = (0.6, 0.1, 0.06, 0.08, 0.08, 0.08)
_APART, _DEARER_OR_CHEAPER = 0.05, 0.1
_LABEL = "label"
_FEWEST, _MOST = 55, 400


@dataclass(frozen=True, eq=False)
class Drawn:
    """A federation in which nobody lies yet; records for the test are seen by the bench alone."""

    target: Target
    sources: tuple[pa.Table, ...]
    test: pa.Table

    def rows(self, table: pa.Table) -> Rows:
        """Return the records of a table as the question sees them."""
        question = self.target.question
        return question.feature_map.transform(table), question.labels(table)


Draw = Callable[[np.random.Generator, int, Path | None], Drawn]


def available(data: Path | None) -> tuple[str, ...]:
    """Return the families whose records are at hand."""
    folders = {"sih": "sih_rs_2019", "desynpuf": "desynpuf"}
    at_hand = (name for name in FAMILIES if name in folders and data is not None and (data / folders[name]).is_dir())
    return ("made_up", *at_hand)


def _made_up(rng: np.random.Generator, count: int, data: Path | None) -> Drawn:
    del data
    beta = 0.4 * rng.normal(size=_FEATURES + 1)
    sizes = np.exp(rng.uniform(np.log(60), np.log(600), count)).astype(int)
    kinds = rng.choice(_KINDS, count, p=_SHARES)
    sources = tuple(_hospital(rng, beta, int(size), str(kind)) for size, kind in zip(sizes, kinds, strict=True))
    own, valid, test = (_table(rng, beta, np.zeros(_FEATURES), rows, 1.0) for rows in (_TRAIN, _VALID, _TEST))
    features = FeatureMap(numeric=tuple(Numeric(f"x{at}", 0.0, 1.0) for at in range(_FEATURES)))
    return Drawn(Target(own, valid, _LABEL, features), sources, test)


def _hospital(rng: np.random.Generator, beta: Vector, size: int, kind: str) -> pa.Table:
    law = beta + _APART * rng.normal(size=_FEATURES + 1)
    law[0] += _DEARER_OR_CHEAPER * rng.normal() + 0.5 * (kind == "dear")
    rows = int(rng.integers(10, 30)) if kind == "small" else size
    middle = 1.5 * rng.normal(size=_FEATURES) / np.sqrt(_FEATURES) if kind == "shifted" else np.zeros(_FEATURES)
    return _table(rng, law, middle, rows, 2.0 if kind == "noisy" else 1.0, 0.5 if kind == "narrow" else 1.0)


def _table(
    rng: np.random.Generator, law: Vector, middle: Vector, rows: int, noise: float, spread: float = 1.0
) -> pa.Table:
    x = middle + spread * rng.normal(size=(rows, _FEATURES))
    columns: dict[str, Vector] = {f"x{at}": x[:, at] for at in range(_FEATURES)}
    return pa.table(columns | {_LABEL: law[0] + x @ law[1:] + noise * rng.normal(size=rows)})


def _sih(rng: np.random.Generator, count: int, data: Path | None) -> Drawn:
    assert data is not None
    flags = ("male", "elective", "surgical", "complex")
    form = (("age", "log_days", "intensive"), flags, ("chapter", 4))
    return _grouped(rng, sih_records(data / "sih_rs_2019"), "hospital", count, form)


def _desynpuf(rng: np.random.Generator, count: int, data: Path | None) -> Drawn:
    assert data is not None
    form = (("log_days", "diagnoses", "procedures", "drg"), ("deductible",), ("chapter", 4))
    return _grouped(rng, desynpuf_records(data / "desynpuf"), "state", count, form)


def _grouped(
    rng: np.random.Generator,
    records: pd.DataFrame,
    by: str,
    count: int,
    form: tuple[tuple[str, ...], tuple[str, ...], tuple[str, int]],
) -> Drawn:
    """Return some groups as sources, and records of all the others as the target's and the bench's."""
    counts = records[by].value_counts()
    large = np.sort(counts.index[counts >= _FEWEST].to_numpy(dtype=str))
    chosen = [str(name) for name in rng.choice(large, size=count, replace=False)]
    numeric, flags, categorical = form
    rest = records.loc[~records[by].isin(chosen)]
    rest = rest.iloc[rng.permutation(len(rest))]
    ends = (0, _TRAIN, _TRAIN + _VALID, _TRAIN + _VALID + _TEST)
    own, valid, test = (_frame(rest.iloc[start:end], by) for start, end in zip(ends[:-1], ends[1:], strict=True))
    sources = tuple(_frame(_sampled(rng, records.loc[records[by] == name]), by) for name in chosen)
    standard = [Numeric(name, float(np.mean(own[name])), max(float(np.std(own[name])), 0.1)) for name in numeric]
    features = FeatureMap((*standard, *(Numeric(name, 0.0, 1.0) for name in flags)), (Categorical(*categorical),))
    return Drawn(Target(own, valid, _LABEL, features), sources, test)


def _sampled(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[rng.permutation(len(frame))[:_MOST]]


def _frame(frame: pd.DataFrame, by: str) -> pa.Table:
    return pa.Table.from_pandas(frame.drop(columns=[by]), preserve_index=False).replace_schema_metadata(None)


FAMILIES: Mapping[str, Draw] = {"made_up": _made_up, "sih": _sih, "desynpuf": _desynpuf}
"""Every family by its name."""
