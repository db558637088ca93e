"""The Gram statistic equals training on the pooled records, whatever the partition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics import FixedPoint, Gram, Statistic, on_grid
from headwater.statistics import gram as gram_module

GRAM = Gram(5)


def records(count: int, *, seed: int = 0, dim: int = 5):
    rng = np.random.default_rng(seed)
    x = on_grid(rng.normal(size=(count, dim)))
    x[:, 0] = 1.0
    return x, on_grid(x @ np.arange(1.0, dim + 1) + rng.normal(size=count) + 9.0)


def pooled_ridge(x, y, ridge):
    """Ridge by augmented least squares: another road to the same solution."""
    rows = np.sqrt(ridge) * np.eye(x.shape[1])[1:]
    return np.linalg.lstsq(np.vstack([x, rows]), np.concatenate([y, np.zeros(len(rows))]), rcond=None)[0]


@pytest.mark.parametrize("ridge", [0.01, 1.0, 100.0])
def test_solution_equals_pooled_training(ridge):
    x, y = records(400)
    parts = [GRAM.statistic(x[start : start + 90], y[start : start + 90]) for start in range(0, 400, 90)]
    beta = GRAM.solve(Statistic.total(parts), ridge=ridge)
    np.testing.assert_allclose(beta, pooled_ridge(x, y, ridge), atol=1e-9, rtol=0)


def test_losses_equal_those_on_records():
    x, y = records(200)
    test_x, test_y = records(150, seed=1)
    beta = GRAM.solve(GRAM.statistic(x, y), ridge=1.0)
    test = GRAM.statistic(test_x, test_y)
    residual = test_y - test_x @ beta
    assert GRAM.loss(test, beta) == pytest.approx(float(residual @ residual) / 150, abs=1e-9)
    assert GRAM.r2(test, beta) == pytest.approx(1 - residual.var() / test_y.var() - residual.mean() ** 2 / test_y.var())
    assert GRAM.records(test) == 150


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 200), st.lists(st.integers(0, 200), max_size=5), st.randoms(use_true_random=False))
def test_any_partition_of_grid_records_gives_the_same_bits(count, cuts, random):
    x, y = records(count, seed=count)
    order = list(range(count))
    random.shuffle(order)
    edges = [0, *sorted(min(cut, count) for cut in cuts), count]
    parts = [order[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert Statistic.total(GRAM.statistic(x[p], y[p]) for p in parts) == GRAM.statistic(x, y)


def test_chunks_do_not_show(monkeypatch):
    x, y = records(500)
    whole = GRAM.statistic(x, y)
    monkeypatch.setattr(gram_module, "_CHUNK_ROWS", 7)
    assert GRAM.statistic(x, y) == whole


def test_records_off_the_grid_stay_within_the_resolution():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(300, 5)), rng.normal(size=300)
    moments = GRAM.moments(GRAM.statistic(x, y))
    np.testing.assert_allclose(moments.xx, x.T @ x, atol=FixedPoint().resolution, rtol=0)
    np.testing.assert_allclose(moments.xy, x.T @ y, atol=FixedPoint().resolution, rtol=0)


def test_the_intercept_is_free_and_the_rest_is_not():
    x, y = records(300)
    beta = GRAM.solve(GRAM.statistic(x, y), ridge=1e12)
    np.testing.assert_allclose(beta[1:], 0, atol=1e-6)
    assert beta[0] == pytest.approx(y.mean(), abs=1e-6)
    everything = Gram(5, intercept=False)
    np.testing.assert_allclose(everything.solve(everything.statistic(x, y), ridge=1e12), 0, atol=1e-6)


def test_length_is_small():
    assert GRAM.statistic(*records(10)).values.size == GRAM.length == 5 * 6 // 2 + 5 + 3


def test_subtracting_a_source_equals_never_having_had_it():
    a, b = GRAM.statistic(*records(50, seed=1)), GRAM.statistic(*records(60, seed=2))
    left = a.merge(b).subtract(b)
    assert GRAM.solve(left, ridge=1.0).tobytes() == GRAM.solve(a, ridge=1.0).tobytes()


def empty() -> Statistic:
    return GRAM.statistic(np.zeros((0, 5)), np.zeros(0))


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda: GRAM.solve(empty(), ridge=1.0), "E-GRAM-SINGULAR"),
        (lambda: GRAM.loss(empty(), np.zeros(5)), "E-GRAM-EMPTY"),
        (lambda: GRAM.r2(empty(), np.zeros(5)), "E-GRAM-EMPTY"),
        (lambda: GRAM.r2(GRAM.statistic(np.ones((9, 5)), np.full(9, 2.0)), np.zeros(5)), "E-GRAM-EMPTY"),
        (lambda: Gram(4).solve(GRAM.statistic(*records(9)), ridge=1.0), "E-STATISTIC-FORM"),
        (lambda: GRAM.statistic(np.ones((9, 5)), np.full(9, np.nan)), "E-FIXED-FINITE"),
        (lambda: GRAM.statistic(np.full((9, 5), 1e4), np.full(9, 1.0)), "E-FIXED-RANGE"),
    ],
)
def test_refusals(act, code):
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code


def test_a_sum_over_chunks_that_leaves_the_range_is_refused(monkeypatch):
    monkeypatch.setattr(gram_module, "_CHUNK_ROWS", 1)
    x = np.full((40, 5), 1000.0)
    with pytest.raises(Refusal) as caught:
        GRAM.statistic(x, np.zeros(40))
    assert caught.value.code == "E-FIXED-RANGE"


@pytest.mark.parametrize("shape", [((3, 4), (3,)), ((3, 5), (4,)), ((15,), (3,))])
def test_wrong_shapes_are_errors(shape):
    with pytest.raises(ValueError, match="x must be"):
        GRAM.statistic(np.zeros(shape[0]), np.zeros(shape[1]))


@pytest.mark.parametrize("make", [lambda: Gram(0), lambda: GRAM.penalty(-1.0), lambda: GRAM.penalty(float("nan"))])
def test_impossible_settings_are_errors(make):
    with pytest.raises(ValueError, match="must be at least"):
        make()


def test_check_accepts_what_records_give():
    for count in (0, 1, 2, 500):
        GRAM.check(GRAM.statistic(*records(count)))
    free = Gram(5, intercept=False)
    free.check(free.statistic(np.full((2000, 5), 8.0), np.full(2000, 20.0)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: np.concatenate([v[:-1], [-3.0]]),
        lambda v: np.concatenate([v[:-1], [v[-1] + 0.5]]),
        lambda v: np.concatenate([[-v[0]], v[1:]]),
        lambda v: np.concatenate([v[:-3], [0.0], v[-2:]]),
        lambda v: np.concatenate([v[:-2], [1e4 * v[-2]], v[-1:]]),
        lambda v: np.concatenate([v[:15], 50 * v[15:20], v[20:]]),
    ],
)
def test_check_refuses_what_no_records_give(spoil):
    code = FixedPoint()
    honest = GRAM.statistic(*records(100))
    poisoned = Statistic("gram", (5,), code.encode(spoil(code.decode(honest.values))))
    with pytest.raises(Refusal) as caught:
        GRAM.check(poisoned)
    assert caught.value.code == "E-GRAM-IMPOSSIBLE"
