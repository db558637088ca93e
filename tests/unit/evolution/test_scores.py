"""Scores are standard normal and independent while nothing changes, whatever the values are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, t

from headwater.bench.evolution_streams import noise
from headwater.evolution.scores import Scores, _normal_of_student

ROWS = np.array([0])


def scored(values, *, times=None, interval=1.0):
    scores = Scores(1, interval=interval)
    told = []
    for time, value in zip(np.arange(len(values)) if times is None else times, values, strict=True):
        scores.take(float(time), np.array([value], dtype=float))
        told.append(scores.white[0, -1])
    return np.array(told), scores


@pytest.mark.parametrize("law", ["normal", "t3", "ar.5"])
def test_white_scores_are_normal_and_forget(law):
    values = noise(np.random.default_rng(1), (1, 3000), law)[0]
    white = scored(values)[0][200:]
    assert abs(white.mean()) < 0.06
    assert abs(white.std() - 1) < 0.06
    assert kstest(white, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.08


def test_memory_is_learnt_and_its_lack_too():
    for law, low, high in (("normal", 0.0, 0.1), ("ar.5", 0.4, 0.6), ("ar.7", 0.6, 0.8)):
        scores = scored(noise(np.random.default_rng(2), (1, 600), law)[0])[1]
        assert low <= scores.coefficient[0] <= high


def test_thresholds_go_by_less_the_more_is_known_and_the_longer_the_gaps():
    values = noise(np.random.default_rng(2), (1, 600), "ar.5")[0]
    young, old, rare = scored(values[:60])[1], scored(values)[1], scored(values[::3], times=list(range(0, 600, 3)))[1]
    everyone = np.arange(1)
    assert young.caution(everyone)[0] > 1.2 * old.caution(everyone)[0]
    assert old.caution(everyone)[0] == pytest.approx(0.5 / 16, rel=0.25)
    assert rare.caution(everyone)[0] < old.caution(everyone)[0]


def test_what_was_before_a_new_beginning_counts_for_no_caution():
    scores = scored(noise(np.random.default_rng(2), (1, 600), "ar.5")[0])[1]
    scores.restart(0, 9)
    assert 0 < scores.caution(np.arange(1))[0] <= 1 / 3


def test_a_gap_fades_memory():
    values = noise(np.random.default_rng(3), (1, 601), "ar.7")[0]
    scores = scored(values, times=[*range(600), 700.0])[1]
    assert scores.level[0, -1] == pytest.approx(1.0)
    assert scores.level[0, -2] < 0.6
    assert scores.jump[0, -2] > 1.3


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=40), st.integers(-8, 8), st.sampled_from([-1.0, 1.0]))
def test_unit_and_sign_do_not_matter(values, power, sign):
    plain = scored(np.array(values, dtype=float))[0]
    other = scored(sign * 2.0**power * np.array(values, dtype=float))[0]
    np.testing.assert_allclose(other, sign * plain, atol=1e-9)


def test_the_first_scores_are_the_ranks():
    white, scores = scored([5.0, 7.0, 6.0, 6.0])
    expected = [0.0, 0.6744897501960817, 0.0, 0.0]
    np.testing.assert_allclose(scores.normal[0, -4:], expected, atol=1e-12)


def test_heavy_tails_are_scored_by_rank_alone():
    values = np.random.default_rng(4).standard_t(2, size=200)
    scores = scored([*values, 1e9])[1]
    assert scores.normal[0, -1] == pytest.approx(-np.sqrt(2) * _erfcinv(2 * (200.5 / 201)), abs=1e-9)


def _erfcinv(value):
    from scipy.special import erfcinv

    return erfcinv(value)


def test_student_becomes_normal():
    for freedom in (7, 20, 200):
        for value in (0.5, 1.5, 2.5):
            exact = -np.sqrt(2) * _erfcinv(2 * t.cdf(value, freedom))
            assert _normal_of_student(np.array([value]), np.array([freedom]))[0] == pytest.approx(exact, abs=0.02)


def test_sums_since_every_onset():
    scores = scored(noise(np.random.default_rng(5), (1, 60), "ar.5")[0])[1]
    said, weight = scores.sums(ROWS, 10)
    for ago in range(1, 11):
        factor = np.concatenate([scores.jump[0, -ago : 256 - ago + 1], scores.level[0, 256 - ago + 1 :]])
        assert said[0, -ago] == pytest.approx(float(factor @ scores.white[0, -ago:]))
        assert weight[0, -ago] == pytest.approx(float(factor @ factor))


def test_a_restart_scores_the_kept_values_anew():
    values = np.random.default_rng(6).normal(size=50)
    scores = scored(values)[1]
    scores.restart(0, 12)
    assert scores.count[0] == 12
    np.testing.assert_array_equal(scores.values[0, -12:], values[-12:])
    np.testing.assert_allclose(scores.normal[0, -12:], scored(values[-12:])[1].normal[0, -12:])


def test_a_stream_goes_on_in_another_and_can_be_put_back():
    scores = scored(np.random.default_rng(7).normal(size=40))[1]
    other = Scores(1)
    other.put(ROWS, scores)
    scores.restart(0, 3)
    other.push(ROWS, np.array([40.0]), np.array([1.0]))
    assert (int(scores.count[0]), int(other.count[0])) == (3, 41)
    scores.put(ROWS, other)
    assert scores.count[0] == 41
    np.testing.assert_array_equal(scores.white, other.white)


def test_the_share_of_answers_leaves_outages_out():
    scores = Scores(1)
    for step in range(400):
        if step % 2 == 0 and not 200 <= step < 300:
            scores.take(float(step), np.array([1.0 * (step % 7)]))
    assert scores.answering(ROWS)[0] == pytest.approx(0.5, abs=0.06)


def told(values, times):
    return scored(values, times=times)[1]


def test_outages_hurried_are_as_if_there_had_been_none():
    # Sixty values that seem to remember, but not surely.
    values = noise(np.random.default_rng(9), (1, 60), "ar.5")[0]
    without = told(values, range(60))
    assert without.hurried(0) is None
    behind = told(values, [*range(59), 359])
    hurried, place = behind.hurried(0), [-1]
    assert behind.jump[0, place] == pytest.approx(1.0)
    for name in ("white", "level", "jump", "spread"):
        found, expected, left = (getattr(one, name)[0] for one in (hurried, without, behind))
        np.testing.assert_allclose(found[place], expected[place], atol=0.03)
        np.testing.assert_array_equal(np.delete(found, place), np.delete(left, place))
        assert abs(found[place] - left[place]) > 0.05


def test_of_a_stream_that_certainly_remembers_an_outage_did_end_the_memory():
    values = noise(np.random.default_rng(9), (1, 400), "ar.5")[0]
    assert told(values, [*range(399), 699]).hurried(0) is None


def test_an_outage_lowers_no_threshold_until_outages_are_a_habit():
    heard = [step for step in range(300) if np.random.default_rng([5, step]).random() < 0.5]
    values = np.random.default_rng(6).normal(size=len(heard) + 31)
    share = told(values[: len(heard) + 1], [*heard, 301]).answering(ROWS)[0]
    for length in (20, 60, 500):
        assert told(values[: len(heard) + 1], [*heard, 301 + length]).answering(ROWS)[0] >= share
    rare = told(values, [*heard, *range(320, 320 + 20 * 31, 20)]).answering(ROWS)[0]
    assert rare < 0.7 * share
