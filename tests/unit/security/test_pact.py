"""Ranges are proven before anything is said, and a pact's digest is of everything in it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security import KeyOf, Pact, Span

KEYS = {"a": b"1" * 32, "b": b"2" * 32, "c": b"3" * 32}
PACT = Pact.of("masked", KEYS, round_id="r", length=2, span=Span(-5, 9))
int64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(int64, int64, int64)
def test_in_range_is_lifted_and_all_else_refused(one, other, value):
    span = Span(min(one, other), max(one, other))
    values = np.array([value], dtype=np.int64).view(np.uint64)
    if span.low <= value <= span.high:
        assert int(span.lifted(values)[0]) == value - span.low
        assert int(span.lowered(span.lifted(values), 1).view(np.int64)[0]) == value
    else:
        with pytest.raises(Refusal, match="E-FIXED-RANGE"):
            span.lifted(values)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.integers(1, 2_000), st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_no_sum_leaves_its_ring(members, low, width):
    bits = Span(low, low + width).bits(members)
    assert members * width < 2**bits
    assert bits == 64 or bits == 1 or members * width >= 2 ** (bits - 1)
    assert bits in (*range(1, 33), 64)


@pytest.mark.parametrize("members", [1, 2, 3, 7, 1_000])
def test_the_widest_span_is_as_wide_as_64_bits_allow(members):
    span = Span.widest(members)
    assert members * (span.high - span.low) < 2**64
    Pact.of("clear", {str(n): b"" for n in range(members)}, round_id="r", length=1, span=span)
    wider = Span(span.low, span.high + 1)
    with pytest.raises(Refusal, match="E-PACT-SPAN"):
        Pact.of("clear", {str(n): b"" for n in range(members)}, round_id="r", length=1, span=wider)


def test_an_empty_range_is_refused():
    with pytest.raises(Refusal, match="E-PACT-SPAN"):
        Pact.of("clear", KEYS, round_id="r", length=1, span=Span(2, 1))


@pytest.mark.parametrize(("low", "high"), [(0, 3), (-4, 3), (2, 3), (-4, -2)])
def test_bounds_of_sums(low, high):
    bounds = Span(low, high).times(2, 5)
    sums = [count * value for count in (2, 3, 4, 5) for value in (low, high)]
    assert (bounds.low, bounds.high) == (min(sums), max(sums))


@pytest.mark.parametrize(
    "change",
    [
        {"round_id": "s"},
        {"protection": "clear"},
        {"length": 3},
        {"span": Span(-5, 8)},
        {"span": Span(-6, 9)},
        {"identities": PACT.identities[:2]},
        {"holder": KeyOf.of("region", b"key")},
        {"holder": KeyOf.of("", b"")},
        {"identities": (("a", b"4" * 32), *PACT.identities[1:])},
        {"identities": (("d", b"1" * 32), *PACT.identities[1:])},
    ],
)
def test_the_digest_is_of_everything(change):
    assert replace(PACT, **change).digest != PACT.digest
    assert replace(PACT).digest == PACT.digest


def test_the_digest_is_of_the_holder_and_of_its_key():
    keys = [KeyOf.of(name, public) for name in ("region", "tier") for public in (b"one", b"other")]
    assert len({replace(PACT, holder=key).digest for key in keys}) == 4


@settings(deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 18)))
def test_lists_come_back(places):
    pact = Pact.of("clear", {f"h{n:02d}": b"" for n in range(19)}, round_id="r", length=1)
    names = tuple(pact.group[place] for place in sorted(places))
    assert pact.listed(pact.bitmap(names)) == names
    assert len(pact.bitmap(names)) == pact.bitmap_bytes
