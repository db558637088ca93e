"""Five families of records in which ten sources stand beside a target: two real, one standard synthetic, two made up.

- ``heart_disease``: real, four hospitals of four places split into ten sources; disease present or not
- ``sih``: real, Brazilian public hospitals, ten of them as sources, the rest of the state as the target; log of cost
- ``desynpuf``: synthetic (CMS DE-SynPUF), ten states as sources, the other states as the target; log of payment
- ``region``: the simulated region, ten of its good hospitals as sources, other good ones as the target; log of cost
- ``waves``: made up, normal features and a law with interactions and a wave, so that no linear model is right
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.simulation.costs import costs
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.reference import diseases
from headwater.simulation.stays import blocks, draw
from headwater.types import Vector

__all__ = [
    "FAMILIES",
    "Family",
    "Pools",
    "SOURCES",
    "available",
    "desynpuf_records",
    "heart_records",
    "region_records",
    "sih_records",
]

SOURCES = 10
_LABEL = "label"
_FEWEST = 90
_SOURCE_POOL, _TARGET_POOL = 140, 1050


@dataclass(frozen=True)
class Pools:
    """Records from which a case takes its own, everything in random order.

    Parameters
    ----------
    target : of the target; split into train, valid and test
    sources : ten tables
    numeric, flags : columns that are standardised, and columns of 0 and 1 that are not
    categorical : columns of codes, with their buckets
    """

    target: pa.Table
    sources: tuple[pa.Table, ...]
    numeric: tuple[str, ...]
    flags: tuple[str, ...] = ()
    categorical: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Family:
    """One kind of data.

    Parameters
    ----------
    draw : from a random generator and the folder of the data sets to the pools of one seed
    folder : where under the data sets its records lie; None if they are made up
    test : records in each half of the target's test set
    """

    draw: Callable[[np.random.Generator, Path | None], Pools]
    folder: str | None
    test: int = 500


def available(data: Path | None) -> tuple[str, ...]:
    """Return the families whose records are at hand."""
    return tuple(
        name
        for name, family in FAMILIES.items()
        if family.folder is None or (data is not None and (data / family.folder).is_dir())
    )


_HEART = ("cleveland", "hungarian", "va", "switzerland")
_HEART_PIECES = {"cleveland": 3, "hungarian": 3, "va": 2, "switzerland": 2}
_HEART_COLUMNS = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak"]
_HEART_COLUMNS += ["slope", "ca", "thal", "num"]
_HEART_USUAL = {"trestbps": 130.0, "chol": 240.0, "fbs": 0.0, "restecg": 0.0, "thalach": 140.0, "exang": 0.0}
"""Public constants for missing measurements; a cholesterol of 0 is a missing one."""


@lru_cache(maxsize=2)
def heart_records(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the real patients of each hospital; label: disease present or not."""
    records = {}
    for hospital in _HEART:
        file = folder / f"processed.{hospital}.data"
        raw = pd.read_csv(file, header=None, names=_HEART_COLUMNS, na_values="?").astype(np.float64)
        raw["chol"] = raw["chol"].where(raw["chol"] > 0)
        raw = raw.fillna(_HEART_USUAL | {"oldpeak": 0.0})
        for kind in (2, 3, 4):
            raw[f"cp{kind}"] = (raw["cp"] == kind).astype(np.float64)
        raw["restecg"] = (raw["restecg"] > 0).astype(np.float64)
        raw[_LABEL] = (raw["num"] > 0).astype(np.float64)
        records[hospital] = raw
    return records


def _heart(rng: np.random.Generator, data: Path | None) -> Pools:
    """Return a target within one of the three hospitals that have both outcomes, and ten pieces of what is left."""
    assert data is not None
    numeric = ("age", "trestbps", "chol", "thalach", "oldpeak")
    flags = ("sex", "fbs", "exang", "restecg", "cp2", "cp3", "cp4")
    own = _HEART[rng.integers(3)]
    columns = [*numeric, *flags, _LABEL]
    left = {name: _shuffled(rng, frame[columns]) for name, frame in heart_records(data / "heart_disease").items()}
    kept = min(190, len(left[own]) - 60)
    target, left[own] = left[own].iloc[:kept], left[own].iloc[kept:]
    pieces = [left[name].iloc[at::count] for name, count in _HEART_PIECES.items() for at in range(count)]
    return Pools(_table(target), tuple(map(_table, pieces)), numeric, flags)


@lru_cache(maxsize=2)
def sih_records(folder: Path) -> pd.DataFrame:
    """Return real Brazilian stays with their ``hospital``; label: log of cost."""
    raw = pd.read_csv(folder / "sih_rs_2019_10k.csv.gz", dtype=str)
    cost, age, days = (raw[name].astype(np.float64) for name in ("VAL_TOT", "IDADE", "DIAS_PERM"))
    return pd.DataFrame(
        {
            "hospital": raw["CNES"],
            "age": age.where(raw["COD_IDADE"] == "4", 0.0),
            "log_days": np.log1p(days),
            "intensive": np.log1p(raw["UTI_MES_TO"].astype(np.float64)),
            "male": (raw["SEXO"] == "1").astype(np.float64),
            "elective": (raw["CAR_INT"] == "01").astype(np.float64),
            "surgical": (raw["PROC_REA"].str[:2] == "04").astype(np.float64),
            "complex": (raw["COMPLEX"] == "03").astype(np.float64),
            "chapter": raw["DIAG_PRINC"].str[0],
            _LABEL: np.log(cost.where(cost > 0)),
        }
    ).dropna()


def _sih(rng: np.random.Generator, data: Path | None) -> Pools:
    assert data is not None
    records = sih_records(data / "sih_rs_2019")
    flags = ("male", "elective", "surgical", "complex")
    return _grouped(
        rng, records, "hospital", Pools(_EMPTY, (), ("age", "log_days", "intensive"), flags, (("chapter", 8),))
    )


@lru_cache(maxsize=2)
def desynpuf_records(folder: Path) -> pd.DataFrame:
    """Return DE-SynPUF's inpatient claims with the logarithm of their payment; complete ones alone."""
    columns = ["PRVDR_NUM", "CLM_PMT_AMT", "CLM_UTLZTN_DAY_CNT", "CLM_DRG_CD", "NCH_BENE_IP_DDCTBL_AMT"]
    diagnoses, procedures = (
        [f"ICD9_{kind}_CD_{at}" for at in range(1, last)] for kind, last in (("DGNS", 11), ("PRCDR", 7))
    )
    files = [folder / f"DE1_0_2008_to_2010_Inpatient_Claims_Sample_{sample}.csv.gz" for sample in (1, 2, 3)]
    raw = pd.concat([pd.read_csv(file, dtype=str, usecols=[*columns, *diagnoses, *procedures]) for file in files])
    paid, days = raw["CLM_PMT_AMT"].astype(np.float64), raw["CLM_UTLZTN_DAY_CNT"].astype(np.float64)
    drg = pd.to_numeric(raw["CLM_DRG_CD"], errors="coerce")
    return pd.DataFrame(
        {
            "state": raw["PRVDR_NUM"].str[:2],
            "log_days": np.log1p(days),
            "diagnoses": raw[diagnoses].notna().sum(axis=1).astype(np.float64),
            "procedures": raw[procedures].notna().sum(axis=1).astype(np.float64),
            "drg": drg,
            "deductible": (raw["NCH_BENE_IP_DDCTBL_AMT"].fillna("0").astype(np.float64) > 0).astype(np.float64),
            "chapter": raw["ICD9_DGNS_CD_1"].str[:1],
            _LABEL: np.log(paid.where(paid > 0)),
        }
    ).dropna()


def _desynpuf(rng: np.random.Generator, data: Path | None) -> Pools:
    assert data is not None
    numeric = ("log_days", "diagnoses", "procedures", "drg")
    form = Pools(_EMPTY, (), numeric, ("deductible",), (("chapter", 6),))
    return _grouped(rng, desynpuf_records(data / "desynpuf"), "state", form)


@lru_cache(maxsize=2)
def region_records(*, hospitals: int = 40, stays: int = 24_000) -> pd.DataFrame:
    """Return made-up stays of a simulated region's good hospitals, with their ``hospital``; label: log of cost."""
    region = Region(hospitals=hospitals, months=3, stays=stays, seed=20260606, dirt=False)
    letters = np.asarray([code[:1] for code in diseases().code])
    parts = []
    for hospital in roster(region):
        if any(hospital.regime(month) != "good" for month in range(region.months)):
            continue
        for place in (place for month in range(region.months) for place in blocks(region, hospital, month)):
            drawn = draw(place)
            columns: dict[str, object] = {"hospital": str(hospital.number), "level": float(hospital.level)}
            columns |= {"age": drawn.age.astype(np.float64), "log_days": np.log1p(drawn.days.astype(np.float64))}
            columns |= {"others": (drawn.others >= 0).sum(axis=1).astype(np.float64)}
            columns |= {"operations": (drawn.operations >= 0).sum(axis=1).astype(np.float64)}
            columns |= {"emergency": drawn.emergency.astype(np.float64), "male": drawn.male.astype(np.float64)}
            columns |= {"chapter": letters[drawn.recorded], _LABEL: np.log(costs(place, drawn))}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def _region(rng: np.random.Generator, data: Path | None) -> Pools:
    numeric = ("age", "log_days", "others", "operations", "level")
    return _grouped(
        rng, region_records(), "hospital", Pools(_EMPTY, (), numeric, ("emergency", "male"), (("chapter", 8),))
    )


_WAVES = 8


def _waves(rng: np.random.Generator, data: Path | None) -> Pools:
    """Return sources whose features lie up to half a standard deviation beside the target's."""
    weights = rng.normal(size=_WAVES) / np.sqrt(_WAVES)
    target = _wave_table(rng, weights, np.zeros(_WAVES), _TARGET_POOL)
    shifts = 0.25 * rng.normal(size=(SOURCES, _WAVES))
    sources = tuple(_wave_table(rng, weights, shift, _SOURCE_POOL) for shift in shifts)
    return Pools(target, sources, tuple(f"x{at}" for at in range(_WAVES)))


def _wave_table(rng: np.random.Generator, weights: Vector, shift: Vector, n: int) -> pa.Table:
    x = shift + rng.normal(size=(n, _WAVES))
    law = x @ weights + 0.6 * x[:, 0] * x[:, 1] + 0.7 * np.sin(1.5 * x[:, 2]) + 0.4 * np.abs(x[:, 3])
    columns = {f"x{at}": x[:, at] for at in range(_WAVES)} | {_LABEL: law + 0.6 * rng.normal(size=n)}
    return pa.table(columns)


_EMPTY = pa.table({_LABEL: pa.array([], pa.float64())})


def _grouped(rng: np.random.Generator, records: pd.DataFrame, by: str, form: Pools) -> Pools:
    """Return ten groups of at least half a pool as sources, and a sample of all other groups as the target."""
    counts = records[by].value_counts()
    large = np.sort(counts.index[counts >= _FEWEST].to_numpy(dtype=str))
    chosen = [str(name) for name in rng.choice(large, size=SOURCES, replace=False)]
    columns = [*form.numeric, *form.flags, *(name for name, _ in form.categorical), _LABEL]
    rest = _shuffled(rng, records.loc[~records[by].isin(chosen), columns]).iloc[:_TARGET_POOL]
    own = (_shuffled(rng, records.loc[records[by] == name, columns]).iloc[:_SOURCE_POOL] for name in chosen)
    return Pools(_table(rest), tuple(map(_table, own)), form.numeric, form.flags, form.categorical)


def _shuffled(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[rng.permutation(len(frame))]


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


FAMILIES: Mapping[str, Family] = {
    "heart_disease": Family(_heart, "heart_disease", test=70),
    "sih": Family(_sih, "sih_rs_2019"),
    "desynpuf": Family(_desynpuf, "desynpuf"),
    "waves": Family(_waves, None),
    "region": Family(_region, None),
}
"""Every family by its name."""
