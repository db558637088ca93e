"""Whoever lies when secrets are opened is named in what it signed, and nobody else can be."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import MASKED, Identity, Pact
from headwater.security.desk import sealed
from headwater.security.masking import member as member_module
from headwater.security.masking.boxes import BOX_KEY, SEED, occasion
from headwater.security.masking.evidence import Misdealing, Misdealt, Misopened, Misopening
from headwater.security.masking.server import MaskedServer
from headwater.security.masking.shamir import split

NAMES = tuple(f"h{place}" for place in range(7))
LIAR, VICTIM, LATE = "h1", "h0", "h6"


class Round:
    """A masked round with one member that does not keep to the protocol."""

    def __init__(self, names=NAMES):
        entropy = seeded_entropy(3)
        self.identities = {name: Identity(entropy(32)) for name in names}
        publics = {name: identity.public for name, identity in self.identities.items()}
        self.pact = Pact.of("masked", publics, round_id="r", length=4)
        self.members = {name: MASKED.member(self.pact, name, self.identities[name], entropy) for name in names}
        self.server = MASKED.server(self.pact)
        self.vectors = {name: np.arange(4, dtype=np.uint64) + place for place, name in enumerate(names)}

    def say(self, name):
        return self.members[name].answer(self.server.told()[name], lambda: self.vectors[name])

    def phase(self, lost=()):
        for name in self.server.told():
            if name not in lost:
                self.server.take(name, self.say(name))
        self.server.close()

    def to_the_opening(self, lost=()):
        self.phase()
        self.phase()
        self.phase(lost)
        self.phase(lost)

    def lie(self, change, name=LIAR):
        """Return an opening that a member signs after changing it."""
        survivors = self.server.survivors
        present = (*self.members[name]._known.present[:2], survivors)
        body = change(self.say(name)[64:])
        return sealed(occasion(self.pact, 4, present), name, self.identities[name], body)

    def plain(self, lost=()):
        return sum((vector for name, vector in self.vectors.items() if name not in lost), np.zeros(4, dtype=np.uint64))


def _wrong_key(place):
    """Change the key of the box of this owner, in order."""
    at = 32 + BOX_KEY * place
    return lambda body: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


@pytest.mark.parametrize(("place", "lost"), [(0, ()), (1, ()), (6, ()), (6, (LATE,))])
def test_a_holder_that_lies_is_named_and_the_round_goes_on(place, lost):
    """Of the seed of another, of its own, and of the key of one that was lost."""
    playing = Round()
    playing.to_the_opening(lost)
    before = playing.server.to_bytes()
    with pytest.raises(Misopened, match="E-ROUND-OPENING") as caught:
        playing.server.take(LIAR, playing.lie(_wrong_key(place)))
    assert playing.server.to_bytes() == before
    evidence = caught.value.evidence
    assert evidence.holds()
    assert (evidence.holder, evidence.owners()) == (LIAR, (NAMES[place],))
    playing.phase({LIAR, *lost})
    np.testing.assert_array_equal(playing.server.total, playing.plain(lost))


def test_with_too_few_others_the_round_ends_and_the_liar_is_still_named():
    playing = Round(NAMES[:3])
    playing.to_the_opening()
    with pytest.raises(Misopened, match="E-ROUND-OPENING"):
        playing.server.take(LIAR, playing.lie(_wrong_key(0)))
    with pytest.raises(Refusal, match="E-ROUND-ABORT"):
        playing.phase([LIAR])
    assert playing.server.total is None


def test_a_holder_that_is_asked_again_may_tell_the_truth():
    playing = Round()
    playing.to_the_opening()
    with pytest.raises(Misopened):
        playing.server.take(LIAR, playing.lie(_wrong_key(0)))
    playing.phase()
    np.testing.assert_array_equal(playing.server.total, playing.plain())


def _unasked(playing):
    """Play on with a lie that nobody tries."""
    playing.to_the_opening()
    with mock.patch.object(MaskedServer, "_require_opened"):
        playing.server.take(LIAR, playing.lie(_wrong_key(0)))
        playing.phase([LIAR])


def test_without_the_trial_an_honest_owner_would_be_blamed_but_not_with_proof():
    playing = Round()
    with pytest.raises(Misdealt) as caught:
        _unasked(playing)
    assert caught.value.evidence.owner == VICTIM
    assert not caught.value.evidence.holds()


def _misdealt(lost=(), spoilt=lambda secret: bytes(len(secret))):
    """Let the liar deal shares of something else than it binds itself to."""
    playing = Round()
    playing.phase()
    told = playing.server.told()[LIAR]
    with mock.patch.object(member_module, "split", lambda secret, *rest: split(spoilt(secret), *rest)):
        playing.members[LIAR].answer(told, lambda: playing.vectors[LIAR])
    playing.phase()
    playing.phase(lost)
    playing.phase(lost)
    return playing


@pytest.mark.parametrize("lost", [(), (LIAR,)], ids=["its seed", "its key"])
def test_an_owner_that_dealt_wrong_shares_is_named_and_nothing_is_revealed(lost):
    playing = _misdealt(lost)
    with pytest.raises(Misdealt, match="E-ROUND-SPOILT") as caught:
        playing.phase(lost)
    assert caught.value.evidence.holds()
    assert caught.value.evidence.owner == LIAR
    assert playing.server.total is None
    assert playing.server.told() == {}


def test_without_the_bond_wrong_shares_would_spoil_the_sum():
    playing = _misdealt()
    with mock.patch.object(MaskedServer, "_fits", return_value=True):
        playing.phase()
    assert not np.array_equal(playing.server.total, playing.plain())


# Nobody else can be named.


def _opening(playing, name):
    """Return what could be evidence against a member, of all that was said."""
    server = playing.server
    told = tuple(server._head(phase) + server._relayed(phase, name) for phase in (1, 2))
    return Misopening(playing.pact, name, server.survivors, told, playing.members[name]._log[4][1])


def _finished(lost=()):
    playing = Round()
    playing.to_the_opening(lost)
    playing.phase(lost)
    return playing


@pytest.fixture(scope="module")
def finished():
    return _finished(lost=(LATE,))


@settings(deadline=None, derandomize=True, max_examples=120)
@given(st.data())
def test_no_change_of_what_it_signed_names_a_holder_that_was_honest(finished, data):
    sound = _opening(finished, VICTIM)
    assert sound.owners() == ()
    which = data.draw(st.sampled_from(["message", "keys", "boxes", "survivors", "holder"]))
    if which == "survivors":
        changed = replace(sound, survivors=tuple(data.draw(st.sets(st.sampled_from(NAMES)))))
    elif which == "holder":
        changed = replace(sound, holder=data.draw(st.sampled_from(NAMES[1:])))
    else:
        parts = {"message": sound.message, "keys": sound.told[0], "boxes": sound.told[1]}
        spoilt = bytearray(parts[which])
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
        parts[which] = bytes(spoilt)
        changed = replace(sound, message=parts["message"], told=(parts["keys"], parts["boxes"]))
    assert not changed.holds()


def test_a_server_that_told_a_holder_other_boxes_proves_nothing():
    """An owner that conspires signs one box and seals another, which the server tells the holder."""
    playing = Round()
    playing.phase()
    playing.phase()
    server, keys = playing.server, playing.members[LIAR]._known.publics[VICTIM]
    told = dict(server.told())
    pair = playing.members[LIAR]._box_keys(keys, LIAR, VICTIM)
    other = b"".join(member_module.sealed_box(key, bytes(36)) for key in pair)
    true = server._boxes(LIAR, VICTIM)
    words = told[VICTIM].replace(true, other)
    server.take(VICTIM, playing.members[VICTIM].answer(words, lambda: playing.vectors[VICTIM]))
    playing.phase([VICTIM])
    playing.phase()
    with pytest.raises(Refusal, match="E-GROUP-LENGTH"):
        server.take(VICTIM, playing.say(VICTIM))
    playing.phase([VICTIM])
    assert not _opening(playing, VICTIM).holds()


def _dealing(playing, owner, keys, **change):
    server = playing.server
    said = [server._said(phase, owner) for phase in (0, 1)]
    return replace(Misdealing(playing.pact, owner, server._present(0), SEED, *said, keys), **change)


@settings(deadline=None, derandomize=True, max_examples=120)
@given(st.data())
def test_no_keys_and_lists_name_an_owner_that_was_honest(finished, data):
    """Colluders and server may choose among all keys there are, and the list of those present."""
    holders = data.draw(st.lists(st.sampled_from(NAMES[:6]), min_size=5, max_size=5, unique=True))
    keys = {}
    for holder in holders:
        pair = finished.members[holder]._known.boxes[VICTIM]
        keys[holder] = data.draw(st.sampled_from([*pair, bytes(16), finished.members["h2"]._known.boxes[VICTIM][1]]))
    present = data.draw(st.sampled_from([NAMES, NAMES[:6], NAMES[1:]]))
    kind = data.draw(st.integers(0, 1))
    assert not _dealing(finished, VICTIM, keys, present=present, kind=kind).holds()


def test_what_names_a_liar_names_nobody_else():
    playing = _misdealt()
    with pytest.raises(Misdealt) as caught:
        playing.phase()
    evidence = caught.value.evidence
    few = dict(list(evidence.keys.items())[:4])
    others = [
        replace(evidence, owner=VICTIM),
        replace(evidence, keys=few),
        replace(evidence, keys=dict(zip(evidence.keys, reversed(evidence.keys.values()), strict=True))),
        replace(evidence, present=NAMES[:6]),
        replace(evidence, dealt=evidence.dealt[:-1]),
        replace(evidence, pact=replace(evidence.pact, round_id="s")),
    ]
    assert [other.holds() for other in others] == [False] * len(others)
    assert replace(evidence, kind=SEED).holds()
