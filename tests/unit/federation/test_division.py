"""The same sources are always divided alike, and never so that one stands alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.federation import division as divisions
from headwater.federation.division import FLOOR, LIMIT, crossed, division, leverage, named_cohorts, require_hiding


def _names(count):
    return [f"h{place:04d}" for place in range(count)]


def _sets(names, partitions):
    return [frozenset(members) for masks in partitions for members in named_cohorts(names, masks)]


@pytest.mark.parametrize("sources", [10, 11, 14, 50, 57, 203, 1_000])
def test_partitions_hold_each_source_once_in_cohorts_of_five_or_more(sources):
    partitions = division(_names(sources))
    for masks in partitions:
        assert (masks.sum(axis=0) == 1).all()
        assert masks.sum(axis=1).min() >= FLOOR
        assert len(masks) <= 60
    assert len(partitions) == 2
    assert leverage(np.concatenate(partitions)).max() <= LIMIT


@settings(max_examples=25, deadline=None)
@given(st.permutations(_names(13)))
def test_the_order_in_which_sources_are_named_changes_nothing(names):
    assert _sets(names, division(names)) == _sets(_names(13), division(_names(13)))


def test_fewer_partitions_are_the_first_of_more():
    names = _names(60)
    most = _sets(names, division(names, partitions=30))
    for count in range(1, 4):
        fewer = _sets(names, division(names, partitions=count))
        assert fewer == most[: len(fewer)]


def test_no_number_of_partitions_goes_beyond_the_limit():
    assert leverage(np.concatenate(division(_names(60), partitions=30))).max() <= LIMIT


def test_other_names_are_divided_otherwise():
    others = [f"k{place:04d}" for place in range(20)]
    first, second = division(_names(20), partitions=1)[0], division(others, partitions=1)[0]
    assert (first != second).any()


@pytest.mark.parametrize(
    ("floor", "limit"), [(4, 0.5), (0, 0.5), (-1, 0.5), (5.5, 0.5), (5, 0.51), (5, 1.0), (5, 0.0), (5, float("nan"))]
)
def test_limits_that_hide_nobody_are_refused(floor, limit):
    with pytest.raises(Refusal, match="E-COHORT-LIMITS"):
        require_hiding(floor, limit)


def test_a_division_into_smaller_cohorts_is_refused():
    with pytest.raises(Refusal, match="E-COHORT-LIMITS"):
        division(_names(20), floor=3)


@pytest.mark.parametrize("sources", [10, 11, 12, 15, 30, 61, 200])
def test_cohorts_across_partitions_use_what_leverage_is_left(sources):
    names = _names(sources)
    divided = np.concatenate(division(names))
    masks = crossed(names)
    assert (masks[: len(divided)] == divided).all()
    assert masks.sum(axis=1).min() >= FLOOR
    assert sources - masks.sum(axis=1).max() >= FLOOR
    assert leverage(divided).max() <= leverage(masks).max() <= LIMIT
    assert np.linalg.matrix_rank(masks) > np.linalg.matrix_rank(divided) or sources < 13


def test_the_order_of_names_changes_no_cohort_across():
    names = _names(31)
    backwards = names[::-1]
    assert set(named_cohorts(names, crossed(names))) == {
        tuple(sorted(cohort)) for cohort in named_cohorts(backwards, crossed(backwards))
    }


def test_without_the_limit_the_cohorts_across_would_lay_sources_open(monkeypatch):
    monkeypatch.setattr(divisions, "LIMIT", 1.0)
    assert leverage(crossed(_names(30))).max() > LIMIT
