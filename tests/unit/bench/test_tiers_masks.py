"""The bench of masked sums compares what it says it compares."""

import numpy as np

from headwater.bench import tiers_masks
from headwater.bench.tiers_losses import schedule
from headwater.security import CLEAR, MASKED, Span


def test_bytes_are_those_of_the_ring_and_little_more():
    below, per_source, told = tiers_masks._level(MASKED, [16] * 2, Span(0, 2**16 - 1), 2**16, 32)
    assert 20 / 16 < per_source < 20 / 16 + 0.03
    np.testing.assert_allclose(below, per_source)
    assert told < 0.05
    above, _, _ = tiers_masks._level(CLEAR, [2], Span(0, 16 * (2**16 - 1)), 2**16, 32)
    np.testing.assert_allclose(above, 20 / 16 / 16, rtol=0.01)


def test_no_day_gives_a_wrong_sum_and_even_days_always_give_one():
    days = [schedule(seed) for seed in range(16)]
    assert sum(day.wrong + day.needless for day in days) == 0
    assert all(day.region for day in days[::2])


def test_a_wrong_sum_would_be_seen(monkeypatch):
    monkeypatch.setattr("headwater.security.masking.server.MaskedServer._pairs", lambda self, lost, secret: [])
    assert sum(schedule(seed).wrong for seed in range(6)) > 0


def test_the_baseline_masks_cancel_between_two_clients():
    real = np.linspace(-1, 1, 50)
    plain = tiers_masks._mersenne_client(real, [])
    masked = tiers_masks._mersenne_client(real, [1, 3]) + tiers_masks._mersenne_client(real, [4])
    assert not np.array_equal(masked % 2**32, 2 * plain % 2**32)
    again = np.random.RandomState(1).randint(0, 2**32, size=50, dtype=np.int64)  # noqa: NPY002
    np.testing.assert_array_equal(tiers_masks._mersenne_client(real, [1]), (plain + again) % 2**32)
