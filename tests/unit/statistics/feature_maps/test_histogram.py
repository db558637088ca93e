"""Cuts and corners are 0 or 1, and the corner that makes the labels is found."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.feature_maps import Histogram

BASE = FeatureMap((Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))


def test_cuts_and_corners_by_hand():
    map_ = Histogram(BASE, ((0, 2**13), (1, 0)), ((0, 1),))
    x = map_.transform(pa.table({"a": [0.5, 0.75, 2.0], "b": [1.0, 1.0, -1.0]}))
    assert x[:, 1:].tolist() == [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    assert map_.names == ("bias", "a>0.5", "b>0", "a>0.5&b>0")


def test_fit_finds_the_corner():
    rng = np.random.default_rng(0)
    x = BASE.transform(pa.table({"a": rng.normal(size=400), "b": rng.normal(size=400)}))
    middle = np.quantile(x[:, 1:], 0.6, axis=0, method="lower")
    y = ((x[:, 1:] > middle).all(axis=1)).astype(float)
    map_ = Histogram.fit(BASE, x, y, dim=10, seed=0)
    assert map_.dim == 10
    assert [map_.names[-1]] == [f"b>{middle[1]:g}&a>{middle[0]:g}"]


def test_little_room_keeps_the_telling_cuts():
    rng = np.random.default_rng(0)
    x = BASE.transform(pa.table({"a": rng.normal(size=200), "b": rng.normal(size=200)}))
    map_ = Histogram.fit(BASE, x, (x[:, 2] > 0.2).astype(float), dim=3, seed=0)
    assert {place for place, _ in map_.cuts} == {1}


@pytest.mark.parametrize(("cuts", "corners"), [(((2, 0),), ()), (((0, 0),), ((0, 1),))])
def test_cuts_of_nothing_are_errors(cuts, corners):
    with pytest.raises(ValueError, match="names a"):
        Histogram(BASE, cuts, corners)
