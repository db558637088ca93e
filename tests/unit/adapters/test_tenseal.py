"""Encrypted sums: exact to the bit, opened by the holder alone, and hostile bytes are refused."""

import secrets
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tenseal as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.adapters.tenseal import CKKS, Ckks, ElsewhereHolder, KeyHolder
from headwater.aggregation import Mechanism, Tree, aggregate, group
from headwater.errors import Refusal
from headwater.security import PROTECTIONS, Identity, KeyOf, Pact, Span, play
from headwater.security.desk import Occasion, sealed
from headwater.security.gaussian_noise import GaussianNoise
from headwater.security.identity import framed, unframed
from headwater.security.limbs import Limbs
from headwater.statistics import Gram, Statistic

NAMES = ("east", "north", "south", "west")


def opened(protection=CKKS, names=NAMES, length=5, span=None):
    return protection.open(names, round_id="r", length=length, entropy=secrets.token_bytes, span=span)


def whole(rng, span, length):
    return rng.integers(span.low, span.high, length, endpoint=True).astype(np.int64).view(np.uint64)


def test_it_is_found_by_name_once_the_tool_is_imported():
    assert PROTECTIONS["ckks"] is CKKS


@settings(max_examples=12, deadline=None)
@given(st.integers(3, 12), st.sampled_from([Span(0, 1), Span(-700, 700), Span(0, 2**32 - 1), None]), st.integers(0, 99))
def test_the_sum_is_the_plain_sum_bit_for_bit(members: int, span: Span | None, seed: int):
    rng, names = np.random.default_rng(seed), [f"m{place}" for place in range(members)]
    length = int(rng.integers(1, 5_000))
    bounds = span or Span.widest(members)
    vectors = {name: whole(rng, bounds, length) for name in names}
    total = play(opened(names=names, length=length, span=span), {n: lambda v=v: v for n, v in vectors.items()}).total
    assert (total == sum(vectors.values(), np.zeros(length, dtype=np.uint64))).all()


def test_a_tree_of_all_protections_with_local_noise_is_exact_but_for_the_noise():
    """Clear, masked and encrypted sources, tiers whose sums are encrypted again, one source with noise of its own."""
    cities = {f"h{place:02d}": f"c{place % 4}" for place in range(36)}
    travels = {name: ("clear", "masked", "ckks")[place // 12] for place, name in enumerate(cities)}
    rng, gram, noise = np.random.default_rng(5), Gram(4), GaussianNoise.of(1.0, 1e-6, l2=50.0, length=Gram(4).length)
    said = {name: gram.sample(rng) for name in cities}
    noised = noise.noised(said["h00"].values, rng.bytes)
    sent = {**said, "h00": Statistic(said["h00"].kind, said["h00"].shape, noised)}
    tree = Tree.of(cities, root="region")
    above = dict.fromkeys(("c0", "c1", "c2", "c3"), "ckks")
    groups = group(tree, {name: Mechanism(protection) for name, protection in (travels | above).items()})
    total = aggregate(groups, sent, round_id="r", entropy=rng.bytes).total
    assert (total.values - (noised - said["h00"].values) == Statistic.total(said.values()).values).all()
    assert (noised != said["h00"].values).any()


def test_a_scale_too_small_to_be_exact_is_noticed(monkeypatch):
    """The broken twin: ciphertexts whose errors do not round away are refused, never guessed."""
    right = Limbs.of
    monkeypatch.setattr(Limbs, "of", staticmethod(lambda pact: replace(right(pact), scale=2.0**11)))
    session = opened(length=2_000)
    with pytest.raises(Refusal, match="E-LIMBS-INEXACT"):
        play(session, {name: lambda: np.arange(2_000, dtype=np.uint64) for name in NAMES})
    assert session.server.total is None


def test_the_tier_has_no_secret_key():
    session = opened()
    for name, words in session.server.told().items():
        session.server.take(name, session.members[name].answer(words, lambda: np.arange(5, dtype=np.uint64)))
    summed = session.server._sum[0]
    assert not summed.context().is_private()
    with pytest.raises(ValueError, match="secret"):
        summed.decrypt()
    assert ts.context_from(CKKS.holder.public).is_private() is False
    # A tier that was given everything, as some frameworks give it, would read each vector.
    everything = ts.context_from(unframed(CKKS.holder.to_bytes())[0])
    assert everything.is_private()


SECRET = unframed(KeyHolder("region").to_bytes())[0]


@pytest.mark.parametrize("public", [b"", b"nonsense", SECRET], ids=["none", "nonsense", "secret"])
def test_a_public_key_that_is_none_or_holds_the_secret_is_refused(public):
    with pytest.raises(Refusal, match="E-CKKS-KEY"):
        opened(Ckks(ElsewhereHolder("region", public, lambda *asked: np.zeros(5, dtype=np.uint64))))


def test_the_holder_opens_sums_alone():
    holder = KeyHolder("region")
    session = opened(Ckks(holder))
    pact = session.server._pact
    one = session.members["east"].answer(b"\0", lambda: np.arange(5, dtype=np.uint64))[64:]
    for claimed in (1, 2, 5):
        with pytest.raises(Refusal, match="E-ROUND-ABORT"):
            holder.opened(pact, one, claimed)
    with pytest.raises(Refusal, match="E-CKKS-CIPHERTEXT"):
        holder.opened(pact, b"nonsense", 3)


def test_a_holder_elsewhere_is_asked_and_may_be_asked_again():
    inner, asked = KeyHolder("region"), []

    def ask(pact, summed, members):
        asked.append(members)
        if len(asked) == 1:
            raise ConnectionError
        return inner.opened(pact, summed, members)

    session = opened(Ckks(ElsewhereHolder(inner.name, inner.public, ask)))
    for name in NAMES[:3]:
        session.server.take(name, session.members[name].answer(b"\0", lambda: np.arange(5, dtype=np.uint64)))
    with pytest.raises(ConnectionError):
        session.server.close()
    assert not session.server.told()
    before = session.server.to_bytes()
    late = session.members["west"].answer(b"\0", lambda: np.arange(5, dtype=np.uint64))
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        session.server.take("west", late)
    assert session.server.to_bytes() == before
    again = Ckks(ElsewhereHolder(inner.name, inner.public, ask)).server(session.server._pact, state=before)
    again.close()
    assert (again.total == 3 * np.arange(5)).all()
    assert asked == [3, 3]


def _two_sums():
    """Return a holder, a pact, and the sums of all members and of all but one, as a tier that lies has them."""
    holder = KeyHolder("region")
    protection = Ckks(holder)
    session = opened(protection)
    pact = session.server._pact
    answers = {name: session.members[name].answer(b"\0", lambda: np.arange(5, dtype=np.uint64)) for name in NAMES}
    sums = []
    for names in (NAMES, NAMES[:3]):
        server = protection.server(pact)
        for name in names:
            server.take(name, answers[name])
        sums.append(server._travel.kept(server._sum))
    return holder, pact, sums


@pytest.mark.parametrize("restarted", [False, True])
def test_the_holder_opens_one_sum_of_a_pact(restarted):
    """Two sums that differ in one member would tell its vector."""
    holder, pact, (whole_sum, smaller) = _two_sums()
    assert (holder.opened(pact, whole_sum, 4) == 4 * np.arange(5)).all()
    if restarted:
        holder = KeyHolder(holder.name, holder.to_bytes())
    for asked, members in ((smaller, 3), (whole_sum, 3)):
        with pytest.raises(Refusal, match="E-CKKS-TWICE"):
            holder.opened(pact, asked, members)
    assert (holder.opened(pact, whole_sum, 4) == 4 * np.arange(5)).all()


def test_a_holder_that_forgets_would_tell_a_vector():
    """The broken twin."""
    holder, pact, (whole_sum, smaller) = _two_sums()
    first = holder.opened(pact, whole_sum, 4)
    holder._opened.clear()
    assert (first - holder.opened(pact, smaller, 3) == np.arange(5)).all()


def test_the_holder_opens_for_pacts_that_name_it_and_its_key():
    holder, pact, sums = _two_sums()
    for named in (None, KeyOf.of("tier", holder.public), KeyOf.of(holder.name, KeyHolder("region").public)):
        with pytest.raises(Refusal, match="E-PACT-HOLDER"):
            holder.opened(replace(pact, holder=named), sums[0], 4)


def test_a_key_is_kept():
    holder = KeyHolder("region")
    session = opened(Ckks(holder))
    kept = KeyHolder("region", holder.to_bytes())
    again = replace(session, server=Ckks(kept).server(session.server._pact))
    total = play(again, {name: lambda: np.arange(5, dtype=np.uint64) for name in NAMES}).total
    assert (total == 4 * np.arange(5)).all()


def test_an_answer_to_another_holders_key_is_not_taken():
    mine, other = Ckks(KeyHolder("region")), Ckks(KeyHolder("region"))
    identities = {name: Identity(name.encode().ljust(32, b".")) for name in NAMES}
    publics = {name: identity.public for name, identity in identities.items()}
    pacts = [Pact.of("ckks", publics, round_id="r", length=5, holder=side.key_of) for side in (mine, other)]
    values = np.zeros(5, dtype=np.uint64)
    answer = other.member(pacts[1], "east", identities["east"], secrets.token_bytes).answer(b"\0", lambda: values)
    with pytest.raises(Refusal, match="E-ROUND-SIGNATURE"):
        mine.server(pacts[0]).take("east", answer)
    with pytest.raises(Refusal, match="E-PACT-HOLDER"):
        other.member(pacts[0], "east", identities["east"], secrets.token_bytes)


def spoilt(session, how):
    """Return a signed message whose ciphertexts are spoilt by their own member."""
    body = session.members["east"].answer(b"\0", lambda: np.arange(5, dtype=np.uint64))[64:]
    return sealed(Occasion(session.server._pact, 0), "east", session.members["east"]._identity, how(body))


def _other(length: int, scale: float) -> bytes:
    return ts.ckks_vector(CKKS._public, [1.0] * length, scale).serialize()


@pytest.mark.parametrize(
    "how",
    [
        lambda body: b"",
        lambda body: body + body,
        lambda body: body[:-1],
        lambda body: framed(b"\0" * 100),
        lambda body: framed(unframed(body)[0][:-9]),
        lambda body: framed(unframed(body)[0] + b"\0" * 100_000),
        lambda body: framed(_other(14, 2.0**19)),
        lambda body: framed(_other(15, 2.0**30)),
    ],
    ids=["nothing", "twice", "short", "zeros", "cut", "long", "slots", "scale"],
)
def test_signed_nonsense_leaves_the_server_as_it_was(how):
    session = opened()
    before, message = session.server.to_bytes(), spoilt(session, how)
    with pytest.raises(Refusal, match="E-GROUP-LENGTH"):
        session.server.take("east", message)
    assert session.server.to_bytes() == before


_FUZZ = """
import secrets, sys
import numpy as np
from headwater.adapters.tenseal import CKKS, _parts
from headwater.errors import Refusal
rng = np.random.default_rng(int(sys.argv[1]))
session = CKKS.open(("a", "b", "c"), round_id="r", length=40, entropy=secrets.token_bytes)
pact = session.server._pact
good = session.members["a"].answer(bytes(1), lambda: np.arange(40, dtype=np.uint64))[64:]
read = refused = 0
for turn in range(int(sys.argv[2])):
    data = bytearray(good)
    if turn % 4 == 0:
        data = data[: rng.integers(len(data))]
    elif turn % 4 == 1:
        data[rng.integers(160)] = rng.integers(256)
    elif turn % 4 == 2:
        for place in rng.integers(len(data), size=5):
            data[place] = rng.integers(256)
    else:
        place = rng.integers(8, len(data))
        data[place:place] = rng.bytes(20)
        data[:8] = (len(data) - 8).to_bytes(8, "big")
    try:
        list(_parts(CKKS._public, pact, bytes(data)))
        read += 1
    except Refusal:
        refused += 1
print(read, refused)
"""


def test_hostile_bytes_never_end_the_process():
    done = subprocess.run([sys.executable, "-c", _FUZZ, "7", "600"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == 600
    assert refused > 500
