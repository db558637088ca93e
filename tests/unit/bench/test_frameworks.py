"""The bench of frameworks: averaging is the real thing, and figures come of what was run."""

import sys

import numpy as np

from headwater.bench import frameworks
from headwater.bench.frameworks_averaging import Block, Setting, bytes_to_reach
from headwater.bench.frameworks_exchange import figures


def world(sources: int = 4, rows: int = 40):
    rng = np.random.default_rng(2)
    parts = []
    for place in range(sources):
        x = np.column_stack([np.ones(rows + place), rng.normal(size=(rows + place, 2))])
        parts.append((x, x @ np.array([0.5, 1.0, -2.0])))
    return parts


def test_one_full_batch_of_a_linear_model_is_one_step_of_pooled_descent():
    parts = world()
    x, y = (np.concatenate(one) for one in zip(*parts, strict=True))
    setting = Setting(0, 1, 0.1, batch=1000)
    start = [np.array([0.2, 0.1, 0.3])]
    (after,) = setting.round(start, Block.of(parts), np.random.default_rng(0))
    assert np.abs(after - (start[0] - 0.1 * x.T @ (x @ start[0] - y) / len(y))).max() < 1e-12


def test_one_full_batch_of_a_network_is_one_step_down_its_slope():
    parts, setting = world(sources=1), Setting(4, 1, 1e-3, batch=1000)
    block, start = Block.of(parts), setting.start(3, np.random.default_rng(1))
    x, y = parts[0]

    def loss(parameters):
        return 0.5 * np.mean((setting.predict(parameters, x) - y) ** 2)

    after = setting.round(start, block, np.random.default_rng(0))
    for at in ((0, 0), (2, 3)):
        moved = start[0].copy()
        moved[at] += 1e-6
        slope = (loss([moved, start[1]]) - loss(start)) / 1e-6
        assert abs((start[0] - after[0])[at] / 1e-3 - slope) < 1e-4


def test_bytes_are_those_of_the_round_that_reaches_the_goal():
    block, heard = Block.of(world()), []

    def score(setting, parameters):
        heard.append(parameters)
        return len(heard)

    assert bytes_to_reach(Setting(0, 1, 0.1), block, score, 3, rounds=5) == 3 * 3 * 8
    assert bytes_to_reach(Setting(0, 1, 0.1), block, score, 99, rounds=5) == -1
    assert Setting(5, 1, 0.1).sent(3, 2) == 2 * (3 * 5 + 5) * 8


def test_the_exchange_is_a_tenth_of_averagings():
    figure = figures("ci", None)["F6"]
    assert figure.value == figure.also["simulated"]["our_bytes"] / figure.also["simulated"]["averaging_bytes"]
    assert figure.holds == (figure.value <= 0.1)
    assert figure.also["simulated"]["our_r2"] > 0.75


def test_where_a_framework_is_not_installed_the_figure_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "headwater.bench.frameworks_trials", None)
    figure = frameworks._conformance("ci")
    assert (figure.value, figure.holds) == (None, False)
    assert "pip install 'headwater[" in figure.note
