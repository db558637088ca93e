"""Signatures bind every part, and framing is one to one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.security.identity import Identity, digest_of, framed, signed_by, unframed

parts = st.lists(st.binary(max_size=12), max_size=5)


@settings(deadline=None, derandomize=True)
@given(parts, parts)
def test_frames_are_one_to_one(left, right):
    assert unframed(framed(*left)) == left
    assert (framed(*left) == framed(*right)) == (left == right)
    assert (digest_of(left) == digest_of(right)) == (left == right)


@settings(deadline=None, derandomize=True)
@given(parts.filter(bool), st.data())
def test_cut_frames_are_not_read(whole, data):
    framed_whole = framed(*whole)
    cut = data.draw(st.integers(1, len(framed_whole) - 1))
    whole_again = [framed(*whole[:count]) for count in range(len(whole))]
    if framed_whole[:cut] not in whole_again:
        with pytest.raises(ValueError, match="cut short"):
            unframed(framed_whole[:cut])


@settings(deadline=None, derandomize=True, max_examples=50)
@given(parts, parts)
def test_a_signature_is_of_these_parts_alone(said, other):
    signer = Identity(bytes(32))
    signature = signer.sign(*said)
    assert signed_by(signer.public, signature, *said)
    assert signed_by(signer.public, signature, *other) == (said == other)
    assert not signed_by(Identity(b"x" * 32).public, signature, *said)


@pytest.mark.parametrize("public", [b"", b"short", b"\xff" * 32])
def test_no_key_signs_nothing(public):
    assert not signed_by(public, Identity(bytes(32)).sign(b"a"), b"a")
