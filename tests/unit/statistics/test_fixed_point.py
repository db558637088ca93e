"""Encoding is exact to the resolution, and refuses what does not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headwater.errors import Refusal
from headwater.statistics import FixedPoint, on_grid

CODE = FixedPoint()
numbers = st.floats(-(2.0**24), 2.0**24)


@settings(deadline=None, derandomize=True)
@given(arrays(np.float64, st.integers(0, 20), elements=numbers))
def test_round_trip_within_half_a_step(values):
    assert np.abs(CODE.decode(CODE.encode(values)) - values).max(initial=0.0) <= CODE.resolution / 2


@settings(deadline=None, derandomize=True)
@given(arrays(np.float64, 8, elements=numbers), st.integers(1, 20))
def test_sums_are_sums_of_the_encoded(values, times):
    encoded = CODE.encode(values)
    total = np.zeros_like(encoded)
    for _ in range(times):
        total += encoded
    np.testing.assert_array_equal(CODE.decode(total), times * CODE.decode(encoded))


def test_negative_numbers_are_twos_complement():
    np.testing.assert_array_equal(CODE.encode(np.array([-CODE.resolution])), np.array([2**64 - 1], dtype=np.uint64))


@pytest.mark.parametrize("fraction", [0, 10, 40])
def test_headroom_holds_what_it_promises(fraction):
    code = FixedPoint(fraction_bits=fraction, headroom_bits=3)
    edge = min(np.nextafter(code.limit, 0), code.limit - code.resolution)
    largest = code.encode(np.array([edge, -edge]))
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        code.encode(np.array([code.limit]))
    total = sum((largest for _ in range(8)), start=np.zeros(2, dtype=np.uint64))
    assert (np.sign(code.decode(total)) == [1, -1]).all()


@pytest.mark.parametrize("value", [CODE.limit, -CODE.limit, CODE.limit - CODE.resolution / 2, 1e300])
def test_too_large_is_refused_not_wrapped(value):
    with pytest.raises(Refusal) as caught:
        CODE.encode(np.array([0.0, value]))
    assert caught.value.code == "E-FIXED-RANGE"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(value):
    with pytest.raises(Refusal) as caught:
        CODE.encode(np.array([value, 1.0]))
    assert caught.value.code == "E-FIXED-FINITE"


@pytest.mark.parametrize(("fraction", "headroom"), [(-1, 10), (28, -1), (60, 10)])
def test_impossible_layouts_are_errors(fraction, headroom):
    with pytest.raises(ValueError, match="at least one bit"):
        FixedPoint(fraction_bits=fraction, headroom_bits=headroom)


@settings(deadline=None, derandomize=True)
@given(arrays(np.float64, 5, elements=st.floats(-1e6, 1e6)))
def test_grid_is_idempotent_and_near(values):
    once = on_grid(values)
    np.testing.assert_array_equal(once, on_grid(once))
    assert np.abs(once - values).max() <= 2.0**-15
