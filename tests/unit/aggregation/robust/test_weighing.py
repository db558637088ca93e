"""Sums already revealed are combined so that those left out weigh exactly nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation.robust.weighing import combined, weights
from headwater.federation.division import crossed
from headwater.statistics import Gram, Statistic


def _case(sources, seed, gone):
    rng = np.random.default_rng(seed)
    masks = crossed([f"h{place:03d}" for place in range(sources)])
    sizes = rng.integers(20, 400, sources).astype(float)
    left_out = np.isin(np.arange(sources), rng.choice(sources, gone, replace=False))
    return masks, left_out, sizes, sizes + 0.01 * sizes**2


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 60), st.integers(0, 2**31), st.floats(0.0, 0.3))
def test_who_is_left_out_weighs_nothing_and_nobody_less(sources, seed, share):
    masks, gone, sizes, variances = _case(sources, seed, int(share * sources))
    each = weights(masks, gone, sizes, variances) @ masks
    largest = max(float(np.abs(each).max()), 1.0)
    assert np.abs(each[gone]).max(initial=0.0) < 1e-9 * largest
    assert each.min() > -1e-8 * largest


def test_of_sources_alike_with_nobody_left_out_it_is_the_plain_sum():
    masks, gone, sizes, _ = _case(30, 1, 0)
    assert weights(masks, gone, sizes, sizes) @ masks == pytest.approx(np.ones(30))


def test_no_other_weights_of_the_same_sums_tell_more():
    masks, gone, sizes, variances = _case(30, 2, 3)
    each = weights(masks, gone, sizes, variances) @ masks
    rng = np.random.default_rng(0)

    def tells(some):
        return (some @ sizes) ** 2 / (some**2 @ variances)

    free = np.linalg.svd(masks[:, gone | (each < 1e-9)].T.astype(float))[2][int((gone | (each < 1e-9)).sum()) :]
    for _ in range(200):
        other = (rng.normal(size=len(free)) @ free) @ masks
        assert tells(other) <= tells(each) * (1 + 1e-9)


def test_nothing_is_joined_where_everybody_is_left_out():
    masks, _, sizes, variances = _case(12, 3, 0)
    assert (weights(masks, np.ones(12, dtype=bool), sizes, variances) == 0).all()


def test_what_is_joined_is_a_statistic_again():
    masks, gone, sizes, variances = _case(30, 4, 6)
    gram, rng = Gram(4), np.random.default_rng(5)
    said = [gram.sample(rng) for _ in range(30)]
    sums = tuple(Statistic.total(said[place] for place in np.flatnonzero(mask)) for mask in masks)
    joined = combined(gram, sums, weights(masks, gone, sizes, variances))
    gram.check(joined)
    assert gram.records(joined) > 0


def test_what_the_left_out_say_changes_nothing():
    masks, gone, sizes, variances = _case(30, 6, 4)
    gram, rng = Gram(4), np.random.default_rng(7)
    said = [gram.sample(rng) for _ in range(30)]
    lied = [gram.sample(rng).merge(one) if left else one for one, left in zip(said, gone, strict=True)]
    shares = weights(masks, gone, sizes, variances)
    honest, poisoned = (
        gram.moments(
            combined(gram, tuple(Statistic.total(some[at] for at in np.flatnonzero(mask)) for mask in masks), shares)
        )
        for some in (said, lied)
    )
    assert poisoned.xy == pytest.approx(honest.xy, abs=1e-5)
    assert poisoned.xx == pytest.approx(honest.xx, abs=1e-5)
