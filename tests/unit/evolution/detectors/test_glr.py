"""The calibration of the likelihood ratio: false alarms, delays, and what it must not be misled by."""

import numpy as np
import pytest

from headwater.evolution import Glr


def changes(values, *, absent=0.0, seed=0, **settings):
    detector, rng = Glr(**settings), np.random.default_rng(seed)
    found = []
    for time, value in enumerate(values):
        change = detector.update(time, None if rng.random() < absent else float(value))
        if change is not None:
            found.append(change)
    return found


@pytest.mark.parametrize("absent", [0.0, 0.5])
@pytest.mark.parametrize("tails", ["normal", "student3"])
def test_false_alarms_per_1000_steps(absent, tails):
    rng = np.random.default_rng(1)
    noise = rng.normal(size=15_000) if tails == "normal" else rng.standard_t(3, size=15_000)
    rate = 1000 * len(changes(noise, absent=absent)) / len(noise)
    assert rate <= (1.2 if tails == "normal" else 1.8)


@pytest.mark.parametrize(("size", "absent", "limit"), [(1.0, 0.5, 32), (2.0, 0.5, 11), (3.0, 0.0, 5), (10.0, 0.0, 3)])
def test_median_delay(size, absent, limit):
    delays = []
    for seed in range(60):
        values = np.random.default_rng(seed).normal(size=350)
        values[150:] += size
        after = [c.time for c in changes(values, absent=absent, seed=seed) if c.time >= 150]
        delays.append(after[0] - 149 if after else np.inf)
    assert np.median(delays) <= limit


@pytest.mark.parametrize("size", [-4.0, 4.0, 12.0])
def test_two_years_of_months_are_enough(size):
    found = 0
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=24)
        values[12:] += size
        after = [c for c in changes(values) if 12 <= c.time <= 18 and np.sign(c.size) == np.sign(size)]
        found += bool(after) and abs(after[0].onset - 11.5) <= 1
    assert found >= 36


def test_outages_add_no_evidence():
    alarms = 0
    for seed in range(300):
        values = np.random.default_rng(seed).normal(size=60)
        detector = Glr()
        for place, value in enumerate(values):
            # Half of the stream lies a thousand steps after the other half.
            change = detector.update(place + 1000.0 * (place >= 30), float(value))
            alarms += change is not None and 30 <= place < 35
    assert alarms <= 3


def test_a_change_is_found_after_a_change():
    values = np.random.default_rng(2).normal(size=90)
    values[30:60] += 6
    onsets = [change.onset for change in changes(values)]
    assert len(onsets) >= 2
    assert abs(onsets[0] - 29.5) <= 1
    assert any(abs(onset - 59.5) <= 1 for onset in onsets)


def test_a_step_in_a_constant_stream_is_found_and_an_outlier_is_not():
    step = changes([0.1] * 12 + [0.5] * 5)
    assert [(c.time, c.onset, c.confidence) for c in step] == [(14, 11.5, 1.0)]
    assert step[0].size == pytest.approx(0.4)
    assert changes([0.1] * 12 + [9.0] + [0.1] * 12) == []


def test_counts_absences_in_a_row():
    detector = Glr()
    for time, value in enumerate([1.0, None, None]):
        detector.update(time, value)
    assert detector.absent == 2
    detector.update(3, 1.0)
    assert detector.absent == 0


def test_says_nothing_before_the_warmup():
    assert changes([0.0] * 4 + [100.0] * 3, warmup=8) == []
    assert changes([0.0] * 5 + [100.0] * 3, warmup=8) != []


@pytest.mark.parametrize("settings", [{"warmup": 4}, {"window": 7}])
def test_impossible_settings_are_errors(settings):
    with pytest.raises(ValueError, match="warmup"):
        Glr(**settings)
