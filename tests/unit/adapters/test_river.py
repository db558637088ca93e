"""River's detectors behind the seam: calibrated ones keep their word, default ones are river's own."""

import numpy as np
import pytest
from river import drift
from tests.unit.evolution.streams import changes

from headwater.adapters.river import SETTINGS, River, default
from headwater.evolution import DETECTORS


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_it_finds_a_change_with_onset_and_size(name):
    values = np.random.default_rng(1).normal(size=200)
    values[120:] += 3.0
    after = [change for change in changes(DETECTORS[name](), values) if change.time >= 120]
    assert abs(after[0].onset - 119.5) <= 3
    assert after[0].size == pytest.approx(3.0, abs=1.5)


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_a_rarer_word_takes_more_evidence(name):
    values = np.random.default_rng(2).normal(size=3000)
    often, rarely = (len(changes(River(name, steps=steps), values)) for steps in (100.0, 2000.0))
    assert often > 3 * max(rarely, 3)


def test_default_ones_are_rivers_own():
    made = [default(name) for name in sorted(SETTINGS)]
    assert [type(one) for one in made] == [drift.ADWIN, drift.KSWIN, drift.PageHinkley]
    assert (made[0].delta, made[1].alpha, made[2].threshold) == (0.002, 0.005, 50.0)


def test_scores_keep_the_word_where_raw_values_break_it():
    rng = np.random.default_rng(3)
    values = rng.normal(size=2000)
    for step in range(1, 2000):
        values[step] = 0.6 * values[step - 1] + 0.8 * values[step]
    kept = len(changes(DETECTORS["page_hinkley"](), values))
    raw = drift.PageHinkley(min_instances=8, delta=0.5, threshold=float(DETECTORS["page_hinkley"]()._drift.threshold))
    broken = 0
    for value in values:
        raw.update(value)
        broken += raw.drift_detected
    assert kept <= 6
    assert broken > 3 * max(kept, 2)
