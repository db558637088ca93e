"""Products are those of the clipped factors, and the pair that makes the labels is found."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.feature_maps import Degree2

BASE = FeatureMap(tuple(Numeric(name, 0.0, 1.0) for name in "abcd"))


def test_products_of_clipped_factors():
    table = pa.table({"a": [2.0, 100.0], "b": [0.5, 100.0], "c": [0.0, 0.0], "d": [0.0, 0.0]})
    x = Degree2(BASE, ((0, 1), (1, 1))).transform(table)
    assert x[0, 5:].tolist() == [1.0, 0.25]
    assert x[1, 5:].tolist() == [8.0, 8.0]
    assert Degree2(BASE, ((0, 1),)).names[-1] == "a*b"


def test_fit_finds_the_interaction():
    rng = np.random.default_rng(0)
    x = BASE.transform(pa.table({name: rng.normal(size=200) for name in "abcd"}))
    found = Degree2.fit(BASE, x, x[:, 1] + x[:, 2] * x[:, 4], dim=BASE.dim + 1, seed=0)
    assert found.pairs == ((1, 3),)


def test_a_pair_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="does not have"):
        Degree2(BASE, ((0, 4),))
