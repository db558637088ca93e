"""Extreme stays: what trim points and what the model find of stays that were made extreme, at equally many alarms.

Stays of the simulated region fall into the groups of the region's own plan; of hospitals that bill as they should, so
that nothing is extreme but by chance and by what is planted. Rule and model then call equally many stays extreme, in
one run, and the share of these that were planted is compared. The region is synthetic.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.adapters.expected_cost import FEATURES, expect
from headwater.claims.extremes import Rule, scores
from headwater.claims.extremes.trimming import points
from headwater.claims.grouping import load_plan
from headwater.simulation.costs import costs
from headwater.simulation.hospitals import Hospital, Region, roster
from headwater.simulation.reference import diseases, operations
from headwater.simulation.stays import Place, blocks, draw
from headwater.types import Vector

__all__ = ["STRENGTHS", "measure", "planted", "region"]

_SHARE = 0.015
STRENGTHS = {"mild": (1.7, 3.0), "plain": (3.0, 6.0)}
"""Least and greatest factor, or divisor, of the cost of a stay that is made extreme."""


def region(plan: Path, *, stays: int, seed: int) -> pa.Table:
    """Return grouped stays of the simulated region's hospitals that bill as they should.

    Parameters
    ----------
    plan : folder of a grouping plan
    stays : of the whole region
    """
    whole = Region(stays=stays, seed=seed)
    tables = [
        _table(place, hospital)
        for hospital in roster(whole)
        if hospital.copies is None
        for month in range(whole.months)
        for place in blocks(whole, hospital, month)
        if hospital.regime(month) not in ("irrelevant", "biased", "noisy", "upcoded")
    ]
    table = pa.concat_tables(tables)
    grouped = load_plan(plan).group(table.select(["diagnoses", "operations", "gend", "age", "ipt_days"]))
    for name in ("mdc", "adrg", "drg"):
        table = table.append_column(name, grouped[name])
    return table.filter(table["drg"].is_valid())


def _table(place: Place, hospital: Hospital) -> pa.Table:
    drawn = draw(place)
    money = [Decimal(f"{one:.2f}") for one in costs(place, drawn)]
    size = len(drawn)
    main = [diseases().code[one] for one in drawn.recorded]
    others = _codes(drawn.others, diseases().code)
    return pa.table(
        {
            "stay_id": [f"{place.hospital.number}:{place.month}:{place.block}:{number}" for number in range(size)],
            "hospital_id": [str(hospital.number)] * size,
            "region": ["R"] * size,
            "hosp_lv": [str(hospital.level)] * size,
            "currency": ["CNY"] * size,
            "psn_no": [str(one) for one in drawn.person],
            "medfee_sumamt": pa.array(money, pa.decimal128(18, 2)),
            "diagnoses": [[code, *rest] for code, rest in zip(main, others, strict=True)],
            "operations": pa.array(_codes(drawn.operations, operations().code), pa.list_(pa.string())),
            "gend": pa.array(np.where(drawn.male, "1", "2")),
            "age": pa.array(drawn.age),
            "age_years": pa.array(drawn.age.astype(np.float64)),
            "ipt_days": pa.array(drawn.days),
            "cc_count": pa.array((drawn.others >= 0).sum(axis=1)),
            "is_emergency": pa.array(drawn.emergency.astype(np.int64)),
        }
    )


def _codes(places: npt.NDArray[np.int64], codes: tuple[str, ...]) -> list[list[str]]:
    return [[codes[one] for one in row if one >= 0] for row in places.tolist()]


def planted(
    stays: pa.Table, *, strength: str, seed: int, share: float = _SHARE
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Make some stays extreme: half of them dearer, half cheaper, by factors of `STRENGTHS`.

    Returns
    -------
    stays, flags
        the same rows with other amounts; (n,) which were changed
    """
    rng, size = np.random.default_rng(seed), len(stays)
    low, high = STRENGTHS[strength]
    flags = rng.random(size) < share
    factor = rng.uniform(low, high, size) ** rng.choice((-1, 1), size)
    place = stays.column_names.index("medfee_sumamt")
    amounts = stays["medfee_sumamt"].to_pylist()
    for number in np.flatnonzero(flags).tolist():
        amounts[number] = (amounts[number] * Decimal(f"{factor[number]:.4f}")).quantize(Decimal("0.01"))
    return stays.set_column(place, "medfee_sumamt", pa.array(amounts, stays.schema.field(place).type)), flags


def measure(stays: pa.Table, flags: npt.NDArray[np.bool_], *, seed: int) -> Mapping[str, Any]:
    """Compare rule and model at as many alarms as stays were planted.

    Returns
    -------
    mapping
        stays, planted, alarms and for each method precision (which equals recall, as alarms equal plants), with the
        area under the curve of precision and recall
    """
    alarms = int(flags.sum())
    knowing_days = (*FEATURES, "ipt_days")
    by_method = {
        "rule": _by_rule(stays),
        "model": np.abs(scores(expect(stays, seed=seed))),
        "model_knowing_days": np.abs(scores(expect(stays, seed=seed, features=knowing_days))),
    }
    found = {name: _found(np.nan_to_num(score, nan=0.0), flags, alarms) for name, score in by_method.items()}
    return {"stays": len(stays), "planted": alarms, "alarms": alarms, **found}


def _by_rule(stays: pa.Table) -> Vector:
    """Return how many widths of its group's quartiles each stay lies beyond them."""
    found = points(stays, Rule("log_iqr", 1e-9, 1e-9))
    wide = points(stays, Rule("log_iqr", 1.0, 1.0))
    logs = np.log(np.array([float(one) for one in stays["medfee_sumamt"].to_pylist()]) * 100)
    first, third = np.log(found.low), np.log(found.high)
    return np.asarray(np.maximum(first - logs, logs - third) / (np.log(wide.high) - third))


def _found(score: Vector, flags: npt.NDArray[np.bool_], alarms: int) -> dict[str, float]:
    order = np.argsort(-score, kind="stable")
    right = flags[order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return {
        "precision": round(float(right[:alarms].mean()), 4),
        "at_half_the_alarms": round(float(right[: alarms // 2].mean()), 4),
        "area": round(float(precision[right].mean()), 4),
    }
