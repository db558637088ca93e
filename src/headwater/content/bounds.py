"""Bounds for the profile of a source's next delivery, derived from its accepted history.

The centre is the median, the spread the median absolute deviation, never less than what chance alone makes of so many
rows nor than two thirds of what other sources show. A trend is followed where it stands out of the spread. Faults and
distances are bounded from above only. With about four hundred numbers a source and month, one false alarm in a hundred
months leaves one in forty thousand to each, hence the width.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from headwater.claims.canonical import ENTITIES
from headwater.content.metrics import METRICS, Kind
from headwater.types import Vector

__all__ = ["LEAST", "Bound", "Key", "Series", "derive"]

LEAST = 6
"""Deliveries that a monthly table needs before bounds are derived; a catalogue needs one."""

Key = tuple[str, str, str, str]
"""Source, entity, column (empty for the delivery as a whole), metric."""

_SIGMAS = 8.0
_SEASON = 4.5
_HEAVY = 12.0
_CHANCE = 5.5
_OTHERS = 0.67
_POOL = 4
_FEW = 3.0
_VANISHED = 10.0
_RARE = 1e-7
_IDLE = 1e-4
# How much more a quantile varies than the median, roughly.
_QUANTILES = {"p01": 16.0, "p25": 3.0, "p50": 2.0, "p75": 3.0, "p99": 8.0}
_WHOLE = {(entity.name, f.name) for entity in ENTITIES.values() for f in entity.fields if f.type == "integer"}
# Rows that share a stay are not independent: so many of them count as one.
_CLUSTER = {
    "fee_line top_share": 40.0,
    "fee_line unseen_share": 30.0,
    "fee_line": 16.0,
    "diagnosis": 2.0,
    "orphan_share": 30.0,
    "outside_share": 30.0,
    "month_share": 30.0,
    "unseen_share": 3.0,
}


@dataclass(frozen=True, eq=False)
class Series:
    """One metric of one source through its accepted deliveries.

    Parameters
    ----------
    values : oldest first
    rows : of the same deliveries
    """

    values: Vector
    rows: Vector


@dataclass(frozen=True)
class Bound:
    """Lowest and highest value that is not told; None where there is no limit."""

    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class _Fit:
    """A series brought to the scale on which its kind varies, and its robust centre and spread there."""

    logs: bool
    centre: float
    spread: float
    rest: Vector
    rows: float
    total: float


def derive(history: Mapping[Key, Series]) -> dict[Key, Bound]:
    """Return the bounds of every series that is long enough.

    Parameters
    ----------
    history : series by source, entity, column and metric; what is not a number was not measured
    """
    fits = {key: fit for key, series in history.items() if (fit := _fit(key, series)) is not None}
    pooled = _pooled(fits)
    return {key: _bound(key, fit, pooled.get(key[1:], 0.0) / np.sqrt(fit.rows)) for key, fit in fits.items()}


def _fit(key: Key, series: Series) -> _Fit | None:
    kind: Kind = METRICS[key[3]].kind
    known = np.isfinite(series.values) & (series.rows > 0)
    values, rows = series.values[known], series.rows[known]
    if len(values) == 0:
        return None
    steps = key[3] in _QUANTILES and key[1:3] in _WHOLE
    if kind == "amount" and not steps and bool(np.any(values <= 0)):
        return None
    logs = kind in ("size", "amount") and not steps
    scaled = np.log(values + (kind == "size")) if logs else values
    rows = np.maximum(rows / _clustered(key[1], key[3]), 1.0)
    centre, rest = float(np.median(scaled)), scaled - np.median(scaled)
    spread = _spread(rest)
    slope = _slope(scaled)
    if len(scaled) >= 8 and kind != "exact":
        places = np.arange(len(scaled))
        level = np.median(scaled - slope * places)
        straight = scaled - slope * places - level
        # A trend is believed where it explains more than it costs.
        if abs(slope) * len(scaled) > 4 * _spread(straight) and _spread(straight) < 0.7 * spread:
            centre, rest, spread = float(level + slope * len(scaled)), straight, _spread(straight)
    return _Fit(logs, centre, spread, rest, float(np.median(rows)), float(rows.sum()))


def _clustered(entity: str, metric: str) -> float:
    found = (_CLUSTER.get(name) for name in (f"{entity} {metric}", metric, entity))
    return next((size for size in found if size is not None), 1.0)


def _spread(rest: Vector) -> float:
    return float(1.4826 * np.median(np.abs(rest - np.median(rest))))


def _slope(values: Vector) -> float:
    """Return the median of all slopes between two points (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (second - first))) if len(first) else 0.0


def _pooled(fits: Mapping[Key, _Fit]) -> dict[tuple[str, str, str], float]:
    """Return what sources in general show of each metric: the median spread, brought to one row."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for key, fit in fits.items():
        found[key[1:]].append(fit.spread * np.sqrt(fit.rows))
    return {name: _OTHERS * float(np.median(spreads)) for name, spreads in found.items() if len(spreads) >= _POOL}


def _bound(key: Key, fit: _Fit, others: float) -> Bound:
    kind: Kind = METRICS[key[3]].kind
    if kind == "exact":
        return Bound(fit.centre - 0.5, fit.centre + 0.5)
    spread = max(fit.spread, others)
    down, up = _chance(fit, spread) if kind in ("share", "fault") else _width(key, fit, spread)
    # What the history itself did and was not alone in doing is not told; what stands far out of it is left out.
    beyond = 1.0 if kind in ("share", "fault") else 1.2
    usual = fit.rest[(fit.rest <= beyond * up) & (fit.rest >= -beyond * down)]
    if len(usual):
        room = 0.35 * float(np.ptp(usual)) if len(usual) > 1 else 0.0
        down, up = max(down, room - float(usual.min())), max(up, room + float(usual.max()))
    low, high = fit.centre - down, fit.centre + up
    if fit.logs:
        low, high = (float(np.exp(limit)) - (kind == "size") for limit in (low, high))
    if kind == "size" and low < 0:
        low = 0.0
    if kind in ("share", "fault"):
        low, high = max(low, 0.0), min(high, 1.0)
    if kind in ("fault", "drift"):
        return Bound(None, high)
    return Bound(low, high)


def _width(key: Key, fit: _Fit, spread: float) -> tuple[float, float]:
    """Return how far a number falls and rises: its spread, but no less than what so many rows make by chance."""
    kind, metric, root = METRICS[key[3]].kind, key[3], np.sqrt(fit.rows)
    if metric == "days_missing":
        floor = _idle(fit.rows) + (0.5 if fit.centre < 1 else 2.0)
    elif metric == "distinct":
        floor = 0.05 + 2.5 * np.exp(-fit.centre / 2) + 3 / root
    elif metric.endswith("_per_stay"):
        # A number of things: where few stays have one, it varies as the few do.
        floor = 0.03 + 4 / root / np.sqrt(min(float(np.exp(fit.centre)), 1.0))
    elif metric in _QUANTILES and key[1:3] in _WHOLE:
        floor = 2.0 + _QUANTILES[metric] / root
    elif metric in _QUANTILES:
        floor = 0.10 * _QUANTILES[metric] + _QUANTILES[metric] / root
    else:
        floor = {
            "size": 0.30 + 3 / root,
            "amount": 0.03 + 3 / root,
            "level": 0.01 * abs(fit.centre) + 1 / root,
            "drift": 0.03 + 0.35 * abs(fit.centre) + 1 / root,
        }[kind]
    # A season swings between limits, unlike chance: rows need less room. Means of amounts have heavy tails.
    sigmas = _SEASON if kind == "size" else _HEAVY if metric == "mean" else _SIGMAS
    # The spread of a few months is itself uncertain, and may by chance be much too small.
    wide = max(sigmas * (1 + _FEW / len(fit.rest)) * spread, float(floor))
    return wide, wide


def _idle(rows: float) -> float:
    """Return how many days of a month chance leaves without a row: workdays see 1.15 of an even share, others 0.6."""
    # Two thirds of a second to import: no command waits for it that draws no bounds.
    from scipy.stats import poisson

    expected = 22 * np.exp(-1.15 * rows / 31) + 9 * np.exp(-0.6 * rows / 31)
    return float(poisson.ppf(1 - _IDLE, expected))


def _chance(fit: _Fit, spread: float) -> tuple[float, float]:
    """Return how far a share falls and rises by chance.

    Towards the nearer of nothing and all, rows are few and counted: the negative binomial law of the next count given
    those before (a Poisson rate with Jeffreys' prior). Away from it, a Cornish–Fisher expansion.
    """
    share = (min(max(fit.centre, 0.0), 1.0) * fit.total + 0.5) / (fit.total + 1)
    drawn = share * (1 - share) / fit.rows
    beyond = max(spread**2 - drawn, 0.0)
    sigma = float(np.sqrt(drawn * (1 + fit.rows / fit.total) + beyond))
    skew = abs(1 - 2 * share) / np.sqrt(fit.rows * share * (1 - share))
    tail = (_CHANCE**2 - 1) / 6 * min(skew, 8.0) * float(np.sqrt(drawn))
    far = max(_CHANCE * sigma - tail, sigma, 1.5 / fit.rows)
    nearer = min(max(fit.centre, 0.0), max(1 - fit.centre, 0.0))
    from scipy.stats import nbinom

    most = nbinom.ppf(1 - _RARE, nearer * fit.total + 0.5, fit.total / (fit.total + fit.rows))
    near = max(_CHANCE * sigma, float(most + 0.5) / fit.rows - nearer)
    if share > 0.5:
        return near, far
    # What never comes to nothing by chance has vanished when it does, however wide the bounds of the rest.
    if share**2 * (1 - share) / sigma**2 > _VANISHED:
        far = min(far, fit.centre - 0.5 / fit.rows)
    return far, near
