"""Any t shares give the secret, fewer say nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.checks.protections import seeded_entropy
from headwater.security.masking.shamir import join, share_bytes, split

PRIME = 2**31 - 1


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.binary(min_size=1, max_size=40),
    st.lists(st.integers(1, PRIME - 1), min_size=1, max_size=12, unique=True),
    st.data(),
)
def test_any_threshold_of_shares_gives_the_secret(secret, places, data):
    threshold = data.draw(st.integers(1, len(places)))
    shares = dict(zip(places, split(secret, places, threshold, seeded_entropy(1)), strict=True))
    assert {len(share) for share in shares.values()} == {share_bytes(len(secret))}
    chosen = data.draw(st.permutations(places))[:threshold]
    assert join(chosen, [[shares[place] for place in chosen]], len(secret)) == [secret]


def test_many_secrets_at_once():
    secrets = [bytes([place]) * 32 for place in range(20)]
    dealt = [split(secret, [3, 9, 4, 7], 3, seeded_entropy(place)) for place, secret in enumerate(secrets)]
    assert join([9, 7, 3], [[row[1], row[3], row[0]] for row in dealt], 32) == secrets


def test_shares_agree_with_polynomials_worked_by_hand():
    draws = iter([np.array([5, 1], dtype="<u4").tobytes()])
    shares = split(b"\x07", [1, 2, 10], 3, lambda count: next(draws))
    # 7 + x·(1 + 5x): the first coefficient drawn is the highest.
    assert [int.from_bytes(share, "little") for share in shares] == [7 + x * (1 + 5 * x) for x in (1, 2, 10)]


def test_fewer_shares_are_the_same_for_every_secret():
    """With t - 1 shares known, each secret has just one polynomial: the shares' distribution cannot depend on it."""
    counts = {}
    for secret in (b"\x00", b"\xff"):
        drawn = [
            int.from_bytes(split(secret, [1, 2], 2, seeded_entropy(seed))[0], "little") * 8 // PRIME
            for seed in range(4_000)
        ]
        counts[secret] = np.bincount(drawn, minlength=8)
        # Chi-square with seven degrees of freedom: beyond 30 once in ten thousand.
        assert ((counts[secret] - 500) ** 2 / 500).sum() < 30
    apart = counts[b"\x00"].astype(float) - counts[b"\xff"]
    assert (apart**2 / (counts[b"\x00"] + counts[b"\xff"])).sum() < 30


def test_a_draw_outside_the_field_is_drawn_again():
    draws = iter([b"\xff\xff\xff\x7f", (3).to_bytes(4, "little")])
    shares = split(b"\x01", [1, 2], 2, lambda count: next(draws))
    assert [int.from_bytes(share, "little") for share in shares] == [4, 7]


def test_wrong_shares_give_no_secret_or_another():
    shares = split(b"s" * 32, [1, 2, 3], 3, seeded_entropy(2))
    changed = bytes([shares[0][0] ^ 1]) + shares[0][1:]
    (found,) = join([1, 2, 3], [[changed, *shares[1:]]], 32)
    assert found != b"s" * 32
    beyond = b"\xff\xff\xff\x7f"
    assert join([1], [[beyond * 9]], 32) == [bytes(32)]
    assert join([1], [[(2**30).to_bytes(4, "little") * 9]], 32) == [None]


@pytest.mark.parametrize(("places", "threshold"), [([1, 1], 1), ([0, 1], 1), ([1, 2], 3), ([1, 2], 0)])
def test_impossible_dealings_are_refused(places, threshold):
    with pytest.raises(ValueError, match="places"):
        split(b"s", places, threshold, seeded_entropy(0))


def test_every_pair_of_five_opens():
    shares = split(b"secret", range(1, 6), 2, seeded_entropy(5))
    for left, right in itertools.combinations(range(5), 2):
        assert join([left + 1, right + 1], [[shares[left], shares[right]]], 6) == [b"secret"]
