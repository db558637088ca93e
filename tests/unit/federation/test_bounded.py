"""Whatever a table holds, one record of it moves the answer by no more than the bound."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.federation import GramQuestion
from headwater.federation.bounded import BoundedQuestion
from headwater.statistics import FeatureMap, Numeric

QUESTION = GramQuestion(FeatureMap(numeric=(Numeric("a", 0, 1), Numeric("b", 0, 1, clip=1e6))), target="y")


def table(rows, seed=0, slope=1.0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), 0.1 * rng.normal(size=rows)
    return pa.table({"a": a, "b": b, "y": slope * a - 3 * b + rng.normal(size=rows)})


OWN = table(60)
ASKED = BoundedQuestion.around(QUESTION, QUESTION.of(OWN), OWN, ridge=1.0)

wild = st.floats(-1e4, 1e4)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(wild, wild, wild, st.integers(0, 50))
def test_one_record_exchanged_moves_the_answer_by_no_more_than_l2(a, b, y, seed):
    before = table(6, seed)
    after = pa.concat_tables([pa.table({"a": [a], "b": [b], "y": [y]}), before.slice(1)])
    steps = [ASKED.of(one).values.view(np.int64).astype(float) for one in (before, after)]
    assert np.linalg.norm(steps[1] - steps[0]) <= ASKED.family.l2
    low, high = ASKED.family.bounds(6)
    assert all(low <= one.min() and one.max() <= high for one in steps)


def test_labels_that_change_sign_come_close_to_the_bound():
    # A record on the rim of both blocks, with either sign of what is left over: what noise has to hide.
    one, other = (ASKED.of(pa.table({"a": [8.0], "b": [0.0], "y": [y]})) for y in (1e4, -1e4))
    moved = np.linalg.norm((one.values.view(np.int64) - other.values.view(np.int64)).astype(float))
    assert 0.85 * ASKED.family.l2 < moved <= ASKED.family.l2


def test_most_records_are_only_rounded():
    x, residuals = ASKED.unclipped(OWN)
    half = ASKED.family.radius / 2**0.5
    inside = (np.linalg.norm(x, axis=1) < half - 1) & (np.abs(residuals) < half - 1)
    assert 0.4 < inside.mean() < 0.8
    told = ASKED.records(OWN)[inside]
    assert np.array_equal(told, np.rint(np.column_stack([x, residuals])[inside]))


def test_features_are_whitened_by_what_is_known():
    family = QUESTION.family
    known = family.moments(QUESTION.of(OWN)).xx + np.diag(family.penalty(1.0))
    squares = ASKED.whitening @ known @ ASKED.whitening.T
    assert squares / squares[0, 0] == pytest.approx(np.eye(3), abs=1e-9)


def test_what_is_left_over_of_the_known_model_is_asked_about():
    _, residuals = ASKED.unclipped(OWN)
    x = QUESTION.feature_map.transform(OWN)
    assert residuals * ASKED.unit == pytest.approx(QUESTION.labels(OWN) - x @ ASKED.known)


@pytest.mark.parametrize("own", [OWN.slice(0, 0), pa.table({"a": [0.0, 1.0], "b": [0.0, 0.0], "y": [0.0, 0.0]})])
def test_without_anything_left_over_there_are_no_bounds(own):
    total = QUESTION.of(pa.table({"a": [0.0, 1.0], "b": [0.0, 0.0], "y": [0.0, 0.0]}))
    with pytest.raises(Refusal) as refusal:
        BoundedQuestion.around(QUESTION, total, own, ridge=1.0)
    assert refusal.value.code == "E-BOUNDED-KNOWN"
