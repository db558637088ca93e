"""What holds for one with few records: a regime, a way between two, or what companions have gone to."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.evolution import Belief, Regimes
from headwater.statistics import Gram
from headwater.statistics.fixed_point import on_grid

GRAM = Gram(dim=4, intercept=False)
ONE, OTHER = np.array([1.0, 0.5, 0, 0]), np.array([0.0, 0, 1.0, 0.5])


def said(rng, beta, count):
    x = on_grid(np.hstack([np.ones((count, 1)), rng.normal(size=(count, 3))]))
    return GRAM.statistic(x, on_grid(x @ beta + rng.normal(size=count)))


def followed(target, *, leavers=0, seed=1):
    """Return regimes after five sources in each of two and a target with eight records a step.

    ``leavers`` of the first regime's sources say in the last two steps that they went to the second.
    """
    rng = np.random.default_rng(seed)
    regimes = Regimes(GRAM)
    for time, beta in enumerate(target):
        for source in range(10):
            left = source < leavers and time >= len(target) - 2
            regimes.update(time, f"s{source}", said(rng, OTHER if source >= 5 or left else ONE, 40))
        regimes.update(time, "target", said(rng, beta, 8))
    place = {regimes.deliveries(name)[0].regime: name for name in ("s0", "s9")}
    assert len(place) == 2
    return regimes, [regimes.deliveries(name)[0].regime for name in ("s0", "s9")]


def test_a_target_that_stays_is_believed_to_stay():
    regimes, (one, other) = followed([ONE] * 20)
    shares = Belief().believed(regimes, "target").shares
    assert shares[one] > 0.9
    assert shares[other] < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_a_change_to_what_others_know_is_believed_within_three_steps(seed):
    regimes, (_, other) = followed([ONE] * 20 + [OTHER] * 3, seed=seed)
    assert Belief().believed(regimes, "target").shares[other] > 0.8


def test_the_model_of_a_target_on_its_way_is_between_the_regimes():
    middle, errors = 0.5 * ONE + 0.5 * OTHER, []
    for seed in range(6):
        regimes, _ = followed([ONE] * 8 + [middle] * 12, seed=seed)
        shares = Belief().believed(regimes, "target").shares
        model = sum(share * regimes.sums(regime).coefficients(0.1) for regime, share in shares.items())
        errors.append([float(((model - truth) ** 2).sum()) for truth in (ONE, middle, OTHER)])
    from_one, from_middle, from_other = np.mean(errors, axis=0)
    assert from_middle < 0.15
    assert 2 * from_middle < min(from_one, from_other)


def test_companions_that_have_gone_are_followed_before_own_records_tell():
    alone, (_, other) = followed([ONE] * 20)
    together, (_, same) = followed([ONE] * 20, leavers=4)
    stubborn = replace(Belief(), follow=0.0)
    expected = Belief().believed(alone, "target").shares[other]
    assert Belief().believed(together, "target").shares[same] > 5 * expected
    assert stubborn.believed(together, "target").shares[same] < 3 * expected


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=8), min_size=1, max_size=4))
def test_shares_are_shares(streams):
    rng, regimes = np.random.default_rng(0), Regimes(GRAM)
    for place, stream in enumerate(streams):
        for time, share in enumerate(stream):
            regimes.update(time, f"s{place}", said(rng, (1 - share) * ONE + share * OTHER, 10))
    shares = Belief().believed(regimes, "s0").shares
    assert tuple(shares) == regimes.known
    assert min(shares.values()) >= 0
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares == Belief().believed(regimes, "s0").shares


def test_many_regimes_take_no_more_room_than_those_that_are_looked_at():
    rng, regimes = np.random.default_rng(0), Regimes(GRAM)
    for time in range(2):
        for source in range(120):
            law = np.array([source % 11, source // 11, source % 7, source % 5], dtype=float) * 20
            regimes.update(time, f"s{source:03d}", said(rng, law, 20))
    assert len(regimes.known) > 20
    tracemalloc.start()
    try:
        shares = Belief().believed(regimes, "s000").shares
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    assert len(shares) == Belief().most
    assert shares[regimes.deliveries("s000")[-1].regime] > 0.9


def test_records_that_a_law_fits_exactly_have_odds():
    rng, regimes = np.random.default_rng(0), Regimes(GRAM)
    for time in range(3):
        x = on_grid(np.hstack([np.ones((9, 1)), rng.normal(size=(9, 3))]))
        regimes.update(time, "target", GRAM.statistic(x, np.zeros(9)))
    assert np.isfinite(Belief().believed(regimes, "target").odds)
