"""The likelihood ratio keeps its word, finds what moved, and is not misled."""

import numpy as np
import pytest
from scipy.special import logsumexp
from tests.unit.evolution.streams import banked, changes, with_gaps

from headwater.bench.evolution_streams import absent, changed, noise
from headwater.evolution import Glr
from headwater.evolution.bank import DEPTH, Bank
from headwater.evolution.detectors import glr
from headwater.evolution.detectors.glr import GlrJudge
from headwater.evolution.scores import Scores


@pytest.mark.parametrize("burst", [0.0, 5.0])
@pytest.mark.parametrize("law", ["normal", "t3", "ar.5"])
def test_false_alarms_per_1000_steps(law, burst):
    rng = np.random.default_rng(1)
    values = noise(rng, (60, 1000), law)
    values[absent(rng, values.shape, 0.5, burst=burst)] = np.nan
    # 60 are expected; two deviations above the word of 1.
    assert len(banked(GlrJudge(), values)) <= 76


@pytest.mark.parametrize(("size", "share", "limit"), [(1.0, 0.5, 20), (1.0, 0.7, 37), (2.0, 0.5, 6), (10.0, 0.0, 2)])
def test_median_delay(size, share, limit):
    rng = np.random.default_rng(2)
    values = with_gaps(changed(rng.normal(size=(80, 500)), 350, level=size), share)
    first = {}
    for row, change in banked(GlrJudge(), values):
        if change.time >= 350:
            first.setdefault(row, change.time - 350)
    delays = [first.get(row, np.inf) for row in range(80)]
    assert np.median(delays) <= limit
    assert np.isinf(delays).sum() <= 5


def test_evidence_of_a_level_is_summed_over_the_onsets_that_are_allowed():
    scores, judge, rows = Scores(1), GlrJudge(share=0.0), np.arange(1)
    for time, value in enumerate(np.random.default_rng(8).normal(size=130)):
        scores.take(float(time), np.array([value]))
    evidence = glr._evidence_of_level(scores, rows)[0]
    for allowed in (np.ones((1, DEPTH), dtype=bool), np.arange(DEPTH)[None] % 3 == 0):
        verdict = judge(scores, rows, np.array([500.0]), allowed)
        least = judge.level(np.array([500.0]), scores.caution(rows))
        assert verdict.excess == pytest.approx(logsumexp(evidence[allowed]) - least)
        assert verdict.ago == DEPTH - np.where(allowed, evidence, -np.inf).argmax()


def test_a_change_of_variance_is_found_and_called_so():
    values = changed(np.random.default_rng(3).normal(size=(40, 500)), 300, scale=2.0)
    after = [(row, change) for row, change in banked(GlrJudge(), values) if change.time >= 300]
    assert len({row for row, _ in after}) >= 39
    assert sum(change.kind == "variance" for _, change in after) >= 30


def test_without_memory_learnt_the_word_is_broken(monkeypatch):
    values = noise(np.random.default_rng(4), (40, 600), "ar.5")
    kept = len(banked(GlrJudge(), values))
    monkeypatch.setattr("headwater.evolution.scores._COEFFICIENTS", np.zeros(10))
    assert len(banked(GlrJudge(), values)) > 3 * max(kept, 24)


def test_an_alarm_that_was_false_is_taken_back():
    """After a false alarm a change is found as if there had been none; without taking back, later."""

    def delays():
        found = []
        for seed in range(30):
            values = np.random.default_rng(seed).normal(size=260)
            values[150:154] += 3.0
            values[200:] += 1.0
            bank = Bank(GlrJudge(), 1, steps=1000.0)
            calls = [t for t in range(260) if bank.update(float(t), values[t : t + 1]) and t >= 200]
            found.append(calls[0] - 200 if calls else np.inf)
        return np.array(found)

    with pytest.MonkeyPatch.context() as patch:
        taken_back = delays()
        patch.setattr("headwater.evolution.bank._REFERENCE", 10**6)
        kept = delays()
    assert np.median(taken_back) <= np.median(kept)
    assert np.isinf(taken_back).sum() < np.isinf(kept).sum()


@pytest.mark.parametrize("size", [-4.0, 4.0, 12.0])
def test_two_years_of_months_are_enough(size):
    found = 0
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=24)
        values[12:] += size
        after = [c for c in changes(Glr(), values) if 12 <= c.time <= 18 and np.sign(c.size) == np.sign(size)]
        found += bool(after) and abs(after[0].onset - 11.5) <= 1
    # With twelve values before it a change and memory look alike; the other years take longer.
    assert found >= 32


def test_outages_add_no_evidence():
    values = np.random.default_rng(0).normal(size=(300, 60))
    bank = Bank(GlrJudge(), 300, steps=1000.0)
    # Half of each stream lies a thousand steps after the other half.
    called = [bank.update(step + 1000.0 * (step >= 30), values[:, step]) for step in range(60)]
    assert sum(len(calls) for calls in called[30:35]) <= 3


def test_a_change_is_found_after_a_change():
    values = np.random.default_rng(2).normal(size=90)
    values[30:60] += 6
    onsets = [change.onset for change in changes(Glr(), values)]
    assert len(onsets) >= 2
    assert abs(onsets[0] - 29.5) <= 1
    assert any(abs(onset - 59.5) <= 1 for onset in onsets)


def test_a_step_in_a_constant_stream_is_found_and_an_outlier_is_not():
    step = changes(Glr(), [0.1] * 12 + [0.5] * 5)
    assert [(c.onset, c.kind) for c in step] == [(11.5, "level")]
    assert step[0].size == pytest.approx(0.4)
    assert changes(Glr(), [0.1] * 12 + [9.0] + [0.1] * 12) == []


def test_a_rarer_word_takes_more_evidence():
    values = np.random.default_rng(5).normal(size=(30, 1000))
    often, rarely = (len(banked(GlrJudge(), values, steps=steps)) for steps in (200.0, 5000.0))
    assert often > 4 * max(rarely, 5)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_bank_says_exactly_what_single_detectors_say(share):
    values = with_gaps(changed(noise(np.random.default_rng(6), (8, 300), "ar.5"), 200, level=3.0), share)
    values[3] *= 1e6
    together = banked(GlrJudge(), values)
    alone = []
    for row, stream in enumerate(values):
        detector = Glr()
        told = [detector.update(float(t), None if np.isnan(v) else float(v)) for t, v in enumerate(stream)]
        alone += [(row, change) for change in told if change is not None]
    assert len(alone) >= 8
    assert sorted(together, key=lambda found: (found[0], found[1].time)) == alone
