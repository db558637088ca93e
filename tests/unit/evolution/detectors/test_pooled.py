"""A tier watched together: quicker than its sources alone, at its word, and it names who moved."""

import numpy as np
import pytest
from tests.unit.evolution.streams import banked, with_gaps

from headwater.errors import Refusal
from headwater.evolution import DETECTORS, Pooled
from headwater.evolution.detectors.glr import GlrJudge
from headwater.evolution.detectors.pooled import Tiers

NAMES = tuple(f"H{number:02d}" for number in range(8))


def tiers(values, *, steps=1000.0):
    watched = Tiers(len(values), values.shape[1], steps=steps)
    return [
        (step, moved) for step in range(values.shape[2]) for moved in watched.update(float(step), values[:, :, step])
    ]


@pytest.mark.parametrize("sources", [2, 8])
def test_false_alarms_of_a_tier_per_1000_steps(sources):
    values = with_gaps(np.random.default_rng(1).normal(size=(24, sources, 500)), 0.5)
    # 12 are expected; two deviations above.
    assert len(tiers(values)) <= 19


def test_five_that_move_together_are_found_in_half_the_time():
    values = np.random.default_rng(2).normal(size=(25, 8, 330))
    values[:, :5, 250:] += 1.0
    values = with_gaps(values, 0.5)
    first = {}
    for step, moved in tiers(values):
        if step >= 250:
            first.setdefault(moved.tier, step - 250)
    single = {}
    for row, change in banked(GlrJudge(), values[:, 0]):
        if change.time >= 250:
            single.setdefault(row, change.time - 250)
    delay, alone = (np.median([found.get(row, np.inf) for row in range(25)]) for found in (first, single))
    assert delay <= 0.5 * alone


def told(values, *, gone=()):
    return {name: None if name in gone else float(value) for name, value in zip(NAMES, values, strict=True)}


def test_it_names_who_moved_by_how_much_and_when():
    rng, tier, found = np.random.default_rng(3), Pooled(NAMES), []
    for step in range(130):
        values = rng.normal(size=8)
        if step >= 100:
            values[:3] += 4.0
            values[3] -= 4.0
        shift = tier.update(float(step), told(values))
        if shift is not None and step >= 100:
            found.append(shift)
    moved = {name: size for shift in reversed(found) for name, size in shift.sizes.items()}
    assert set(NAMES[:4]) <= set(moved)
    assert all(2.0 <= moved[name] <= 6.0 for name in NAMES[:3])
    assert -6.0 <= moved["H03"] <= -2.0
    assert abs(found[0].onset - 99.5) <= 2
    assert found[0].confidence > 0.9


def test_absent_sources_are_neither_low_nor_named():
    rng, tier = np.random.default_rng(4), Pooled(NAMES)
    for step in range(300):
        gone = NAMES[:4] if 100 <= step < 200 else ()
        shift = tier.update(float(step), told(rng.normal(size=8) + 50.0, gone=gone))
        assert shift is None or not 100 <= step < 203
        assert shift is None or not set(shift.sizes) & set(gone)


def test_it_says_the_same_whatever_is_left_out_or_none():
    rng, one, other = np.random.default_rng(5), Pooled(NAMES), Pooled(NAMES)
    for step in range(150):
        values = rng.normal(size=8) + 3.0 * (step > 100)
        gone = {name for name in NAMES if rng.random() < 0.5}
        full = told(values, gone=gone)
        assert one.update(float(step), full) == other.update(
            float(step), {name: value for name, value in full.items() if value is not None}
        )


def test_bad_input_is_refused():
    tier = Pooled(NAMES)
    tier.update(1.0, {"H00": 1.0})
    for time, values, code in (
        (2.0, {"H99": 1.0}, "E-STREAM-SOURCE"),
        (1.0, {}, "E-STREAM-TIME"),
        (1.0, {"H00": 1.0}, "E-STREAM-TIME"),
        (2.0, {"H00": 1.0, "H01": float("nan")}, "E-STREAM-VALUE"),
    ):
        with pytest.raises(Refusal) as refusal:
            tier.update(time, values)
        assert refusal.value.code == code
    with pytest.raises(ValueError, match="at least one"):
        Pooled(())


def test_a_tier_of_one_is_a_detector():
    detector, rng = DETECTORS["pooled"](), np.random.default_rng(6)
    found = [detector.update(float(t), float(rng.normal() + 4.0 * (t >= 60))) for t in range(90)]
    assert any(change is not None and abs(change.onset - 59.5) <= 3 for change in found[60:])
