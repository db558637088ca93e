"""The evidence of marks is the density of the sums, and planted lies are what explains them best."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from headwater.aggregation.robust import explaining
from headwater.aggregation.robust.explaining import Evidence, added, explanations, plausible
from headwater.aggregation.robust.weighing import spanned
from headwater.federation.division import crossed

SOURCES, FEATURES = 30, 6


def _evidence(lies, seed=0, shift=2.0):
    """Return evidence in which the sources ``lies`` add ``shift`` a record in directions of their own."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(50, 300, SOURCES).astype(float)
    each = np.sqrt(sizes + 0.01 * sizes**2)[:, None] * rng.normal(size=(SOURCES, FEATURES))
    for place in lies:
        direction = rng.normal(size=FEATURES)
        each[place] += shift * sizes[place] * direction / np.linalg.norm(direction)
    masks = crossed([f"h{place:03d}" for place in range(SOURCES)])
    left, rows = spanned(masks)
    return Evidence(rows, left.T @ (masks @ each), sizes, 1.0, 0.01, np.full(SOURCES, -4.0))


def _density(evidence, marked, unequal, lies):
    own, common = lies
    sizes, joint = evidence.sizes, evidence.sizes * marked
    covariance = np.diag(evidence.honest(unequal) + own * sizes * joint) + common * np.outer(joint, joint)
    covariance += (evidence.unsure + unequal) * np.outer(sizes, sizes)
    seen = evidence.rows @ covariance @ evidence.rows.T
    law = multivariate_normal(np.zeros(len(seen)), seen)
    return sum(law.logpdf(column) for column in evidence.heard.T) + marked @ evidence.odds


def _walk(evidence, marked):
    walk = explaining._Walk(evidence, 0.01, (0.3, 0.5))
    walk.begin(marked)
    return walk


def test_every_change_of_one_mark_changes_the_evidence_as_the_density_says():
    evidence = _evidence((3, 17))
    marked = np.isin(np.arange(SOURCES), (3, 5, 20))
    gains = _walk(evidence, marked).gains()
    now = _density(evidence, marked, 0.01, (0.3, 0.5))
    for place in range(SOURCES):
        other = marked.copy()
        other[place] = not other[place]
        assert gains[place] == pytest.approx(_density(evidence, other, 0.01, (0.3, 0.5)) - now, rel=1e-6, abs=1e-6)


def test_marks_set_and_taken_one_by_one_end_where_they_would_begin():
    evidence, rng = _evidence((3, 17)), np.random.default_rng(1)
    walk = _walk(evidence, np.zeros(SOURCES, dtype=bool))
    for place in rng.integers(0, SOURCES, 40).tolist():
        walk.gains()
        walk.flip(place)
    fresh = _walk(evidence, walk.marks > 0)
    assert walk.gains() == pytest.approx(fresh.gains(), rel=1e-6, abs=1e-6)
    assert walk.value == pytest.approx(fresh.value, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_planted_lies_are_found_and_sure(seed):
    evidence = _evidence((3, 11), seed)
    found = explanations(evidence, np.random.default_rng(0))
    assert np.flatnonzero(found[0].marked).tolist() == [3, 11]
    chances = plausible(evidence, found)
    assert chances[[3, 11]].min() > 0.99
    assert np.delete(chances, [3, 11]).max() < 0.5
    assert np.linalg.norm(added(evidence, found[0])[11]) == pytest.approx(2.0, abs=0.7)


def test_without_lies_nobody_is_marked():
    assert not explanations(_evidence(()), np.random.default_rng(0))[0].marked.any()


def test_the_search_is_its_seeds():
    evidence = _evidence((3, 11), shift=0.4)
    first, second = (explanations(evidence, np.random.default_rng(4)) for _ in range(2))
    assert [one.value for one in first] == [one.value for one in second]


def test_a_bad_standing_tips_what_the_sums_leave_open():
    weak = _evidence((3,), seed=5, shift=0.33)
    tipped = replace(weak, odds=weak.odds + 6.0 * (np.arange(SOURCES) == 3))
    before, after = (plausible(one, explanations(one, np.random.default_rng(0)))[3] for one in (weak, tipped))
    assert after > before
