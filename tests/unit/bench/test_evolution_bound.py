"""The bound is Shiryaev's and Roberts' statistic, term by term, and no detector of ours undercuts it."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from headwater.bench import evolution_bound
from headwater.bench.evolution_bound import Known, _statistics, least_delay
from headwater.bench.evolution_detectors import Cell, _out_of_reach
from headwater.bench.evolution_watches import Banked, watched
from headwater.evolution.bank import Bank
from headwater.evolution.detectors.glr import GlrJudge


def from_densities(values, memory, *, ramp, size):
    """Return the log of the sum over onsets, from densities of all values at once."""
    times = np.flatnonzero(~np.isnan(values))
    seen, apart = values[times], np.abs(np.subtract.outer(times, times)).astype(float)
    law = multivariate_normal(cov=memory**apart if memory else np.eye(len(times)))
    gaps = np.diff(times, prepend=-1)
    total = 0.0
    for onset, gap in zip(times, gaps, strict=True):
        course = np.clip((times - onset + 1) / ramp, 0.0, 1.0)

        def ratio(moved, course=course):
            return float(np.exp(law.logpdf(seen - moved * course) - law.logpdf(seen)))

        if size is not None:
            total += gap * ratio(size)
            continue
        spread = norm(scale=evolution_bound._SPREAD)
        total += gap * quad(lambda moved, ratio=ratio, spread=spread: spread.pdf(moved) * ratio(moved), -9, 9)[0]
    return np.log(total)


@pytest.mark.parametrize(("law", "memory"), [("normal", 0.0), ("ar.5", 0.5)])
@pytest.mark.parametrize("ramp", [1, 4])
@pytest.mark.parametrize("size", [1.0, -2.0, None])
def test_it_sums_exact_likelihood_ratios(law, memory, ramp, size):
    values = Cell(law, 0.4, 0.0).streams(2, 14, seed=7)
    found = list(_statistics(Known(law, ramp, size), values))[-1]
    for row in range(2):
        assert found[row] == pytest.approx(from_densities(values[row], memory, ramp=ramp, size=size), abs=1e-6)


def streams(cell, count):
    quiet = cell.streams(count, 1100, seed=31)
    return quiet, cell.streams(count, 700, seed=32, level=1.0)


def test_a_bound_lies_below_a_detector_that_keeps_the_word_and_above_one_that_does_not():
    cell = Cell("ar.5", 0.3, 0.0)
    quiet, moved = streams(cell, 60)
    bound = least_delay(Known("ar.5"), quiet, moved, at=500, rate=1.2)
    unknown = least_delay(Known("ar.5", size=None), quiet, moved, at=500, rate=1.2)
    assert 10 < bound < unknown < 40
    assert watched(Banked(Bank(GlrJudge(), 60, steps=1000.0)), moved, 500).median > bound
    assert least_delay(Known("ar.5"), quiet, moved, at=500, rate=30.0) < bound


def test_a_goal_is_out_of_reach_where_the_bound_misses_it():
    row = {"bound": 20.0, "adwin_default": 79.0, "bound_gradual": 50.0, "adwin_gradual": 49.5}
    near = row | {"adwin_default": 81.0, "adwin_gradual": 49.0}
    found = _out_of_reach({"far": row, "near": near, "no bound": {"adwin_default": 1.0}})
    assert found == {"4 x faster than default": ["far"], "1.02 x calibrated, gradual": ["near"]}
