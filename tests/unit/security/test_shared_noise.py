"""Noise in shares: after the worst loss, and to colluders, the sum still carries what the claim takes, and exactly."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.adapters.accounting import epsilon as accounted
from headwater.errors import Refusal
from headwater.security import MASKED, Span
from headwater.security.masking.graph import thresholds
from headwater.security.noise import skellam
from headwater.security.shared_noise import SharedNoise
from headwater.security.tally import NOTHING

EPSILON, DELTA, L2 = 1.0, 1e-6, 6
GROUPS = [3, 4, 9, 16, 40]


def entropy(seed: int):
    """Return a source of bytes that repeats itself but never within one use."""
    rng = np.random.default_rng(seed)
    return lambda size: rng.bytes(size)


def exact_delta(noise: SharedNoise, shares: int) -> float:
    """Return the δ at ε of two sums that differ by L2 in one value, of the very tables that are drawn from."""
    edges = [0, *map(int, skellam(noise.share).thresholds), 2**64]
    one = np.array([(b - a) / 2**64 for a, b in zip(edges, edges[1:], strict=False)])
    mass = np.ones(1)
    for _ in range(shares):
        mass = np.convolve(mass, one)
    here, there = np.pad(mass, (L2, 0)), np.pad(mass, (0, L2))
    return float(np.clip(here - np.exp(EPSILON) * there, 0, None).sum())


def made(members: int) -> SharedNoise:
    return SharedNoise.of(EPSILON, DELTA, members=members, l2=L2, length=1)


@pytest.mark.parametrize("members", GROUPS)
def test_the_worst_loss_and_all_colluders_leave_enough(members: int):
    noise, numbers = made(members), thresholds(members)
    assert exact_delta(noise, numbers.quorum - numbers.colluding) <= DELTA
    assert exact_delta(noise, members) <= DELTA


@pytest.mark.parametrize("members", [4, 9, 16, 40])
def test_shares_that_count_on_everybody_do_not_leave_enough(members: int):
    """The broken twin: noise shared out over all members is too little once the worst is lost."""
    numbers = thresholds(members)
    twin = replace(made(members), fewest=members, colluding=0)
    assert exact_delta(twin, members) <= DELTA
    assert exact_delta(twin, numbers.quorum - numbers.colluding) > DELTA


@pytest.mark.parametrize("members", GROUPS)
def test_what_is_debited_is_what_there_is(members: int):
    noise = made(members)
    costs = [accounted(NOTHING.plus(noise.event(n)), DELTA) for n in (noise.fewest, members)]
    assert 0.98 * EPSILON < costs[0] <= EPSILON
    assert costs[1] <= costs[0]
    assert noise.event(members).variance == pytest.approx(noise.share**2 * (members - noise.colluding))


def test_fewer_than_planned_are_refused_before_a_sum_is_told():
    noise = made(9)
    with pytest.raises(Refusal, match="E-NOISE-SHORT"):
        noise.event(noise.fewest - 1)


@pytest.mark.parametrize("lost", [0, 3], ids=["none lost", "worst loss"])
def test_a_masked_sum_carries_the_noise_of_its_survivors(lost: int):
    """Play the real round; members are lost before they send their vector, the others' noise must do."""
    length, members = 20_000, 9
    noise = SharedNoise.of(EPSILON, DELTA, members=members, l2=50.0, length=length)
    names, gone = [f"m{place}" for place in range(members)], {f"m{place}" for place in range(lost)}
    plain = {name: np.full(length, place, dtype=np.uint64) for place, name in enumerate(names)}
    span, source = noise.widened(Span(0, members)), entropy(7)
    session = MASKED.open(names, round_id="r", length=length, entropy=source, span=span)
    phase = 0
    while session.server.total is None:
        for name, words in session.server.told().items():
            if phase < 2 or name not in gone:
                answer = session.members[name].answer(words, lambda n=name: noise.noised(plain[n], source))
                session.server.take(name, answer)
        session.server.close()
        phase += 1
    survivors = session.server.survivors
    assert set(survivors) == set(names) - gone
    rest = session.server.total.view(np.int64) - sum(int(plain[name][0]) for name in survivors)
    assert abs(rest.mean()) < 5 * noise.share * members**0.5 / length**0.5
    # What colluders know of their own shares is taken off: the rest still reaches what the claim takes.
    assert rest.var() == pytest.approx(len(survivors) * noise.share**2, rel=0.05)
    assert rest.var() * (len(survivors) - noise.colluding) / len(survivors) > 0.95 * noise.deviation**2


def test_noise_never_leaves_the_widened_bounds():
    noise = made(9)
    wide, reach = noise.widened(Span(0, 3)), skellam(noise.share).reach
    assert wide == Span(-reach, 3 + reach)
    assert wide.lifted(noise.noised(np.zeros(50_000, dtype=np.uint64), entropy(1))).max() <= wide.high - wide.low


@pytest.mark.parametrize("l2", [None, 0.0, float("nan")])
def test_without_a_sensitivity_there_is_no_noise(l2):
    with pytest.raises(Refusal, match="E-NOISE-SENSITIVITY"):
        SharedNoise.of(1.0, 1e-6, members=9, l2=l2, length=1)


def test_shares_too_small_for_the_grid_are_refused():
    with pytest.raises(Refusal, match="E-NOISE-RANGE"):
        SharedNoise.of(4.0, 1e-6, members=1_024, l2=1.0, length=1)
