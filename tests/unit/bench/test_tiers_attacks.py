"""Attacks find every guard that is taken away, and win nothing where all are there."""

from functools import cached_property
from unittest import mock

import numpy as np
import pytest

from headwater.adapters.tenseal import Ckks, KeyHolder
from headwater.bench import tiers_attacks, tiers_differences, tiers_guesses
from headwater.bench.tiers_differences import Differences, of_cohorts, under_encryption
from headwater.bench.tiers_guesses import Guesses, collusion, inversion, weights
from headwater.bench.tiers_mutations import Mutated, mutated
from headwater.errors import Refusal
from headwater.federation.cohorts import CohortSums
from headwater.security import CLEAR, MASKED, Pact
from headwater.security.desk import Desk, Equivocation, Occasion
from headwater.security.masking import member as member_module
from headwater.security.masking.member import MaskedMember
from headwater.security.masking.server import MaskedServer
from headwater.security.single import SingleMember

KINDS = {
    *(
        f"server: {kind}"
        for kind in ("cross-round", "replay", "second story", "signed nonsense", "splice", "tamper", "wrong key")
    ),
    "server: wrong pact",
    *(f"member: {kind}" for kind in ("cross-round", "replay", "tamper")),
}


def _clear():
    return CLEAR


def _masked():
    return MASKED


def _ckks():
    """Return a protection whose holder has opened nothing."""
    return Ckks(KeyHolder("region"))


ALL = (_clear, _masked, _ckks)


def test_whatever_nobody_meant_is_refused():
    found = mutated(1_200, [fresh() for fresh in ALL], seed=1)
    assert found.won == []
    assert found.tried >= 1_200
    assert set(found.refused) == KINDS


def test_another_list_of_survivors_fits_nothing_that_the_server_tells():
    found = mutated(4_000, [MASKED], seed=5)
    assert found.won == []
    assert found.other_list > 0


# Guards that are taken away, one at a time.


def _unsigned():
    return mock.patch.object(Occasion, "signed", return_value=True)


def _forgetful():
    """Let a desk know nothing of what it took."""
    take = Desk.take

    def forgets(desk, *message):
        seen = dict(desk.seen)
        desk.seen.clear()
        try:
            return take(desk, *message)
        finally:
            desk.seen |= seen

    return mock.patch.object(Desk, "take", forgets)


def _newest_wins():
    """Let a desk take the second of two stories."""
    take = Desk.take

    def believes(desk, occasions, sender, message, form):
        try:
            return take(desk, occasions, sender, message, form)
        except Equivocation as error:
            del desk.seen[error.evidence.occasion.phase, sender]
            return take(desk, occasions, sender, message, form)

    return mock.patch.object(Desk, "take", believes)


def _leaves_traces():
    take = Desk.take

    def notes(desk, occasions, sender, message, form):
        try:
            return take(desk, occasions, sender, message, form)
        except Refusal:
            desk.seen[99, sender] = bytes(96)
            raise

    return mock.patch.object(Desk, "take", notes)


def _any_round():
    digest = cached_property(lambda pact: b"always")
    digest.__set_name__(Pact, "digest")
    return mock.patch.object(Pact, "digest", digest)


def _untried_keys():
    return mock.patch.object(MaskedServer, "_require_opened")


def _any_length():
    return mock.patch.object(MaskedServer, "_expected", return_value=mock.ANY)


def _any_boxes():
    return mock.patch.object(member_module, "opened", return_value=b"")


def _any_lists():
    return mock.patch.object(MaskedMember, "_read_signatures", lambda member, words: member._known)


def _any_words():
    answer = SingleMember.answer
    return mock.patch.object(SingleMember, "answer", lambda member, told, values: answer(member, b"\0", values))


@pytest.mark.parametrize(
    ("guard", "protections", "how"),
    [
        (_unsigned, [_clear], ": taken"),
        (_unsigned, [_ckks], ": taken"),
        (_unsigned, [_masked], ": taken"),
        (_forgetful, [_clear], ": taken"),
        (_newest_wins, [_masked], ": taken"),
        (_leaves_traces, ALL, "not as it was"),
        (_any_round, [_clear], "cross-round: taken"),
        (_untried_keys, [_masked], "signed nonsense: taken"),
        (_any_length, [_masked], "signed nonsense: "),
        (_any_boxes, [_masked], ": answered"),
        (_any_lists, [_masked], "phase 4: tamper: answered"),
        (_any_words, [_clear, _ckks], ": answered"),
    ],
    ids=lambda given: given.__name__.strip("_") if callable(given) else "",
)
def test_a_guard_that_is_taken_away_is_missed(guard, protections, how):
    with guard():
        try:
            won = mutated(3_000, [fresh() for fresh in protections], seed=2).won
        except Refusal:
            pytest.fail("the honest messages were refused: the guard was not taken away alone")
    assert any(how in one for one in won), won[:5]


# Games.


def test_whoever_guesses_is_at_chance():
    found = tiers_attacks.at_chance(12)
    assert {name: guesses.is_chance for name, guesses in found.items()} == dict.fromkeys(found, True)
    assert min(guesses.tried for guesses in found.values()) >= 48


@pytest.mark.parametrize(
    "unguarded",
    [
        lambda: collusion(6, fewer=0, seed=1),
        lambda: inversion(10, seen="clear", seed=1),
        lambda: weights(20, how="clear", seed=1),
        lambda: weights(20, how="weighted", seed=1),
    ],
    ids=["as many as open a secret", "in clear", "noise in clear", "weights by epsilon"],
)
def test_the_same_attacks_win_where_there_is_no_guard(unguarded):
    assert unguarded().advantage > 0.95


def test_without_masks_colluders_and_inversion_win():
    with mock.patch.object(member_module, "add_masks"), mock.patch.object(tiers_guesses, "add_masks"):
        assert collusion(3, fewer=None, seed=1).advantage > 0.9
    silent = mock.patch.object(member_module, "add_masks")
    with silent, mock.patch("headwater.security.masking.server.add_masks"):
        assert inversion(10, seen="masked", seed=1).advantage > 0.9
        assert weights(20, how="ours", seed=1).advantage > 0.9


def test_noise_on_a_sum_takes_away_what_the_sum_tells():
    plain, noisy = (inversion(40, seen=seen, seed=4) for seen in ("sum", "noisy"))
    assert plain.interval[0] > 0
    assert noisy.interval[1] < plain.advantage + 0.1
    assert noisy.interval[0] < tiers_attacks._BOUND


def test_the_interval_is_of_the_advantage():
    assert Guesses(1_000, 500).is_chance
    assert not Guesses(1_000, 600).is_chance
    low, high = Guesses(1_000, 600).interval
    assert low < 0.2 < high
    assert Guesses(1_000, 600).advantage == pytest.approx(0.2)


# Differences.


@pytest.mark.parametrize("door", [of_cohorts, under_encryption])
def test_differences_are_refused(door):
    found = door(6, seed=1)
    assert (found.tried, found.refused, found.won) == (6, 6, [])


def test_without_a_limit_two_sums_tell_a_source():
    with mock.patch.object(CohortSums, "require"):
        assert len(of_cohorts(3, seed=1).won) == 3
    rng = np.random.default_rng(7)
    tables, target = tiers_differences._hospitals(rng)
    revealed, last = tiers_differences._chain(rng)
    victim = int(np.flatnonzero(revealed.any(axis=0) & ~last[0])[0])
    with mock.patch.object(CohortSums, "require"):
        cohorts = CohortSums(tiers_differences.InProcess.of(tables), target.question)
        told = cohorts.reveal(np.concatenate([revealed, last]))
    rest = sum((part.values for part in told[:-1]), np.zeros_like(told[0].values)) - told[-1].values
    np.testing.assert_array_equal(rest, target.question.of(tables[f"h{victim:02d}"]).values)


def test_without_a_memory_the_holder_tells_a_member():
    opened = KeyHolder.opened

    def forgets(holder, *asked):
        holder._opened.clear()
        return opened(holder, *asked)

    with mock.patch.object(KeyHolder, "opened", forgets):
        assert len(under_encryption(2, seed=1).won) == 2


# The figure.


def test_the_figure_counts_what_was_lost(monkeypatch):
    monkeypatch.setattr(tiers_attacks, "_MUTATIONS", {"ci": 300})
    monkeypatch.setattr(tiers_attacks, "_ROUNDS", {"ci": 6})
    monkeypatch.setattr(tiers_attacks, "_DIFFERENCES", {"ci": 2})
    figure = tiers_attacks.figures("ci", None)["A9"]
    assert (figure.value, figure.holds) == (0, True)
    assert figure.also["mutated"]["won"] == 0
    monkeypatch.setattr(tiers_attacks, "of_cohorts", lambda count, seed: Differences(1, ["a sum"]))
    for name in ("at_chance", "_where_unguarded"):
        monkeypatch.setattr(tiers_attacks, name, lambda rounds: {"a guess": Guesses(100, 100)})
    worse = tiers_attacks.figures("ci", None)["A9"]
    assert (worse.value, worse.holds, worse.also["lost"]) == (2, False, ["a guess", "a sum"])


def test_every_kind_of_loss_is_named():
    chance, sure = Guesses(100, 50), Guesses(100, 100)
    lost = tiers_attacks._lost({"a": chance, "b": sure}, sure, {"c": Differences(0, ["d"])}, Mutated(won=["e"]))
    assert lost == ["b", "inversion of a noisy sum", "d", "e"]
    assert tiers_attacks._lost({"a": chance}, chance, {"c": Differences(3)}, Mutated()) == []
