"""Inner products of the waves are the Gaussian kernel, and the cosine is a cosine."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.feature_maps import RandomFourier
from headwater.statistics.feature_maps.random_fourier import _cosine

BASE = FeatureMap((Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))


def test_cosine_by_arithmetic_is_the_cosine():
    turns = np.linspace(-5, 5, 1001)
    np.testing.assert_allclose(_cosine(turns), np.cos(2 * np.pi * turns), atol=1e-9)


def test_inner_products_approach_the_gaussian_kernel():
    points = np.random.default_rng(1).normal(size=(20, 2))
    x = RandomFourier(BASE, 4_000, 1.5, seed=2).transform(pa.table({"a": points[:, 0], "b": points[:, 1]}))
    waves = x[:, BASE.dim :]
    apart = ((points[:, None] - points) ** 2).sum(axis=2)
    np.testing.assert_allclose(waves @ waves.T / 4_000, np.exp(-apart / (2 * 1.5**2)), atol=0.1)


def test_seeds_differ_and_only_the_seed_travels():
    few = RandomFourier(BASE, 3, 1.0, seed=1)
    table = pa.table({"a": [0.3], "b": [-0.2]})
    assert not np.array_equal(few.transform(table), RandomFourier(BASE, 3, 1.0, seed=2).transform(table))
    assert len(RandomFourier(BASE, 900, 1.0, seed=1).to_json()) == len(few.to_json()) + 2


def test_bandwidth_grows_with_the_distances():
    x = BASE.transform(pa.table({"a": [0.0, 1.0, 2.0], "b": [0.0, 0.0, 0.0]}))
    narrow, wide = (RandomFourier.fit(BASE, scale * x, np.zeros(3), dim=9, seed=0) for scale in (1.0, 4.0))
    assert wide.bandwidth == pytest.approx(4 * narrow.bandwidth, abs=0.01)


@pytest.mark.parametrize(("waves", "bandwidth"), [(-1, 1.0), (3, 0.0), (3, float("nan"))])
def test_impossible_waves_are_errors(waves, bandwidth):
    with pytest.raises(ValueError, match="waves"):
        RandomFourier(BASE, waves, bandwidth)
