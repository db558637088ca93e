"""Regimes are found, kept, and found again; everything said stands under exactly one of them, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.evolution import Regimes
from headwater.statistics import Gram, Statistic
from headwater.statistics.fixed_point import on_grid

GRAM = Gram(dim=4, intercept=False)
ONE, OTHER, THIRD = np.array([1.0, 0.5, 0, 0]), np.array([-0.5, 0, 1.0, 0.5]), np.array([0, -1.0, 0, -1.0])


def said(rng, beta, count=40):
    x = on_grid(np.hstack([np.ones((count, 1)), rng.normal(size=(count, 3))]))
    return GRAM.statistic(x, on_grid(x @ beta + rng.normal(size=count)))


def fed(paths, *, seed=1, count=40, answers=1.0):
    """Feed sources whose coefficients follow ``paths``, and return the regimes and what was found of each source."""
    rng = np.random.default_rng(seed)
    regimes, found = Regimes(GRAM), {source: [] for source in paths}
    for time in range(max(len(path) for path in paths.values())):
        for source, path in paths.items():
            if rng.random() < answers:
                found[source].append(regimes.update(time, source, said(rng, path[time], count)))
    return regimes, found


def changes(found):
    return [one for one in found if one.change is not None]


def test_sources_alike_are_in_one_regime_and_others_in_another():
    regimes, found = fed({"a": [ONE] * 10, "b": [ONE] * 10, "c": [OTHER] * 10})
    assert not any(changes(each) for each in found.values())
    ends = {source: each[-1].regime for source, each in found.items()}
    assert ends["a"] == ends["b"] != ends["c"]
    assert len(regimes.known) == 2


def test_a_change_is_noticed_with_its_onset_size_and_confidence():
    _, found = fed({"a": [ONE] * 20, "b": [ONE] * 10 + [OTHER] * 10})
    [one] = changes(found["b"])
    assert one.change.time - 1 <= 10.5
    assert one.change.onset == 9.5
    assert not one.returned
    assert one.change.size == pytest.approx(float(np.linalg.norm(ONE - OTHER)), rel=0.25)
    assert one.change.confidence > 0.5
    assert not changes(found["a"])


def test_a_change_too_small_for_one_delivery_is_dated_back_to_where_it_began():
    rng = np.random.default_rng(2)
    regimes, found = Regimes(GRAM), []
    for time in range(40):
        small = ONE + (0.45 if time >= 20 else 0.0) * np.array([0, 0, 1.0, 0])
        found.append(regimes.update(time, "a", said(rng, small, 30)))
    [one] = changes(found)
    assert one.change.time > 20
    assert one.change.onset == pytest.approx(19.5, abs=1.5)
    onset = int(np.ceil(one.change.onset))
    assert [delivery.regime for delivery in regimes.deliveries("a")] == [0] * onset + [1] * (40 - onset)


def test_a_regime_that_returns_is_the_old_one_with_all_that_was_said_under_it():
    regimes, found = fed({"a": [ONE] * 10 + [OTHER] * 10 + [ONE] * 10, "b": [THIRD] * 30})
    away, back = changes(found["a"])
    assert (away.returned, back.returned) == (False, True)
    assert back.regime == found["a"][0].regime
    assert GRAM.records(regimes.said("a")[back.regime]) == 20 * 40


def test_a_source_that_follows_another_is_found_in_the_regime_that_this_one_opened():
    _, found = fed({"a": [ONE] * 10 + [OTHER] * 20, "b": [ONE] * 20 + [OTHER] * 10})
    [one], [other] = changes(found["a"]), changes(found["b"])
    assert one.regime == other.regime
    assert (one.returned, other.returned) == (False, True)


def test_silence_is_no_change_and_a_change_behind_it_is_found_at_once():
    regimes, found = fed({"a": [ONE] * 15, "b": [ONE] * 15})
    rng = np.random.default_rng(3)
    assert regimes.update(80, "a", said(rng, ONE)).change is None
    change = regimes.update(80, "b", said(rng, OTHER)).change
    assert change is not None
    assert change.onset == (14 + 80) / 2


def test_noise_alone_raises_few_alarms():
    paths = {f"s{k}": [ONE] * 100 for k in range(10)}
    _, found = fed(paths, seed=4, answers=0.3)
    assert sum(len(changes(each)) for each in found.values()) <= 3


def test_what_agrees_is_one_regime_under_its_older_number():
    rng = np.random.default_rng(6)
    regimes = Regimes(GRAM, merging=1e9)
    for time in range(6):
        regimes.update(time, "a", said(rng, ONE, 12))
    regimes.update(0, "b", said(rng, OTHER))
    regimes.update(1, "b", said(rng, ONE, 5))
    assert len(regimes.known) >= 2
    regimes.merging = -1e9
    assert regimes.update(7, "b", said(rng, ONE)).regime == 0
    assert regimes.known == (0,)
    assert {delivery.regime for source in "ab" for delivery in regimes.deliveries(source)} == {0}


paths = st.lists(st.sampled_from([ONE, OTHER, THIRD, 0.5 * ONE + 0.5 * OTHER]), min_size=1, max_size=14)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.dictionaries(st.sampled_from("abc"), paths, min_size=1), st.integers(0, 99))
def test_all_that_was_said_stands_under_one_regime_to_the_last_bit(given_paths, seed):
    rng = np.random.default_rng(seed)
    regimes, whole = Regimes(GRAM), {}
    for source, path in given_paths.items():
        for time, beta in enumerate(path):
            statistic = said(rng, beta, int(rng.integers(1, 40)))
            whole[source] = whole[source].merge(statistic) if source in whole else statistic
            regimes.update(time, source, statistic)
    for source in whole:
        parts = regimes.said(source)
        assert Statistic.total(parts.values()) == whole[source]
        for regime, statistic in parts.items():
            under = [one.statistic for one in regimes.deliveries(source) if one.regime == regime]
            assert Statistic.total(under) == statistic
    for regime in regimes.known:
        everyone = [regimes.said(source)[regime] for source in whole if regime in regimes.said(source)]
        assert regimes.sums(regime).records == pytest.approx(GRAM.records(Statistic.total(everyone)))
    assert set(regimes.known) == {regime for source in whole for regime in regimes.said(source)}


def test_time_goes_forward_for_each_source():
    regimes, rng = Regimes(GRAM), np.random.default_rng(5)
    regimes.update(3, "a", said(rng, ONE))
    regimes.update(2, "b", said(rng, ONE))
    with pytest.raises(Refusal, match="E-STREAM-TIME"):
        regimes.update(3, "a", said(rng, ONE))


@pytest.mark.parametrize("wrong", [{"hazard": 0.0}, {"hazard": 1.0}, {"novelty": 0}, {"lookback": 0}, {"prior": 0}])
def test_impossible_settings_are_errors(wrong):
    with pytest.raises(ValueError, match="positive"):
        Regimes(GRAM, **wrong)
