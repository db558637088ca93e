"""Damped Gauss-Newton steps from sums."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.federation import Curved
from headwater.statistics import Statistic


class Wave(Curved):
    """sin(a x) + b: two parameters, two hills."""

    def initial(self):
        return np.array([2.4, 0.0])

    def outputs(self, parameters, x):
        return np.sin(parameters[0] * x[:, 1]) + parameters[1]

    def jacobian(self, parameters, x):
        return np.column_stack([x[:, 1] * np.cos(parameters[0] * x[:, 1]), np.ones(len(x))])


def records(seed: int, rows: int = 80):
    x = np.column_stack([np.ones(rows), np.random.default_rng(seed).normal(size=rows)])
    return x, np.sin(1.5 * x[:, 1]) + 0.25


def learnt(learner, parts, rounds):
    state, losses = learner.describe().start, []
    for _ in range(rounds):
        state = learner.solve(state, Statistic.total(learner.statistic(state, x, y) for x, y in parts))
        losses.append(state[-2])
    return state, losses


def test_it_finds_the_parameters_and_never_keeps_a_worse_loss():
    learner, parts = Wave(2, decay=1e-9), [records(seed) for seed in range(3)]
    state, losses = learnt(learner, parts, 20)
    assert np.abs(state[2:4] - [1.5, 0.25]).max() < 1e-6
    assert losses == sorted(losses, reverse=True)


def test_a_step_uphill_is_taken_back_by_three_quarters_and_damped_more():
    learner, (x, y) = Wave(2), records(1)
    best = np.array([1.4, 0.2])
    state = np.concatenate([[5.4, 0.2], best, [1e-3, 0.5]])
    after = learner.solve(state, learner.statistic(state, x, y))
    assert after.tolist() == pytest.approx([2.4, 0.2, *best, 1e-3, 2.0])


def test_sources_apart_take_the_steps_of_their_records_together():
    learner, parts = Wave(2), [records(seed, 30 + seed) for seed in range(4)]
    together = tuple(np.concatenate(one) for one in zip(*parts, strict=True))
    apart, _ = learnt(learner, parts, 6)
    pooled, _ = learnt(learner, [together], 6)
    assert np.abs(apart - pooled).max() < 1e-6


def test_large_networks_are_refused():
    class Large(Wave):
        def initial(self):
            return np.zeros(1001)

    with pytest.raises(Refusal) as refusal:
        Large(2).describe()
    assert refusal.value.code == "E-NETWORK-LARGE"
    assert "1000" in refusal.value.reason.en
