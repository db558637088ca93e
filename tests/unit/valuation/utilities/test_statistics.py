"""The utility from statistics equals retraining on the pooled records of every coalition."""

from itertools import product

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.statistics import Gram, Statistic, on_grid
from headwater.valuation import GramUtility, exact
from headwater.valuation.utilities import statistics as utility_module

DIM, RIDGE = 6, 1.5
GRAM = Gram(DIM)


def records(count: int, seed: int, *, noise: float = 1.0, flip: bool = False):
    rng = np.random.default_rng(seed)
    x = on_grid(rng.normal(size=(count, DIM)))
    x[:, 0] = 1.0
    signal = x @ np.arange(1.0, DIM + 1)
    return x, on_grid((-signal if flip else signal) + noise * rng.normal(size=count))


TARGET, VALIDATION = records(12, 0, noise=3), records(200, 1)
SOURCES = [records(40, 2), records(40, 3, noise=8), records(30, 4, flip=True), records(3, 5), records(60, 6)]


def game(sources=None, **changes) -> GramUtility:
    parts = {f"h{place}": GRAM.statistic(*s) for place, s in enumerate(SOURCES if sources is None else sources)}
    settings = {
        "target": GRAM.statistic(*TARGET),
        "validation": GRAM.statistic(*VALIDATION),
        "gram": GRAM,
        "ridge": RIDGE,
    }
    return GramUtility(sources=parts, **{**settings, **changes})


def retrained_r2(coalition) -> float:
    chosen = [TARGET, *(s for s, inside in zip(SOURCES, coalition, strict=True) if inside)]
    x, y = np.vstack([x for x, _ in chosen]), np.concatenate([y for _, y in chosen])
    shrink = np.sqrt(RIDGE) * np.eye(DIM)[1:]
    beta = np.linalg.lstsq(np.vstack([x, shrink]), np.concatenate([y, np.zeros(DIM - 1)]), rcond=None)[0]
    test_x, test_y = VALIDATION
    return float(1 - np.mean((test_y - test_x @ beta) ** 2) / np.var(test_y))


COALITIONS = np.array(list(product([False, True], repeat=len(SOURCES))))


def test_equals_retraining_on_every_coalition():
    retrained = np.array([retrained_r2(coalition) for coalition in COALITIONS])
    np.testing.assert_allclose(game().r2(COALITIONS), retrained, atol=1e-9, rtol=0)
    np.testing.assert_allclose(game()(COALITIONS), retrained - retrained[0], atol=1e-9, rtol=0)


def test_shapley_equals_brute_force_over_retrainings():
    table = {tuple(coalition): retrained_r2(coalition) for coalition in COALITIONS}
    size = len(SOURCES)
    brute = np.zeros(size)
    for coalition, utility in table.items():
        inside = sum(coalition)
        for player in range(size):
            joined = tuple(v or place == player for place, v in enumerate(coalition))
            if not coalition[player]:
                weight = 1 / (size * np.prod([(size - 1 - k) / (k + 1) for k in range(inside)]))
                brute[player] += weight * (table[joined] - utility)
    values = exact(game(), game().players, rng=np.random.default_rng(0)).values
    np.testing.assert_allclose(values, brute, atol=1e-9, rtol=0)


def test_quality_shows():
    valuation = exact(game(), game().players, rng=np.random.default_rng(0))
    assert valuation.ranked()[-1] == "h2"
    assert valuation.of("h2") < 0 < valuation.of("h0")


def test_nothing_is_worth_nothing():
    assert game()(np.zeros((2, len(SOURCES)), dtype=bool)).tolist() == [0.0, 0.0]
    assert game().players == ("h0", "h1", "h2", "h3", "h4")


def test_chunks_do_not_show(monkeypatch):
    whole = game()(COALITIONS)
    monkeypatch.setattr(utility_module, "_CHUNK_BYTES", 1)
    np.testing.assert_allclose(game()(COALITIONS), whole, atol=1e-14)


def test_wide_and_late_systems_are_solved():
    wide = Gram(DIM)
    nobody = GramUtility(wide.statistic(*records(1, 9)), {}, wide.statistic(*VALIDATION), wide, 1.0)
    assert nobody(np.zeros((1, 0), dtype=bool)).tolist() == [0.0]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"validation": GRAM.statistic(np.zeros((0, DIM)), np.zeros(0))}, "E-VALUE-VALIDATION"),
        ({"validation": GRAM.statistic(np.ones((5, DIM)), np.full(5, 2.0))}, "E-VALUE-VALIDATION"),
        ({"target": Gram(3).statistic(np.ones((2, 3)), np.ones(2))}, "E-STATISTIC-FORM"),
        ({"target": GRAM.statistic(np.zeros((0, DIM)), np.zeros(0))}, "E-GRAM-SINGULAR"),
    ],
)
def test_refusals(changes, code):
    with pytest.raises(Refusal) as caught:
        game(**changes)
    assert caught.value.code == code


def test_sources_of_another_shape_are_refused():
    with pytest.raises(Refusal, match="E-STATISTIC-FORM"):
        GramUtility(
            GRAM.statistic(*TARGET),
            {"h": Statistic("update", (2,), np.zeros(3, dtype=np.uint64))},
            GRAM.statistic(*VALIDATION),
            GRAM,
            RIDGE,
        )


def test_no_coalition_passes_the_ceiling_and_records_like_the_judges_come_near_it():
    made = game()
    assert made(COALITIONS).max() <= made.ceiling
    stolen = game(sources=[VALIDATION])
    everyone = np.ones((1, 1), dtype=bool)
    assert stolen.ceiling == pytest.approx(made.ceiling)
    assert stolen(everyone)[0] == pytest.approx(stolen.ceiling, abs=0.01)
    assert stolen(everyone)[0] <= stolen.ceiling
