r"""Extreme stays: those that cost far more or less than stays like them, by a rule or by a model.

The model's judgement takes whatever expects a stay's cost, with how far off it may be: with the expectation e in money
and the spread s of the logarithm, :math:`z = (\ln c - \ln e + s^2/2)/s`, as the mean of a log-normal cost lies
:math:`s^2/2` above its median. A stay is extreme beyond a stated z.

At stake is what lies beyond the limit: what would not be paid if the limit were the bill, or what is missing below it.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.comparing.cells import Integers, exact, money
from headwater.claims.extremes.trimming import BASES, RULE, Rule, points
from headwater.types import Vector

__all__ = ["COLUMNS", "LIMIT", "by_model", "by_rule", "scores"]

LIMIT = 3.0
COLUMNS = (
    *("stay_id", "method", "side", "basis", "cases"),
    *("amount", "usual", "bound", "at_stake", "score"),
)
"""Of extreme stays, by either method: side is high or low, basis the group or ``model``, usual the median or
expectation, and score how far it lies beyond the usual (a ratio by the rule, z by the model)."""


def by_rule(stays: pa.Table, rule: Rule = RULE) -> pa.Table:
    """Return the extreme stays by trim points, the most at stake first; see `COLUMNS`.

    Parameters
    ----------
    stays : as of `points`, with stay_id
    """
    found = points(stays, rule)
    fen, _ = exact(stays["medfee_sumamt"], "medfee_sumamt")
    with np.errstate(invalid="ignore"):
        high, low = fen > found.high, fen < found.low
    rows = np.flatnonzero(high | low)
    score = fen[rows] / np.maximum(found.usual[rows], 1.0)
    names = np.array([*BASES, ""])[found.basis[rows]]
    limits = np.where(high, found.high, found.low)[rows]
    return _table(
        stays.take(pa.array(rows)),
        said={"method": "rule", "basis": names, "cases": found.cases[rows], "score": score},
        sides=high[rows],
        fen=(fen[rows], found.usual[rows], limits),
    )


def by_model(stays: pa.Table, *, limit: float = LIMIT) -> pa.Table:
    """Return the extreme stays by what was expected of them, the most at stake first; see `COLUMNS`.

    Parameters
    ----------
    stays : stay_id, medfee_sumamt (decimal), expected (money, decimal or float), spread (of the logarithm, above 0),
        and if present cases (on how many stays the expectation stands); stays without an expectation are not judged
    limit : z beyond which a stay is extreme
    """
    fen, _ = exact(stays["medfee_sumamt"], "medfee_sumamt")
    z = scores(stays)
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(np.abs(z) > limit)
    stays, fen, z = stays.take(pa.array(rows)), fen[rows], z[rows]
    expected, spread = _floats(stays, "expected") * 100, _floats(stays, "spread")
    limits = expected * np.exp(np.sign(z) * limit * spread - spread**2 / 2)
    cases = stays["cases"].to_numpy() if "cases" in stays.column_names else np.zeros(len(stays), dtype=np.int64)
    return _table(
        stays,
        said={"method": "model", "basis": np.full(len(stays), "model"), "cases": cases, "score": z},
        sides=z > 0,
        fen=(fen, expected, limits),
    )


def scores(stays: pa.Table) -> Vector:
    """Return how far each stay lies from its expectation, (n,) standard deviations, NaN where nothing is expected."""
    fen, _ = exact(stays["medfee_sumamt"], "medfee_sumamt")
    expected, spread = _floats(stays, "expected"), _floats(stays, "spread")
    judged = stays["medfee_sumamt"].is_valid().to_numpy() & (expected > 0) & (spread > 0)
    z = np.full(len(stays), np.nan)
    logs = np.log(np.maximum(fen[judged], 1) / (expected[judged] * 100))
    z[judged] = (logs + spread[judged] ** 2 / 2) / spread[judged]
    return z


def _floats(stays: pa.Table, name: str) -> Vector:
    return np.asarray(stays[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _table(
    stays: pa.Table, *, said: dict[str, object], sides: npt.NDArray[np.bool_], fen: tuple[Integers, Vector, Vector]
) -> pa.Table:
    amount, usual, limit = fen
    whole = np.rint(limit).astype(np.int64)
    columns = {
        "stay_id": stays["stay_id"],
        "method": pa.array([said["method"]] * len(stays), pa.string()),
        "side": pa.array(np.where(sides, "high", "low"), pa.string()),
        "basis": pa.array(said["basis"], pa.string()),
        "cases": pa.array(said["cases"], pa.int64()),
        "amount": money(amount),
        "usual": money(np.rint(usual).astype(np.int64)),
        "bound": money(whole),
        "at_stake": money(np.abs(amount - whole)),
        "score": pa.array(said["score"], pa.float64()),
    }
    return pa.table(columns).sort_by([("at_stake", "descending"), ("stay_id", "ascending")])
