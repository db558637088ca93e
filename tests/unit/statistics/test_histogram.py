"""Histograms of gradients: sums of sums, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics import FixedPoint, Histogram, Statistic

NODES, FEATURES, BINS = 2, 3, 4
FAMILY = Histogram(NODES, FEATURES, BINS)


def records(seed: int, rows: int, *, scale: float = 1.0):
    rng = np.random.default_rng(seed)
    binned, node = rng.integers(BINS, size=(rows, FEATURES)), rng.integers(-1, NODES, size=rows)
    return binned, node, scale * rng.normal(size=rows), rng.random(rows)


def test_every_cell_holds_the_sums_of_its_records():
    binned, node, gradients, curvatures = records(1, 200)
    sums = FAMILY.sums(FAMILY.statistic(binned, node, gradients, curvatures))
    for n, f, b in np.ndindex(NODES, FEATURES, BINS):
        inside = (node == n) & (binned[:, f] == b)
        expected = [gradients[inside].sum(), curvatures[inside].sum(), inside.sum()]
        assert np.abs(sums[n, f, b] - expected).max() < 1e-9


@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), min_size=1, max_size=5), st.sampled_from([1.0, 1e3]))
def test_any_partition_adds_up_to_the_same_bits(seed, cuts, scale):
    told = records(seed, 60, scale=scale)
    edges = sorted({0, 60, *cuts})
    parts = [FAMILY.statistic(*(one[a:b] for one in told)) for a, b in zip(edges, edges[1:], strict=False)]
    assert Statistic.total(parts) == FAMILY.statistic(*told)


def test_records_of_no_node_are_in_no_cell():
    binned, _, gradients, curvatures = records(2, 50)
    told = FAMILY.statistic(binned, np.full(50, -1), gradients, curvatures)
    assert not told.values.any()
    assert FAMILY.records(told) == 0


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, 0.5), (2, -1.0), (0, 9.0), (1, -4.0)],
    ids=["half a record", "less than none", "one feature alone", "curvature below nothing"],
)
def test_what_no_records_give_is_refused(place, value):
    told = FAMILY.statistic(*records(3, 40))
    FAMILY.check(told)
    values = told.values.copy()
    values[place] = FAMILY.encoding.encode(np.array([value]))[0]
    with pytest.raises(Refusal) as refusal:
        FAMILY.check(Statistic(told.kind, told.shape, values))
    assert refusal.value.code == "E-HISTOGRAM-IMPOSSIBLE"


def test_other_forms_and_too_many_records_are_refused():
    told = FAMILY.statistic(*records(4, 10))
    with pytest.raises(Refusal) as refusal:
        Histogram(1, FEATURES, BINS).sums(told)
    assert refusal.value.code == "E-STATISTIC-FORM"
    narrow = Histogram(NODES, FEATURES, BINS, FixedPoint(fraction_bits=58, headroom_bits=1))
    with pytest.raises(Refusal) as refusal:
        narrow.statistic(*records(4, 400))
    assert refusal.value.code == "E-FIXED-RANGE"
