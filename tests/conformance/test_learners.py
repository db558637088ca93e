"""Every learner of every framework against every check."""

import importlib

import pytest

from headwater.bench.frameworks_trials import TRIALS
from headwater.checks import LEARNER_SUITE

FRAMEWORKS = {"jax", "keras", "lightgbm", "sklearn", "statsmodels", "torch", "xgboost"}
CASES = [
    pytest.param(TRIALS[name], check, id=f"{name}-{check.__name__}") for name, check in LEARNER_SUITE.cases(TRIALS)
]


@pytest.mark.parametrize(("trial", "check"), CASES)
def test_conforms(trial, check):
    check(trial)


def test_nothing_is_left_out():
    assert {name.split("-")[0] for name in TRIALS} == FRAMEWORKS
    assert {TRIALS[name].learner.describe().framework for name in TRIALS} == FRAMEWORKS
    assert (len(TRIALS), len(LEARNER_SUITE.checks), len(CASES)) == (12, 13, 156)


def test_every_check_of_the_module_is_in_the_suite():
    module = importlib.import_module("headwater.checks.learners")
    assert {check.__name__ for check in LEARNER_SUITE.checks} == {n for n in vars(module) if n.startswith("check_")}


def test_linear_models_and_trees_are_held_to_pooled_predictions_and_networks_to_a_loss():
    by_loss = {name for name in TRIALS if TRIALS[name].agrees == "loss"}
    assert by_loss == {"jax-network", "keras-network", "torch-network"}
