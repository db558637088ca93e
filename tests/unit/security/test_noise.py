"""Noise has the distribution it names, to the last of 64 bits, whatever way it is looked up."""

import hashlib

import numpy as np
import pytest
from diffprivlib.mechanisms import GaussianDiscrete
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ive

from headwater.errors import Refusal
from headwater.security.noise import LARGEST, Noise, discrete_gaussian, skellam

DEVIATIONS = (0.3, 1.0, 5.0, 40.0, 700.0)


def entropy(seed: int):
    """Return a source of bytes that repeats itself."""
    return lambda size: hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def masses(noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers that can be drawn and the probability of each, from whole numbers."""
    edges = [0, *map(int, noise.thresholds), 2**64]
    reach = len(noise.thresholds) // 2
    return np.arange(-reach, reach + 1), np.array([(b - a) / 2**64 for a, b in zip(edges, edges[1:], strict=False)])


def named(kind: str, deviation: float, steps: np.ndarray) -> np.ndarray:
    if kind == "gaussian":
        mass = np.exp(-np.square(steps / deviation) / 2)
        return mass / mass.sum()
    return ive(np.abs(steps), deviation**2)


TABLES = {"gaussian": discrete_gaussian, "skellam": skellam}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_the_table_is_the_distribution(kind: str, deviation: float):
    noise = TABLES[kind](deviation)
    steps, mass = masses(noise)
    assert np.abs(mass - named(kind, deviation, steps)).sum() / 2 < 1e-13
    assert (mass == mass[::-1]).all(), "the mean is exactly 0"
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    if kind == "skellam" or deviation >= 1:
        assert (mass * np.square(steps)).sum() == pytest.approx(deviation**2, rel=1e-6)
    assert 0 < noise.variation < 1e-12


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_skellam_of_two_sources_adds_up_to_skellam(deviation: float):
    one, other, both = (masses(skellam(deviation * factor))[1] for factor in (3.0, 4.0, 5.0))
    summed = np.convolve(one, other)
    spare = (len(summed) - len(both)) // 2
    inner = summed[spare : len(summed) - spare] if spare >= 0 else np.pad(summed, -spare)
    assert np.abs(inner - both).sum() / 2 < 1e-13


@given(st.sampled_from(DEVIATIONS), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.data())
def test_the_guide_finds_what_a_search_finds(deviation: float, bits: list[int], data: st.DataObject):
    noise = discrete_gaussian(deviation)
    near = [int(noise.thresholds[data.draw(st.integers(0, len(noise.thresholds) - 1))]) + off for off in (-1, 0, 1)]
    asked = np.array([one % 2**64 for one in (*bits, *near, 0, 2**64 - 1)], dtype=np.uint64)
    assert (noise._places(asked) == np.searchsorted(noise.thresholds, asked, side="right")).all()


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_draws_follow_the_table(kind: str, deviation: float):
    noise = TABLES[kind](deviation)
    drawn = noise.draw(200_000, entropy(7))
    steps, mass = masses(noise)
    common = mass * len(drawn) >= 20
    counts = np.array([(drawn == step).sum() for step in steps[common]]) if common.sum() < 200 else None
    if counts is None:
        edges = np.quantile(drawn, np.linspace(0.05, 0.95, 19)).astype(int)
        places = np.searchsorted(edges, steps)
        counts = np.bincount(np.searchsorted(edges, drawn), minlength=20)
        expected = np.bincount(places, weights=mass, minlength=20) * len(drawn)
    else:
        rest = len(drawn) - counts.sum()
        counts, expected = np.append(counts, rest), np.append(mass[common], mass[~common].sum()) * len(drawn)
    kept = expected > 5
    assert stats.chisquare(counts[kept], expected[kept] * counts[kept].sum() / expected[kept].sum()).pvalue > 1e-4


@pytest.mark.parametrize("epsilon", [0.3, 3.0])
def test_an_exact_sampler_draws_what_the_table_says(epsilon: float):
    """diffprivlib samples by rejection as Canonne, Kamath and Steinke do, with no table."""
    library = GaussianDiscrete(epsilon=epsilon, delta=1e-5, sensitivity=1, random_state=5)
    drawn = np.sort([library.randomise(0) for _ in range(2_000)])
    steps, mass = masses(discrete_gaussian(library._scale))
    below = np.cumsum(mass)
    seen = np.searchsorted(drawn, steps, side="right") / len(drawn)
    # Of 2,000 draws the largest gap exceeds this once in ten thousand (Dvoretzky, Kiefer and Wolfowitz).
    assert np.abs(seen - below).max() < np.sqrt(np.log(2e4) / (2 * len(drawn)))
    other, wider = masses(discrete_gaussian(1.3 * library._scale))
    seen = np.searchsorted(drawn, other, side="right") / len(drawn)
    assert np.abs(seen - np.cumsum(wider)).max() > np.sqrt(np.log(2e4) / (2 * len(drawn)))


def test_another_key_is_another_stream_and_a_part_is_no_repetition():
    noise = discrete_gaussian(40.0)
    drawn = noise.draw(200_000, entropy(1))
    assert (drawn == noise.draw(200_000, entropy(1))).all()
    assert abs(np.corrcoef(drawn, noise.draw(200_000, entropy(2)))[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn[:65_536], drawn[65_536:131_072])[0, 1]) < 0.02


@pytest.mark.parametrize("deviation", [0.0, 0.12, -1.0, float("nan"), float("inf"), LARGEST * 1.01])
@pytest.mark.parametrize("kind", TABLES)
def test_what_no_table_holds_is_refused(kind: str, deviation: float):
    with pytest.raises(Refusal, match="E-NOISE-RANGE"):
        TABLES[kind](deviation)
