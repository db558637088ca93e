"""Limbs: cutting and joining is exact, the bound of the error holds, and what is not whole is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security import Pact, Span
from headwater.security.limbs import DEGREE, Limbs

ROOM = 2.0**49
"""A little less than half of a modulus of 50 bits."""


def pact_of(members: int, span: Span | None = None, length: int = 4) -> Pact:
    return Pact.of("ckks", {f"m{i}": b"" for i in range(members)}, round_id="r", length=length, span=span)


spans = st.one_of(
    st.none(),
    st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 2**40)).map(lambda pair: Span(pair[0], pair[0] + pair[1])),
)


@given(st.integers(3, 60), spans, st.data())
def test_sums_of_limbs_join_to_the_sum(members: int, span: Span | None, data: st.DataObject):
    pact = pact_of(members, span, data.draw(st.integers(1, 9)))
    value = st.sampled_from([pact.span.low, pact.span.high]) | st.integers(pact.span.low, pact.span.high)
    row = st.lists(value, min_size=pact.length, max_size=pact.length)
    drawn = data.draw(st.lists(row, min_size=members, max_size=members))
    limbs = Limbs.of(pact)
    vectors = [np.array(row, dtype=np.int64).view(np.uint64) for row in drawn]
    slots = sum(limbs.cut(pact.span.lifted(vector)) for vector in vectors)
    off = data.draw(st.sampled_from([-0.25, 0.0, 0.25]))
    total = pact.span.lowered(limbs.joined(slots + off, members, pact.length), members)
    assert (total == sum(vectors, np.zeros(pact.length, dtype=np.uint64))).all()
    assert np.abs(slots).max() * limbs.scale <= ROOM


@pytest.mark.parametrize("members", [3, 16, 100, 1_024, 10_000])
@pytest.mark.parametrize("span", [Span(0, 2**16 - 1), Span(0, 2**32 - 1), None], ids=["16", "32", "64"])
def test_the_largest_sum_fits_into_the_modulus_at_the_scale(members: int, span: Span | None):
    pact = pact_of(members, span, length=10**6)
    limbs = Limbs.of(pact)
    assert members * 2 ** (limbs.bits - 1) * limbs.scale <= ROOM
    width = (pact.span.high - pact.span.low).bit_length()
    assert limbs.count * limbs.bits >= (limbs.together - 1) * limbs.spacing + width
    assert limbs.spacing >= (members * (pact.span.high - pact.span.low)).bit_length()


@pytest.mark.parametrize(
    ("members", "span", "most"), [(16, Span(0, 2**16 - 1), 0.75), (1_024, Span(0, 2**16 - 1), 1.75), (16, None, 2.5)]
)
def test_slots_a_value(members: int, span: Span | None, most: float):
    limbs = Limbs.of(pact_of(members, span, 2**20))
    assert limbs.slots(8 * 2**17) / 2**20 == pytest.approx(limbs.count / limbs.together, rel=1e-3)
    assert limbs.count / limbs.together <= most


@pytest.mark.parametrize("members", [1, 16])
def test_the_error_is_that_of_the_formula_and_far_below_the_bound(members: int):
    """Draw the errors themselves: rounding errors times a secret, at the roots of unity."""
    rng = np.random.default_rng(3)
    secret = _at_roots(rng.integers(-1, 2, (1, DEGREE)))
    off = [_at_roots(rng.uniform(-0.5, 0.5, (3, DEGREE))) for _ in range(50 * members)]
    errors = np.array([part[0] + part[1] * secret[0] + part[2] for part in off]).real
    summed = errors.reshape(50, members, -1).sum(axis=1)
    expected = np.sqrt(members * DEGREE / 2 * (2 * DEGREE / 3 + 2) / 12)
    assert summed.std() == pytest.approx(expected, rel=0.05)
    limbs = Limbs.of(pact_of(max(3, members), Span(0, 1), 2048))
    assert np.abs(summed).max() < limbs.scale / 4 / 3


def _at_roots(coefficients: np.ndarray) -> np.ndarray:
    """Return the values of polynomials at the primitive roots of order 2N, one of each conjugate pair."""
    twisted = coefficients * np.exp(1j * np.pi * np.arange(DEGREE) / DEGREE)
    return np.fft.fft(twisted, axis=-1)[..., : DEGREE // 2]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda slots: slots + 0.26,
        lambda slots: slots + 2.0**40,
        lambda slots: slots * np.nan,
        lambda slots: -slots - 9e9,
    ],
    ids=["fraction", "high", "nan", "low"],
)
def test_what_is_no_sum_of_whole_numbers_is_refused(spoil):
    pact = pact_of(3, Span(0, 2**16 - 1))
    limbs = Limbs.of(pact)
    slots = 3 * limbs.cut(np.arange(4, dtype=np.uint64))
    assert (limbs.joined(slots, 3, 4) == 3 * np.arange(4)).all()
    with pytest.raises(Refusal, match="E-LIMBS-INEXACT"):
        limbs.joined(spoil(slots), 3, 4)


def test_too_many_members_are_refused():
    with pytest.raises(Refusal, match="E-LIMBS-ROOM"):
        Limbs.of(pact_of(200_000, Span(0, 2**16 - 1)))


def test_limbs_too_wide_for_the_room_would_be_caught():
    """The broken twin: with one slot for 64 bits the same test of room fails."""
    pact = pact_of(16)
    broken = replace(Limbs.of(pact), count=1, bits=61)
    assert 16 * 2 ** (broken.bits - 1) * broken.scale > ROOM
