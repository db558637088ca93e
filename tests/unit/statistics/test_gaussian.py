"""Noise of the analytic Gaussian mechanism: exactly as private as it says, and no noisier."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from headwater.statistics.gaussian import delta_of, noise_for


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 10), st.floats(0.2, 20))
def test_delta_is_the_integral_of_what_exceeds(epsilon, noise):
    """The definition: the mass by which one world's density exceeds e^ε times the other's."""

    def exceeds(z):
        return max(0.0, norm.pdf(z, 1, noise) - math.exp(epsilon) * norm.pdf(z, 0, noise))

    start = noise**2 * epsilon + 0.5
    mass = quad(exceeds, start, start + 12 * noise + 12, limit=200)[0]
    assert delta_of(epsilon, noise) == pytest.approx(mass, rel=1e-5, abs=1e-10)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0, 8.0])
def test_the_noise_is_the_smallest_that_suffices(epsilon):
    noise = noise_for(epsilon, 1e-5)
    assert delta_of(epsilon, noise) <= 1e-5 < delta_of(epsilon, 0.999 * noise)


def test_less_than_the_classical_bound():
    assert noise_for(1.0, 1e-5) < math.sqrt(2 * math.log(1.25e5))


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 0.1), (1, 0), (1, 1), (-1, 0.1), (np.nan, 0.1)])
def test_nonsense_is_refused(epsilon, delta):
    with pytest.raises(ValueError, match="epsilon"):
        noise_for(epsilon, delta)
