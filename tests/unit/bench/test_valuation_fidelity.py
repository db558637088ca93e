from pathlib import Path

import numpy as np
import pytest

from headwater.bench import BENCHES
from headwater.bench.valuation_fidelity import BASELINES, BUDGETS, Estimate, judged, scores, summary
from headwater.bench.valuation_suite import Case, Reference, cases
from headwater.steps.frontier_reference import agreement

ESTIMATORS = {name: BASELINES[name] for name in ("permutations50", "leave_one_out")}


@pytest.fixture(scope="module")
def linear() -> list[Case]:
    return [case for case in cases("ci", None) if case.learner == "linear"]


def _exact(case: Case, truth: Reference, rng: np.random.Generator) -> Estimate:
    return Estimate(truth.values, nbytes=100)


def _reversed(case: Case, truth: Reference, rng: np.random.Generator) -> Estimate:
    return Estimate(-truth.values, nbytes=100)


def _judged(cases_: list[Case], folder: Path, **ours):  # type: ignore[no-untyped-def]
    budgets = dict.fromkeys(("message", "probes12", "probes48"), _exact) | ours
    return judged(scores(cases_, budgets | ESTIMATORS, cache=folder), "ci")


def test_the_figure_holds_for_exact_values_and_fails_for_others(linear: list[Case], tmp_path: Path) -> None:
    assert _judged(linear, tmp_path).holds
    for name in ("message", "probes12", "probes48"):
        wrong = _judged(linear, tmp_path, **{name: _reversed})
        assert not wrong.holds
    assert _judged(linear, tmp_path, message=_reversed).value == pytest.approx(-1)


def test_a_message_too_large_and_time_too_long_fail(linear: list[Case], tmp_path: Path) -> None:
    def bulky(case: Case, truth: Reference, rng: np.random.Generator) -> Estimate:
        return Estimate(truth.values, nbytes=20_001)

    def slow(case: Case, truth: Reference, rng: np.random.Generator) -> Estimate:
        return Estimate(truth.values, trainings=1_000)

    assert not _judged(linear, tmp_path, message=bulky).holds
    assert not _judged(linear, tmp_path, probes48=slow).holds


def test_a_budget_that_was_not_run_fails(linear: list[Case], tmp_path: Path) -> None:
    figure = judged(scores(linear, {"message": _exact} | ESTIMATORS, cache=tmp_path), "ci")
    assert not figure.holds


def test_the_product_is_scored_beside_the_baselines(linear: list[Case], tmp_path: Path) -> None:
    every = scores(linear, {**BUDGETS, **BASELINES}, cache=tmp_path)
    found = summary(every)
    assert set(BUDGETS) <= set(found)
    assert "gtg" not in found
    assert found["message"]["largest_bytes"] <= 20_000
    assert found["message"]["mean"] > found["knn_shapley"]["mean"]


def test_values_that_say_nothing_agree_with_nothing() -> None:
    assert agreement(np.zeros(3), np.arange(3.0)) == 0
    assert agreement(np.array([np.nan, 1.0, 2.0]), np.arange(3.0)) == 0
    assert agreement(np.arange(3.0), np.arange(3.0)) == pytest.approx(1)


def test_the_bench_is_known_by_its_name() -> None:
    assert "valuation" in BENCHES
