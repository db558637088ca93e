"""Masks cancel exactly among survivors, hide everything else, and nobody can be talked into opening more."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import MASKED, Identity, Pact, Span, play
from headwater.security.desk import Occasion, sealed
from headwater.security.masking import member as member_module
from headwater.security.masking.boxes import BOX, KEY_BYTES, occasion
from headwater.security.masking.boxes import opened as opened_box
from headwater.security.masking.graph import thresholds
from headwater.security.masking.shamir import join
from headwater.security.masking.streams import add_masks, key_of, pair_stream, public_of, shared_secret, stream
from headwater.security.packing import unpack

NAMES = [f"h{place}" for place in range(7)]


class Round:
    """A masked round that a test drives phase by phase, as server, network or traitor."""

    def __init__(self, names, *, length=4, span=None, seed=0, round_id="r"):
        self.entropy = seeded_entropy(seed)
        self.identities = {name: Identity(self.entropy(32)) for name in names}
        publics = {name: identity.public for name, identity in self.identities.items()}
        self.pact = Pact.of("masked", publics, round_id=round_id, length=length, span=span)
        self.names = self.pact.group
        self.members = {name: self.member(name) for name in self.names}
        self.server = MASKED.server(self.pact)
        rng = np.random.default_rng(seed)
        low, high = (span.low, span.high) if span else (-(2**50), 2**50)
        self.vectors = {name: rng.integers(low, high, length, endpoint=True).view(np.uint64) for name in self.names}

    def member(self, name, state=b""):
        return MASKED.member(self.pact, name, self.identities[name], self.entropy, state=state)

    def say(self, name, told):
        return self.members[name].answer(told, lambda: self.vectors[name])

    def phase(self, lost=()):
        """Play one phase; return what was said."""
        said = {name: self.say(name, told) for name, told in self.server.told().items() if name not in lost}
        for name, message in said.items():
            self.server.take(name, message)
        self.server.close()
        return said

    def finish(self, lost=()):
        while self.server.total is None:
            self.phase(lost)
        return self.server.total

    def plain(self, names):
        return sum((self.vectors[name] for name in names), np.zeros(self.pact.length, dtype=np.uint64))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.lists(st.text(min_size=1, max_size=5), min_size=3, max_size=9, unique=True),
    st.integers(0, 40),
    st.sampled_from([None, Span(0, 1), Span(-700, 9), Span(0, 2**16 - 1), Span(5, 2**40)]),
    st.integers(0, 99),
)
def test_the_sum_of_all_is_the_plain_sum(names, length, span, seed):
    playing = Round(names, length=length, span=span, seed=seed)
    np.testing.assert_array_equal(playing.finish(), playing.plain(names))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(3, 11), st.data())
def test_whoever_is_lost_whenever_the_sum_is_the_survivors_or_there_is_none(count, data):
    names = [f"h{place:02d}" for place in range(count)]
    phases = data.draw(st.lists(st.integers(0, 8), min_size=count, max_size=count))
    playing = Round(names, span=Span(-9, 9))
    bears = sum(phase < 5 for phase in phases) <= thresholds(count).lost
    refusal = _ended(playing, phases)
    if refusal is not None:
        assert refusal.code == "E-ROUND-ABORT"
        assert not bears
        assert playing.server.total is None
        return
    survivors = [name for name, gone in zip(names, phases, strict=True) if gone > 2]
    assert playing.server.survivors == tuple(survivors)
    np.testing.assert_array_equal(playing.server.total, playing.plain(survivors))


def _ended(playing, phases):
    try:
        for phase in range(5):
            playing.phase([name for name, gone in zip(playing.names, phases, strict=True) if gone <= phase])
    except Refusal as refusal:
        return refusal
    return None


def test_a_sparse_group_bears_losses_too():
    names = [f"h{place:02d}" for place in range(66)]
    playing = Round(names, span=Span(0, 2**16 - 1))
    playing.phase(names[:3])
    playing.phase(names[:8])
    playing.phase(names[:15])
    playing.phase(names[:18])
    total = playing.finish(names[:21])
    assert playing.server.survivors == tuple(names[15:])
    np.testing.assert_array_equal(total, playing.plain(names[15:]))


def test_a_million_values_of_16_bits_take_20_bits_in_a_group_of_16():
    session = MASKED.open(
        [f"h{place:02d}" for place in range(16)],
        round_id="r",
        length=2**20,
        entropy=seeded_entropy(0),
        span=Span(0, 2**16 - 1),
    )
    values = np.arange(2**20, dtype=np.uint64) % 2**16
    traffic = play(session, dict.fromkeys(session.members, lambda: values))
    np.testing.assert_array_equal(session.server.total, 16 * values)
    assert max(traffic.sent.values()) <= 1.002 * 2**20 * 20 / 8
    assert max(traffic.told.values()) <= 0.003 * 2**20 * 20 / 8


# What the server and colluders can work out.


def _residual(playing, victim, masked, *, keys, seed=None):
    """Take away from a masked vector all that these mask keys, and the victim's seed if it is known, give."""
    rest = np.array(masked)
    mine = (victim, public_of(playing.members[victim]._key))
    streams = []
    for name, key in keys.items():
        theirs = (name, public_of(key))
        pair = pair_stream(shared_secret(key, victim, mine[1]), playing.pact.digest, mine, theirs)
        streams.append((victim > name, pair))
    if seed is not None:
        streams.append((False, stream(seed, b"headwater own mask", playing.pact.digest, victim.encode())))
    add_masks(rest, streams)
    return rest & np.uint32(2**playing.pact.bits - 1)


def _seen(count, colluders, value, *, seed, seed_known):
    """Return what is left of the vector of h0, all of one value, when so many others tell what they know."""
    playing = Round([f"h{place}" for place in range(count)], length=64, span=Span(0, 1), seed=seed)
    playing.vectors["h0"] = np.full(64, value, dtype=np.uint64)
    playing.phase()
    playing.phase()
    masked = unpack(playing.say("h0", playing.server.told()["h0"])[64:], 64, playing.pact.bits)
    keys = {name: playing.members[name]._key for name in playing.names[1 : colluders + 1]}
    own = playing.members["h0"]._seed if seed_known else None
    return _residual(playing, "h0", masked, keys=keys, seed=own)


@pytest.mark.parametrize(("colluders", "seed_known"), [(3, False), (3, True), (6, True), (7, False)])
def test_colluders_below_the_whole_group_see_uniform_noise(colluders, seed_known):
    """Four bits: chi-square with 15 degrees of freedom is beyond 45 once in ten thousand."""
    counts = [
        sum(
            np.bincount(_seen(8, colluders, value, seed=seed, seed_known=seed_known), minlength=16)
            for seed in range(100 * value, 100 * value + 12)
        )
        for value in (0, 1)
    ]
    for count in counts:
        assert (np.square(count - 48) / 48).sum() < 45
    assert (np.square(counts[0] - counts[1]) / (counts[0] + counts[1])).sum() < 45


def test_the_same_attack_succeeds_where_everything_is_told():
    for value in (0, 1):
        np.testing.assert_array_equal(_seen(8, 7, value, seed=3, seed_known=True), np.full(64, value))


def _shares_of(owner, playing, holder):
    boxes = playing.server._boxes(owner, holder)
    keys = playing.members[holder]._known.boxes[owner]
    return [opened_box(key, boxes[BOX * kind : BOX * (kind + 1)]) for kind, key in enumerate(keys)]


def test_shares_below_the_threshold_open_nothing():
    playing = Round(NAMES)
    playing.phase()
    playing.phase()
    playing.phase()
    needed = thresholds(7).shares
    held = {name: _shares_of("h0", playing, name) for name in NAMES[1:]}
    places = {name: playing.names.index(name) + 1 for name in held}
    for count, opens in ((needed - 1, False), (needed, True)):
        chosen = NAMES[1 : count + 1]
        rows = [[held[name][kind] for name in chosen] for kind in (0, 1)]
        key, seed = join([places[name] for name in chosen], rows, KEY_BYTES)
        assert (key == playing.members["h0"]._mask_secret) == opens
        assert (seed == playing.members["h0"]._seed) == opens


def _late(playing):
    """Lose h0 after its vector is on its way; return its late message and the key that the others opened."""
    playing.phase()
    playing.phase()
    late = playing.say("h0", playing.server.told()["h0"])
    total = playing.finish(["h0"])
    np.testing.assert_array_equal(total, playing.plain(playing.names[1:]))
    return late, playing.server._secrets()["h0"]


def _unmasked_late(playing, late, key):
    others = {name: playing.members[name]._known.publics["h0"][KEY_BYTES:] for name in playing.names[1:]}
    assert set(others.values()) == {public_of(key_of(key))}
    rest = np.array(unpack(late[64:], playing.pact.length, playing.pact.bits))
    mine, streams = ("h0", public_of(key_of(key))), []
    for name in playing.names[1:]:
        theirs = (name, public_of(playing.members[name]._key))
        pair = pair_stream(shared_secret(key_of(key), name, theirs[1]), playing.pact.digest, mine, theirs)
        streams.append((name < "h0", pair))
    add_masks(rest, streams)
    return rest & np.uint32(2**playing.pact.bits - 1)


def test_a_late_vector_stays_masked_and_is_refused():
    playing = Round(NAMES, length=64, span=Span(0, 1))
    late, key = _late(playing)
    before = playing.server.to_bytes()
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        playing.server.take("h0", late)
    assert playing.server.to_bytes() == before
    assert not np.array_equal(_unmasked_late(playing, late, key), playing.vectors["h0"])


def test_without_the_own_mask_the_late_vector_would_lie_open():
    playing = Round(NAMES, length=64, span=Span(0, 1))
    with mock.patch.object(member_module, "stream", return_value=_Zeros()):
        playing.phase()
        playing.phase()
        late = playing.say("h0", playing.server.told()["h0"])
    playing.finish(["h0"])
    np.testing.assert_array_equal(_unmasked_late(playing, late, playing.server._secrets()["h0"]), playing.vectors["h0"])


class _Zeros:
    def update_into(self, blank, buffer):
        buffer[: len(blank)] = bytes(len(blank))


def test_masks_serve_one_vector():
    playing = Round(NAMES)
    playing.phase()
    playing.phase()
    told = playing.server.told()["h0"]
    first = playing.say("h0", told)
    playing.vectors["h0"] = playing.vectors["h0"] + np.uint64(1)
    assert playing.say("h0", told) == first
    again = playing.member("h0", playing.members["h0"].to_bytes())
    assert again.answer(told, lambda: playing.vectors["h0"]) == first


# A server that lies.


def _at_agreement(names=NAMES, lost=("h6",)):
    playing = Round(names)
    playing.phase()
    playing.phase()
    playing.phase(lost)
    return playing


def _signature(playing, name, survivors):
    """Return what a member signs for a list, whatever it was told: a colluder's signature."""
    present = (*playing.members["h0"]._known.present[:2], tuple(survivors))
    return sealed(occasion(playing.pact, 3, present), name, playing.identities[name], b"")


def _opening(playing, survivors, signers, *, holder="h0", spoil=None):
    pact = playing.pact
    traces = {name: playing.server._desk.seen[2, name] for name in survivors} | (spoil or {})
    others = [name for name in playing.members[holder]._known.boxes if name in survivors and name != holder]
    signatures = b"".join(_signature(playing, name, survivors) for name in signers)
    return bytes([4]) + pact.bitmap(signers) + signatures + b"".join(traces[name] for name in others)


def _tell_survivors(playing, name, survivors):
    return playing.say(name, bytes([3]) + playing.pact.bitmap(survivors))


def test_two_lists_of_survivors_open_nothing():
    playing = _at_agreement(lost=())
    one, other = playing.names[:5], playing.names[2:]
    assert thresholds(7).quorum == 5
    for name in playing.names[:2]:
        _tell_survivors(playing, name, one)
    for name in playing.names[2:]:
        _tell_survivors(playing, name, other)
    # Two colluders, h2 and h3, sign both lists: four signatures for the first, five are needed.
    for signers in (one[:4], ["h0", "h1", "h2", "h3"]):
        with pytest.raises(Refusal, match="E-ROUND-LISTS"):
            playing.say("h0", _opening(playing, one, signers))
    mixed = _opening(playing, one, one)
    place = 1 + playing.pact.bitmap_bytes + 4 * 64
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        playing.say("h0", mixed[:place] + _signature(playing, "h4", other) + mixed[place + 64 :])


def test_with_a_lower_quorum_two_lists_would_open_both_secrets():
    playing = _at_agreement()
    survivors = playing.names[:6]
    _tell_survivors(playing, "h0", survivors)
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        playing.say("h0", _opening(playing, survivors, survivors[:4]))
    low = mock.Mock(wraps=playing.members["h0"]._numbers, quorum=4, shares=5)
    with mock.patch.object(playing.members["h0"], "_numbers", low):
        assert playing.say("h0", _opening(playing, survivors, survivors[:4]))


def test_agreement_is_on_who_gave_shares_too():
    playing = _at_agreement()
    survivors = playing.names[:6]
    _tell_survivors(playing, "h0", survivors)
    sound = _opening(playing, survivors, survivors[:5])
    present = (playing.names, survivors, survivors)
    other = sealed(occasion(playing.pact, 3, present), "h4", playing.identities["h4"], b"")
    place = 1 + playing.pact.bitmap_bytes + 4 * 64
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        playing.say("h0", sound[:place] + other + sound[place + 64 :])
    assert playing.say("h0", sound)


def test_who_gave_no_shares_gives_no_vector():
    playing = Round(NAMES)
    playing.phase()
    playing.phase(["h6"])
    body = playing.say("h0", playing.server.told()["h0"])[64:]
    lists = (playing.names, playing.names[:6])
    message = sealed(occasion(playing.pact, 2, lists), "h6", playing.identities["h6"], body)
    before = playing.server.to_bytes()
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        playing.server.take("h6", message)
    assert playing.server.to_bytes() == before


def test_a_vector_signed_for_other_lists_is_not_opened():
    playing = _at_agreement()
    survivors = playing.names[:6]
    _tell_survivors(playing, "h0", survivors)
    lists = (playing.names, playing.names[:5])
    fooled = sealed(occasion(playing.pact, 2, lists), "h1", playing.identities["h1"], b"vector")
    spoil = {"h1": member_module.trace_of(fooled)}
    before = playing.members["h0"].to_bytes()
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        playing.say("h0", _opening(playing, survivors, survivors[:5], spoil=spoil))
    assert playing.members["h0"].to_bytes() == before
    signed = Occasion.signed

    def lenient(occasion, name, trace):
        return occasion.phase == 2 or signed(occasion, name, trace)

    with mock.patch.object(Occasion, "signed", lenient):
        assert playing.say("h0", _opening(playing, survivors, survivors[:5], spoil=spoil))


@pytest.mark.parametrize(
    "survivors",
    [["h0", "h1", "h2", "h3"], ["h1", "h2", "h3", "h4", "h5"], []],
    ids=["below the quorum", "without the one who is told", "nobody"],
)
def test_short_and_foreign_lists_are_refused(survivors):
    playing = _at_agreement()
    before = playing.members["h0"].to_bytes()
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        _tell_survivors(playing, "h0", survivors)
    assert playing.members["h0"].to_bytes() == before


def test_nobody_survives_who_gave_no_shares():
    playing = Round(NAMES)
    playing.phase()
    playing.phase(["h6"])
    playing.phase(["h6"])
    with pytest.raises(Refusal, match="E-ROUND-LISTS"):
        _tell_survivors(playing, "h0", playing.names)


def test_a_member_opens_once():
    playing = _at_agreement()
    survivors = playing.names[:6]
    _tell_survivors(playing, "h0", survivors)
    playing.say("h0", _opening(playing, survivors, survivors[:5]))
    for told in (bytes([3]) + playing.pact.bitmap(playing.names[:5]), _opening(playing, survivors, survivors[1:6])):
        with pytest.raises(Refusal, match="E-ROUND-TOLD"):
            playing.say("h0", told)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.sampled_from([0, 1, 2, 4]), st.integers(0, 10**6), st.integers(1, 255))
def test_changed_words_are_refused_by_the_member_unmoved(phase, place, change):
    playing = Round(NAMES[:5], length=1)
    for _ in range(phase):
        playing.phase()
    told = bytearray(playing.server.told()["h0"])
    told[place % len(told)] ^= change
    before = playing.members["h0"].to_bytes()
    with pytest.raises(Refusal):
        playing.say("h0", bytes(told))
    assert playing.members["h0"].to_bytes() == before
    np.testing.assert_array_equal(playing.finish(), playing.plain(NAMES[:5]))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.integers(0, 4), st.integers(0, 10**6), st.integers(1, 255), st.sampled_from(["change", "cut", "add"]))
def test_changed_messages_are_refused_by_the_server_unmoved(phase, place, change, how):
    playing = Round(NAMES[:5], length=1)
    for _ in range(phase):
        playing.phase()
    message = playing.say("h0", playing.server.told()["h0"])
    spot = place % len(message)
    changed = {
        "change": message[:spot] + bytes([message[spot] ^ change]) + message[spot + 1 :],
        "cut": message[:spot],
        "add": message + bytes([change]),
    }[how]
    before = playing.server.to_bytes()
    with pytest.raises(Refusal, match="E-ROUND-SIGNATURE"):
        playing.server.take("h0", changed)
    assert playing.server.to_bytes() == before


def test_a_share_for_somebody_else_is_not_opened():
    playing = Round(NAMES)
    playing.phase()
    playing.phase()
    told = playing.server.told()
    size = 2 * BOX
    head = 1 + playing.pact.bitmap_bytes
    swapped = told["h0"][:head] + told["h1"][head : head + size] + told["h0"][head + size :]
    with pytest.raises(Refusal, match="E-MASK-SHARE"):
        playing.say("h0", swapped)


@pytest.mark.parametrize("body", [bytes(64), b"\x09" + bytes(63), bytes(32) + b"\x09" + bytes(31)])
def test_a_key_that_gives_no_secret_leaves_its_owner_out(body):
    playing = Round(NAMES)
    forged = sealed(Occasion(playing.pact, 0), "h1", playing.identities["h1"], body)
    before = playing.server.to_bytes()
    with pytest.raises(Refusal, match="E-MASK-KEY"):
        playing.server.take("h1", forged)
    assert playing.server.to_bytes() == before
    np.testing.assert_array_equal(playing.finish(["h1"]), playing.plain([name for name in NAMES if name != "h1"]))


def test_a_server_that_hands_such_a_key_on_is_refused():
    playing = Round(NAMES)
    forged = sealed(Occasion(playing.pact, 0), "h1", playing.identities["h1"], bytes(64))
    publics = [forged, *(playing.say(name, b"\0") for name in NAMES[2:])]
    playing.say("h0", b"\0")
    with pytest.raises(Refusal, match="E-MASK-KEY"):
        playing.say("h0", bytes([1]) + playing.pact.bitmap(NAMES) + b"".join(publics))


def test_a_plan_of_two_is_refused_by_both_sides():
    identity = Identity(bytes(32))
    pact = Pact.of("masked", {"a": identity.public, "b": Identity(b"b" * 32).public}, round_id="r", length=1)
    for action in (lambda: MASKED.server(pact), lambda: MASKED.member(pact, "a", identity, seeded_entropy(0))):
        with pytest.raises(Refusal, match="E-GROUP-SMALL"):
            action()


def test_an_ended_round_stays_ended():
    playing = Round(NAMES)
    for _ in range(2):
        with pytest.raises(Refusal, match="E-ROUND-ABORT"):
            playing.phase(NAMES[1:])
    assert playing.server.told() == {}
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        playing.server.take("h1", playing.say("h1", b"\0"))
