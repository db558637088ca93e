"""Masks cancel exactly, hide everything else, and are used once."""

import secrets
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import CLEAR, MASKED
from headwater.security import masked as masked_module


def play(protection, vectors, *, round_id="round-1", seed=0):
    group, entropy = list(vectors), seeded_entropy(seed)
    members = {name: protection.join(name, group, round_id, entropy) for name in group}
    publics = {name: member.public() for name, member in members.items()}
    return {name: member.protect(vectors[name], publics) for name, member in members.items()}


def draw(names, length, *, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-(2**50), 2**50, length).astype(np.int64).view(np.uint64) for name in names}


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.lists(st.text(min_size=1, max_size=5), min_size=3, max_size=9, unique=True),
    st.integers(0, 40),
    st.integers(0, 99),
)
def test_masked_sum_is_the_clear_sum(names, length, seed):
    vectors = draw(names, length, seed=seed)
    masked = MASKED.combine(play(MASKED, vectors, seed=seed), names, round_id="round-1")
    clear = CLEAR.combine(play(CLEAR, vectors), names, round_id="round-1")
    assert masked.tobytes() == clear.tobytes()


def test_chunks_do_not_show(monkeypatch):
    vectors = draw("abcd", 1001)
    whole = play(MASKED, vectors)
    monkeypatch.setattr(masked_module, "_CHUNK", 64)
    assert play(MASKED, vectors) == whole


def test_fresh_keys_give_the_same_sum():
    vectors = draw("abc", 5)
    members = {name: MASKED.join(name, "abc", "r", secrets.token_bytes) for name in "abc"}
    publics = {name: member.public() for name, member in members.items()}
    messages = {name: member.protect(vectors[name], publics) for name, member in members.items()}
    np.testing.assert_array_equal(MASKED.combine(messages, "abc", round_id="r"), sum(vectors.values()))


def test_a_changed_round_group_or_sender_is_noticed():
    vectors = draw("abc", 5)
    messages = play(MASKED, vectors)
    swapped = {**messages, "a": messages["b"], "b": messages["a"]}
    for attempt, round_id in ((messages, "round-2"), (swapped, "round-1"), ({**messages, "a": bytes(72)}, "round-1")):
        with pytest.raises(Refusal) as caught:
            MASKED.combine(attempt, "abc", round_id=round_id)
        assert caught.value.code == "E-MASK-ROUND"


def test_messages_of_a_larger_group_give_no_sum_of_a_smaller():
    messages = play(MASKED, draw("abcd", 5))
    del messages["d"]
    with pytest.raises(Refusal) as caught:
        MASKED.combine(messages, "abc", round_id="round-1")
    assert caught.value.code == "E-MASK-ROUND"


def test_masks_are_used_once():
    vectors = draw("abc", 5)
    members = {name: MASKED.join(name, "abc", "r", seeded_entropy(1)) for name in "abc"}
    publics = {name: member.public() for name, member in members.items()}
    members["a"].protect(vectors["a"], publics)
    with pytest.raises(Refusal) as caught:
        members["a"].protect(vectors["b"], publics)
    assert caught.value.code == "E-MASK-SPENT"


def test_a_refused_vector_does_not_spend_the_masks():
    members = {name: MASKED.join(name, "abc", "r", seeded_entropy(1)) for name in "abc"}
    publics = {name: member.public() for name, member in members.items()}
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        members["a"].protect(np.array([2**62], dtype=np.uint64), publics)
    members["a"].protect(np.array([1], dtype=np.uint64), publics)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda publics: {k: v for k, v in publics.items() if k != "b"}, "E-MASK-KEYS"),
        (lambda publics: {**publics, "z": publics["b"]}, "E-MASK-KEYS"),
        (lambda publics: {**publics, "a": publics["b"]}, "E-MASK-KEYS"),
        (lambda publics: {**publics, "b": bytes(32)}, "E-MASK-KEY"),
        (lambda publics: {**publics, "b": b"short"}, "E-MASK-KEY"),
    ],
)
def test_bad_keys_are_refused(spoil, code):
    entropy = seeded_entropy(1)
    members = {name: MASKED.join(name, "abc", "r", entropy) for name in "abc"}
    publics = {name: member.public() for name, member in members.items()}
    with pytest.raises(Refusal) as caught:
        members["a"].protect(np.zeros(3, dtype=np.uint64), spoil(publics))
    assert caught.value.code == code


def test_streams_differ_between_pairs_and_do_not_depend_on_the_vector():
    zeros = {name: np.zeros(500, dtype=np.uint64) for name in "abcd"}
    ones = {name: np.ones(500, dtype=np.uint64) for name in "abcd"}
    first, second = play(MASKED, zeros), play(MASKED, ones)
    masks = {name: np.frombuffer(first[name][32:], dtype="<u8") for name in "abcd"}
    for name in "abcd":
        np.testing.assert_array_equal(np.frombuffer(second[name][32:], dtype="<u8"), masks[name] + np.uint64(1))
        assert len(np.unique(masks[name])) == 500


def test_the_vector_is_left_alone():
    vectors = draw("abc", 10)
    before = vectors["a"].copy()
    play(MASKED, vectors)
    np.testing.assert_array_equal(vectors["a"], before)


def test_a_million_values_in_a_group_of_thirty():
    names = [f"h{place:02d}" for place in range(30)]
    entropy = seeded_entropy(2)
    members = {name: MASKED.join(name, names, "r", entropy) for name in names}
    publics = {name: member.public() for name, member in members.items()}
    values = np.arange(1_000_000, dtype=np.uint64)
    start = time.process_time()
    message = members["h00"].protect(values, publics)
    protecting = time.process_time() - start
    start = time.process_time()
    zeros = bytes(values.nbytes)
    for _ in range(29):
        Cipher(algorithms.AES(bytes(16)), modes.CTR(bytes(16))).encryptor().update(zeros)
    assert protecting < 5 * (time.process_time() - start), "more than the streams themselves cost"
    assert len(message) <= 1.01 * values.nbytes
