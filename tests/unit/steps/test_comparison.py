"""A model is better only beyond what other held-out stays might have shown."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.steps.comparison import compare


def judged(ours, theirs, *, rows=400, metric="r2_log", seed=0):
    """Compare models whose errors of ln(cost) deviate by ``ours`` and ``theirs``."""
    rng = np.random.default_rng(seed)
    actual = rng.normal(9.0, 1.0, rows)
    table = pa.table({"log_cost": actual, "cost": np.exp(actual)})
    return compare(
        actual + rng.normal(0, ours, rows),
        actual + rng.normal(0, theirs, rows),
        table,
        target="log_cost",
        metric=metric,
        opponent="m/1",
    )


@pytest.mark.parametrize("metric", ["r2_log", "mae"])
def test_a_clearly_smaller_error_wins_and_a_larger_one_loses(metric):
    assert judged(0.3, 0.6, metric=metric).is_better
    assert not judged(0.6, 0.3, metric=metric).is_better


def test_equal_models_are_never_better_and_differ_by_nothing():
    table = pa.table({"log_cost": np.arange(9.0), "cost": np.exp(np.arange(9.0))})
    found = compare(np.ones(9), np.ones(9), table, target="log_cost", metric="r2_log", opponent=None)
    assert (found.difference, found.low, found.high, found.is_better) == (0.0, 0.0, 0.0, False)
    assert "the bureau's records alone" in found.told.en


def test_the_difference_is_that_of_r2_and_of_mean_absolute_errors():
    rng = np.random.default_rng(3)
    actual, ours, theirs = rng.normal(size=50), rng.normal(size=50), rng.normal(size=50)
    table = pa.table({"log_cost": actual, "cost": np.exp(actual)})

    def r2(found):
        return 1 - ((actual - found) ** 2).mean() / actual.var()

    by_r2 = compare(ours, theirs, table, target="log_cost", metric="r2_log", opponent="m/1")
    assert by_r2.difference == pytest.approx(r2(ours) - r2(theirs))
    by_mae = compare(ours, theirs, table, target="log_cost", metric="mae", opponent="m/1")
    errors = [np.abs(np.exp(found) - np.exp(actual)).mean() for found in (ours, theirs)]
    assert by_mae.difference == pytest.approx(errors[1] - errors[0])


def test_of_equally_good_models_about_one_in_forty_is_called_better():
    called = sum(judged(0.5, 0.5, rows=200, seed=seed).is_better for seed in range(400))
    assert called <= 20, "2.5 % of 400 are 10, and more than 20 of them a chance of one in a thousand"
    # Without the interval about half of them would be promoted.
    assert sum(judged(0.5, 0.5, rows=200, seed=seed).difference > 0 for seed in range(400)) > 150
