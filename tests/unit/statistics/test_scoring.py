"""Score and information: one step of Newton's from sums."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.statistics import Scoring, Statistic

FAMILY = Scoring(3)


def told(seed: int, rows: int = 60):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(rows), rng.normal(size=(rows, 2))])
    return x, rng.random(rows) + 0.1, rng.normal(size=rows)


def test_one_step_with_ridge_leaves_the_intercept_free():
    parts = [told(seed) for seed in range(3)]
    total = Statistic.total(FAMILY.statistic(x, w, r, misfit=float(r @ r)) for x, w, r in parts)
    x, w, r = (np.concatenate(one) for one in zip(*parts, strict=True))
    before, penalty = np.array([0.5, -1.0, 2.0]), np.diag([0.0, 4.0, 4.0])
    step = np.linalg.solve(x.T @ (x * w[:, None]) + penalty, x.T @ r - penalty @ before)
    assert np.abs(FAMILY.solve(before, total, ridge=4.0) - before - step).max() < 1e-9
    assert FAMILY.records(total) == 180
    assert FAMILY.scores(total).misfit == pytest.approx(r @ r, abs=1e-8)


def test_information_without_inverse_is_refused():
    x, w, r = told(1)
    x[:, 2] = x[:, 1]
    with pytest.raises(Refusal) as refusal:
        FAMILY.solve(np.zeros(3), FAMILY.statistic(x, 0 * w, r, misfit=0.0))
    assert refusal.value.code == "E-SCORING-SINGULAR"


@pytest.mark.parametrize(("place", "value"), [(0, -5.0), (-2, -1.0), (-1, 1.5)], ids=["information", "misfit", "count"])
def test_what_no_records_give_is_refused(place, value):
    x, w, r = told(2)
    sound = FAMILY.statistic(x, w, r, misfit=float(r @ r))
    FAMILY.check(sound)
    values = sound.values.copy()
    values[place] = FAMILY.encoding.encode(np.array([value]))[0]
    with pytest.raises(Refusal) as refusal:
        FAMILY.check(Statistic(sound.kind, sound.shape, values))
    assert refusal.value.code == "E-SCORING-IMPOSSIBLE"


def test_another_form_is_refused():
    with pytest.raises(Refusal) as refusal:
        FAMILY.scores(Scoring(2).sample(np.random.default_rng(0)))
    assert refusal.value.code == "E-STATISTIC-FORM"
