"""Streams are AES in counter mode of derived keys, and cancel between the two ends of a pair."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from headwater.errors import Refusal
from headwater.security.masking import streams
from headwater.security.masking.streams import (
    add_masks,
    derived,
    expanding,
    key_of,
    pair_stream,
    public_of,
    shared_secret,
    stream,
)

A, B = key_of(b"a" * 32), key_of(b"b" * 32)


@pytest.mark.parametrize("kind", [np.uint32, np.uint64])
@pytest.mark.parametrize("length", [0, 1, 5, 70_001])
def test_masks_are_the_cipher_of_zeros(kind, length):
    values = np.arange(length, dtype=kind)
    add_masks(values, [(True, stream(b"s" * 32, b"x")), (False, stream(b"t" * 32, b"x"))])
    expected = np.arange(length, dtype=kind)
    for secret, sign in ((b"s" * 32, 1), (b"t" * 32, -1)):
        cipher = Cipher(algorithms.AES(derived(secret, b"x")), modes.CTR(bytes(16))).encryptor()
        mask = np.frombuffer(cipher.update(bytes(expected.nbytes)), dtype=expected.dtype)
        expected = expected + mask if sign > 0 else expected - mask
    np.testing.assert_array_equal(values, expected)


def test_chunks_do_not_show(monkeypatch):
    whole, parts = np.zeros(1_001, dtype=np.uint32), np.zeros(1_001, dtype=np.uint32)
    add_masks(whole, [(True, stream(b"s" * 32))])
    monkeypatch.setattr(streams, "_CHUNK", 64)
    add_masks(parts, [(True, stream(b"s" * 32))])
    np.testing.assert_array_equal(whole, parts)


def test_both_ends_have_one_stream_and_every_plan_another():
    ends = ("a", public_of(A)), ("b", public_of(B))
    here = pair_stream(shared_secret(A, "b", public_of(B)), b"plan", *ends).update(bytes(64))
    there = pair_stream(shared_secret(B, "a", public_of(A)), b"plan", *reversed(ends)).update(bytes(64))
    other = pair_stream(shared_secret(A, "b", public_of(B)), b"nalp", *ends).update(bytes(64))
    assert here == there
    assert len({here, other, bytes(64)}) == 3


@pytest.mark.parametrize("public", [bytes(32), b"short", b""])
def test_keys_without_a_secret_are_refused(public):
    with pytest.raises(Refusal, match="E-MASK-KEY") as caught:
        shared_secret(A, "h09", public)
    assert "h09" in caught.value.reason.en


def test_an_expanded_secret_says_the_same_again():
    first, again = expanding(b"s" * 32, b"use"), expanding(b"s" * 32, b"use")
    assert first(5) + first(7) == again(12)
    assert expanding(b"s" * 32, b"other")(12) != expanding(b"s" * 32, b"use")(12)
