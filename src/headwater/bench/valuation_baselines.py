"""What valuation is compared with, on the same games: sampled permutations, leave-one-out, KNN-Shapley, GTG-Shapley.

pyDVL 0.10.0 needs numpy below 2 and is LGPL, so it cannot stand in this environment; its sampler is written here as its
documentation and the paper (Ghorbani and Zou 2019) have it: orders at random, a walk broken off once the utility is
within a relative tolerance of that of all. Retrainings are looked up in the table of all coalitions; what they cost is
the number of distinct ones times what one takes.
"""

from collections.abc import Callable

import numpy as np

from headwater.bench.valuation_suite import Case, training_records
from headwater.statistics.features import column
from headwater.types import Masks, Vector
from headwater.valuation.methods.exact import all_coalitions, shapley_of_table

__all__ = ["gtg", "knn_shapley", "leave_one_out", "permutations"]

_NEIGHBOURS = 5
_ROUNDS, _LOCAL_STEPS, _RATE, _HIDDEN = 10, 20, 0.1, 12

Game = Callable[[Masks], Vector]


def permutations(
    game: Game, players: int, *, orders: int, rng: np.random.Generator, tolerance: float = 0.0
) -> tuple[Vector, int]:
    """Return Shapley values from ``orders`` truncated random orders, and the number of distinct coalitions trained.

    Parameters
    ----------
    tolerance : a walk ends once the utility is within this share of the utility of all; 0 never breaks it off
    """
    everyone = float(game(np.ones((1, players), dtype=np.bool_))[0])
    values, seen = np.zeros(players), {b"", np.ones(players, dtype=np.bool_).tobytes()}
    for _ in range(orders):
        order = rng.permutation(players)
        walk = np.asarray(np.tri(players + 1, players, -1, dtype=np.bool_)[:, np.argsort(order)])
        utilities = game(walk)
        near = np.flatnonzero(np.abs(utilities - everyone) <= tolerance * abs(everyone))
        end = int(near[0]) if tolerance > 0 and len(near) else players
        values[order[:end]] += np.diff(utilities)[:end]
        seen |= {row.tobytes() for row in walk[1 : end + 1]}
    return values / orders, len(seen) - 1


def leave_one_out(game: Game, players: int) -> tuple[Vector, int]:
    """Return what everyone together loses without each, and the number of coalitions trained."""
    everyone = np.ones((1, players), dtype=np.bool_)
    return np.asarray(game(everyone) - game(~np.eye(players, dtype=np.bool_)), dtype=np.float64), players + 1


def knn_shapley(case: Case) -> Vector:
    """Return, for each source, the sum of the exact KNN-Shapley values of its records; needs the raw records.

    Source: Jia et al. 2019, theorem 6 (regression by unweighted neighbours), for 5 neighbours.
    """
    records, target = training_records(case), case.target
    valid = target.features.transform(target.valid)
    labels = np.asarray(column(target.valid, target.label).to_numpy(), dtype=np.float64)
    distances = ((records.x**2).sum(axis=1) - 2 * valid @ records.x.T).argsort(axis=1, kind="stable")
    centre = records.y.mean()
    near = records.y[distances] - centre
    values = knn_values(near, labels - centre, neighbours=_NEIGHBOURS)
    by_record = np.zeros_like(values)
    np.put_along_axis(by_record, distances, values, axis=1)
    summed = np.bincount(records.owner + 1, by_record.mean(axis=0), minlength=len(case.sources) + 1)[1:]
    return np.asarray(summed, dtype=np.float64)


def knn_values(near: Vector, label: Vector, *, neighbours: int) -> Vector:
    r"""Return (m, n) Shapley values of n records in the game of predicting each of m labels from nearest neighbours.

    .. math:: v(S) = -\bigl(\tfrac1K \sum_{k \le \min(K, |S|)} y_{(k)} - y\bigr)^2

    Parameters
    ----------
    near : (m, n) labels of the records, the nearest to each of the m first; n > 2
    label : (m,) labels to predict
    """
    rows, n = near.shape
    k = float(neighbours)
    place = np.arange(1, n + 1, dtype=np.float64)
    before = np.concatenate([np.zeros((rows, 1)), near.cumsum(axis=1)], axis=1)
    # What records l ≥ i+2 weigh, but for the factor i / min(K, i) that depends on i.
    far = np.zeros(n)
    far[2:] = np.minimum(k, place[2:] - 1) * np.minimum(k - 1, place[2:] - 2) / ((place[2:] - 1) * (place[2:] - 2))
    after = np.concatenate([(near * far)[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((rows, 2))], axis=1)
    last, others = near[:, -1], before[:, n - 1] / (n - 1)
    values = np.empty((rows, n))
    values[:, -1] = -(min(k, n) - 1) / (n * k) * last * (last / k - 2 * label + others) - (last / k - label) ** 2 / n
    values[:, -1] += label**2 / n
    for i in range(n - 1, 0, -1):
        own, following = near[:, i - 1], near[:, i]
        share = min(k, i) / i
        closer = (min(k, i) - 1) / (i - 1) * before[:, i - 1] if i > 1 else 0.0
        around = (closer + own + following + after[:, i + 1] / share) / k - 2 * label
        values[:, i - 1] = values[:, i] + (following - own) / k * share * around
    return values


def gtg(case: Case, *, rng: np.random.Generator) -> tuple[Vector, int]:
    """Return the sum over rounds of exact Shapley values of reconstructed models, and the bytes each source exchanges.

    Source: Liu et al. 2022. In each round every source sends its parameters after some steps at home; the model of a
    coalition is rebuilt as the mean of its members', weighted by records. All coalitions of a round are rebuilt, where
    GTG samples them.
    """
    records, target = training_records(case), case.target
    valid = target.features.transform(target.valid)
    labels = np.asarray(column(target.valid, target.label).to_numpy(), dtype=np.float64)
    own = records.y[records.owner < 0]
    centre, scale = (0.0, 1.0) if records.binary else (float(own.mean()), float(own.std()) or 1.0)
    dim, players = records.x.shape[1], len(case.sources)
    model = np.concatenate([rng.normal(size=dim * _HIDDEN) * np.sqrt(2 / dim), rng.normal(size=_HIDDEN) / 4])
    counts = np.bincount(records.owner + 1, minlength=players + 1).astype(np.float64)
    shares = np.concatenate([np.ones((2**players, 1)), all_coalitions(players)], axis=1) * counts
    shares /= shares.sum(axis=1, keepdims=True)
    values = np.zeros(players)
    for _ in range(_ROUNDS):
        parts = [
            (records.x[records.owner == at], (records.y[records.owner == at] - centre) / scale)
            for at in range(-1, players)
        ]
        local = np.stack([_trained(model, x, y) for x, y in parts])
        rebuilt = shares @ local
        fitted = np.stack([_output(each, valid)[1] for each in rebuilt])
        values += shapley_of_table(-((centre + scale * fitted - labels) ** 2).mean(axis=1) / labels.var())
        model = rebuilt[-1]
    return values, 2 * _ROUNDS * 4 * len(model)


def _output(model: Vector, x: Vector) -> tuple[Vector, Vector]:
    hidden = np.maximum(x @ model[:-_HIDDEN].reshape(-1, _HIDDEN), 0.0)
    return hidden, hidden @ model[-_HIDDEN:]


def _trained(model: Vector, x: Vector, y: Vector) -> Vector:
    for _ in range(_LOCAL_STEPS):
        hidden, fitted = _output(model, x)
        error = (fitted - y) / len(y)
        back = np.outer(error, model[-_HIDDEN:]) * (hidden > 0)
        model = model - _RATE * np.concatenate([(x.T @ back).ravel(), hidden.T @ error])
    return model
