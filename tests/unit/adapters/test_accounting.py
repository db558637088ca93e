"""What releases cost, held against closed forms and integrals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import binom, skellam

from headwater.adapters.accounting import epsilon, fits
from headwater.errors import Refusal
from headwater.security.events import (
    Approximate,
    Concentrated,
    DiscreteGaussian,
    Gaussian,
    Laplace,
    NonPrivate,
    Skellam,
    Subsampled,
)
from headwater.security.tally import NOTHING
from headwater.statistics.gaussian import delta_of, epsilon_of, noise_for

DELTA = 1e-6


def cost(*events, delta=DELTA):
    tally = NOTHING
    for event, times in events:
        tally = tally.plus(event, times)
    return epsilon(tally, delta)


def responses(each, times):
    """Return losses and probabilities of answers to that many questions, each told with odds e^each."""
    told = np.arange(times + 1)
    return each * (2.0 * told - times), binom.pmf(told, times, 1 / (1 + math.exp(-each)))


def solved(profile, high):
    return float(brentq(lambda value: profile(value) - DELTA, 0, high, xtol=1e-12))


@pytest.mark.parametrize(("each", "times"), [(0.1, 52), (0.0123456, 365), (1.0, 10), (0.00137, 5000), (3.0, 40)])
def test_pure_releases_cost_what_kairouz_oh_and_viswanath_prove(each, times):
    losses, chances = responses(each, times)
    exact = solved(lambda e: (chances * np.clip(1 - np.exp(e - losses), 0, None)).sum(), each * times)
    assert exact * (1 - 1e-9) <= cost((Approximate(each), times)) <= 1.002 * exact


def test_gaussian_and_pure_releases_together_cost_the_mixture():
    noise = noise_for(1.0, DELTA)
    losses, chances = responses(0.2, 20)

    def profile(e):
        return sum(p * delta_of(e - loss, noise / 12**0.5) for p, loss in zip(chances, losses, strict=True))

    exact = solved(profile, 50)
    assert exact * (1 - 1e-9) <= cost((Approximate(0.2), 20), (Gaussian(noise), 12)) <= 1.001 * exact


@pytest.mark.parametrize("first", [0.5, 2.0])
def test_laplace_and_gaussian_together_cost_the_integral(first):
    noise = 2.0

    def given(loss):
        return delta_of(value - loss, noise)

    def profile(e):
        nonlocal value
        value = e
        pure = 1 / first
        ends = 0.5 * given(pure) + 0.5 * math.exp(-pure) * given(-pure)
        # Between its ends the loss of Laplace noise has density e^((loss - pure) / 2) / 4.
        return ends + quad(lambda loss: math.exp((loss - pure) / 2) / 4 * given(loss), -pure, pure, epsabs=1e-13)[0]

    value = 0.0
    exact = solved(profile, 40)
    assert exact * (1 - 1e-7) <= cost((Laplace(first), 1), (Gaussian(noise), 1)) <= 1.002 * exact


@pytest.mark.parametrize("times", [1, 12, 365, 10_000])
def test_gaussian_releases_cost_their_closed_form(times):
    noise = noise_for(1.0, DELTA)
    assert cost((Gaussian(noise), times)) == pytest.approx(epsilon_of(noise / times**0.5, DELTA), rel=1e-9)


def test_a_year_of_weeks_costs_far_less_than_its_sum():
    assert cost((Gaussian(noise_for(0.1, DELTA)), 52)) < 52 * 0.1 / 5


@pytest.mark.parametrize("scale", [20, 60])
def test_discrete_noise_of_one_count_costs_no_less_than_its_exact_loss(scale):
    span = np.arange(-60 * scale, 60 * scale + 1)
    discrete = np.exp(-(span**2) / (2 * scale**2))
    for event, chances in (
        (DiscreteGaussian(scale / 10), discrete / discrete.sum()),
        (Skellam(scale**2, 10, 10), skellam.pmf(span, scale**2 / 2, scale**2 / 2)),
    ):
        here, there = chances[10:], chances[:-10]
        exact = solved(lambda e, a=here, b=there: np.clip(a - math.exp(e) * b, 0, None).sum(), 100)
        assert exact <= cost((event, 1)) <= 1.12 * exact


def test_a_discrete_gaussian_costs_what_its_concentration_costs():
    assert (
        cost((DiscreteGaussian(5.0), 3))
        == cost((Concentrated(3 / 50), 1))
        == pytest.approx(cost((Concentrated(0.02), 3)))
    )


def test_subsampling_helps_and_a_rate_of_one_does_not():
    assert cost((Subsampled(Gaussian(4.0), 1.0), 1)) == pytest.approx(cost((Gaussian(4.0), 1)), rel=1e-4)
    assert cost((Subsampled(Gaussian(4.0), 0.1), 1)) < 0.2 * cost((Gaussian(4.0), 1))


def test_nothing_costs_nothing_and_a_release_without_noise_everything():
    assert cost() == 0
    assert cost((NonPrivate(), 1), (Gaussian(3), 1)) == math.inf
    assert cost((Approximate(1.0, 1e-5), 1)) == math.inf
    for delta in (0, 1, -1, math.nan):
        with pytest.raises(Refusal) as refusal:
            cost((Gaussian(1), 1), delta=delta)
        assert refusal.value.code == "E-ACCOUNT-DELTA"


EVENTS = st.sampled_from(
    [Gaussian(3.0), Gaussian(20.0), Laplace(5.0), Approximate(0.3), Approximate(0.01, 1e-9), Concentrated(0.01)]
    + [DiscreteGaussian(8.0), Skellam(400.0, 2.0, 3.0), Subsampled(Gaussian(2.0), 0.05)]
)


@settings(max_examples=25)
@given(st.lists(st.tuples(EVENTS, st.integers(1, 20)), max_size=4), st.tuples(EVENTS, st.integers(1, 20)))
def test_more_releases_never_cost_less_and_never_more_than_their_sum(some, one):
    before, after = cost(*some), cost(*some, one)
    assert after >= before * (1 - 1e-9)
    # Of δ / 2 each, costs add up to a bound at δ; the grid may add a hair.
    assert after <= (cost(*some, delta=DELTA / 2) + cost(one, delta=DELTA / 2)) * 1.001 + 1e-3


@given(st.floats(0.5, 30), st.sampled_from([Gaussian(4.0), Gaussian(40.0)]), st.integers(0, 30))
def test_what_fits_fits_and_one_more_does_not(cap, event, before):
    tally = NOTHING.plus(event, before)
    count = fits(tally, event, delta=DELTA, cap=cap)
    if count:
        assert epsilon(tally.plus(event, count), DELTA) <= cap
    assert epsilon(tally.plus(event, count + 1), DELTA) > cap
