"""Noise of one party: the exact loss of the table that is drawn from keeps the claim, and half the noise does not."""

import hashlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from headwater.adapters.accounting import epsilon as accounted
from headwater.errors import Refusal
from headwater.security import CLEAR, Span, play
from headwater.security.gaussian_noise import GaussianNoise, require_tables
from headwater.security.noise import Noise, discrete_gaussian
from headwater.security.tally import NOTHING
from headwater.statistics.gaussian import noise_for

CLAIMS = [(0.2, 1e-6), (1.0, 1e-5), (3.0, 1e-6)]


def entropy(seed: int):
    """Return a source of bytes that repeats itself."""
    return lambda size: hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def masses(noise: Noise) -> np.ndarray:
    """Return the probability of every integer from -reach to reach, of the table itself."""
    edges = [0, *map(int, noise.thresholds), 2**64]
    return np.array([(b - a) / 2**64 for a, b in zip(edges, edges[1:], strict=False)])


def lost(mass: np.ndarray, shift: int, epsilon: float) -> float:
    """Return the exact δ at ε of two numbers ``shift`` apart under this noise."""
    here, there = np.pad(mass, (shift, 0)), np.pad(mass, (0, shift))
    return float(np.clip(here - np.exp(epsilon) * there, 0, None).sum())


@pytest.mark.parametrize(("epsilon", "delta"), CLAIMS)
@pytest.mark.parametrize("l2", [1, 7])
def test_the_exact_loss_keeps_the_claim_and_half_the_noise_does_not(epsilon: float, delta: float, l2: int):
    made = GaussianNoise.of(epsilon, delta, l2=l2, length=1)
    assert lost(masses(discrete_gaussian(made.deviation)), l2, epsilon) <= delta
    halved = replace(made, deviation=made.deviation / 2)
    assert lost(masses(discrete_gaussian(halved.deviation)), l2, epsilon) > delta


@pytest.mark.parametrize(("epsilon", "delta"), CLAIMS)
def test_the_ledger_counts_no_more_than_was_asked_for(epsilon: float, delta: float):
    made = GaussianNoise.of(epsilon, delta, l2=20.0, length=1_000)
    assert 0.98 * epsilon < accounted(NOTHING.plus(made.event), delta) <= epsilon
    assert 1 < made.deviation / 20 / noise_for(epsilon, delta) < 1.15, "the price of any dimension and whole numbers"


def test_local_noise_stands_once_a_source_and_central_noise_once():
    made, span, length = GaussianNoise.of(1.0, 1e-6, l2=30.0, length=50_000), Span(0, 100), 50_000
    names = [f"m{place}" for place in range(16)]
    plain = np.full(length, 50, dtype=np.uint64)

    def added(noisy: bool) -> np.ndarray:
        session = CLEAR.open(names, round_id="r", length=length, entropy=entropy(1), span=made.widened(span))
        values = {n: partial(made.noised, plain, entropy(s)) if noisy else lambda: plain for s, n in enumerate(names)}
        return play(session, values).total

    local, central = added(True), made.noised(added(False), entropy(99))
    deviations = [(total.view(np.int64) - 16 * 50).std() / made.deviation for total in (local, central)]
    assert deviations == pytest.approx([4.0, 1.0], rel=0.02)


def test_noise_never_leaves_the_widened_bounds():
    made = GaussianNoise(3.0, 1.0)
    wide, reach = made.widened(Span(-5, 5)), discrete_gaussian(3.0).reach
    assert wide == Span(-5 - reach, 5 + reach)
    extreme = np.full(100_000, -5, dtype=np.int64).view(np.uint64)
    assert wide.lifted(made.noised(extreme, entropy(3))).max() <= wide.high - wide.low


def test_noise_comes_from_the_entropy_and_only_from_it():
    made, plain = GaussianNoise(9.0, 1.0), np.zeros(100, dtype=np.uint64)
    assert (made.noised(plain, entropy(1)) == made.noised(plain, entropy(1))).all()
    assert (made.noised(plain, entropy(1)) != made.noised(plain, entropy(2))).any()


@pytest.mark.parametrize("l2", [None, 0.0, float("nan")])
def test_without_a_sensitivity_there_is_no_noise(l2):
    with pytest.raises(Refusal, match="E-NOISE-SENSITIVITY"):
        GaussianNoise.of(1.0, 1e-6, l2=l2, length=1)


def test_a_grid_too_fine_is_refused():
    with pytest.raises(Refusal, match="E-NOISE-RANGE"):
        GaussianNoise.of(1.0, 1e-6, l2=2.0**20, length=1)


def test_tables_too_coarse_for_the_claim_are_refused():
    require_tables(1e-9, 1.0, 1e-6)
    with pytest.raises(Refusal, match="E-NOISE-TABLE"):
        GaussianNoise.of(1.0, 1e-15, l2=1_000.0, length=10**6)
