"""Thresholds leave no room for two lists, and graphs are regular and symmetric."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from headwater.security.masking.graph import neighbourhoods, thresholds

SIZES = [*range(3, 90), 128, 500, 1_024, 10_000]


@pytest.mark.parametrize("members", SIZES)
def test_one_list_at_most_and_three_honest_at_least(members):
    numbers = thresholds(members)
    left = members - numbers.lost
    assert 2 * numbers.quorum > members + numbers.colluding
    assert numbers.quorum <= left
    assert numbers.quorum - numbers.colluding >= 3
    assert numbers.lost == members // 3 or members < 5


@pytest.mark.parametrize("members", [size for size in SIZES if size <= 64])
def test_small_groups_mask_with_everybody(members):
    numbers = thresholds(members)
    assert (numbers.degree, numbers.shares) == (members - 1, numbers.quorum)
    assert numbers.colluding < numbers.shares


@pytest.mark.parametrize("members", [65, 128, 500, 1_024, 10_000])
def test_large_groups_keep_their_odds(members):
    numbers = thresholds(members)
    colluders = hypergeom(members - 1, numbers.colluding, numbers.degree)
    survivors = hypergeom(members, members - numbers.lost, numbers.degree + 1)
    assert members * colluders.sf(numbers.shares - 1) <= 2**-40
    assert members * survivors.cdf(numbers.shares - 1) <= 2**-20
    assert members**2 / 2 * ((numbers.lost + numbers.colluding) / members) ** numbers.degree <= 2**-40
    assert numbers.degree % 2 == 0


def test_the_numbers_that_the_page_quotes():
    quoted = {members: (n.degree, n.shares) for members in (128, 1_024, 10_000) for n in [thresholds(members)]}
    assert quoted == {128: (38, 12), 1_024: (70, 24), 10_000: (86, 29)}


@pytest.mark.parametrize(("members", "degree"), [(3, 2), (10, 9), (10, 4), (101, 30), (64, 62)])
def test_neighbourhoods_are_symmetric_and_regular(members, degree):
    names = tuple(f"h{place:03d}" for place in range(members))
    around = neighbourhoods(b"plan", names, degree)
    assert {len(close) for close in around.values()} == {degree + 1}
    for name, close in around.items():
        assert name in close
        assert list(close) == sorted(close)
        assert all(name in around[other] for other in close)


def test_another_plan_gives_another_graph():
    names = tuple(f"h{place:03d}" for place in range(200))
    first, second = (neighbourhoods(pact, names, 10) for pact in (b"one", b"two"))
    kept = np.mean([len(set(first[name]) & set(second[name])) - 1 for name in names])
    assert kept < 2
