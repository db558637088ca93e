"""Funnels: the published estimator worked by hand, and what an outlier may and may not do to the limits."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from headwater.claims.comparing import funnel, standardise
from headwater.claims.comparing.funnels import overdispersion


def test_dispersion_is_the_published_estimator():
    y, se = np.array([-0.3, -0.1, 0.0, 0.2, 0.4]), np.array([0.1, 0.1, 0.2, 0.1, 0.2])
    found = overdispersion(y, se, winsorised=0.0)
    # z = -3, -1, 0, 2, 2: phi = 18 / 5; w = 100, 100, 25, 100, 25: 350 - 31250 / 350 = 260.714...
    assert found.phi == pytest.approx(3.6)
    assert found.tau2 == pytest.approx((5 * 3.6 - 4) / (350 - 31250 / 350))
    assert overdispersion(y / 100, se).tau2 == 0
    assert overdispersion(y[:1], se[:1]) == (1.0, 0.0)


def test_without_more_spread_than_chance_most_lie_within_and_few_alarms_are_false(drawn):
    placed, alarms = [], 0
    for seed in range(40):
        table = funnel(standardise(drawn([1.0] * 12, size=1200, seed=seed)))
        placed += table["place"].to_pylist()
        alarms += min(table["q"].to_pylist()) < 0.05
    assert placed.count("within") / len(placed) > 0.93
    assert alarms <= 5  # the family-wise rate of no true effect is 5 % of 40


def test_a_true_outlier_is_found_among_hospitals_that_differ(drawn):
    rng = np.random.default_rng(3)
    factors = [*np.exp(0.08 * rng.standard_normal(20)), 1.6]
    table = funnel(standardise(drawn([float(one) for one in factors], size=8000, seed=4)))
    places = dict(zip(table["hospital_id"].to_pylist(), table["place"].to_pylist(), strict=True))
    # h1 was drawn 2.6 standard deviations below the others: low, and rightly so.
    assert {name: place for name, place in places.items() if place in ("high", "low")} == {"h1": "low", "h20": "high"}
    # Without the variance between hospitals chance alone would accuse many.
    naive = np.abs(np.log(table["ratio"].to_numpy()) / table["se"].to_numpy()) > stats.norm.ppf(0.999)
    assert naive.sum() >= 6


def test_limits_are_of_the_ratio_and_narrow_with_size(drawn):
    deaths = funnel(standardise(drawn([1.0] * 6, size=900, seed=5), "is_dead"))
    low, high = deaths["low_95"].to_numpy(), deaths["high_95"].to_numpy()
    assert np.all((low < 1) & (high > 1))
    widest = deaths["high_998"].to_numpy()
    assert np.all(widest > high)
    order = np.argsort(deaths["expected"].to_numpy().astype(float))
    assert np.all(np.diff((high - low)[order]) <= 1e-12)


def test_peers_have_funnels_of_their_own_and_what_has_no_ratio_has_no_place(drawn, stays):
    many = standardise(drawn([1, 1, 1], size=90, seed=6), "is_dead")
    none = standardise(stays(("z", "X", "1.00", 1, False), level="1"), "is_dead")
    table = funnel(pa.concat_tables([many, none]))
    alone = funnel(standardise(stays(("y", "X", "1.00", 1, False), ("y", "X", "2.00", 1, False))))
    assert (alone["hospitals"].to_pylist(), alone["place"].to_pylist(), alone["q"].to_pylist()) == ([1], [None], [None])
    assert table["hospitals"].to_pylist() == [3, 3, 3, 0]
    assert table["place"].to_pylist()[-1] is None
    assert table["q"].to_pylist()[-1] is None


def test_multiplicity_is_that_of_benjamini_and_hochberg(drawn):
    table = funnel(standardise(drawn([1, 1, 1, 1.3], size=400, seed=8)))
    p, q = table["p"].to_numpy(), table["q"].to_numpy()
    order = np.argsort(p)
    by_hand = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert q[order] == pytest.approx(by_hand)
