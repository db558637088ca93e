"""Planted extreme stays: what is planted is what the flags say, and the model finds more of them than the rule."""

from pathlib import Path

import numpy as np
import pytest

from headwater.bench.grouping_extremes import STRENGTHS, measure, planted, region

PLAN = Path(__file__).resolve().parents[3] / "dbt_project" / "plans" / "headwater_demo"


@pytest.fixture(scope="module")
def stays():
    return region(PLAN, stays=6000, seed=4)


def test_what_is_planted_changed_by_the_stated_factor_and_nothing_else_did(stays):
    table, flags = planted(stays, strength="plain", seed=1)
    before, after = (np.array([float(one) for one in t["medfee_sumamt"].to_pylist()]) for t in (stays, table))
    low, high = STRENGTHS["plain"]
    factor = np.exp(np.abs(np.log(after / before)))
    assert np.all((factor[flags] > 0.99 * low) & (factor[flags] < 1.01 * high))
    assert np.array_equal(before[~flags], after[~flags])
    assert 0.005 < flags.mean() < 0.03
    assert table.drop_columns("medfee_sumamt").equals(stays.drop_columns("medfee_sumamt"))


def test_all_methods_alarm_equally_often_and_far_better_than_by_chance(stays):
    table, flags = planted(stays, strength="plain", seed=1)
    found = measure(table, flags, seed=1)
    assert found["alarms"] == found["planted"] == flags.sum()
    for method in ("rule", "model", "model_knowing_days"):
        assert 10 * flags.mean() < found[method]["precision"] <= 1
    assert found["model_knowing_days"]["area"] > found["rule"]["area"]
