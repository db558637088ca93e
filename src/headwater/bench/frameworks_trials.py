"""Every framework's learners beside its own training on pooled records."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import lightgbm
import numpy as np
import statsmodels.api as sm
import torch
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from headwater.adapters.jax import JaxNetwork
from headwater.adapters.keras import KerasNetwork
from headwater.adapters.lightgbm import LightGBM
from headwater.adapters.sklearn import Logistic, RidgeRegression
from headwater.adapters.sklearn_trees import HistGradientBoosting
from headwater.adapters.statsmodels import DISTRIBUTIONS, GeneralisedLinear
from headwater.adapters.torch import TorchNetwork
from headwater.adapters.xgboost import XGBoost
from headwater.checks.learners import FEATURES, Pooled, Trial, records
from headwater.registry import Registry
from headwater.statistics import Bins
from headwater.statistics.histogram import Places
from headwater.types import Vector

__all__ = ["TRIALS"]

TRIALS: Registry[Trial] = Registry("trial")
"""Every learner with its oracle, by framework and model."""

_Adam: TypeAlias = tuple[jax.Array, jax.Array, jax.Array]

_DIM, _TREES, _DEPTH, _RATE, _BINS = FEATURES.dim, 12, 3, 0.3, 24
_EPOCHS, _BATCH, _STEP = 120, 32, 0.005


def _public() -> Bins:
    """Return edges from records that are nobody's of those who are asked."""
    return Bins.quantiles(FEATURES.transform(records("numbers", 400, seed=99))[:, 1:], _BINS)


def _binned(fit: Callable[[Vector, Vector], Callable[[Vector], Vector]]) -> Pooled:
    """Let a framework train on the numbers of the public bins: they are all that its own cuts can tell apart."""

    def pooled(x: Vector, y: Vector, others: Vector) -> Vector:
        inside, outside = (_public().of(one[:, 1:]).astype(np.float64) for one in (x, others))
        return fit(inside, y)(outside)

    return pooled


def _xgboost(x: Vector, y: Vector) -> Callable[[Vector], Vector]:
    told = {"tree_method": "hist", "max_depth": _DEPTH, "eta": _RATE, "nthread": 1}
    model = xgboost.train(told, xgboost.DMatrix(x, label=y), _TREES)
    return lambda others: np.asarray(model.predict(xgboost.DMatrix(others)), dtype=np.float64)


def _lightgbm(x: Vector, y: Vector) -> Callable[[Vector], Vector]:
    told = {"objective": "regression", "num_leaves": 2**_DEPTH, "max_depth": _DEPTH, "learning_rate": _RATE}
    # Its own binning may leave out bins, and bundle features: here the bins are agreed.
    told |= {"min_data_in_bin": 1, "enable_bundle": False, "feature_pre_filter": False}
    told |= {"num_threads": 1, "deterministic": True, "verbose": -1}
    model = lightgbm.train(told, lightgbm.Dataset(x, label=y, params=told), _TREES)
    return lambda others: np.asarray(model.predict(others), dtype=np.float64)


def _sklearn(x: Vector, y: Vector) -> Callable[[Vector], Vector]:
    shape = {"max_iter": _TREES, "max_depth": _DEPTH, "max_leaf_nodes": None, "learning_rate": _RATE}
    model = HistGradientBoostingRegressor(**shape, early_stopping=False).fit(x, y)
    return lambda others: np.asarray(model.predict(others), dtype=np.float64)


def _ridge(x: Vector, y: Vector, others: Vector) -> Vector:
    return np.asarray(Ridge(alpha=1.0, solver="cholesky").fit(x[:, 1:], y).predict(others[:, 1:]))


def _logistic(x: Vector, y: Vector, others: Vector) -> Vector:
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-13, max_iter=200).fit(x[:, 1:], y)
    return np.asarray(model.predict_proba(others[:, 1:])[:, 1])


def _glm(distribution: str) -> Pooled:
    def pooled(x: Vector, y: Vector, others: Vector) -> Vector:
        model = sm.GLM(y, x, family=DISTRIBUTIONS[distribution])
        return np.asarray(model.fit(tol=1e-14, maxiter=100).predict(others))

    return pooled


def _torch(x: Vector, y: Vector, others: Vector) -> Vector:
    learner = TorchNetwork(_DIM)
    module = learner.build(_DIM).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(learner.initial()), module.parameters())
    optimizer = torch.optim.Adam(module.parameters(), lr=_STEP)
    inside, labels = torch.tensor(x), torch.tensor(y)
    for batch in _batches(len(y)):
        optimizer.zero_grad()
        torch.autograd.backward(torch.mean((module(inside[batch]).squeeze(1) - labels[batch]) ** 2))
        optimizer.step()
    with torch.no_grad():
        return np.asarray(module(torch.tensor(others)).squeeze(1).numpy())


def _keras(x: Vector, y: Vector, others: Vector) -> Vector:
    model = KerasNetwork(_DIM).model
    with jax.enable_x64(True):
        model.compile(optimizer="adam", loss="mse")
        model.optimizer.learning_rate = _STEP
        for batch in _batches(len(y)):
            model.train_on_batch(x[batch], y[batch])
        return np.asarray(model.predict_on_batch(others), dtype=np.float64)[:, 0]


def _jax(x: Vector, y: Vector, others: Vector) -> Vector:
    """Train by Adam, which JAX itself does not bring along (Kingma and Ba 2015, algorithm 1)."""
    learner = JaxNetwork(_DIM)
    with jax.enable_x64(True):
        inside, labels, places = jnp.asarray(x), jnp.asarray(y), jnp.asarray(_batches(len(y)))

        def loss(flat: jax.Array, batch: jax.Array) -> jax.Array:
            return jnp.mean((learner.call(learner.flat[1](flat), inside[batch]) - labels[batch]) ** 2)

        def step(state: _Adam, turn: tuple[jax.Array, jax.Array]) -> tuple[_Adam, None]:
            (flat, mean, square), (number, batch) = state, turn
            slope = jax.grad(loss)(flat, batch)
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
            rate = _STEP * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
            return (flat - rate * mean / (jnp.sqrt(square) + 1e-8), mean, square), None

        start = jnp.asarray(learner.initial())
        first = (start, jnp.zeros_like(start), jnp.zeros_like(start))
        (flat, *_), _ = jax.lax.scan(step, first, (jnp.arange(1.0, len(places) + 1), places))
        return learner.outputs(np.asarray(flat), others)


def _batches(rows: int) -> Places:
    """Return (steps, batch) places of records, each epoch in another order."""
    rng, steps = np.random.default_rng(1), rows // _BATCH
    orders = [rng.permutation(rows)[: steps * _BATCH].reshape(steps, _BATCH) for _ in range(_EPOCHS)]
    return np.concatenate(orders)


_SHAPE: Mapping[str, Any] = {"trees": _TREES, "depth": _DEPTH, "rate": _RATE}

for _name, _trial in {
    "jax-network": Trial(JaxNetwork(_DIM), _jax, agrees="loss"),
    "keras-network": Trial(KerasNetwork(_DIM), _keras, agrees="loss"),
    "lightgbm-trees": Trial(LightGBM.of(_public(), **_SHAPE), _binned(_lightgbm)),
    "sklearn-logistic": Trial(Logistic(_DIM, ridge=1.0), _logistic, labels="binary"),
    "sklearn-ridge": Trial(RidgeRegression(_DIM), _ridge),
    "sklearn-trees": Trial(HistGradientBoosting.of(_public(), **_SHAPE), _binned(_sklearn)),
    "statsmodels-binomial": Trial(GeneralisedLinear(_DIM, distribution="binomial"), _glm("binomial"), labels="binary"),
    "statsmodels-gamma": Trial(GeneralisedLinear(_DIM, distribution="gamma"), _glm("gamma"), labels="positive"),
    "statsmodels-gaussian": Trial(GeneralisedLinear(_DIM), _glm("gaussian")),
    "statsmodels-poisson": Trial(GeneralisedLinear(_DIM, distribution="poisson"), _glm("poisson"), labels="counts"),
    "torch-network": Trial(TorchNetwork(_DIM), _torch, agrees="loss"),
    "xgboost-trees": Trial(XGBoost.of(_public(), **_SHAPE), _binned(_xgboost)),
}.items():
    TRIALS.register(_name)(_trial)
