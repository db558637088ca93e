"""ε of noise on whole numbers agrees with another library's, and the least noise is least."""

from functools import partial

import numpy as np
import pytest
from dp_accounting.rdp import rdp_privacy_accountant as rdp
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security.divergence import TABLES, epsilon_at, gaussian, least, plus, require_claim, skellam
from headwater.statistics.gaussian import epsilon_of


@pytest.mark.parametrize("noise", [0.7, 1.0, 4.0, 40.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-9])
def test_epsilon_is_the_library_s(noise: float, delta: float):
    orders = np.concatenate([np.linspace(1.01, 2, 300), np.geomspace(2, 2_000, 3_000)])
    theirs, _ = rdp.compute_epsilon(orders, orders / (2 * noise**2), delta)
    assert epsilon_at(gaussian(noise, l2=1.0), delta) == pytest.approx(theirs, rel=2e-3)


@pytest.mark.parametrize("noise", [0.7, 1.0, 4.0, 40.0])
def test_it_is_never_below_the_exact_number_of_the_gaussian(noise: float):
    found, exact = epsilon_at(gaussian(noise, l2=1.0), 1e-6), epsilon_of(noise, 1e-6)
    assert exact < found < 1.12 * exact


def test_skellam_nears_the_gaussian_on_a_fine_grid_and_is_dearer_on_a_coarse_one():
    for l2, most in ((1.0, 1.4), (10.0, 1.03), (1000.0, 1.001)):
        fine = epsilon_at(skellam(4 * l2, l2=l2, l1=l2**2), 1e-6)
        plain = epsilon_at(gaussian(4 * l2, l2=l2), 1e-6)
        assert plain < fine < most * plain


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 8), st.floats(1e-9, 1e-3), st.floats(0.5, 100))
def test_the_least_noise_keeps_the_claim_and_a_little_less_does_not(epsilon: float, delta: float, l2: float):
    made = partial(gaussian, l2=l2)
    deviation = least(made, epsilon=epsilon, delta=delta)
    left = (1 - TABLES) * delta
    assert epsilon_at(made(deviation), left) <= epsilon < epsilon_at(made(deviation * 0.999), left)


def test_noise_is_added_modulo_two_to_the_64():
    values = np.array([2**64 - 1, 0, 5], dtype=np.uint64)
    assert plus(values, np.array([1, -1, -7])).tolist() == [0, 2**64 - 1, 2**64 - 2]


@pytest.mark.parametrize("sensitivity", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_sensitivity_that_is_not_told_is_refused(sensitivity):
    with pytest.raises(Refusal, match="E-NOISE-SENSITIVITY"):
        require_claim(1.0, 1e-6, sensitivity)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.1), (-1.0, 0.1), (float("nan"), 0.1), (1.0, 0.0), (1.0, 1.0)])
def test_a_claim_that_cannot_be_is_refused(epsilon, delta):
    with pytest.raises(Refusal, match="E-NOISE-CLAIM"):
        require_claim(epsilon, delta, 1.0)
