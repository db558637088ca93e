"""Without projection the slopes are those of finite differences; projected they keep their inner products."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.feature_maps import Ntk
from headwater.statistics.network import Network

BASE = FeatureMap((Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))
FIRST, LAST = ((512, -256), (1024, 512), (-768, 1024)), (1024, -2048)


def test_slopes_are_finite_differences():
    map_ = Ntk(BASE, FIRST, LAST, 4)
    x = BASE.transform(pa.table({"a": [0.5, -1.0], "b": [0.25, 0.625]}))
    first, last, step = np.array(FIRST) / 1024, np.array(LAST) / 1024, 1e-6
    by_last = np.maximum(x @ first, 0.0)
    slopes = [by_last]
    for unit in range(2):
        for place in range(3):
            moved = first.copy()
            moved[place, unit] += step
            change = Network(moved, last, 0.0)(x) - Network(first, last, 0.0)(x)
            slopes.append(change[:, None] / step)
    np.testing.assert_allclose(map_._gradients(x), np.hstack(slopes), atol=2**-8)


def test_projection_keeps_inner_products():
    map_ = Ntk(BASE, FIRST, LAST, 4_096, divisor=2)
    x = BASE.transform(pa.table({"a": [0.5, -1.0, 0.1], "b": [0.25, 0.75, -0.4]}))
    slopes = map_._gradients(x)
    projected = map_.transform(pa.table({"a": x[:, 1], "b": x[:, 2]}))[:, 3:]
    np.testing.assert_allclose(projected @ projected.T * 4 / 4_096, slopes @ slopes.T, atol=0.5)


@pytest.mark.parametrize(
    ("first", "last", "slopes", "divisor"),
    [(FIRST, (1,), 3, 1), (FIRST[:2], LAST, 3, 1), (FIRST, LAST, -1, 1), (FIRST, LAST, 3, 3)],
)
def test_wrong_forms_are_errors(first, last, slopes, divisor):
    with pytest.raises(ValueError, match="must be|power"):
        Ntk(BASE, first, last, slopes, divisor)
