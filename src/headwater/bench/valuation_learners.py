"""The true learners of the suite: ridge or logistic regression, a small network, boosted trees, all coalitions at once.

A coalition is a row of 0/1 weights over the records of everyone; training on weights is training on the records that
have weight 1. Every learner starts from the same numbers in each coalition, so a training is a function of its records.
Labels of 0 and 1 are learnt by log loss and predicted as chances; all others by squared loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from headwater.types import Masks, Vector
from headwater.valuation.target import Learner

__all__ = ["LEARNERS", "Records", "predictions"]

Floats = npt.NDArray[np.float32]

VERSION = 1
"""Raised when a learner learns otherwise: references of the old one are not used again."""

_AT_ONCE: Mapping[Learner, int] = {"linear": 256, "network": 16, "trees": 128}
_RIDGE = 1.0
_NEWTON_STEPS = 12
_HIDDEN, _STEPS, _RATE, _DECAY = 12, 80, 0.02, 1.0
_ROUNDS, _DEPTH, _SHRINKAGE, _CUTS = 30, 3, 0.2, 11
_LEAF_RIDGE, _LEAST_IN_LEAF = 1.0, 1.0


@dataclass(frozen=True, eq=False)
class Records:
    """Everyone's training records as the learner sees them.

    Parameters
    ----------
    x : (records, dim) features, the first column 1
    y : (records,) labels
    owner : (records,) index of the source, -1 for the target
    """

    x: Vector
    y: Vector
    owner: npt.NDArray[np.int64]

    @property
    def binary(self) -> bool:
        """Whether all labels are 0 or 1."""
        return bool(np.isin(self.y, (0.0, 1.0)).all())

    def weights(self, coalitions: Masks) -> Vector:
        """Return (coalitions, records) of 1 where the record is trained on, the target's always."""
        everyone = np.concatenate([coalitions, np.ones((len(coalitions), 1), dtype=np.bool_)], axis=1)
        return everyone[:, self.owner].astype(np.float64)


def predictions(learner: Learner, records: Records, coalitions: Masks, held: Vector) -> Vector:
    """Return (coalitions, held records): what the learner, trained on target + coalition, predicts for them.

    >>> records = Records(np.ones((3, 1)), np.array([0.0, 3.0, 6.0]), np.array([-1, 0, 1]))
    >>> predictions("linear", records, np.array([[False, False], [True, True]]), np.ones((1, 1))).round(6)
    array([[0.],
           [3.]])
    """
    train, at_once, out = LEARNERS[learner], _AT_ONCE[learner], np.empty((len(coalitions), len(held)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            for start in range(0, len(coalitions), at_once):
                weights = records.weights(coalitions[start : start + at_once])
                out[start : start + at_once] = train(records, weights, held)
    finally:
        torch.set_num_threads(threads)
    return out


def _linear(records: Records, weights: Vector, held: Vector) -> Vector:
    """Return the solutions of Newton's steps, one of which is the ridge's; the bias is not shrunk."""
    x, y, dim = records.x, records.y, records.x.shape[1]
    penalty = np.full(dim, _RIDGE)
    penalty[0] = 1e-9
    squares = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    beta = np.zeros((len(weights), dim))
    for _ in range(_NEWTON_STEPS if records.binary else 1):
        fitted = beta @ x.T
        mean = _chance(fitted) if records.binary else fitted
        bend = weights * (mean * (1 - mean) if records.binary else 1.0)
        hessian = (bend @ squares).reshape(-1, dim, dim) + np.diag(penalty)
        slope = (weights * (y - mean)) @ x - penalty * beta
        beta = beta + np.linalg.solve(hessian, slope[:, :, None])[:, :, 0]
    return _chance(beta @ held.T) if records.binary else np.asarray(beta @ held.T, dtype=np.float64)


def _network(records: Records, weights: Vector, held: Vector) -> Vector:
    """Return what one hidden layer of rectifiers predicts after full-batch steps of Adam."""
    count, dim = len(weights), records.x.shape[1]
    centre, scale = _label_scale(records)
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(_HIDDEN, dim)) * np.sqrt(2 / dim), rng.normal(size=(1, _HIDDEN)) / np.sqrt(_HIDDEN)]
    first, last = (torch.tensor(part, dtype=torch.float32).repeat(count, 1, 1) for part in start)
    parameters = [first, last, torch.zeros(count, 1, 1)]
    x, y = _tensor(records.x), _tensor((records.y - centre) / scale)
    counts = weights.sum(axis=1)[:, None]
    features, share, decay = x.T.contiguous(), _tensor(weights / counts)[:, None, :], _tensor(_DECAY / counts)[:, None]
    moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in parameters]
    for step in range(1, _STEPS + 1):
        hidden, fitted = _forward(parameters, features)
        error = ((torch.sigmoid(fitted) if records.binary else fitted) - y) * share
        back = torch.where(hidden > 0, parameters[1].transpose(1, 2) * error, 0.0)
        slopes = [(back.view(-1, len(x)) @ x).view_as(first), error @ hidden.transpose(1, 2)]
        slopes.append(error.sum(dim=2, keepdim=True))
        for part, slope, (mean, square) in zip(parameters, slopes, moments, strict=True):
            _adam(part, slope + decay * part, mean, square, step)
    values = np.asarray(_forward(parameters, _tensor(held.T))[1][:, 0, :].numpy(), dtype=np.float64)
    return _chance(values) if records.binary else np.asarray(centre + scale * values, dtype=np.float64)


def _forward(parameters: list[torch.Tensor], features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (coalitions, units, records) units and (coalitions, 1, records) outputs: records last is fast."""
    first, last, bias = parameters
    hidden = torch.relu_(first.reshape(-1, len(features)) @ features).view(*first.shape[:2], -1)
    return hidden, last @ hidden + bias


def _adam(part: torch.Tensor, slope: torch.Tensor, mean: torch.Tensor, square: torch.Tensor, step: int) -> None:
    """Move ``part`` in place by one step of Adam (Kingma and Ba 2015) with its usual constants."""
    mean.mul_(0.9).add_(slope, alpha=0.1)
    square.mul_(0.999).addcmul_(slope, slope, value=0.001)
    part.sub_(_RATE * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8))


def _trees(records: Records, weights: Vector, held: Vector) -> Vector:
    """Return the sum of boosted trees, every split at one of the cuts that all records together give."""
    below, held_below = _below(records.x, records.x), _below(records.x, held)
    mask = weights.astype(np.float32)
    centre = (weights @ records.y) / weights.sum(axis=1)
    base = np.log(centre / (1 - centre)) if records.binary else centre
    fitted = np.repeat(base[:, None], len(records.x), axis=1).astype(np.float32)
    out = np.repeat(base[:, None], len(held), axis=1).astype(np.float32)
    y = records.y.astype(np.float32)
    for _ in range(_ROUNDS):
        mean = _chance(fitted) if records.binary else fitted
        bend = mask * (mean * (1 - mean)) if records.binary else mask
        here, there = _grown(mask * (y - mean), bend, below, held_below)
        fitted += np.float32(_SHRINKAGE) * here
        out += np.float32(_SHRINKAGE) * there
    return np.asarray(_chance(out) if records.binary else out, dtype=np.float64)


def _below(reference: Vector, x: Vector) -> Floats:
    """Return (records, cuts): 1 where the record's feature is at most the cut."""
    columns = []
    for at in range(1, reference.shape[1]):
        distinct = np.unique(np.quantile(reference[:, at], np.linspace(0, 1, _CUTS + 2)[1:-1], method="lower"))
        columns += [x[:, at] <= cut for cut in distinct if cut < reference[:, at].max()]
    return np.stack(columns, axis=1).astype(np.float32)


def _grown(slope: Floats, bend: Floats, below: Floats, held_below: Floats) -> tuple[Floats, Floats]:
    """Return what one tree of ``_DEPTH`` levels adds to each record and to each held record, for every coalition."""
    sides = np.ascontiguousarray(np.vstack([below, held_below]).T > 0)
    known = slope.shape[1]
    added = np.zeros((len(slope), sides.shape[1]), dtype=np.float32)
    nodes = [np.ones(added.shape, dtype=np.bool_)]
    for _ in range(_DEPTH):
        cuts = [_best_cut(slope * node[:, :known], bend * node[:, :known], below) for node in nodes]
        left = [node & (sides[cut] | (cut < 0)[:, None]) for node, cut in zip(nodes, cuts, strict=True)]
        nodes = [*left, *(node ^ part for node, part in zip(nodes, left, strict=True))]
    for node in nodes:
        here = node[:, :known]
        step = np.einsum("mn,mn->m", slope, here) / (np.einsum("mn,mn->m", bend, here) + np.float32(_LEAF_RIDGE))
        added += step[:, None] * node
    return added[:, :known], added[:, known:]


def _best_cut(slope: Floats, bend: Floats, below: Floats) -> npt.NDArray[np.int64]:
    """Return the cut of the largest gain for each coalition, -1 where none gains."""
    left, left_bend = slope @ below, bend @ below
    right, right_bend = slope.sum(axis=1)[:, None] - left, bend.sum(axis=1)[:, None] - left_bend
    gain = left**2 / (left_bend + _LEAF_RIDGE) + right**2 / (right_bend + _LEAF_RIDGE)
    gain -= (left + right) ** 2 / (left_bend + right_bend + _LEAF_RIDGE)
    gain[(left_bend < _LEAST_IN_LEAF) | (right_bend < _LEAST_IN_LEAF)] = 0.0
    best = gain.argmax(axis=1)
    return np.where(gain[np.arange(len(gain)), best] > 1e-6, best, -1)


def _chance(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))))


def _label_scale(records: Records) -> tuple[float, float]:
    """Return the centre and spread of the target's own labels; (0, 1) for outcomes."""
    own = records.y[records.owner < 0]
    return (0.0, 1.0) if records.binary else (float(own.mean()), float(own.std()) or 1.0)


def _tensor(values: Vector) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


LEARNERS: Mapping[Learner, Callable[[Records, Vector, Vector], Vector]] = {
    "linear": _linear,
    "network": _network,
    "trees": _trees,
}
"""Every learner by the name that a target gives it."""
