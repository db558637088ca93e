"""Units are the rectified sums that the weights say, and the target's network finds what a linear model cannot."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.statistics import FeatureMap, Gram, Numeric, on_grid
from headwater.statistics.feature_maps import LastLayer

BASE = FeatureMap((Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))


def test_units_by_hand():
    map_ = LastLayer(BASE, ((512, 0), (1024, -1024), (0, 2048)))
    x = map_.transform(pa.table({"a": [1.0, -1.0, 100.0], "b": [0.25, 0.5, 0.0]}))
    assert x[:, 3].tolist() == [1.5, 0.0, 8.0]
    assert x[:, 4].tolist() == [0.0, 2.0, 0.0]


def test_a_ridge_on_the_layer_fits_a_bend():
    rng = np.random.default_rng(0)
    x = BASE.transform(pa.table({"a": rng.normal(size=300), "b": rng.normal(size=300)}))
    y = on_grid(np.abs(x[:, 1]))
    map_ = LastLayer.fit(BASE, x[:100], y[:100], dim=19, seed=0)
    features = map_.transform(pa.table({"a": x[:, 1], "b": x[:, 2]}))
    assert map_.units == 16
    for own, floor in ((x, None), (features, 0.8)):
        gram = Gram(own.shape[1])
        solved = gram.solve(gram.statistic(own[:100], y[:100]), ridge=1.0)
        score = gram.r2(gram.statistic(own[100:], y[100:]), solved)
        assert score < 0.2 if floor is None else score > floor


@pytest.mark.parametrize("weights", [((1,),), ((1,), (1, 2), (1,))])
def test_wrong_forms_are_errors(weights):
    with pytest.raises(ValueError, match="weights"):
        LastLayer(BASE, weights)
