"""Noise and bounds of what leaves a source, held against their definitions."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.federation import GramQuestion
from headwater.federation.private import Clipping, NoisyScore, NoisySquares, normal
from headwater.statistics import FeatureMap, Numeric

QUESTION = GramQuestion(FeatureMap(numeric=(Numeric("a", 0, 1),)), target="y")
CLIPPING = Clipping(QUESTION, np.array([[1.0, 0.2], [0.0, 2.0]]), 1.5)


def _table(rows, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table({"a": 3 * rng.normal(size=rows), "y": 3 * rng.normal(size=rows)})


def _changed(table, a, y):
    return pa.concat_tables([pa.table({"a": [float(a)], "y": [float(y)]}), table.slice(1)])


def _entropy(seed):
    return lambda size: hashlib.shake_256(str(seed).encode()).digest(size)


def _whole(statistic):
    moments = QUESTION.family.moments(statistic)
    return np.block([[moments.xx, moments.xy[:, None]], [moments.xy[None], np.array([[moments.yy]])]])


@settings(max_examples=30, deadline=None)
@given(st.floats(-8, 8), st.floats(-20, 20), st.integers(0, 1000))
def test_one_record_exchanged_moves_the_answers_by_no_more_than_they_say(a, y, seed):
    before, after = _table(5, seed), _changed(_table(5, seed), a, y)
    squares = NoisySquares(CLIPPING, 0.0)
    moved = np.linalg.norm(_whole(squares.of(after)) - _whole(squares.of(before)))
    assert moved <= 2**0.5 * CLIPPING.radius**2 + 1e-6
    score = NoisyScore(CLIPPING, np.array([[1.0, -2.0]]), np.array([[0.3, 0.4]]), 0.7, 0.0)
    assert abs(_number(score.of(after)) - _number(score.of(before))) <= 1.4 + 1e-6


def _number(statistic):
    return float(np.array(statistic.values, dtype=np.uint32).view(np.float32)[0])


def test_the_bound_of_squares_is_reached():
    """No less noise would do: two records at right angles, both as long as allowed."""
    identity = Clipping(QUESTION, np.eye(2), 1.0)
    one, other = pa.table({"a": [0.0], "y": [0.0]}), pa.table({"a": [0.0], "y": [1e9]})
    squares = NoisySquares(identity, 0.0)
    assert np.linalg.norm(_whole(squares.of(one)) - _whole(squares.of(other))) == pytest.approx(2**0.5, rel=1e-6)


def test_noise_has_the_deviation_asked_for():
    table, drawn = _table(10), []
    plain = _whole(NoisySquares(CLIPPING, 0.0).of(table))
    for seed in range(300):
        drawn.append(_whole(NoisySquares(CLIPPING, 4.0, _entropy(seed)).of(table)) - plain)
    spread = np.std(drawn, axis=0)
    assert np.diag(spread) == pytest.approx(np.full(3, 4.0), rel=0.17)
    assert spread[np.triu_indices(3, 1)] == pytest.approx(np.full(3, 4 / 2**0.5), rel=0.17)


def test_a_score_without_noise_is_found_out():
    """The broken twin: with noise 0 two askings agree, which no private answer does."""
    options = (CLIPPING, np.array([[1.0, -2.0]]), np.array([[0.3, 0.4]]), 0.7)
    assert _number(NoisyScore(*options, 0.0).of(_table(9))) == _number(NoisyScore(*options, 0.0).of(_table(9)))
    assert _number(NoisyScore(*options, 0.5).of(_table(9))) != _number(NoisyScore(*options, 0.5).of(_table(9)))


def test_normal_numbers_are_normal():
    drawn = normal(5_000, _entropy(1))
    assert abs(drawn.mean()) < 0.06
    assert drawn.std() == pytest.approx(1, rel=0.04)
    assert np.isfinite(normal(2, lambda size: bytes(size))).all()
    assert np.isfinite(normal(2, lambda size: b"\xff" * size)).all()
