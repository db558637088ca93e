"""Hierarchical models against an independent likelihood, another program's fit, and exact posteriors."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from headwater.claims.comparing import hospital_effects, shrunken_counts
from headwater.claims.comparing.shrinking import random_intercept


def region(seed: int = 7, between: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group, hospital = rng.integers(0, 6, 600), np.minimum(rng.geometric(0.2, 600) - 1, 9)
    effects = rng.normal(0, between, 10)
    return 8 + 0.3 * group + effects[hospital] + rng.normal(0, 0.5, 600), group, hospital


def test_the_fit_is_that_of_another_program():
    # statsmodels 0.15.0: MixedLM("y ~ C(group)", groups="hospital").fit(reml=True) on the same data
    fit = random_intercept(*region())
    assert fit.between == pytest.approx(0.05138421, rel=1e-6)
    assert fit.within == pytest.approx(0.26856909, rel=1e-6)
    published = [0.343411, 0.242015, -0.197601, 0.001137, 0.05299, -0.221986, 0.223263, -0.262163, -0.014009, -0.167057]
    assert fit.effect == pytest.approx(published, abs=2e-6)


def test_the_fit_is_the_summit_of_the_likelihood_written_out_in_full():
    y, group, hospital = (one[:120] for one in region(3))
    x, z = np.eye(6)[group], np.eye(10)[hospital]

    def deviance(log: np.ndarray) -> float:
        v = np.exp(log[0]) * z @ z.T + np.exp(log[1]) * np.eye(len(y))
        inverse = np.linalg.inv(v)
        middle = x.T @ inverse @ x
        rest = y - x @ np.linalg.solve(middle, x.T @ inverse @ y)
        return float(np.linalg.slogdet(v)[1] + np.linalg.slogdet(middle)[1] + rest @ inverse @ rest)

    best = optimize.minimize(deviance, [-3.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    fit = random_intercept(y, group, hospital)
    assert np.exp(best.x) == pytest.approx([fit.between, fit.within], rel=1e-4)
    # Henderson's equations solved whole give the errors of prediction.
    whole = np.block([[x.T @ x, x.T @ z], [z.T @ x, z.T @ z + fit.within / fit.between * np.eye(10)]])
    errors = np.sqrt(fit.within * np.diag(np.linalg.inv(whole))[6:])
    assert fit.se == pytest.approx(errors, rel=1e-8)


def test_hospitals_that_do_not_differ_are_told_to_be_alike():
    y, group, _ = region(5, between=0.0)
    # Means that are balanced to the last digit leave nothing between hospitals.
    y = y - np.bincount(group, weights=y)[group] / np.bincount(group)[group]
    fit = random_intercept(np.tile(y, 3), np.tile(group, 3), np.repeat([0, 1, 2], 600))
    assert fit.between < 1e-6
    assert np.abs(fit.effect).max() < 1e-6


def test_small_hospitals_are_drawn_to_the_mean_and_intervals_hold(drawn):
    rng, held, reliabilities = np.random.default_rng(9), [], []
    for seed in range(25):
        factors = np.exp(0.2 * rng.standard_normal(12))
        table = hospital_effects(drawn(factors.tolist(), size=500, seed=seed))
        names = [int(one[1:]) for one in table["hospital_id"].to_pylist()]
        true = factors[names] / np.exp(np.log(factors[names]).mean())
        held += ((table["lower"].to_numpy() <= true) & (true <= table["upper"].to_numpy())).tolist()
        reliabilities.append(table["reliability"].to_numpy())
    assert np.mean(held) > 0.90
    assert all(np.all((one > 0) & (one < 1)) for one in reliabilities)


def test_counts_have_the_posterior_that_integration_gives():
    observed, expected = np.array([0, 3, 12, 20, 41]), np.array([2.0, 5.0, 8.0, 21.0, 30.0])
    mean, lower, upper = shrunken_counts(observed, expected)

    def evidence(a: float) -> float:
        def part(o: int, e: float) -> float:
            return integrate.quad(lambda t: stats.poisson.pmf(o, e * t) * stats.gamma.pdf(t, a, scale=1 / a), 0, 8)[0]

        return -sum(np.log(part(o, e)) for o, e in zip(observed, expected, strict=True))

    found = optimize.minimize_scalar(lambda log: evidence(np.exp(log)), bounds=(0, 5), method="bounded")
    a = np.exp(found.x)
    assert mean == pytest.approx((a + observed) / (a + expected), rel=1e-3)
    assert np.all((lower < mean) & (mean < upper))
    raw = observed / expected
    assert np.all(np.abs(mean - 1) <= np.abs(raw - 1) + 1e-9)
