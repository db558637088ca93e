"""What each framework gets back is its own model, and nobody who does not ask for a framework pays for it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from headwater.adapters.lightgbm import LightGBM
from headwater.adapters.sklearn import Logistic, RidgeRegression
from headwater.adapters.sklearn_trees import HistGradientBoosting
from headwater.adapters.statsmodels import DISTRIBUTIONS, GeneralisedLinear
from headwater.adapters.xgboost import XGBoost
from headwater.checks.learners import FEATURES, records
from headwater.errors import Refusal
from headwater.federation import InProcess, learn
from headwater.statistics import Bins

ADAPTERS = Path(__file__).resolve().parents[3] / "src" / "headwater" / "adapters"
FRAMEWORKS = ("jax", "keras", "lightgbm", "sklearn", "sklearn_trees", "statsmodels", "torch", "xgboost")
BINS = Bins.quantiles(FEATURES.transform(records("numbers", 200, seed=50))[:, 1:], 8)


def _is_docstring(node):
    first = node.body[0] if isinstance(node.body, list) else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def learnt(learner, labels="numbers"):
    tables = {f"h{seed}": records(labels, 90, seed=seed) for seed in range(3)}
    x = np.concatenate([FEATURES.transform(table) for table in tables.values()])
    y = np.rint(np.concatenate([table["y"].to_numpy() for table in tables.values()]) * 2**14) / 2**14
    return learn(learner, InProcess.of(tables), features=FEATURES, target="y"), x, y


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_adapter_has_at_most_sixty_lines_of_code(name):
    text = (ADAPTERS / f"{name}.py").read_text(encoding="utf-8")
    told = [node.body[0] for node in ast.walk(ast.parse(text)) if getattr(node, "body", None) and _is_docstring(node)]
    words = sum((one.end_lineno or one.lineno) - one.lineno + 1 for one in told)
    assert 30 < len([line for line in text.splitlines() if line.strip()]) - words <= 60


def test_the_five_verbs_import_no_framework():
    program = (
        "import sys, headwater.federation, headwater.checks, headwater.adapters.learners, headwater.bench.frameworks\n"
        "print(sorted({'jax', 'keras', 'lightgbm', 'statsmodels', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", [XGBoost, LightGBM, HistGradientBoosting])
def test_trees_are_predicted_by_the_frameworks_own_model_as_they_were_grown(kind):
    learner = kind.of(BINS, trees=4, depth=3)
    found, x, _ = learnt(learner)
    ours, theirs = learner.grower.scores(found.parameters, x[:, 1:]), learner.predict(found.parameters, x)
    assert np.abs(ours - theirs).max() <= (0.0 if kind is XGBoost else 1e-12)
    assert found.rounds == 13


def test_boosters_know_their_trees():
    learner = XGBoost.of(BINS, trees=4, depth=2)
    assert learner.booster(learnt(learner)[0].parameters).num_boosted_rounds() == 4
    light = LightGBM.of(BINS, trees=4, depth=2)
    booster = light.booster(learnt(light)[0].parameters)
    assert (booster.num_trees(), booster.num_feature()) == (4, FEATURES.dim - 1)


@pytest.mark.parametrize(
    ("distribution", "labels"), [("gaussian", "numbers"), ("poisson", "counts"), ("gamma", "positive")]
)
def test_standard_errors_are_those_of_pooled_records(distribution, labels):
    learner = GeneralisedLinear(FEATURES.dim, distribution=distribution)
    found, x, y = learnt(learner, labels)
    results = learner.results(found.parameters, found.total)
    pooled = sm.GLM(y, x, family=DISTRIBUTIONS[distribution]).fit(
        tol=1e-13, scale="X2" if distribution != "poisson" else None
    )
    for ours, theirs in ((results.params, pooled.params), (results.bse, pooled.bse), (results.pvalues, pooled.pvalues)):
        assert np.abs(ours - theirs).max() < 1e-7
    assert np.abs(results.conf_int() - pooled.conf_int()).max() < 1e-7


def test_estimators_are_the_frameworks_own():
    ridge = RidgeRegression(FEATURES.dim)
    assert ridge.estimator(np.arange(6.0)).intercept_ == 0.0
    assert ridge.estimator(np.arange(6.0)).coef_.tolist() == [1, 2, 3, 4, 5]
    logistic = Logistic(FEATURES.dim, ridge=1.0)
    assert logistic.estimator(np.zeros(6)).predict(np.ones((2, 5))).tolist() == [0.0, 0.0]
    with pytest.raises(Refusal) as refusal:
        ridge.estimator(np.zeros(3))
    assert refusal.value.code == "E-MODEL-PARAMETERS"


@pytest.mark.parametrize(("distribution", "label"), [("binomial", 1.5), ("poisson", -1.0), ("gamma", 0.0)])
def test_labels_outside_of_the_range_are_refused(distribution, label):
    x = np.ones((3, 1))
    with pytest.raises(Refusal) as refusal:
        GeneralisedLinear(1, distribution=distribution).statistic(np.empty(0), x, np.array([0.5, 1.0, label]))
    assert refusal.value.code == "E-LEARNER-LABELS"


def test_keras_on_jax_gives_the_same_outputs_and_slopes_as_on_pytorch():
    program = (
        "import numpy as np\n"
        "from headwater.adapters.keras import KerasNetwork\n"
        "network, x = KerasNetwork(3), np.linspace(-1, 1, 12).reshape(4, 3)\n"
        "flat = np.sin(np.arange(network.initial().size))\n"
        "told = np.concatenate([network.outputs(flat, x), network.jacobian(flat, x).ravel()])\n"
        "print(','.join(repr(float(one)) for one in told))"
    )
    told = []
    for backend in ("jax", "torch"):
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        told.append(np.array([float(one) for one in done.stdout.strip().split(",")]))
    assert told[0].size == 4 + 4 * 41
    # On PyTorch Keras multiplies in float32.
    assert np.abs(told[0] - told[1]).max() < 1e-6
