"""The network learns its records and is the same for the same seed."""

import numpy as np

from headwater.statistics.network import Network


def test_training_beats_the_start_and_repeats():
    rng = np.random.default_rng(0)
    x = np.hstack([np.ones((80, 1)), rng.normal(size=(80, 3))])
    y = np.abs(x[:, 1]) - x[:, 2]
    one, two = (Network.fit(x, y, hidden=8, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.first, two.first)
    started = Network.start(4, hidden=8, seed=1)
    assert np.mean((one(x) - y) ** 2) < 0.2 * np.mean((started(x) - y) ** 2)
    np.testing.assert_array_equal(Network.fit(x, y, hidden=8, seed=1, steps=0).first, started.first)
