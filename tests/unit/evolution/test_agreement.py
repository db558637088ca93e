"""The evidence of records after others is that of a Bayesian linear model, worked out from sums alone."""

import numpy as np
import pytest
from scipy import integrate, stats

from headwater.evolution.agreement import Sums, log_evidence
from headwater.statistics import Gram

GRAM = Gram(dim=3, intercept=False)


def records(seed, count=20, beta=(1.0, -0.5, 0.25)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    return x, x @ np.array(beta) + rng.normal(size=count)


def sums(x, y):
    column = np.column_stack([x, y])
    return Sums(column.T @ column, float(len(y)))


def evidence(*those):
    return log_evidence(np.stack([one.matrix for one in those]), np.array([one.records for one in those]))


def test_a_statistic_is_decoded_into_the_sums_of_its_records():
    x, y = records(1)
    found, expected = Sums.of(GRAM, GRAM.statistic(x, y)), sums(x, y)
    assert found.records == 20
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-6)


def test_the_evidence_of_one_more_record_is_students_predictive_density():
    """O'Hagan 1994: with Jeffreys' prior on n records, t with n degrees of freedom around the least squares fit."""
    x, y = records(2)
    past = sums(x, y)
    fit = past.coefficients(0.0)
    squares = float(past.squares(fit[None])[0])
    for seed in range(5):
        new_x, new_y = records(seed + 10, count=1)
        spread = squares / 20 * (1 + new_x[0] @ np.linalg.solve(x.T @ x, new_x[0]))
        expected = stats.t.logpdf(new_y[0], 20, loc=new_x[0] @ fit, scale=spread**0.5)
        both = past + sums(new_x, new_y)
        assert np.diff(evidence(past, both))[0] == pytest.approx(expected, abs=1e-9)


def test_the_predictive_density_sums_to_one():
    x, y = records(3)
    past = sums(x, y)
    new_x = np.array([[0.3, -1.0, 2.0]])

    def density(outcome):
        return float(np.exp(np.diff(evidence(past, past + sums(new_x, np.array([outcome])))))[0])

    assert integrate.quad(density, -60, 60, points=[0])[0] == pytest.approx(1.0, abs=1e-4)


def test_evidence_does_not_depend_on_the_order_in_which_records_come():
    first, second, third = (sums(*records(seed)) for seed in (4, 5, 6))
    steps = np.diff(evidence(first, first + second, first + second + third)).sum()
    assert steps == pytest.approx(np.diff(evidence(first, first + third + second))[0])


def test_records_of_another_relation_agree_less():
    past, same, other = sums(*records(7)), sums(*records(8)), sums(*records(9, beta=(-1.0, 0.5, 0.0)))
    with_same, with_other = evidence(past + same, past + other)
    assert with_same > with_other + 5


def test_sums_are_scaled_down_and_never_up():
    one = sums(*records(1))
    assert one.worth(5).records == 5
    np.testing.assert_allclose(one.worth(5).matrix, one.matrix / 4)
    assert one.worth(50).records == 20
    nothing = Sums.nothing(GRAM).worth(5)
    assert nothing.records == 0
    np.testing.assert_array_equal((one - one).matrix, nothing.matrix)


def test_squares_and_coefficients_are_those_of_the_records():
    x, y = records(1)
    models = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, -1.0]])
    expected = [((y - x @ model) ** 2).sum() for model in models]
    np.testing.assert_allclose(sums(x, y).squares(models), expected)
    ridge = np.linalg.solve(x.T @ x + 3.0 * np.eye(3), x.T @ y)
    np.testing.assert_allclose(sums(x, y).coefficients(3.0), ridge)
