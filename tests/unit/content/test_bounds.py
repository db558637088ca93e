"""Bounds hold what is usual, tell what is not, and do not believe single outliers."""

import numpy as np
import pytest

from headwater.content.bounds import Bound, Series, derive
from headwater.content.metrics import METRICS


def _one(metric: str, values: list[float], rows: float = 400, *, entity: str = "front_page", column: str = "") -> Bound:
    series = Series(np.array(values, dtype=float), np.full(len(values), rows))
    return derive({("s1", entity, column, metric): series})["s1", entity, column, metric]


def test_a_fault_that_never_was_is_told_from_a_handful_of_rows() -> None:
    bound = _one("fee_gap", [0.0] * 12)
    assert bound.low is None
    assert bound.high is not None
    assert 1 / 400 < bound.high < 12 / 400


def test_a_share_is_bounded_on_both_sides_and_wider_for_fewer_rows() -> None:
    rng = np.random.default_rng(1)
    many, few = (_one("male_share", list(rng.binomial(n, 0.5, 12) / n), n) for n in (4000, 100))
    assert many.low is not None
    assert few.low is not None
    assert few.low < many.low < 0.5
    assert many.low > 0.4


def test_the_centre_ignores_a_single_spoilt_delivery() -> None:
    clean = [8000.0, 8100, 7900, 8050, 7950, 8020, 7980, 8060]
    bound = _one("p50", [*clean, 800_000.0], column="medfee_sumamt")
    assert bound.high is not None
    assert bound.high < 20_000


def test_a_trend_is_followed() -> None:
    bound = _one("mean", [100 * 1.05**month for month in range(14)], column="medfee_sumamt")
    assert bound.low is not None
    assert bound.high is not None
    assert bound.low > 100 * 1.05**9
    assert bound.low < 100 * 1.05**14 < bound.high


def test_half_a_delivery_is_told_and_a_season_is_not() -> None:
    months = 400 * (1 + 0.12 * np.cos(2 * np.pi * np.arange(14) / 12))
    bound = _one("rows", list(months))
    assert bound.low is not None
    assert bound.high is not None
    assert 200 < bound.low < months.min()
    assert months.max() < bound.high < 800


def test_what_is_one_value_stays_it() -> None:
    assert _one("months_on", [1, 1, 3, 1, 1, 1, 1]) == Bound(0.5, 1.5)


def test_what_was_never_measured_has_no_bounds() -> None:
    assert derive({("s1", "front_page", "age", "mean"): Series(np.array([np.nan]), np.array([4.0]))}) == {}


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_false_alarms_are_rare_for_every_kind_of_metric(metric: str) -> None:
    """Two thousand histories of chance alone; the next delivery of hardly any lies outside."""
    rng, rows, told = np.random.default_rng(7), 400, 0
    kind = METRICS[metric].kind
    for _ in range(200):
        if kind in ("share", "fault"):
            values = rng.binomial(rows, 0.02, 13) / rows
        elif kind == "exact":
            values = np.ones(13)
        else:
            values = 50 * np.exp(rng.normal(0, 0.08, 13))
        bound = _one(metric, list(values[:12]), rows, column="medfee_sumamt")
        told += bound.low is not None and values[12] < bound.low or bound.high is not None and values[12] > bound.high
    assert told <= 1
