"""The update statistic is the example-weighted mean of parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headwater.errors import Refusal
from headwater.statistics import FixedPoint, Statistic, Update

UPDATE = Update(3)
parts = st.lists(
    st.tuples(arrays(np.float64, 3, elements=st.floats(-100, 100)), st.integers(0, 10_000)), min_size=1, max_size=6
)


@settings(deadline=None, derandomize=True)
@given(parts)
def test_solution_is_the_weighted_mean(sources):
    total = Statistic.total(UPDATE.statistic(parameters, records=records) for parameters, records in sources)
    weights = np.array([records for _, records in sources], dtype=float)
    assert UPDATE.records(total) == weights.sum()
    if weights.sum():
        mean = weights @ np.array([parameters for parameters, _ in sources]) / weights.sum()
        np.testing.assert_allclose(UPDATE.solve(total), mean, atol=len(sources) * FixedPoint().resolution)


def test_removing_a_source_is_exact():
    a, b = UPDATE.statistic(np.arange(3.0), records=7), UPDATE.statistic(np.ones(3) / 3, records=11)
    assert a.merge(b).subtract(b) == a


def test_no_records_is_refused():
    with pytest.raises(Refusal) as caught:
        UPDATE.solve(UPDATE.statistic(np.ones(3), records=0))
    assert caught.value.code == "E-UPDATE-EMPTY"


def test_foreign_statistics_are_refused():
    with pytest.raises(Refusal) as caught:
        UPDATE.solve(Update(4).statistic(np.ones(4), records=1))
    assert caught.value.code == "E-STATISTIC-FORM"


@pytest.mark.parametrize("count", [-1.0, 0.5])
def test_check_refuses_false_counts(count):
    values = FixedPoint().encode(np.array([0.0, 0.0, 0.0, count]))
    with pytest.raises(Refusal) as caught:
        UPDATE.check(Statistic("update", (3,), values))
    assert caught.value.code == "E-UPDATE-IMPOSSIBLE"


def test_check_accepts_honest_ones():
    UPDATE.check(UPDATE.statistic(np.ones(3), records=5))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Update(0),
        lambda: UPDATE.statistic(np.ones(2), records=1),
        lambda: UPDATE.statistic(np.ones(3), records=-1),
    ],
)
def test_wrong_arguments_are_errors(wrong):
    with pytest.raises(ValueError, match="must be"):
        wrong()
