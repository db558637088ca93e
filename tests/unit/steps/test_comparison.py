"""A model is better only beyond what other held-out stays might have shown."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from headwater.steps.comparison import compare

HOSPITALS = 20


def of_hospitals(actual, hospitals=HOSPITALS):
    """Return stays whose hospitals follow each other in turn."""
    names = [f"H{k % hospitals:02d}" for k in range(len(actual))]
    return pa.table(
        {"log_cost": actual, "cost": np.exp(actual), "hospital": names, "source_id": [name.lower() for name in names]}
    )


def judged(ours, theirs, *, rows=400, metric="r2_log", seed=0, together=0.0):
    """Compare models whose errors of ln(cost) deviate by ``ours`` and ``theirs``, and ``together`` by hospital."""
    rng = np.random.default_rng(seed)
    actual = rng.normal(9.0, 1.0, rows)
    table = of_hospitals(actual)
    places = np.arange(rows) % HOSPITALS
    return compare(
        actual + rng.normal(0, ours, rows) + rng.normal(0, together, HOSPITALS)[places],
        actual + rng.normal(0, theirs, rows) + rng.normal(0, together, HOSPITALS)[places],
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
    table = of_hospitals(np.arange(9.0), 3)
    found = compare(np.ones(9), np.ones(9), table, target="log_cost", metric="r2_log", opponent=None)
    assert (found.difference, found.low, found.high, found.is_better) == (0.0, 0.0, 0.0, False)
    assert "the bureau's records alone" in found.told.en


def test_the_difference_is_that_of_r2_and_of_mean_absolute_errors():
    rng = np.random.default_rng(3)
    actual, ours, theirs = rng.normal(size=50), rng.normal(size=50), rng.normal(size=50)
    table = of_hospitals(actual)

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


def test_stays_of_one_hospital_go_together():
    """What a model finds hard of a whole hospital is one piece of luck, however many stays it has."""
    rows = 2000
    found = [judged(0.3, 0.3, rows=rows, seed=seed, together=0.4) for seed in range(400)]
    called = sum(one.is_better for one in found)
    assert called <= 20, "2.5 % of 400 are 10, and more than 20 of them a chance of one in a thousand"
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.92


def test_the_interval_is_that_of_the_means_of_hospitals_of_one_size():
    rng = np.random.default_rng(5)
    actual, ours, theirs = rng.normal(size=60), rng.normal(size=60), rng.normal(size=60)
    found = compare(ours, theirs, of_hospitals(actual, 6), target="log_cost", metric="r2_log", opponent="m/1")
    gained = ((actual - theirs) ** 2 - (actual - ours) ** 2) / actual.var()
    means = gained.reshape(-1, 6).mean(axis=0)
    half = stats.t.ppf(0.975, 5) * means.std(ddof=1) / 6**0.5
    assert (found.low, found.high) == pytest.approx((means.mean() - half, means.mean() + half))


def test_of_one_hospital_alone_nobody_knows_what_another_would_show():
    rng = np.random.default_rng(5)
    actual = rng.normal(size=60)
    found = compare(actual, actual + 1.0, of_hospitals(actual, 1), target="log_cost", metric="r2_log", opponent=None)
    assert (found.is_better, found.low) == (False, -np.inf)


def test_hospitals_of_two_deliverers_under_one_code_are_two():
    rng = np.random.default_rng(6)
    actual = rng.normal(size=60)
    table = of_hospitals(actual, 6)
    same = table.set_column(table.column_names.index("hospital"), "hospital", pa.array(["H"] * 60))
    found = [
        compare(actual, actual + 1.0, one, target="log_cost", metric="mae", opponent=None) for one in (table, same)
    ]
    assert found[0] == found[1]
