"""One record exchanged for another moves the squares by no more than is said, and by as much."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics.bounded import BoundedSquares

SMALL = BoundedSquares(dim=3, radius=4)


def moved(form, one, other):
    steps = [form.statistic(np.array([z], dtype=float)).values.view(np.int64) for z in (one, other)]
    return float(np.linalg.norm((steps[0] - steps[1]).astype(float)))


def test_the_bound_is_that_of_the_worst_pair_of_all():
    reach = range(-SMALL.radius, SMALL.radius + 1)
    inside = [z for z in product(reach, repeat=3) if sum(n * n for n in z) <= SMALL.radius**2]
    told = SMALL.statistic(np.array(inside, dtype=float)[:0]).values.size
    vectors = np.array([SMALL.statistic(np.array([z], dtype=float)).values.view(np.int64) for z in inside], dtype=float)
    assert vectors.shape == (len(inside), told)
    squared = (vectors**2).sum(axis=1)
    distances = squared[:, None] + squared[None, :] - 2 * vectors @ vectors.T
    assert np.sqrt(distances.max()) == pytest.approx(SMALL.l2)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5), st.lists(st.floats(-1, 1), min_size=5, max_size=5))
def test_no_pair_moves_the_statistic_further(one, other):
    form = BoundedSquares(dim=5, radius=16)
    on_rim = [np.trunc(16 * np.array(z) / max(float(np.linalg.norm(z)), 1e-9)) for z in (one, other)]
    assert moved(form, *on_rim) <= form.l2 * (1 + 1e-12)


def test_records_on_the_rim_at_right_angles_move_it_furthest():
    form = BoundedSquares(dim=2, radius=10)
    assert moved(form, (10, 0), (0, 10)) == pytest.approx(form.l2)
    # What stands beside the diagonal counts 7 / 5 where √2 would be exact.
    assert moved(form, (7, 7), (7, -7)) == pytest.approx(7 * 2 * 49)


def test_any_partition_gives_the_same_bits_and_the_matrix_comes_back():
    rng = np.random.default_rng(1)
    z = rng.integers(-6, 7, (40, 4)).astype(float)
    form = BoundedSquares(dim=4, radius=16)
    whole = form.statistic(z)
    parts = [form.statistic(part) for part in np.split(z, [3, 3, 21])]
    assert parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3]) == whole
    assert np.array_equal(form.matrix(whole), z.T @ z)


def test_bounds_hold_every_value_and_are_reached():
    form = BoundedSquares(dim=2, radius=10)
    rows = {"square": (10, 0), "less": (7, -7), "more": (7, 7)}
    values = {
        name: form.statistic(np.array([z] * 3, dtype=float)).values.view(np.int64).tolist() for name, z in rows.items()
    }
    low, high = form.bounds(3)
    assert all(low <= value <= high for many in values.values() for value in many)
    assert max(values["square"]) == high
    assert min(values["less"]) == -3 * 7 * 49 >= low == -3 * 7 * 50


@pytest.mark.parametrize("z", [(11, 0), (8, 8), (0.5, 0), (float("nan"), 0)])
def test_what_is_too_long_or_not_whole_is_refused(z):
    with pytest.raises(Refusal) as refusal, np.errstate(invalid="ignore"):
        BoundedSquares(dim=2, radius=10).statistic(np.array([z, (1, 1)]))
    assert refusal.value.code == "E-BOUNDED-RECORD"


def test_statistics_of_another_radius_are_not_read_or_merged():
    one, other = (BoundedSquares(2, radius).statistic(np.ones((1, 2))) for radius in (10, 12))
    for action in (lambda: one.merge(other), lambda: BoundedSquares(2, 10).matrix(other)):
        with pytest.raises(Refusal) as refusal:
            action()
        assert refusal.value.code == "E-STATISTIC-FORM"
