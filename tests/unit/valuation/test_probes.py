"""Probes mend what the surrogate got wrong: exactly where the difference has the form, never by more than was asked."""

from itertools import permutations

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation.games import Square
from headwater.valuation.methods.exact import shapley_of_table
from headwater.valuation.probes import _USUAL, Mend, _shares, _terms, design, probed

PLAYERS = tuple("abcdef")
WEIGHTS = np.array([0.3, -0.1, 0.2, 0.05, 0.0, 0.4])
ALL = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)
SURROGATE = Square((0.5, 0.3, 0.2, 0.4, 0.1, 0.3))


def truth(coalitions):
    return SURROGATE(coalitions) * 0.9 + coalitions @ WEIGHTS


def test_shares_are_the_shapley_values_of_the_terms():
    terms = _terms(ALL, SURROGATE(ALL))
    own = np.stack([shapley_of_table(terms[:, at]) for at in range(13)], axis=1)
    np.testing.assert_allclose(_shares(SURROGATE.shapley()), own, atol=1e-12)


def test_a_difference_of_the_assumed_form_is_found():
    expected = shapley_of_table(truth(ALL))
    mended = probed(SURROGATE, truth, PLAYERS, probes=40, rng=np.random.default_rng(0))
    before = np.abs(SURROGATE.shapley() - expected).max()
    assert np.abs(mended.values - expected).max() < 0.25 * before
    assert ((mended.low <= expected) & (expected <= mended.high)).all()


def test_the_better_of_two_surrogates_is_found():
    wrong = Square((0.1, 0.5, 0.4, 0.0, 0.3, 0.2))
    expected = SURROGATE.shapley()

    def error(others):
        options = {"probes": 12, "rng": np.random.default_rng(0), "others": others}
        return np.abs(probed(wrong, SURROGATE, PLAYERS, **options).values - expected).max()

    assert error([SURROGATE]) < 0.5 * error([])


def test_values_of_blended_games_are_closed_forms():
    others = [Square((0.1, 0.5, 0.4, 0.0, 0.3, 0.2))]
    masks = design(SURROGATE, SURROGATE.shapley(), 20, rng=np.random.default_rng(0))
    told = np.stack([other(masks) for other in others], axis=1)
    mend = Mend.fit(masks, SURROGATE(masks), truth(masks), unit=1.0, others=told)
    values = mend.values(SURROGATE.shapley(), others[0].shapley()[:, None])[0]
    np.testing.assert_allclose(shapley_of_table(mend.game(SURROGATE, others)(ALL)), values, atol=1e-12)


def test_more_probes_are_surer():
    reach = [
        (lambda v: (v.high - v.low).mean())(probed(SURROGATE, truth, PLAYERS, probes=m, rng=np.random.default_rng(0)))
        for m in (4, 12, 40)
    ]
    assert reach == sorted(reach, reverse=True)


def test_only_the_probes_are_retrained():
    seen = []

    def counted(coalitions):
        seen.append(len(coalitions))
        return truth(coalitions)

    found = probed(SURROGATE, counted, PLAYERS, probes=7, rng=np.random.default_rng(0))
    assert sum(seen) == found.evaluations == 7


def test_a_right_surrogate_is_left_alone():
    found = probed(SURROGATE, SURROGATE, PLAYERS, probes=12, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, SURROGATE.shapley(), atol=1e-12)


def test_the_mended_game_has_the_mended_values():
    masks = design(SURROGATE, SURROGATE.shapley(), 20, rng=np.random.default_rng(0))
    mend = Mend.fit(masks, SURROGATE(masks), truth(masks), unit=1.0)
    np.testing.assert_allclose(
        shapley_of_table(mend.game(SURROGATE)(ALL)), mend.values(SURROGATE.shapley())[0], atol=1e-12
    )


def test_each_probe_is_the_best_next_one():
    values, rng = SURROGATE.shapley(), np.random.default_rng(0)
    masks = design(SURROGATE, values, 3, rng=rng)
    assert len(np.unique(masks, axis=0)) == 3

    def spread(chosen):
        mend = Mend.fit(
            chosen, SURROGATE(chosen), SURROGATE(chosen), unit=float(np.abs(values).sum()), beliefs=[_USUAL]
        )
        shares = _shares(values)
        return np.trace(shares @ mend.covariance @ shares.T)

    others = [spread(np.vstack([masks[:2], mask[None]])) for mask in ALL[1:]]
    assert spread(masks) == pytest.approx(min(others))


def test_order_of_players_does_not_matter():
    masks = ALL[[3, 9, 33, 63, 17]]
    whole = Mend.fit(masks, SURROGATE(masks), truth(masks), unit=1.0).values(SURROGATE.shapley())[0]
    for order in list(permutations(range(6)))[1::240]:
        moved = list(order)
        again = Mend.fit(masks[:, moved], SURROGATE(masks), truth(masks), unit=1.0)
        np.testing.assert_allclose(again.values(SURROGATE.shapley()[moved])[0], whole[moved], atol=1e-12)


@pytest.mark.parametrize("probes", [0, 64])
def test_impossible_numbers_of_probes_are_refused(probes):
    with pytest.raises(Refusal) as caught:
        probed(SURROGATE, truth, PLAYERS, probes=probes, rng=np.random.default_rng(0))
    assert caught.value.code == "E-VALUE-PROBES"


def test_many_players_are_probed_from_a_sample():
    masks = design(lambda m: m.sum(axis=1) / 30.0, np.full(30, 1 / 30), 5, rng=np.random.default_rng(0))
    assert masks.shape == (5, 30)
