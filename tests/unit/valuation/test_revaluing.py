"""From tick to tick values stay those of valuing everybody anew, within bounds that are told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics import Gram, Statistic
from headwater.valuation import METHODS, GramUtility
from headwater.valuation.methods.mean_field import Design
from headwater.valuation.revaluing import Revaluation

DIM, SOURCES, SEED = 4, 600, 5
GRAM = Gram(DIM)
NAMES = tuple(f"h{place:03d}" for place in range(SOURCES))


def statistic(rng, rows, apart=0.1):
    x = rng.normal(size=(rows, DIM))
    x[:, 0] = 1
    return GRAM.statistic(x, x @ (np.array([0.5, 1, -0.5, 0.2]) + apart * rng.normal(size=DIM)) + rng.normal(size=rows))


def said(rng):
    """Return what a source may say: of few or many records, and mostly of what the target follows."""
    return statistic(rng, int(np.exp(rng.uniform(np.log(5), np.log(100)))), float(rng.choice([0.1, 0.1, 0.6])))


@pytest.fixture(scope="module")
def game():
    rng = np.random.default_rng(1)
    return GramUtility(statistic(rng, 20), {name: said(rng) for name in NAMES}, statistic(rng, 400), GRAM, 1.0)


def started(game, **options):
    return Revaluation.start(game, rng=np.random.default_rng(SEED), **options)


def anew(game, sources):
    """Value everybody by the method itself, with the same draw."""
    fresh = GramUtility(game.target, sources, game.validation, game.gram, game.ridge)
    return METHODS["mean_field"](fresh, fresh.players, rng=np.random.default_rng(SEED))


def followed(game, *, ticks, tolerance, each=6, seed=2):
    rng, now, found = np.random.default_rng(seed), dict(game.sources), started(game, tolerance=tolerance)
    for _ in range(ticks):
        changed = {NAMES[place]: said(rng) for place in rng.choice(SOURCES, each, replace=False)}
        now |= changed
        found = found.after(changed)
    return found, anew(game, now)


def off(found, truth):
    return np.abs(found.valuation.values - truth.values)


def mean(errors):
    return float(np.sqrt(np.mean(errors**2)))


def test_the_first_values_are_those_of_the_method(game):
    found, truth = started(game), anew(game, game.sources)
    for name in ("values", "low", "high"):
        assert getattr(found.valuation, name) == pytest.approx(getattr(truth, name), rel=1e-4, abs=1e-9)
    assert not found.spared.bounds.any()


def test_without_tolerance_values_stay_those_of_the_method_and_cost_less(game):
    found, truth = followed(game, ticks=4, tolerance=0.0)
    assert found.valuation.values == pytest.approx(truth.values, rel=1e-4, abs=1e-8)
    assert found.spared.exact == found.spared.touched
    assert found.spared.marginals < found.rest.size
    assert not found.spared.bounds.any()


@pytest.mark.parametrize("seed", range(3))
def test_with_tolerance_values_are_off_by_no_more_than_is_told(game, seed):
    found, truth = followed(game, ticks=8, tolerance=0.1, seed=seed)
    errors, sampling = off(found, truth), float(np.median((truth.high - truth.low) / 2))
    assert np.mean(errors <= found.spared.bounds + 1e-9) >= 0.99
    assert mean(errors) <= 0.1 * sampling
    assert mean(errors) > 1e-9, "nothing was spared"
    assert found.spared.exact < found.spared.touched
    assert (found.valuation.high - found.valuation.low) / 2 == pytest.approx(found.sampling + found.spared.bounds)


def test_the_louder_sources_change_the_less_is_spared(game):
    rng, now = np.random.default_rng(3), dict(game.sources)
    calm, _ = followed(game, ticks=4, tolerance=0.1, seed=3)
    loud = started(game, tolerance=0.1)
    for _ in range(4):
        changed = {NAMES[place]: statistic(rng, 1_000, 3.0) for place in rng.choice(SOURCES, 6, replace=False)}
        now |= changed
        loud = loud.after(changed)
    assert loud.spared.exact > calm.spared.exact
    errors, truth = off(loud, anew(game, now)), anew(game, now)
    assert np.mean(errors <= loud.spared.bounds + 1e-9) >= 0.99
    assert mean(errors) <= 0.1 * float(np.median((truth.high - truth.low) / 2))


def test_what_is_spared_without_being_held_against_a_bound_goes_further_astray(game):
    """The broken twin of the bound: nothing is ever made exact because of it."""
    kept, truth = followed(game, ticks=8, tolerance=0.05)
    loose, _ = followed(game, ticks=8, tolerance=1e9)
    assert loose.spared.exact == 0
    assert mean(off(loose, truth)) > 5 * mean(off(kept, truth))


def test_a_tick_in_which_nobody_says_anything_else_moves_nothing(game):
    before = started(game)
    found = before.after({})
    assert found.spared.touched == found.spared.exact == 0
    assert found.valuation.values == pytest.approx(before.valuation.values, rel=1e-5, abs=1e-9)


def test_a_source_that_says_nothing_any_more_is_worth_nothing(game):
    found = started(game, tolerance=0.0).after({NAMES[3]: None})
    assert found.valuation.of(NAMES[3]) == 0.0
    nobody = GRAM.statistic(np.zeros((0, DIM)), np.zeros(0))
    truth = anew(game, {**game.sources, NAMES[3]: nobody})
    assert found.valuation.values == pytest.approx(truth.values, rel=1e-4, abs=1e-8)
    back = found.after({NAMES[3]: game.sources[NAMES[3]]})
    assert back.valuation.values == pytest.approx(started(game).valuation.values, rel=1e-4, abs=1e-8)


def test_everybody_may_say_something_else(game):
    rng = np.random.default_rng(8)
    now = {name: said(rng) for name in NAMES}
    found = started(game, tolerance=0.05).after(now)
    assert found.valuation.values == pytest.approx(anew(game, now).values, rel=1e-4, abs=1e-8)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_sums_are_bit_for_bit_those_made_anew(seed, count):
    rng = np.random.default_rng(seed)
    game = GramUtility(statistic(rng, 20), {name: said(rng) for name in NAMES[:40]}, statistic(rng, 50), GRAM, 1.0)
    ticks = [{name: rng.choice([*range(10), None]) for name in rng.choice(NAMES[:40], 5)} for _ in range(count)]
    statements = [GRAM.sample(np.random.default_rng(seed)) for seed in range(10)]
    found = started(game)
    for changed in ticks:
        found = found.after({name: None if which is None else statements[which] for name, which in changed.items()})
    again = [found.said[members].sum(axis=0) for members in found.design.coalitions]
    assert np.array_equal(found.sums, again)


def test_where_nobody_can_tell_nothing_is_spared(game):
    """Not even what was spared before: those whose turn it is say nothing, so nothing is known of how far it moved."""
    nobody = GRAM.statistic(np.zeros((0, DIM)), np.zeros(0))
    rng = np.random.default_rng(4)
    found = started(game, tolerance=0.1).after({NAMES[1]: said(rng)})
    assert found.spared.bounds.any()
    turns = SOURCES // 32
    found = found.after(dict.fromkeys(NAMES[2::turns], None))
    found = replace(found, tick=2).after({NAMES[3]: said(rng)})
    assert found.spared.exact == len(found.sums)
    assert not found.spared.bounds.any()
    now = {name: nobody if place % turns == 2 else game.sources[name] for place, name in enumerate(NAMES)}
    rng = np.random.default_rng(4)
    now |= {NAMES[1]: said(rng), NAMES[3]: said(rng)}
    assert found.valuation.values == pytest.approx(anew(game, now).values, rel=1e-4, abs=1e-8)


def test_who_was_not_there_is_refused(game):
    with pytest.raises(Refusal) as refusal:
        started(game).after({"nobody": game.sources[NAMES[0]]})
    assert refusal.value.code == "E-REVALUE-SOURCE"


def test_a_sum_that_would_leave_its_64_bits_is_refused(game):
    huge = Statistic("gram", (DIM,), np.full(GRAM.length, 2**62, dtype=np.uint64))
    with pytest.raises(Refusal) as refusal:
        started(game).after({NAMES[0]: huge, NAMES[1]: huge})
    assert refusal.value.code == "E-STATISTIC-OVERFLOW"


@pytest.mark.parametrize("size", [2, 3, 17, 300])
def test_weights_of_marginals_make_the_means(size):
    design = Design.draw(size, rng=np.random.default_rng(size))
    marginals = np.random.default_rng(1).normal(size=design.coalitions.shape)
    values, _, shares = design.estimate(marginals, gain=0.0)
    means = (design.weights() * marginals).sum(axis=0)
    assert values == pytest.approx(means - shares * means.sum())
    assert design.weights().sum(axis=0) == pytest.approx(np.ones(size))
