"""V6: how well sources are ranked under differential privacy, by ε and records a source, on two real data sets.

Ten sources of ½ to 1½ times the records named, drawn with replacement from the real records that are not the target's
(so 100,000 records repeat the real ones); in each source another share of labels, 0 to 100 %, is exchanged among its
records. The truth is the exact Shapley value of all 1,024 coalitions on records that are *not* clipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.stats import pearsonr, spearmanr

from headwater.bench.figures import Figure, Size
from headwater.federation import InProcess, TableSource
from headwater.security import MASKED
from headwater.statistics import FeatureMap, Numeric
from headwater.types import SourceId, Vector
from headwater.valuation import Target, value
from headwater.valuation.utilities import PrivateSums
from headwater.valuation.value import Approach

__all__ = ["figures"]

_SEED = 20260707
_SOURCES = 10
_EXCHANGED = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0])
_EPSILONS: Mapping[Size, tuple[float, ...]] = {"ci": (1.0, 3.0), "full": (0.5, 1.0, 3.0, 8.0)}
_RECORDS: Mapping[Size, tuple[int, ...]] = {"ci": (200, 1_000), "full": (50, 200, 1_000, 5_000, 20_000, 100_000)}
_SEEDS: Mapping[Size, int] = {"ci": 2, "full": 10}
_SEEDS_OF_MANY = 3
_MANY_RECORDS = 20_000
_OWN, _VALID = 60, 400
_GOALS = ((1.0, 1_000, 0.95), (3.0, 200, 0.90))
_HEART = ("cleveland", "hungarian", "va", "switzerland")
_HEART_COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak")
_HEART_REST = ("slope", "ca", "thal", "num")
Rng = np.random.Generator


@dataclass
class _Account:
    """A ledger in memory that allows everything and counts the releases."""

    releases: int = 0

    def debit(self, source: SourceId, *, noise: float, purpose: str) -> None:
        self.releases += 1


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return V6 over the data sets that are at hand."""
    pools = _pools(data)
    goal = "both >= .95 at epsilon 1 with 1,000 records and >= .90 at 3 with 200 (spearman and pearson, worst data set)"
    if not pools:
        return {"V6": Figure(None, "correlation", goal, False, note="neither sih_rs_2019 nor heart_disease is at hand")}
    table = [
        _cell(name, pool, epsilon, records, size)
        for name, pool in pools.items()
        for records in _RECORDS[size]
        for epsilon in _EPSILONS[size]
    ]
    worst = [_worst(table, epsilon, records) for epsilon, records, _ in _GOALS]
    return {
        "V6": Figure(
            value=worst[0],
            unit="smaller of mean spearman and pearson at epsilon 1 and 1,000 records, worst data set",
            goal=goal,
            holds=all(found >= least for found, (_, _, least) in zip(worst, _GOALS, strict=True)),
            baseline={"floor tried, epsilon 1, 1,000": 0.92, "floor tried, epsilon 3, 200": 0.83},
            n=sum(cell["n"] for cell in table),
            note="real records drawn with replacement, labels exchanged in known shares; one record exchanged for "
            "another, delta 1e-5, sizes public; against exact values of records that are not clipped",
            also={"epsilon 3, 200 records": worst[1], "frontier": table},
        )
    }


def _worst(table: list[dict[str, Any]], epsilon: float, records: int) -> float:
    cells = [cell for cell in table if (cell["epsilon"], cell["records"]) == (epsilon, records)]
    return float(min(min(cell["spearman"], cell["pearson"]) for cell in cells))


def _cell(name: str, pool: pa.Table, epsilon: float, records: int, size: Size) -> dict[str, Any]:
    """Return the means over seeds of one point of the frontier."""
    seeds = _SEEDS[size] if records < _MANY_RECORDS else min(_SEEDS[size], _SEEDS_OF_MANY)
    runs = np.array([_run(pool, epsilon, records, seed) for seed in range(seeds)])
    pearson, spearman, top, exchanged, attributable = runs.mean(axis=0).tolist()
    return {
        "data": name,
        "epsilon": epsilon,
        "records": records,
        "pearson": pearson,
        "spearman": spearman,
        "worst_spearman": float(runs[:, 1].min()),
        "top_3": top,
        "bytes_a_source": exchanged,
        "attributable": attributable,
        "n": seeds,
    }


def _run(pool: pa.Table, epsilon: float, records: int, seed: int) -> tuple[float, ...]:
    target, tables = _case(pool, records, np.random.default_rng((_SEED, records, seed)))
    federation = InProcess([TableSource(name, table) for name, table in tables.items()])
    rng = np.random.default_rng((_SEED, seed))
    # A bench is run again with the same noise; a real source takes the operating system's.
    private = PrivateSums(_Account(), epsilon, protection=MASKED, entropy=rng.bytes)
    found = value(federation, target, method=Approach(private), rng=rng)
    truth = value(federation, target, method="statistics/exact", rng=rng)
    return (
        float(pearsonr(found.values, truth.values).statistic),
        float(spearmanr(found.values, truth.values).statistic),
        len({*found.ranked()[:3]} & {*truth.ranked()[:3]}) / 3,
        float(max(found.exchange.bytes_of(name) for name in found.players)),
        float(max(found.exchange.attributable.values())),
    )


def _case(pool: pa.Table, records: int, rng: Rng) -> tuple[Target, dict[SourceId, pa.Table]]:
    order = rng.permutation(len(pool))
    own, valid, rest = np.split(order, [_OWN, _OWN + _VALID])
    numeric = tuple(Numeric(name, 0.0, 1.0) for name in pool.column_names if name != "y")
    target = Target(pool.take(own), pool.take(valid), "y", FeatureMap(numeric=numeric))
    shares, sizes = rng.permutation(_EXCHANGED), rng.permutation(np.linspace(0.5, 1.5, _SOURCES) * records)
    tables = {}
    for place, (share, size) in enumerate(zip(shares, sizes, strict=True)):
        table = pool.take(rng.choice(rest, int(size)))
        tables[f"h{place:02d}"] = _exchanged(table, rng.random(len(table)) < share, rng)
    return target, tables


def _exchanged(table: pa.Table, rows: npt.NDArray[np.bool_], rng: Rng) -> pa.Table:
    labels: Vector = table["y"].to_numpy().copy()
    labels[rows] = rng.permutation(labels[rows])
    return table.set_column(table.column_names.index("y"), "y", pa.array(labels))


def _pools(data: Path | None) -> dict[str, pa.Table]:
    if data is None:
        return {}
    readers = {"sih_rs_2019": _sih, "heart_disease": _heart}
    return {name: read(data / name) for name, read in readers.items() if (data / name).is_dir()}


def _sih(folder: Path) -> pa.Table:
    """Return Brazilian stays: log of cost by age, log of days, intensive care, sex, death, ward, urgency."""
    raw = pd.read_csv(folder / "sih_rs_2019_10k.csv.gz", dtype=str)
    cost, age, days, care = (raw[name].astype(np.float64) for name in ("VAL_TOT", "IDADE", "DIAS_PERM", "UTI_MES_TO"))
    columns = {
        "age": (age - 45) / 25,
        "days": (np.log1p(days) - 1.6).clip(-3, 3),
        "care": (care > 0) * 1.0,
        "male": (raw["SEXO"] == "1") - 0.5,
        "death": raw["MORTE"].astype(np.float64),
        "surgery": (raw["ESPEC"] == "01") * 1.0,
        "elective": (raw["CAR_INT"] == "01") * 1.0,
        "y": (np.log1p(cost) - 6.5).clip(-4, 4),
    }
    return pa.table({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()})


def _heart(folder: Path) -> pa.Table:
    """Return patients of four hospitals: disease (1) or not (−1); missing measurements get public constants."""
    usual = {"thalach": 138.0, "exang": 0.0, "oldpeak": 0.9}
    raw = pd.concat(
        pd.read_csv(
            folder / f"processed.{name}.data", header=None, names=[*_HEART_COLUMNS, *_HEART_REST], na_values="?"
        )
        for name in _HEART
    ).fillna(usual)
    columns = {
        "age": (raw["age"] - 54) / 9,
        "male": raw["sex"] - 0.7,
        "silent": (raw["cp"] == 4) - 0.5,
        "rate": (raw["thalach"] - 138) / 25,
        "angina": raw["exang"] - 0.4,
        "depression": (raw["oldpeak"] - 0.9).clip(-3, 3),
        "y": (raw["num"] > 0) * 2.0 - 1.0,
    }
    return pa.table({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()})
