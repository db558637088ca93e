"""Twenty hospitals beside a bureau that has few records of its own: real ones, and made-up ones.

- ``sih``: real; the twenty largest Brazilian hospitals of the sample, whole, 101 to 517 stays each; log of cost
- ``simulated``: made up; twenty good hospitals of a simulated region, 300 stays each; log of cost
- ``heart_disease``: real; four hospitals in pieces of 10 to 51 patients, far fewer than noise asks for; disease or not
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.bench.tiers_classes import CLASSES, NOISY, SOURCES
from headwater.bench.valuation_families import heart_records, region_records, sih_records
from headwater.federation.source import GramQuestion
from headwater.statistics import Categorical, FeatureMap, Numeric
from headwater.types import SourceId

__all__ = ["Federation", "at_hand", "drawn"]

_LABEL = "label"
_OWN = {"sih": 80, "simulated": 80, "heart_disease": 60}
_HELD_OUT = {"sih": 4_000, "simulated": 4_000, "heart_disease": 100}
_NUMERIC = {
    "sih": ("age", "log_days", "intensive"),
    "simulated": ("age", "log_days", "others", "operations", "level"),
    "heart_disease": ("age", "trestbps", "chol", "thalach", "oldpeak"),
}
_FLAGS = {
    "sih": ("male", "elective", "surgical", "complex"),
    "simulated": ("emergency", "male"),
    "heart_disease": ("sex", "fbs", "exang", "restecg", "cp2", "cp3", "cp4"),
}
_CODES = {"sih": (Categorical("chapter", 8),), "simulated": (Categorical("chapter", 8),), "heart_disease": ()}
_PIECES = {"cleveland": 6, "hungarian": 6, "va": 4, "switzerland": 4}
_HOSPITALS, _STAYS, _LARGE = 80, 40_000, 300
_FOLDERS = {"sih": "sih_rs_2019", "heart_disease": "heart_disease"}


@dataclass(frozen=True)
class Federation:
    """One draw.

    Parameters
    ----------
    question : features standardised by the bureau's own records
    own, test : records of the bureau, and those on which models are judged
    sources : in random order, so that classes of requirement go to hospitals by chance
    """

    question: GramQuestion
    own: pa.Table
    test: pa.Table
    sources: Mapping[SourceId, pa.Table]

    @property
    def records(self) -> dict[SourceId, int]:
        """Public numbers of records."""
        return {name: table.num_rows for name, table in self.sources.items()}

    def against(self) -> "Federation":
        """Return the same hospitals in such an order that the largest are dealt to the classes that need noise."""
        by_size = iter(sorted(self.sources.values(), key=lambda table: table.num_rows))
        names = sorted(self.sources)
        exact = [name for place, name in enumerate(names) if CLASSES[place % len(CLASSES)] not in NOISY]
        dealt = {name: next(by_size) for name in (*exact, *(name for name in names if name not in exact))}
        return replace(self, sources=dealt)


def at_hand(data: Path | None) -> tuple[str, ...]:
    """Return the kinds of federations that can be drawn, made-up ones first."""
    real = (name for name, folder in _FOLDERS.items() if data is not None and (data / folder).is_dir())
    return ("simulated", *real)


def drawn(kind: str, rng: np.random.Generator, data: Path | None, *, most: int | None = None) -> Federation:
    """Draw a federation in which no source has more than ``most`` records."""
    own, test, sources = _DRAWS[kind](rng, data)
    order = rng.permutation(SOURCES)
    kept = {f"h{place:02d}": _table(sources[at].iloc[:most], kind) for place, at in enumerate(order)}
    return Federation(_question(kind, own), _table(own, kind), _table(test, kind), kept)


Frames = tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]


def _sih(rng: np.random.Generator, data: Path | None) -> Frames:
    assert data is not None
    records = sih_records(data / _FOLDERS["sih"])
    counts = records["hospital"].value_counts()
    return _parted(rng, records, sorted(counts.index[:SOURCES]), "sih")


def _simulated(rng: np.random.Generator, data: Path | None) -> Frames:
    records = region_records(hospitals=_HOSPITALS, stays=_STAYS)
    counts = records["hospital"].value_counts()
    large = sorted(counts.index[counts >= _LARGE])
    own, test, sources = _parted(rng, records, [str(name) for name in rng.permutation(large)[:SOURCES]], "simulated")
    return own, test, [stays.iloc[:_LARGE] for stays in sources]


def _parted(rng: np.random.Generator, records: pd.DataFrame, chosen: list[str], kind: str) -> Frames:
    """Return chosen hospitals as sources, and records of all others as the bureau's and those held out."""
    rest = _shuffled(rng, records[~records["hospital"].isin(chosen)])
    own, held_out = _OWN[kind], _HELD_OUT[kind]
    sources = [_shuffled(rng, records[records["hospital"] == name]) for name in chosen]
    return rest.iloc[:own], rest.iloc[own : own + held_out], sources


def _heart(rng: np.random.Generator, data: Path | None) -> Frames:
    """Return a bureau that is one of the three hospitals with both outcomes, and pieces of all that is left."""
    assert data is not None
    left = {name: _shuffled(rng, frame) for name, frame in heart_records(data / _FOLDERS["heart_disease"]).items()}
    at, kept, kind = ("cleveland", "hungarian", "va")[rng.integers(3)], _OWN["heart_disease"], "heart_disease"
    own, test = left[at].iloc[:kept], left[at].iloc[kept : kept + _HELD_OUT[kind]]
    left[at] = left[at].iloc[kept + _HELD_OUT[kind] :]
    return own, test, [left[name].iloc[piece::count] for name, count in _PIECES.items() for piece in range(count)]


_DRAWS: Mapping[str, Callable[[np.random.Generator, Path | None], Frames]] = {
    "sih": _sih,
    "simulated": _simulated,
    "heart_disease": _heart,
}


def _question(kind: str, own: pd.DataFrame) -> GramQuestion:
    """Return the question: numbers standardised by the bureau's records; flags, which may be rare there, not."""
    means, spread = own.mean(numeric_only=True), own.std(ddof=0, numeric_only=True).clip(lower=0.1)
    numbers = (Numeric(name, float(means[name]), float(spread[name])) for name in _NUMERIC[kind])
    flags = (Numeric(name, 0.0, 1.0) for name in _FLAGS[kind])
    recipe = FeatureMap((*numbers, *flags), _CODES[kind])
    return GramQuestion(recipe, _LABEL, center=float(means[_LABEL]), scale=float(spread[_LABEL]))


def _table(frame: pd.DataFrame, kind: str) -> pa.Table:
    columns = [*_NUMERIC[kind], *_FLAGS[kind], *(code.name for code in _CODES[kind]), _LABEL]
    return pa.Table.from_pandas(frame[columns], preserve_index=False).replace_schema_metadata(None)


def _shuffled(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[rng.permutation(len(frame))]
